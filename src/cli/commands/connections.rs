//! `kproxy connections`: exit 0, or 1 when nobody answers.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::admin::protocol::Request;
use crate::admin::view::Connection;
use crate::cli::{Exit, OfFile};
use crate::cli::console::Console;
use crate::cli::table::{Align, Table, duration, size};

const PATIENCE: Duration = Duration::from_secs(30);

const COLUMNS: [(&str, Align); 19] = [
    ("ID", Align::Right),
    ("CLUSTER", Align::Left),
    ("GATEWAY", Align::Left),
    ("NODE", Align::Left),
    ("CLIENT", Align::Left),
    ("VIA", Align::Optional),
    ("SNI", Align::Optional),
    ("TLS", Align::Optional),
    ("SUBJECT", Align::Optional),
    ("PRINCIPAL", Align::Optional),
    ("CLIENT ID", Align::Left),
    ("SOFTWARE", Align::Left),
    ("GENERATION", Align::Right),
    ("IN FLIGHT", Align::Right),
    ("REQUESTS", Align::Right),
    ("SENT", Align::Right),
    ("RECEIVED", Align::Right),
    ("AGE", Align::Right),
    ("STATE", Align::Left),
];

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    of_file: OfFile,
    /// Only those of this virtual cluster.
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// Only those with this client id.
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// Only those that began with this generation.
    #[arg(long, value_name = "N")]
    generation: Option<u64>,
}

impl Arguments {
    /// The file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.of_file.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> Exit {
        let request = Request::Connections {
            cluster: self.cluster,
            client: self.client,
            generation: self.generation,
        };
        let answer = console
            .connect()
            .and_then(|mut client| client.ask(request, Some(PATIENCE)));
        let connections = match answer {
            Ok(connections) => connections,
            Err(error) => return console.failed(&error),
        };
        console.show(&connections, || match serde_json::from_str(connections.get()) {
            Ok(view) => render(view),
            Err(error) => format!("what kproxy answers is not understood: {error}\n"),
        });
        Exit::Fine
    }
}

fn render(mut connections: Vec<Connection>) -> String {
    connections.sort_by(|a, b| (&a.cluster, a.id).cmp(&(&b.cluster, b.id)));
    let mut table = Table::new(COLUMNS);
    for connection in connections {
        table.row(cells(connection));
    }
    if table.is_empty() {
        "no connections\n".into()
    } else {
        table.render()
    }
}

/// In the order of the columns.
fn cells(connection: Connection) -> [String; COLUMNS.len()] {
    let unknown = || "-".to_owned();
    let principal = connection.principal.or_else(|| {
        let mechanism = connection.sasl_mechanism?;
        Some(format!("({mechanism})"))
    });
    [
        connection.id.to_string(),
        connection.cluster,
        connection.gateway,
        connection.node,
        connection.client,
        connection
            .proxied
            .map_or_else(String::new, |proxied| proxied.peer),
        connection.sni.unwrap_or_default(),
        connection.tls.map_or_else(String::new, |tls| tls.version),
        connection.client_subject.unwrap_or_default(),
        principal.unwrap_or_default(),
        connection.client_id.unwrap_or_else(unknown),
        connection.software.unwrap_or_else(unknown),
        connection.generation.to_string(),
        connection.in_flight.to_string(),
        connection.requests.to_string(),
        size(connection.client_bytes),
        size(connection.broker_bytes),
        duration(connection.age_seconds),
        connection.state,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::view::Tls;

    #[test]
    fn sessions_stand_in_order_and_hostile_ids_do_no_harm() {
        let connection = |id, client_id: &str| Connection {
            id,
            cluster: "orders".into(),
            client_id: Some(client_id.into()),
            client_bytes: 2048,
            state: "open".into(),
            ..Connection::default()
        };
        let text = render(vec![connection(7, "late"), connection(3, "\u{1b}[31mred")]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines[1].contains("\\u{1b}[31mred") && lines[1].contains("2.0 KiB"),
            "{text}"
        );
        assert!(lines[2].contains("late"), "{text}");
        assert_eq!(render(vec![]), "no connections\n");
    }

    #[test]
    fn what_is_known_of_no_client_takes_no_column() {
        let columns = |text: &str| text.lines().next().unwrap().to_owned();
        let optional = ["VIA", "SNI", "TLS", "SUBJECT", "PRINCIPAL"];
        let plain = columns(&render(vec![Connection::default()]));
        assert!(optional.iter().all(|column| !plain.contains(column)), "{plain}");
        let authenticated = Connection {
            sasl_mechanism: Some("GSSAPI".into()),
            tls: Some(Tls {
                version: "TLSv1.3".into(),
                ..Tls::default()
            }),
            sni: Some("orders.kafka.example.com".into()),
            ..Connection::default()
        };
        let known = render(vec![Connection::default(), authenticated]);
        let shown = columns(&known);
        let found = optional.map(|column| shown.contains(column));
        assert_eq!(found, [false, true, true, false, true], "{shown}");
        for cell in ["orders.kafka.example.com", "TLSv1.3", "(GSSAPI)"] {
            assert!(known.contains(cell), "{known}");
        }
    }
}
