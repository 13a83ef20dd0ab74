//! `kproxy check`: exit 0 when a start would go well as far as can be seen from here, 2 when not.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clap::Args;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::admin::protocol::Request;
use crate::admin::view::Status;
use crate::cli::Exit;
use crate::cli::console::Console;
use crate::cluster;
use crate::control::unix_seconds;
use crate::endpoint::{Bind as _, BindAddr, SystemBind};
use crate::model::{self, BindIp, HostPort, ProxyModel};
use crate::reload::overlap;

/// For one name.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Names looked up at once.
const LOOKUPS: usize = 32;

const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub struct Arguments {
    /// The file to check.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Verdict {
    /// `FILE:LINE:COL: error: WHAT`, or `FILE: error: WHAT` for what only the world outside the file knows.
    violations: Vec<String>,
    /// `FILE:LINE:COL: warning: WHAT`: what is odd, and no reason not to start.
    warnings: Vec<String>,
}

impl Arguments {
    pub(super) fn run(self, console: &Console) -> Exit {
        let loaded = model::load_all(&self.config);
        let warnings = loaded.warnings.at(unix_seconds(SystemTime::now()));
        let warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        let (violations, summary) = match loaded.for_start() {
            Err(diagnostics) => (
                diagnostics.iter().map(ToString::to_string).collect(),
                String::new(),
            ),
            Ok((model, _)) => (self.outside(&model, console), self.summary(&model)),
        };
        for line in warnings.iter().chain(&violations) {
            console.complain_as_is(line);
        }
        let exit = if violations.is_empty() {
            Exit::Fine
        } else {
            Exit::Rejected
        };
        let verdict = Verdict { violations, warnings };
        console.show(&verdict, || match exit {
            Exit::Fine => summary,
            _ => String::new(),
        });
        exit
    }

    /// What stands against the file in the world it would run in.
    fn outside(&self, model: &ProxyModel, console: &Console) -> Vec<String> {
        let at = self.config.display();
        let mut violations: Vec<String> = Vec::new();
        for (server, clusters, error) in unresolvable(model) {
            violations.push(format!(
                "{at}: error: bootstrap server {server} of {clusters} does not resolve: {error}"
            ));
        }
        let mut held = None;
        for (address, what) in management(model).into_iter().chain(addresses(model)) {
            let Err(error) = SystemBind.bind(address) else {
                continue;
            };
            let held = held.get_or_insert_with(|| bound_by_running(console));
            let is_own =
                error.kind() == io::ErrorKind::AddrInUse && held.iter().any(|&own| overlaps(address, own));
            if !is_own {
                violations.push(format!("{at}: error: {what} cannot listen on {address}: {error}"));
            }
        }
        violations
    }

    fn summary(&self, model: &ProxyModel) -> String {
        let gateways: usize = model
            .clusters
            .values()
            .map(|cluster| cluster.gateways.len())
            .sum();
        format!(
            "{} is fine: {}, {}, {}\n",
            self.config.display(),
            count(model.clusters.len(), "cluster"),
            count(gateways, "gateway"),
            match addresses(model).count() {
                1 => "1 address".into(),
                many => format!("{many} addresses"),
            }
        )
    }
}

fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Where HTTP will be served, unless the operating system chooses the port.
fn management(model: &ProxyModel) -> Option<(BindAddr, String)> {
    let address = model.management.as_ref()?.address;
    let bind = BindAddr {
        ip: BindIp::Ip(address.ip()),
        port: address.port(),
    };
    (bind.port != 0).then(|| (bind, "management".to_owned()))
}

/// Every address that is chosen by the file, and the first that it is for: gateways may share one.
fn addresses(model: &ProxyModel) -> impl Iterator<Item = (BindAddr, String)> + '_ {
    let mut known = HashSet::new();
    let all = model.clusters.values().flat_map(|cluster| {
        cluster::wanted(cluster, None)
            .into_iter()
            .map(|wanted| wanted.address)
            .filter(|address| address.port != 0)
            .map(move |address| (address, format!("cluster {:?}", cluster.name)))
    });
    all.filter(move |(address, _)| known.insert(*address))
}

