//! What strangers do. Each attack goes on until it is told to stop.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::crowd::{come_again, keep_open};
use crate::site::{DOMAIN, Site};

/// One of [`ATTACKS`].
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&Site, &AtomicBool),
}

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "node ids invented in TLS hellos",
        run: invented_ids,
    },
    Attack {
        name: "unknown server names of 250 characters",
        run: long_names,
    },
    Attack {
        name: "a broker that names 20 000 nodes",
        run: many_nodes,
    },
    Attack {
        name: "ApiVersions pipelined and not read",
        run: unread_local_answers,
    },
    Attack {
        name: "60 clients that do not read answers of 15 MB",
        run: unread_held_answers,
    },
    Attack {
        name: "500 clients with half a request each",
        run: half_requests,
    },
    Attack {
        name: "wrong first words, again and again",
        run: wrong_words,
    },
    Attack {
        name: "200 silent connections to management",
        run: silent_management,
    },
    Attack {
        name: "8 management clients that do not read",
        run: unread_management,
    },
];

fn invented_ids(site: &Site, stop: &AtomicBool) {
    come_again(site.named, |id| hello(&format!("broker-{id}.{DOMAIN}")), stop);
}

fn long_names(site: &Site, stop: &AtomicBool) {
    let label = "abcdefghij".repeat(6);
    let hello = hello(&format!("{label}.{label}.{label}.{label}"));
    come_again(site.named, |_| hello.clone(), stop);
}

fn many_nodes(site: &Site, stop: &AtomicBool) {
    // Metadata v1 of no topics.
    let request = request(3, 1, &0_i32.to_be_bytes());
    let patience = Duration::from_secs(5);
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect_timeout(&site.plain, patience) else {
            continue;
        };
        stream.set_read_timeout(Some(patience)).ok();
        let mut answer = [0; 65536];
        while !stop.load(Ordering::Relaxed)
            && stream.write_all(&request).is_ok()
            && stream.read(&mut answer).is_ok_and(|read| read > 0)
        {}
    }
}

fn unread_local_answers(site: &Site, stop: &AtomicBool) {
    // ApiVersions of a version that kproxy answers itself.
    let burst = request(18, 99, &[]).repeat(18_000);
    let patience = Duration::from_secs(1);
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect_timeout(&site.plain, patience) else {
            continue;
        };
        stream.set_write_timeout(Some(patience)).ok();
        loop {
            use std::io::ErrorKind::{TimedOut, WouldBlock};
            match stream.write(&burst) {
                _ if stop.load(Ordering::Relaxed) => return,
                Ok(_) => {}
                Err(error) if matches!(error.kind(), TimedOut | WouldBlock) => {}
                Err(_) => break,
            }
        }
    }
}

fn unread_held_answers(site: &Site, stop: &AtomicBool) {
    // FindCoordinator v4 with one key, in a header with tags.
    keep_open(site.plain, 60, &request(10, 4, &[0, 0, 2, 2, b'k', 0]), stop);
}

fn half_requests(site: &Site, stop: &AtomicBool) {
    // Metadata, which is looked at as a whole, and of which the last byte never comes.
    let mut request = request(3, 1, &vec![0; 400_000]);
    request.pop();
    keep_open(site.plain, 500, &request, stop);
}

fn wrong_words(site: &Site, stop: &AtomicBool) {
    let api = request(999, 0, &[]);
    thread::scope(|scope| {
        scope.spawn(|| come_again(site.plain, |_| api.clone(), stop));
        come_again(site.plain, |_| b"GET / HTTP/1.1\r\n\r\n".to_vec(), stop);
    });
}

fn silent_management(site: &Site, stop: &AtomicBool) {
    keep_open(site.management, 200, &[], stop);
}

fn unread_management(site: &Site, stop: &AtomicBool) {
    let host = site.management;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n\r\n").repeat(200);
    keep_open(site.management, 8, request.as_bytes(), stop);
}

/// The frame of a request without a client id.
fn request(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut frame = ((10 + body.len()) as u32).to_be_bytes().to_vec();
    frame.extend(key.to_be_bytes());
    frame.extend(version.to_be_bytes());
    frame.extend(7_i32.to_be_bytes());
    frame.extend((-1_i16).to_be_bytes());
    frame.extend(body);
    frame
}

/// What a TLS client says first.
fn hello(name: &str) -> Vec<u8> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut hello = Vec::new();
    let written = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()
        .map(|config| {
            config
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth()
        })
        .zip(ServerName::try_from(name.to_owned()).ok())
        .and_then(|(config, name)| ClientConnection::new(Arc::new(config), name).ok())
        .and_then(|mut client| client.write_tls(&mut hello).ok());
    assert!(written.is_some(), "{name} can be asked for");
    hello
}
