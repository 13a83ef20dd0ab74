//! Raw SASL tokens, which SaslHandshake v0 starts.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use kafka_protocol::messages::{MetadataResponse, SaslHandshakeRequest, SaslHandshakeResponse};
use kafka_protocol::protocol::StrBytes;

use super::{addresses, heartbeat, metadata, who};
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::cluster::{Cluster, METADATA, PLAIN_TOKEN, SASL_HANDSHAKE, broker};
use testkit::frames;
use testkit::proxy::{Setup, TestProxy};

#[track_caller]
fn raw_handshake(client: &mut Client, mechanism: &'static str) -> i16 {
    let request = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
    client.call(0, 1, &request).error_code
}

#[track_caller]
pub(crate) fn raw_plain(client: &mut Client) {
    assert_eq!(raw_handshake(client, "PLAIN"), 0);
    assert_eq!(client.ask(&frames::framed(PLAIN_TOKEN)), b"");
}

/// Frames are understood again: addresses are replaced.
#[track_caller]
fn assert_kafka_again(client: &mut Client, proxy: &TestProxy) {
    assert_eq!(who(client), 0);
    let ours = [0, 1].map(|node| (node, proxy.node(node).to_string()));
    assert_eq!(addresses(&metadata(client)), ours);
    assert_eq!(who(client), 0);
}

#[test]
fn raw_tokens_of_one_and_of_two_rounds_pass() {
    let cluster = Cluster::with_sasl([0, 1]);
    let proxy = Setup::to(&[cluster.address(0)]).start();
    let mut client = proxy.client();
    raw_plain(&mut client);
    assert_kafka_again(&mut client, &proxy);

    let mut client = proxy.client();
    assert_eq!(raw_handshake(&mut client, "SCRAM-SHA-256"), 0);
    assert_eq!(
        client.ask(&frames::framed(b"n,,n=alice,r=client-first")),
        b"r=server-first"
    );
    assert_eq!(
        client.ask(&frames::framed(b"c=biws,r=client-final")),
        b"v=server-final"
    );
    assert_kafka_again(&mut client, &proxy);

    // Everything in one go, and byte by byte.
    let mut client = proxy.client();
    let handshake = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
    client.send_bytewise(&frames::request(0, 1, &handshake));
    client.frame();
    client.send_bytewise(&[frames::framed(PLAIN_TOKEN), heartbeat(9)].concat());
    assert_eq!(client.frame(), b"");
    assert_eq!(frames::correlation_id(&client.frame()), 9);
    assert_kafka_again(&mut client, &proxy);
}

/// Any number of rounds with tokens of any size; the bytes after them are recognised as a request.
#[test]
fn raw_tokens_of_an_open_exchange_pass() {
    let tokens = || {
        let noise = |len| [b"\x60\x82".to_vec(), frames::noise(len as u64, len)].concat();
        [
            noise(700),
            Vec::new(),
            vec![0x60],
            noise(60_000),
            noise(3),
            noise(9),
        ]
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::<Mutex<Vec<Vec<u8>>>>::default();
    let log = Arc::clone(&seen);
    let _broker = Broker::on(listener, move |mut connection| {
        let asked = connection.request().unwrap();
        assert_eq!((asked.api_key, asked.api_version), (SASL_HANDSHAKE, 0));
        connection.answer(&asked, &SaslHandshakeResponse::default());
        for token in tokens() {
            log.lock().unwrap().push(connection.content().unwrap());
            connection.send(&frames::framed(&token));
        }
        while let Some(asked) = connection.request() {
            match asked.api_key {
                METADATA => {
                    let nodes = [0, 1].map(|node| broker(node, address)).into();
                    connection.answer(&asked, &MetadataResponse::default().with_brokers(nodes));
                }
                _ => connection.send(&frames::raw_response(asked.correlation_id, &0_i32.to_be_bytes())),
            }
        }
    });
    let proxy = Setup::to(&[address]).start();
    let mut client = proxy.client();
    assert_eq!(raw_handshake(&mut client, "GSSAPI"), 0);
    for token in tokens() {
        assert_eq!(client.ask(&frames::framed(&token)), token);
    }
    assert_kafka_again(&mut client, &proxy);
    assert_eq!(*seen.lock().unwrap(), tokens());
}

#[test]
fn a_handshake_that_fails_is_followed_by_no_tokens() {
    let broker = Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            match asked.api_key {
                SASL_HANDSHAKE => {
                    connection.answer(&asked, &SaslHandshakeResponse::default().with_error_code(33))
                }
                _ => connection.send(&frames::raw_response(asked.correlation_id, &0_i32.to_be_bytes())),
            }
        }
    });
    let proxy = Setup::to(&[broker.address]).start();
    let mut client = proxy.client();
    assert_eq!(raw_handshake(&mut client, "PLAIN"), 33);
    // A request where a token would be.
    assert_eq!(who(&mut client), 0);
    assert_eq!(raw_handshake(&mut client, "GSSAPI"), 33);
    assert_eq!(who(&mut client), 0);
}
