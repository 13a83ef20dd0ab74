//! Java's part of the workload: three producers, a consumer-protocol group and a share group for each cluster, in one
//! process that is compiled when it starts.

use std::{fs, path::PathBuf, time::Duration};

use super::journal::Journal;
use testkit::{java::Tool, maven::Install, tool::Running};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/storm/StormClients.java");
/// Longer than any storm.
const LIMIT: Duration = Duration::from_secs(3600);

pub struct JavaClients {
    running: Running,
    stop: PathBuf,
    /// Bytes of its output that are in the journal.
    read: usize,
    producers: usize,
}

impl JavaClients {
    /// `clusters`: name and bootstrap address. `stop` is a file that does not exist yet.
    pub fn start(install: &Install, stop: PathBuf, brokers: &str, clusters: &[(&str, String)]) -> Self {
        Self::with(install, &[], stop, brokers, clusters)
    }

    /// Starts the clients with options for the JVM.
    pub fn with(
        install: &Install,
        options: &[String],
        stop: PathBuf,
        brokers: &str,
        clusters: &[(&str, String)],
    ) -> Self {
        let tool = Tool::java(install, PROGRAM, options)
            .arg(stop.display().to_string())
            .arg(brokers)
            .args(clusters.iter().map(|(name, at)| format!("{name}={at}")));
        Self {
            running: tool.timeout(LIMIT).spawn(),
            stop,
            read: 0,
            producers: clusters.len() * 3,
        }
    }

    /// Stops the producers and waits for what became of their messages.
    pub fn stop_producing(&mut self) {
        fs::write(&self.stop, "").expect("our own directory");
        let producers = self.producers;
        self.running
            .wait_for_output("that the producers are done", |output| {
                output.lines().filter(|line| line.starts_with("done ")).count() >= producers
            });
    }

    /// What its log says so far.
    pub fn log(&self) -> String {
        self.running.stderr()
    }

    /// Enters what was printed since the last time.
    pub fn enter(&mut self, journal: &Journal) {
        let output = self.running.stdout();
        let whole = output.rfind('\n').map_or(0, |end| end + 1);
        if whole > self.read {
            read(&output[self.read..whole], journal);
            self.read = whole;
        }
    }

    /// Ends the consumers; enters the rest, and what its log says: warnings and errors.
    pub fn finish(self, journal: &Journal) {
        let output = self.running.terminate();
        read(&output.stdout[self.read..], journal);
        let mut entries = journal.open();
        for line in output.stderr.lines() {
            let client = line.split_once("clientId=").map_or("java", |(_, rest)| {
                rest.split([',', ']']).next().unwrap_or_default()
            });
            entries
                .connections
                .entry(client.to_owned())
                .or_default()
                .note(line);
            entries
                .warnings
                .entry(client.to_owned())
                .or_default()
                .push(line.to_owned());
        }
    }
}

fn read(lines: &str, journal: &Journal) {
    for line in lines.lines() {
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (event, client, subject, rest) = (word(), word(), word(), word());
        let number = || subject.parse::<u64>().expect("a number");
        match event {
            "ok" => journal.enter(client, |ledger| {
                ledger.acknowledged.insert(number());
            }),
            "failed" => journal.enter(client, |ledger| {
                ledger.failed.insert(number(), rest.to_owned());
            }),
            "committed" => journal.enter(client, |ledger| {
                ledger.committed.insert(number());
            }),
            "aborted" => journal.enter(client, |ledger| {
                ledger.aborted.insert(number());
            }),
            "seen" => {
                let sequences = rest
                    .split(',')
                    .map(|number| number.parse::<u64>().expect("a number"));
                journal.see(client, subject, sequences);
            }
            "error" => journal.error(client, format!("{subject} {rest}")),
            "done" => {}
            other => journal.error("java", format!("it printed {other:?}")),
        }
    }
}
