//! The table of virtual clusters, one page of it, with what chooses the page.

use super::html::{Html, bytes, counted, grouped, rate};
use crate::admin::overview::{STATES, link};
use crate::control::{ClusterRow, ClusterStatus, GatewayStatus, Overview, OverviewView, UpstreamStatus};

/// Nodes and brokers of a gateway that are shown.
const SHOWN: usize = 30;

/// Columns: heading, and the order that a press on it asks for.
const COLUMNS: [(&str, Option<&str>); 7] = [
    ("Name", Some("name")),
    ("State", Some("problems")),
    ("Sessions", Some("connections")),
    ("In flight", Some("in_flight")),
    ("Requests/s", Some("requests")),
    ("Bytes/s", Some("bytes")),
    ("Addresses", None),
];

const ORDERS: [(&str, &str); 6] = [
    ("problems", "problems first"),
    ("name", "name"),
    ("connections", "sessions"),
    ("in_flight", "in flight"),
    ("requests", "requests per second"),
    ("bytes", "bytes per second"),
];

pub(super) fn write(overview: &Overview, html: &mut Html) {
    html.raw(
        "<section aria-labelledby=\"clusters\">\n<h2 id=\"clusters\" tabindex=\"-1\">Virtual clusters</h2>\n",
    );
    states(overview, html);
    form(&overview.view, html);
    if overview.clusters.is_empty() {
        html.raw("<p class=\"nothing\">No virtual cluster matches.</p>\n");
    } else {
        table(overview, html);
    }
    pages(&overview.view, html);
    html.raw("</section>\n");
}

/// Writes the states, each with its number, as links to the clusters in it.
fn states(overview: &Overview, html: &mut Html) {
    html.raw("<nav class=\"states\" aria-label=\"States\">\n");
    let view = &overview.view;
    let mut state = |name: &str, text: &str, count: usize| {
        let address = link(view, |view| name.clone_into(&mut view.state));
        html.raw("<a data-view href=\"").text(address).raw("\"");
        if view.state == name {
            html.raw(" aria-current=\"true\"");
        }
        html.raw(">")
            .text(text)
            .raw(" <b>")
            .text(grouped(count))
            .raw("</b></a>\n");
    };
    state("", "all", overview.totals.clusters);
    for name in STATES.map(|state| state.name()) {
        let count = overview.totals.states.get(name).copied().unwrap_or_default();
        if count > 0 || view.state == name {
            state(name, name, count);
        }
    }
    html.raw("</nav>\n");
}

fn form(view: &OverviewView, html: &mut Html) {
    html.raw(
        "<form id=\"view\" role=\"search\" aria-label=\"Virtual clusters\" action=\"/\" method=\"get\">\n",
    )
    .raw("<label for=\"search\">Name contains</label> <input id=\"search\" name=\"search\" type=\"search\" ")
    .raw("maxlength=\"200\" autocomplete=\"off\" spellcheck=\"false\" value=\"")
    .text(&view.search)
    .raw("\">\n<label for=\"sort\">Order</label> <select id=\"sort\" name=\"sort\">\n");
    for (name, text) in ORDERS {
        html.raw("<option value=\"").raw(name).raw("\"");
        if view.sort == name {
            html.raw(" selected");
        }
        html.raw(">").raw(text).raw("</option>\n");
    }
    html.raw("</select>\n<input type=\"hidden\" name=\"state\" value=\"")
        .text(&view.state);
    html.raw("\"><button>Show</button>\n</form>\n");
}

/// Writes the table. Its roles are given because on a narrow screen the style makes blocks of its cells.
fn table(overview: &Overview, html: &mut Html) {
    let view = &overview.view;
    html.raw("<table role=\"table\" class=\"clusters\" aria-labelledby=\"clusters\">\n<thead role=\"rowgroup\"><tr role=\"row\">");
    for (heading, order) in COLUMNS {
        html.raw("<th role=\"columnheader\" scope=\"col\"");
        let Some(order) = order else {
            html.raw(">").raw(heading).raw("</th>");
            continue;
        };
        if view.sort == order {
            let direction = if order == "name" {
                "ascending"
            } else {
                "descending"
            };
            html.raw(" aria-sort=\"").raw(direction).raw("\"");
        }
        let address = link(view, |view| view.sort = order.into());
        html.raw("><a data-view href=\"")
            .text(address)
            .raw("\">")
            .raw(heading)
            .raw("</a></th>");
    }
    html.raw("</tr></thead>\n<tbody role=\"rowgroup\">\n");
    for cluster in &overview.clusters {
        row(cluster, html);
    }
    html.raw("</tbody>\n</table>\n");
}

fn row(row: &ClusterRow, html: &mut Html) {
    let cluster = &row.status;
    html.raw("<tr role=\"row\" data-key=\"")
        .text(&cluster.name)
        .raw("\"><th role=\"rowheader\" scope=\"row\">");
    html.text(&cluster.name)
        .raw(" <small>generation ")
        .text(cluster.generation)
        .raw("</small></th>");
    html.raw("<td role=\"cell\" data-label=\"State\">");
    badge(&cluster.state, html);
    reasons(cluster, html);
    html.raw("</td>");
    let unknown = || "–".to_owned();
    let rates = row.rates;
    for (label, value) in [
        ("Sessions", grouped(cluster.connections)),
        ("In flight", grouped(cluster.in_flight)),
        (
            "Requests/s",
            rates.map_or_else(unknown, |rates| rate(rates.requests)),
        ),
        (
            "Bytes/s",
            rates.map_or_else(unknown, |rates| bytes(rates.bytes())),
        ),
    ] {
        html.raw("<td role=\"cell\" class=\"number\" data-label=\"")
            .raw(label)
            .raw("\">");
        html.text(value).raw("</td>");
    }
    html.raw("<td role=\"cell\" data-label=\"Addresses\">");
    addresses(cluster, html);
    html.raw("</td></tr>\n");
}

