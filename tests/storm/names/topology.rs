//! What the file says, and what is done to it.

use std::fmt::Write;
use std::net::SocketAddr;

use crate::rng::Rng;
use testkit::deployment::cluster;

/// Names that clusters come and go with.
pub(crate) const HOSTS: usize = 5;

pub(crate) fn host(index: usize) -> String {
    format!("h{index}.kafka.test")
}

/// What is to come of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Applied,
    Rejected,
    /// Applied; and not the file has changed, but the certificate of the cluster that the step is named by.
    Renewed,
}

/// A cluster that comes and goes. Its clients may notice that.
#[derive(Clone, Debug, PartialEq)]
struct Passing {
    name: String,
    host: usize,
    target: usize,
    certificate: usize,
    mutual: bool,
    only_13: bool,
    max_connections: usize,
}

/// Clusters and gateways of the storm.
#[derive(Clone, Debug)]
pub(crate) struct Topology {
    /// Shared by those that names tell apart.
    pub(crate) port: u16,
    targets: [SocketAddr; 2],
    secured: SocketAddr,
    /// Limit of connections of the neighbours.
    max_connections: usize,
    names: usize,
    passing: Vec<Passing>,
}

const KINDS: [&str; 13] = [
    "add",
    "add",
    "remove",
    "rename",
    "move",
    "swap",
    "target",
    "certificate",
    "mutual",
    "versions",
    "live",
    "several",
    "invalid",
];

impl Topology {
    pub(crate) fn new(port: u16, targets: [SocketAddr; 2], secured: SocketAddr) -> Self {
        Self {
            port,
            targets,
            secured,
            max_connections: 1000,
            names: 0,
            passing: Vec::new(),
        }
    }

    pub(crate) fn gamma_port(&self) -> u16 {
        self.port + 1
    }

    /// The next step. Something changes, in any case.
    pub(crate) fn step(&mut self, rng: &mut Rng) -> (&'static str, Expected) {
        if rng.below(8) == 0 {
            return (["alpha", "beta", "gamma"][rng.below(3)], Expected::Renewed);
        }
        loop {
            let kind = *rng.pick(&KINDS);
            if kind == "invalid" {
                return (kind, Expected::Rejected);
            }
            let before = self.yaml();
            self.change(kind, rng);
            if self.yaml() != before {
                return (kind, Expected::Applied);
            }
        }
    }

    fn change(&mut self, kind: &str, rng: &mut Rng) {
        let some = match self.passing.len() {
            0 => None,
            len => Some(rng.below(len)),
        };
        match (kind, some) {
            ("add", _) => self.add(rng),
            ("live", _) => self.max_connections = 900 + rng.below(100),
            ("several", _) => {
                for kind in ["add", "target", "swap", "live"] {
                    self.change(kind, rng);
                }
            }
            (_, None) => {}
            ("remove", Some(some)) => drop(self.passing.remove(some)),
            ("rename", Some(some)) => self.passing[some].name = self.name(),
            ("move", Some(some)) => {
                let free = self.free(rng);
                self.passing[some].host = free.unwrap_or(self.passing[some].host);
            }
            ("swap", Some(some)) => {
                let other = rng.below(self.passing.len());
                let hosts = [self.passing[some].host, self.passing[other].host];
                [self.passing[other].host, self.passing[some].host] = hosts;
            }
            ("target", Some(some)) => self.passing[some].target ^= 1,
            ("certificate", Some(some)) => self.passing[some].certificate ^= 1,
            ("mutual", Some(some)) => self.passing[some].mutual ^= true,
            ("versions", Some(some)) => self.passing[some].only_13 ^= true,
            (other, _) => unreachable!("{other}"),
        }
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("passing-{}", self.names)
    }

    /// A name that nobody has.
    fn free(&self, rng: &mut Rng) -> Option<usize> {
        let taken = |index: &usize| self.passing.iter().any(|passing| passing.host == *index);
        let free: Vec<usize> = (0..HOSTS).filter(|index| !taken(index)).collect();
        (!free.is_empty()).then(|| *rng.pick(&free))
    }

    fn add(&mut self, rng: &mut Rng) {
        let Some(host) = self.free(rng) else { return };
        let passing = Passing {
            name: self.name(),
            host,
            target: rng.below(2),
            certificate: rng.below(2),
            mutual: rng.coin(),
            only_13: rng.coin(),
            max_connections: 100 + rng.below(100),
        };
        self.passing.push(passing);
    }

    pub(crate) fn yaml(&self) -> String {
        let mut yaml = "virtualClusters:\n".to_owned();
        let max = self.max_connections;
        self.named(&mut yaml, ("alpha", "alpha.kafka.test"), 0, "alpha", "", max);
        let mutual = ", trust: {storeFile: clients.pem}";
        self.named(&mut yaml, ("beta", "beta.kafka.test"), 1, "beta", mutual, max);
        let own = "{key: {certificateFile: gamma.crt, privateKeyFile: gamma.key}}";
        let upstream = "{serverName: b0.kafka.test, trust: {storeFile: brokers.pem}}";
        yaml += &cluster("gamma", self.gamma_port(), self.secured, upstream, own);
        for passing in &self.passing {
            let certificate = format!("c{}", passing.certificate);
            let mut more = String::new();
            if passing.mutual {
                more += mutual;
            }
            if passing.only_13 {
                more += ", protocols: {allowed: [TLSv1.3]}";
            }
            let name = (passing.name.as_str(), host(passing.host));
            self.named(
                &mut yaml,
                (name.0, &name.1),
                passing.target,
                &certificate,
                &more,
                passing.max_connections,
            );
        }
        yaml
    }

    /// Another cluster wants a name that is taken.
    pub(crate) fn invalid_yaml(&self) -> String {
        let mut yaml = self.yaml();
        self.named(&mut yaml, ("invalid", "alpha.kafka.test"), 0, "alpha", "", 1);
        yaml
    }

    fn named(
        &self,
        yaml: &mut String,
        (name, host): (&str, &str),
        target: usize,
        certificate: &str,
        more: &str,
        max_connections: usize,
    ) {
        let (port, target) = (self.port, self.targets[target]);
        write!(
            yaml,
            "  - name: {name}
    targetCluster: {{bootstrapServers: \"{target}\"}}
    maxConnections: {max_connections}
    drain: {{timeout: 5s, hardTimeout: 10s}}
    gateways:
      - name: {name}
        bindAddress: 127.0.0.1
        sniHostIdentifiesNode: {{bootstrapAddress: \"{host}:{port}\", advertisedBrokerAddressPattern: \"b$(nodeId).{host}\"}}
        tls: {{key: {{certificateFile: {certificate}.crt, privateKeyFile: {certificate}.key}}{more}}}
"
        )
        .unwrap();
    }
}
