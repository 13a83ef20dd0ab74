//! Promises 4, 5 and 6.

use std::fs;
use std::path::PathBuf;

use kproxy::reload::Outcome;
use serde_json::Value;
use tempfile::TempDir;

use super::fixture::Fixture;
use testkit::binary::{Binary, configuration};
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::running::{Running, ask, cluster, ports, refuses};

/// Keys of the class `restart`, and how the file has them.
const RESTART: [(&str, &str); 5] = [
    (
        "network.proxy.workerThreadCount",
        "network: {proxy: {workerThreadCount: 3}}",
    ),
    ("stateDirectory", "stateDirectory: state"),
    ("logging.format", "logging: {format: json}"),
    ("control.socket", "control: {socket: kproxy.sock}"),
    ("management", "management: {port: 9191}"),
];

#[test]
fn a_key_that_needs_a_restart_rejects_all_of_the_file() {
    let running = Running::unwatched();
    let mut client = running.client(0);
    let before = running.settled_state();
    let good = running.text(&["a", "b", "c"]);
    for (key, line) in RESTART {
        let told = running.reload_with(format!("{line}\n{good}"));
        assert_eq!(told.outcome, "rejected", "{line}");
        let reason = told.log.lines().find(|line| line.contains("reason=")).unwrap();
        assert!(
            reason.contains(key) && reason.contains("restart"),
            "{key}: {reason}"
        );
        assert!(told.log.contains("reasons=1 "), "{}", told.log);
        running.expect_state(&before);
        assert!(refuses(running.address(2)), "{key}");
        ask(&mut client);
    }
    assert_eq!(running.reload_with(good).outcome, "applied");
    ask(&mut client);
    running.client(2);
}

/// Four clusters from a file, in this process.
struct Four {
    // Dropped first: a session that leaves waits for its client to close.
    clients: Vec<Client>,
    fixture: Fixture,
    broker: Broker,
    _directory: TempDir,
    file: PathBuf,
    base: u16,
    before: Value,
}

impl Four {
    fn start(head: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("proxy.yaml");
        let (broker, base) = (Broker::echoing(b"ok"), ports());
        let names = ["a", "b", "c", "d"].map(|name| (name, name));
        fs::write(&file, text(head, &names, base, &broker)).unwrap();
        let fixture = Fixture::of_file(&file);
        let clients = (0..4).map(|place| Client::connect(([127, 0, 0, 1], base + 2 * place).into()));
        let mut clients: Vec<Client> = clients.collect();
        clients.iter_mut().for_each(ask);
        let before = fixture.status();
        Self {
            fixture,
            clients,
            broker,
            _directory: directory,
            file,
            base,
            before,
        }
    }

    /// The clusters of these places, under these names.
    fn text(&self, head: &str, names: &[(&str, &str)]) -> String {
        text(head, names, self.base, &self.broker)
    }

    #[track_caller]
    fn rejected(&mut self, text: &str, words: &str) {
        fs::write(&self.file, text).unwrap();
        let report = self.fixture.reload_file(false);
        assert_eq!(report.outcome, Outcome::Rejected, "{report:?}");
        let errors = report.errors.join("\n");
        assert!(errors.contains(words), "{words:?} in {errors}");
        self.fixture.expect_status(&self.before);
        self.clients.iter_mut().for_each(ask);
        let config = self.fixture.running.proxy.status().unwrap().config;
        assert!(!config.in_sync);
        assert_eq!(config.last_reload.unwrap().errors, report.errors);
    }
}

/// Each cluster has the place of its second name.
fn text(head: &str, names: &[(&str, &str)], base: u16, broker: &Broker) -> String {
    let mut text = format!("{head}\nvirtualClusters:\n");
    for (name, place) in names {
        let place = u16::from(place.as_bytes()[0] - b'a');
        text += &cluster(name, base + 2 * place, broker.address, "");
    }
    text
}

const UNWATCHED: &str = "reload: {watch: false}";

#[test]
fn an_emptied_file_removes_nothing() {
    let mut four = Four::start(UNWATCHED);
    let path = format!("{}:", four.file.display());
    four.rejected("", &path);
    four.rejected("# nothing\n", &path);
    four.rejected("---\n...\n", &path);
    four.rejected("reload: {watch: false}\n", &path);
    four.rejected(
        "reload: {watch: false}\nvirtualClusters: []\n",
        "`virtualClusters` is empty",
    );
    fs::remove_file(&four.file).unwrap();
    let report = four.fixture.reload_file(false);
    assert_eq!(report.outcome, Outcome::Rejected);
    assert!(
        report.errors[0].contains("No such file or directory"),
        "{report:?}"
    );
    four.fixture.expect_status(&four.before);
}

