//! Reports about sessions: counters when they end, and log lines at the level of their close cause.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::field::display;

use super::cause::{CauseSeverity, CloseCause};
use super::context::{EndpointBinding, ProcessContext};
use super::counters::{Membership, add};
use super::pump::Ended;
use super::upstream::Upstream;
use crate::drain::SessionHandle;
use crate::model::HostPort;

/// Report about one session. If it is dropped before the end was reported, the session panicked.
#[derive(Debug)]
pub(super) struct Report {
    session: Arc<SessionHandle>,
    binding: EndpointBinding,
    membership: Membership,
    broker: Option<Arc<HostPort>>,
    connecting: Instant,
    ended: bool,
}

impl Report {
    pub(super) fn new(session: &Arc<SessionHandle>, binding: EndpointBinding) -> Self {
        let counters = &binding.cluster.counters;
        add(&counters.accepted, 1);
        let report = Self {
            session: Arc::clone(session),
            membership: if binding.is_known() {
                counters.node(binding.node).join(session)
            } else {
                counters.unknown().join_for_now(session)
            },
            binding,
            broker: None,
            connecting: session.since,
            ended: false,
        };
        if report.binding.cluster.model().log_network {
            let (cluster, node) = (&report.binding.cluster, report.binding.node);
            let via = session.facts.proxied().map(|proxied| display(proxied.peer));
            let tls = session.facts.tls();
            tracing::info!(
                cluster = %cluster.name,
                session = session.id,
                generation = session.generation(),
                node = %node,
                client = %session.client(),
                via,
                sni = tls.as_deref().and_then(|tls| tls.sni.as_deref()),
                tls = tls.as_deref().map(|tls| tls.version),
                "accepted"
            );
        }
        report
    }

    pub(super) fn binding(&self) -> &EndpointBinding {
        &self.binding
    }

    /// Notes that a connection to a broker is being made from now on.
    pub(super) fn connecting(&mut self) {
        self.connecting = Instant::now();
    }

    /// Notes the broker connection. `right` is false if it leads to another broker than the endpoint's.
    pub(super) fn connected(&mut self, upstream: &Upstream, right: bool) {
        if !self.membership.is_settled() && self.binding.is_known() {
            self.membership
                .settle(self.binding.cluster.counters.node(self.binding.node));
        }
        add(&self.binding.cluster.counters.connected, 1);
        self.membership.connected();
        self.note_connection(upstream, right);
    }

    /// Notes a broker connection, the first of the session or one in place of another.
    fn note_connection(&mut self, upstream: &Upstream, right: bool) {
        let broker = Arc::new(upstream.address.clone());
        let counters = &self.binding.cluster.counters;
        counters.connect_upstream.observe(self.connecting.elapsed());
        if right {
            self.membership.lead_to(&broker);
        }
        if self.binding.cluster.model().log_network {
            let cluster = &self.binding.cluster;
            tracing::info!(cluster = %cluster.name, session = self.session.id, generation = self.session.generation(), node = %self.binding.node, broker = %upstream.address, "connected");
        }
        self.broker = Some(broker);
    }

    /// Notes that the session goes on at `binding`, over another broker connection.
    pub(super) fn moved(&mut self, binding: EndpointBinding, upstream: &Upstream, connecting: Instant) {
        let target = &self.binding.cluster.target;
        if let Some(before) = &self.broker {
            target.answered_after(before, self.connecting);
        }
        let counters = &binding.cluster.counters;
        add(&counters.moved, 1);
        self.connecting = connecting;
        self.binding = binding;
        self.note_connection(upstream, true);
    }

    pub(super) fn end(mut self, ended: Ended) {
        self.ended = true;
        let counters = &self.binding.cluster.counters;
        counters.count_close(ended.cause);
        self.binding.cluster.process.count_tls(ended.cause);
        self.membership.count_close(ended.cause);
        if ended.cause == CloseCause::DrainTimeout {
            self.session.count_forced(&self.binding.tracker);
        }
        if ended.is_given_up() {
            add(&counters.given_up, 1);
        }
        self.note_broker(&ended);
        add(&counters.client_bytes, ended.client_bytes);
        add(&counters.broker_bytes, ended.broker_bytes);
        add(&counters.requests, ended.requests);
        #[cfg(feature = "otlp")]
        self.note_span(&ended);
        self.log(&ended);
    }

