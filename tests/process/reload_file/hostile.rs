//! Promise 6.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use testkit::binary::Binary;
use testkit::broker::Broker;
use testkit::running::{LOUD, Running, ask, cluster, ports};
use testkit::wait::eventually;

/// Nobody; the process of a user who may not read everything.
const NOBODY: u32 = 65_534;

/// What takes the file's place is told to be this, while clients are served; afterwards a good file is applied.
#[track_caller]
fn rejected(running: &Running, name: &str, words: &str, put: impl FnOnce()) {
    let (stop, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let mut client = running.client(0);
        scope.spawn(|| {
            let mut client = running.client(1);
            while !stop.load(Ordering::Relaxed) {
                ask(&mut client);
                answers.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mark = running.mark();
        put();
        let seen = || running.binary.log()[mark..].contains(words);
        eventually(&format!("{words:?} for {name}"), seen);
        let told = running.outcome_since(mark);
        // It stays rejected for as long as it is there.
        let again = running.reload();
        let served = answers.load(Ordering::Relaxed);
        eventually("clients are served", || {
            answers.load(Ordering::Relaxed) > served + 10
        });
        stop.store(true, Ordering::Relaxed);
        ask(&mut client);
        assert_eq!(
            (told.outcome, again.outcome),
            ("rejected", "rejected"),
            "{name}: {}",
            told.log
        );
    });
}

#[track_caller]
fn good_again(running: &Running, names: &mut impl Iterator<Item = &'static str>) {
    let (mark, name) = (running.mark(), names.next().unwrap());
    running.replace(running.text(&["a", "b", name]));
    eventually("a good file is applied", || {
        running.binary.log()[mark..].contains(&format!("add `{name}`"))
    });
    running.client(2);
}

#[test]
fn what_is_not_a_file_is_rejected_and_blocks_nobody() {
    let running = Running::with(LOUD, &["a", "b"]);
    let mut names = ["c", "d"].into_iter().cycle();
    let (file, beside) = (&running.file, running.path("beside"));
    let replaced = |make: &dyn Fn(&std::path::Path)| {
        make(&beside);
        fs::rename(&beside, file).unwrap();
    };
    let fifo = |path: &std::path::Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    rejected(&running, "a FIFO", "this is a named pipe, not a file", || {
        replaced(&fifo);
    });
    good_again(&running, &mut names);
    for device in ["/dev/zero", "/dev/tty", "/dev/full"] {
        // A terminal that the process does not have cannot even be opened.
        rejected(&running, device, "proxy.yaml:1:1: error: ", || {
            replaced(&|path| symlink(device, path).unwrap());
        });
        good_again(&running, &mut names);
    }
    rejected(&running, "a loop", "Too many levels of symbolic links", || {
        replaced(&|path| symlink("proxy.yaml", path).unwrap());
    });
    good_again(&running, &mut names);
    rejected(&running, "a link to nothing", "No such file or directory", || {
        replaced(&|path| symlink("nothing", path).unwrap());
    });
    good_again(&running, &mut names);
    rejected(&running, "a directory", "this is a directory, not a file", || {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    });
    fs::remove_dir(file).unwrap();
    good_again(&running, &mut names);
    let socket = |path: &std::path::Path| drop(std::os::unix::net::UnixListener::bind(path).unwrap());
    rejected(&running, "a socket", "proxy.yaml:1:1: error: ", || {
        replaced(&socket);
    });
    good_again(&running, &mut names);
}

#[test]
fn what_is_too_much_is_rejected_and_delays_nobody() {
    let running = Running::with(LOUD, &["a", "b"]);
    let mut names = ["c", "d"].into_iter().cycle();
    for size in [33 << 20, 10 << 30] {
        rejected(&running, "a large file", "the file is larger than 32 MiB", || {
            let large = File::create(running.path("large")).unwrap();
            large.set_len(size).unwrap();
            fs::rename(running.path("large"), &running.file).unwrap();
        });
        good_again(&running, &mut names);
    }
    let mut aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let items = format!("*a{}, ", level - 1).repeat(10);
        aliases += &format!("a{level}: &a{level} [{items}]\n");
    }
    let deep = "[".repeat(100_000);
    let mut long = "logging: {level: ".to_owned();
    long += &"x".repeat(8 << 20);
    let text = running.text(&["a", "b"]);
    for (name, content) in [
        ("an alias bomb", format!("{aliases}{text}").into_bytes()),
        ("a depth bomb", format!("x: {deep}").into_bytes()),
        ("a scalar of 8 MiB", format!("{long}}}\n{text}").into_bytes()),
        ("not UTF-8", [text.as_bytes(), b"# \xff\xfe\n"].concat()),
        ("binary", testkit::frames::noise(7, 1 << 20)),
        (
            "a NUL",
            [b"# \0\n".as_slice(), b"x: \0\n", text.as_bytes()].concat(),
        ),
    ] {
        rejected(&running, name, "proxy.yaml:", || running.replace(content));
        let resident = running.binary.resident_kib();
        assert!(resident < 300 << 10, "{name}: {resident} KiB");
        good_again(&running, &mut names);
    }
}

#[test]
fn files_from_other_systems_are_files() {
    let running = Running::with(LOUD, &["a", "b"]);
    let text = |name| running.text(&["a", "b", name]);
    for (name, content) in [
        ("c", text("c").replace('\n', "\r\n")),
        ("d", format!("\u{feff}{}", text("d"))),
        ("e", format!("\u{feff}{}", text("e").replace('\n', "\r\n"))),
    ] {
        let mark = running.mark();
        running.write(content);
        let told = running.outcome_since(mark);
        assert_eq!(told.outcome, "applied", "{}", told.log);
        running.binary.expect_log(&format!("add `{name}`"));
    }
}

#[test]
fn a_file_that_may_not_be_read_is_rejected() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
    let (broker, base) = (Broker::echoing(b"ok"), ports());
    let file = directory.path().join("proxy.yaml");
    let text = |name| {
        let of = |name, port| cluster(name, port, broker.address, "");
        format!("virtualClusters:\n{}{}", of("a", base), of(name, base + 2))
    };
    fs::write(&file, text("b")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kproxy"));
    if rustix::process::geteuid().is_root() {
        let mut tried = Command::new(env!("CARGO_BIN_EXE_kproxy"));
        if tried.arg("--version").uid(NOBODY).output().is_err() {
            eprintln!("skipped: the binary is where only root can run it, and root may read everything");
            return;
        }
        command.uid(NOBODY).gid(NOBODY);
    }
    let binary = Binary::start(command, &file, Some(directory));
    binary.expect_log("kproxy serves");
    let mut client = testkit::client::Client::connect(testkit::running::local(base));
    ask(&mut client);
    fs::set_permissions(&file, Permissions::from_mode(0o000)).unwrap();
    binary.expect_log("proxy.yaml:1:1: error: cannot read the file: Permission denied");
    ask(&mut client);
    // The text is what it was; that it can be read again is all that has changed.
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    binary.expect_log("the configuration means the same as the running one");
    fs::write(&file, text("c")).unwrap();
    binary.expect_log("add `c`");
    ask(&mut client);
}
