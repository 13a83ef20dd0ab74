//! The history: starts and reloads, the newest first, and what one of them changed in the files.

use super::clusters::badge;
use super::html::{Html, counted, grouped};
use crate::admin::overview::link;
use crate::control::{HistoryLine, Overview, ShownDifference};

pub(super) fn write(overview: &Overview, html: &mut Html) {
    let history = &overview.history;
    if history.total == 0 {
        return;
    }
    html.raw(
        "<section aria-labelledby=\"history\">\n<h2 id=\"history\">History</h2>\n<ol class=\"history\">\n",
    );
    for line in &history.first {
        html.raw("<li data-key=\"").text(line.id).raw("\">");
        entry(line, overview, html);
        html.raw("</li>\n");
    }
    html.raw("</ol>\n");
    if let more @ 1.. = history.left_out() {
        html.raw("<p>and ").text(grouped(more)).raw(" before them</p>\n");
    }
    html.raw("</section>\n");
}

fn entry(line: &HistoryLine, overview: &Overview, html: &mut Html) {
    html.raw("<p>");
    badge(&line.outcome.name().replace('_', " "), html);
    html.raw(" generation <b>")
        .text(line.generation)
        .raw("</b> · ")
        .time(&line.at);
    html.text(format_args!(" · {} ({})", line.trigger.name(), line.by));
    let changes = [
        ("added", line.added),
        ("modified", line.modified),
        ("removed", line.removed),
    ];
    for (what, count) in changes.into_iter().filter(|(_, count)| *count > 0) {
        html.text(format_args!(" · {} {what}", grouped(count)));
    }
    if line.errors > 0 {
        html.text(format_args!(" · {}", counted(line.errors, "error")));
    }
    let shown = overview
        .difference
        .as_ref()
        .filter(|shown| shown.generation == line.generation && line.before.is_some());
    if line.before.is_some() {
        let (page, generation) = (overview.view.page, shown.is_none().then_some(line.generation));
        let address = link(&overview.view, |view| {
            (view.page, view.generation) = (page, generation)
        });
        let label = if shown.is_some() {
            "hide changes of generation "
        } else {
            "show changes of generation "
        };
        html.raw(" · <a data-view href=\"")
            .text(address)
            .raw("\">")
            .raw(label)
            .text(line.generation)
            .raw("</a>");
    }
    html.raw("</p>");
    if let Some(shown) = shown {
        difference(shown, html);
    }
}

/// Writes a unified difference, line by line.
fn difference(shown: &ShownDifference, html: &mut Html) {
    html.raw("<pre class=\"excerpt\" tabindex=\"0\" role=\"region\" aria-label=\"Changes of generation ");
    html.text(shown.generation).raw("\"><code>");
    for line in shown.text.lines() {
        html.raw(match line.as_bytes().first() {
            Some(b'+') => "<span class=\"new\">",
            Some(b'-') => "<span class=\"old\">",
            _ => "<span>",
        });
        html.text(line).raw("\n</span>");
    }
    html.raw("</code></pre>");
}
