//! Promises 3 and 7.

use std::fs::{self, OpenOptions};
use std::time::SystemTime;

use super::saving::applied;
use testkit::running::{LOUD, Running, ask};
use testkit::wait::eventually;

/// Does something that is noticed and is nothing.
#[track_caller]
fn is_nothing(running: &Running, action: impl FnOnce()) {
    let mark = running.mark();
    action();
    let seen = || running.binary.log()[mark..].contains("nothing has changed");
    eventually("it is noticed", seen);
    assert!(running.news(mark).is_empty(), "{:?}", running.news(mark));
}

#[test]
fn touching_and_writing_the_same_bytes_are_nothing() {
    let running = Running::with(LOUD, &["a", "b"]);
    let mut client = running.client(0);
    let same = fs::read(&running.file).unwrap();
    is_nothing(&running, || {
        let file = OpenOptions::new().append(true).open(&running.file).unwrap();
        file.set_modified(SystemTime::now()).unwrap();
    });
    is_nothing(&running, || running.write(&same));
    is_nothing(&running, || running.replace(&same));
    is_nothing(&running, || {
        fs::remove_file(&running.file).unwrap();
        running.write(&same);
    });
    ask(&mut client);
    // The first generation that there is after all of these is the second.
    applied(&running, "c", |text| running.write(text));
    running.binary.expect_log("generation=2 added=1");
}

#[test]
fn text_that_means_the_same_is_unchanged() {
    let running = Running::with(LOUD, &["a", "b"]);
    let mut client = running.client(0);
    let text = running.text(&["a", "b"]);
    let spelled_out = "reload: {debounce: 0s150ms, watch: true, include: [], maxRemovedPercent: 50}
drain: {timeout: 30s, strategy: graceful}
network: {proxy: {maxFrameSize: 100MiB, connectTimeout: 10s}}
";
    let target = running.broker.address.to_string();
    let defined = text
        .replace("targetCluster:", "target:")
        .replace(&format!("bootstrapServers: \"{target}\""), "cluster: kafka");
    let definition = format!("clusterDefinitions: [{{name: kafka, bootstrapServers: \"{target}\"}}]\n");
    for same in [
        format!("# A comment.\n{text}# Another one.\n"),
        running.text(&["b@1", "a@0"]),
        format!("{}{text}", spelled_out.replace("0s150ms", "150ms")),
        definition + &defined,
        text.replace("end: 0}", "end: 0, }"),
    ] {
        let mark = running.mark();
        running.write(&same);
        let told = running.outcome_since(mark);
        assert_eq!(told.outcome, "unchanged", "{same}\n{}", told.log);
        assert!(
            told.log.contains("trigger=\"watch\" generation=1\n"),
            "{}",
            told.log
        );
        ask(&mut client);
    }
}

#[test]
fn without_watching_nothing_happens_until_somebody_asks() {
    let running = Running::with("reload: {watch: false, pollInterval: 100ms}\n", &["a", "b"]);
    let mark = running.mark();
    running.write(running.text(&["a", "b", "c"]));
    // Several times what noticing would take. What does not happen cannot be waited for.
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(&running.binary.log()[mark..], "");
    assert_eq!(running.reload().outcome, "applied");
    // From here on it watches again.
    let watching = running.text(&["a", "b", "c"]).replace("watch: false, ", "");
    assert_eq!(running.reload_with(watching.as_bytes()).outcome, "applied");
    let mark = running.mark();
    running.write(watching.replace("name: c", "name: d"));
    let told = running.outcome_since(mark);
    assert_eq!(told.outcome, "applied", "{}", told.log);
}
