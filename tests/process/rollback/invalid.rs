//! Promises 1 and 3.

use testkit::client::Client;
use testkit::running::{Running, ask, cluster, refuses};

/// Keys above the clusters, what is wrong with them, and where.
const HEADS: [(&str, &str, &str); 8] = [
    ("x: [\n", "3:3", "is not allowed between brackets"),
    ("nework: {}\n", "1:1", "did you mean `network`?"),
    ("drain: {timeout: 1s}\ndrain: {timeout: 2s}\n", "2:1", "drain"),
    ("drain: {timeout: soon}\n", "1:18", "soon"),
    (
        "network: {proxy: {maxFrameSize: []}}\n",
        "1:33",
        "expected a size",
    ),
    ("logging: {level: inof}\n", "1:18", "did you mean `info`?"),
    ("micrometer: [{type: x}]\n", "1:1", "not supported yet"),
    (
        "management: {port: 9190, tokenFile: missing}\n",
        "1:37",
        "cannot read the file",
    ),
];

/// Everything is as it was: the descriptors, the sessions, the ports, also those that are not bound.
struct Before<'r> {
    running: &'r Running,
    client: Client,
    state: Vec<String>,
}

impl<'r> Before<'r> {
    fn of(running: &'r Running) -> Self {
        let client = running.client(0);
        let state = running.settled_state();
        Self {
            running,
            client,
            state,
        }
    }

    #[track_caller]
    fn expect(&mut self) {
        self.running.expect_state(&self.state);
        ask(&mut self.client);
        assert!(refuses(self.running.address(2)), "a new cluster listens");
    }
}

#[track_caller]
fn rejected(running: &Running, text: &[u8], place: &str, words: &str) {
    let told = running.reload_with(text);
    assert_eq!(told.outcome, "rejected", "{}", told.log);
    let at = format!("{place}: error: ");
    assert!(told.log.contains(&at), "{at:?} in {}", told.log);
    assert!(told.log.contains(words), "{words:?} in {}", told.log);
    assert!(told.log.contains("generation=1 "), "{}", told.log);
}

#[test]
fn whatever_is_wrong_with_a_file_changes_nothing() {
    let running = Running::unwatched();
    let mut before = Before::of(&running);
    let good = running.text(&["a", "b", "c"]);
    let body = good.split_once('\n').unwrap().1;
    for (head, place, words) in HEADS {
        let place = format!("/proxy.yaml:{place}");
        rejected(&running, format!("{head}{body}").as_bytes(), &place, words);
        before.expect();
    }
    // What is not applied is still known to be wrong when nothing has changed.
    assert_eq!(running.reload().outcome, "rejected");
    assert_eq!(running.reload_with(good).outcome, "applied");
    ask(&mut before.client);
    running.client(2);
}

#[test]
fn clusters_that_cannot_be_are_rejected_with_all_that_are_fine() {
    let running = Running::unwatched();
    let mut before = Before::of(&running);
    let good = running.text(&["a", "b", "c"]);
    let target = running.broker.address;
    let with = |name: &str, place: u16| good.clone() + &cluster(name, running.base + place, target, "");
    let text = with("A", 8);
    rejected(
        &running,
        text.as_bytes(),
        "/proxy.yaml:24:11",
        "already defined on line 3",
    );
    before.expect();
    rejected(&running, with("d", 1).as_bytes(), "/proxy.yaml:29:29", "");
    before.expect();
    rejected(&running, with("d_", 8).as_bytes(), "/proxy.yaml:24:11", "d_");
    before.expect();
    let overlapping = good.replacen("end: 0}", "end: 0}, {name: more, start: 0, end: 1}", 1);
    rejected(&running, overlapping.as_bytes(), "/proxy.yaml:9:61", "overlap");
    before.expect();
    let no_target = good.clone() + "  - {name: d, gateways: []}\n";
    rejected(&running, no_target.as_bytes(), "/proxy.yaml:24:5", "target");
    before.expect();
}

#[test]
fn a_fault_in_an_included_file_is_shown_where_it_is() {
    let running = Running::unwatched();
    let mut before = Before::of(&running);
    let good = running.text(&["a", "b", "c"]);
    let text = good.replacen("watch: false", "watch: false, include: [more.yaml]", 1);
    let included = running.directory.path().join("more.yaml");
    rejected(
        &running,
        text.as_bytes(),
        "/proxy.yaml:1:34",
        "No such file or directory",
    );
    before.expect();
    std::fs::write(&included, "\nvirtualCluster: []\n").unwrap();
    rejected(
        &running,
        text.as_bytes(),
        "/more.yaml:2:1",
        "did you mean `virtualClusters`?",
    );
    before.expect();
}

#[test]
fn a_hundred_rejected_reloads_leave_no_descriptor_behind() {
    let running = Running::unwatched();
    let mut before = Before::of(&running);
    let good = running.text(&["a", "b", "c"]);
    // The last of its ports is not to be had.
    let _taken = std::net::TcpListener::bind(("127.0.0.1", running.base + 9)).unwrap();
    let broken = [
        "virtualClusters: [".to_owned(),
        good.clone() + "x: 1\n",
        good.replacen("false", "false, include: [missing.yaml]", 1),
        running.text(&["a", "b", "c", "d@4"]),
        running
            .text(&["a"])
            .replace("watch", "maxRemovedPercent: 1, watch"),
    ];
    let mark = running.mark();
    for text in broken.iter().cycle().take(100) {
        assert_eq!(running.reload_with(text).outcome, "rejected");
    }
    assert_eq!(running.count(mark, "rejected"), 100);
    before.expect();
}
