//! kproxy: a Kafka-protocol proxy that changes its configuration under load.
//!
//! Pure functions decide, one task applies, values own their clean-up:
//!
//! ```text
//! config ──resolve──▶ model ──plan──▶ Plan                             pure: no tokio, no sockets, no clock
//!                                      │
//!                      prepare ─▶ commit ─▶ retire                     one task, one change at a time
//!
//! accept ─▶ binding ─▶ Session: client ⇄ inspector ⇄ broker            the data plane
//! ```
//!
//! A module uses only modules earlier in this list; `tests/layers` checks that. `docs/architecture.md` says which thread
//! runs what.
//!
//! # As a library
//!
//! [`app::Proxy`] is what the binary runs. This is `examples/library.rs`:
//!
//! ```no_run
#![doc = include_str!("../examples/library.rs")]
//! ```

#![warn(missing_docs)]

mod names;

pub mod time;

mod histogram;

pub mod wire;

pub mod config;

pub mod pki;

pub mod sasl;

pub mod model;

pub mod reload;

pub mod tls;

pub mod drain;

pub mod resolver;

pub mod http_client;

pub mod audit_file;

pub mod filter;

pub mod session;

pub mod testing;

pub mod endpoint;

pub mod service;

pub mod cluster;

pub mod control;

pub mod admin;

pub mod telemetry;

#[cfg(feature = "otlp")]
pub mod otlp;

pub mod doctor;

pub mod cli;

pub mod app;
