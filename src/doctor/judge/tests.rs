use std::collections::BTreeMap;
use std::time::Duration;

use super::super::client::messages::{ServerError, VersionRanges};
use super::super::client::{ShownCertificate, StepError};
use super::super::walk::ExpectedNodes;
use super::*;
use crate::model::{HostPort, PortRange};
use crate::pki::CertificateFacts;
use crate::tls::{Failure, FailureKind, Peer};

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 24 * 3600;

fn at(text: &str) -> HostPort {
    let (host, port) = text.rsplit_once(':').unwrap();
    HostPort {
        host: host.to_owned(),
        port: port.parse().unwrap(),
    }
}

fn step(
    subject: StepSubject,
    address: &str,
    action: StepAction,
    result: Result<StepSeen, StepError>,
) -> WalkStep {
    WalkStep {
        subject,
        address: at(address),
        action,
        took: Duration::ZERO,
        result,
    }
}

fn listed(cluster: &str, nodes: &[(i32, &str)]) -> Result<StepSeen, StepError> {
    Ok(StepSeen::Listed(ClusterListing {
        cluster_id: Some(cluster.to_owned()),
        brokers: nodes.iter().map(|(id, address)| (*id, at(address))).collect(),
        ..ClusterListing::default()
    }))
}

fn resolved(address: &str) -> Result<StepSeen, StepError> {
    Ok(StepSeen::Addresses(vec![address.parse().unwrap()]))
}

/// A gateway at `k:9192` with ports for nodes 0 to 2.
fn record(steps: Vec<WalkStep>) -> WalkRecord {
    WalkRecord {
        cluster: Some("orders".into()),
        gateway: Some("main".into()),
        bootstraps: vec![at("k:9192")],
        expected: Some(ExpectedNodes::Ports {
            host: "k".into(),
            ports: (0..3).map(|id| (id, Some(9193 + id as u16))).collect(),
            dynamic: None,
        }),
        brokers: vec![at("b0:9092")],
        steps,
        took: Duration::ZERO,
    }
}

/// Kinds and sentences of the findings.
fn found(record: &WalkRecord) -> Vec<(&'static str, String)> {
    let found = judge(record, NOW).into_iter();
    found.map(|finding| (finding.kind.name(), finding.what)).collect()
}

fn kinds(record: &WalkRecord) -> Vec<&'static str> {
    found(record).into_iter().map(|(kind, _)| kind).collect()
}

use StepAction as Do;
use StepSubject::{Bootstrap, Node, Target, TargetBroker};

#[test]
fn a_sound_walk_has_no_findings() {
    let nodes = [(0, "k:9193"), (1, "k:9194")];
    let steps = vec![
        step(Bootstrap, "k:9192", Do::Resolve, resolved("10.0.0.1:9192")),
        step(Bootstrap, "k:9192", Do::Metadata, listed("c", &nodes)),
        step(
            Target,
            "b0:9092",
            Do::Metadata,
            listed("c", &[(0, "b0:9092"), (1, "b1:9092")]),
        ),
        step(Node(0), "k:9193", Do::Resolve, resolved("10.0.0.1:9193")),
        step(Node(0), "k:9193", Do::Metadata, listed("c", &nodes)),
        step(
            Node(0),
            "k:9193",
            Do::Identity,
            Ok(StepSeen::Described(ServerError::default())),
        ),
    ];
    assert_eq!(found(&record(steps)), []);
}

#[test]
fn an_address_of_a_broker_leads_past_the_proxy_by_name_and_by_address() {
    let steps = vec![
        step(Bootstrap, "k:9192", Do::Resolve, resolved("10.0.0.1:9192")),
        step(
            Bootstrap,
            "k:9192",
            Do::Metadata,
            listed("c", &[(0, "B0:9092"), (1, "alias:9092"), (2, "k:1")]),
        ),
        step(
            Target,
            "b0:9092",
            Do::Metadata,
            listed("c", &[(0, "b0:9092"), (1, "b1:9092"), (2, "b2:9092")]),
        ),
        step(TargetBroker(1), "b1:9092", Do::Resolve, resolved("10.0.0.9:9092")),
        step(Node(1), "alias:9092", Do::Resolve, resolved("10.0.0.9:9092")),
    ];
    let expected = [
        (
            "leads_past_proxy",
            "node 0 is told as B0:9092, which is broker 0 of the target cluster itself",
        ),
        (
            "leads_past_proxy",
            "node 1 is told as alias:9092, which leads to 10.0.0.9:9092, which is broker 1 of the target cluster itself",
        ),
        (
            "address_unexpected",
            "node 2 is told as k:1; the gateway gives it k:9195",
        ),
    ];
    assert_eq!(
        found(&record(steps)),
        expected.map(|(kind, what)| (kind, what.to_owned()))
    );
}

