//! Promises 1, 2 and 5.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use testkit::running::{LOUD, Running, ask};
use testkit::wait::eventually;

/// Long enough for a hint that is not held back.
const PAUSE: Duration = Duration::from_millis(1200);

const NOTHING: [&str; 0] = [];

/// Saves the clusters `a`, `b` and this one, and sees it served and nobody disturbed.
#[track_caller]
pub(crate) fn applied(running: &Running, name: &str, save: impl FnOnce(&str)) {
    let mut client = running.client(0);
    let mark = running.mark();
    save(&running.text(&["a", "b", name]));
    let last_write = Instant::now();
    let step = format!("add `{name}`");
    eventually(&format!("{step} after {}", running.binary.log()), || {
        running.binary.log()[mark..].contains(&step)
    });
    eprintln!(
        "{name} is served {} ms after the last write",
        last_write.elapsed().as_millis()
    );
    running.client(2);
    ask(&mut client);
    never_half_seen(running, mark);
}

/// While a file is missing it may be seen to be missing. It is empty before the kernel tells that somebody has begun
/// to write it, which on a busy machine takes a moment. Nothing else is ever seen of a file that is not complete.
#[track_caller]
fn never_half_seen(running: &Running, mark: usize) {
    let log = &running.binary.log()[mark..];
    let harmless = |line: &&str| line.contains("No such file") || line.contains("the file is empty");
    let mut reasons = log.lines().filter(|line| line.contains("reason="));
    assert!(reasons.all(|line| harmless(&line)), "{log}");
}

fn watched() -> Running {
    Running::with(LOUD, &["a", "b"])
}

#[test]
fn in_place() {
    let running = watched();
    applied(&running, "c", |text| running.write(text));
    applied(&running, "d", |text| running.write(text));
}

#[test]
fn by_a_temporary_file_and_a_rename_again_and_again() {
    let running = watched();
    for name in ["c", "d", "e"] {
        applied(&running, name, |text| running.replace(text));
    }
    applied(&running, "f", |text| running.write(text));
}

#[test]
fn as_vim_does() {
    let running = watched();
    for name in ["c", "d"] {
        applied(&running, name, |text| {
            fs::write(running.path("4913"), "").unwrap();
            fs::remove_file(running.path("4913")).unwrap();
            fs::rename(&running.file, running.path("proxy.yaml~")).unwrap();
            running.write(text);
            fs::set_permissions(&running.file, Permissions::from_mode(0o600)).unwrap();
            fs::remove_file(running.path("proxy.yaml~")).unwrap();
        });
    }
}

#[test]
fn deleted_and_created_again() {
    let running = watched();
    for name in ["c", "d"] {
        applied(&running, name, |text| {
            fs::remove_file(&running.file).unwrap();
            running.write(text);
        });
    }
    // Missing for long enough to be noticed.
    fs::remove_file(&running.file).unwrap();
    running.binary.expect_log("No such file or directory");
    applied(&running, "e", |text| running.write(text));
}

#[test]
fn a_config_map_is_swapped() {
    let lay_out = |directory: &Path, text: &str| {
        fs::create_dir(directory.join("..1")).unwrap();
        fs::write(directory.join("..1/proxy.yaml"), text).unwrap();
        symlink("..1", directory.join("..data")).unwrap();
        symlink("..data/proxy.yaml", directory.join("proxy.yaml")).unwrap();
        directory.join("proxy.yaml")
    };
    let running = Running::laid_out(LOUD, &["a", "b"], lay_out);
    for (name, old, new) in [("c", "..1", "..2"), ("d", "..2", "..3")] {
        applied(&running, name, |text| {
            fs::create_dir(running.path(new)).unwrap();
            fs::write(running.path(new).join("proxy.yaml"), text).unwrap();
            symlink(new, running.path("..data_tmp")).unwrap();
            fs::rename(running.path("..data_tmp"), running.path("..data")).unwrap();
            fs::remove_dir_all(running.path(old)).unwrap();
        });
    }
}

/// `current` is a link to a release.
fn release(directory: &Path, text: &str) -> std::path::PathBuf {
    fs::create_dir_all(directory.join("releases/1")).unwrap();
    fs::write(directory.join("releases/1/proxy.yaml"), text).unwrap();
    symlink("releases/1", directory.join("current")).unwrap();
    directory.join("current/proxy.yaml")
}

