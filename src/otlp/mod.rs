//! Export of metrics and spans by OTLP over HTTP (OpenTelemetry protocol 1.x, protobuf), in builds with the feature `otlp`.
//!
//! The environment switches it on and configures it, by the names of the OpenTelemetry specification: see [`settings`].
//! Metrics are those of `/metrics`, under the same names. There is a span for each reload with a child for each of its
//! phases, and one for each session, from accept to close. One thread of its own sends; what it cannot send in time is
//! dropped and counted. Nothing waits for it but the end of the process, for a limited time.

mod encode;
mod families;
mod metrics;
mod sender;
pub mod settings;
mod spans;

use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use crate::admin::exposition::{self, Format, ProcessMetrics};
use crate::control::{ControlHandle, Event, EventReader};
use crate::endpoint::RuntimeThread;
use crate::session::ended::{self, EndedSession};
use sender::CollectorSender;
use settings::ExportSettings;

/// Ended sessions that wait for the export; further ones are dropped and counted.
const SESSION_QUEUE: usize = 4096;

/// Spans of one request.
const MAX_SPANS: usize = 1024;

/// Longest time that a span waits for others.
const SPAN_DELAY: Duration = Duration::from_secs(5);

/// Time limit of the last request, at the end of the process.
const LAST_TIMEOUT: Duration = Duration::from_secs(3);

/// A running export. Dropping it sends what is left, within three seconds.
pub struct Export {
    stop: Option<oneshot::Sender<()>>,
    stopped: std::sync::mpsc::Receiver<()>,
    _thread: RuntimeThread,
}

/// Starts the export of what `handle` tells.
///
/// # Errors
/// The error of the operating system if the thread cannot be started.
pub fn start(settings: ExportSettings, handle: ControlHandle) -> std::io::Result<Export> {
    let thread = RuntimeThread::start("kproxy-otlp".into())?;
    let (stop, stopping) = oneshot::channel();
    let (done, stopped) = std::sync::mpsc::channel();
    let sessions = settings.traces.is_some().then(|| ended::subscribe(SESSION_QUEUE));
    thread.handle().spawn(async move {
        let _done = done;
        let exporter = Exporter {
            resource: encode::resource(&settings),
            metrics: settings
                .metrics
                .as_ref()
                .map(|url| CollectorSender::new(url, &settings)),
            traces: settings
                .traces
                .as_ref()
                .map(|url| CollectorSender::new(url, &settings)),
            began: SystemTime::now(),
            spans: Vec::new(),
            interval: settings.interval,
            handle,
        };
        exporter.run(sessions.flatten(), stopping).await;
    });
    Ok(Export {
        stop: Some(stop),
        stopped,
        _thread: thread,
    })
}

impl Drop for Export {
    fn drop(&mut self) {
        drop(self.stop.take());
        // An error means that the task has ended, or that its time is over.
        self.stopped
            .recv_timeout(LAST_TIMEOUT + Duration::from_secs(1))
            .unwrap_or_default();
    }
}

/// What the task of the export has.
struct Exporter {
    resource: Resource,
    metrics: Option<CollectorSender>,
    traces: Option<CollectorSender>,
    began: SystemTime,
    spans: Vec<Span>,
    interval: Duration,
    handle: ControlHandle,
}

impl Exporter {
    async fn run(
        mut self,
        mut sessions: Option<mpsc::Receiver<EndedSession>>,
        mut stopping: oneshot::Receiver<()>,
    ) {
        let mut events = match self.traces {
            Some(_) => self.handle.watch().await.ok().map(|(_, reader)| reader),
            None => None,
        };
        let mut scrapes = tokio::time::interval(self.interval);
        let mut flushes = tokio::time::interval(SPAN_DELAY);
        scrapes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        flushes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = &mut stopping => break,
                _ = scrapes.tick() => self.send_metrics().await,
                _ = flushes.tick() => self.send_spans().await,
                event = next_event(&mut events) => self.spans.extend(spans::of_event(&event)),
                session = next_session(&mut sessions) => self.spans.push(spans::of_session(&session)),
            }
            if self.spans.len() >= MAX_SPANS {
                self.send_spans().await;
            }
        }
        let last = async {
            self.send_metrics().await;
            self.send_spans().await;
        };
        // An error means that its time is over.
        drop(tokio::time::timeout(LAST_TIMEOUT, last).await);
    }

    async fn send_metrics(&mut self) {
        let Some(sender) = &mut self.metrics else { return };
        // An error means that the proxy has ended.
        let Ok(snapshot) = self.handle.metrics().await else {
            return;
        };
        let text = exposition::render(&snapshot, &ProcessMetrics::take(), Format::Prometheus);
        let families = families::read(&text);
        let request = ExportMetricsServiceRequest {
            resource_metrics: vec![metrics::encode(
                &self.resource,
                &families,
                self.began,
                SystemTime::now(),
            )],
        };
        sender.send(request.encode_to_vec()).await;
    }

    async fn send_spans(&mut self) {
        let Some(sender) = &mut self.traces else { return };
        let dropped = ended::take_dropped();
        if dropped > 0 {
            tracing::warn!(
                dropped,
                "sessions ended faster than their spans could be exported"
            );
        }
        if self.spans.is_empty() {
            return;
        }
        let request = ExportTraceServiceRequest {
            resource_spans: vec![encode::resource_spans(
                &self.resource,
                std::mem::take(&mut self.spans),
            )],
        };
        sender.send(request.encode_to_vec()).await;
    }
}

async fn next_event(events: &mut Option<EventReader>) -> Event {
    if let Some(reader) = events {
        if let Some(event) = reader.next().await {
            return event.event.clone();
        }
        *events = None;
    }
    std::future::pending().await
}

async fn next_session(sessions: &mut Option<mpsc::Receiver<EndedSession>>) -> EndedSession {
    if let Some(queue) = sessions {
        if let Some(session) = queue.recv().await {
            return session;
        }
        *sessions = None;
    }
    std::future::pending().await
}
