//! The configuration: its file, and the last reload with its errors.

use super::clusters::badge;
use super::html::{Html, counted, grouped};
use crate::control::{ErrorExcerpt, Overview, ReloadCounts, ReloadReport};

pub(super) fn write(overview: &Overview, html: &mut Html) {
    let config = &overview.config;
    html.raw("<section aria-labelledby=\"reload\">\n<h2 id=\"reload\">Configuration</h2>\n<dl class=\"facts\">\n<dt>File</dt><dd>");
    html.text(config.path.as_deref().unwrap_or("none")).raw(" ");
    badge(
        if config.in_sync {
            "in sync"
        } else {
            "differs from what runs"
        },
        html,
    );
    html.raw("</dd>\n<dt>Runs</dt><dd>generation ")
        .text(overview.generation);
    if !config.hash.is_empty() {
        let short: String = config.hash.chars().take(12).collect();
        html.raw(", hash <code>").text(short).raw("</code>");
    }
    html.raw("</dd>\n</dl>\n");
    if let Some(last) = &config.last_reload {
        html.raw("<h3>Last reload</h3>\n");
        reload(last, overview.last_reload_counts, html);
    }
    if let Some(renewal) = &config.last_renewal {
        html.raw("<h3>Last renewal of files that the configuration refers to</h3>\n");
        reload(renewal, ReloadCounts::from(renewal), html);
    }
    html.raw("</section>\n");
}

fn reload(report: &ReloadReport, counts: ReloadCounts, html: &mut Html) {
    let at = crate::time::rfc3339(report.at);
    html.raw("<p>");
    badge(&report.outcome.name().replace('_', " "), html);
    html.raw(" ")
        .time(&at)
        .raw(" · asked for by ")
        .text(format_args!("{} ({})", report.trigger.name(), report.by))
        .raw(" · took ");
    html.text(format!("{:.1} ms", crate::time::millis(report.duration)))
        .raw("</p>\n");
    let changes = [
        ("added", counts.added, &report.added),
        ("modified", counts.modified, &report.modified),
        ("removed", counts.removed, &report.removed),
    ];
    if changes.iter().any(|(_, count, _)| *count > 0) {
        html.raw("<ul class=\"list\">\n");
        for (what, count, names) in changes.into_iter().filter(|(_, count, _)| *count > 0) {
            html.raw("<li>")
                .text(counted(count, "virtual cluster"))
                .raw(" ")
                .raw(what)
                .raw(": ");
            html.text(names.join(", "));
            if let more @ 1.. = count - names.len().min(count) {
                html.raw(" and ").text(grouped(more)).raw(" more");
            }
            html.raw("</li>\n");
        }
        html.raw("</ul>\n");
    }
    errors(report, counts, html);
}

fn errors(report: &ReloadReport, counts: ReloadCounts, html: &mut Html) {
    if report.errors.is_empty() {
        return;
    }
    html.raw("<ol class=\"errors\">\n");
    let mut excerpts: Vec<&ErrorExcerpt> = report.excerpts.iter().collect();
    for error in &report.errors {
        html.raw("<li><p>").text(error).raw("</p>");
        // The first of several errors on one line shows the lines.
        if let Some(place) = excerpts.iter().position(|excerpt| excerpt.is_blamed_by(error)) {
            lines(excerpts.remove(place), html);
        }
        html.raw("</li>\n");
    }
    html.raw("</ol>\n");
    if let more @ 1.. = counts.errors.saturating_sub(report.errors.len()) {
        html.raw("<p>and ")
            .text(counted(more, "more error"))
            .raw("</p>\n");
    }
}

/// Writes the lines around an error. They can be scrolled with the keyboard where they are too long.
fn lines(excerpt: &ErrorExcerpt, html: &mut Html) {
    html.raw("<pre class=\"excerpt\" tabindex=\"0\" role=\"region\" aria-label=\"Lines around line ");
    html.text(excerpt.line).raw("\"><code>");
    for (number, line) in (excerpt.first_line..).zip(&excerpt.lines) {
        match number == excerpt.line {
            true => html.raw("<span class=\"fault\"><b>").text(number).raw("</b>"),
            false => html.raw("<span><b>").text(number).raw("</b>"),
        };
        html.text(line).raw("\n</span>");
    }
    html.raw("</code></pre>");
}