#[test]
fn a_file_without_clusters_is_taken_at_its_word_when_forced() {
    let mut four = Four::start(UNWATCHED);
    four.rejected("reload: {watch: false}\nvirtualClusters: []\n", "empty");
    let report = four.fixture.reload_file(true);
    assert_eq!(report.outcome, Outcome::Applied, "{report:?}");
    assert_eq!(report.removed, ["a", "b", "c", "d"]);
    four.clients.iter_mut().for_each(Client::expect_fin);
}

#[test]
fn more_than_half_of_the_clusters_go_only_when_forced() {
    let mut four = Four::start(UNWATCHED);
    let one = four.text(UNWATCHED, &[("a", "a")]);
    four.rejected(
        &one,
        "this would remove 3 of 4 virtual clusters, more than `reload.maxRemovedPercent` (50 %)",
    );
    // Others that come elsewhere do not make up for those that go.
    let others = [("a", "a"), ("e", "e"), ("f", "f"), ("g", "g")];
    four.rejected(&four.text(UNWATCHED, &others), "remove 3 of 4");
    let half = four.text(UNWATCHED, &[("a", "a"), ("b", "b")]);
    fs::write(&four.file, half).unwrap();
    let report = four.fixture.reload_file(false);
    assert_eq!(
        (report.outcome, report.removed.len()),
        (Outcome::Applied, 2),
        "{report:?}"
    );
    fs::write(&four.file, four.text(UNWATCHED, &[("e", "e")])).unwrap();
    assert_eq!(four.fixture.reload_file(false).outcome, Outcome::Rejected);
    let report = four.fixture.reload_file(true);
    assert_eq!(
        (report.outcome, report.removed.len()),
        (Outcome::Applied, 2),
        "{report:?}"
    );
}

#[test]
fn the_new_file_says_how_much_it_may_remove() {
    let none = "reload: {watch: false, maxRemovedPercent: 0}";
    let mut four = Four::start(UNWATCHED);
    let three = [("a", "a"), ("b", "b"), ("c", "c")];
    four.rejected(&four.text(none, &three), "remove 1 of 4");
    let all = "reload: {watch: false, maxRemovedPercent: 100}";
    fs::write(&four.file, four.text(all, &[("e", "e")])).unwrap();
    assert_eq!(four.fixture.reload_file(false).outcome, Outcome::Applied);
}

#[test]
fn clusters_that_are_renamed_are_not_removed() {
    let none = "reload: {watch: false, maxRemovedPercent: 0}";
    let mut four = Four::start(none);
    let renamed = [("w", "a"), ("x", "b"), ("y", "c"), ("z", "d")];
    four.rejected(&four.text(none, &renamed[..3]), "remove 1 of 4");
    fs::write(&four.file, four.text(none, &renamed)).unwrap();
    let report = four.fixture.reload_file(false);
    assert_eq!(report.outcome, Outcome::Applied, "{report:?}");
    assert_eq!(report.removed, ["a", "b", "c", "d"]);
    four.clients.iter_mut().for_each(Client::expect_fin);
    ask(&mut Client::connect(([127, 0, 0, 1], four.base).into()));
}

/// A name server may be away for a moment, and other clusters are to be served meanwhile.
#[test]
fn a_bootstrap_server_that_does_not_resolve_is_a_warning() {
    let running = Running::unwatched();
    let mut client = running.client(0);
    let good = running.text(&["a", "b", "c"]);
    let target = running.broker.address.to_string();
    // The last cluster's alone.
    let (rest, last) = good.rsplit_once(&target).unwrap();
    let lost = format!("{rest}kproxy.invalid:9092,{target}{last}");
    let told = running.reload_with(&lost);
    assert_eq!(told.outcome, "applied");
    let warning = "bootstrap server kproxy.invalid:9092 of virtual cluster `c` does not resolve: ";
    running.binary.expect_log(warning);
    ask(&mut client);
    // What is still as it was is not told again.
    let mark = running.mark();
    let told = running.reload_with(format!("{lost}    maxConnections: 7\n"));
    assert_eq!(told.outcome, "applied");
    assert!(!running.binary.log_behind(mark).contains(warning));
    // A start says the same.
    let lost = configuration(running.broker.address).replace(&target, "kproxy.invalid:9092");
    Binary::serving(&lost).expect_log(&warning.replace("`c`", "`demo`"));
}
