//! Phones, keyboards, screen readers, colours.

use serde_json::{Value, json};
use testkit::browser::{Browser, require};

use super::scene::{Scene, text};

/// The longest name that a virtual cluster can have.
const LONG: &str = "a-name-of-sixty-three-characters-without-a-place-to-break-it-xx";

/// Writes a file that is rejected, and waits until the page shows it.
fn reject(scene: &Scene, names: &[&str]) {
    let key = "x".repeat(200);
    let broken = text(scene.port, scene.broker.address, names) + &format!("        {key}: 1\n");
    scene.write_text(&broken);
    scene.browser.expect_text("The last reload was rejected");
}

/// Promise 3.
#[test]
fn a_phone_shows_all_of_it_without_scrolling_sideways() {
    if !require() {
        return;
    }
    let scene = Scene::start(1200, 900, &[LONG, "b"]);
    let browser = &scene.browser;
    let phone = json!({"width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": true});
    browser.devtools("Emulation.setDeviceMetricsOverride", &phone);
    let fits = "return innerWidth === 360 && document.documentElement.scrollWidth <= 360";
    browser.expect(fits);
    browser.run("document.querySelectorAll('details').forEach(details => details.open = true)");
    browser.expect(fits);
    reject(&scene, &[LONG, "b"]);
    browser.expect("return document.querySelector('.excerpt') !== null");
    browser.expect(fits);
    let cut = browser.run(
        "return [...document.querySelectorAll('main *')].filter(element => !element.closest('.unseen, .excerpt, thead')\
         && element.getBoundingClientRect().right > 361).map(element => element.outerHTML)",
    );
    assert_eq!(cut, json!([]));
}

/// Promise 5. What a screen reader is given: every control and landmark has a name, headings do not skip a level.
#[test]
fn everything_that_can_be_used_has_a_name() {
    if !require() {
        return;
    }
    let scene = Scene::start(1200, 900, &["orders", "payments"]);
    let browser = &scene.browser;
    reject(&scene, &["orders", "payments"]);
    browser.devtools("Accessibility.enable", &json!({}));
    let tree = browser.devtools("Accessibility.getFullAXTree", &json!({}));
    let nodes: Vec<(String, String)> = tree["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(named)
        .collect();
    let named = [
        "button",
        "link",
        "searchbox",
        "combobox",
        "table",
        "navigation",
        "region",
        "search",
        "columnheader",
    ];
    for role in named {
        let names: Vec<&str> = nodes
            .iter()
            .filter(|(found, _)| found == role)
            .map(|(_, name)| name.as_str())
            .collect();
        assert!(!names.is_empty(), "no {role} in {nodes:?}");
        assert!(
            names.iter().all(|name| !name.trim().is_empty()),
            "{role}: {names:?}"
        );
    }
    for landmark in ["banner", "main", "contentinfo"] {
        assert_eq!(
            nodes.iter().filter(|(role, _)| role == landmark).count(),
            1,
            "{landmark}"
        );
    }
    let levels = browser.run(
        "return [...document.querySelectorAll('h1,h2,h3,h4')].map(heading => Number(heading.tagName[1]))",
    );
    let levels: Vec<i64> = levels
        .as_array()
        .unwrap()
        .iter()
        .map(|level| level.as_i64().unwrap())
        .collect();
    assert_eq!(
        (levels[0], levels.iter().filter(|&&level| level == 1).count()),
        (1, 1)
    );
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{levels:?}");
    assert_eq!(browser.run("return document.documentElement.lang"), "en");
    let ids = browser.run(
        "const ids = [...document.querySelectorAll('[id]')].map(element => element.id); return ids.length - new Set(ids).size",
    );
    assert_eq!(ids, 0, "an id stands for one element");
}

fn named(node: &Value) -> Option<(String, String)> {
    let text = |field: &str| node[field]["value"].as_str().unwrap_or_default().to_owned();
    (node["ignored"] == false).then(|| (text("role"), text("name")))
}

/// Every visible text against the background that it stands on, as WCAG 2.2 §1.4.3 has it for small text.
const CONTRAST: &str = "
    const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = colour => { const [r, g, b] = numbers(colour).map(value => (value /= 255) <= .04045 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b };
    const behind = element => { for (let at = element; at; at = at.parentElement) { const colour = getComputedStyle(at).backgroundColor; if ((numbers(colour)[3] ?? 1) > 0) return colour } return 'rgb(255, 255, 255)' };
    const faint = [];
    for (const element of document.querySelectorAll('body *')) {
        if (element.closest('.unseen, script, noscript, svg') || !element.offsetParent) continue;
        if (![...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
        const [one, other] = [light(getComputedStyle(element).color), light(behind(element))];
        const ratio = (Math.max(one, other) + .05) / (Math.min(one, other) + .05);
        if (ratio < 4.5) faint.push(ratio.toFixed(2) + ' ' + element.outerHTML.slice(0, 120));
    }
    return faint";

/// Promise 5.
#[test]
fn text_can_be_read_in_light_and_in_dark() {
    if !require() {
        return;
    }
    let scene = Scene::start(1200, 900, &["orders", "payments"]);
    let browser = &scene.browser;
    for scheme in ["light", "dark"] {
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        browser.devtools("Emulation.setEmulatedMedia", &media);
        assert_eq!(browser.run(CONTRAST), json!([]), "{scheme}");
    }
    reject(&scene, &["orders", "payments"]);
    browser.expect("return document.querySelector('.excerpt') !== null");
    for scheme in ["light", "dark"] {
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        browser.devtools("Emulation.setEmulatedMedia", &media);
        assert_eq!(browser.run(CONTRAST), json!([]), "{scheme}, rejected");
    }
    let calm = json!({"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]});
    browser.devtools("Emulation.setEmulatedMedia", &calm);
    assert_eq!(browser.run("return document.getAnimations().length"), 0);
}

/// Promise 5.
#[test]
fn the_keyboard_reaches_everything_and_the_focus_is_seen() {
    if !require() {
        return;
    }
    let scene = Scene::start(1200, 900, &["orders", "payments"]);
    let browser = &scene.browser;
    let focused = |what: &str| focus(browser, what);
    browser.press("Tab");
    assert!(focused("element.className === 'skip'"));
    browser.press("Enter");
    browser.expect("return location.hash === '#clusters' && document.activeElement.id === 'clusters'");
    for wanted in [
        "element.matches('.states a')",
        "element.id === 'search'",
        "element.id === 'sort'",
        "element.matches('form button')",
        "element.matches('th a')",
        "element.matches('summary')",
    ] {
        let reached = (0..12).any(|_| {
            browser.press("Tab");
            focused(wanted)
        });
        assert!(reached, "{wanted}");
        let seen =
            focused("getComputedStyle(element).outlineStyle !== 'none' && element.matches(':focus-visible')");
        assert!(seen, "{wanted}");
    }
    browser.press("Enter");
    browser.expect("return document.activeElement.parentElement.open === true");
    scene.write(&["orders", "payments", "shipping"]);
    browser.expect_text("shipping");
    assert!(
        focused("element.matches('summary') && element.parentElement.open"),
        "it stays where it was"
    );
}

fn focus(browser: &Browser, what: &str) -> bool {
    browser.run(&format!("const element = document.activeElement; return {what}")) == true
}
