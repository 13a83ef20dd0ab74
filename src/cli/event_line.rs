//! Events in words, one line each.

use crate::cli::table::{duration, visible};
use crate::control::{
    ClosedSessions, ClusterStateEvent, DrainEvent, Event, LimitEvent, ReloadReport, TimedEvent,
};
use crate::time::rfc3339;

/// Names in one line; the others are only counted.
const MAX_NAMED: usize = 10;

/// Writes an event as one line.
pub(super) fn event_line(event: &TimedEvent) -> String {
    visible(&format!("{} {}", rfc3339(event.at), words(&event.event)))
}

fn words(event: &Event) -> String {
    match event {
        Event::Watching(process) => format!(
            "watching kproxy {}, process {}: generation {} runs, {} virtual clusters, {} drains",
            process.version, process.pid, process.generation, process.clusters, process.drains
        ),
        Event::Lost { count } => format!("{count} events are left out: this reader was too slow"),
        Event::Reload { report } => reload(report),
        Event::SlowReload(slow) => format!(
            "slow reload: generation {} took {}, more than {}; {} took {}",
            slow.generation,
            span(slow.duration),
            span(slow.target),
            slow.phase,
            span(slow.phase_duration)
        ),
        Event::DrainBegan(_) | Event::DrainProgress(_) | Event::DrainForced(_) | Event::DrainEnded(_) => {
            drain(event)
        }
        Event::SessionsClosed(closed) => closes(closed),
        Event::ClusterState(state) => cluster_state(state),
        Event::CertificateExpiry(certificate) => {
            let verb = if certificate.expired { "expired" } else { "expires" };
            format!(
                "certificate {} {verb} at {}",
                certificate.file,
                rfc3339(certificate.expires_at)
            )
        }
        Event::LimitReached(limit) => format!("limit reached: {}: {}", of(limit), limit.meaning),
        Event::LimitOver(limit) => format!(
            "limit no longer reached: {}, {} affected",
            of(limit),
            limit.affected
        ),
        Event::Shutdown(shutdown) => format!(
            "shutdown ({}): {}, {} sessions, {} forced",
            shutdown.signal, shutdown.phase, shutdown.sessions, shutdown.forced
        ),
        Event::Unknown => "an event that this version of the command does not know; --json shows it".into(),
        other => operation(other),
    }
}

/// What people did, and what kproxy decided by itself.
fn operation(event: &Event) -> String {
    match event {
        Event::Steering(done) => sentence(
            &format!(
                "{} {}: {}, {} sessions",
                done.command, done.object, done.outcome, done.sessions
            ),
            &done.detail,
        ),
        Event::Rollback(rollback) => sentence(
            &format!(
                "rollback of generation {} to {}{}: {}",
                rollback.from_generation,
                rollback.to_generation,
                if rollback.automatic {
                    ", by kproxy itself"
                } else {
                    ""
                },
                rollback.outcome.name()
            ),
            &rollback.reason,
        ),
        Event::Staged(staged) => sentence(
            &format!("staged {}: waits for approval", staged.id),
            &staged.detail,
        ),
        Event::Approved(staged) => sentence(&format!("approved {}", staged.id), &staged.detail),
        Event::StageExpired(staged) => sentence(&format!("dropped {}", staged.id), &staged.detail),
        Event::ConfirmPending(confirm) => format!(
            "generation {} waits for confirmation, {} left; otherwise generation {} comes back",
            confirm.generation,
            duration(confirm.seconds_left),
            confirm.previous_generation
        ),
        Event::Confirmed(confirm) => format!("generation {} is confirmed", confirm.generation),
        Event::Reverted(confirm) => format!(
            "generation {} was not confirmed: generation {} comes back",
            confirm.generation, confirm.previous_generation
        ),
        Event::Probation(probation) => sentence(
            &format!(
                "probation of generation {}: {}, {}",
                probation.generation,
                probation.verdict,
                names(&probation.clusters)
            ),
            &probation.detail,
        ),
        Event::LogLevel(level) => match level.seconds {
            Some(seconds) => format!("log level {} for {}", level.level, duration(seconds)),
            None => format!("log level {}", level.level),
        },
        other => other.kind().into(),
    }
}

