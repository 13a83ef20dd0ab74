//! Identity of nodes and clusters, withheld nodes, versions of APIs.

use super::super::FindingKind as Kind;
use super::super::client::messages::{ServerError, VersionRanges};
use super::super::client::{StepSeen, StepSubject};
use super::super::walk::ExpectedNode;
use super::FindingList;
use crate::wire::api::name_of;

/// Kafka's error of a broker that is asked for the settings of another one.
const INVALID_REQUEST: i16 = 42;

/// Number of APIs that one finding names.
const MOST_NAMED: usize = 12;

pub(super) fn judge(findings: &mut FindingList<'_>) {
    for (place, step) in findings.steps() {
        if let (Ok(StepSeen::Described(error)), StepSubject::Node(id)) = (&step.result, step.subject) {
            identity(findings, place, id, error);
        }
    }
    clusters(findings);
    target(findings);
    versions(findings);
}

fn identity(findings: &mut FindingList<'_>, place: usize, id: i32, error: &ServerError) {
    let ServerError { code, message } = error;
    match *code {
        0 => {}
        INVALID_REQUEST => {
            let what = match answering_broker(message) {
                Some(other) => format!("the address of node {id} leads to broker {other}"),
                None => format!("the address of node {id} leads to another broker: {message}"),
            };
            findings.push(Kind::NodeSwapped, place, what);
        }
        _ => {
            let what = format!("DescribeConfigs of broker {id}: error {code} {message}");
            findings.push(Kind::IdentityUnknown, place, what);
        }
    }
}

/// The id of the broker that answered, which Kafka tells in `Unexpected broker id, expected 2 or empty string, but …`.
fn answering_broker(message: &str) -> Option<i32> {
    let (_, rest) = message.split_once(" expected ")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// Every node must be of the cluster that the bootstrap connection leads to.
fn clusters(findings: &mut FindingList<'_>) {
    let Some((place, listing)) = findings.listing(StepSubject::Bootstrap) else {
        return;
    };
    if listing.brokers.is_empty() {
        findings.push(Kind::NoNodes, place, "Metadata names no nodes".to_owned());
    }
    let Some(cluster_id) = &listing.cluster_id else {
        return;
    };
    for (place, step) in findings.steps() {
        let Ok(StepSeen::Listed(other)) = &step.result else {
            continue;
        };
        if let Some(other) = other.cluster_id.as_ref().filter(|other| *other != cluster_id) {
            let what = match step.subject {
                StepSubject::Target => {
                    format!("the target cluster has the id {other}, but clients are led to {cluster_id}")
                }
                _ => format!(
                    "{} leads to cluster {other}, and bootstrap to {cluster_id}",
                    step.address
                ),
            };
            findings.push(Kind::OtherCluster, place, what);
        }
    }
}

/// The nodes that clients are told of against those of the target cluster.
fn target(findings: &mut FindingList<'_>) {
    let told = findings.listing(StepSubject::Bootstrap);
    let (Some((place, told)), Some((_, there))) = (told, findings.listing(StepSubject::Target)) else {
        return;
    };
    let is_told = |id: &i32| told.brokers.contains_key(id) || told.undialable.contains_key(id);
    for id in there.brokers.keys().filter(|id| !is_told(id)) {
        let expected = findings
            .record
            .expected
            .as_ref()
            .map(|expected| expected.node(*id));
        let why = match expected {
            Some(ExpectedNode::Nowhere) => ": its id is outside `nodeIdRanges`",
            _ => "",
        };
        let what = format!("broker {id} of the target cluster is not told to clients{why}");
        findings.push_about(Kind::NodeWithheld, Some(place), format!("node {id}"), what);
    }
    for id in told.brokers.keys().filter(|id| !there.brokers.contains_key(id)) {
        let what = format!("node {id} is told to clients, but the target cluster has no such broker");
        findings.push_about(Kind::NodeUnknown, Some(place), format!("node {id}"), what);
    }
}

/// Versions through kproxy against those of the target cluster.
fn versions(findings: &mut FindingList<'_>) {
    let of = |subject| {
        findings.steps().find_map(|(place, step)| match &step.result {
            Ok(StepSeen::Versions(ranges)) if step.subject == subject => Some((place, ranges)),
            _ => None,
        })
    };
    let (Some((place, through)), Some((_, there))) = (of(StepSubject::Bootstrap), of(StepSubject::Target))
    else {
        return;
    };
    let limited = limited(through, there);
    if limited.is_empty() {
        return;
    }
    let more = limited.len().saturating_sub(MOST_NAMED);
    let mut what = limited
        .into_iter()
        .take(MOST_NAMED)
        .collect::<Vec<_>>()
        .join(", ");
    if more > 0 {
        what.push_str(&format!(" and {more} more"));
    }
    findings.push(Kind::VersionsLimited, place, what);
}

fn limited(through: &VersionRanges, there: &VersionRanges) -> Vec<String> {
    let name = |key: i16| name_of(key).map_or_else(|| format!("API {key}"), str::to_owned);
    let of = |(&key, &(_, newest)): (&i16, &(i16, i16))| match through.get(&key) {
        None => Some(format!("{} is left out", name(key))),
        Some(&(_, max)) if max < newest => Some(format!("{} up to {max} of {newest}", name(key))),
        Some(_) => None,
    };
    there.iter().filter_map(of).collect()
}
