//! Time that a supervisor gives a stop, against the time that kproxy may need; and the clock, which a command tells.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::super::client::StepLimits;
use super::{MachineCheck as Check, MachineFact as Fact, MachineLog, MachinePlan};
use crate::model::ProxyModel;

/// Time for the last log lines and the exit, after the time of a stop has passed.
const EXIT: Duration = Duration::from_secs(2);

/// What Kubernetes gives a pod that does not say.
const DEFAULT_GRACE: Duration = Duration::from_secs(30);

/// What systemd gives a unit that does not say.
const DEFAULT_STOP: Duration = Duration::from_secs(90);

/// Pause between two looks at a command that runs.
const POLL: Duration = Duration::from_millis(5);

/// Largest output of a command that is read, in bytes.
const MAX_OUTPUT: u64 = 64 * 1024;

/// Where the time is written that a supervisor gives a stop.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StopSource {
    /// The systemd unit of the running process, if it has one.
    #[default]
    Process,
    /// A manifest of Kubernetes.
    Manifest(PathBuf),
    /// A systemd unit: its name, or its file.
    Unit(String),
}

pub(super) async fn observe(log: &mut MachineLog, plan: &MachinePlan, limits: StepLimits) {
    let limit = limits.next();
    log.look(Check::Clock, "NTP", || synchronised(limit).map(Fact::Clock));
    let Some(model) = plan.model.as_deref() else {
        return;
    };
    let needed = needed(model);
    let pid = plan.status.as_ref().ok().map(|status| status.pid);
    match &plan.stop {
        StopSource::Manifest(file) => {
            let given = super::text(file)
                .map_err(|error| error.to_string())
                .and_then(|text| grace_periods(&text));
            for (place, given) in given.map_or_else(
                |why| vec![(0, Err(why))],
                |all| (1..).zip(all.into_iter().map(Ok)).collect::<Vec<_>>(),
            ) {
                let object = if place > 1 {
                    format!("{} ({place})", file.display())
                } else {
                    file.display().to_string()
                };
                log.look(Check::StopTime, object, || {
                    given.map(|given| Fact::Stop {
                        given: Some(given),
                        needed,
                    })
                });
            }
        }
        StopSource::Unit(unit) => log.look(Check::StopTime, unit.clone(), || {
            of_unit(unit, limit).map(|given| Fact::Stop { given, needed })
        }),
        StopSource::Process => {
            let unit =
                pid.and_then(|pid| unit_of(&super::text(format!("/proc/{pid}/cgroup").as_ref()).ok()?));
            let object = unit.clone().unwrap_or_else(|| "supervisor".to_owned());
            log.look(Check::StopTime, object, || {
                let unit = unit.ok_or("no supervisor is known: give `--manifest` or `--unit`")?;
                of_unit(&unit, limit).map(|given| Fact::Stop { given, needed })
            });
        }
    }
    let longest = model
        .clusters
        .values()
        .max_by_key(|cluster| cluster.drain.timeout);
    if let Some(cluster) = longest {
        log.look(Check::DrainTime, cluster.name.clone(), || {
            Ok(Fact::Drain {
                drain: cluster.drain.timeout,
                stop: model.network.shutdown_timeout,
            })
        });
    }
}

/// The time that a stop may take.
fn needed(model: &ProxyModel) -> Duration {
    model.network.shutdown_delay + model.network.shutdown_timeout + EXIT
}

/// The grace period of every pod in a manifest. Works for YAML and JSON, and for templates that give a number.
fn grace_periods(text: &str) -> Result<Vec<Duration>, String> {
    const KEY: &str = "terminationGracePeriodSeconds";
    let mut found = Vec::new();
    for rest in text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_once(KEY))
    {
        let value = rest
            .1
            .trim_start_matches('"')
            .trim_start()
            .strip_prefix(':')
            .unwrap_or_default()
            .trim_start();
        let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
        let seconds = value[..digits]
            .parse()
            .map_err(|_| format!("`{KEY}` is no number of seconds"))?;
        found.push(Duration::from_secs(seconds));
    }
    match (found.is_empty(), text.contains("containers")) {
        (true, true) => Ok(vec![DEFAULT_GRACE]),
        (true, false) => Err("there is no pod in the manifest".to_owned()),
        (false, _) => Ok(found),
    }
}

/// The service in `/proc/PID/cgroup`.
fn unit_of(cgroup: &str) -> Option<String> {
    let parts = cgroup.lines().flat_map(|line| line.split('/'));
    let mut services = parts.filter(|part| part.ends_with(".service") && !part.starts_with("user@"));
    services.next_back().map(str::to_owned)
}

/// The time that a unit gives a stop; `None` is no limit. A unit of a type that waits for notifications is asked for more
/// time as long as a stop lasts.
fn of_unit(unit: &str, limit: Duration) -> Result<Option<Duration>, String> {
    let shown = match unit.contains('/') {
        true => super::text(Path::new(unit)).map_err(|error| error.to_string())?,
        false => output(
            "systemctl",
            &["show", "--property=Type", "--property=TimeoutStopUSec", unit],
            limit,
        )?,
    };
    let value = |keys: [&str; 3]| {
        let mut lines = shown.lines().rev().filter_map(|line| line.trim().split_once('='));
        lines
            .find(|(key, _)| keys.contains(key))
            .map(|(_, value)| value.trim())
    };
    if value(["Type"; 3]).is_some_and(|kind| kind.starts_with("notify")) {
        return Ok(None);
    }
    value(["TimeoutStopUSec", "TimeoutStopSec", "TimeoutSec"]).map_or(Ok(Some(DEFAULT_STOP)), time_span)
}

