//! Writes the committed seeds of the fuzz targets, so that they can be made anew when an input format changes.

use std::path::Path;

use kproxy::wire::api::ApiKey;
use kproxy::wire::probe;
use kproxy::wire::proxy_protocol::{Extras, TlsExtras, Version, encode, encode_local};
use kproxy::wire::schema::{Direction, Draft};

use super::entropy::Entropy;
use super::support::{body, encode as encoded, part};
use super::versions;

/// Reproducible entropy: as long as `length`, different for each `seed`.
fn entropy(seed: u8, length: usize) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let mut step = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8 | 1
    };
    (0..length).map(|_| step()).collect()
}

fn write(target: &str, name: &str, bytes: &[u8]) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join(name), bytes).unwrap();
}

/// Messages for the shape walk: some with names in them, each with its API, direction and version in front.
fn write_messages() {
    let message =
        |name: &str, api_key: i16, direction: Direction, version: i16, fill: &dyn Fn(&mut Draft)| {
            let mut draft = Draft::new(api_key, direction, version).unwrap();
            fill(&mut draft);
            let head = [
                api_key as u8,
                u8::from(direction == Direction::Response),
                version as u8,
            ];
            write("shape_walk", name, &[&head[..], &draft.encode()].concat());
        };
    for version in [3, 9, 13] {
        message(
            &format!("produce{version}"),
            0,
            Direction::Request,
            version,
            &|draft| {
                draft.set("transactional_id", "x");
                let topic = draft
                    .push("topic_data")
                    .set("name", "orders")
                    .set("topic_id", [7; 16]);
                topic.push("partition_data").set("records", vec![0; 20]);
            },
        );
    }
    for version in [0, 12] {
        message(
            &format!("metadata{version}"),
            3,
            Direction::Response,
            version,
            &|draft| {
                draft.push("brokers").set("host", "broker").set("port", 9092);
                let topic = draft.push("topics").set("name", "orders");
                topic.push("partitions").push_value("replica_nodes", 1);
            },
        );
    }
    message("produced", 0, Direction::Response, 10, &|draft| {
        let topic = draft.push("responses").set("name", "orders");
        topic
            .push("partition_responses")
            .structure("current_leader")
            .set("leader_id", 2);
        draft.push("node_endpoints").set("host", "broker");
    });
    message("coordinators", 10, Direction::Request, 6, &|draft| {
        draft.set("key_type", 1).push_value("coordinator_keys", "x");
    });
    message("configs", 74, Direction::Response, 1, &|draft| {
        draft
            .push("config_resources")
            .set("resource_name", "g")
            .set("resource_type", 32);
    });
    message("heartbeat", 88, Direction::Request, 1, &|draft| {
        draft
            .set("group_id", "g")
            .structure("topology")
            .push("subtopologies")
            .push_value("source_topics", "a");
    });
}