/// Where clients resolve the name of a broker to kproxy, the name is kproxy's.
#[test]
fn a_name_that_the_gateway_gives_does_not_lead_past_the_proxy() {
    let mut record = record(vec![
        step(Bootstrap, "b0:9092", Do::Metadata, listed("c", &[(0, "b0:9092")])),
        step(Target, "b0:9092", Do::Metadata, listed("c", &[(0, "b0:9092")])),
    ]);
    let reported = BTreeMap::from([(0, at("b0:9092"))]);
    record.expected = Some(ExpectedNodes::Reported(reported));
    assert_eq!(found(&record), []);
    record.expected = None;
    assert_eq!(kinds(&record), ["leads_past_proxy"]);
}

#[test]
fn nodes_of_dynamic_ports_are_expected_in_their_range() {
    let mut record = record(vec![step(
        Bootstrap,
        "k:9192",
        Do::Metadata,
        listed("c", &[(7, "k:9301"), (8, "k:9401")]),
    )]);
    record.expected = Some(ExpectedNodes::Ports {
        host: "k".into(),
        ports: BTreeMap::new(),
        dynamic: Some(PortRange {
            start: 9300,
            end: 9399,
        }),
    });
    let what = "node 8 is told as k:9401; the gateway gives it k with a port from 9300 to 9399";
    assert_eq!(found(&record), [("address_unexpected", what.to_owned())]);
}

#[test]
fn withheld_and_unknown_nodes_are_found_by_comparing() {
    let steps = vec![
        step(
            Bootstrap,
            "k:9192",
            Do::Metadata,
            listed("c", &[(0, "k:9193"), (2, "k:9195")]),
        ),
        step(
            Target,
            "b0:9092",
            Do::Metadata,
            listed("c", &[(0, "b0:9092"), (1, "b1:9092"), (7, "b7:9092")]),
        ),
    ];
    let expected = [
        (
            "node_withheld",
            "broker 1 of the target cluster is not told to clients",
        ),
        (
            "node_withheld",
            "broker 7 of the target cluster is not told to clients: its id is outside `nodeIdRanges`",
        ),
        (
            "node_unknown",
            "node 2 is told to clients, but the target cluster has no such broker",
        ),
    ];
    assert_eq!(
        found(&record(steps)),
        expected.map(|(kind, what)| (kind, what.to_owned()))
    );
}

#[test]
fn a_broker_that_answers_for_another_is_swapped() {
    let answer = |code, message: &str| {
        Ok(StepSeen::Described(ServerError {
            code,
            message: message.to_owned(),
        }))
    };
    let words = "Unexpected broker id, expected 2 or empty string, but received 1";
    let steps = vec![
        step(Node(1), "k:9194", Do::Identity, answer(42, words)),
        step(Node(2), "k:9195", Do::Identity, answer(42, "no")),
        step(
            Node(3),
            "k:9196",
            Do::Identity,
            answer(31, "Cluster authorization failed."),
        ),
    ];
    let expected = [
        ("node_swapped", "the address of node 1 leads to broker 2"),
        (
            "node_swapped",
            "the address of node 2 leads to another broker: no",
        ),
        (
            "identity_unknown",
            "DescribeConfigs of broker 3: error 31 Cluster authorization failed.",
        ),
    ];
    assert_eq!(
        found(&record(steps)),
        expected.map(|(kind, what)| (kind, what.to_owned()))
    );
}

#[test]
fn other_clusters_other_machines_and_no_nodes_are_found() {
    let steps = vec![
        step(Bootstrap, "k:9192", Do::Resolve, resolved("10.0.0.1:9192")),
        step(Bootstrap, "k:9192", Do::Metadata, listed("c", &[(0, "k:9193")])),
        step(Target, "b0:9092", Do::Metadata, listed("d", &[(0, "b0:9092")])),
        step(Node(0), "k:9193", Do::Resolve, resolved("10.0.0.2:9193")),
        step(Node(0), "k:9193", Do::Metadata, listed("e", &[(0, "k:9193")])),
    ];
    let expected = [
        (
            "leads_elsewhere",
            "k:9193 leads to 10.0.0.2, and bootstrap to 10.0.0.1",
        ),
        (
            "other_cluster",
            "the target cluster has the id d, but clients are led to c",
        ),
        ("other_cluster", "k:9193 leads to cluster e, and bootstrap to c"),
    ];
    assert_eq!(
        found(&record(steps)),
        expected.map(|(kind, what)| (kind, what.to_owned()))
    );
    let none = vec![step(Bootstrap, "k:9192", Do::Metadata, listed("c", &[]))];
    assert_eq!(kinds(&record(none)), ["no_nodes"]);
}

