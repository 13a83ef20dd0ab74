//! The top of the page: what runs, what needs somebody, and the figures.

use super::html::{Html, bytes, counted, grouped, rate};
use crate::admin::overview::link;
use crate::control::{Overview, OverviewView, ProbationStatus};
use crate::reload::Outcome;
use crate::time::rfc3339;

/// Certificates that expire within so many days are said at the top.
const SOON_DAYS: i64 = 14;

/// Writes the header. Its attributes carry what the script says: the title of the window, and the sentence for those who do
/// not see the page.
pub(super) fn header(overview: &Overview, html: &mut Html) {
    let notices = collect(overview);
    let title = match notices.len() {
        0 => "kproxy".to_owned(),
        count => format!("({count}) kproxy"),
    };
    html.raw("<header data-title=\"")
        .text(title)
        .raw("\" data-say=\"");
    html.text(sentence(overview, &notices)).raw("\">\n");
    html.raw("<h1><svg viewBox=\"0 0 32 32\" width=\"28\" height=\"28\" aria-hidden=\"true\"><rect width=\"32\" height=\"32\" rx=\"7\"/>")
        .raw("<path d=\"M9 7v18M9 16h6l8-9M15 16l8 9\"/></svg>kproxy</h1>\n<p class=\"process\">");
    html.text(&overview.version).raw(" · process ").text(overview.pid);
    html.raw(" · generation <b>")
        .text(overview.generation)
        .raw("</b> · started ");
    html.time(&overview.started).raw("</p>\n");
    html.raw("<p id=\"link\" data-keep>not updating</p>\n</header>\n");
}

/// Something that needs somebody.
struct Notice {
    class: &'static str,
    title: String,
    text: String,
    link: Option<String>,
}

impl Notice {
    fn new(class: &'static str, title: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            class,
            title: title.into(),
            text: text.into(),
            link: None,
        }
    }
}

/// Writes what needs somebody, the worst first.
pub(super) fn notices(overview: &Overview, html: &mut Html) {
    let notices = collect(overview);
    html.raw("<section aria-labelledby=\"attention\">\n<h2 id=\"attention\" class=\"unseen\">What needs attention</h2>\n");
    if notices.is_empty() {
        html.raw("<p class=\"notice good\"><strong>All is well.</strong> ");
        html.text(sentence(overview, &notices)).raw("</p>\n");
    } else {
        html.raw("<ul class=\"notices\">\n");
        for notice in notices {
            html.raw("<li class=\"notice ")
                .raw(notice.class)
                .raw("\"><strong>");
            match &notice.link {
                Some(link) => html
                    .raw("<a href=\"")
                    .text(link)
                    .raw("\">")
                    .text(notice.title)
                    .raw("</a>"),
                None => html.text(notice.title),
            };
            html.raw("</strong> ").text(notice.text).raw("</li>\n");
        }
        html.raw("</ul>\n");
    }
    html.raw("</section>\n");
}

fn collect(overview: &Overview) -> Vec<Notice> {
    let mut notices = of_config(overview);
    let state = |state: &str| overview.totals.states.get(state).copied().unwrap_or_default();
    for (name, class, meaning) in [
        ("failed", "bad", "Its listeners could not be bound or restored."),
        ("degraded", "bad", "Brokers cannot be reached."),
    ] {
        if let count @ 1.. = state(name) {
            let mut notice = Notice::new(
                class,
                format!("{} {name}.", counted(count, "virtual cluster")),
                meaning,
            );
            notice.link = Some(link(&OverviewView::default(), |view| view.state = name.into()));
            notices.push(notice);
        }
    }
    if let count @ 1.. = overview.limits.total {
        let mut notice = Notice::new(
            "warn",
            format!("{} reached.", counted(count, "limit")),
            "Clients wait or are refused.",
        );
        notice.link = Some("#limits".into());
        notices.push(notice);
    }
    let expires = overview.certificates.first.first();
    if let Some(first) = expires.filter(|first| first.days_left < SOON_DAYS) {
        let (class, what) = match first.days_left {
            ..0 => ("bad", "A certificate has expired.".to_owned()),
            days => (
                "warn",
                format!(
                    "A certificate expires in {}.",
                    counted(usize::try_from(days).unwrap_or_default(), "day")
                ),
            ),
        };
        let mut notice = Notice::new(class, what, first.file.clone());
        notice.link = Some("#certificates".into());
        notices.push(notice);
    }
    if let count @ 1.. = overview.warnings.total {
        let mut notice = Notice::new("warn", format!("{} in force.", counted(count, "warning")), "");
        notice.link = Some("#warnings".into());
        notices.push(notice);
    }
    notices
}