#[test]
fn a_link_is_pointed_elsewhere() {
    let running = Running::laid_out(LOUD, &["a", "b"], release);
    for (name, version) in [("c", "releases/2"), ("d", "releases/3")] {
        applied(&running, name, |text| {
            fs::create_dir(running.path(version)).unwrap();
            fs::write(running.path(version).join("proxy.yaml"), text).unwrap();
            // As `ln -sfn` does.
            symlink(version, running.path("new")).unwrap();
            fs::rename(running.path("new"), running.path("current")).unwrap();
        });
    }
    applied(&running, "e", |text| running.write(text));
}

#[test]
fn behind_a_link_elsewhere() {
    let lay_out = |directory: &Path, text: &str| {
        fs::create_dir_all(directory.join("elsewhere/deep")).unwrap();
        fs::create_dir(directory.join("etc")).unwrap();
        fs::write(directory.join("elsewhere/deep/real.yaml"), text).unwrap();
        let link = directory.join("etc/proxy.yaml");
        symlink("../elsewhere/deep/real.yaml", &link).unwrap();
        link
    };
    let running = Running::laid_out(LOUD, &["a", "b"], lay_out);
    let real = running.path("elsewhere/deep/real.yaml");
    applied(&running, "c", |text| fs::write(&real, text).unwrap());
    applied(&running, "d", |text| {
        let temporary = running.path("elsewhere/deep/temporary");
        fs::write(&temporary, text).unwrap();
        fs::rename(temporary, &real).unwrap();
    });
}

#[test]
fn by_another_of_its_names() {
    let lay_out = |directory: &Path, text: &str| {
        fs::create_dir(directory.join("other")).unwrap();
        fs::write(directory.join("other/name.yaml"), text).unwrap();
        fs::hard_link(directory.join("other/name.yaml"), directory.join("proxy.yaml")).unwrap();
        directory.join("proxy.yaml")
    };
    let running = Running::laid_out(LOUD, &["a", "b"], lay_out);
    for name in ["c", "d"] {
        let other = running.path("other/name.yaml");
        applied(&running, name, |text| fs::write(other, text).unwrap());
    }
}

#[test]
fn with_the_directory_above_it() {
    let lay_out = |directory: &Path, text: &str| {
        fs::create_dir_all(directory.join("above/etc")).unwrap();
        fs::write(directory.join("above/etc/proxy.yaml"), text).unwrap();
        directory.join("above/etc/proxy.yaml")
    };
    let running = Running::laid_out(LOUD, &["a", "b"], lay_out);
    applied(&running, "c", |text| {
        fs::create_dir(running.path("new")).unwrap();
        fs::write(running.path("new/proxy.yaml"), text).unwrap();
        fs::rename(running.path("above/etc"), running.path("old")).unwrap();
        fs::rename(running.path("new"), running.path("above/etc")).unwrap();
    });
    applied(&running, "d", |text| {
        fs::create_dir_all(running.path("newer/etc")).unwrap();
        fs::write(running.path("newer/etc/proxy.yaml"), text).unwrap();
        fs::rename(running.path("above"), running.path("oldest")).unwrap();
        fs::rename(running.path("newer"), running.path("above")).unwrap();
    });
    applied(&running, "e", |text| running.write(text));
}

/// A shell that changes its directory when told: what `/proc` calls its directory is then another, and no event tells.
struct Wanderer(Child);

impl Wanderer {
    fn in_directory(directory: &Path) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", "while read -r directory; do cd \"$directory\"; done"]);
        Self(
            shell
                .current_dir(directory)
                .stdin(Stdio::piped())
                .spawn()
                .unwrap(),
        )
    }

    fn path(&self) -> std::path::PathBuf {
        format!("/proc/{}/cwd/proxy.yaml", self.0.id()).into()
    }

    fn go(&mut self, directory: &Path) {
        let line = format!("{}\n", directory.display());
        self.0.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    }
}

