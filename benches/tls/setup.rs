//! HAProxy and kproxy, set up to do the same.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use crate::common::contender::{
    Contender, Kind, haproxy_preamble, haproxy_version, kproxy_command, kproxy_preamble,
};
use crate::common::process::{command, free_port};
use crate::material::BROKER_NAME;

/// Which of a proxy's two sides have TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sides {
    Neither,
    Down,
    Up,
    Both,
}

impl Sides {
    /// Those with any TLS at all.
    pub(crate) const ALL: [Self; 3] = [Self::Down, Self::Up, Self::Both];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Neither => "neither",
            Self::Down => "down",
            Self::Up => "up",
            Self::Both => "both",
        }
    }

    pub(crate) const fn down(self) -> bool {
        matches!(self, Self::Down | Self::Both)
    }

    pub(crate) const fn up(self) -> bool {
        matches!(self, Self::Up | Self::Both)
    }
}

/// The programs that are measured.
pub(crate) const KINDS: [Kind; 2] = [Kind::Haproxy, Kind::Kproxy];

/// One address of a contender, and what is behind it.
pub(crate) struct Gateway<'a> {
    pub(crate) sides: Sides,
    pub(crate) broker: &'a str,
}

/// How contenders are started.
pub(crate) struct Setup<'a> {
    /// Where the certificates are, and where configuration and logs go.
    pub(crate) directory: &'a Path,
    pub(crate) threads: usize,
    /// Connections it must be able to hold.
    pub(crate) connections: usize,
}

/// A running contender and its addresses, in the order of the gateways.
pub(crate) struct Running {
    pub(crate) contender: Contender,
    pub(crate) addresses: Vec<String>,
    pub(crate) pid: u32,
}

impl Setup<'_> {
    /// Both contenders, or those that start; says which does not and why.
    pub(crate) fn start_all(&self, gateways: &[Gateway<'_>], without: &[String]) -> Vec<Running> {
        let wanted = KINDS
            .into_iter()
            .filter(|kind| !without.iter().any(|name| name == kind.name()));
        let started = wanted.filter_map(|kind| {
            self.start(kind, gateways)
                .inspect_err(|error| println!("{} is not part of this: {error}", kind.name()))
                .ok()
        });
        started.collect()
    }

    /// # Errors
    /// When the program is missing or does not come to accept connections.
    pub(crate) fn start(&self, kind: Kind, gateways: &[Gateway<'_>]) -> io::Result<Running> {
        let mut ports = Vec::new();
        for _ in gateways {
            ports.push((free_port()?, free_port()?));
        }
        let first = ports.first().map_or(0, |ports| ports.0);
        // A directory of its own, for its control socket.
        let own = self.directory.join(format!("{}-{first}", kind.name()));
        fs::create_dir(&own)?;
        let command = if kind == Kind::Haproxy {
            haproxy_version()?;
            let file = own.join("haproxy.cfg");
            fs::write(&file, self.haproxy(gateways, &ports))?;
            let mut command = command(Path::new("haproxy"), None);
            command.arg("-db").arg("-f").arg(file);
            command
        } else {
            let file = own.join("proxy.yaml");
            fs::write(&file, self.kproxy(gateways, &ports))?;
            kproxy_command(&file, &own, None)
        };
        let contender = Contender::of(kind, command, &own.join("log"), first)?;
        let pid = contender
            .pid()
            .ok_or_else(|| io::Error::other("no process to measure"))?;
        let address = |&(port, _): &(u16, u16)| format!("{}:{port}", Ipv4Addr::LOCALHOST);
        Ok(Running {
            contender,
            addresses: ports.iter().map(address).collect(),
            pid,
        })
    }

    fn haproxy(&self, gateways: &[Gateway<'_>], ports: &[(u16, u16)]) -> String {
        let global = format!(
            "    maxconn {}\n    ssl-default-bind-curves X25519:P-256\n    ssl-server-verify required\n",
            self.connections + 100
        );
        let mut text = haproxy_preamble(self.threads, &global);
        let directory = self.directory.display();
        for (gateway, (port, _)) in gateways.iter().zip(ports) {
            let bind = if gateway.sides.down() {
                format!(" ssl crt {directory}/haproxy.pem")
            } else {
                String::new()
            };
            let server = if gateway.sides.up() {
                format!(
                    " ssl verify required ca-file {directory}/ca.pem verifyhost {BROKER_NAME} sni str({BROKER_NAME})"
                )
            } else {
                String::new()
            };
            let broker = gateway.broker;
            writeln!(
                text,
                "listen bench-{port}\n    bind 127.0.0.1:{port}{bind}\n    server broker {broker}{server}"
            )
            .ok();
        }
        text
    }

    fn kproxy(&self, gateways: &[Gateway<'_>], ports: &[(u16, u16)]) -> String {
        let mut text = kproxy_preamble(Some(self.threads));
        let directory = self.directory.display();
        for (gateway, (bootstrap, node)) in gateways.iter().zip(ports) {
            let target = if gateway.sides.up() {
                format!(
                    ", tls: {{trust: {{storeFile: {directory}/ca.pem, storeType: PEM}}, serverName: {BROKER_NAME}}}"
                )
            } else {
                String::new()
            };
            let tls = if gateway.sides.down() {
                format!(
                    "\n        tls: {{key: {{certificateFile: {directory}/proxy.crt, privateKeyFile: {directory}/proxy.key}}}}"
                )
            } else {
                String::new()
            };
            let broker = gateway.broker;
            writeln!(
                text,
                "  - name: bench-{bootstrap}\n    targetCluster: {{bootstrapServers: \"{broker}\"{target}}}\n    \
                 gateways:\n      - name: default\n        portIdentifiesNode:\n          \
                 bootstrapAddress: 127.0.0.1:{bootstrap}\n          nodeStartPort: {node}\n          \
                 nodeIdRanges: [{{name: node, start: 0, end: 0}}]{tls}"
            )
            .ok();
        }
        text
    }
}
