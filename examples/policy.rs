//! Policy at the gateway: clients log in to kproxy, kproxy decides what each may do, and logs in to Kafka itself.
//!
//! ```text
//! cargo build                                      # the program that the example runs
//! cargo run --example policy                       # stays up for clients of your own until Ctrl-C
//! cargo run --example policy -- --exit-when-done
//! ```
//!
//! It runs a copy of `examples/policy/` under `target/examples-run/policy`, with an Apache Kafka out of Maven Central (a JDK
//! 17 or later and Maven are needed; the second run finds it in the cache). `examples/policy/README.md` has the same steps
//! as commands.

#![expect(clippy::print_stdout, reason = "it is for people")]

#[path = "policy/gateway.rs"]
mod gateway;

use std::path::Path;
use std::process::Command;

use gateway::{Gateway, Ports, Result};
use testkit::binary::program;
use testkit::maven::{KafkaVersion, require};
use testkit::tool::Output;

#[tokio::main]
async fn main() -> Result<()> {
    if !program().is_file() {
        return Err("the example runs the program: `cargo build` makes it".into());
    }
    let version = KafkaVersion::V4_4;
    println!("1. Apache Kafka {} and kproxy start.", version.name());
    let install = require(version).ok_or("a JDK and Maven are needed")?;
    let gateway = Gateway::start(install, Path::new("target/examples-run/policy"), Ports::WRITTEN)?;
    println!("   Clients log in at {}.\n", gateway.bootstrap());

    println!("2. alice may do everything with topics whose names begin with `orders`, bob nothing:");
    tell("alice creates `orders`", &gateway.create("alice", "orders"));
    tell("alice produces", &gateway.produce("alice", "orders", "a bicycle"));
    let mut connected = gateway.follow("alice", "orders", "orders-app");
    connected.wait_for_output("the record", |out| out.contains("a bicycle"));
    println!("     alice consumes, and stays: a bicycle");
    tell("bob produces", &gateway.produce("bob", "orders", "a car"));
    tell("bob consumes", &gateway.consume("bob", "orders", "billing"));

    println!("\n3. bob gets a rule in rules.acl. Nothing is started again:");
    gateway.edit_rules(
        "otherwise deny;",
        "allow User with name = \"bob\" to READ Topic with name = \"orders\";\n\notherwise deny;",
    )?;
    tell("bob consumes", &gateway.consume("bob", "orders", "billing"));

    println!(
        "\n4. alice loses the right to read. Her consumer, which is connected since step 2, learns of it at once:"
    );
    gateway.edit_rules(
        "\"alice\" to * Topic",
        "\"alice\" to {CREATE, WRITE, DESCRIBE} Topic",
    )?;
    tell("her consumer", &connected.finish());

    println!("\n5. What kproxy says of itself:\n");
    show_status(&gateway)?;

    if !std::env::args().any(|argument| argument == "--exit-when-done") {
        println!(
            "\nIt stays up: the files are in {}, Ctrl-C to end.",
            gateway.directory.display()
        );
        tokio::signal::ctrl_c().await?;
    }
    Ok(())
}

fn show_status(gateway: &Gateway) -> Result<()> {
    let socket = gateway.directory.join("kproxy.sock");
    Command::new(program())
        .arg("--control")
        .arg(socket)
        .arg("status")
        .status()?;
    Ok(())
}

/// What came of it: the error that the client had, or the records that it read.
fn tell(what: &str, output: &Output) {
    let said = format!("{}\n{}", output.stdout, output.stderr);
    let error = said.lines().find_map(|line| {
        let (_, error) = line.split_once("org.apache.kafka.common.errors.")?;
        // The tools print no end of line after it.
        let end = error.find(']').map_or(error.len(), |end| end + 1);
        Some(error[..end].to_owned())
    });
    let last = output.stdout.lines().last().unwrap_or("done").to_owned();
    println!("     {what}: {}", error.unwrap_or(last));
}