fn reload(report: &ReloadReport) -> String {
    let mut text = format!(
        "reload {} ({}): generation {} runs, took {}",
        report.outcome.name(),
        report.trigger.name(),
        report.generation,
        span(report.duration)
    );
    for (what, changed) in [
        ("added", &report.added),
        ("modified", &report.modified),
        ("removed", &report.removed),
    ] {
        if !changed.is_empty() {
            text += &format!("; {what} {}", names(changed));
        }
    }
    match report.errors.as_slice() {
        [] => {}
        [only] => text += &format!("; {only}"),
        [first, more @ ..] => text += &format!("; {first}; and {} more reasons", more.len()),
    }
    text
}

fn drain(event: &Event) -> String {
    match event {
        Event::DrainBegan(drain) => {
            let reason = drain
                .reason
                .as_ref()
                .map_or_else(String::new, |reason| format!(": {reason}"));
            let (sessions, strategy) = (drain.sessions, &drain.strategy);
            format!(
                "drain begins: {}, {sessions} sessions, {strategy}{reason}",
                drained(drain)
            )
        }
        Event::DrainProgress(drain) => format!(
            "drain: {}, {} of {} sessions left after {}",
            drained(drain),
            drain.remaining,
            drain.sessions,
            span(drain.duration)
        ),
        Event::DrainForced(drain) => {
            format!(
                "drain forced: {}, {} sessions closed with requests unanswered",
                drained(drain),
                drain.forced
            )
        }
        Event::DrainEnded(drain) => format!(
            "drained: {}, {} sessions{}, {} forced, took {}",
            drained(drain),
            drain.sessions,
            moved(drain.moved),
            drain.forced,
            span(drain.duration)
        ),
        other => other.kind().into(),
    }
}

/// How many of the sessions have not ended, if any.
fn moved(count: u64) -> String {
    match count {
        0 => String::new(),
        count => format!(" ({count} moved to another broker connection)"),
    }
}

fn drained(drain: &DrainEvent) -> String {
    format!(
        "{} generation {}, ended by {}",
        drain.cluster, drain.sessions_generation, drain.generation
    )
}

fn closes(closed: &ClosedSessions) -> String {
    let causes: Vec<String> = closed
        .causes
        .iter()
        .map(|(cause, count)| format!("{count} {cause}"))
        .collect();
    let of = match (&closed.cluster, closed.clusters) {
        (Some(cluster), _) => cluster.clone(),
        (None, 0) => "before the virtual cluster was known".into(),
        (None, clusters) => format!("{clusters} more virtual clusters"),
    };
    format!("closed: {of}: {}", causes.join(", "))
}

fn cluster_state(state: &ClusterStateEvent) -> String {
    let of = match &state.cluster {
        Some(cluster) => cluster.clone(),
        None => format!("{} more virtual clusters", state.clusters),
    };
    let before = state
        .from
        .as_ref()
        .map_or_else(String::new, |from| format!(", was {from}"));
    sentence(
        &format!("state: {of} is {}{before}", state.to),
        state.cause.as_deref().unwrap_or_default(),
    )
}

fn of(limit: &LimitEvent) -> String {
    match &limit.cluster {
        Some(cluster) => format!("{} of {cluster}", limit.limit),
        None => limit.limit.to_string(),
    }
}

fn names(names: &[String]) -> String {
    let shown = names.iter().take(MAX_NAMED).map(String::as_str);
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MAX_NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn sentence(text: &str, detail: &str) -> String {
    if detail.is_empty() {
        text.to_owned()
    } else {
        format!("{text}: {detail}")
    }
}

fn span(of: std::time::Duration) -> String {
    duration(of.as_secs_f64())
}
