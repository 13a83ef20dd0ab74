//! Names of bootstrap servers that do not resolve. A start, a reload and `check` ask here, and take it as a warning: a
//! name server may be away for a moment, and other clusters are to be served meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::model::{HostPort, VirtualCluster};
use crate::resolver;

/// All look-ups together take no longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Names that are looked up at the same time.
const LOOKUPS: usize = 32;

/// Clusters that are named; more of them are only counted.
const NAMED: usize = 3;

/// Warnings about bootstrap servers of these clusters whose names do not resolve, one for each server.
pub async fn unresolved<'m>(clusters: impl Iterator<Item = &'m VirtualCluster>) -> Vec<String> {
    let mut servers: BTreeMap<&HostPort, BTreeSet<&str>> = BTreeMap::new();
    for cluster in clusters {
        for server in &cluster.target.bootstrap_servers {
            if server.host.parse::<IpAddr>().is_err() {
                servers.entry(server).or_default().insert(&cluster.name);
            }
        }
    }
    let hosts: BTreeSet<&str> = servers.keys().map(|server| server.host.as_str()).collect();
    let failures = look_up(hosts).await;
    let warning = |(server, clusters): (&HostPort, BTreeSet<&str>)| {
        let why = failures.get(&server.host)?;
        Some(format!(
            "bootstrap server {server} of {} does not resolve: {why}",
            listed(&clusters)
        ))
    };
    servers.into_iter().filter_map(warning).collect()
}

fn listed(clusters: &BTreeSet<&str>) -> String {
    let named: Vec<String> = clusters
        .iter()
        .take(NAMED)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = match clusters.len().saturating_sub(NAMED) {
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

/// The names for which no address was found, each with the reason.
async fn look_up(names: BTreeSet<&str>) -> BTreeMap<String, String> {
    let places = Arc::new(Semaphore::new(LOOKUPS));
    let mut waited: BTreeSet<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut lookups = JoinSet::new();
    for name in names {
        let (name, places) = (name.to_owned(), Arc::clone(&places));
        lookups.spawn(async move {
            // Never closed.
            let _place = places.acquire_owned().await;
            let outcome = resolver::system().ask(&name).await;
            (name, outcome)
        });
    }
    let mut failures = BTreeMap::new();
    let all = async {
        while let Some(answered) = lookups.join_next().await {
            let Ok((name, outcome)) = answered else { continue };
            waited.remove(&name);
            if let Err(error) = outcome {
                failures.insert(name, error.to_string());
            }
        }
    };
    if tokio::time::timeout(PATIENCE, all).await.is_err() {
        let silent = format!("no answer within {} s", PATIENCE.as_secs());
        failures.extend(waited.into_iter().map(|name| (name, silent.clone())));
    }
    failures
}
