//! Metrics of the operating system about this process, with the names of Prometheus client libraries.

use std::fs;

use rustix::process::{Resource, getrlimit};

use super::text::{ExpositionText, Labels};
use crate::control::metrics::MetricKind;

/// Metrics of this process; what the kernel does not give is left out.
#[derive(Debug, Clone, Default)]
pub struct ProcessMetrics {
    cpu_seconds: Option<f64>,
    resident_bytes: Option<u64>,
    virtual_bytes: Option<u64>,
    open_descriptors: Option<u64>,
    /// `None`: no limit.
    most_descriptors: Option<u64>,
    start_seconds: Option<f64>,
    threads: Option<u64>,
}

impl ProcessMetrics {
    /// Reads `/proc`.
    pub fn take() -> Self {
        let stat = read("/proc/self/stat").unwrap_or_default();
        // The name in parentheses may hold any character; field 3 of proc(5) follows it.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.split_ascii_whitespace().collect())
            .unwrap_or_default();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let seconds = |ticked: u64| ticked as f64 / ticks;
        Self {
            cpu_seconds: field(14)
                .zip(field(15))
                .map(|(user, system)| seconds(user + system)),
            threads: field(20),
            start_seconds: field(22)
                .zip(booted())
                .map(|(after, booted)| booted + seconds(after)),
            virtual_bytes: field(23),
            resident_bytes: field(24).map(|pages| pages * rustix::param::page_size() as u64),
            open_descriptors: open_descriptors(),
            most_descriptors: getrlimit(Resource::Nofile).current,
        }
    }

    pub(super) fn write(&self, text: &mut ExpositionText) {
        text.family("process_cpu_seconds", MetricKind::Counter, "Processor time used.");
        if let Some(seconds) = self.cpu_seconds {
            text.number(&Labels::default(), &[], seconds);
        }
        text.family(
            "process_start_time_seconds",
            MetricKind::Gauge,
            "Start time of the process.",
        );
        if let Some(seconds) = self.start_seconds {
            text.number(&Labels::default(), &[], seconds);
        }
        let counts = [
            (
                "process_resident_memory_bytes",
                "Memory in use.",
                self.resident_bytes,
            ),
            (
                "process_virtual_memory_bytes",
                "Address space in use.",
                self.virtual_bytes,
            ),
            ("process_open_fds", "Open descriptors.", self.open_descriptors),
            (
                "process_max_fds",
                "Limit of open descriptors.",
                self.most_descriptors,
            ),
            ("process_threads", "Threads.", self.threads),
        ];
        for (name, help, value) in counts {
            text.family(name, MetricKind::Gauge, help);
            if let Some(value) = value {
                text.count(&Labels::default(), &[], value);
            }
        }
    }
}

/// Counts the open descriptors. Linux says their number since 6.2; before, twenty thousand of them take ten milliseconds.
fn open_descriptors() -> Option<u64> {
    const DIRECTORY: &str = "/proc/self/fd";
    if let Some(count @ 1..) = fs::metadata(DIRECTORY).ok().map(|directory| directory.len()) {
        return Some(count);
    }
    let entries = fs::read_dir(DIRECTORY).ok()?;
    // The directory itself is one of them.
    Some((entries.count() as u64).saturating_sub(1))
}

/// Returns the boot time, in seconds since 1970.
fn booted() -> Option<f64> {
    let stat = read("/proc/stat")?;
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

fn read(path: &str) -> Option<String> {
    String::from_utf8(fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_everything() {
        let process = ProcessMetrics::take();
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs_f64();
        let started = process.start_seconds.unwrap();
        assert!(
            (now - 86_400.0..now + 2.0).contains(&started),
            "{started} at {now}"
        );
        assert!(process.cpu_seconds.unwrap() >= 0.0);
        assert!(process.resident_bytes.unwrap() > 1 << 20);
        assert!(process.virtual_bytes > process.resident_bytes);
        assert!((3..10_000).contains(&process.open_descriptors.unwrap()));
        assert!((1..10_000).contains(&process.threads.unwrap()));
    }
}
