//! Promise 4.

use std::fs;

use testkit::running::{LOUD, Running, ask, cluster, refuses};
use testkit::wait::eventually;

/// An included file of one cluster at this place.
fn included(running: &Running, name: &str, place: u16) -> String {
    let port = running.base + 2 * place;
    format!(
        "virtualClusters:\n{}",
        cluster(name, port, running.broker.address, "")
    )
}

#[track_caller]
fn told(running: &Running, mark: usize, step: &str) {
    let told = running.outcome_since(mark);
    assert_eq!(told.outcome, "applied", "{}", told.log);
    eventually(step, || running.binary.log()[mark..].contains(step));
}

#[test]
fn included_files_are_followed_and_new_ones_appear() {
    let running = Running::with(
        &format!("reload: {{include: [conf.d/*.yaml], maxRemovedPercent: 40}}\n{LOUD}"),
        &["a", "b"],
    );
    let mut client = running.client(0);
    // The directory is not there yet.
    let mark = running.mark();
    fs::create_dir(running.path("conf.d")).unwrap();
    fs::write(running.path("conf.d/c.yaml"), included(&running, "c", 2)).unwrap();
    told(&running, mark, "add `c`");
    running.client(2);
    let mark = running.mark();
    fs::write(running.path("conf.d/d.yaml"), included(&running, "d", 3)).unwrap();
    told(&running, mark, "add `d`");
    // Of no concern.
    fs::write(running.path("conf.d/.e.yaml.swp"), "x: [").unwrap();
    fs::write(running.path("conf.d/readme"), "x: [").unwrap();
    let mark = running.mark();
    let limited = included(&running, "c", 2) + "    maxConnections: 7\n";
    fs::write(running.path("conf.d/c.yaml"), limited).unwrap();
    told(&running, mark, "modify `c` (live): maxConnections");
    // What is wrong in one is rejected with all that is right in it.
    let mark = running.mark();
    fs::write(running.path("conf.d/d.yaml"), "virtualCluster: []\n").unwrap();
    let wrong = running.outcome_since(mark);
    assert_eq!(wrong.outcome, "rejected");
    assert!(wrong.log.contains("conf.d/d.yaml:1:1: error: "), "{}", wrong.log);
    running.client(3);
    let mark = running.mark();
    fs::remove_file(running.path("conf.d/d.yaml")).unwrap();
    told(&running, mark, "remove `d` (drain)");
    eventually("its port is free", || refuses(running.address(3)));
    ask(&mut client);
}

#[test]
fn a_referenced_file_is_followed_and_its_content_is_nobodys_business() {
    let (first, second) = ("the-first-token", "the-second-token");
    let base = testkit::running::ports();
    let head = format!("management: {{port: {base}, tokenFile: token}}\n{LOUD}");
    let running = Running::laid_out(&head, &["a", "b"], |directory, text| {
        fs::write(directory.join("token"), first).unwrap();
        fs::write(directory.join("proxy.yaml"), text).unwrap();
        directory.join("proxy.yaml")
    });
    let mut client = running.client(0);
    let mark = running.mark();
    fs::write(running.path("token.new"), second).unwrap();
    fs::rename(running.path("token.new"), running.path("token")).unwrap();
    told(&running, mark, "change the process (live): management.tokenFile");
    let mark = running.mark();
    fs::remove_file(running.path("token")).unwrap();
    let missing = running.outcome_since(mark);
    assert_eq!(missing.outcome, "rejected");
    assert!(
        missing.log.contains("proxy.yaml:1:") && missing.log.contains("No such file or directory"),
        "{}",
        missing.log
    );
    // Back as it was: it means what runs.
    let mark = running.mark();
    fs::write(running.path("token"), second).unwrap();
    assert_eq!(running.outcome_since(mark).outcome, "unchanged");
    ask(&mut client);
    let log = running.binary.log();
    assert!(!log.contains(first) && !log.contains(second), "{log}");
}
