//! `docs/getting-started.md` is what happens, but for ports, the folder, and clients of Kafka.
//!
//! 1. The commands of the page succeed in their order, and print what the page shows.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use testkit::binary::{Binary, program};
use testkit::cluster::Cluster;

/// Programs whose lines are run; those of Kafka, of the build, and of clients are left out.
const RUN: [&str; 5] = ["kproxy -c", "kproxy check", "kproxy plan", "sed ", "curl "];

/// A search for requests finds nothing where no client was run.
fn is_run(line: &str) -> bool {
    RUN.iter().any(|program| line.starts_with(program)) && !line.contains("| grep")
}

/// A fenced block: its language and its lines.
fn blocks(page: &str) -> Vec<(String, String)> {
    let mut parts = page.split("\n```");
    parts.next();
    let mut blocks = Vec::new();
    while let (Some(block), _) = (parts.next(), parts.next()) {
        let (language, code) = block.split_once('\n').unwrap();
        blocks.push((language.to_owned(), code.to_owned()));
    }
    blocks
}

/// Runs `script` in `directory`, where `bin` has the program, and returns what it prints.
#[track_caller]
fn shell(script: &str, directory: &Path) -> String {
    let path = format!(
        "{}:{}",
        directory.join("bin").display(),
        std::env::var("PATH").unwrap()
    );
    let mut command = Command::new("sh");
    command
        .args(["-ec", script])
        .current_dir(directory)
        .env("PATH", path);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{script}: {out}{err}");
    out
}

/// Whether every word that is no number and no time stands in `out`, line by line.
fn shows(out: &str, expected: &str) -> bool {
    let is_fixed = |word: &&str| !word.contains(|c: char| c.is_ascii_digit() || c == '/');
    expected
        .split_whitespace()
        .filter(is_fixed)
        .all(|word| out.contains(word))
}

#[test]
fn the_page_is_what_happens() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/getting-started.md");
    let page = String::from_utf8(std::fs::read(page).unwrap()).unwrap();
    let (cluster, base) = (Cluster::start([1]), testkit::running::ports());
    let page = page
        .replace("localhost:9092", &cluster.address(1).to_string())
        .replace("9190", &(base + 20).to_string())
        .replace("localhost:9192", &format!("localhost:{base}"))
        .replace("localhost:9292", &format!("localhost:{}", base + 10));
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("bin")).unwrap();
    symlink(program(), directory.path().join("bin/kproxy")).unwrap();
    let mut running = None;
    let mut run = 0;
    for (language, code) in blocks(&page) {
        match language.as_str() {
            "yaml" => std::fs::write(directory.path().join("proxy.yaml"), code + "\n").unwrap(),
            "sh" if code.starts_with("kproxy --config") => {
                let binary = Binary::at(&directory.path().join("proxy.yaml"));
                binary.expect_log("kproxy serves");
                running = Some(binary);
            }
            // A whole script: it has a document in it.
            "sh" if code.starts_with("cat >>") => {
                shell(&code, directory.path());
                run += 1;
            }
            "sh" => {
                for line in code.lines().filter(|line| is_run(line)) {
                    shell(line, directory.path());
                    run += 1;
                }
            }
            "text" => run += usize::from(session(&code, directory.path())),
            _ => {}
        }
    }
    assert!(run > 6, "only {run} commands were run");
    let mut running = running.expect("the page starts kproxy");
    running.signal(Signal::TERM);
    assert_eq!(running.exit().0, Some(0));
}

/// Runs the commands after `$ `, and compares what the last one prints with what is shown. False where a command is left out.
fn session(code: &str, directory: &Path) -> bool {
    let (commands, shown): (Vec<&str>, Vec<&str>) = code.lines().partition(|line| line.starts_with("$ "));
    let commands: Vec<&str> = commands.iter().map(|line| &line[2..]).collect();
    if !commands.iter().all(|line| is_run(line)) {
        return false;
    }
    let (last, before) = commands.split_last().unwrap();
    before.iter().for_each(|line| drop(shell(line, directory)));
    let expected = shown.join("\n");
    // What is shown may take a moment, as the outcome of a reload does.
    testkit::wait::eventually(last, || shows(&shell(last, directory), &expected));
    true
}
