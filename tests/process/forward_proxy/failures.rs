//! Promise 2.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use kproxy::model::ForwardProxyProtocol::{self, Http, Socks5};
use kproxy::session::cause::CloseCause;

use super::{NAME, PASSWORD, PROTOCOLS, detail, is_closed, is_served, setup, start, via};
use testkit::broker::Broker;
use testkit::frames::{ALIVE, raw_response};
use testkit::wait::eventually;

/// Each answer of a forward proxy, and how the reason ends.
fn answers() -> Vec<(ForwardProxyProtocol, Vec<u8>, String)> {
    let mut all = Vec::new();
    let replies = [
        (1, "general failure"),
        (2, "not allowed by its rules"),
        (3, "network unreachable"),
        (4, "host unreachable, or its name is not known there"),
        (5, "connection refused"),
        (6, "time to live expired"),
        (7, "it has no command CONNECT"),
        (8, "it does not know this kind of address"),
        (200, "a code without a meaning"),
    ];
    for (code, meaning) in replies {
        let why = format!("it does not connect to the broker: {meaning} (SOCKS reply {code})");
        all.push((Socks5, vec![5, code, 0, 1, 0, 0, 0, 0, 0, 0], why));
    }
    for (answer, why) in [
        (&b"\x04\0\0\x01"[..], "it does not answer as a SOCKS5 proxy"),
        (b"\x05\0\0\x09\0\0", "it does not answer as a SOCKS5 proxy"),
        (b"\x05\0\0", "it closes the connection without a whole answer"),
        (
            b"\x05\0\0\x03\xffab",
            "it closes the connection without a whole answer",
        ),
        (b"", "it closes the connection without a whole answer"),
    ] {
        all.push((Socks5, answer.to_owned(), why.to_owned()));
    }
    let refused = "it does not connect to the broker: it answers CONNECT with HTTP status";
    let head_too_long = [
        b"HTTP/1.1 200 OK\r\n".as_slice(),
        &b"A: bbbbbbbbbbbbbbbb\r\n".repeat(4000),
    ]
    .concat();
    for (answer, why) in [
        (
            &b"HTTP/1.1 403 You may not\r\n\r\nbody"[..],
            &*format!("{refused} 403 (Forbidden)"),
        ),
        (b"HTTP/1.0 502\n\n", &format!("{refused} 502 (Bad Gateway)")),
        (
            b"HTTP/1.1 299 Odd\r\n",
            "it closes the connection without a whole answer",
        ),
        (b"HTTP/1.1 499 \x1b[31m\r\n\r\n", &format!("{refused} 499")),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n",
            &format!("{refused} 302 (Found)"),
        ),
        (b"SSH-2.0-OpenSSH\r\n", "it does not answer as a HTTP proxy"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "it does not answer as a HTTP proxy"),
        (b"\x05\xff", "it does not answer as a HTTP proxy"),
        (b"", "it closes the connection without a whole answer"),
        (&head_too_long, "its answer to CONNECT has more than 16384 bytes"),
    ] {
        all.push((Http, answer.to_owned(), why.to_owned()));
    }
    all
}

#[test]
fn a_refusal_names_the_forward_proxy_and_the_reason() {
    for (protocol, answer, why) in answers() {
        let forward = start(protocol);
        forward.answer(&answer);
        let proxy = setup(NAME, 9092, via(protocol, forward.address(), None)).start();
        is_closed(proxy.bootstrap());
        proxy.expect_closes(CloseCause::UpstreamUnreachable, 1);
        let url = format!("{}://{}", protocol.name(), forward.address());
        assert_eq!(
            detail(&proxy),
            format!("forward proxy {url}: {why}"),
            "{answer:?}"
        );
    }
}

#[test]
fn credentials_that_are_missing_or_wrong_are_told_without_them() {
    for protocol in PROTOCOLS {
        for (given, why) in [
            (None, "it wants credentials, and `viaCredentialsFile` is not set"),
            (
                Some(PASSWORD),
                "it refuses the credentials in `viaCredentialsFile`",
            ),
        ] {
            let forward = start(protocol);
            forward.demand("somebody", "else");
            let proxy = setup(NAME, 9092, via(protocol, forward.address(), given)).start();
            is_closed(proxy.bootstrap());
            let detail = detail(&proxy);
            assert!(detail.ends_with(why) && !detail.contains(PASSWORD), "{detail}");
        }
    }
}

