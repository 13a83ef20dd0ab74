//! `kproxy plan` from its start to its end.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::common::process::allow_descriptors;

/// Descriptors beyond those of listeners.
const SPARE: u64 = 500;

/// Exit code for changes that disturb nobody.
const UNDISTURBED: i32 = 3;

/// Times in milliseconds, by what was measured.
pub(crate) type Times = Vec<(&'static str, Vec<f64>)>;

/// A process that runs a configuration. Dropping it ends the process.
struct Served {
    child: Child,
    directory: tempfile::TempDir,
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Served {
    /// Starts it, and waits until it serves.
    fn start(text: &str) -> Result<Self, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        let file = directory.path().join("proxy.yaml");
        fs::write(&file, text)?;
        let mut child = Command::new(env!("CARGO_BIN_EXE_kproxy"))
            .arg("--config")
            .arg(&file)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = child.stderr.take().ok_or("no standard error")?;
        let mut lines = BufReader::new(log).lines();
        while !lines
            .next()
            .ok_or("it does not start")??
            .contains("kproxy serves")
        {}
        // What it says later is read, so that it does not have to wait.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, directory })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Milliseconds of `kproxy plan` with these arguments.
    fn plan(&self, arguments: &[&str]) -> Result<f64, Box<dyn Error>> {
        let begun = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_kproxy"))
            .arg("--control")
            .arg(self.path("s"))
            .arg("plan")
            .args(arguments)
            .current_dir(self.directory.path())
            .output()?;
        let time = begun.elapsed().as_secs_f64() * 1e3;
        if output.status.code() != Some(UNDISTURBED) {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("{}: {why}", output.status).into());
        }
        Ok(time)
    }
}

/// Times of the command.
pub(crate) fn measure(clusters: u32, rounds: usize) -> Result<Times, Box<dyn Error>> {
    let limit = allow_descriptors(u64::from(clusters) * 2 + SPARE);
    let clusters = clusters.min(u32::try_from((limit - SPARE) / 2)?);
    println!("the command, beside a process with {clusters} clusters; milliseconds");
    let text = configuration(clusters);
    let served = Served::start(&text)?;
    let one = text.replacen("maxConnections: 1000", "maxConnections: 1001", 1);
    let all = text.replace("maxConnections: 1000", "maxConnections: 1001");
    let write = |name: &str, text: &str| fs::write(served.path(name), text);
    write("all.yaml", &all)?;
    let mut times = vec![
        ("kproxy plan, one changed", Vec::new()),
        ("kproxy plan, one changed, another file", Vec::new()),
        ("kproxy plan, all changed", Vec::new()),
        ("kproxy plan, all changed, details", Vec::new()),
        ("kproxy plan --offline, one changed", Vec::new()),
    ];
    for round in 0..rounds {
        // Another text each time, which differs in one virtual cluster.
        let limit = format!("maxConnections: {}", 1002 + round);
        let one = one.replacen("maxConnections: 1001", &limit, 1);
        write("one.yaml", &one)?;
        write("proxy.yaml", &one)?;
        let arguments: [&[&str]; 5] = [
            &[],
            &["-c", "one.yaml"],
            &["-c", "all.yaml"],
            &["-c", "all.yaml", "--details"],
            &["-c", "one.yaml", "--offline", "all.yaml"],
        ];
        for ((_, times), arguments) in times.iter_mut().zip(arguments) {
            times.push(served.plan(arguments)?);
        }
    }
    Ok(times)
}

/// Clusters with a bootstrap and a node each.
fn configuration(clusters: u32) -> String {
    let mut yaml = String::from("control: {socket: s}\nreload: {watch: false}\nvirtualClusters:\n");
    for n in 0..clusters {
        let ip = format!("127.{}.{}.1", n / 200 + 1, n % 200 + 1);
        writeln!(
            yaml,
            "  - name: cluster-{n}\n    targetCluster:\n      bootstrapServers: 127.0.0.1:1,127.0.0.1:2\n    drain:\n      \
             timeout: 30s\n    maxConnections: 1000\n    logNetwork: false\n    gateways:\n      - name: default\n        \
             bindAddress: {ip}\n        portIdentifiesNode:\n          bootstrapAddress: \
             cluster-{n}.kafka.example.com:9000\n          nodeIdRanges:\n            - {{name: brokers, start: 0, end: 0}}"
        )
        .ok();
    }
    yaml
}
