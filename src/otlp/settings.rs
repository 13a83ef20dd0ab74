//! Settings of the export, from the variables of the environment that the OpenTelemetry specification names.
//!
//! Switched on by `OTEL_EXPORTER_OTLP_ENDPOINT` (to which `/v1/metrics` and `/v1/traces` are added), or by
//! `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` and `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, which are used as they are.
//! `OTEL_SDK_DISABLED=true` switches it off. Further: `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_EXPORTER_OTLP_TIMEOUT` and
//! `OTEL_METRIC_EXPORT_INTERVAL` (milliseconds), `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`. The protocol is
//! `http/protobuf`.

use std::time::Duration;

use crate::config::Secret;

const TIMEOUT: Duration = Duration::from_secs(10);
const INTERVAL: Duration = Duration::from_secs(60);

/// Shortest interval of metrics.
const SHORTEST: Duration = Duration::from_millis(100);

/// Settings of the export.
#[derive(Debug, Clone)]
pub struct ExportSettings {
    /// URL that metrics are posted to; `None`: they are not exported.
    pub metrics: Option<String>,
    /// URL that spans are posted to; `None`: they are not exported.
    pub traces: Option<String>,
    /// Headers of each request.
    pub headers: Vec<(String, Secret)>,
    /// Time limit of a request.
    pub timeout: Duration,
    /// Time between two exports of metrics.
    pub interval: Duration,
    /// Attributes of the resource, `service.name` included.
    pub resource: Vec<(String, String)>,
}

/// A variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {why}")]
pub struct BadVariable {
    name: &'static str,
    why: &'static str,
}

impl ExportSettings {
    /// Settings by the environment of the process; `None` if it does not switch the export on.
    ///
    /// # Errors
    /// [`BadVariable`] for the first variable that cannot be used.
    pub fn from_environment() -> Result<Option<Self>, BadVariable> {
        Self::read(|name| std::env::var(name).ok())
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, BadVariable> {
        let variable = |name| variable(name).filter(|value| !value.trim().is_empty());
        if variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let base = variable("OTEL_EXPORTER_OTLP_ENDPOINT");
        let below = |path: &str| {
            base.as_ref()
                .map(|base| format!("{}/{path}", base.trim_end_matches('/')))
        };
        let metrics = variable("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT").or_else(|| below("v1/metrics"));
        let traces = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| below("v1/traces"));
        if metrics.is_none() && traces.is_none() {
            return Ok(None);
        }
        let protocol = variable("OTEL_EXPORTER_OTLP_PROTOCOL");
        if protocol.is_some_and(|protocol| protocol != "http/protobuf") {
            return Err(BadVariable {
                name: "OTEL_EXPORTER_OTLP_PROTOCOL",
                why: "kproxy speaks http/protobuf only",
            });
        }
        let headers = pairs(
            variable("OTEL_EXPORTER_OTLP_HEADERS"),
            "OTEL_EXPORTER_OTLP_HEADERS",
        )?;
        let mut resource = pairs(variable("OTEL_RESOURCE_ATTRIBUTES"), "OTEL_RESOURCE_ATTRIBUTES")?;
        if let Some(name) = variable("OTEL_SERVICE_NAME") {
            resource.retain(|(key, _)| key != "service.name");
            resource.push(("service.name".into(), name));
        }
        if !resource.iter().any(|(key, _)| key == "service.name") {
            resource.push(("service.name".into(), "kproxy".into()));
        }
        let millis = |name: &'static str, default: Duration| match variable(name).map(|text| text.parse()) {
            None => Ok(default),
            Some(Ok(millis)) => Ok(Duration::from_millis(millis)),
            Some(Err(_)) => Err(BadVariable {
                name,
                why: "not a number of milliseconds",
            }),
        };
        Ok(Some(Self {
            metrics,
            traces,
            headers: headers
                .into_iter()
                .map(|(name, value)| (name, Secret::new(value)))
                .collect(),
            timeout: millis("OTEL_EXPORTER_OTLP_TIMEOUT", TIMEOUT)?,
            interval: millis("OTEL_METRIC_EXPORT_INTERVAL", INTERVAL)?.max(SHORTEST),
            resource,
        }))
    }
}

/// Reads `a=1,b=2`, with values in percent-encoding.
fn pairs(text: Option<String>, name: &'static str) -> Result<Vec<(String, String)>, BadVariable> {
    let text = text.unwrap_or_default();
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (key, value) = part.split_once('=')?;
            let value = decoded(value.trim())?;
            (!key.trim().is_empty()).then(|| (key.trim().to_owned(), value))
        })
        .collect::<Option<_>>()
        .ok_or(BadVariable {
            name,
            why: "not a list of the form key=value,key=value",
        })
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut found = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        found.push(match byte {
            b'%' => u8::try_from(digit(bytes.next())? * 16 + digit(bytes.next())?).ok()?,
            byte => byte,
        });
    }
    String::from_utf8(found).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<ExportSettings>, BadVariable> {
        ExportSettings::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_switches_it_on() {
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]).unwrap().is_none());
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/");
        let settings = read(&[endpoint]).unwrap().unwrap();
        assert_eq!(settings.metrics.as_deref(), Some("http://c:4318/v1/metrics"));
        assert_eq!(settings.traces.as_deref(), Some("http://c:4318/v1/traces"));
        assert_eq!(
            settings.resource,
            [("service.name".to_owned(), "kproxy".to_owned())]
        );
        assert!(
            read(&[endpoint, ("OTEL_SDK_DISABLED", "true")])
                .unwrap()
                .is_none()
        );
        let traces = read(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t/x")])
            .unwrap()
            .unwrap();
        assert_eq!(
            (traces.metrics, traces.traces.as_deref()),
            (None, Some("http://t/x"))
        );
    }

    #[test]
    fn values_are_read_or_named() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318");
        let settings = read(&[
            endpoint,
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b, x=1"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "250"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,region=eu"),
            ("OTEL_SERVICE_NAME", "edge"),
        ]);
        let settings = settings.unwrap().unwrap();
        assert_eq!(settings.headers[0].0, "api-key");
        assert_eq!(settings.headers[0].1.reveal(), "a b");
        assert_eq!(settings.interval, Duration::from_millis(250));
        assert_eq!(
            settings.resource[1],
            ("service.name".to_owned(), "edge".to_owned())
        );
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
        ] {
            let error = read(&[endpoint, (name, value)]).unwrap_err();
            assert_eq!(error.name, name);
            assert!(!error.to_string().contains("secret"));
        }
    }
}