#[test]
#[ignore = "writes into the source tree: run by hand when the input format of a fuzz target changes"]
fn write_seeds() {
    for version in [0, 1, 3, 8, 9, 13] {
        let bytes = body(
            ApiKey::METADATA,
            version,
            &mut Entropy::new(&entropy(version as u8, 90)),
        );
        write(
            "rewrite_metadata",
            &format!("v{version}"),
            &[&[version as u8], bytes.as_slice()].concat(),
        );
    }
    for version in [0, 1, 3, 4, 6] {
        let bytes = body(
            ApiKey::FIND_COORDINATOR,
            version,
            &mut Entropy::new(&entropy(version as u8, 60)),
        );
        write(
            "rewrite_coordinator",
            &format!("v{version}"),
            &[&[version as u8], bytes.as_slice()].concat(),
        );
    }
    for version in 0..=2 {
        let bytes = body(
            ApiKey::DESCRIBE_CLUSTER,
            version,
            &mut Entropy::new(&entropy(version as u8, 60)),
        );
        write(
            "rewrite_cluster",
            &format!("v{version}"),
            &[&[version as u8], bytes.as_slice()].concat(),
        );
    }
    for seed in 0..3 {
        let bytes = body(ApiKey::DESCRIBE_QUORUM, 2, &mut Entropy::new(&entropy(seed, 120)));
        write("rewrite_quorum", &format!("{seed}"), &bytes);
    }
    write_tails();
    write_messages();
    write_proxy_headers();
    write_sasl_tokens();
    for version in [0, 2, 3, 4] {
        let message = versions::answer(&mut Entropy::new(&entropy(version as u8, 120)), version);
        let bytes = [&[version as u8], encoded(&message, version).as_slice()].concat();
        write("api_versions", &format!("v{version}"), &bytes);
    }
    for version in [1, 8, 9, 13] {
        let mut frame = Vec::new();
        probe::metadata_request(version, 1, &mut frame);
        write("request_header", &format!("metadata-v{version}"), &frame[4..]);
    }
    write(
        "request_header",
        "produce-v2",
        b"\0\0\0\x02\0\0\0\x01\0\x01c\0\x01\0\0\0\x09",
    );
    write(
        "request_header",
        "produce-v3",
        b"\0\0\0\x03\0\0\0\x01\0\x01c\0\x02tx\0\x01\0\0\0\x09",
    );
    write(
        "request_header",
        "produce-v9",
        b"\0\0\0\x09\0\0\0\x01\0\x01c\x01\x05\x01x\x03tx\0\0\0\0\0\x09\x01",
    );
}

fn write_proxy_headers() {
    let ends = |ip: &str| {
        (
            format!("{ip}:50000").parse().unwrap(),
            format!("{ip}:9092").parse().unwrap(),
        )
    };
    let extras = Extras {
        authority: Some("broker-1.orders.kafka.example.com"),
        tls: Some(TlsExtras {
            version: "TLSv1.3",
            cipher: "TLS13_AES_256_GCM_SHA384",
            common_name: Some("billing"),
            verified: true,
            resumed: false,
        }),
    };
    for (name, version) in [("v1", Version::V1), ("v2", Version::V2)] {
        for (family, ip) in [("ip4", "192.0.2.1"), ("ip6", "[2001:db8::1]")] {
            let (source, destination) = ends(ip);
            let bytes = encode(version, source, destination, Some(&extras));
            let followed = [bytes.as_slice(), b"\0\0\0\x10"].concat();
            write("proxy_header", &format!("{name}-{family}"), &followed);
        }
        write("proxy_header", &format!("{name}-local"), &encode_local(version));
    }
}

fn write_sasl_tokens() {
    let bearer = b"\x02n,,\x01auth=Bearer e30.eyJzdWIiOiJiaWxsaW5nIn0.c2ln\x01\x01";
    for (name, token) in [
        ("plain", b"\0\0alice\0secret".as_slice()),
        ("scram", b"\x01n,,n=a=2Cb=3D,r=nonce"),
        ("oauthbearer", bearer),
        ("request", b"\0\x04a\0b\0"),
        ("answer", b"\0\0\0\0\x02v\0\0\0\0\0\0\0\0\0"),
    ] {
        write("sasl_token", name, token);
    }
}

fn write_tails() {
    // The first byte chooses the API and version, see the fuzz targets.
    let cases = [
        (1, ApiKey::PRODUCE, 13),
        (2, ApiKey::FETCH, 16),
        (5, ApiKey::SHARE_FETCH, 1),
        (6, ApiKey::SHARE_ACKNOWLEDGE, 1),
    ];
    for (which, api_key, version) in cases {
        for seed in 0..2 {
            let bytes = body(api_key, version, &mut Entropy::new(&entropy(seed, 100)));
            let tail = part(api_key, version, &bytes);
            let name = format!("{api_key}-{seed}");
            write("skip", &name, &[&[which, 7], bytes.as_slice()].concat());
            write(
                "rewrite_tail",
                &name,
                &[&[which, seed * 40], &bytes[tail]].concat(),
            );
        }
    }
}
