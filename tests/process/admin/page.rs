//! The overview and the status page, asked for by hand. `tests/browser` looks at the page in a browser.

use std::net::SocketAddr;
use std::sync::Arc;

use kproxy::admin::SocketPath;
use serde_json::Value;

use super::fake::{Fake, HOSTILE};
use super::http::{Reply, get, request};

fn overview(at: SocketAddr, query: &str) -> Value {
    let reply = get(at, &format!("/overview{query}"));
    assert_eq!(reply.status, 200, "{query}: {}", reply.body);
    assert_eq!(reply.headers["content-type"], "application/json");
    serde_json::from_str(&reply.body).unwrap()
}

fn names(overview: &Value) -> Vec<&str> {
    let clusters = overview["clusters"].as_array().unwrap();
    clusters
        .iter()
        .map(|cluster| cluster["name"].as_str().unwrap())
        .collect()
}

/// What `Content-Security-Policy` says of scripts.
fn nonce(page: &Reply) -> String {
    let policy = &page.headers["content-security-policy"];
    let (_, rest) = policy.split_once("script-src 'nonce-").unwrap();
    rest.split_once('\'').unwrap().0.to_owned()
}

/// Promise 2.
#[test]
fn the_status_page_escapes_and_runs_only_what_bears_the_nonce_of_the_answer() {
    let fake = Fake::start();
    let admin = fake.admin(None, SocketPath::Off).unwrap();
    let page = get(admin.http().unwrap(), "/");
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let policy = &page.headers["content-security-policy"];
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe"),
        "{policy}"
    );
    assert!(
        page.body.contains("&lt;i&gt;") && !page.body.contains("<i>"),
        "{}",
        page.body
    );
    let nonce_of_page = nonce(&page);
    for element in ["script", "style"] {
        let marked = format!("<{element} nonce=\"{nonce_of_page}\">");
        assert_eq!(page.body.matches(&marked).count(), 1, "{element}");
        assert_eq!(page.body.matches(&format!("<{element}")).count(), 1, "{element}");
    }
    assert_ne!(nonce(&get(admin.http().unwrap(), "/")), nonce_of_page);
    let part = request(admin.http().unwrap(), "GET /overview HTTP/1.1\nAccept: text/html");
    assert_eq!(part.headers["content-type"], "text/html; charset=utf-8");
    assert!(part.headers["content-security-policy"].contains("default-src 'none'"));
    assert!(part.body.contains("&lt;i&gt;") && !part.body.contains("<script"));
}

/// Promise 11.
#[test]
fn who_has_the_overview_is_not_sent_it_again_until_it_differs() {
    let fake = Fake::start();
    let admin = fake.admin(None, SocketPath::Off).unwrap();
    let at = admin.http().unwrap();
    for accept in ["text/html", "application/json"] {
        let first = request(at, &format!("GET /overview HTTP/1.1\nAccept: {accept}"));
        let tag = first.headers["etag"].clone();
        let again = || {
            let head = format!("GET /overview HTTP/1.1\nAccept: {accept}\nIf-None-Match: {tag}");
            request(at, &head)
        };
        let same = again();
        assert_eq!((same.status, same.body.as_str()), (304, ""), "{accept}");
        fake.with(|facts| facts.clusters.push((format!("new-{accept}"), Arc::default())));
        testkit::wait::eventually("a new cluster is in the overview", || {
            let answer = again();
            answer.status == 200 && answer.body.contains(&format!("new-{accept}"))
        });
    }
}

/// Promise 11.
#[test]
fn of_ten_thousand_clusters_one_page_and_the_sums_are_shown() {
    let fake = Fake::start();
    let admin = fake.admin(None, SocketPath::Off).unwrap();
    let at = admin.http().unwrap();
    let few = get(at, "/overview").body.len();
    let clusters = (0..10_000).map(|number| (format!("cluster-{number:05}"), Arc::default()));
    let fake = Fake::start();
    fake.with(|facts| facts.clusters = clusters.collect());
    let admin = fake.admin(None, SocketPath::Off).unwrap();
    let at = admin.http().unwrap();
    let first = overview(at, "");
    assert_eq!(first["totals"]["clusters"], 10_000);
    assert_eq!(first["totals"]["states"]["serving"], 10_000);
    assert_eq!(first["totals"]["connections"], 20_000);
    assert_eq!(first["view"]["pages"], 200);
    assert_eq!(names(&first).len(), 50);
    assert!(get(at, "/overview").body.len() < 80 * few);
    let last = overview(at, "?page=200&sort=name");
    assert_eq!(names(&last)[49], "cluster-09999");
    let beyond = overview(at, "?page=99999&sort=name");
    assert_eq!(beyond["view"]["page"], 200);
    let found = overview(at, "?search=ER-0123&sort=connections&state=serving");
    assert_eq!(found["view"]["matching"], 10);
    assert_eq!(names(&found)[0], "cluster-01230");
    assert_eq!(overview(at, "?state=failed")["view"]["matching"], 0);
    let page = get(at, "/?search=ER-0123").body;
    assert!(page.contains("cluster-01239") && !page.contains("cluster-01240"));
    assert!(
        page.contains("value=\"er-0123\""),
        "the form has what was searched for"
    );
}

/// Promise 6.
#[test]
fn a_view_that_there_is_not_is_refused() {
    let fake = Fake::start();
    let admin = fake.admin(None, SocketPath::Off).unwrap();
    let at = admin.http().unwrap();
    for query in ["?sort=size", "?state=well", "?page=one", "?size=9", "?search=%ff"] {
        for path in ["/overview", "/"] {
            assert_eq!(get(at, &format!("{path}{query}")).status, 400, "{path}{query}");
        }
    }
    assert_eq!(overview(at, "?search=%3Ci%3E")["clusters"][0]["name"], HOSTILE);
}
