//! The control socket as a file, and the language spoken over it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::time::Duration;

use kproxy::admin::client::{Client, ClientError};
use kproxy::admin::protocol::Request;
use kproxy::admin::{Admin, SocketPath};
use kproxy::control::handle::Progress;
use tempfile::TempDir;

use super::commands::command;
use super::fake::Fake;
use testkit::wait::{PATIENCE, eventually};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

/// Promise 8.
#[test]
fn the_socket_is_its_owners_alone_and_goes_with_its_owner() {
    let fake = Fake::start();
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("made/for/it/control.sock");
    let admin = fake.admin(None, SocketPath::At(path.clone())).unwrap();
    assert_eq!(admin.socket(), Some(path.as_path()));
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    let status = Client::connect(&path)
        .unwrap()
        .ask(Request::Status, Some(PATIENCE))
        .unwrap();
    assert!(status.get().starts_with("{\"version\":\"9.9.9\""), "{status}");
    drop(admin);
    assert!(!path.exists());
}

/// That somebody else's socket is not opened says nothing about whether a process answers there.
#[test]
fn a_socket_of_somebody_else_is_told_as_such() {
    let fake = Fake::start();
    let directory = TempDir::new().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = directory.path().join("control.sock");
    let _admin = fake.admin(None, SocketPath::At(path.clone())).unwrap();
    let mut command = command(&path, directory.path(), "status");
    let owner = match rustix::process::geteuid().as_raw() {
        // Nothing is forbidden to root.
        0 => {
            command.uid(65_534).gid(65_534);
            "root".to_owned()
        }
        uid => {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
            format!("user {uid}")
        }
    };
    let ran = match command.output() {
        Ok(ran) => ran,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            eprintln!("skipped: another user cannot run the binary");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let expected = format!(
        "kproxy: error: the control socket {} may be opened by {owner} only; run the command as that user\n",
        path.display()
    );
    assert_eq!(String::from_utf8(ran.stderr).unwrap(), expected);
    assert_eq!(ran.status.code(), Some(1));
}

/// Promise 8.
#[test]
fn a_dead_socket_is_replaced_and_a_live_one_is_not() {
    let fake = Fake::start();
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("control.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(fs::symlink_metadata(&path).unwrap().file_type().is_socket());
    let first = fake.admin(None, SocketPath::At(path.clone())).unwrap();
    assert_eq!(mode(&path), 0o600);
    let error = fake.admin(None, SocketPath::At(path.clone())).unwrap_err();
    let expected = format!("control socket {}: another kproxy answers there", path.display());
    assert_eq!(error.to_string(), expected);
    assert!(
        Client::connect(&path)
            .unwrap()
            .ask(Request::Status, Some(PATIENCE))
            .is_ok(),
        "the first is unharmed"
    );
    drop(first);
    fs::write(&path, "precious").unwrap();
    let error = fake.admin(None, SocketPath::At(path.clone())).unwrap_err();
    assert!(error.to_string().contains("no socket"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"precious");
}

/// Promise 8: a process that is too busy to accept is alive.
#[test]
fn a_live_socket_with_a_full_queue_is_left_alone() {
    let fake = Fake::start();
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("control.sock");
    let busy = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    let address = socket2::SockAddr::unix(&path).unwrap();
    busy.bind(&address).unwrap();
    busy.listen(0).unwrap();
    let mut waiting = Vec::new();
    loop {
        let client = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
        client.set_nonblocking(true).unwrap();
        if client.connect(&address).is_err() {
            break;
        }
        waiting.push(client);
    }
    let error = fake.admin(None, SocketPath::At(path)).unwrap_err();
    assert!(
        error.to_string().ends_with("another kproxy answers there"),
        "{error}"
    );
}

/// Promise 8: whoever has taken the place meanwhile keeps it.
#[test]
fn somebody_elses_socket_is_not_removed() {
    let fake = Fake::start();
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("control.sock");
    let first = fake.admin(None, SocketPath::At(path.clone())).unwrap();
    fs::remove_file(&path).unwrap();
    let _second = fake.admin(None, SocketPath::At(path.clone())).unwrap();
    drop(first);
    assert!(path.exists());
}

/// Promise 8: the umask of a careless parent opens nothing, and a path that cannot be used is told.
#[test]
fn a_path_that_cannot_be_used_is_told() {
    let fake = Fake::start();
    let directory = TempDir::new().unwrap();
    let too_long = directory.path().join("x".repeat(120));
    let error = fake.admin(None, SocketPath::At(too_long.clone())).unwrap_err();
    assert!(error.to_string().contains(too_long.to_str().unwrap()), "{error}");
    assert!(
        Admin::start(None, SocketPath::Off, fake.handle.clone())
            .unwrap()
            .socket()
            .is_none()
    );
}

#[track_caller]
fn say(path: &Path, line: &str) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A server that has heard enough may have closed already.
    stream.write_all(line.as_bytes()).unwrap_or_default();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap_or_default();
    answer
}

#[test]
fn what_is_not_understood_is_said() {
    let fake = Fake::start();
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("control.sock");
    let _admin = fake.admin(None, SocketPath::At(path.clone())).unwrap();
    assert!(say(&path, "{\"v\":1,\"command\":\"status\"}\n").starts_with("{\"ok\":{"));
    for (line, expected) in [
        ("hello\n", "not a request"),
        ("{\"v\":1,\"command\":\"dance\"}\n", "dance"),
        ("{\"v\":2,\"command\":\"status\"}\n", "version 1"),
        ("{\"command\":\"status\"}\n", "not a request"),
    ] {
        let answer = say(&path, line);
        assert!(
            answer.starts_with("{\"error\":") && answer.contains(expected),
            "{answer}"
        );
    }
    let flood = "x".repeat(1 << 20);
    say(&path, &flood);
    assert!(
        say(&path, "{\"v\":1,\"command\":\"status\"}\n").starts_with("{\"ok\":"),
        "it is still there"
    );
}

/// Waiting ends when it holds, and whoever goes away gives the place back.
#[test]
fn waiting_is_bounded_by_the_one_who_waits() {
    let fake = Fake::start();
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("control.sock");
    let _admin = fake.admin(None, SocketPath::At(path.clone())).unwrap();
    let wait = || Request::Wait {
        drained: true,
        generation: Some(5),
    };
    // More than there are places, one after the other.
    for _ in 0..100 {
        let mut client = Client::connect(&path).unwrap();
        let waited = client.ask(wait(), Some(Duration::from_millis(1)));
        assert!(matches!(waited, Err(ClientError::TimedOut)), "{waited:?}");
    }
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            Client::connect(&path)
                .unwrap()
                .ask(wait(), Some(PATIENCE))
                .unwrap()
        });
        for (generation, drains) in [(4, 0), (6, 1)] {
            fake.inbox.progress.send_replace(Progress { generation, drains });
        }
        assert!(!waiting.is_finished());
        let last = Progress {
            generation: 6,
            drains: 0,
        };
        fake.inbox.progress.send_replace(last);
        assert_eq!(waiting.join().unwrap().get(), "{\"generation\":6,\"drains\":0}");
    });
    fake.end();
    eventually("it says that it ends", || {
        let asked = Client::connect(&path)
            .unwrap()
            .ask(Request::Status, Some(PATIENCE));
        matches!(asked, Err(ClientError::Refused(why)) if why.contains("ended"))
    });
}
