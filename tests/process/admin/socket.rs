//! The control socket as a file, and the HTTP spoken over it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use kproxy::admin::client::{Client, ClientError, Document};
use kproxy::admin::{Admin, RequestTarget, SocketPath};
use kproxy::control::handle::Progress;
use kproxy::reload::Trigger;
use serde_json::Value;
use tempfile::TempDir;

use super::commands::{command, run};
use super::fake::Fake;
use super::http::{get, request};
use testkit::wait::{PATIENCE, eventually};

fn status(path: &Path) -> Result<Document, ClientError> {
    let target = RequestTarget::new("/status");
    Client::connect(path)?.get(&target, Some(PATIENCE))
}

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
    let status = status(&path).unwrap().json;
    assert!(status.get().starts_with("{\"version\":\"9.9.9\""), "{status}");
    drop(admin);
    assert!(!path.exists());
}

/// A socket that cannot be opened does not show whether a process answers there.
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
    assert!(status(&path).is_ok(), "the first is unharmed");
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

/// Promise 8: a process that has taken the path meanwhile keeps it.
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

/// One request as another program makes it; the answer with its head.
#[track_caller]
fn say(path: &Path, head: &str) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("{head}\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    // A server that has heard enough may have closed already.
    drop(stream.write_all(request.as_bytes()));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    String::from_utf8(answer).unwrap()
}

/// Promises 2, 6 and 8: any HTTP client may ask, for all that HTTP over TCP has and for what is the owner's.
#[test]
fn the_socket_speaks_http() {
    let fake = Fake::start();
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("control.sock");
    let admin = fake.admin(Some("secret"), SocketPath::At(path.clone())).unwrap();
    for resource in [
        "/livez",
        "/readyz",
        "/status",
        "/connections",
        "/metrics",
        "/",
        "/listeners",
        "/wait",
    ] {
        let answer = say(&path, &format!("GET {resource} HTTP/1.1"));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{resource}: {answer}");
        assert!(answer.contains("\r\nserver: kproxy/"), "{answer}");
    }
    let reloaded = say(&path, "POST /reload?force=true&file=/etc/a%20b.yaml HTTP/1.1");
    assert!(
        reloaded.starts_with("HTTP/1.1 200 OK\r\n"),
        "no token is needed: {reloaded}"
    );
    let (trigger, force, file) = fake.with(|facts| facts.reloads.pop().unwrap());
    assert_eq!((trigger, force), (Trigger::Control, true));
    assert_eq!(file.as_deref(), Some(Path::new("/etc/a b.yaml")));
    for (head, status) in [
        ("GET /reload HTTP/1.1", "405"),
        ("POST /status HTTP/1.1", "405"),
        ("GET /nothing HTTP/1.1", "404"),
        ("GET /status/ HTTP/1.1", "404"),
        ("GET /wait?drained=perhaps HTTP/1.1", "400"),
        ("POST /reload?file=here.yaml HTTP/1.1", "400"),
        ("POST /reload?files=/x HTTP/1.1", "400"),
        ("hello", "400"),
    ] {
        let answer = say(&path, head);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{head}: {answer}"
        );
    }
    let flood = format!("GET /{} HTTP/1.1", "x".repeat(1 << 20));
    let answer = say(&path, &flood);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert!(fake.with(|facts| facts.reloads.is_empty()));
    // What only the owner may ask for is not there over TCP.
    let at = admin.http().unwrap();
    for resource in ["/listeners", "/wait"] {
        assert_eq!(get(at, resource).status, 404, "{resource}");
    }
    let reload = "POST /reload?file=/etc/proxy.yaml HTTP/1.1\nAuthorization: Bearer secret";
    assert_eq!(request(at, reload).status, 400);
    assert!(fake.with(|facts| facts.reloads.is_empty()));
}

/// Promise 9: `curl --unix-socket` is all it takes.
#[test]
fn curl_asks_over_the_socket() {
    let fake = Fake::start();
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("control.sock");
    let _admin = fake.admin(None, SocketPath::At(path.clone())).unwrap();
    let curl = |arguments: &[&str]| {
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--fail", "--unix-socket"]);
        command.arg(&path).args(arguments).output()
    };
    let status = match curl(&["http://localhost/status"]) {
        Ok(status) => status,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: there is no curl");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["version"], "9.9.9");
    let report = curl(&["--request", "POST", "http://localhost/reload"]).unwrap();
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["outcome"], "applied");
}

/// A process that answers everything with `head` and `body`.
fn answering(path: &Path, head: &str, body: &str) {
    let answer = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    answering_as_is(path, answer);
}

fn answering_as_is(path: &Path, answer: String) {
    let listener = UnixListener::bind(path).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            drop(stream.read(&mut head));
            drop(stream.write_all(answer.as_bytes()));
        }
    });
}

/// Promise 9: what another version says more is ignored, what it says less is empty, and errors name both versions.
#[test]
fn a_command_of_another_version_is_told_so() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name);
    let ask = |name: &str, arguments: &str| run(&path(name), directory.path(), arguments);
    answering(
        &path("newer"),
        "200 OK\r\nServer: kproxy/99.0.0\r\nContent-Type: application/json",
        r#"{"version":"99.0.0","news":[1],"config":{"last_reload":{"outcome":"x","trigger":"y"}}}"#,
    );
    let status = ask("newer", "status");
    assert_eq!((status.code, status.err.as_str()), (0, ""));
    assert!(
        status.out.starts_with("kproxy 99.0.0, process 0"),
        "{}",
        status.out
    );
    assert!(
        ask("newer", "status --json").out.contains("\"news\":[1]"),
        "as it was written"
    );
    let connections = ask("newer", "connections");
    assert_eq!(connections.code, 1);
    let ours = concat!("kproxy/", env!("CARGO_PKG_VERSION"));
    for version in ["kproxy/99.0.0", ours] {
        assert!(connections.err.contains(version), "{}", connections.err);
    }
    answering(
        &path("older"),
        "404 Not Found\r\nServer: kproxy/0.0.1",
        "no such path\n",
    );
    let missing = ask("older", "wait");
    assert_eq!(missing.code, 1);
    for part in ["no such path", "kproxy/0.0.1", ours] {
        assert!(missing.err.contains(part), "{}", missing.err);
    }
    answering_as_is(&path("oldest"), "{\"error\":\"not a request\"}\n".into());
    let line = ask("oldest", "status");
    assert_eq!(line.code, 1);
    assert!(line.err.contains("does not speak HTTP"), "{}", line.err);
}

/// Waiting ends when the condition holds; a client that goes away frees its place.
#[test]
fn waiting_is_bounded_by_the_one_who_waits() {
    let fake = Fake::start();
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("control.sock");
    let _admin = fake.admin(None, SocketPath::At(path.clone())).unwrap();
    let wait = RequestTarget::new("/wait")
        .with_flag("drained", true)
        .with("generation", Some("5"));
    // More than there are places, one after the other.
    for _ in 0..100 {
        let mut client = Client::connect(&path).unwrap();
        let waited = client.get(&wait, Some(Duration::from_millis(1)));
        assert!(matches!(waited, Err(ClientError::TimedOut)), "{waited:?}");
    }
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            Client::connect(&path)
                .unwrap()
                .get(&wait, Some(PATIENCE))
                .unwrap()
                .json
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
    eventually(
        "it says that it ends",
        || matches!(status(&path), Err(ClientError::Refused(why)) if why.contains("ended")),
    );
}
