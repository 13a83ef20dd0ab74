//! The parts that the integration tests and the examples share: brokers, clients, proxies in this process and in one of
//! their own, certificates, and a real Apache Kafka.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

pub mod access;
pub mod binary;
pub mod black_hole;
pub mod broker;
pub mod browser;
pub mod certificates;
pub mod client;
pub mod cluster;
pub mod command;
pub mod deployment;
pub mod descriptors;
pub mod dialled;
pub mod directory_service;
pub mod edge;
pub mod entry_point;
pub mod forward_proxy;
pub mod frames;
pub mod haproxy;
pub mod java;
pub mod json_schema;
pub mod kafka;
pub mod kafka_config;
pub mod kafka_tls;
pub mod kcat;
pub mod keycloak;
pub mod manual_broker;
pub mod maven;
pub mod oidc;
pub mod openssl;
pub mod other_clients;
pub mod proxy;
pub mod raw;
pub mod reaper;
pub mod replace;
pub mod running;
pub mod sasl_broker;
pub mod service_manager;
pub mod skipped;
pub mod stalled;
pub mod tls;
pub mod tls_broker;
pub mod tls_client;
pub mod tokens;
pub mod tool;
pub mod topics;
pub mod wait;
