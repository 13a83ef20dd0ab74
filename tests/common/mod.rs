//! What the integration tests share. Each test binary uses its own part of it.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub mod broker;
pub mod certificates;
pub mod client;
pub mod cluster;
pub mod descriptors;
pub mod dialled;
pub mod frames;
pub mod front;
pub mod haproxy;
pub mod java;
pub mod kafka;
pub mod kafka_config;
pub mod kafka_tls;
pub mod kcat;
pub mod librdkafka;
pub mod maven;
pub mod openssl;
pub mod patient;
pub mod proxy;
pub mod raw;
pub mod reaper;
pub mod replace;
pub mod skipped;
pub mod stalled;
pub mod tls;
pub mod tool;
pub mod topics;
pub mod wait;