/// A time span as systemd writes it: `1min 30s`, `90`, `infinity`.
fn time_span(text: &str) -> Result<Option<Duration>, String> {
    const UNITS: [(&str, u64); 10] = [
        ("us", 1),
        ("ms", 1_000),
        ("s", 1_000_000),
        ("sec", 1_000_000),
        ("", 1_000_000),
        ("min", 60_000_000),
        ("m", 60_000_000),
        ("h", 3_600_000_000),
        ("hr", 3_600_000_000),
        ("d", 86_400_000_000),
    ];
    if ["infinity", "0"].contains(&text) {
        return Ok(None);
    }
    let unreadable = || format!("{text:?} is no time");
    let mut micros = 0_u64;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(unreadable());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().map_err(|_| unreadable())?;
        let after = rest[digits..].trim_start();
        let letters = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let unit = UNITS
            .iter()
            .find(|(name, _)| *name == &after[..letters])
            .ok_or_else(unreadable)?;
        micros = number
            .checked_mul(unit.1)
            .and_then(|more| micros.checked_add(more))
            .ok_or_else(unreadable)?;
        rest = after[letters..].trim_start();
    }
    Ok(Some(Duration::from_micros(micros)))
}

/// Whether the clock is synchronised with a time server.
fn synchronised(limit: Duration) -> Result<bool, String> {
    // What systemd-timesyncd leaves when it is.
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Ok(true);
    }
    let shown = output(
        "timedatectl",
        &["show", "--property=NTPSynchronized", "--value"],
        limit,
    );
    match shown.as_deref().map(str::trim) {
        Ok("yes") => Ok(true),
        Ok("no") => Ok(false),
        _ => Err("nobody on this machine says whether the clock is synchronised".to_owned()),
    }
}

/// What a command prints, if it succeeds within the limit.
fn output(program: &str, arguments: &[&str], limit: Duration) -> Result<String, String> {
    let failed = |why: &dyn std::fmt::Display| format!("{program}: {why}");
    let deadline = Instant::now() + limit;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(&error))?;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < deadline => std::thread::sleep(POLL),
            Ok(None) | Err(_) => {
                // It has to go, however it ends.
                drop(child.kill());
                drop(child.wait());
                return Err(failed(&"no answer in time"));
            }
        }
    };
    let mut text = String::new();
    let stdout = child
        .stdout
        .take()
        .map(|stdout| stdout.take(MAX_OUTPUT).read_to_string(&mut text));
    match (status.success(), stdout) {
        (true, Some(Ok(_))) => Ok(text),
        _ => Err(failed(&"it failed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_systemd_are_read() {
        let seconds = |text| time_span(text).map(|span| span.map(|span| span.as_secs_f64()));
        assert_eq!(seconds("1min 30s"), Ok(Some(90.0)));
        assert_eq!(seconds("90"), Ok(Some(90.0)));
        assert_eq!(seconds("45sec"), Ok(Some(45.0)));
        assert_eq!(seconds("2h 500ms"), Ok(Some(7200.5)));
        assert_eq!(seconds("infinity"), Ok(None));
        for wrong in ["", "x", "1y", "99999999999999999999s", "-1"] {
            assert!(time_span(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn grace_periods_of_manifests_are_read() {
        let seconds =
            |text| grace_periods(text).map(|all| all.iter().map(Duration::as_secs).collect::<Vec<_>>());
        let yaml = "spec:\n  # terminationGracePeriodSeconds: 1\n  terminationGracePeriodSeconds: 45 # enough\n  containers: []\n";
        assert_eq!(seconds(yaml), Ok(vec![45]));
        assert_eq!(
            seconds(r#"{"spec": {"terminationGracePeriodSeconds": 60, "containers": []}}"#),
            Ok(vec![60])
        );
        assert_eq!(seconds("spec: {containers: []}"), Ok(vec![30]));
        assert!(seconds("kind: ConfigMap").is_err());
        assert!(seconds("terminationGracePeriodSeconds: {{ .Values.grace }}").is_err());
    }

    #[test]
    fn a_unit_gives_what_its_file_says() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("kproxy.service");
        for (text, given) in [
            ("[Service]\nTimeoutStopSec=5s\nTimeoutStopSec=1min\n", Some(60)),
            ("[Service]\nExecStart=kproxy\n", Some(90)),
            ("[Service]\nTimeoutStopSec=infinity\n", None),
            ("[Service]\nType=notify-reload\nTimeoutStopSec=5s\n", None),
        ] {
            std::fs::write(&file, text).unwrap();
            let found = of_unit(file.to_str().unwrap(), Duration::from_secs(1)).unwrap();
            assert_eq!(found.map(|found| found.as_secs()), given, "{text}");
        }
    }

    #[test]
    fn the_unit_of_a_process_is_found() {
        assert_eq!(
            unit_of("0::/system.slice/kproxy.service\n").as_deref(),
            Some("kproxy.service")
        );
        assert_eq!(
            unit_of("0::/user.slice/user-1000.slice/user@1000.service/app.slice/kproxy.service\n").as_deref(),
            Some("kproxy.service")
        );
        assert_eq!(
            unit_of("0::/user.slice/user-1000.slice/user@1000.service/session.scope\n"),
            None
        );
        assert_eq!(unit_of("0::/\n"), None);
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let began = Instant::now();
        assert!(output("sleep", &["60"], Duration::from_millis(50)).is_err());
        assert!(began.elapsed() < Duration::from_secs(30));
        assert_eq!(
            output("echo", &["yes"], Duration::from_secs(30)).as_deref(),
            Ok("yes\n")
        );
        assert!(output("no-such-program-of-kproxy", &[], Duration::from_secs(1)).is_err());
    }
}
