//! A plan for people: one screen, or everything.

use std::fmt::Write as _;

use crate::cli::table::{Align, Table, count, visible};
use crate::control::{
    CertificateExchange, PlanReport, PlanSummary, PlanVerdict, PlannedAction, PlannedCluster,
};

/// Most virtual clusters that are shown without `--details`.
const MAX_CLUSTERS: usize = 20;

/// Most exchanged certificates that are shown without `--details`.
const MAX_CERTIFICATES: usize = 5;

const COLUMNS: [(&str, Align); 6] = [
    ("CLUSTER", Align::Left),
    ("ACTION", Align::Left),
    ("CLASS", Align::Left),
    ("LIVE", Align::Optional),
    ("DRAINED", Align::Optional),
    ("CAUSE", Align::Left),
];

/// The plan as text. `details`: every virtual cluster, each with all that is known.
pub(in crate::cli::commands) fn render(report: &PlanReport, details: bool) -> String {
    let mut text = verdict(report);
    let is_read = report.errors.is_empty() || !report.clusters.is_empty() || !report.process.is_empty();
    if report.verdict == PlanVerdict::Unchanged || !is_read {
        return text;
    }
    text.push_str(&summary(report, details));
    let (shown, exchanges) = match details {
        true => (usize::MAX, usize::MAX),
        false => (MAX_CLUSTERS, MAX_CERTIFICATES),
    };
    if !report.clusters.is_empty() {
        text.push('\n');
        text.push_str(&clusters(&report.clusters[..report.clusters.len().min(shown)]));
        more(&mut text, report.clusters.len().saturating_sub(shown), "virtual cluster");
    }
    if !report.certificates.is_empty() {
        text.push('\n');
        for exchange in report.certificates.iter().take(exchanges) {
            text.push_str(&certificate(exchange));
        }
        more(&mut text, report.certificates.len().saturating_sub(exchanges), "certificate");
    }
    if details {
        report.clusters.iter().for_each(|cluster| in_detail(&mut text, cluster));
    }
    text
}

fn more(text: &mut String, hidden: usize, noun: &str) {
    if hidden > 0 {
        line(text, &format!("and {} more; --details shows all", count(hidden, noun)));
    }
}

/// Writing to a string cannot fail.
fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").unwrap_or_default();
}

fn verdict(report: &PlanReport) -> String {
    let against = match report.generation {
        Some(generation) => format!("generation {generation}"),
        None => "the other file".to_owned(),
    };
    match (report.verdict, report.summary.connections) {
        (PlanVerdict::Unchanged, _) => format!("nothing to do: the file means the same as {against}\n"),
        (PlanVerdict::Undisturbed, Some(_)) => {
            format!("a reload would change {against}, and drain no connection\n")
        }
        (PlanVerdict::Undisturbed, None) => {
            format!("a reload would turn {against} into this one, and drain no connection\n")
        }
        (PlanVerdict::Drains, Some(found)) => {
            let drained = count(found.drained, "connection");
            let moved = match found.moved {
                0 => String::new(),
                moved => format!(", and move {moved}"),
            };
            format!("a reload would change {against}, and drain {drained} of {}{moved}\n", found.live)
        }
        (PlanVerdict::Drains, None) => {
            format!("a reload would turn {against} into this one, and may drain connections\n")
        }
        (PlanVerdict::Rejected, _) => {
            format!("a reload would be rejected: {}\n", count(report.errors.len(), "reason"))
        }
    }
}

fn summary(report: &PlanReport, details: bool) -> String {
    let PlanSummary {
        added,
        modified,
        removed,
        moved,
        unchanged,
        classes,
        connections,
        listeners_bound,
        listeners_released,
    } = &report.summary;
    let mut text = String::new();
    let moved = match moved {
        0 => String::new(),
        moved => format!(" ({moved} of them moved)"),
    };
    line(
        &mut text,
        &format!(
            "  clusters     {added} added, {modified} modified, {removed} removed{moved}, {unchanged} unchanged"
        ),
    );
    let by_class: Vec<String> = classes.iter().map(|(class, number)| format!("{number} {class}")).collect();
    if !by_class.is_empty() {
        line(&mut text, &format!("  classes      {}", by_class.join(", ")));
    }
    for key in report.process.iter().take(if details { usize::MAX } else { MAX_KEYS }) {
        line(&mut text, &format!("  process      {} ({})", visible(&key.key), visible(&key.class)));
    }
    match report.process.len().saturating_sub(MAX_KEYS) {
        hidden @ 1.. if !details => line(&mut text, &format!("               and {hidden} more")),
        _ => {}
    }
    if let Some(found) = connections {
        let stay = found.live.saturating_sub(found.drained + found.moved);
        let mut parts = vec![format!("{} drained", found.drained)];
        if found.moved > 0 {
            parts.push(format!("{} moved", found.moved));
        }
        if found.verified_again > 0 {
            parts.push(format!("{} verified again ({} refused)", found.verified_again, found.refused));
        }
        parts.push(format!("{stay} stay"));
        line(&mut text, &format!("  connections  {}", parts.join(", ")));
    }
    let handed_over = match report.handovers.len() {
        0 => String::new(),
        number => format!(", {number} handed over from another address"),
    };
    line(
        &mut text,
        &format!("  listeners    {listeners_bound} bound, {listeners_released} released{handed_over}"),
    );
    text
}

