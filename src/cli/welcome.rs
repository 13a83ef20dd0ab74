//! What a person at a terminal is told once, when the proxy serves: where clients connect to.

use std::fmt::Write as _;
use std::path::Path;

use super::table::{Align, Table, count, visible};
use crate::control::{GatewayStatus, ProxyStatus};

/// Most gateways that are shown.
const SHOWN: usize = 12;

/// Returns what is served where. `socket` is where commands connect to.
pub fn welcome(status: &ProxyStatus, socket: &Path) -> String {
    let mut table = Table::new([
        ("CLUSTER", Align::Left),
        ("GATEWAY", Align::Left),
        ("CLIENTS CONNECT TO", Align::Left),
        ("NODES", Align::Left),
    ]);
    let gateways = || {
        status
            .clusters
            .iter()
            .flat_map(|cluster| cluster.gateways.iter().map(move |gateway| (cluster, gateway)))
    };
    for (cluster, gateway) in gateways().take(SHOWN) {
        table.row([
            cluster.name.clone(),
            gateway.name.clone(),
            gateway.bootstrap.clone(),
            nodes(gateway),
        ]);
    }
    let clusters = count(status.clusters.len(), "virtual cluster");
    let mut text = format!(
        "\nkproxy {} serves {clusters}\n\n{}",
        visible(&status.version),
        table.render()
    );
    // Writing to a string cannot fail; so for all that follow.
    if let Some(more) = gateways().count().checked_sub(SHOWN).filter(|more| *more > 0) {
        writeln!(
            text,
            "and {}: `kproxy status` shows all",
            count(more, "more gateway")
        )
        .unwrap_or_default();
    }
    text.push('\n');
    if let Some(management) = status.management {
        writeln!(text, "status page     http://{management}/").unwrap_or_default();
    }
    writeln!(text, "control socket  {}", visible(&socket.to_string_lossy())).unwrap_or_default();
    if let Some(path) = &status.config.path {
        writeln!(
            text,
            "configuration   {}: edit it while kproxy runs",
            visible(path)
        )
        .unwrap_or_default();
    }
    text.push_str("\nCtrl-C drains the sessions and ends.\n\n");
    text
}

/// The node ids, as ranges of ids one behind the other.
fn nodes(gateway: &GatewayStatus) -> String {
    let mut ranges: Vec<(i32, i32)> = Vec::new();
    for node in &gateway.nodes {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(node.id) => *last = node.id,
            _ => ranges.push((node.id, node.id)),
        }
    }
    let more = ranges.len() > 3;
    let shown = ranges.iter().take(3).map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    let mut text = shown.collect::<Vec<_>>().join(", ");
    if more {
        text.push_str(", …");
    }
    if text.is_empty() {
        // Where host names identify nodes, they are learned from responses to clients.
        text.push_str("any, by host name");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(clusters: usize) -> ProxyStatus {
        let gateways = serde_json::json!([
            {"name": "plain", "bootstrap": "localhost:9192", "bound": "127.0.0.1:9192", "nodes": [{"id": 0}, {"id": 1}, {"id": 7}]},
            {"name": "public", "bootstrap": "k.example.com:9443", "bound": "[::]:9443", "nodes": []}]);
        let cluster = |number: usize| serde_json::json!({"name": format!("c{number}"), "gateways": gateways});
        serde_json::from_value(serde_json::json!({
            "version": "1.2.3", "management": "127.0.0.1:9190", "config": {"path": "/etc/kproxy/proxy.yaml"},
            "clusters": (0..clusters).map(cluster).collect::<Vec<_>>()
        }))
        .unwrap()
    }

    #[test]
    fn a_newcomer_sees_where_to_connect() {
        let expected = "
kproxy 1.2.3 serves 1 virtual cluster

CLUSTER  GATEWAY  CLIENTS CONNECT TO  NODES
c0       plain    localhost:9192      0-1, 7
c0       public   k.example.com:9443  any, by host name

status page     http://127.0.0.1:9190/
control socket  /run/kproxy/control.sock
configuration   /etc/kproxy/proxy.yaml: edit it while kproxy runs

Ctrl-C drains the sessions and ends.

";
        assert_eq!(
            welcome(&status(1), Path::new("/run/kproxy/control.sock")),
            expected
        );
    }

    #[test]
    fn ten_thousand_virtual_clusters_are_not_listed() {
        let text = welcome(&status(10_000), Path::new("s"));
        assert!(text.lines().count() < 25, "{text}");
        assert!(
            text.contains("and 19988 more gateways: `kproxy status` shows all\n"),
            "{text}"
        );
    }
}
