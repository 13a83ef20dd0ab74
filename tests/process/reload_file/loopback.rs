//! `localhost` stands for an address of each family, and clients may try either first.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};

use testkit::client::Client;
use testkit::running::{Running, ask};
use testkit::wait::eventually;

const FAMILIES: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

fn has_ipv6() -> bool {
    let has = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !has {
        eprintln!("skipped: this machine has no IPv6");
    }
    has
}

/// Runs cluster `a` with this bootstrap host.
fn running_at(host: &str) -> Running {
    Running::laid_out("reload: {watch: false}\n", &["a"], |directory, text| {
        let file = directory.join("proxy.yaml");
        std::fs::write(&file, at(text, host)).unwrap();
        file
    })
}

fn at(text: &str, host: &str) -> String {
    text.replace(
        "bootstrapAddress: 127.0.0.1",
        &format!("bootstrapAddress: {host}"),
    )
}

#[track_caller]
fn is_served(ip: IpAddr, port: u16) {
    let mut client = Client::connect(SocketAddr::new(ip, port));
    ask(&mut client);
}

fn is_open(ip: IpAddr, port: u16) -> bool {
    TcpStream::connect(SocketAddr::new(ip, port)).is_ok()
}

#[test]
fn localhost_is_served_in_both_families() {
    if !has_ipv6() {
        return;
    }
    let running = running_at("localhost");
    for ip in FAMILIES {
        is_served(ip, running.base);
        assert!(is_open(ip, running.base + 1), "a node");
    }
    assert!(!is_open("127.0.0.2".parse().unwrap(), running.base));
    let gone = running.reload_with(at(&running.text(&["b@1"]), "localhost"));
    assert_eq!(gone.outcome, "rejected", "all would be gone: {}", gone.log);
    let grown = running.reload_with(at(&running.text(&["a", "b"]), "localhost"));
    assert_eq!(grown.outcome, "applied", "{}", grown.log);
    let shrunk = running.reload_with(at(&running.text(&["b@1"]), "localhost"));
    assert_eq!(shrunk.outcome, "applied", "{}", shrunk.log);
    for ip in FAMILIES {
        is_served(ip, running.base + 2);
        eventually("it is not listened on", || !is_open(ip, running.base));
    }
}

#[test]
fn a_port_of_the_systems_choice_is_the_same_in_both_families() {
    if !has_ipv6() {
        return;
    }
    let running = Running::laid_out("reload: {watch: false}\n", &["a"], |directory, text| {
        let file = directory.join("proxy.yaml");
        let (before, after) = text.split_once("bootstrapAddress: 127.0.0.1:").unwrap();
        let (_, after) = after.split_once('\n').unwrap();
        std::fs::write(&file, format!("{before}bootstrapAddress: localhost:0\n{after}")).unwrap();
        file
    });
    let port = running.binary.bootstrap().port();
    FAMILIES.into_iter().for_each(|ip| is_served(ip, port));
}

/// One family more, one less, and every address: the port stays and is never nobody's for long.
#[test]
fn reloads_change_the_families_of_a_port() {
    if !has_ipv6() {
        return;
    }
    let running = running_at("127.0.0.1");
    assert!(!is_open(FAMILIES[1], running.base));
    let text = running.text(&["a"]);
    let everywhere = at(&text, "localhost").replace(
        "          nodeIdRanges",
        "          advertisedBrokerAddressPattern: kafka.example.com\n          nodeIdRanges",
    );
    for (text, served, silent) in [
        (
            at(&text, "localhost"),
            vec![FAMILIES[0], FAMILIES[1]],
            vec!["127.0.0.2"],
        ),
        (
            everywhere,
            vec![FAMILIES[0], FAMILIES[1], "127.0.0.2".parse().unwrap()],
            vec![],
        ),
        (
            at(&text, "localhost"),
            vec![FAMILIES[0], FAMILIES[1]],
            vec!["127.0.0.2"],
        ),
        (text.clone(), vec![FAMILIES[0]], vec!["::1", "127.0.0.2"]),
    ] {
        let told = running.reload_with(&text);
        assert_eq!(told.outcome, "applied", "{text}\n{}", told.log);
        for ip in served {
            is_served(ip, running.base);
            assert!(is_open(ip, running.base + 1), "a node");
        }
        for ip in silent {
            assert!(!is_open(ip.parse().unwrap(), running.base), "{ip}: {text}");
        }
    }
}

/// Clients that try that family first would end up elsewhere.
#[test]
fn a_port_that_is_taken_in_one_family_is_not_had() {
    if !has_ipv6() {
        return;
    }
    let running = running_at("localhost");
    let taken = TcpListener::bind((Ipv6Addr::LOCALHOST, running.base + 2)).unwrap();
    let both = at(&running.text(&["a", "b"]), "localhost");
    let told = running.reload_with(&both);
    assert_eq!(told.outcome, "rejected", "{}", told.log);
    let expected = format!("cannot listen on [::1]:{}", running.base + 2);
    assert!(told.log.contains(&expected), "{}", told.log);
    assert!(!is_open(FAMILIES[0], running.base + 2), "nothing stays bound");
    drop(taken);
    assert_eq!(running.reload_with(&both).outcome, "applied");
    is_served(FAMILIES[1], running.base + 2);
}