fn of_config(overview: &Overview) -> Vec<Notice> {
    let config = &overview.config;
    let mut notices = Vec::new();
    let last = config
        .last_reload
        .as_ref()
        .filter(|last| !last.outcome.is_success() && last.outcome != Outcome::Staged);
    if let Some(last) = last {
        let errors = counted(overview.last_reload_counts.errors, "error");
        let (what, text) = match last.outcome {
            Outcome::Rejected => (
                "The last reload was rejected:",
                "The configuration before it keeps running.",
            ),
            Outcome::RolledBack => (
                "The last reload was rolled back:",
                "The configuration before it runs again.",
            ),
            _ => (
                "The last reload failed:",
                "Some virtual clusters may not be served.",
            ),
        };
        let mut notice = Notice::new("bad", format!("{what} {errors}."), text);
        notice.link = Some("#reload".into());
        notices.push(notice);
    }
    if !config.in_sync {
        let path = config.path.as_deref().unwrap_or("the file");
        let restored = config.restored_generation.map_or_else(String::new, |restored| {
            format!(", which a rollback brought back from generation {restored}")
        });
        let runs = overview.generation;
        let text = format!("{path} says something else than what runs (generation {runs}{restored}).");
        notices.push(Notice::new("bad", "File and running configuration differ.", text));
    }
    if let Some(staged) = &config.staged {
        let text = format!("It was staged by {}: kproxy approve {}", staged.by, staged.id);
        notices.push(Notice::new("warn", "A reload waits for approval.", text));
    }
    if let Some(confirm) = &config.confirm {
        let (previous, until) = (confirm.previous_generation, rfc3339(confirm.until));
        let text =
            format!("Generation {previous} comes back at {until}, unless it is confirmed: kproxy confirm");
        notices.push(Notice::new("warn", "What runs waits for a confirmation.", text));
    }
    notices.extend(overview.probation.as_ref().and_then(of_probation));
    if let Some(retry) = &config.retry {
        let text = format!("{} so far.", counted(retry.attempts as usize, "attempt"));
        notices.push(Notice::new("warn", "The reload is tried again.", text));
    }
    notices
}

/// The notice of a probation that runs, or that has taken a change back.
fn of_probation(probation: &ProbationStatus) -> Option<Notice> {
    let (generation, healthy) = (probation.generation, probation.healthy_generation);
    match &*probation.verdict {
        "watching" => Some(Notice::new(
            "warn",
            "Changed virtual clusters are watched.",
            format!("Generation {healthy} comes back if generation {generation} makes something worse."),
        )),
        "degraded" => {
            let worse = probation
                .clusters
                .iter()
                .find(|cluster| cluster.verdict == "degraded");
            let figures = worse.map_or_else(String::new, |worse| {
                format!(" Virtual cluster {}: {}.", worse.cluster, worse.figures)
            });
            let text = format!("Generation {generation} made things worse.{figures}");
            Some(Notice::new("bad", "A change was taken back.", text))
        }
        _ => None,
    }
}

/// The state in one sentence.
fn sentence(overview: &Overview, notices: &[Notice]) -> String {
    let total = overview.totals.clusters;
    let serving = overview.totals.states.get("serving").copied().unwrap_or_default();
    let clusters = format!(
        "{} of {} serve",
        grouped(serving),
        counted(total, "virtual cluster")
    );
    let reload = overview
        .config
        .last_reload
        .as_ref()
        .map_or_else(String::new, |last| {
            let outcome = last.outcome.name().replace('_', " ");
            format!(" Last reload {outcome}, generation {} runs.", overview.generation)
        });
    let needs = match notices {
        [] => String::new(),
        notices => {
            let titles: Vec<&str> = notices.iter().map(|notice| notice.title.as_str()).collect();
            format!(" {}", titles.join(" "))
        }
    };
    format!("{clusters}.{reload}{needs}")
}

/// Writes the figures of the whole process.
pub(super) fn figures(overview: &Overview, html: &mut Html) {
    let totals = &overview.totals;
    html.raw("<section aria-labelledby=\"figures\">\n<h2 id=\"figures\" class=\"unseen\">Figures</h2>\n<dl class=\"figures\">\n");
    let mut figure = |name: &'static str, value: String| {
        html.raw("<div>")
            .element("dt", name)
            .element("dd", value)
            .raw("</div>\n");
    };
    figure("virtual clusters", grouped(totals.clusters));
    figure("sessions", grouped(totals.connections));
    figure("requests in flight", grouped(totals.in_flight));
    let rates = totals.rates;
    let or_unknown = |value: Option<String>| value.unwrap_or_else(|| "–".into());
    figure("requests/s", or_unknown(rates.map(|rates| rate(rates.requests))));
    figure(
        "from clients/s",
        or_unknown(rates.map(|rates| bytes(rates.client_bytes))),
    );
    figure(
        "from brokers/s",
        or_unknown(rates.map(|rates| bytes(rates.broker_bytes))),
    );
    html.raw("</dl>\n</section>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{ConfirmStatus, ProbationClusterStatus};

    #[test]
    fn a_confirmation_that_is_due_and_a_probation_are_said_at_the_top() {
        let mut overview = Overview::default();
        overview.config.in_sync = true;
        overview.config.confirm = Some(ConfirmStatus {
            previous_generation: 3,
            ..ConfirmStatus::default()
        });
        let watched = |verdict: &str| ProbationStatus {
            generation: 5,
            healthy_generation: 4,
            verdict: verdict.to_owned().into(),
            clusters: vec![ProbationClusterStatus {
                cluster: "<orders>".into(),
                verdict: verdict.to_owned().into(),
                figures: "12 of 12 sessions failed".into(),
            }],
            ..ProbationStatus::default()
        };
        let page = |overview: &Overview| {
            let mut html = Html::default();
            notices(overview, &mut html);
            html.finish()
        };
        overview.probation = Some(watched("watching"));
        let shown = page(&overview);
        assert!(shown.contains("What runs waits for a confirmation."), "{shown}");
        assert!(
            shown.contains("Generation 3 comes back at 1970-01-01T00:00:00.000Z"),
            "{shown}"
        );
        assert!(
            shown.contains("Generation 4 comes back if generation 5"),
            "{shown}"
        );
        overview.probation = Some(watched("degraded"));
        let shown = page(&overview);
        assert!(shown.contains("A change was taken back."), "{shown}");
        assert!(
            shown.contains("&lt;orders&gt;: 12 of 12 sessions failed."),
            "{shown}"
        );
        overview.probation = Some(watched("healthy"));
        assert!(!page(&overview).contains("taken back"));
    }
}
