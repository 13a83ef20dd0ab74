//! What the page shows, and when.

use rustix::process::Signal;
use serde_json::json;
use testkit::binary::Binary;
use testkit::browser::require;
use testkit::client::Client;
use testkit::frames;

use super::scene::{Scene, text};

/// Promises 1 and 4.
#[test]
fn a_change_is_shown_and_announced_without_loading_the_page_again() {
    if !require() {
        return;
    }
    let scene = Scene::start(1200, 900, &["orders", "payments"]);
    let browser = &scene.browser;
    browser.expect_text("All is well.");
    browser.run("window.untouched = true");
    scene.write(&["orders", "payments", "shipping"]);
    browser.expect_text("shipping");
    browser.expect(
        "return document.getElementById('said').textContent.includes('3 of 3 virtual clusters serve')",
    );
    let mut client = Client::connect(scene.bootstrap(0));
    client.ask(&frames::raw_request(18, 0, 1, b""));
    browser.expect(
        "return [...document.querySelectorAll('tr[data-key=orders] td')].some(cell => cell.dataset.label === 'Sessions' && cell.textContent === '1')",
    );
    browser.expect("return document.getElementById('link').textContent === 'live'");
    assert_eq!(browser.run("return window.untouched"), true);
    assert_eq!(browser.console(), Vec::<String>::new());
}

/// Promise 2: the secret stands right beside the error.
#[test]
fn a_rejected_reload_is_shown_beside_its_line_and_without_secrets() {
    if !require() {
        return;
    }
    let scene = Scene::start(1200, 900, &["orders"]);
    let browser = &scene.browser;
    let broken = text(scene.port, scene.broker.address, &["orders"])
        + "        tls: {key: {certificateFile: a, privateKeyFile: b, keyPassword: {password: hunter2}}}\n        bindAdress: 127.0.0.1\n";
    scene.write_text(&broken);
    browser.expect_text("The last reload was rejected:");
    browser.expect_text("File and running configuration differ.");
    browser.expect("return [...document.querySelectorAll('.errors li')].some(error => error.querySelector('p').textContent.includes('bindAdress') && error.querySelector('.fault')?.textContent.includes('bindAdress'))");
    let page = browser.run("return document.documentElement.outerHTML");
    let page = page.as_str().unwrap();
    assert!(
        page.contains("unknown key") && page.contains("did you mean"),
        "{page}"
    );
    assert!(!page.contains("hunter2"), "{page}");
    scene.write(&["orders"]);
    browser.expect_text("All is well.");
    assert_eq!(browser.console(), Vec::<String>::new());
}

/// Promise 6.
#[test]
fn it_says_when_kproxy_does_not_answer_and_goes_on_when_it_does() {
    if !require() {
        return;
    }
    let mut scene = Scene::start(1200, 900, &["orders"]);
    scene.binary.signal(Signal::KILL);
    scene.binary.exit();
    scene.browser.expect_text("kproxy does not answer since");
    scene.write(&["orders", "payments"]);
    scene.binary = Binary::at(&scene.file);
    scene.browser.expect_text("payments");
    scene
        .browser
        .expect("return document.getElementById('link').textContent === 'live'");
}

/// Promise 6.
#[test]
fn a_hidden_page_does_not_ask_until_it_is_seen() {
    if !require() {
        return;
    }
    let scene = Scene::start(1200, 900, &["orders"]);
    let browser = &scene.browser;
    let hide = |hidden: bool| {
        browser.run(&format!(
            "Object.defineProperty(document, 'hidden', {{value: {hidden}, configurable: true}});\
             document.dispatchEvent(new Event('visibilitychange'))"
        ));
    };
    browser.expect("return performance.getEntriesByType('resource').length > 0");
    hide(true);
    browser.expect_text("paused");
    let asked = "return performance.getEntriesByType('resource').length";
    let before = browser.run(asked);
    scene.write(&["orders", "payments"]);
    scene.binary.expect_log("reload applied");
    assert_eq!(browser.run(asked), before);
    hide(false);
    browser.expect_text("payments");
}

/// Promise 1: what is searched for, ordered and turned to stands in the address.
#[test]
fn clusters_are_searched_ordered_and_paged() {
    if !require() {
        return;
    }
    let scene = Scene::start(1200, 900, &["orders", "payments", "shipping"]);
    let browser = &scene.browser;
    browser.run(
        "const search = document.getElementById('search'); search.focus(); search.value = 'PAY';\
         search.dispatchEvent(new Event('input', {bubbles: true}))",
    );
    browser.expect("return document.querySelectorAll('tbody tr').length === 1");
    browser.expect("return location.search === '?search=PAY' && document.activeElement.id === 'search'");
    browser.expect("return document.getElementById('said').textContent === '1–1 of 1 virtual cluster'");
    browser.run("document.querySelector('.states a').click()");
    browser.expect("return location.search === '?search=pay'");
    browser.run("document.querySelector('th a[href*=\"sort=name\"]').click()");
    browser.expect("return document.querySelector('th[aria-sort]').textContent === 'Name'");
    assert_eq!(browser.console(), Vec::<String>::new());
}

/// Promise 1: what a reload changed in the file is shown where it is asked for.
#[test]
fn the_history_shows_what_each_reload_changed() {
    if !require() {
        return;
    }
    let scene = Scene::start(1200, 900, &["orders"]);
    let browser = &scene.browser;
    scene.write(&["orders", "payments"]);
    browser.expect_text("show changes of generation 2");
    browser.run("document.querySelector('.history a').click()");
    browser.expect("return [...document.querySelectorAll('.history .new')].some(line => line.textContent.includes('payments'))");
    browser.expect("return location.search === '?generation=2'");
    browser.expect_text("hide changes of generation 2");
    assert_eq!(browser.console(), Vec::<String>::new());
}

/// Promise 7.
#[test]
fn without_javascript_the_page_shows_and_searches_the_same() {
    if !require() {
        return;
    }
    let scene = Scene::start(1200, 900, &["orders", "payments"]);
    let browser = &scene.browser;
    browser.devtools("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
    browser.open(&format!("{}?search=pay", scene.address()));
    let page = browser.devtools("DOM.getDocument", &json!({"depth": 0}));
    let root = json!({"nodeId": page["root"]["nodeId"]});
    let html = browser.devtools("DOM.getOuterHTML", &root);
    let html = html["outerHTML"].as_str().unwrap();
    assert!(
        html.contains("data-key=\"payments\"") && !html.contains("data-key=\"orders\""),
        "{html}"
    );
    assert!(html.contains("Without JavaScript"), "{html}");
}
