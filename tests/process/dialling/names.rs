//! Names whose resolver hangs: `getaddrinfo` of the real binary, replaced by one that never returns for them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::Signal;

use super::{ALIVE, heartbeat, is_served};
use testkit::binary::Binary;
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::wait::eventually;

/// Whatever ends in `.hangs.test` hangs, `answers.test` is 127.0.0.1.
const RESOLVER: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>
typedef int resolver(const char *, const char *, const struct addrinfo *, struct addrinfo **);
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out) {
    while (node && strstr(node, ".hangs.test")) pause();
    if (node && !strcmp(node, "answers.test")) node = "127.0.0.1";
    return ((resolver *) dlsym(RTLD_NEXT, "getaddrinfo"))(node, service, hints, out);
}
"#;

/// The C compiler that builds what kproxy is built of.
fn library(directory: &Path) -> PathBuf {
    let (source, library) = (directory.join("resolver.c"), directory.join("resolver.so"));
    std::fs::write(&source, RESOLVER).unwrap();
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let built = Command::new(compiler)
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .arg("-ldl")
        .status()
        .unwrap();
    assert!(built.success());
    library
}

/// kproxy with such a resolver; cluster `c0` and so on in front of each of these names.
fn serving(names: &[String]) -> Binary {
    let targets: Vec<String> = names
        .iter()
        .map(|name| format!("bootstrapServers: '{name}'"))
        .collect();
    serving_targets(&targets)
}

/// kproxy with such a resolver; cluster `c0` and so on in front of targets with these keys.
fn serving_targets(targets: &[String]) -> Binary {
    let directory = tempfile::TempDir::new().unwrap();
    let mut file =
        String::from("network: {proxy: {workerThreadCount: 2, shutdownTimeout: 1s, connectTimeout: 60s}}\n");
    file.push_str("virtualClusters:\n");
    for (index, target) in targets.iter().enumerate() {
        writeln!(
            file,
            "- {{name: c{index}, targetCluster: {{{target}}}, gateways: [{{name: g, \
             portIdentifiesNode: {{bootstrapAddress: '127.0.0.1:0', nodeIdRanges: [{{start: 0, end: 0}}]}}}}]}}"
        )
        .unwrap();
    }
    let path = directory.path().join("proxy.yaml");
    std::fs::write(&path, file).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kproxy"));
    command.env("LD_PRELOAD", library(directory.path()));
    let binary = Binary::start(command, &path, Some(directory));
    binary.expect_log("kproxy serves");
    binary
}

fn resolvers(binary: &Binary) -> usize {
    let threads = binary.threads();
    threads
        .iter()
        .filter(|(name, _)| name.starts_with("kproxy-resolver"))
        .count()
}

#[test]
fn a_name_that_hangs_costs_one_thread_and_delays_no_other() {
    let broker = Broker::echoing(ALIVE);
    let port = broker.address.port();
    let names = [format!("kafka.hangs.test:{port}"), format!("answers.test:{port}")];
    let mut binary = serving(&names);
    let addresses = binary.bootstraps();
    let mut waiting: Vec<Client> = (0..300).map(|_| Client::connect(addresses[0])).collect();
    for client in &mut waiting {
        client.send(&heartbeat(1));
    }
    eventually("the name is looked up", || resolvers(&binary) > 0);
    for _ in 0..10 {
        is_served(&mut Client::connect(addresses[1]));
    }
    assert!(resolvers(&binary) <= 2, "{:?}", binary.threads());
    binary.signal(Signal::TERM);
    let (code, log) = binary.exit();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn many_names_that_hang_leave_room_for_one_that_is_answered() {
    const HANGING: usize = 19;
    let broker = Broker::echoing(ALIVE);
    let port = broker.address.port();
    let mut names = vec![format!("answers.test:{port}")];
    names.extend((0..HANGING).map(|index| format!("kafka-{index}.hangs.test:{port}")));
    let binary = serving(&names);
    let addresses = binary.bootstraps();
    is_served(&mut Client::connect(addresses[0]));
    let mut waiting: Vec<Client> = addresses[1..].iter().map(|&at| Client::connect(at)).collect();
    for client in &mut waiting {
        client.send(&heartbeat(1));
    }
    eventually("they are looked up", || resolvers(&binary) >= HANGING);
    // Longer than an answer is kept.
    let since = std::time::Instant::now();
    while since.elapsed() < 2 * kproxy::resolver::FRESH {
        is_served(&mut Client::connect(addresses[0]));
    }
    assert!(
        resolvers(&binary) <= kproxy::resolver::THREADS,
        "{:?}",
        binary.threads()
    );
}

#[test]
fn a_first_server_whose_name_hangs_costs_no_connect_timeout() {
    let broker = Broker::echoing(ALIVE);
    let port = broker.address.port();
    let binary = serving(&[format!("kafka.hangs.test:{port},answers.test:{port}")]);
    let address = binary.bootstraps()[0];
    let began = std::time::Instant::now();
    for _ in 0..20 {
        is_served(&mut Client::connect(address));
    }
    assert!(
        began.elapsed() < std::time::Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
}

/// The name of the forward proxy is the only one that is looked up.
#[test]
fn a_forward_proxy_whose_name_hangs_delays_no_other_target() {
    let broker = Broker::echoing(ALIVE);
    let port = broker.address.port();
    let mut binary = serving_targets(&[
        "bootstrapServers: 'b.unknown.test:1', via: 'socks5://jump.hangs.test:1'".to_owned(),
        format!("bootstrapServers: 'answers.test:{port}'"),
    ]);
    let addresses = binary.bootstraps();
    let mut waiting = Client::connect(addresses[0]);
    waiting.send(&heartbeat(1));
    eventually("the name is looked up", || resolvers(&binary) > 0);
    for _ in 0..10 {
        is_served(&mut Client::connect(addresses[1]));
    }
    binary.signal(Signal::TERM);
    let (code, log) = binary.exit();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("bootstrap server b.unknown.test"), "{log}");
}