fn clusters(shown: &[PlannedCluster]) -> String {
    let mut table = Table::new(COLUMNS);
    for cluster in shown {
        let number = |of: fn(&crate::control::PlannedConnections) -> usize| {
            cluster.connections.as_ref().map_or_else(String::new, |found| of(found).to_string())
        };
        table.row([
            cluster.name.clone(),
            cluster.action.name().to_owned(),
            cluster.class.to_string(),
            number(|found| found.live),
            number(|found| found.drained),
            cause(cluster),
        ]);
    }
    table.render()
}

/// Most keys that are named for one virtual cluster, or for the process, without `--details`.
const MAX_KEYS: usize = 3;

fn cause(cluster: &PlannedCluster) -> String {
    if let Some(moved_to) = &cluster.moved_to {
        return format!("moved to {moved_to}");
    }
    let keys = cluster.keys.iter().take(MAX_KEYS).map(|key| short(&key.key));
    let named = keys.collect::<Vec<_>>().join(", ");
    match cluster.keys.len().saturating_sub(MAX_KEYS) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// A key without the path to it that all have.
fn short(key: &str) -> &str {
    key.strip_prefix("virtualClusters[].").unwrap_or(key)
}

fn certificate(exchange: &CertificateExchange) -> String {
    let CertificateExchange {
        role,
        before,
        after,
        clusters,
        uses,
    } = exchange;
    let until = |not_after: &Option<String>| match not_after {
        Some(at) => format!(" until {at}"),
        None => String::new(),
    };
    let role = match role.as_ref() {
        "gateway" => "certificate",
        "broker_client" => "client certificate",
        "trust" => "trust store",
        other => other,
    };
    let users = match (clusters.first(), uses) {
        (Some(only), 1) => only.clone(),
        _ => count(*uses, "virtual cluster"),
    };
    format!(
        "{role} {} of {}: {}{} in place of {}{}\n",
        visible(&after.file),
        visible(&users),
        visible(&after.subject),
        until(&after.not_after),
        visible(&before.subject),
        until(&before.not_after),
    )
}

fn in_detail(text: &mut String, cluster: &PlannedCluster) {
    line(text, &format!("\n{} {}", cluster.action.name(), visible(&cluster.name)));
    if let (PlannedAction::Remove, Some(moved_to)) = (cluster.action, &cluster.moved_to) {
        line(text, &format!("  {} takes its place", visible(moved_to)));
    }
    for key in &cluster.keys {
        line(text, &format!("  {} ({}: {})", visible(&key.key), key.class, key.effect));
    }
    if let Some(moved) = cluster.connections.map(|found| found.moved).filter(|&moved| moved > 0) {
        let moved = count(moved, "connection");
        line(text, &format!("  {moved} moved to the new target, if it is the same Kafka cluster; drained otherwise"));
    }
    if let Some(found) = cluster.connections.filter(|found| found.verified_again > 0) {
        let (again, refused) = (count(found.verified_again, "connection"), found.refused);
        line(text, &format!("  {again} verified again, {refused} refused"));
    }
    for drain in &cluster.drains {
        let who = drain.connections.map_or_else(
            || "connections may be drained".to_owned(),
            |number| format!("{} drained", count(number, "connection")),
        );
        line(text, &format!("  {who}: {}", visible(&drain.detail)));
    }
    for client in &cluster.clients {
        let client_id = client.client_id.as_deref().map_or_else(|| "no client id".to_owned(), visible);
        let principal = client.principal.as_deref().map(|name| format!(" ({})", visible(name)));
        let number = count(client.connections, "connection");
        line(text, &format!("    {client_id}{}: {number}", principal.unwrap_or_default()));
    }
    if cluster.more_clients > 0 {
        line(text, &format!("    and {}", count(cluster.more_clients, "more client")));
    }
    for (what, addresses) in [("binds", &cluster.listeners_bound), ("releases", &cluster.listeners_released)] {
        if !addresses.is_empty() {
            line(text, &format!("  {what} {}", addresses.join(", ")));
        }
    }
}
