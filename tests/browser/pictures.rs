//! The pictures in `docs/operating/status-page.md`.

use std::fs;
use std::path::Path;

use serde_json::json;
use testkit::browser::require;
use testkit::client::Client;
use testkit::frames;

use super::scene::{Scene, text};

fn write(name: &str, scene: &Scene) {
    let browser = &scene.browser;
    // The folder of the test means nothing to a reader.
    let folder = scene.file.parent().unwrap().display();
    browser.run(&format!(
        "const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);\
         while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll('{folder}', '/etc/kproxy')"
    ));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating/pictures");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(name), browser.screenshot(false)).unwrap();
}

#[test]
#[ignore = "it writes the pictures of the documents: cargo test --test browser pictures -- --ignored"]
fn the_pictures_of_the_documents_are_taken() {
    if !require() {
        return;
    }
    let names = ["orders", "payments", "shipping"];
    let scene = Scene::start(1180, 800, &names);
    let browser = &scene.browser;
    let clients = (0..12).map(|number| Client::connect(scene.bootstrap(number % 3)));
    let mut clients: Vec<Client> = clients.collect();
    let mut work = || {
        for client in &mut clients {
            for _ in 0..40 {
                client.ask(&frames::raw_request(18, 0, 1, b""));
            }
        }
    };
    let has_rates = "return [...document.querySelectorAll('.figures dd')][3].textContent.length > 2";
    while browser.run(has_rates) != true {
        work();
    }
    write("status-page.png", &scene);
    let media = json!({"features": [{"name": "prefers-color-scheme", "value": "dark"}]});
    browser.devtools("Emulation.setEmulatedMedia", &media);
    let phone = json!({"width": 360, "height": 780, "deviceScaleFactor": 1.5, "mobile": true});
    browser.devtools("Emulation.setDeviceMetricsOverride", &phone);
    write("status-page-phone.png", &scene);
    browser.devtools("Emulation.setEmulatedMedia", &json!({"features": []}));
    let desk = json!({"width": 1180, "height": 1090, "deviceScaleFactor": 1, "mobile": false});
    browser.devtools("Emulation.setDeviceMetricsOverride", &desk);
    let broken = text(scene.port, scene.broker.address, &names) + "        bindAdress: 127.0.0.1\n";
    scene.write_text(&broken);
    browser.expect_text("The last reload was rejected");
    write("status-page-rejected.png", &scene);
}
