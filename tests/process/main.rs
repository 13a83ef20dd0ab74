//! The kproxy binary, as its users run it: files, signals, standard error, HTTP and the control socket.
//!
//! Each module says at its head what it promises.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admin;
mod approval;
mod checks;
mod credential;
mod credentials;
mod dialling;
mod doctor;
mod events;
mod examples;
mod filters;
mod forward_proxy;
mod getting_started;
mod history;
mod hostile;
mod logins;
mod monitoring;
mod moving;
mod packaging;
mod plan;
mod probation;
mod questions;
mod refusals;
mod reload_file;
mod renewal;
mod rollback;
mod service;
mod shell;
mod steering;
mod strangers;
mod truth;
