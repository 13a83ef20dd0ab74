//! What the benchmarks share: valid Kafka frames, a stub broker, a load client and the contenders that stand
//! between the two, each as a process of its own so that its CPU time and memory can be read from outside.
//!
//! * [`frames`]: requests and answers of an exact size, encoded by the `kafka-protocol` crate
//! * [`wire`]: a connection as both ends of the load see it
//! * [`scan`] and [`outbox`]: finding frames in a byte stream, and writing many of them with few calls
//! * [`broker`], [`blind`]: the roles this binary plays when it executes itself
//! * [`load`]: connections × depth of pipelined requests, measured in windows
//! * [`contender`], [`process`]: starting what is measured, and reading what it used
//! * [`stats`]: medians, spreads, latency histograms

#![allow(
    dead_code,
    reason = "every benchmark compiles this module and uses its own part of it"
)]

pub(crate) mod blind;
pub(crate) mod broker;
pub(crate) mod contender;
pub(crate) mod frames;
pub(crate) mod load;
pub(crate) mod outbox;
pub(crate) mod process;
pub(crate) mod scan;
pub(crate) mod stats;
pub(crate) mod wire;

/// Plays the role this process was started for, if any; `true` when it did and `main` has nothing left to do.
///
/// # Errors
/// Whatever made the role's sockets unusable.
pub(crate) fn played_role() -> std::io::Result<bool> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["--role", "broker", topics] => broker::run(topics.parse().unwrap_or(1)).map(|()| true),
        ["--role", "relay", upstream, kib] => {
            let buffer = kib.parse::<usize>().map_err(std::io::Error::other)? * 1024;
            blind::run(upstream, move |client, broker| {
                blind::copy(client, broker, buffer)
            })
            .map(|()| true)
        }
        ["--role", "untracked", upstream] => blind::run(upstream, blind::pump).map(|()| true),
        _ => Ok(false),
    }
}
