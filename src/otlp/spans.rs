//! Spans of reloads and sessions.

use std::time::{Duration, SystemTime};

use aws_lc_rs::rand;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::encode::{nanos, number, text};
use crate::control::{Event, ReloadReport};
use crate::session::ended::EndedSession;

/// Spans of an event: a reload with a child for each phase that took time; none of other events.
pub(super) fn of_event(event: &Event) -> Vec<Span> {
    match event {
        Event::Reload { report } => of_reload(report),
        _ => Vec::new(),
    }
}

fn of_reload(report: &ReloadReport) -> Vec<Span> {
    let mut root = span("reload", SpanKind::Internal, report.at, report.duration);
    root.attributes = vec![
        text("kproxy.reload.outcome", report.outcome.name()),
        text("kproxy.reload.trigger", report.trigger.name()),
        text("kproxy.reload.by", report.by.to_string()),
        number("kproxy.generation", report.generation),
        number("kproxy.reload.added", report.added.len() as u64),
        number("kproxy.reload.modified", report.modified.len() as u64),
        number("kproxy.reload.removed", report.removed.len() as u64),
    ];
    if !report.outcome.is_success() {
        root.status = error(report.errors.first().map_or("", String::as_str));
    }
    let phases = &report.phases;
    let mut at = report.at;
    let children: Vec<Span> = [
        ("queued", phases.queued),
        ("read", phases.read),
        ("plan", phases.plan),
        ("prepare", phases.prepare),
        ("commit", phases.commit),
    ]
    .into_iter()
    .filter(|(_, duration)| !duration.is_zero())
    .map(|(name, duration)| {
        let mut child = span(name, SpanKind::Internal, at, duration);
        child.trace_id.clone_from(&root.trace_id);
        child.parent_span_id.clone_from(&root.span_id);
        at += duration;
        child
    })
    .collect();
    std::iter::once(root).chain(children).collect()
}

/// The span of a session, from accept to close.
pub(super) fn of_session(session: &EndedSession) -> Span {
    let mut span = span("session", SpanKind::Server, session.began, session.duration);
    span.attributes = vec![
        text("kproxy.virtual_cluster", &*session.cluster),
        text("kproxy.gateway", &*session.gateway),
        text("kproxy.node", &*session.node),
        number("kproxy.session", session.id),
        number("kproxy.generation", session.generation),
        text("client.address", session.client.to_string()),
        text("server.address", session.broker.as_deref().unwrap_or("none")),
        text("kproxy.close.cause", session.cause),
        number("kproxy.requests", session.requests),
        number("kproxy.client_bytes", session.client_bytes),
        number("kproxy.broker_bytes", session.broker_bytes),
    ];
    if session.is_error {
        span.status = error(session.cause);
    }
    span
}

fn span(name: &str, kind: SpanKind, at: SystemTime, duration: Duration) -> Span {
    Span {
        trace_id: random::<16>(),
        span_id: random::<8>(),
        name: name.to_owned(),
        kind: kind as i32,
        start_time_unix_nano: nanos(at),
        end_time_unix_nano: nanos(at + duration),
        ..Span::default()
    }
}

fn error(message: &str) -> Option<Status> {
    Some(Status {
        message: message.to_owned(),
        code: StatusCode::Error as i32,
    })
}

/// Random bytes. An id of zeros would not be valid (W3C Trace Context); it follows only from a system without randomness.
fn random<const N: usize>() -> Vec<u8> {
    let mut bytes = vec![0; N];
    rand::fill(&mut bytes).unwrap_or_default();
    bytes
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::control::ReloadPhases;
    use crate::reload::Outcome;

    #[test]
    fn a_reload_is_one_trace_with_its_phases_in_order() {
        let millis = Duration::from_millis;
        let report = ReloadReport {
            outcome: Outcome::Rejected,
            at: UNIX_EPOCH + millis(1000),
            duration: millis(10),
            phases: ReloadPhases {
                read: millis(7),
                plan: millis(2),
                ..ReloadPhases::default()
            },
            errors: vec!["f:1:2: error: no".into()],
            ..ReloadReport::default()
        };
        let spans = of_event(&Event::Reload {
            report: Box::new(report),
        });
        let names: Vec<&str> = spans.iter().map(|span| &*span.name).collect();
        assert_eq!(names, ["reload", "read", "plan"]);
        assert!(spans.iter().all(|span| span.trace_id == spans[0].trace_id));
        assert!(
            spans[1..]
                .iter()
                .all(|span| span.parent_span_id == spans[0].span_id)
        );
        assert_eq!(spans[1].end_time_unix_nano, spans[2].start_time_unix_nano);
        let status = spans[0].status.as_ref().unwrap();
        assert_eq!((status.code, &*status.message), (2, "f:1:2: error: no"));
    }
}
