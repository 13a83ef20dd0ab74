//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// A Kafka-protocol proxy that changes its configuration under load without any client noticing.
#[derive(Debug, Parser)]
#[command(name = "kproxy", version, about, long_about = None)]
pub struct Arguments {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE")]
    pub config: PathBuf,
}
