//! What a reader of events is told.
//!
//! 1. First what runs; then reloads, drains from their beginning to their end, and states of virtual clusters, in the order
//!    in which they happen.
//! 2. Closed sessions, added up by cause, as many as there were.
//! 3. The end of the process, phase by phase; then the stream ends.
//! 4. The documents have every kind with its fields, every field of the audit, and every figure of `stats`.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::SystemTime;

use kproxy::control::{
    AuditRecord, AuditedChanges, ClosedSessions, ClusterStateEvent, ConfirmEvent, DrainEvent, DrainStats,
    Event, EventReader, LogLevelEvent, ProbationEvent, ProxyStats, ReloadStats, RollbackEvent, ShutdownEvent,
    SlowReloadEvent, StagedEvent, SteeringEvent, TimedEvent, WatchingEvent,
};
use serde_json::Value;
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::frames::heartbeat;
use testkit::manual_broker::ManualBroker;
use testkit::proxy::{CLUSTER, Setup, TestProxy};
use testkit::wait::PATIENCE;

/// A reader of what happens from now on.
struct Watched {
    runtime: tokio::runtime::Runtime,
    reader: EventReader,
}

impl Watched {
    #[track_caller]
    fn of(proxy: &TestProxy) -> Self {
        Self::beside(proxy, 1, 1)
    }

    /// Begins when this generation of so many virtual clusters runs.
    #[track_caller]
    fn beside(proxy: &TestProxy, generation: u64, clusters: usize) -> Self {
        let builder = &mut tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_all().build().unwrap();
        let handle = proxy.proxy.handle();
        let (watching, reader) = runtime.block_on(handle.watch()).unwrap();
        assert_eq!((watching.generation, watching.clusters), (generation, clusters));
        Self { runtime, reader }
    }

    /// The next event; `None` at the end of the process.
    #[track_caller]
    fn next(&mut self) -> Option<Event> {
        let next = async { tokio::time::timeout(PATIENCE, self.reader.next()).await };
        let event = self.runtime.block_on(next).unwrap();
        event.map(|event| event.event.clone())
    }

    /// The events up to the first that is wanted, that one included.
    #[track_caller]
    fn until(&mut self, is_wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut seen = Vec::new();
        while let Some(event) = self.next() {
            seen.push(event);
            if seen.last().is_some_and(&is_wanted) {
                return seen;
            }
        }
        panic!("not before the end: {seen:#?}");
    }
}

fn kinds(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Event::kind).collect()
}

fn drain(event: &Event) -> Option<&DrainEvent> {
    match event {
        Event::DrainBegan(drain)
        | Event::DrainProgress(drain)
        | Event::DrainForced(drain)
        | Event::DrainEnded(drain) => Some(drain),
        _ => None,
    }
}

#[test]
fn a_reload_its_drain_and_the_closed_sessions_are_told_in_order() {
    let broker = Broker::echoing(b"ok");
    let setup = Setup::to(&[broker.address]);
    let proxy = setup.start();
    let mut watched = Watched::of(&proxy);
    let clients: Vec<_> = (0..3).map(|_| proxy.client()).collect();
    proxy.expect_sessions(3);
    let other = Broker::echoing(b"ok");
    proxy.apply(&Setup::to(&[other.address]).and("another", &[broker.address]));
    let events = watched.until(|event| matches!(event, Event::SessionsClosed(_)));
    let place = |kind| kinds(&events).iter().position(|found| *found == kind).unwrap();
    assert!(place("reload") < place("drain_began"), "{events:#?}");
    assert!(place("drain_began") < place("drain_ended"), "{events:#?}");
    let drains: Vec<_> = events.iter().filter_map(drain).collect();
    let (first, last) = (drains[0], drains[drains.len() - 1]);
    assert_eq!(
        (&*first.cluster, first.sessions, first.generation),
        (CLUSTER, 3, 2)
    );
    assert_eq!((last.sessions, last.remaining, last.forced), (3, 0, 0));
    let Event::ClusterState(state) = &events[place("cluster_state")] else {
        panic!("{events:#?}")
    };
    let (cluster, from) = (state.cluster.as_deref(), state.from.as_deref());
    assert_eq!((cluster, from, &*state.to), (Some("another"), None, "serving"));
    let Some(Event::SessionsClosed(closed)) = events.last() else {
        panic!("{events:#?}")
    };
    assert_eq!(closed.cluster.as_deref(), Some(CLUSTER));
    assert_eq!(closed.causes.values().sum::<u64>(), 3, "{closed:?}");
    drop(clients);
}

#[test]
fn the_states_of_a_removed_virtual_cluster_are_told_until_its_last_session_has_left() {
    let broker = ManualBroker::start(8);
    let address = broker.broker.address;
    let setup = Setup::to(&[address]);
    let proxy = setup.start();
    proxy.apply(&setup.clone().and("another", &[address]));
    let mut client = Client::connect(proxy.bootstrap_of("another"));
    client.send(&heartbeat(1));
    broker.expect_received(1);
    let mut watched = Watched::beside(&proxy, 2, 2);
    proxy.apply(&setup);
    let is = |wanted: &'static str| move |event: &Event| matches!(event, Event::ClusterState(state) if state.to == wanted);
    watched.until(is("draining"));
    broker.answer.send(()).unwrap();
    let events = watched.until(is("stopped"));
    assert!(kinds(&events).contains(&"drain_ended"), "{events:#?}");
    client.frame();
}