    /// Keeps the session for the export of spans.
    #[cfg(feature = "otlp")]
    fn note_span(&self, ended: &Ended) {
        let duration = self.session.since.elapsed();
        super::ended::note(|| super::ended::EndedSession {
            id: self.session.id,
            cluster: self.binding.cluster.name.to_string(),
            gateway: self.binding.gateway.name.to_string(),
            node: self.binding.node.to_string(),
            client: self.session.client(),
            broker: self.broker.as_deref().map(ToString::to_string),
            generation: self.session.generation(),
            cause: ended.cause.name(),
            is_error: ended.cause.is_error(),
            requests: ended.requests,
            client_bytes: ended.client_bytes,
            broker_bytes: ended.broker_bytes,
            began: std::time::SystemTime::now() - duration,
            duration,
        });
    }

    /// Notes what the session showed about the broker: that it answers, or that it breaks the protocol.
    fn note_broker(&self, ended: &Ended) {
        let Some(address) = &self.broker else { return };
        let target = &self.binding.cluster.target;
        if ended.broker_bytes > 0 && !ended.cause.blames_broker() {
            target.answered_after(address, self.connecting);
        } else if ended.cause.blames_broker() {
            target.misbehaved(address, ended.cause, &ended.detail);
        }
    }

    fn log(&self, ended: &Ended) {
        let session = &self.session;
        let via = session.facts.proxied().map(|proxied| display(proxied.peer));
        let (tls, principal) = (session.facts.tls(), session.facts.user_name());
        let broker = self.broker.as_deref().map(ToString::to_string);
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    cause = ended.cause.name(),
                    cluster = %self.binding.cluster.name,
                    session = session.id,
                    generation = session.generation(),
                    gateway = %self.binding.gateway.name,
                    node = %self.binding.node,
                    client = %session.client(),
                    via,
                    sni = tls.as_deref().and_then(|tls| tls.sni.as_deref()),
                    tls = tls.as_deref().map(|tls| tls.version),
                    subject = tls.as_deref().and_then(|tls| tls.client_subject.as_deref()),
                    principal = principal.as_deref(),
                    broker = broker.as_deref().unwrap_or("none"),
                    detail = ended.detail,
                    requests = ended.requests,
                    unanswered = ended.unanswered,
                    client_bytes = ended.client_bytes,
                    broker_bytes = ended.broker_bytes,
                    duration_ms = u64::try_from(session.since.elapsed().as_millis()).unwrap_or(u64::MAX),
                    "session closed"
                )
            };
        }
        let cluster = &self.binding.cluster;
        let each = cluster.model().log_network;
        let has_line = || {
            let example = || {
                let (client, node) = (session.client(), self.binding.node);
                format!(
                    "client {client}, node {node}, session {}: {}",
                    session.id, ended.detail
                )
            };
            let told = &cluster.counters.told;
            each || told.takes_line(ended.cause, Some(&cluster.name), example)
        };
        match ended.cause.severity() {
            CauseSeverity::Quiet if each => line!(tracing::Level::INFO),
            CauseSeverity::Warn if has_line() => line!(tracing::Level::WARN),
            CauseSeverity::Error if has_line() => line!(tracing::Level::ERROR),
            CauseSeverity::Quiet | CauseSeverity::Warn | CauseSeverity::Error => line!(tracing::Level::DEBUG),
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if self.ended || !std::thread::panicking() {
            // Neither ended nor panicking: the runtime is shutting down and drops what is left.
            return;
        }
        let ended = Ended {
            cause: CloseCause::Panic,
            detail: "the session panicked; no other is affected".into(),
            unanswered: 0,
            waited: Duration::ZERO,
            client_bytes: 0,
            broker_bytes: 0,
            requests: 0,
        };
        self.binding.cluster.counters.count_close(ended.cause);
        self.membership.count_close(ended.cause);
        self.log(&ended);
    }
}

/// Logs the end of a connection that never became part of a cluster.
pub(super) fn tell_unrouted(
    process: &ProcessContext,
    id: u64,
    client: SocketAddr,
    local: Option<SocketAddr>,
    ended: &Ended,
) {
    let local = local.map_or_else(String::new, |local| local.to_string());
    macro_rules! line {
        ($level:expr) => {
            tracing::event!(
                $level,
                cause = ended.cause.name(),
                session = id,
                client = %client,
                listener = local,
                detail = ended.detail,
                "connection closed before it was known which cluster it is for"
            )
        };
    }
    let has_line = || {
        let example = || {
            format!(
                "client {client}, listener {local}, session {id}: {}",
                ended.detail
            )
        };
        process.unrouted_close_log.takes_line(ended.cause, None, example)
    };
    match ended.cause.severity() {
        CauseSeverity::Warn if has_line() => line!(tracing::Level::WARN),
        CauseSeverity::Error if has_line() => line!(tracing::Level::ERROR),
        CauseSeverity::Quiet | CauseSeverity::Warn | CauseSeverity::Error => line!(tracing::Level::DEBUG),
    }
}
