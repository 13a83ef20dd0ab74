//! Certificates, and TLS that did not come about.

use super::text::{Kind, Labels, Text};
use crate::control::metrics::MetricsSnapshot;

pub(super) fn write(snapshot: &MetricsSnapshot, text: &mut Text) {
    text.family(
        "kproxy_tls_certificate_expiry_timestamp_seconds",
        Kind::Gauge,
        "When the first certificate of a file expires; of a file that is in use.",
    );
    for (file, at) in &snapshot.certificates {
        text.number(&Labels::of("file", file), *at as f64);
    }
    text.family(
        "kproxy_tls_handshake_errors",
        Kind::Counter,
        "Connections, of clients and to brokers, on which TLS did not come about or broke.",
    );
    for &(cause, count) in &snapshot.tls_errors {
        text.count(&Labels::of("cause", cause), count);
    }
    text.family(
        "kproxy_unrouted_disconnects",
        Kind::Counter,
        "Client connections that ended before it was known which virtual cluster they were for.",
    );
    for &(cause, count) in &snapshot.unrouted {
        text.count(&Labels::of("cause", cause), count);
    }
}
