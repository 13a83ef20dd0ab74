//! Prints which tests this run of `cargo test` skipped, and why.
//!
//! Its target is named so that cargo runs it after all others. It is not a test: what a skipped test stands for is not
//! shown, and this says so where it cannot be overlooked.

#![expect(clippy::print_stdout, reason = "it is for people")]

use testkit::skipped;

fn main() {
    let lines = skipped::take();
    match lines.len() {
        0 => println!("\nNo test was skipped."),
        1 => println!("\n1 test was skipped: {}", lines[0]),
        count => {
            println!("\n{count} tests were skipped:");
            for line in lines {
                println!("  {line}");
            }
        }
    }
}