#[test]
fn a_broker_that_the_forward_proxy_cannot_reach_is_one_that_is_down() {
    for (protocol, unknown, refused) in [
        (Socks5, "(SOCKS reply 4)", "(SOCKS reply 5)"),
        (
            Http,
            "HTTP status 502 (Bad Gateway)",
            "HTTP status 503 (Service Unavailable)",
        ),
    ] {
        let mut broker = Broker::echoing(ALIVE);
        broker.stop();
        let forward = start(protocol).knowing(NAME, broker.address);
        for (name, why) in [(NAME, refused), ("unknown.test", unknown)] {
            let proxy = setup(
                name,
                broker.address.port(),
                via(protocol, forward.address(), None),
            )
            .start();
            is_closed(proxy.bootstrap());
            assert!(detail(&proxy).ends_with(why), "{}", detail(&proxy));
        }
    }
}

#[test]
fn a_forward_proxy_that_is_down_or_silent_costs_the_connect_timeout_at_most() {
    for protocol in PROTOCOLS {
        let mut gone = Broker::echoing(ALIVE);
        gone.stop();
        let mute = TcpListener::bind("127.0.0.1:0").unwrap();
        // It sends a byte from time to time, so that no single read is late.
        let dripping = Broker::start(|connection| {
            let drip = match connection.stream.peek(&mut [0]) {
                Ok(_) => b"HTTP/1.1 200 OK\r\nA: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                Err(_) => return,
            };
            for byte in drip {
                use std::io::Write as _;
                if (&*connection.stream).write_all(&[*byte]).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        let mute = mute.local_addr().unwrap();
        let mut cases = vec![
            (gone.address, "Connection refused (os error 111)"),
            (mute, "no connection to the broker within 500ms"),
        ];
        if protocol == Http {
            cases.push((dripping.address, "no connection to the broker within 500ms"));
        }
        for (address, why) in cases {
            let setup = setup(NAME, 9092, via(protocol, address, None));
            let setup = setup.network(|network| network.connect_timeout = Duration::from_millis(500));
            let proxy = setup.start();
            let began = Instant::now();
            is_closed(proxy.bootstrap());
            assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
            assert_eq!(
                detail(&proxy),
                format!("forward proxy {}://{address}: {why}", protocol.name())
            );
        }
    }
}

/// kproxy's own port is no forward proxy: each connection would open another.
#[test]
fn kproxy_is_never_its_own_forward_proxy() {
    let broker = Broker::echoing(ALIVE);
    let proxy = setup(NAME, 9092, None).and("other", &[broker.address]).start();
    let own = proxy.bootstrap_of("other");
    let through = setup(NAME, 9092, via(Http, own, None)).and("other", &[broker.address]);
    proxy.apply(&through);
    is_closed(proxy.bootstrap());
    proxy.expect_closes(CloseCause::UpstreamIsProxy, 1);
    is_served(own);
}

/// However the answer is split, with interim answers before it, not a byte of the broker's is lost.
#[test]
fn an_answer_in_pieces_is_one_answer() {
    let broker = Broker::echoing(ALIVE);
    let address = broker.address;
    let forward = Broker::start(move |mut connection| {
        use std::io::{BufRead as _, BufReader};
        let head = BufReader::new(&*connection.stream).lines().map_while(Result::ok);
        assert!(head.take_while(|line| !line.is_empty()).count() > 1);
        connection.send_bytewise(
            b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        );
        let mut upstream = std::net::TcpStream::connect(address).unwrap();
        let mut client = connection.stream.try_clone().unwrap();
        let (mut to_broker, mut from_client) = (
            upstream.try_clone().unwrap(),
            connection.stream.try_clone().unwrap(),
        );
        std::thread::spawn(move || drop(std::io::copy(&mut from_client, &mut to_broker)));
        drop(std::io::copy(&mut upstream, &mut client));
    });
    let proxy = setup(NAME, 9092, via(Http, forward.address, None)).start();
    for _ in 0..3 {
        is_served(proxy.bootstrap());
    }
}

/// Kafka brokers do not speak first. If what one says were lost, the session would be served as if it had said nothing.
#[test]
fn bytes_behind_the_answer_are_the_brokers() {
    for protocol in PROTOCOLS {
        let broker = Broker::echoing(ALIVE);
        let forward = start(protocol).knowing(NAME, broker.address);
        forward.follow_up(&raw_response(77, b"nobody has asked"));
        let proxy = setup(
            NAME,
            broker.address.port(),
            via(protocol, forward.address(), None),
        )
        .start();
        is_closed(proxy.bootstrap());
        let counters = proxy.counters();
        // Whether the request of the client is on its way by then is chance.
        let causes = [CloseCause::UnsolicitedResponse, CloseCause::CorrelationMismatch];
        eventually("the broker is blamed", || {
            causes.iter().any(|&cause| counters.closes(cause) == 1)
        });
    }
}
