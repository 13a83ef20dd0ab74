//! One attack: what is seen of it from outside.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::attacks::Attack;
use crate::bystander::{Seen, exchange, probe};
use crate::site::Site;

/// Between two looks at memory and descriptors.
const LOOK: Duration = Duration::from_millis(50);
/// What an attack leaves is looked at so long after its end.
const SETTLE: Duration = Duration::from_secs(3);

/// Something that is looked at before, during (the highest) and after an attack.
struct Course<T> {
    before: T,
    highest: T,
    after: T,
}

pub(crate) struct Measured {
    name: &'static str,
    memory: Course<u64>,
    descriptors: Course<usize>,
    series: (usize, usize),
    lines_per_second: f64,
    quiet: Seen,
    attacked: Seen,
    /// Probes of `/livez` that were missed, of how many.
    probes: (usize, usize),
}

/// # Errors
/// When kproxy does not come to serve, or ends.
pub(crate) fn measure(
    attack: &Attack,
    binary: Option<&Path>,
    quiet: Duration,
    time: Duration,
) -> io::Result<Measured> {
    let site = Site::start(binary)?;
    let usual = exchange(site.untouched, quiet)?;
    let before = (site.resident()?, site.descriptors()?, site.series()?);
    let lines = site.log_lines()?;
    let (mut memory, mut descriptors) = (before.0, before.1);
    let stop = AtomicBool::new(false);
    let (attacked, probes) = thread::scope(|scope| {
        scope.spawn(|| (attack.run)(&site, &stop));
        let probes = scope.spawn(|| probe(site.management, &stop));
        let bystander = scope.spawn(|| exchange(site.untouched, time));
        while !bystander.is_finished() {
            memory = memory.max(site.resident().unwrap_or_default());
            descriptors = descriptors.max(site.descriptors().unwrap_or_default());
            thread::sleep(LOOK);
        }
        stop.store(true, Ordering::Relaxed);
        let joined = |_| io::Error::other("a thread panicked");
        let attacked = bystander.join().map_err(joined)??;
        io::Result::Ok((attacked, probes.join().map_err(joined)?))
    })?;
    let lines_per_second = (site.log_lines()? - lines) as f64 / time.as_secs_f64();
    thread::sleep(SETTLE);
    Ok(Measured {
        name: attack.name,
        memory: Course {
            before: before.0,
            highest: memory,
            after: site.resident()?,
        },
        descriptors: Course {
            before: before.1,
            highest: descriptors,
            after: site.descriptors()?,
        },
        series: (before.2, site.series()?),
        lines_per_second,
        quiet: usual,
        attacked,
        probes,
    })
}

impl Measured {
    pub(crate) const HEAD: &str = "\
| attack | memory, MiB: before, highest, 3 s after | series: before, after | descriptors: before, highest, after | \
log lines a second | bystander's p50 / p99 / longest, ms: before | during | lost | `/livez` missed |\n\
|---|---|---|---|---|---|---|---|---|";
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let latency = |seen: &Seen| {
            format!(
                "{:.2} / {:.1} / {:.0}",
                seen.latencies.quantile(0.5) / 1e6,
                seen.latencies.quantile(0.99) / 1e6,
                seen.longest.as_secs_f64() * 1e3
            )
        };
        let (memory, descriptors) = (&self.memory, &self.descriptors);
        write!(
            f,
            "| {} | {:.0}, {:.0}, {:.0} | {}, {} | {}, {}, {} | {:.1} | {} | {} | {} | {} of {} |",
            self.name,
            mib(memory.before),
            mib(memory.highest),
            mib(memory.after),
            self.series.0,
            self.series.1,
            descriptors.before,
            descriptors.highest,
            descriptors.after,
            self.lines_per_second,
            latency(&self.quiet),
            latency(&self.attacked),
            self.attacked.lost,
            self.probes.0,
            self.probes.1,
        )
    }
}