impl Drop for Wanderer {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn where_no_event_tells_by_polling() {
    let mut wanderer = None;
    let head = format!("reload: {{pollInterval: 200ms}}\n{LOUD}");
    let running = Running::laid_out(&head, &["a", "b"], |directory, text| {
        fs::create_dir(directory.join("one")).unwrap();
        fs::write(directory.join("one/proxy.yaml"), text).unwrap();
        let shell = wanderer.insert(Wanderer::in_directory(&directory.join("one")));
        shell.path()
    });
    let mut wanderer = wanderer.unwrap();
    for (name, directory) in [("c", "two"), ("d", "three")] {
        let mark = running.mark();
        applied(&running, name, |text| {
            fs::create_dir(running.path(directory)).unwrap();
            fs::write(running.path(directory).join("proxy.yaml"), text).unwrap();
            wanderer.go(&running.path(directory));
        });
        let log = running.binary.log();
        assert!(log[mark..].contains("trigger=\"poll\""), "{}", &log[mark..]);
    }
}

/// Writes the clusters `a`, then `b`, then `c` and `d`, with a pause between; each prefix is a configuration. The
/// file has been opened by the caller.
fn in_chunks(running: &Running, file: &mut fs::File, between: impl Fn()) {
    let whole = running.text(&["a", "b", "c", "d"]);
    let ends = ["b", "c"].map(|name| whole.find(&format!("  - name: {name}")).unwrap());
    let mut from = 0;
    for to in ends {
        file.write_all(&whole.as_bytes()[from..to]).unwrap();
        from = to;
        std::thread::sleep(PAUSE);
        between();
    }
    file.write_all(&whole.as_bytes()[from..]).unwrap();
    std::thread::sleep(PAUSE);
}

#[track_caller]
fn never_a_prefix(running: &Running, file: fs::File, finish: impl FnOnce()) {
    let mut client = running.client(1);
    let mark = running.mark();
    let mut file = file;
    in_chunks(running, &mut file, || ());
    assert_eq!(running.news(mark), NOTHING, "before it was complete");
    drop(file);
    finish();
    let told = running.outcome_since(mark);
    assert_eq!(told.outcome, "applied", "{}", told.log);
    running.binary.expect_log("add `d`");
    let log = &running.binary.log()[mark..];
    assert!(log.contains("generation=2 added=2 modified=0 removed=0"), "{log}");
    ask(&mut client);
}

#[test]
fn in_place_in_chunks_that_are_configurations() {
    let running = watched();
    let open = OpenOptions::new().write(true).truncate(true).open(&running.file);
    never_a_prefix(&running, open.unwrap(), || ());
}

#[test]
fn created_anew_in_chunks_that_are_configurations() {
    let running = watched();
    fs::remove_file(&running.file).unwrap();
    let open = fs::File::create(&running.file).unwrap();
    never_a_prefix(&running, open, || ());
}

#[test]
fn half_a_file_is_not_applied_by_sighup_either() {
    let running = watched();
    let mark = running.mark();
    let mut file = OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&running.file)
        .unwrap();
    in_chunks(&running, &mut file, || running.binary.signal(Signal::HUP));
    assert_eq!(running.news(mark), NOTHING, "before it was complete");
    drop(file);
    let told = running.outcome_since(mark);
    assert_eq!(told.outcome, "applied");
    assert!(
        told.log.contains("trigger=\"sighup\" generation=2 added=2"),
        "{}",
        told.log
    );
}

#[test]
fn of_a_thousand_changes_in_a_second_the_last_one_wins() {
    let running = watched();
    let mut client = running.client(0);
    let mark = running.mark();
    let names: Vec<String> = (0..7).map(|index| format!("x{index}@{}", 3 + index)).collect();
    let texts: Vec<String> = names.iter().map(|name| running.text(&["a", "b", name])).collect();
    let began = Instant::now();
    for round in 0..1000 {
        let text = &texts[round % texts.len()];
        match round % 2 {
            0 => running.replace(text),
            _ => running.write(text),
        }
        let due = began + Duration::from_millis(round as u64);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    applied(&running, "last", |text| running.write(text));
    ask(&mut client);
    let told = running.reload();
    assert_eq!(told.outcome, "unchanged", "{}", told.log);
    never_half_seen(&running, mark);
}
