//! The judge of the machine: a pure function from what was seen to the findings.

use std::time::Duration;

use super::super::{DoctorFinding, FindingKind as Kind};
use super::{MachineCheck as Check, MachineFact as Fact, MachineStep, spans};

/// Client connections that a process should have room for where nothing is configured.
const USUAL_CONNECTIONS: usize = 1_000;

/// Free space of the state directory below which it is a finding, in bytes.
const SPACE: u64 = 64 << 20;

/// Time of a look-up from which on it is a finding.
const SLOW_LOOKUP: Duration = Duration::from_millis(200);

/// The findings, in the order of the steps.
pub fn judge(steps: &[MachineStep]) -> Vec<DoctorFinding> {
    let of = |(place, step): (usize, &MachineStep)| {
        let (kind, what) = match &step.fact {
            Ok(fact) => one(step, fact)?,
            Err(why) => (unseen(step.check), why.clone()),
        };
        Some(DoctorFinding {
            kind,
            step: Some(place),
            subject: step.object.clone(),
            what,
        })
    };
    steps.iter().enumerate().filter_map(of).collect()
}

/// The kind of a look that failed.
fn unseen(check: Check) -> Kind {
    match check {
        Check::Process => Kind::NoProcess,
        Check::Inotify => Kind::InotifyExhausted,
        Check::StateDirectory => Kind::StateUnusable,
        Check::Name => Kind::NameUnknown,
        Check::StopTime => Kind::StopTimeUnknown,
        Check::Descriptors
        | Check::Ports
        | Check::Backlog
        | Check::SecretFile
        | Check::ControlSocket
        | Check::Clock
        | Check::DrainTime => Kind::NotSeen,
    }
}

fn one(step: &MachineStep, fact: &Fact) -> Option<(Kind, String)> {
    match *fact {
        Fact::Running { in_sync: false, .. } => Some((
            Kind::NotInSync,
            "the file says something else than what runs".to_owned(),
        )),
        Fact::Descriptors {
            most,
            room,
            configured,
            ..
        } => descriptors(most, room, configured),
        Fact::Ports { ref taken, .. } if !taken.is_empty() => Some((
            Kind::PortEphemeral,
            format!("the configuration binds {}", spans(taken)),
        )),
        Fact::Backlog { most, wanted } if most < wanted => Some((
            Kind::BacklogCut,
            format!("the kernel allows {most}, and kproxy asks for {wanted}"),
        )),
        Fact::Mode(mode) if step.check == Check::ControlSocket && mode & 0o077 != 0 => Some((
            Kind::SocketOpen,
            format!("the control socket has mode {mode:04o}"),
        )),
        Fact::Mode(mode) if step.check == Check::SecretFile && mode & 0o007 != 0 => {
            Some((Kind::SecretReadable, format!("the file has mode {mode:04o}")))
        }
        Fact::State {
            is_writable: false,
            mode,
            ..
        } => Some((
            Kind::StateUnusable,
            format!("the user of kproxy cannot write to it (mode {mode:04o})"),
        )),
        Fact::State { mode, .. } if mode & 0o022 != 0 => {
            Some((Kind::StateOpen, format!("the directory has mode {mode:04o}")))
        }
        Fact::State { free, .. } if free < SPACE => {
            Some((Kind::DiskFull, format!("{} MiB are free", free >> 20)))
        }
        Fact::Resolved(_) if step.took >= SLOW_LOOKUP => Some((
            Kind::NameSlow,
            format!("the look-up took {} ms", step.took.as_millis()),
        )),
        Fact::Clock(false) => Some((
            Kind::ClockUnsynchronised,
            "the clock is not synchronised".to_owned(),
        )),
        Fact::Stop {
            given: Some(given),
            needed,
        } if given < needed => {
            let what = format!("the supervisor gives {given:?}, and kproxy may need {needed:?}");
            Some((Kind::StopTimeShort, what))
        }
        Fact::Drain { drain, stop } if drain > stop => Some((
            Kind::StopCutsDrains,
            format!("`drain.timeout` is {drain:?}, and `shutdownTimeout` is {stop:?}"),
        )),
        _ => None,
    }
}

