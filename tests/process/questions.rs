//! Questions about what runs are answered while a reload waits for something.
//!
//! 1. For a file whose read does not return: the process also ends when it is asked to.
//! 2. For somebody who has begun to write the file.
//! 3. For a name server that does not answer; the reload is applied meanwhile, and so is the next one.
//! 4. For sessions that do not leave; the next reload is applied meanwhile.
//!
//! That a reload of thousands of clusters is nothing to wait for either is promised in `it/reload`.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use testkit::binary::{Binary, program};
use testkit::broker::{Broker, Connection};
use testkit::client::Client;
use testkit::frames;
use testkit::replace::atomically;
use testkit::running::{LOUD, cluster, local, ports};
use testkit::wait::{PATIENCE, eventually};

/// Questions that are asked while a reload waits.
const QUESTIONS: usize = 20;

/// Reads of files whose path contains `.stuck` and look-ups of names that contain `.hangs.test` never return.
const STUCK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
typedef ssize_t reader(int, void *, size_t);
typedef int resolver(const char *, const char *, const struct addrinfo *, struct addrinfo **);
static int is_stuck(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len <= 0) return 0;
    path[len] = 0;
    return strstr(path, ".stuck") != NULL;
}
ssize_t read(int fd, void *buffer, size_t size) {
    while (is_stuck(fd)) pause();
    return ((reader *) dlsym(RTLD_NEXT, "read"))(fd, buffer, size);
}
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out) {
    while (node && strstr(node, ".hangs.test")) pause();
    return ((resolver *) dlsym(RTLD_NEXT, "getaddrinfo"))(node, service, hints, out);
}
"#;

/// The binary on a machine where some things never return, with the ports of its management and its clusters.
struct Stuck {
    binary: Binary,
    directory: PathBuf,
    base: u16,
}

impl Stuck {
    /// Runs with these clusters, made from the first port that is free for them.
    fn serving(clusters: impl FnOnce(u16) -> String) -> Self {
        let (directory, base) = (tempfile::tempdir().unwrap(), ports());
        let at = directory.path().to_owned();
        let file = at.join("proxy.yaml");
        fs::write(&file, text(base, &clusters(base + 1))).unwrap();
        let mut command = Command::new(program());
        command.env("LD_PRELOAD", library(&at));
        let binary = Binary::start(command, &file, Some(directory));
        // Its watcher follows the file from now on.
        binary.expect_log("nothing has changed");
        Self {
            binary,
            directory: at,
            base,
        }
    }

    fn file(&self) -> PathBuf {
        self.directory.join("proxy.yaml")
    }

    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(local(self.base)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: kproxy\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        body.to_owned()
    }

    fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.get("/status")).unwrap()
    }

    fn generation(&self) -> u64 {
        self.status()["generation"].as_u64().unwrap()
    }

    /// Asks everything many times; this generation is the answer.
    #[track_caller]
    fn answers(&self, generation: u64) {
        for _ in 0..QUESTIONS {
            assert_eq!(self.generation(), generation);
            let metrics = self.get("/metrics");
            assert!(
                metrics.contains(&format!("kproxy_config_generation {generation}")),
                "{metrics}"
            );
            self.get("/connections");
        }
    }

    #[track_caller]
    fn expect_generation(&self, generation: u64) {
        eventually("the reload is applied", || self.generation() == generation);
    }
}

fn text(base: u16, clusters: &str) -> String {
    format!(
        "{LOUD}management: {{port: {base}}}
network: {{proxy: {{workerThreadCount: 2, shutdownTimeout: 2s}}}}
reload: {{debounce: 10ms}}
virtualClusters:
{clusters}"
    )
}

/// Made by the C compiler that builds what kproxy is built of.
fn library(directory: &Path) -> PathBuf {
    let (source, library) = (directory.join("stuck.c"), directory.join("preload.so"));
    fs::write(&source, STUCK).unwrap();
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(compiler);
    let built = command
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .arg("-ldl")
        .status();
    assert!(built.unwrap().success());
    library
}

