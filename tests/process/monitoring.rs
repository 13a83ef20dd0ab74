//! What Prometheus and Grafana make of kproxy.
//!
//! 1. `promtool` finds nothing wrong with the metrics.
//! 2. Each alert fires on what it is for, and not on a healthy process (`alerts_test.yaml`); each says what to do.
//! 3. A real Prometheus scrapes kproxy, loads the alert rules, and can run every query of the dashboard.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use kproxy::app::Proxy;
use kproxy::model::Management;
use serde_json::Value;
use testkit::broker::Broker;
use testkit::kafka_config::free_port;
use testkit::maven::unavailable;
use testkit::proxy::Setup;
use testkit::tool::Tool;
use testkit::wait::eventually;

use crate::admin::http::{get, request};

/// Folder of the rules and the dashboard.
fn operating() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operating")
}

/// Text of a file in that folder.
fn read(file: &str) -> String {
    String::from_utf8(fs::read(operating().join(file)).unwrap()).unwrap()
}

/// Whether the programs of Prometheus can be run here; fails where they must be.
fn is_installed() -> bool {
    let runs = |program: &str| {
        let mut version = Command::new(program);
        version.arg("--version").stdin(Stdio::null()).output().is_ok()
    };
    let found = ["promtool", "prometheus"].into_iter().all(runs);
    if !found {
        unavailable("promtool or prometheus is not installed");
    }
    found
}

fn promtool() -> Tool {
    let mut command = Command::new("promtool");
    command.current_dir(operating());
    Tool::of("promtool", command)
}

/// A proxy with HTTP, in front of a broker that answers.
fn proxy() -> (Broker, Proxy) {
    let broker = Broker::echoing(b"answer");
    let mut model = Setup::to(&[broker.address]).model();
    model.management = Some(Management {
        address: (Ipv4Addr::LOCALHOST, 0).into(),
        token: None,
    });
    (broker, Proxy::start(model).unwrap())
}

/// Names of the alerts in a file, which stand behind `key`.
fn names(file: &str, key: &str) -> BTreeSet<String> {
    let text = read(file);
    let names = text.lines().filter_map(|line| line.trim().strip_prefix(key));
    names.map(ToOwned::to_owned).collect()
}

/// Promise 1.
#[test]
fn promtool_finds_nothing_wrong_with_the_metrics() {
    if !is_installed() {
        return;
    }
    let (_broker, proxy) = proxy();
    let metrics = get(proxy.http().unwrap(), "/metrics").body;
    let checked = promtool().args(["check", "metrics"]).stdin(metrics).run();
    assert!(checked.success(), "{checked}");
    assert_eq!((&*checked.stdout, &*checked.stderr), ("", ""));
}

/// Promise 2.
#[test]
fn each_alert_fires_on_what_it_is_for_and_on_nothing_else() {
    if !is_installed() {
        return;
    }
    promtool().args(["check", "rules", "alerts.yaml"]).succeed();
    promtool().args(["test", "rules", "alerts_test.yaml"]).succeed();
}

/// Promise 2.
#[test]
fn each_alert_has_a_test_a_row_in_the_documents_and_says_what_to_do() {
    let alerts = names("alerts.yaml", "- alert: ");
    assert!(alerts.len() > 15, "{alerts:?}");
    assert_eq!(
        alerts,
        names("alerts_test.yaml", "- name: Kproxy")
            .iter()
            .map(|rest| format!("Kproxy{rest}"))
            .collect()
    );
    let text = read("alerts.yaml");
    assert_eq!(text.matches("runbook: ").count(), alerts.len());
    let page = read("alerts.md");
    let missing: Vec<&String> = alerts
        .iter()
        .filter(|alert| !page.contains(&format!("`{alert}`")))
        .collect();
    assert!(missing.is_empty(), "alerts.md does not name {missing:?}");
}

/// A Prometheus that scrapes one address. Dropping it ends it.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Prometheus {
    fn scraping(target: SocketAddr) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let rules = operating().join("alerts.yaml");
        let configuration = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{:?}]
scrape_configs: [{{job_name: kproxy, static_configs: [{{targets: [\"{target}\"]}}]}}]
",
            rules.display().to_string()
        );
        let file = directory.path().join("prometheus.yaml");
        fs::write(&file, configuration).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let prometheus = Self {
            child,
            address,
            _directory: directory,
        };
        eventually("Prometheus is ready", || prometheus.is_ready());
        prometheus
    }

    fn is_ready(&self) -> bool {
        std::net::TcpStream::connect(self.address).is_ok() && get(self.address, "/-/ready").status == 200
    }

    fn ask(&self, path: &str) -> Value {
        // Version 1.0 knows no chunks.
        let reply = request(self.address, &format!("GET {path} HTTP/1.0"));
        let answer: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        assert_eq!(answer["status"], "success", "{path}: {}", reply.body);
        answer["data"].clone()
    }

    /// Result of a query.
    fn query(&self, expression: &str) -> Value {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        self.ask(&format!("/api/v1/query?query={encoded}"))["result"].clone()
    }

    /// Health of every rule.
    fn rules(&self) -> Vec<String> {
        let groups = self.ask("/api/v1/rules")["groups"].clone();
        let rules = groups
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|group| group["rules"].as_array().unwrap());
        rules
            .map(|rule| rule["health"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The queries of the dashboard, with its variables filled in.
fn dashboard_queries() -> Vec<String> {
    let text = read("dashboard.json");
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten();
    let filled = |query: &Value| {
        let query = query["expr"].as_str().unwrap();
        let query = query.replace("$instance", ".*").replace("$virtual_cluster", ".*");
        query.replace("$__rate_interval", "1m")
    };
    targets.map(filled).collect()
}

/// Promise 3.
#[test]
fn a_real_prometheus_loads_the_rules_and_runs_the_dashboard() {
    if !is_installed() {
        return;
    }
    let (_broker, proxy) = proxy();
    let prometheus = Prometheus::scraping(proxy.http().unwrap());
    let value = |result: &Value| result[0]["value"][1].as_str().map(ToOwned::to_owned);
    eventually("kproxy is scraped", || {
        value(&prometheus.query("up{job=\"kproxy\"}")).as_deref() == Some("1")
    });
    eventually("the rules are evaluated", || {
        let rules = prometheus.rules();
        rules.len() > 15 && rules.iter().all(|health| health == "ok")
    });
    assert_eq!(value(&prometheus.query("ALERTS")), None, "a healthy process");
    assert_eq!(
        value(&prometheus.query("kproxy_config_generation")).as_deref(),
        Some("1")
    );
    let queries = dashboard_queries();
    assert!(queries.len() > 25, "{queries:?}");
    for query in &queries {
        prometheus.query(query);
    }
}
