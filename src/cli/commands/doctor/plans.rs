//! Plans of walks: from a configuration file, or from bootstrap addresses.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Arguments, CannotRun};
use crate::admin::RequestTarget;
use crate::admin::client::Client;
use crate::cli::console::Console;
use crate::config::parse_address;
use crate::control::ProxyStatus;
use crate::doctor::client::{ClientTls, LinkLogin, LinkRoute, ServerTrust};
use crate::doctor::walk::{ExpectedNodes, TargetPlan, WalkPlan};
use crate::model::{
    self, Gateway, HostPort, IdentifiedBy, ProxyModel, ProxyProtocolMode, ProxyProtocolVersion, VirtualCluster,
};
use crate::session::upstream::login::LoginContext;

/// Time limit for the running process to say what it listens on.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

impl Arguments {
    /// The walks to make.
    pub(super) fn plans(&self, console: &Console) -> Result<Vec<WalkPlan>, CannotRun> {
        let login = self.login.login().map_err(CannotRun::Because)?.map(LinkLogin::Client);
        match &self.bootstrap {
            Some(bootstrap) => self
                .of_bootstrap(bootstrap, login, console)
                .map(|plan| vec![plan])
                .map_err(CannotRun::Because),
            None => self.of_file(login, console),
        }
    }

    fn of_bootstrap(&self, bootstrap: &str, login: Option<LinkLogin>, console: &Console) -> Result<WalkPlan, String> {
        let bootstraps = addresses(bootstrap)?;
        let tls = |wanted: bool| wanted.then(|| self.tls.settings(ServerTrust::Platform)).transpose();
        let reported = Reported::of(console.connect(), &bootstraps);
        let target = match &self.target {
            None => None,
            Some(servers) => Some(TargetPlan {
                servers: addresses(servers)?,
                route: LinkRoute {
                    via: None,
                    tls: tls(self.target_tls)?,
                    proxy_header: None,
                    login: login.clone(),
                },
            }),
        };
        Ok(WalkPlan {
            cluster: None,
            gateway: None,
            bootstraps,
            route: LinkRoute {
                via: None,
                tls: tls(self.tls.tls)?,
                proxy_header: None,
                login,
            },
            expected: reported.nodes.map(ExpectedNodes::Reported),
            brokers: reported.brokers,
            target,
            topic: self.topic.clone(),
        })
    }

    fn of_file(&self, login: Option<LinkLogin>, console: &Console) -> Result<Vec<WalkPlan>, CannotRun> {
        let needed = || CannotRun::Because("nothing to walk".to_owned());
        let file = console.config().ok_or_else(needed)?;
        let model = model::load(file).map_err(|diagnostics| {
            for diagnostic in diagnostics {
                console.print_diagnostic(&diagnostic);
            }
            CannotRun::BadFile
        })?;
        let status = needs_ports(&model).then(|| status(console.connect_any(model.control_socket.as_deref()).ok()));
        let status = status.flatten().unwrap_or_default();
        let mut plans = Vec::new();
        for cluster in model.clusters.values() {
            for gateway in &cluster.gateways {
                if self.is_wanted(cluster, gateway) {
                    let plan = self.of_gateway(cluster, gateway, &status, login.clone());
                    plans.push(plan.map_err(CannotRun::Because)?);
                }
            }
        }
        match plans.is_empty() {
            true => Err(CannotRun::Because("the file has no such virtual cluster or gateway".to_owned())),
            false => Ok(plans),
        }
    }

