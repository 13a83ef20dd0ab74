//! What the binary generates for shells and editors from its own definitions.
//!
//! 1. `schema` prints the JSON Schema that the tests of the documents hold to the code; it asks no process.
//! 2. `completions` prints a script for each shell; bash takes it, and completes every command with it.
//! 3. `man` has a page for every command, which `man` shows without a complaint; `man --all` writes them all.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::CommandFactory;
use kproxy::config::schema::json_schema;
use kproxy::reload::ReloadClass;
use serde_json::Value;
use tempfile::TempDir;

use crate::admin::commands::run;
use testkit::command::Ran;
use testkit::skipped;

/// Runs the binary beside a socket that nobody serves.
fn generated(arguments: &str) -> Ran {
    let directory = TempDir::new().unwrap();
    run(Path::new("/nonexistent/socket"), directory.path(), arguments)
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// The names of all commands, inner ones behind their outer one.
fn commands() -> Vec<String> {
    fn names(command: &clap::Command, before: &str, found: &mut Vec<String>) {
        for inner in command.get_subcommands() {
            let name = format!("{before}{}", inner.get_name());
            names(inner, &format!("{name} "), found);
            found.push(name);
        }
    }
    let mut found = Vec::new();
    names(&kproxy::cli::Arguments::command(), "", &mut found);
    found
}

#[test]
fn the_schema_is_that_of_the_code() {
    let expected = json_schema(|path| ReloadClass::of(path).map(ReloadClass::name));
    for arguments in ["schema", "schema --json"] {
        let run = generated(arguments);
        assert_eq!((run.code, &*run.err), (0, ""), "{arguments}");
        assert_eq!(
            serde_json::from_str::<Value>(&run.out).unwrap(),
            expected,
            "{arguments}"
        );
    }
    assert_eq!(generated("schema --json").out.lines().count(), 1);
    assert!(generated("schema").out.lines().count() > 1000);
    assert_eq!(generated("schema proxy.yaml").code, 2);
}

#[test]
fn bash_completes_every_command() {
    let script = generated("completions bash");
    assert_eq!((script.code, &*script.err), (0, ""));
    let mut bash = Command::new("bash");
    // The words up to the cursor; what the script offers is printed one a line.
    let ask =
        "COMP_WORDS=(kproxy ''); COMP_CWORD=1; _kproxy kproxy '' kproxy; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let offered = bash
        .arg("-c")
        .arg(format!("{}\n{ask}", script.out))
        .output()
        .unwrap();
    let offered = String::from_utf8(offered.stdout).unwrap();
    for command in commands().iter().filter(|name| !name.contains(' ')) {
        assert!(
            offered.lines().any(|line| line == command),
            "{command} is not in {offered}"
        );
    }
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let run = generated(&format!("completions {shell}"));
        assert_eq!((run.code, &*run.err), (0, ""), "{shell}");
        let json: Value =
            serde_json::from_str(&generated(&format!("completions {shell} --json")).out).unwrap();
        assert_eq!(
            (json["shell"].as_str(), json["script"].as_str()),
            (Some(shell), Some(&*run.out))
        );
        for command in commands().iter().filter(|name| !name.contains(' ')) {
            assert!(
                run.out.contains(command.as_str()),
                "{shell} does not know {command}"
            );
        }
        // A shell that is not installed is not asked; bash always is.
        if shell == "bash" || is_installed(shell) {
            let mut checker = Command::new(shell)
                .arg("-n")
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            checker
                .stdin
                .take()
                .unwrap()
                .write_all(run.out.as_bytes())
                .unwrap();
            assert!(checker.wait().unwrap().success(), "{shell} -n");
        }
    }
    let wrong = generated("completions powershell");
    assert_eq!(wrong.code, 2);
    assert!(
        wrong.err.contains("possible values: bash, zsh, fish"),
        "{}",
        wrong.err
    );
}

#[test]
fn every_command_has_a_manual_page() {
    for command in std::iter::once(String::new()).chain(commands()) {
        let page = generated(&format!("man {command}"));
        assert_eq!((page.code, &*page.err), (0, ""), "{command}");
        assert!(
            page.out.lines().any(|line| line.starts_with("Exit codes")),
            "{command}: {}",
            page.out
        );
        assert!(page.out.contains(".SH SYNOPSIS"), "{command}");
    }
    let wrong = generated("man statusx");
    assert_eq!(
        (wrong.code, &*wrong.err),
        (2, "kproxy: error: there is no command `statusx`\n")
    );
    let json: Value = serde_json::from_str(&generated("man status --json").out).unwrap();
    assert_eq!(json["file"], "kproxy-status.1");
}

#[test]
fn all_manual_pages_are_written_and_groff_takes_them() {
    let directory = TempDir::new().unwrap();
    let into = directory.path().join("man1");
    let run = run(
        Path::new("s"),
        directory.path(),
        &format!("man --all {}", into.display()),
    );
    let count = commands().len() + 1;
    assert_eq!(
        (run.code, run.out),
        (0, format!("{count} pages in {}\n", into.display()))
    );
    let written: Vec<_> = fs::read_dir(&into)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(written.len(), count, "{written:?}");
    for name in commands() {
        assert!(
            into.join(format!("kproxy-{}.1", name.replace(' ', "-"))).exists(),
            "{name}"
        );
    }
    if !is_installed("groff") {
        return skipped::note("groff is not installed");
    }
    for path in written {
        let shown = Command::new("groff")
            .args(["-man", "-ww", "-z", "-Tutf8"])
            .arg(&path)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&shown.stderr);
        assert!(
            shown.status.success() && said.is_empty(),
            "{}: {said}",
            path.display()
        );
    }
}

#[test]
fn pages_that_cannot_be_written_are_a_failure() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("file"), "").unwrap();
    let run = run(Path::new("s"), directory.path(), "man --all file/man1");
    assert_eq!(run.code, 1);
    assert!(
        run.err
            .starts_with("kproxy: error: cannot write to `file/man1`: "),
        "{}",
        run.err
    );
}