/// What the process at the control socket listens on; nothing, where there is none.
fn bound_by_running(console: &Console) -> Vec<SocketAddr> {
    let status = console
        .connect()
        .and_then(|mut client| client.ask(Request::Status, Some(PATIENCE)));
    let status: Status = match status.map(|status| serde_json::from_str(status.get())) {
        Ok(Ok(status)) => status,
        Ok(Err(_)) | Err(_) => return Vec::new(),
    };
    let management = status.management.iter();
    let gateways = status.clusters.iter().flat_map(|cluster| &cluster.gateways);
    let bound = gateways.flat_map(|gateway| {
        std::iter::once(&gateway.bound).chain(gateway.nodes.iter().map(|node| &node.bound))
    });
    let bound = bound.chain(management);
    bound.filter_map(|bound| bound.parse().ok()).collect()
}

/// Whether a listener on `own` stands in the way of `address`, and would make way for it.
fn overlaps(address: BindAddr, own: SocketAddr) -> bool {
    address.port == own.port() && overlap(address.ip, BindIp::Ip(own.ip()))
}

/// Names of servers that no address is known for, with the clusters that name them.
fn unresolvable(model: &ProxyModel) -> Vec<(HostPort, String, io::Error)> {
    let mut named: BTreeMap<&HostPort, BTreeSet<&str>> = BTreeMap::new();
    for cluster in model.clusters.values() {
        for server in &cluster.target.bootstrap_servers {
            if server.host.parse::<IpAddr>().is_err() {
                named.entry(server).or_default().insert(&cluster.name);
            }
        }
    }
    if named.is_empty() {
        return Vec::new();
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let everything = HostPort {
                host: "*".into(),
                port: 0,
            };
            return vec![(everything, "every cluster".into(), error)];
        }
    };
    let failed = runtime.block_on(look_up(named.keys().map(|&server| server.clone())));
    // A look-up that hangs is not waited for.
    runtime.shutdown_background();
    failed
        .into_iter()
        .map(|(server, error)| {
            let clusters = named.get(&server).into_iter().flatten().copied();
            let clusters: Vec<String> = clusters.take(3).map(|name| format!("{name:?}")).collect();
            let more = named.get(&server).map_or(0, BTreeSet::len).saturating_sub(3);
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            (server, format!("cluster {}{more}", clusters.join(", ")), error)
        })
        .collect()
}

/// Those that do not resolve, in order.
async fn look_up(servers: impl Iterator<Item = HostPort>) -> Vec<(HostPort, io::Error)> {
    let places = Arc::new(Semaphore::new(LOOKUPS));
    let mut lookups = JoinSet::new();
    for server in servers {
        let places = Arc::clone(&places);
        lookups.spawn(async move {
            // Never closed.
            let _place = places.acquire_owned().await;
            let resolved = tokio::net::lookup_host((server.host.clone(), server.port));
            let resolved = tokio::time::timeout(RESOLVE_TIMEOUT, resolved);
            let outcome = match resolved
                .await
                .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            {
                Ok(mut addresses) => match addresses.next() {
                    Some(_) => Ok(()),
                    None => Err(io::Error::other("the name has no addresses")),
                },
                Err(error) => Err(error),
            };
            (server, outcome)
        });
    }
    let mut failed = Vec::new();
    while let Some(looked_up) = lookups.join_next().await {
        if let Ok((server, Err(error))) = looked_up {
            failed.push((server, error));
        }
    }
    failed.sort_by(|(a, _), (b, _)| a.cmp(b));
    failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_listener_of_the_same_port_makes_way() {
        let at = |ip, port| BindAddr { ip, port };
        let own: SocketAddr = "127.0.0.1:9192".parse().unwrap();
        let everywhere: SocketAddr = "[::]:9192".parse().unwrap();
        let loopback = BindIp::Ip(own.ip());
        let other = BindIp::Ip("127.0.0.2".parse().unwrap());
        assert!(overlaps(at(loopback, 9192), own) && overlaps(at(BindIp::Any, 9192), own));
        assert!(overlaps(at(other, 9192), everywhere));
        assert!(!overlaps(at(other, 9192), own) && !overlaps(at(loopback, 9193), own));
    }
}