    fn is_wanted(&self, cluster: &VirtualCluster, gateway: &Gateway) -> bool {
        let named = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| wanted == name);
        named(&self.cluster, &cluster.name) && named(&self.gateway, &gateway.name)
    }

    fn of_gateway(
        &self,
        cluster: &VirtualCluster,
        gateway: &Gateway,
        status: &ProxyStatus,
        login: Option<LinkLogin>,
    ) -> Result<WalkPlan, String> {
        let running = ReportedPorts::of(status, cluster, gateway);
        let bound = Some(gateway.bootstrap_port).filter(|&port| port != 0).or(running.bootstrap);
        let port = gateway.advertised_bootstrap_port.or(bound).ok_or_else(|| {
            format!(
                "the port of gateway {} of virtual cluster {} is chosen by the operating system, and no kproxy says which",
                gateway.name, cluster.name
            )
        })?;
        let tls = match &gateway.tls {
            None if !self.tls.tls => None,
            None => Some(self.tls.settings(ServerTrust::Platform)?),
            Some(tls) => {
                let own = tls.identity.certified_key().cert.first().cloned();
                Some(self.tls.settings(own.map_or(ServerTrust::Platform, ServerTrust::Pinned))?)
            }
        };
        let target_tls = cluster.target.tls.as_ref().map(ClientTls::of_target).transpose();
        let own = cluster.target.login.as_ref().filter(|own| own.own.is_some());
        let own = own.map(|own| LinkLogin::Proxy(Arc::new(LoginContext::new(Arc::clone(own), None))));
        Ok(WalkPlan {
            cluster: Some(cluster.name.clone()),
            gateway: Some(gateway.name.clone()),
            bootstraps: vec![HostPort {
                host: gateway.bootstrap_host.clone(),
                port,
            }],
            route: LinkRoute {
                via: None,
                tls,
                proxy_header: (gateway.proxy_protocol.mode == ProxyProtocolMode::Required)
                    .then_some(ProxyProtocolVersion::V2),
                login: login.clone(),
            },
            expected: Some(ExpectedNodes::of(gateway, bound, &running.nodes)),
            brokers: Vec::new(),
            target: Some(TargetPlan {
                servers: cluster.target.bootstrap_servers.clone(),
                route: LinkRoute {
                    via: cluster.target.via.clone(),
                    tls: target_tls.map_err(|error| error.to_string())?,
                    proxy_header: gateway.proxy_protocol.upstream,
                    login: own.or(login),
                },
            }),
            topic: self.topic.clone(),
        })
    }
}

/// Whether the operating system chooses a port of a gateway.
fn needs_ports(model: &ProxyModel) -> bool {
    let mut gateways = model.clusters.values().flat_map(|cluster| &cluster.gateways);
    gateways.any(|gateway| gateway.bootstrap_port == 0 || gateway.nodes.iter().any(|node| node.port == 0))
}

/// Asks the running process for its status.
fn status(client: Option<Client>) -> Option<ProxyStatus> {
    let status = client?.get(&RequestTarget::new("/status"), Some(ANSWER_TIMEOUT));
    status.ok()?.read().ok()
}

/// Bound ports of a gateway, as the running process reports them.
#[derive(Default)]
struct ReportedPorts {
    bootstrap: Option<u16>,
    nodes: BTreeMap<i32, u16>,
}

impl ReportedPorts {
    fn of(status: &ProxyStatus, cluster: &VirtualCluster, gateway: &Gateway) -> Self {
        let mut clusters = status.clusters.iter();
        let running = clusters.find(|running| running.name == cluster.name);
        let gateways = running.into_iter().flat_map(|running| &running.gateways);
        let Some(running) = gateways.into_iter().find(|running| running.name == gateway.name) else {
            return Self::default();
        };
        let nodes = running.nodes.iter().map(|node| (node.id, node.bound.0.port()));
        Self {
            bootstrap: Some(running.bound.0.port()).filter(|&port| port != 0),
            nodes: match gateway.identified_by {
                IdentifiedBy::Port => nodes.collect(),
                IdentifiedBy::SniHost { .. } => BTreeMap::new(),
            },
        }
    }
}

/// What the running process says of the gateway with a bootstrap address, if it runs here.
#[derive(Default)]
struct Reported {
    /// Addresses of nodes.
    nodes: Option<BTreeMap<i32, HostPort>>,
    /// Addresses of brokers.
    brokers: Vec<HostPort>,
}

impl Reported {
    fn of<E>(client: Result<Client, E>, bootstraps: &[HostPort]) -> Self {
        let Some(status) = status(client.ok()) else {
            return Self::default();
        };
        let mut gateways = status.clusters.iter().flat_map(|cluster| &cluster.gateways);
        let is_it = |bootstrap: &str| bootstraps.iter().any(|address| address.to_string() == bootstrap);
        let Some(gateway) = gateways.find(|gateway| is_it(&gateway.bootstrap)) else {
            return Self::default();
        };
        let read = |text: &str| one_address(text).ok();
        let nodes = gateway.nodes.iter();
        let nodes = nodes.filter_map(|node| Some((node.id, read(&node.advertised)?)));
        let brokers = gateway.nodes.iter().filter_map(|node| read(node.upstream.as_deref()?));
        Self {
            nodes: Some(nodes.collect()),
            brokers: brokers.collect(),
        }
    }
}

/// Addresses separated by commas.
fn addresses(text: &str) -> Result<Vec<HostPort>, String> {
    text.split(',').map(|part| one_address(part.trim())).collect()
}

fn one_address(text: &str) -> Result<HostPort, String> {
    let address = parse_address(text)?;
    match address.port {
        0 => Err(format!("clients cannot connect to port 0 of `{text}`")),
        port => Ok(HostPort {
            host: address.host,
            port,
        }),
    }
}
