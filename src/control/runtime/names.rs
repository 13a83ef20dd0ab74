//! Bootstrap servers and forward proxies whose names do not resolve. A start, a reload and `check` warn of them and go on: the name server may
//! be back in a moment, and other clusters are to be served meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::model::{HostPort, VirtualCluster};
use crate::resolver;

/// Time limit for all look-ups together.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum number of concurrent look-ups.
const MAX_CONCURRENT_LOOKUPS: usize = 32;

/// Number of clusters that a warning names; more are only counted.
const MAX_NAMED: usize = 3;

/// Looks up the bootstrap servers of these clusters, or the forward proxies before them. Returns a warning for each whose name
/// does not resolve.
pub async fn unresolved_servers<'m>(clusters: impl Iterator<Item = &'m VirtualCluster>) -> Vec<String> {
    let mut servers: BTreeMap<(&str, &HostPort), BTreeSet<&str>> = BTreeMap::new();
    for cluster in clusters {
        // A forward proxy resolves the names of brokers itself.
        let looked_up = match &cluster.target.via {
            Some(via) => ("forward proxy", std::slice::from_ref(&via.address)),
            None => ("bootstrap server", &*cluster.target.bootstrap_servers),
        };
        for server in looked_up.1 {
            if server.host.parse::<IpAddr>().is_err() {
                let entry = servers.entry((looked_up.0, server)).or_default();
                entry.insert(&cluster.name);
            }
        }
    }
    let hosts: BTreeSet<&str> = servers.keys().map(|(_, server)| server.host.as_str()).collect();
    let failures = look_up(hosts).await;
    let warning = |((what, server), clusters): ((&str, &HostPort), BTreeSet<&str>)| {
        let why = failures.get(&server.host)?;
        Some(format!(
            "{what} {server} of {} does not resolve: {why}",
            listed(&clusters.into_iter().collect::<Vec<_>>())
        ))
    };
    servers.into_iter().filter_map(warning).collect()
}

/// The names of virtual clusters in a sentence; of many, the first.
pub(in crate::control) fn listed(clusters: &[impl fmt::Display]) -> String {
    let named: Vec<String> = clusters
        .iter()
        .take(MAX_NAMED)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = match clusters.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let noun = if clusters.len() == 1 {
        "cluster"
    } else {
        "clusters"
    };
    format!("virtual {noun} {}{more}", named.join(", "))
}

/// Looks names up, and returns those without an address, each with the reason.
async fn look_up(names: BTreeSet<&str>) -> BTreeMap<String, String> {
    let permits = Arc::new(Semaphore::new(MAX_CONCURRENT_LOOKUPS));
    let mut pending: BTreeSet<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut lookups = JoinSet::new();
    for name in names {
        let (name, permits) = (name.to_owned(), Arc::clone(&permits));
        lookups.spawn(async move {
            // Never closed.
            let _permit = permits.acquire_owned().await;
            let outcome = resolver::system().ask(&name).await;
            (name, outcome)
        });
    }
    let mut failures = BTreeMap::new();
    let all = async {
        while let Some(answered) = lookups.join_next().await {
            let Ok((name, outcome)) = answered else { continue };
            pending.remove(&name);
            if let Err(error) = outcome {
                failures.insert(name, error.to_string());
            }
        }
    };
    if tokio::time::timeout(LOOKUP_TIMEOUT, all).await.is_err() {
        let silent = format!("no answer within {} s", LOOKUP_TIMEOUT.as_secs());
        failures.extend(pending.into_iter().map(|name| (name, silent.clone())));
    }
    failures
}
