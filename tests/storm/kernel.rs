//! What the kernel has counted: of this network namespace, so of everything else on the machine as well.

use std::{collections::BTreeMap, fs};

const COUNTERS: [&str; 5] = [
    "OutRsts",
    "TCPAbortOnData",
    "TCPAbortOnClose",
    "ListenDrops",
    "ListenOverflows",
];

/// The counters that resets and refused connections move.
pub fn counters() -> BTreeMap<&'static str, u64> {
    let files = ["/proc/net/snmp", "/proc/net/netstat"]
        .map(|file| String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned());
    let lines: Vec<&str> = files.iter().flat_map(|file| file.lines()).collect();
    let mut found = BTreeMap::new();
    // A line of names is followed by one of values.
    for pair in lines.chunks_exact(2) {
        for (name, value) in pair[0].split_whitespace().zip(pair[1].split_whitespace()) {
            if let Some(name) = COUNTERS.into_iter().find(|wanted| *wanted == name) {
                found.insert(name, value.parse().unwrap_or_default());
            }
        }
    }
    found
}

/// By how much each has grown.
pub fn growth(before: &BTreeMap<&'static str, u64>) -> BTreeMap<&'static str, u64> {
    let after = counters();
    let grown = |(name, value): (&&'static str, &u64)| (*name, value - before.get(name).unwrap_or(&0));
    after.iter().map(grown).collect()
}
