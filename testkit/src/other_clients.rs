//! Clients in other languages, installed on demand: franz-go (Go), kafka-python and aiokafka (Python).
//!
//! Each is a program with the arguments BOOTSTRAP MECHANISM USER PASSWORD TOPIC COUNT MILLISECONDS. It produces so many
//! records within that time, one after the other, reads all of them with a second connection, and fails on any error that its library
//! tells and on any record that is missing or came twice.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use super::{maven::cache_directory, skipped, tool::Tool};

/// Installing them takes minutes and registries: tests with them run where this is `1`.
const SWITCH: &str = "KPROXY_TEST_CLIENTS";

/// A library of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    FranzGo,
    KafkaPython,
    AioKafka,
}

/// What a client is told.
#[derive(Clone, Copy, Debug)]
pub struct Task<'t> {
    pub bootstrap: &'t str,
    pub mechanism: &'t str,
    pub user: &'t str,
    pub password: &'t str,
    pub topic: &'t str,
    pub records: usize,
    /// Time over which the records are produced.
    pub milliseconds: u128,
}

impl Library {
    /// The program with this task; `None` where such tests are not asked for.
    #[track_caller]
    pub fn tool(self, task: &Task<'_>) -> Option<Tool> {
        if std::env::var_os(SWITCH).is_none_or(|value| value != "1") {
            skipped::note(&format!("{SWITCH} is not 1"));
            return None;
        }
        let command = match self {
            Self::FranzGo => Command::new(franz()),
            Self::KafkaPython => python("kafka_python.py"),
            Self::AioKafka => python("aiokafka_client.py"),
        };
        let tool = Tool::of(&format!("{self:?}"), command)
            .args([task.bootstrap, task.mechanism, task.user, task.password])
            .args([task.topic, &task.records.to_string()])
            .arg(task.milliseconds.to_string());
        Some(tool)
    }
}

fn sources(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kafka").join(name)
}

/// The place in the cache, locked while this process looks at it. Closing the file unlocks it.
fn place(name: &str) -> (PathBuf, File) {
    let cache = cache_directory();
    fs::create_dir_all(&cache).unwrap();
    let lock = File::create(cache.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    (cache.join(name), lock)
}

#[track_caller]
fn succeeds(command: &mut Command) {
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {told}");
}

/// The program of franz-go. Go itself knows whether it is up to date.
fn franz() -> PathBuf {
    let (program, _lock) = place("franz-go");
    let mut build = Command::new("go");
    build.args(["build", "-buildvcs=false", "-o"]).arg(&program);
    succeeds(build.arg(".").current_dir(sources("franz")));
    program
}

/// Python with the libraries of `requirements.txt`, and this program.
fn python(program: &str) -> Command {
    let requirements = sources("python").join("requirements.txt");
    let (environment, _lock) = place("python-clients");
    let installed = environment.join("requirements.txt");
    let wanted = fs::read(&requirements).unwrap();
    if fs::read(&installed).ok().as_ref() != Some(&wanted) {
        succeeds(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&environment),
        );
        let mut pip = Command::new(environment.join("bin/pip"));
        succeeds(pip.args(["install", "-q", "-r"]).arg(&requirements));
        fs::write(installed, wanted).unwrap();
    }
    let mut command = Command::new(environment.join("bin/python"));
    command.arg(sources("python").join(program));
    command
}