fn descriptors(most: u64, room: usize, configured: Option<usize>) -> Option<(Kind, String)> {
    let what = match configured {
        Some(configured) if room < configured => {
            format!(
                "{most} open files are enough for {room} client connections, and `maxConnections` is {configured}"
            )
        }
        None if room < USUAL_CONNECTIONS => {
            format!("{most} open files are enough for {room} client connections only")
        }
        _ => return None,
    };
    Some((Kind::DescriptorsFew, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(check: Check, fact: Result<Fact, String>) -> Vec<&'static str> {
        let step = MachineStep {
            check,
            object: "o".into(),
            took: Duration::from_millis(250),
            fact,
        };
        judge(&[step])
            .into_iter()
            .map(|found| found.kind.name())
            .collect()
    }

    #[test]
    fn what_stands_in_the_way_is_found() {
        let state = |mode, is_writable, free| Fact::State {
            mode,
            is_writable,
            free,
        };
        let descriptors = |room, configured| Fact::Descriptors {
            most: 1024,
            open: None,
            room,
            configured,
        };
        let running = |in_sync| Fact::Running {
            pid: 1,
            generation: 1,
            in_sync,
        };
        let stop = |given: Option<u64>| Fact::Stop {
            given: given.map(Duration::from_secs),
            needed: Duration::from_secs(32),
        };
        let drain = |seconds| Fact::Drain {
            drain: Duration::from_secs(seconds),
            stop: Duration::from_secs(30),
        };
        let ports = |taken: &[(u16, u16)]| Fact::Ports {
            range: (32768, 60999),
            taken: taken.to_vec(),
        };
        let backlog = |most| Fact::Backlog { most, wanted: 4096 };
        for (check, fact, kind) in [
            (Check::Process, running(true), None),
            (Check::Process, running(false), Some("not_in_sync")),
            (Check::Descriptors, descriptors(1000, None), None),
            (
                Check::Descriptors,
                descriptors(480, None),
                Some("descriptors_few"),
            ),
            (Check::Descriptors, descriptors(480, Some(480)), None),
            (
                Check::Descriptors,
                descriptors(480, Some(481)),
                Some("descriptors_few"),
            ),
            (Check::Ports, ports(&[]), None),
            (Check::Ports, ports(&[(40000, 40002)]), Some("port_ephemeral")),
            (Check::Backlog, backlog(4096), None),
            (Check::Backlog, backlog(128), Some("backlog_cut")),
            (Check::ControlSocket, Fact::Mode(0o600), None),
            (Check::ControlSocket, Fact::Mode(0o660), Some("socket_open")),
            (Check::SecretFile, Fact::Mode(0o640), None),
            (Check::SecretFile, Fact::Mode(0o644), Some("secret_readable")),
            (Check::StateDirectory, state(0o700, true, 1 << 30), None),
            (
                Check::StateDirectory,
                state(0o700, false, 1 << 30),
                Some("state_directory_unusable"),
            ),
            (
                Check::StateDirectory,
                state(0o777, true, 1 << 30),
                Some("state_directory_open"),
            ),
            (
                Check::StateDirectory,
                state(0o700, true, 1 << 20),
                Some("disk_full"),
            ),
            (Check::Name, Fact::Resolved(1), Some("name_slow")),
            (Check::Clock, Fact::Clock(true), None),
            (Check::Clock, Fact::Clock(false), Some("clock_unsynchronised")),
            (Check::StopTime, stop(Some(32)), None),
            (Check::StopTime, stop(None), None),
            (Check::StopTime, stop(Some(30)), Some("stop_time_short")),
            (Check::DrainTime, drain(30), None),
            (Check::DrainTime, drain(60), Some("stop_cuts_drains")),
        ] {
            assert_eq!(kinds(check, Ok(fact.clone())), Vec::from_iter(kind), "{fact:?}");
        }
    }

    #[test]
    fn what_could_not_be_seen_is_told() {
        for check in Check::ALL {
            assert_eq!(kinds(check, Err("no".into())).len(), 1, "{check:?}");
        }
        assert_eq!(kinds(Check::Process, Err("no".into())), ["no_process"]);
    }
}
