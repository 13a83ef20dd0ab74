//! The status page: the status as HTML.

use std::fmt::Write as _;

use crate::control::{ClusterStatus, ConfigStatus, ProxyStatus, ReloadReport};
use crate::time::rfc3339;

/// Clusters that are shown: nobody reads a page of ten thousand rows.
const SHOWN: usize = 500;

const HEAD: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>kproxy</title>\
<meta name=\"viewport\" content=\"width=device-width\"><style>\
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;color:#222}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .75rem;border-bottom:1px solid #ddd}\
td.n{text-align:right;font-variant-numeric:tabular-nums}.bad{color:#a00;font-weight:600}pre{white-space:pre-wrap}\
</style><h1>kproxy</h1>";

/// Renders the page.
pub(super) fn render(status: &ProxyStatus) -> String {
    let mut page = String::from(HEAD);
    write(status, &mut page);
    page
}

fn write(status: &ProxyStatus, page: &mut String) {
    text(
        "p",
        &format!(
            "Version {}, process {}, generation {}, up {:.0} s",
            status.version, status.pid, status.generation, status.uptime_seconds
        ),
        page,
    );
    configuration(&status.config, page);
    for warning in status.warnings.iter().take(SHOWN) {
        marked(&format!("Warning: {warning}"), page);
    }
    for limit in &status.limits {
        let line = format!("Limit reached: {}; {}", limit.sentence(), limit.details());
        marked(&line, page);
    }
    page.push_str("<table><tr><th>Cluster<th>State<th>Connections<th>In flight<th>Bootstrap</tr>");
    for cluster in status.clusters.iter().take(SHOWN) {
        row(cluster, page);
    }
    page.push_str("</table>");
    if status.clusters.len() > SHOWN {
        text("p", &format!("and {} more", status.clusters.len() - SHOWN), page);
    }
    for drain in &status.drains {
        let line = format!(
            "Draining {}: {} sessions left, ended by generation {}, {}",
            drain.cluster, drain.remaining, drain.generation, drain.strategy
        );
        text("p", &line, page);
    }
    page.push_str("<p><a href=\"/status\">status</a> · <a href=\"/connections\">connections</a> · <a href=\"/metrics\">metrics</a></p>");
}

fn configuration(config: &ConfigStatus, page: &mut String) {
    let path = config.path.as_deref().unwrap_or("no file");
    if config.in_sync {
        text("p", &format!("Configuration {path}: in sync"), page);
    } else {
        let line = format!("Configuration {path}: not in sync, the file differs from what runs");
        marked(&line, page);
    }
    if let Some(reload) = &config.last_reload {
        text("p", &format!("Last reload: {}", result(reload)), page);
        if !reload.errors.is_empty() {
            text("pre", &reload.errors.join("\n"), page);
        }
    }
    if let Some(retry) = &config.retry {
        let (left, attempts) = (retry.next_attempt_seconds, retry.attempts);
        text(
            "p",
            &format!("Next attempt in {left:.0} s, after {attempts} attempts"),
            page,
        );
    }
    if let Some(renewal) = &config.last_renewal {
        text("p", &format!("Last renewal: {}", result(renewal)), page);
    }
}

fn result(report: &ReloadReport) -> String {
    let (outcome, trigger) = (report.outcome.name(), report.trigger.name());
    format!("{outcome} ({trigger}) at {}", rfc3339(report.at))
}

fn row(cluster: &ClusterStatus, page: &mut String) {
    page.push_str("<tr><td>");
    escape(&cluster.name, page);
    page.push_str(if ["failed", "degraded"].contains(&&*cluster.state) {
        "<td class=\"bad\">"
    } else {
        "<td>"
    });
    escape(&cluster.state, page);
    // Writing to a string cannot fail.
    write!(
        page,
        "<td class=\"n\">{}<td class=\"n\">{}<td>",
        cluster.connections, cluster.in_flight
    )
    .unwrap_or_default();
    let bootstraps: Vec<&str> = cluster
        .gateways
        .iter()
        .map(|gateway| gateway.bootstrap.as_str())
        .collect();
    escape(&bootstraps.join(", "), page);
    page.push_str("</tr>");
}

/// Writes a paragraph that stands out.
fn marked(content: &str, page: &mut String) {
    page.push_str("<p class=\"bad\">");
    escape(content, page);
    page.push_str("</p>");
}

fn text(element: &str, content: &str, page: &mut String) {
    write!(page, "<{element}>").unwrap_or_default();
    escape(content, page);
    write!(page, "</{element}>").unwrap_or_default();
}

fn escape(text: &str, page: &mut String) {
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            other => page.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let hostile = "<script>alert('&\"')</script>";
        let status = serde_json::json!({
            "version": hostile,
            "config": {"path": hostile, "last_reload": {"errors": [hostile]}},
            "clusters": [{"name": hostile, "state": hostile, "gateways": [{"bootstrap": hostile}]}],
            "drains": [{"cluster": hostile, "strategy": hostile}],
            "warnings": [hostile],
            "limits": [{"limit": hostile, "usage": hostile, "meaning": hostile, "advice": hostile}],
        });
        let page = render(&serde_json::from_value(status).unwrap());
        assert!(!page.contains("<script"), "{page}");
        assert_eq!(
            page.matches("&lt;script&gt;alert(&#39;&amp;&quot;&#39;)").count(),
            13,
            "{page}"
        );
    }
}
