//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Version and commit.
pub const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("KPROXY_COMMIT"), ")");

/// A Kafka-protocol proxy that changes its configuration under load without any client noticing.
#[derive(Debug, Parser)]
#[command(name = "kproxy", version = VERSION, about, long_about = None)]
pub struct Arguments {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
}