#[test]
fn limited_versions_are_named() {
    let ranges = |ranges: &[(i16, i16)]| -> Result<StepSeen, StepError> {
        let ranges = ranges.iter().map(|(key, max)| (*key, (0, *max)));
        Ok(StepSeen::Versions(VersionRanges::from_iter(ranges)))
    };
    let steps = vec![
        step(Bootstrap, "k:9192", Do::ApiVersions, ranges(&[(0, 13), (3, 13)])),
        step(
            Target,
            "b0:9092",
            Do::ApiVersions,
            ranges(&[(0, 14), (3, 13), (4, 7), (999, 1)]),
        ),
    ];
    let what = "Produce up to 13 of 14, LeaderAndIsr is left out, API 999 is left out";
    assert_eq!(found(&record(steps)), [("versions_limited", what.to_owned())]);
}

fn shown(names: &[&str], is_verified: bool, (not_before, not_after): (i64, i64)) -> Box<ShownCertificate> {
    Box::new(ShownCertificate {
        version: Some("TLSv1.3"),
        name: "k".into(),
        facts: Some(CertificateFacts {
            subject: "CN=k".into(),
            issuer: "CN=ca".into(),
            not_before,
            not_after,
            dns_names: names.iter().map(|name| (*name).to_owned()).collect(),
            ip_addresses: Vec::new(),
        }),
        is_verified,
    })
}

#[test]
fn certificates_are_judged_whether_the_handshake_succeeded_or_not() {
    let sound = (NOW - DAY, NOW + 100 * DAY);
    let secured = |shown| {
        kinds(&record(vec![step(
            Bootstrap,
            "k:1",
            Do::Tls,
            Ok(StepSeen::Secured(shown)),
        )]))
    };
    assert_eq!(secured(shown(&["k"], true, sound)), [""; 0]);
    assert_eq!(
        secured(shown(&["other"], false, sound)),
        ["certificate_name", "issuer_unchecked"]
    );
    assert_eq!(
        secured(shown(&["k"], true, (NOW - DAY, NOW + 13 * DAY))),
        ["certificate_expires"]
    );
    assert_eq!(
        secured(shown(&["k"], true, (NOW - 2 * DAY, NOW - DAY))),
        ["certificate_expired"]
    );
    assert_eq!(
        secured(shown(&["k"], true, (NOW + DAY, NOW + 2 * DAY))),
        ["certificate_not_yet_valid"]
    );
    let refused = |kind, shown| {
        let failure = Failure::new(Peer::Server, kind, "words");
        let error = StepError::NoTls {
            failure,
            shown: Some(shown),
        };
        kinds(&record(vec![step(Bootstrap, "k:1", Do::Tls, Err(error))]))
    };
    use FailureKind::{CertificateRejected, NameMismatch, OwnCertificateRejected};
    assert_eq!(
        refused(NameMismatch, shown(&["other"], true, sound)),
        ["certificate_name"]
    );
    let expired = shown(&["k"], true, (NOW - 2 * DAY, NOW - DAY));
    assert_eq!(refused(CertificateRejected, expired), ["certificate_expired"]);
    assert_eq!(
        refused(CertificateRejected, shown(&["k"], true, sound)),
        ["certificate_untrusted"]
    );
    assert_eq!(
        refused(CertificateRejected, shown(&["k"], false, sound)),
        ["certificate_other"]
    );
    assert_eq!(
        refused(OwnCertificateRejected, shown(&["k"], true, sound)),
        ["tls_failed"]
    );
}

#[test]
fn every_failed_step_has_a_finding() {
    let errors = [
        StepError::NoTimeLeft,
        StepError::NoAnswer(Duration::from_secs(1)),
        StepError::NameUnknown("no".into()),
        StepError::NoConnection("no".into()),
        StepError::ServerClosed("no".into()),
        StepError::NotKafka("no".into()),
        StepError::ApiMissing("Metadata"),
        StepError::ErrorCode(ServerError::default()),
        StepError::NoLogin("no".into()),
        StepError::NoRoundTrip("no".into()),
        StepError::NoTls {
            failure: Failure::new(Peer::Server, FailureKind::Closed, "no"),
            shown: None,
        },
    ];
    for subject in [
        Bootstrap,
        Node(1),
        StepSubject::Coordinator,
        StepSubject::Topic,
        Target,
        TargetBroker(1),
    ] {
        for action in Do::ALL {
            for error in &errors {
                let found = judge(
                    &record(vec![step(subject, "k:1", action, Err(error.clone()))]),
                    NOW,
                );
                assert_eq!(found.len(), 1, "{subject} {action:?} {error:?}");
                assert_eq!(found[0].step, Some(0));
            }
        }
    }
}

#[test]
fn a_connection_that_ends_at_the_first_request_wants_a_login() {
    let closed = || Err(StepError::ServerClosed("end of stream".into()));
    let mut steps = vec![step(Bootstrap, "k:1", Do::Metadata, closed())];
    assert_eq!(kinds(&record(steps.clone())), ["login_required"]);
    let logged_in = StepSeen::LoggedIn {
        mechanism: "PLAIN",
        is_readable: true,
    };
    steps.insert(0, step(Bootstrap, "k:1", Do::Sasl, Ok(logged_in)));
    assert_eq!(kinds(&record(steps)), ["password_readable", "connection_closed"]);
}
