//! What a process has open, in words that can be compared.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// Where the kernel lists the sockets of IPv4, with the column of their inode.
const TCP: (&str, usize) = ("/proc/net/tcp", 9);

/// Open descriptors of a process, as `/proc` names them.
pub fn open(process: u32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{process}/fd")).expect("it runs");
    // One that was closed meanwhile leads nowhere.
    let targets = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    targets
        .map(|target| target.to_string_lossy().into_owned())
        .collect()
}

/// Open descriptors, connections by their addresses and state as the kernel writes them.
pub fn named(process: u32) -> Vec<String> {
    let sockets = sockets();
    let named = open(process).into_iter().map(|target| {
        let inode = target
            .strip_prefix("socket:[")
            .and_then(|rest| rest.strip_suffix(']'));
        inode
            .and_then(|inode| sockets.get(inode).cloned())
            .unwrap_or(target)
    });
    named.collect()
}

/// What is in `after` and not in `before`.
pub fn more(before: &[String], after: &[String]) -> Vec<String> {
    let known: BTreeSet<_> = before.iter().collect();
    after.iter().filter(|one| !known.contains(one)).cloned().collect()
}

/// Connections and listeners, by their inodes.
fn sockets() -> BTreeMap<String, String> {
    let table = fs::read(TCP.0).unwrap_or_default();
    let table = String::from_utf8_lossy(&table).into_owned();
    let row = |line: &str| {
        let columns: Vec<_> = line.split_whitespace().collect();
        let inode = *columns.get(TCP.1)?;
        Some((
            inode.to_owned(),
            format!("tcp {} {} state {}", columns[1], columns[2], columns[3]),
        ))
    };
    table.lines().skip(1).filter_map(row).collect()
}
