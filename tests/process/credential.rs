//! `kproxy credential`: a line for a file of users.
//!
//! 1. The line is one that `SaslTermination` reads, for this password and no other; no password stands on the command line.
//! 2. Without a password, and for a name that is none, the command says so.

use std::io::Write as _;
use std::process::{Command, Stdio};

use kproxy::sasl::{CredentialSet, ScramHash};
use serde_json::Value;

use testkit::binary::program;

/// Exit code, standard output and standard error.
fn run(arguments: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut child = Command::new(program())
        .arg("credential")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command line that is wrong is answered before anything is read.
    drop(child.stdin.take().unwrap().write_all(input));
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn the_line_is_one_that_the_filter_reads() {
    let (code, line, err) = run(&["alice"], b"pencil\n");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        line.starts_with("alice:SCRAM-SHA-256$10000:") && line.lines().count() == 1,
        "{line}"
    );
    let users = CredentialSet::parse(&line).unwrap();
    let alice = users.verifier("alice", ScramHash::Sha256).unwrap();
    assert!(alice.fits_password("pencil") && !alice.fits_password("pencil\n"));
    let (_, other, _) = run(&["alice"], b"pencil");
    assert_ne!(line, other, "each line has a salt of its own");
}

#[test]
fn the_line_as_json_says_what_it_was_made_of() {
    let more = [
        "bob",
        "--mechanism",
        "SCRAM-SHA-512",
        "--iterations",
        "4096",
        "--json",
    ];
    let (code, json, _) = run(&more, b"eraser");
    assert_eq!(code, 0);
    let made: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&made["name"], &made["mechanism"], &made["iterations"]),
        (&"bob".into(), &"SCRAM-SHA-512".into(), &4096.into())
    );
    let users = CredentialSet::parse(made["line"].as_str().unwrap()).unwrap();
    assert!(
        users
            .verifier("bob", ScramHash::Sha512)
            .unwrap()
            .fits_password("eraser")
    );
}

#[test]
fn what_is_no_password_or_no_name_is_refused() {
    for input in [&b""[..], b"\n", b"two\nlines", &[b'x'; 5000]] {
        let (code, out, err) = run(&["alice"], input);
        assert_eq!((code, out.as_str()), (1, ""), "{}", input.escape_ascii());
        assert!(err.starts_with("kproxy: error: "), "{err}");
    }
    for arguments in [
        &[][..],
        &[""],
        &["alice", "--iterations", "1"],
        &["alice", "--mechanism", "PLAIN"],
    ] {
        assert_eq!(run(arguments, b"pencil").0, 2, "{arguments:?}");
    }
}