#[test]
fn a_file_whose_read_does_not_return_keeps_no_question_waiting() {
    let broker = Broker::echoing(b"ok");
    let clusters = |port| cluster("a", port, broker.address, "");
    let mut stuck = Stuck::serving(clusters);
    let other = stuck.directory.join("other.stuck");
    fs::write(&other, text(stuck.base, &clusters(stuck.base + 1))).unwrap();
    let link = stuck.directory.join("link");
    symlink(&other, &link).unwrap();
    fs::rename(&link, stuck.file()).unwrap();
    stuck.binary.signal(Signal::HUP);
    eventually("it is being read", || {
        let open = stuck.binary.open();
        open.iter().any(|path| path.contains("other.stuck"))
    });
    stuck.answers(1);
    stuck.binary.signal(Signal::TERM);
    let (code, log) = stuck.binary.exit();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn a_file_that_is_being_written_keeps_no_question_waiting() {
    let broker = Broker::echoing(b"ok");
    let stuck = Stuck::serving(|port| cluster("a", port, broker.address, ""));
    let port = stuck.base + 1;
    let both = cluster("a", port, broker.address, "") + &cluster("b", port + 2, broker.address, "");
    let both = text(stuck.base, &both);
    let (first, rest) = both.split_at(both.len() / 2);
    let mut file = OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(stuck.file())
        .unwrap();
    file.write_all(first.as_bytes()).unwrap();
    stuck.binary.signal(Signal::HUP);
    stuck.answers(1);
    file.write_all(rest.as_bytes()).unwrap();
    drop(file);
    stuck.expect_generation(2);
}

#[test]
fn a_name_server_that_does_not_answer_keeps_nobody_waiting() {
    let broker = Broker::echoing(b"ok");
    let stuck = Stuck::serving(|port| cluster("a", port, broker.address, ""));
    let configure = |cause: &str| {
        let hanging = format!(
            "  - {{name: h, targetCluster: {{bootstrapServers: 'kafka-{cause}.hangs.test:9092'}}, gateways: [{{name: g, \
             portIdentifiesNode: {{bootstrapAddress: '127.0.0.1:{}', nodeIdRanges: [{{start: 0, end: 0}}]}}}}]}}\n",
            stuck.base + 3
        );
        let clusters = cluster("a", stuck.base + 1, broker.address, "") + &hanging;
        atomically(&stuck.file(), &text(stuck.base, &clusters));
    };
    configure("first");
    stuck.expect_generation(2);
    eventually("the name is looked up", || {
        let threads = stuck.binary.threads();
        threads
            .iter()
            .any(|(name, _)| name.starts_with("kproxy-resolver"))
    });
    stuck.answers(2);
    configure("second");
    stuck.expect_generation(3);
    stuck.answers(3);
}

#[test]
fn a_long_drain_keeps_nobody_waiting() {
    let broker = Broker::echoing(b"ok");
    let silent = Broker::start(|mut connection: Connection| while connection.request().is_some() {});
    let stuck = Stuck::serving(|port| {
        cluster("a", port, broker.address, "") + &cluster("b", port + 2, silent.address, "")
    });
    let port = stuck.base + 1;
    let mut client = Client::connect(local(port + 2));
    client.send(&frames::heartbeat(1));
    eventually("the request is in flight", || {
        stuck.get("/connections").contains("\"in_flight\":1")
    });
    let one = |more: &str| text(stuck.base, &cluster("a", port, broker.address, more));
    atomically(&stuck.file(), &one(""));
    stuck.expect_generation(2);
    stuck.answers(2);
    atomically(&stuck.file(), &one("    maxConnections: 7\n"));
    stuck.expect_generation(3);
    stuck.answers(3);
    assert_eq!(stuck.status()["drains"][0]["remaining"], 1);
}