#[test]
fn the_end_of_the_process_is_told_and_then_the_stream_ends() {
    let broker = Broker::echoing(b"ok");
    let proxy = Setup::to(&[broker.address]).start();
    let mut watched = Watched::of(&proxy);
    let _client = proxy.client();
    proxy.expect_sessions(1);
    proxy.shutdown();
    let phases: Vec<String> = std::iter::from_fn(|| watched.next())
        .filter_map(|event| match event {
            Event::Shutdown(shutdown) => Some(shutdown.phase.into_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(phases, ["stop-accepting", "drain", "end"]);
}

/// One event of each kind, with every field that may be absent.
fn all_kinds() -> Vec<Event> {
    let staged = StagedEvent {
        detail: "more".into(),
        ..StagedEvent::default()
    };
    let drain = DrainEvent {
        reason: Some("why".into()),
        ..DrainEvent::default()
    };
    let limit = kproxy::control::LimitEvent {
        cluster: Some(CLUSTER.into()),
        ..kproxy::control::LimitEvent::default()
    };
    vec![
        Event::Watching(WatchingEvent::default()),
        Event::Lost { count: 1 },
        Event::Reload {
            report: Box::default(),
        },
        Event::SlowReload(SlowReloadEvent::default()),
        Event::DrainBegan(drain.clone()),
        Event::DrainProgress(drain.clone()),
        Event::DrainForced(drain.clone()),
        Event::DrainEnded(drain),
        Event::SessionsClosed(ClosedSessions {
            cluster: Some(CLUSTER.into()),
            ..ClosedSessions::default()
        }),
        Event::ClusterState(ClusterStateEvent {
            cluster: Some(CLUSTER.into()),
            from: Some("serving".into()),
            cause: Some("why".into()),
            ..ClusterStateEvent::default()
        }),
        Event::Steering(SteeringEvent {
            detail: "more".into(),
            ..SteeringEvent::default()
        }),
        Event::Rollback(RollbackEvent::default()),
        Event::Staged(staged.clone()),
        Event::Approved(staged.clone()),
        Event::StageExpired(staged),
        Event::ConfirmPending(ConfirmEvent::default()),
        Event::Confirmed(ConfirmEvent::default()),
        Event::Reverted(ConfirmEvent::default()),
        Event::Probation(ProbationEvent::default()),
        Event::CertificateExpiry(kproxy::control::CertificateEvent::default()),
        Event::LimitReached(limit.clone()),
        Event::LimitOver(limit),
        Event::LogLevel(LogLevelEvent {
            seconds: Some(1.0),
            ..LogLevelEvent::default()
        }),
        Event::Shutdown(ShutdownEvent::default()),
    ]
}

/// The page of this name under `docs/operating`.
fn page(name: &str) -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating");
    String::from_utf8(std::fs::read(docs.join(name)).unwrap()).unwrap()
}

/// Every key of a document, at any depth.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                found.insert(key.clone());
                keys(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        _ => {}
    }
}

#[test]
fn the_documents_have_every_kind_of_event_with_its_fields() {
    let page = page("events.md");
    let mut fields_before = String::new();
    for event in all_kinds() {
        let kind = event.kind();
        let row = page.lines().find(|line| {
            let first = line.split(" | ").next().unwrap();
            first.contains(&format!("`{kind}`"))
        });
        let mut row = row
            .unwrap_or_else(|| panic!("{kind} is not documented"))
            .to_owned();
        if row.contains("as before") {
            row += &fields_before;
        }
        let at = SystemTime::now();
        let json = serde_json::to_value(TimedEvent { at, event }).unwrap();
        for key in json
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| *key != "at" && *key != "event")
        {
            assert!(row.contains(&format!("`{key}`")), "{kind} has {key}: {row}");
        }
        fields_before = row;
    }
}

#[test]
fn the_documents_have_every_field_of_the_audit_and_every_figure_of_stats() {
    let record = AuditRecord {
        user: Some("ann".into()),
        trigger: Some(kproxy::reload::Trigger::Control),
        object: Some("what".into()),
        changes: AuditedChanges {
            names: vec!["orders".into()],
            ..AuditedChanges::default()
        },
        errors: vec!["why".into()],
        detail: "more".into(),
        ..AuditRecord::default()
    };
    let stats = ProxyStats {
        reloads: Some(ReloadStats::default()),
        drains: Some(DrainStats::default()),
        ..ProxyStats::default()
    };
    let audit = (
        serde_json::to_value(record).unwrap(),
        page("audit-and-notifications.md"),
    );
    let stats = (serde_json::to_value(stats).unwrap(), page("management.md"));
    for (json, page) in [audit, stats] {
        let mut found = BTreeSet::new();
        keys(&json, &mut found);
        for key in found {
            let is_there = page.contains(&format!("`{key}`")) || page.contains(&format!("\"{key}\""));
            assert!(is_there, "{key} is not documented");
        }
    }
}
