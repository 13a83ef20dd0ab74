//! Limits and settings of the kernel.

use std::collections::BTreeSet;
use std::fs;

use super::{MachineCheck as Check, MachineFact as Fact, MachineLog};
use crate::endpoint::{BACKLOG, connections_within};
use crate::model::ProxyModel;

pub(super) fn observe(log: &mut MachineLog, pid: Option<u32>, model: Option<&ProxyModel>) {
    let whose = if pid.is_some() {
        "of the process"
    } else {
        "of this shell"
    };
    log.look(Check::Descriptors, whose, || Ok(descriptors(pid, model)));
    log.look(Check::Inotify, "fs.inotify", inotify);
    if let Some(model) = model {
        log.look(Check::Ports, "net.ipv4.ip_local_port_range", || ports(model));
    }
    log.look(Check::Backlog, "net.core.somaxconn", || {
        Ok(Fact::Backlog {
            most: number("/proc/sys/net/core/somaxconn")?,
            wanted: u64::from(BACKLOG.unsigned_abs()),
        })
    });
}

fn read(path: &str) -> Result<String, String> {
    super::text(path.as_ref()).map_err(|error| format!("{path}: {error}"))
}

fn number(path: &str) -> Result<u64, String> {
    read(path)?
        .trim()
        .parse()
        .map_err(|_| format!("{path} is no number"))
}

/// The limit of the process; without one the highest that a process started here could have.
fn descriptors(pid: Option<u32>, model: Option<&ProxyModel>) -> Fact {
    let own = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let of_process = pid.and_then(|pid| open_files(&read(&format!("/proc/{pid}/limits")).ok()?));
    let most = of_process.or(own).unwrap_or(u64::MAX);
    let open = pid.and_then(|pid| Some(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count()));
    let listeners = model.map_or(0, |model| bound(model).len());
    Fact::Descriptors {
        most,
        open,
        room: connections_within(usize::try_from(most).unwrap_or(usize::MAX), listeners),
        configured: model.and_then(|model| model.network.max_connections),
    }
}

/// The soft limit of open files in `/proc/PID/limits`.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Tries what kproxy does: one instance, one watch.
#[cfg(target_os = "linux")]
fn inotify() -> Result<Fact, String> {
    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
    let instances = number("/proc/sys/fs/inotify/max_user_instances")?;
    let watches = number("/proc/sys/fs/inotify/max_user_watches")?;
    let instance = init(CreateFlags::CLOEXEC)
        .map_err(|error| format!("no instance can be made ({error}); at most {instances} for a user"))?;
    add_watch(&instance, "/", WatchFlags::DELETE_SELF)
        .map_err(|error| format!("nothing can be watched ({error}); at most {watches} watches for a user"))?;
    Ok(Fact::Inotify { instances, watches })
}

#[cfg(not(target_os = "linux"))]
fn inotify() -> Result<Fact, String> {
    Err("this system has no inotify".to_owned())
}

fn ports(model: &ProxyModel) -> Result<Fact, String> {
    let range = read("/proc/sys/net/ipv4/ip_local_port_range")?;
    let mut bounds = range.split_whitespace().map(|port| port.parse::<u16>().ok());
    let (Some(Some(first)), Some(Some(last))) = (bounds.next(), bounds.next()) else {
        return Err("ip_local_port_range is no range".to_owned());
    };
    let reserved = reserved(&read("/proc/sys/net/ipv4/ip_local_reserved_ports").unwrap_or_default());
    let mut taken: Vec<(u16, u16)> = Vec::new();
    for port in bound(model) {
        if !(first..=last).contains(&port) || reserved.iter().any(|&(from, to)| (from..=to).contains(&port)) {
            continue;
        }
        match taken.last_mut() {
            Some((_, end)) if port.checked_sub(1) == Some(*end) => *end = port,
            _ => taken.push((port, port)),
        }
    }
    Ok(Fact::Ports {
        range: (first, last),
        taken,
    })
}

/// Reads `8080,9148-9160`.
fn reserved(text: &str) -> Vec<(u16, u16)> {
    let span = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some((first.parse().ok()?, last.parse().ok()?))
    };
    text.trim().split(',').filter_map(span).collect()
}

/// Every port that the configuration names.
fn bound(model: &ProxyModel) -> BTreeSet<u16> {
    let mut ports = BTreeSet::new();
    ports.extend(
        model
            .management
            .as_ref()
            .map(|management| management.address.port()),
    );
    for gateway in model.clusters.values().flat_map(|cluster| &cluster.gateways) {
        ports.insert(gateway.bootstrap_port);
        ports.extend(gateway.nodes.iter().map(|node| node.port));
        ports.extend(
            gateway
                .dynamic_ports
                .iter()
                .flat_map(|range| range.start..=range.end),
        );
    }
    ports.remove(&0);
    ports
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_kernel_are_read() {
        let limits = "Limit   Soft Limit  Hard Limit  Units\nMax open files            1024                 524288               files\n";
        assert_eq!(open_files(limits), Some(1024));
        assert_eq!(open_files("Max open files unlimited unlimited files"), None);
        assert_eq!(reserved("8080,9148-9160\n"), [(8080, 8080), (9148, 9160)]);
        assert_eq!(reserved("\n"), []);
    }
}
