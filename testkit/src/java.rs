//! Kafka's own command line tools: the reference clients.

use std::{path::Path, process::Command};

use super::maven::Install;
pub use super::tool::Tool;

/// `java` with the release's class path and settings that start quickly; the class and its arguments follow.
pub fn command(install: &Install, heap: &str) -> Command {
    let log4j = Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka/log4j2.properties");
    let mut command = Command::new("java");
    command
        .arg(format!("-Xmx{heap}"))
        .args([
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Djava.net.preferIPv4Stack=true",
        ])
        .arg(format!("-Dlog4j2.configurationFile={}", log4j.display()))
        .args(["-cp", &install.class_path()]);
    command
}

impl Tool {
    /// `class` is a fully qualified name out of Kafka's jars.
    pub fn new(install: &Install, class: &str) -> Self {
        Self::java(install, class, &[])
    }

    /// Runs a class with options for the JVM.
    pub fn java(install: &Install, class: &str, options: &[String]) -> Self {
        let mut command = command(install, "256m");
        command.args(options).arg(class);
        Self::of(class, command)
    }
}
