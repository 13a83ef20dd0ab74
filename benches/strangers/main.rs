//! `cargo bench --bench strangers`: what clients without credentials cost kproxy, and what a bystander notices.
//!
//! Each attack runs against a kproxy of its own with one worker, and is aimed at one virtual cluster. A client of another
//! virtual cluster on the same worker, the bystander, exchanges one small request at a time before and during the
//! attack. Printed are kproxy's resident memory, metric series, descriptors and log lines, and the bystander's latency.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "../common/mod.rs"]
mod common;

mod attacks;
mod bystander;
mod crowd;
mod hostile_broker;
mod measured;
mod site;

use std::error::Error;
use std::time::Duration;

use clap::Parser;

use attacks::ATTACKS;
use common::process::{allow_descriptors, machine};
use measured::Measured;

/// Cost of strangers.
#[derive(Debug, Parser)]
struct Options {
    /// Seconds before an attack, to know what is usual
    #[arg(long, default_value_t = 3)]
    quiet: u64,
    /// Seconds of each attack
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Only attacks whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Another kproxy than the one just built, for a comparison
    #[arg(long)]
    binary: Option<std::path::PathBuf>,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    if common::played_role()? {
        return Ok(());
    }
    let options = Options::parse();
    allow_descriptors(20_000);
    println!(
        "{}; {} s of quiet, {} s of each attack\n",
        machine(),
        options.quiet,
        options.seconds
    );
    println!("{}", Measured::HEAD);
    for attack in ATTACKS
        .iter()
        .filter(|attack| attack.name.contains(&options.only))
    {
        let measured = measured::measure(
            attack,
            options.binary.as_deref(),
            Duration::from_secs(options.quiet),
            Duration::from_secs(options.seconds),
        )?;
        println!("{measured}");
    }
    Ok(())
}