/// Writes a state with its colour. The word says it, too.
pub(super) fn badge(state: &str, html: &mut Html) {
    let class = match state {
        "serving" | "applied" | "unchanged" | "in sync" => "good",
        "failed" | "degraded" | "rejected" | "rolled back" | "differs from what runs" => "bad",
        _ => "warn",
    };
    html.raw("<span class=\"badge ")
        .raw(class)
        .raw("\">")
        .text(state)
        .raw("</span>");
}

/// Writes why a cluster is not well.
fn reasons(cluster: &ClusterStatus, html: &mut Html) {
    if let Some(cause) = &cluster.cause {
        html.raw("<p class=\"reason\">").text(cause).raw("</p>");
    }
    let failing = || cluster.upstream.iter().filter(|broker| broker.up == Some(false));
    if let Some(broker) = failing().next() {
        html.raw("<p class=\"reason\">").text(&broker.address).raw(": ");
        html.text(broker.detail.as_deref().unwrap_or("does not answer"));
        if let more @ 1.. = failing().count() - 1 {
            html.raw("; and ").text(counted(more, "more broker"));
        }
        html.raw("</p>");
    }
}

fn addresses(cluster: &ClusterStatus, html: &mut Html) {
    if cluster.gateways.is_empty() {
        html.raw("–");
        return;
    }
    let bootstraps: Vec<&str> = cluster
        .gateways
        .iter()
        .map(|gateway| gateway.bootstrap.as_str())
        .collect();
    html.raw("<details><summary>")
        .text(bootstraps.join(", "))
        .raw("</summary>");
    for found in &cluster.gateways {
        gateway(found, html);
    }
    if !cluster.upstream.is_empty() {
        html.raw("<p>brokers</p><ul>");
        cluster
            .upstream
            .iter()
            .take(SHOWN)
            .for_each(|found| broker(found, html));
        html.raw("</ul>");
        more(cluster.upstream.len(), html);
    }
    html.raw("</details>");
}

fn gateway(gateway: &GatewayStatus, html: &mut Html) {
    html.raw("<p>gateway <b>")
        .text(&gateway.name)
        .raw("</b>, bound to ")
        .text(gateway.bound)
        .raw("</p><ul>");
    for node in gateway.nodes.iter().take(SHOWN) {
        html.raw("<li>node ")
            .text(node.id)
            .raw(": ")
            .text(&node.advertised)
            .raw(" → ");
        html.text(node.upstream.as_deref().unwrap_or("not known yet"))
            .raw("</li>");
    }
    html.raw("</ul>");
    more(gateway.nodes.len(), html);
}

fn broker(broker: &UpstreamStatus, html: &mut Html) {
    html.raw("<li>").text(&broker.address).raw(": ");
    match broker.up {
        Some(true) => html.raw("answers"),
        None => html.raw("not tried for long"),
        Some(false) => {
            html.raw("fails");
            if let Some(since) = &broker.failing_since {
                html.raw(" since ").time(since);
            }
            let cause = broker.cause.as_deref().unwrap_or_default();
            html.raw(" (")
                .text(cause)
                .raw(", ")
                .text(counted(
                    usize::try_from(broker.failures).unwrap_or(usize::MAX),
                    "failure",
                ))
                .raw(")")
        }
    };
    if broker.tried_last {
        html.raw(", tried after the others");
    }
    html.raw("</li>");
}

fn more(total: usize, html: &mut Html) {
    if let more @ 1.. = total.saturating_sub(SHOWN) {
        html.raw("<p>and ").text(grouped(more)).raw(" more</p>");
    }
}

fn pages(view: &OverviewView, html: &mut Html) {
    let first = (view.page.max(1) - 1) * view.size;
    let last = (first + view.size).min(view.matching);
    html.raw("<nav class=\"pages\" aria-label=\"Pages\">\n<p>");
    match view.matching {
        0 => html.raw("0 virtual clusters"),
        matching => html.text(format!(
            "{}–{} of {}",
            grouped(first + 1),
            grouped(last),
            counted(matching, "virtual cluster")
        )),
    };
    html.raw("</p>\n");
    let mut step = |page: usize, text: &'static str| {
        if (1..=view.pages).contains(&page) && page != view.page {
            let address = link(view, |view| view.page = page);
            html.raw("<a data-view href=\"")
                .text(address)
                .raw("\">")
                .raw(text)
                .raw("</a>\n");
        }
    };
    if view.pages > 1 {
        step(1, "first page");
        step(view.page.wrapping_sub(1), "previous page");
        step(view.page + 1, "next page");
        step(view.pages, "last page");
    }
    html.raw("</nav>\n");
}
