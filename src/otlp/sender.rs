//! Requests to one endpoint of a collector. A failure is logged once, and its end as well.

use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

use super::settings::ExportSettings;
use crate::http_client::HttpTarget;

/// Target of log lines about the export.
const TARGET: &str = "kproxy::otlp";

pub(super) struct CollectorSender {
    target: HttpTarget,
    headers: HeaderMap,
    timeout: Duration,
    /// Requests that failed since the last that was taken.
    failed: u64,
}

impl CollectorSender {
    pub(super) fn new(url: &str, settings: &ExportSettings) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
        for (name, value) in &settings.headers {
            match (HeaderName::try_from(name), HeaderValue::try_from(value.reveal())) {
                (Ok(name), Ok(mut value)) => {
                    value.set_sensitive(true);
                    headers.insert(name, value);
                }
                _ => {
                    tracing::warn!(target: TARGET, name, "a header of OTEL_EXPORTER_OTLP_HEADERS cannot be sent")
                }
            }
        }
        Self {
            target: HttpTarget::new(url),
            headers,
            timeout: settings.timeout,
            failed: 0,
        }
    }

    /// Sends one request. One that fails is not sent again: the next metrics include it, and spans are samples.
    pub(super) async fn send(&mut self, body: Vec<u8>) {
        let answer = tokio::time::timeout(self.timeout, self.target.post(&self.headers, body)).await;
        let outcome = match answer {
            Err(_) => Err(format!("no answer within {:?}", self.timeout)),
            Ok(Err(why)) => Err(why),
            Ok(Ok(status)) if status.is_success() => Ok(()),
            Ok(Ok(status)) => Err(format!("the collector answers {status}")),
        };
        match outcome {
            Ok(()) if self.failed > 0 => {
                let failed = std::mem::take(&mut self.failed);
                tracing::info!(target: TARGET, collector = self.target.name(), failed, "the collector takes exports again");
            }
            Ok(()) => {}
            Err(reason) => {
                if self.failed == 0 {
                    tracing::warn!(target: TARGET, collector = self.target.name(), reason, "the collector does not take exports");
                }
                self.failed += 1;
            }
        }
    }
}
