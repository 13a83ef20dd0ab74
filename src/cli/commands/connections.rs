//! `kproxy connections`: exit code 0, or 1 if no process answers or a filter names something that has never existed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use crate::admin::RequestTarget;
use crate::admin::client::{ClientError, Document};
use crate::cli::{CommandExit, OfFile};
use crate::cli::console::Console;
use crate::cli::table::{Align, Table, duration, size};
use crate::config::{nearest, quoted};
use crate::control::ConnectionInfo;

/// Most generations that a note names.
const MAX_NAMED: usize = 5;

/// Time limit for the answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

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

/// End of the text of `--help`.
const MORE: &str = "\
A generation is the number of a configuration that was applied. A session has the generation that had last changed
its virtual cluster when the session began; `status` shows that number for each cluster. Without a filter, all
sessions are listed.

Exit codes:
  0  the sessions are printed; there may be none
  1  no kproxy answers, or there is no such virtual cluster or generation
  2  the command line is wrong

Example:
  kproxy connections --cluster orders --generation 3
";

#[derive(Debug, Args)]
#[command(after_help = MORE)]
pub struct Arguments {
    #[command(flatten)]
    of_file: OfFile,
    /// List only sessions of this virtual cluster [default: all].
    #[arg(long, value_name = "CLUSTER")]
    cluster: Option<String>,
    /// List only sessions with this client id [default: all].
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    /// List only sessions of this generation [default: all].
    #[arg(long, value_name = "N")]
    generation: Option<u64>,
}

impl Arguments {
    /// Returns the file that names the control socket.
    pub(super) fn config(&self) -> Option<PathBuf> {
        self.of_file.config.clone()
    }

    pub(super) fn run(self, console: &Console) -> CommandExit {
        let shown = self
            .ask(console, self.client.as_deref(), self.generation)
            .and_then(|answer| console.show_answer(&answer, |found: &Vec<ConnectionInfo>| render(found)));
        let found = match shown {
            Ok(found) => found,
            Err(error) => return console.failed(&error),
        };
        if found.is_empty()
            && let Some(why) = self.why_none(console)
        {
            console.print_diagnostic(&format!("kproxy: note: {why}"));
        }
        CommandExit::Fine
    }

    fn ask(
        &self,
        console: &Console,
        client: Option<&str>,
        generation: Option<u64>,
    ) -> Result<Document, ClientError> {
        let target = RequestTarget::new("/connections")
            .with("cluster", self.cluster.as_deref())
            .with("client", client)
            .with("generation", generation.map(|number| number.to_string()));
        console.connect()?.get(&target, Some(ANSWER_TIMEOUT))
    }

    /// Returns what comes nearest, where no session passes the filters.
    fn why_none(&self, console: &Console) -> Option<String> {
        if self.client.is_none() && self.generation.is_none() {
            return None;
        }
        let all = self.ask(console, None, None).ok()?;
        let all: Vec<ConnectionInfo> = all.read().ok()?;
        not_among(&all, self.client.as_deref(), self.generation)
    }
}

/// Names the filter that no session of `all` passes, and what comes nearest.
fn not_among(all: &[ConnectionInfo], client: Option<&str>, generation: Option<u64>) -> Option<String> {
    let ids: BTreeSet<&str> = all
        .iter()
        .filter_map(|session| session.client_id.as_deref())
        .collect();
    if let Some(client) = client.filter(|client| !ids.contains(client)) {
        let ids: Vec<&str> = ids.into_iter().collect();
        let hint = nearest(client, &ids);
        let hint = hint.map_or_else(String::new, |near| format!(", the nearest is {}", quoted(near)));
        return Some(format!("no session has the client id {}{hint}", quoted(client)));
    }
    let generation = generation?;
    let began: BTreeSet<u64> = all.iter().map(|session| session.generation).collect();
    if began.contains(&generation) || began.is_empty() {
        return None;
    }
    let shown: Vec<String> = began
        .iter()
        .rev()
        .take(MAX_NAMED)
        .map(|number| number.to_string())
        .collect();
    let more = if began.len() > MAX_NAMED { ", …" } else { "" };
    Some(format!(
        "no session has generation {generation}; sessions have {}{more}",
        shown.join(", ")
    ))
}

fn render(connections: &[ConnectionInfo]) -> String {
    let mut connections: Vec<&ConnectionInfo> = connections.iter().collect();
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

/// Returns the cells of a session, in the order of the columns.
fn cells(connection: &ConnectionInfo) -> [String; COLUMNS.len()] {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let known = &connection.known;
    let principal = known.principal.clone().or_else(|| {
        let mechanism = known.sasl_mechanism.as_ref()?;
        Some(format!("({mechanism})"))
    });
    [
        connection.id.to_string(),
        connection.cluster.clone(),
        connection.gateway.clone(),
        connection.node.clone(),
        connection.client.to_string(),
        known
            .proxied
            .as_ref()
            .map_or_else(String::new, |proxied| proxied.peer.to_string()),
        known.sni.clone().unwrap_or_default(),
        known
            .tls
            .as_ref()
            .map_or_else(String::new, |tls| tls.version.to_string()),
        known.client_subject.clone().unwrap_or_default(),
        principal.unwrap_or_default(),
        or_dash(&connection.client_id),
        or_dash(&connection.software),
        connection.generation.to_string(),
        connection.in_flight.to_string(),
        connection.requests.to_string(),
        size(connection.client_bytes),
        size(connection.broker_bytes),
        duration(connection.age_seconds),
        connection.state.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{ClientDetails, TlsDetails};

    #[test]
    fn sessions_stand_in_order_and_hostile_ids_do_no_harm() {
        let connection = |id, client_id: &str| ConnectionInfo {
            id,
            cluster: "orders".into(),
            client_id: Some(client_id.into()),
            client_bytes: 2048,
            state: "open".into(),
            ..ConnectionInfo::default()
        };
        let text = render(&[connection(7, "late"), connection(3, "\u{1b}[31mred")]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines[1].contains("\\u{1b}[31mred") && lines[1].contains("2.0 KiB"),
            "{text}"
        );
        assert!(lines[2].contains("late"), "{text}");
        assert_eq!(render(&[]), "no connections\n");
    }

    #[test]
    fn what_is_known_of_no_client_takes_no_column() {
        let columns = |text: &str| text.lines().next().unwrap().to_owned();
        let optional = ["VIA", "SNI", "TLS", "SUBJECT", "PRINCIPAL"];
        let plain = columns(&render(&[ConnectionInfo::default()]));
        assert!(optional.iter().all(|column| !plain.contains(column)), "{plain}");
        let authenticated = ConnectionInfo {
            known: ClientDetails {
                sasl_mechanism: Some("GSSAPI".into()),
                tls: Some(TlsDetails {
                    version: "TLSv1.3".into(),
                    ..TlsDetails::default()
                }),
                sni: Some("orders.kafka.example.com".into()),
                ..ClientDetails::default()
            },
            ..ConnectionInfo::default()
        };
        let known = render(&[ConnectionInfo::default(), authenticated]);
        let shown = columns(&known);
        let found = optional.map(|column| shown.contains(column));
        assert_eq!(found, [false, true, true, false, true], "{shown}");
        for cell in ["orders.kafka.example.com", "TLSv1.3", "(GSSAPI)"] {
            assert!(known.contains(cell), "{known}");
        }
    }
}
