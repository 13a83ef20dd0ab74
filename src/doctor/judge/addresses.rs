//! Addresses that clients are told: do they lead to kproxy, or past it?

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};

use super::super::FindingKind as Kind;
use super::super::client::{StepAction, StepSeen, StepSubject};
use super::super::walk::ExpectedNode;
use super::FindingList;
use crate::model::HostPort;

/// An address that clients are told for a node, and the step that showed it.
struct ToldAddress<'r> {
    place: usize,
    node: i32,
    address: &'r HostPort,
}

pub(super) fn judge(findings: &mut FindingList<'_>) {
    let told = told(findings);
    let brokers = TargetAddresses::of(findings);
    let resolved = resolved(findings);
    let at_bootstrap: BTreeSet<IpAddr> = findings
        .record
        .bootstraps
        .iter()
        .filter_map(|address| resolved.get(&key(address)))
        .flat_map(|found| found.iter().map(|address| address.ip().to_canonical()))
        .collect();
    for told in &told {
        let found = resolved.get(&key(told.address)).copied().unwrap_or_default();
        one(findings, told, found, &brokers, &at_bootstrap);
    }
    for (place, id, written) in unusable(findings) {
        let what = format!("node {id} is told as {written}");
        findings.push_about(Kind::AddressUnusable, Some(place), format!("node {id}"), what);
    }
    let is_known = findings.record.expected.is_some() || findings.listing(StepSubject::Target).is_some();
    if let (false, Some(first)) = (is_known, told.first()) {
        let what = "there is nothing to compare the addresses of the nodes with".to_owned();
        findings.push(Kind::AddressesUnjudged, first.place, what);
    }
}

/// The addresses of Metadata answers and of the coordinator, each once.
fn told<'r>(findings: &FindingList<'r>) -> Vec<ToldAddress<'r>> {
    let mut told: Vec<ToldAddress<'r>> = Vec::new();
    let mut known = BTreeSet::new();
    for (place, step) in findings.steps() {
        if matches!(step.subject, StepSubject::Target | StepSubject::TargetBroker(_)) {
            continue;
        }
        let named: Vec<(i32, &'r HostPort)> = match &step.result {
            Ok(StepSeen::Listed(listing)) => listing
                .brokers
                .iter()
                .map(|(id, address)| (*id, address))
                .collect(),
            Ok(StepSeen::Coordinated { node, address }) => vec![(*node, address)],
            _ => continue,
        };
        for (node, address) in named {
            if known.insert((node, address)) {
                told.push(ToldAddress { place, node, address });
            }
        }
    }
    told
}

fn unusable(findings: &FindingList<'_>) -> Vec<(usize, i32, String)> {
    let Some((place, listing)) = findings.listing(StepSubject::Bootstrap) else {
        return Vec::new();
    };
    let all = listing.undialable.iter();
    all.map(|(id, written)| (place, *id, written.clone())).collect()
}

/// Addresses of the target cluster's brokers.
#[derive(Default)]
struct TargetAddresses {
    /// By name and port, with the words for the broker.
    named: HashMap<(String, u16), String>,
    /// By IP address and port.
    resolved: BTreeMap<SocketAddr, String>,
}

impl TargetAddresses {
    fn of(findings: &FindingList<'_>) -> Self {
        let mut all = Self::default();
        for broker in &findings.record.brokers {
            all.named.insert(key(broker), "a broker".to_owned());
        }
        for (_, step) in findings.steps() {
            let who = match step.subject {
                StepSubject::Target => "a bootstrap server".to_owned(),
                StepSubject::TargetBroker(id) => format!("broker {id}"),
                _ => continue,
            };
            match &step.result {
                Ok(StepSeen::Addresses(found)) => {
                    let found = found.iter().map(|&address| (canonical(address), who.clone()));
                    all.resolved.extend(found);
                }
                Ok(StepSeen::Listed(listing)) => {
                    let named = listing.brokers.iter();
                    all.named
                        .extend(named.map(|(id, address)| (key(address), format!("broker {id}"))));
                }
                _ => {}
            }
        }
        all
    }

    /// Words for the broker at an address; `None` if there is none.
    fn at(&self, address: &HostPort, resolved: &[SocketAddr]) -> Option<String> {
        let by_name = self.named.get(&key(address)).map(|who| format!("is {who}"));
        by_name.or_else(|| {
            let found = resolved.iter().map(|&address| canonical(address));
            let mut there =
                found.filter_map(|at| Some(format!("leads to {at}, which is {}", self.resolved.get(&at)?)));
            there.next()
        })
    }
}

fn one(
    findings: &mut FindingList<'_>,
    told: &ToldAddress<'_>,
    resolved: &[SocketAddr],
    brokers: &TargetAddresses,
    at_bootstrap: &BTreeSet<IpAddr>,
) {
    let &ToldAddress { place, node, address } = told;
    let expected = findings
        .record
        .expected
        .as_ref()
        .map(|expected| expected.node(node));
    let is_expected = expected
        .as_ref()
        .is_some_and(|expected| *expected != ExpectedNode::Unknown && expected.allows(address));
    let is_wrong = expected
        .as_ref()
        .is_some_and(|expected| !expected.allows(address));
    let subject = format!("node {node}");
    // Where kproxy has the name of a broker for itself, that name leads clients to kproxy.
    if let (Some(broker), false) = (brokers.at(address, resolved), is_expected) {
        let what = format!("node {node} is told as {address}, which {broker} of the target cluster itself");
        return findings.push_about(Kind::LeadsPastProxy, Some(place), subject, what);
    }
    if let (Some(expected), true) = (&expected, is_wrong) {
        let what = format!("node {node} is told as {address}; the gateway gives it {expected}");
        return findings.push_about(Kind::AddressUnexpected, Some(place), subject, what);
    }
    let mut ips = resolved
        .iter()
        .map(|address| address.ip().to_canonical())
        .peekable();
    if ips.peek().is_some() && !at_bootstrap.is_empty() && !ips.any(|ip| at_bootstrap.contains(&ip)) {
        let ip = |ip: &IpAddr| ip.to_string();
        let here = resolved
            .iter()
            .map(|address| ip(&address.ip()))
            .collect::<Vec<_>>()
            .join(", ");
        let there = at_bootstrap.iter().map(ip).collect::<Vec<_>>().join(", ");
        let what = format!("{address} leads to {here}, and bootstrap to {there}");
        findings.push_about(Kind::LeadsElsewhere, Some(place), subject, what);
    }
}

/// IP addresses by name and port, as they were looked up.
fn resolved<'r>(findings: &FindingList<'r>) -> HashMap<(String, u16), &'r [SocketAddr]> {
    let found = findings.steps().filter_map(|(_, step)| match &step.result {
        Ok(StepSeen::Addresses(found)) if step.action == StepAction::Resolve => {
            Some((key(&step.address), found.as_slice()))
        }
        _ => None,
    });
    found.collect()
}

/// A host without regard to case, and a port.
fn key(address: &HostPort) -> (String, u16) {
    (address.host.to_ascii_lowercase(), address.port)
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
