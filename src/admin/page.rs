//! The status page: the overview as HTML, in one document that needs nothing else.
//!
//! The server writes all of it, so that it can be read without JavaScript. The script in it asks for the changing part again
//! and again, and puts in what differs.

mod clusters;
mod config;
mod history;
mod html;
mod summary;
mod tables;

use aws_lc_rs::rand;
use data_encoding::BASE64;
use hyper::http::HeaderValue;

use crate::control::Overview;
use html::Html;

const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// A nonce of a response: only what bears it is applied and run (Content Security Policy Level 3 §2.3.1).
#[derive(Debug)]
pub(super) struct Nonce(String);

impl Nonce {
    /// Makes one that nobody can foresee; `None` if the system gives no random bytes.
    pub(super) fn new() -> Option<Self> {
        let mut bytes = [0; 16];
        rand::fill(&mut bytes).ok()?;
        Some(Self(BASE64.encode(&bytes)))
    }

    /// Returns the value of `Content-Security-Policy` for the page with this nonce.
    pub(super) fn policy(&self) -> Option<HeaderValue> {
        let nonce = &self.0;
        let policy = format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; \
             img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        );
        HeaderValue::try_from(policy).ok()
    }
}

/// Writes the page around the changing part, which has `tag`.
pub(super) fn whole(nonce: &Nonce, live: &[u8], tag: &str) -> Vec<u8> {
    let mut head = Html::default();
    head.raw(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>kproxy</title>\n",
    )
    .raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
    .raw("<meta name=\"color-scheme\" content=\"light dark\">\n")
    .raw(concat!(
        "<link rel=\"icon\" href=\"",
        include_str!("page/icon.txt"),
        "\">\n"
    ))
    .raw("<style nonce=\"")
    .text(&nonce.0)
    .raw("\">\n")
    .raw(STYLE)
    .raw("</style>\n</head>\n<body>\n")
    .raw("<a class=\"skip\" href=\"#clusters\">Skip to the virtual clusters</a>\n")
    .raw("<p id=\"said\" class=\"unseen\" role=\"status\" aria-live=\"polite\"></p>\n")
    .raw("<div id=\"live\" data-tag=\"")
    .text(tag)
    .raw("\">");
    let mut foot = Html::default();
    foot.raw("</div>\n<footer>\n<nav aria-label=\"For programs\"><a href=\"/overview\">overview</a> ")
        .raw("<a href=\"/status\">status</a> <a href=\"/connections\">connections</a> ")
        .raw("<a href=\"/metrics\">metrics</a></nav>\n")
        .raw("<noscript><p>Without JavaScript this page shows the moment at which it was loaded.</p></noscript>\n")
        .raw("</footer>\n<script nonce=\"")
        .text(&nonce.0)
        .raw("\">\n")
        .raw(SCRIPT)
        .raw("</script>\n</body>\n</html>\n");
    [head.finish().as_bytes(), live, foot.finish().as_bytes()].concat()
}

/// Writes the changing part of the page.
pub(super) fn live(overview: &Overview) -> Vec<u8> {
    let mut html = Html::default();
    summary::header(overview, &mut html);
    html.raw("<main>\n");
    summary::notices(overview, &mut html);
    summary::figures(overview, &mut html);
    clusters::write(overview, &mut html);
    tables::drains(&overview.drains, &mut html);
    config::write(overview, &mut html);
    history::write(overview, &mut html);
    tables::limits(&overview.limits, &mut html);
    tables::warnings(&overview.warnings, &mut html);
    tables::certificates(&overview.certificates, &mut html);
    html.raw("</main>\n");
    html.finish().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "<script>alert('&\"')</script>";

    /// An overview in which every text is hostile.
    fn hostile() -> Overview {
        let node = serde_json::json!({"id": 1, "advertised": HOSTILE, "upstream": HOSTILE});
        let reload = serde_json::json!({
            "outcome": "rejected", "errors": [HOSTILE], "added": [HOSTILE], "modified": [HOSTILE], "removed": [HOSTILE],
            "excerpts": [{"file": "", "line": 1, "first_line": 1, "lines": [HOSTILE]}],
        });
        let overview = serde_json::json!({
            "version": HOSTILE, "started": HOSTILE,
            "config": {"path": HOSTILE, "hash": HOSTILE, "last_reload": reload, "last_renewal": reload,
                "retry": {"attempts": 1, "next_attempt_seconds": 2.0}},
            "totals": {"states": {HOSTILE: 1}},
            "view": {"search": HOSTILE, "state": HOSTILE, "sort": HOSTILE, "pages": 3, "page": 2},
            "clusters": [{"name": HOSTILE, "state": HOSTILE, "cause": HOSTILE,
                "gateways": [{"name": HOSTILE, "bootstrap": HOSTILE, "nodes": [node]}],
                "upstream": [{"address": HOSTILE, "up": false, "failing_since": HOSTILE, "cause": HOSTILE, "detail": HOSTILE}]}],
            "history": {"total": 1, "first": [{"before": 1, "generation": 2, "at": HOSTILE}]},
            "difference": {"generation": 2, "text": format!("+{HOSTILE}")},
            "drains": {"total": 1, "first": [{"cluster": HOSTILE, "strategy": HOSTILE}]},
            "certificates": {"total": 1, "first": [{"file": HOSTILE, "expires": HOSTILE}]},
            "warnings": {"total": 1, "first": [HOSTILE]},
            "limits": {"total": 1, "first": [{"limit": HOSTILE, "virtual_cluster": HOSTILE, "since": HOSTILE,
                "counted": HOSTILE, "usage": HOSTILE, "meaning": HOSTILE, "advice": HOSTILE}]},
        });
        serde_json::from_value(overview).unwrap()
    }

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let page = String::from_utf8(live(&hostile())).unwrap();
        assert!(!page.contains("<script"), "{page}");
        let shown = page.matches("&lt;script&gt;alert(&#39;&amp;&quot;&#39;)").count();
        assert!(shown >= 25, "{shown} times in {page}");
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere_and_runs_nothing_without_a_nonce() {
        let nonce = Nonce::new().unwrap();
        let policy = nonce.policy().unwrap();
        let page = String::from_utf8(whole(&nonce, &live(&hostile()), "\"tag\"")).unwrap();
        for inline in [
            " style=",
            " onclick",
            " onload",
            "javascript:",
            "http://",
            "https://",
            "url(",
        ] {
            let found = page.replace("http://www.w3.org/2000/svg", "");
            assert!(!found.contains(inline), "{inline} in {page}");
        }
        assert_eq!(
            page.matches("<script").count(),
            page.matches("<script nonce=\"").count()
        );
        assert!(policy.to_str().unwrap().contains(&nonce.0), "{policy:?}");
        assert_ne!(Nonce::new().unwrap().0, nonce.0);
    }
}
