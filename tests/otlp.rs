//! Export by OTLP (feature `otlp`), through the binary, against a collector of the test's own.
//!
//! 1. The metrics of `/metrics` arrive under their names, with the resource and the headers of the environment.
//! 2. A reload is a trace with its phases; a session is a span with its cluster, client and close cause.
//! 3. What is left is sent at the end of the process. A collector that hangs delays the end by a limited time.
//! 4. A variable that cannot be used is named, and kproxy does not start.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use rustix::process::Signal;
use testkit::binary::{Binary, program};
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::wait::eventually;

/// A request: path, headers in lower case, body.
type Posted = (String, Vec<String>, Vec<u8>);

/// Takes what is posted.
struct Collector {
    address: SocketAddr,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl Collector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let posted = Arc::<Mutex<Vec<Posted>>>::default();
        let kept = Arc::clone(&posted);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                kept.lock().unwrap().extend(take(stream));
            }
        });
        Self { address, posted }
    }

    fn at(&self, path: &str) -> Vec<Posted> {
        let posted = self.posted.lock().unwrap();
        posted
            .iter()
            .filter(|(found, ..)| found == path)
            .cloned()
            .collect()
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.at("/v1/traces").into_iter();
        let requests = requests.map(|(_, _, body)| ExportTraceServiceRequest::decode(&*body).unwrap());
        let resources = requests.flat_map(|request| request.resource_spans);
        let scopes = resources.flat_map(|resource| resource.scope_spans);
        scopes.flat_map(|scope| scope.spans).collect()
    }
}

fn take(stream: TcpStream) -> Option<Posted> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<String> = lines[1..].iter().map(|line| line.to_lowercase()).collect();
    let length = headers
        .iter()
        .find_map(|line| line.strip_prefix("content-length: "))?;
    let mut body = vec![0; length.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let mut stream = stream;
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        .ok()?;
    Some((path, headers, body))
}

fn texts(attributes: &[KeyValue]) -> BTreeSet<(String, String)> {
    let text = |attribute: &KeyValue| match &attribute.value.as_ref()?.value {
        Some(Value::StringValue(text)) => Some((attribute.key.clone(), text.clone())),
        _ => None,
    };
    attributes.iter().filter_map(text).collect()
}

fn has(attributes: &[KeyValue], key: &str, value: &str) -> bool {
    texts(attributes).contains(&(key.to_owned(), value.to_owned()))
}

/// The binary with an endpoint and further variables.
fn exporting(endpoint: SocketAddr, more: &[(&str, &str)], target: SocketAddr) -> (Binary, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("proxy.yaml");
    std::fs::write(&file, testkit::binary::configuration(target)).unwrap();
    let mut command = Command::new(program());
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{endpoint}"));
    command.env("OTEL_METRIC_EXPORT_INTERVAL", "200");
    command.envs(more.iter().copied());
    (Binary::start(command, &file, None), directory)
}

/// Promises 1 to 3.
#[test]
fn metrics_reloads_and_sessions_are_exported() {
    let collector = Collector::start();
    let broker = Broker::echoing(b"ok");
    let more = [
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=s%20ecret"),
        ("OTEL_SERVICE_NAME", "edge"),
    ];
    let (mut binary, directory) = exporting(collector.address, &more, broker.address);
    binary.expect_log("metrics and spans are exported");
    let mut client = Client::connect(binary.bootstrap());
    testkit::running::ask(&mut client);
    drop(client);
    eventually("metrics arrive", || collector.at("/v1/metrics").len() > 1);
    let (_, headers, body) = collector.at("/v1/metrics").pop().unwrap();
    assert!(headers.contains(&"api-key: s ecret".to_owned()), "{headers:?}");
    assert!(
        headers.contains(&"content-type: application/x-protobuf".to_owned()),
        "{headers:?}"
    );
    let request = ExportMetricsServiceRequest::decode(&*body).unwrap();
    let resource = request.resource_metrics[0].resource.as_ref().unwrap();
    assert!(has(&resource.attributes, "service.name", "edge"), "{resource:?}");
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let names: Vec<&str> = metrics.iter().map(|metric| &*metric.name).collect();
    for name in [
        "kproxy_client_to_proxy_connections_total",
        "kproxy_config_generation",
        "kproxy_added_latency_seconds",
    ] {
        assert!(names.contains(&name), "{names:?}");
    }
    let file = directory.path().join("proxy.yaml");
    std::fs::write(&file, "virtualClusters: 7\n").unwrap();
    binary.signal(Signal::HUP);
    binary.expect_log("reload rejected: ");
    binary.signal(Signal::TERM);
    assert_eq!(binary.exit().0, Some(0));
    let spans = collector.spans();
    let session = spans.iter().find(|span| span.name == "session").unwrap();
    for (key, value) in [("kproxy.virtual_cluster", "demo"), ("kproxy.node", "bootstrap")] {
        assert!(has(&session.attributes, key, value), "{session:?}");
    }
    assert!(session.end_time_unix_nano >= session.start_time_unix_nano);
    let reload = spans.iter().find(|span| span.name == "reload").unwrap();
    assert!(
        has(&reload.attributes, "kproxy.reload.outcome", "rejected"),
        "{reload:?}"
    );
    assert_eq!(reload.status.as_ref().unwrap().code, 2, "an error");
    let read = spans.iter().find(|span| span.name == "read").unwrap();
    assert_eq!(
        (&read.trace_id, &read.parent_span_id),
        (&reload.trace_id, &reload.span_id)
    );
}

/// Promise 3.
#[test]
fn a_collector_that_hangs_delays_the_end_by_a_limited_time() {
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let broker = Broker::echoing(b"ok");
    let (mut binary, _directory) = exporting(
        hanging.local_addr().unwrap(),
        &[("OTEL_EXPORTER_OTLP_TIMEOUT", "500")],
        broker.address,
    );
    binary.expect_log("the collector does not take exports");
    let began = Instant::now();
    binary.signal(Signal::TERM);
    assert_eq!(binary.exit().0, Some(0));
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(
        binary.log().matches("does not take exports").count(),
        1,
        "told once"
    );
}

/// Promise 4.
#[test]
fn a_variable_that_cannot_be_used_is_named() {
    let broker = Broker::echoing(b"ok");
    let (mut binary, _directory) = exporting(
        "127.0.0.1:1".parse().unwrap(),
        &[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")],
        broker.address,
    );
    let (status, log) = binary.exit();
    assert_eq!(status, Some(1));
    assert!(
        log.contains("OTEL_EXPORTER_OTLP_PROTOCOL: kproxy speaks http/protobuf only"),
        "{log}"
    );
}
