//! Promise 3: T31. All of it at once, because it takes as long as a stalling client is waited for.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::NAME;
use super::at_ports::hello_for;
use super::gateways::{Gateways, SHARED};
use testkit::client::{Client, End};

/// Connections that say nothing, too little, or half of what they should.
const CROWD: usize = 1000;

/// What a client has for its hello, and what a machine that is busy adds to it.
const LIMIT: Duration = Duration::from_secs(10);
const LATE: Duration = Duration::from_secs(25);

/// What one of them may cost.
const MOST_KIB: f64 = 10.0;

#[test]
fn a_thousand_who_stall_keep_nobody_waiting() {
    let gateways = Gateways::start("logging: {level: debug}\n");
    let others = gateways.others();
    let (began, mark) = (Instant::now(), gateways.deployment.mark());
    let hello = hello_for(SHARED);
    let half = hello.len() / 2;
    let said: [&[u8]; 3] = [&[], &hello[..3], &hello[..half]];
    let addresses = [gateways.tls, gateways.shared];
    let resident = gateways.deployment.binary.resident_kib();
    let mut crowd: Vec<(Client, SocketAddr)> = (0..CROWD)
        .map(|index| {
            let address = addresses[index % 2];
            let mut client = Client::connect(address);
            client.send(said[index % 3]);
            (client, address)
        })
        .collect();
    // In pages of the kernel's choice, and of an unoptimised build.
    let each = gateways.deployment.binary.resident_kib().saturating_sub(resident) as f64 / CROWD as f64;
    eprintln!("{each:.1} KiB for a connection that stalls");
    assert!(each < MOST_KIB, "{each:.1} KiB");
    // Halfway through the handshake, everybody is as manual_broker.
    let mut midway = Client::connect(gateways.tls);
    midway.send(&hello_for(NAME));
    assert!(began.elapsed() < LIMIT, "connecting took {:?}", began.elapsed());
    for (client, _) in &mut crowd {
        client.stream.set_read_timeout(Some(LATE)).unwrap();
        assert_eq!(client.rest(), (Vec::new(), End::Fin));
    }
    let took = began.elapsed();
    assert!((LIMIT..LATE).contains(&took), "{took:?}");
    drop(crowd);
    let (answer, end) = midway.rest();
    assert_eq!((answer.is_empty(), end), (false, End::Fin));
    drop(midway);
    others.end();
    let late = ["cause=\"tls_handshake_timeout\""];
    gateways
        .deployment
        .expect_metric("kproxy_tls_handshake_errors_total", &late, CROWD as f64 + 1.0);
    let at_its_own = ["cause=\"tls_handshake_timeout\"", "virtual_cluster=\"tls\""];
    gateways.deployment.expect_metric(
        "kproxy_client_to_proxy_errors_total",
        &at_its_own,
        (CROWD / 2) as f64 + 1.0,
    );
    gateways
        .deployment
        .line(mark, &["no complete TLS hello in time", "cluster=tls "]);
    gateways
        .deployment
        .line(mark, &["no complete TLS hello in time", "before it was known"]);
    gateways.deployment.line(
        mark,
        &["the client did not complete the handshake", "cluster=tls "],
    );
    assert_eq!(
        gateways.deployment.metric(
            "kproxy_client_to_proxy_errors_total",
            &["virtual_cluster=\"one\""]
        ),
        0.0
    );
}

/// On a plaintext port nobody is waited for longer than the configuration says.
#[test]
fn a_crowd_without_a_request_is_let_go_of() {
    let head = "network: {proxy: {workerThreadCount: 2, unauthenticatedIdleTimeout: 1s}}\n";
    let gateways = Gateways::start(head);
    let others = gateways.others();
    let mut crowd: Vec<Client> = (0..CROWD / 10)
        .map(|index| {
            let mut client = Client::connect(gateways.plain);
            client.send(&[0; 3][..index % 4]);
            client
        })
        .collect();
    for client in &mut crowd {
        client.expect_fin();
    }
    drop(crowd);
    let idle = ["cause=\"idle_timeout\"", "virtual_cluster=\"plain\""];
    gateways.deployment.expect_metric(
        "kproxy_client_to_proxy_disconnects_total",
        &idle,
        (CROWD / 10) as f64,
    );
    others.end();
}
