//! Ten thousand virtual clusters as data, and as what each program reads.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

use crate::client::Target;
use crate::common::contender::{haproxy_listen, haproxy_preamble, kproxy_cluster, kproxy_preamble};
use crate::proxy::Program;

/// Below the ephemeral ports of Linux' default range.
const PORTS: std::ops::Range<u16> = 10_000..32_768;
/// Connections HAProxy takes: what it does not reserve descriptors for is left to listeners.
const HAPROXY_CONNECTIONS: usize = 300;

/// One cluster of one node.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    name: String,
    bootstrap: u16,
    node: u16,
    pub(crate) target: Target,
}

impl Cluster {
    /// Where clients arrive.
    pub(crate) const fn port(&self) -> u16 {
        self.bootstrap
    }

    pub(crate) fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }
}

/// What the next configuration says.
#[derive(Clone, Debug)]
pub(crate) struct Fleet {
    pub(crate) clusters: Vec<Cluster>,
    /// Said in a comment.
    pub(crate) remark: usize,
    /// What kproxy's file says before the clusters.
    pub(crate) preamble: String,
}

impl Fleet {
    /// `count` clusters on free ports, and as many as `spare` beside them that are not part of it yet.
    ///
    /// # Errors
    /// When there are not so many free ports.
    pub(crate) fn new(count: usize, spare: usize) -> io::Result<(Self, Vec<Cluster>)> {
        let ports = free_ports((count + spare) * 2)?;
        let cluster = |(number, pair): (usize, &[u16])| Cluster {
            name: format!("cluster-{number:05}"),
            bootstrap: pair[0],
            node: pair[1],
            target: Target::First,
        };
        let mut clusters: Vec<Cluster> = ports.chunks_exact(2).enumerate().map(cluster).collect();
        let spare = clusters.split_off(count);
        let fleet = Self {
            clusters,
            remark: 0,
            preamble: String::new(),
        };
        Ok((fleet, spare))
    }

    /// Each of the two clusters listens where the other one did.
    pub(crate) fn swap_ports(&mut self, one: usize, other: usize) {
        let ports = |cluster: &Cluster| (cluster.bootstrap, cluster.node);
        let (first, second) = (ports(&self.clusters[one]), ports(&self.clusters[other]));
        (self.clusters[one].bootstrap, self.clusters[one].node) = second;
        (self.clusters[other].bootstrap, self.clusters[other].node) = first;
    }

    /// The configuration file of `program`.
    pub(crate) fn text(&self, program: Program, brokers: &[String; 2]) -> String {
        let broker = |cluster: &Cluster| brokers[cluster.target as usize].as_str();
        let mut text = format!("# {}\n", self.remark);
        match program {
            Program::Kproxy => {
                text += &self.preamble;
                text += &kproxy_preamble(None);
                for cluster in &self.clusters {
                    let ports = (cluster.bootstrap, cluster.node);
                    kproxy_cluster(&mut text, &cluster.name, ports, broker(cluster));
                }
            }
            Program::Haproxy => {
                let global = format!(
                    "    maxconn {HAPROXY_CONNECTIONS}\n    stats socket unix@stats.sock level admin expose-fd listeners\n"
                );
                text += &haproxy_preamble(1, &global);
                for cluster in &self.clusters {
                    let ports = [cluster.bootstrap, cluster.node];
                    haproxy_listen(&mut text, &cluster.name, &ports, broker(cluster));
                }
            }
            Program::Nginx => {
                // A listener takes one of the connections.
                let connections = self.clusters.len() * 2 + 2 * HAPROXY_CONNECTIONS;
                write!(
                    text,
                    "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\ndaemon off;\nworker_processes 1;\n\
                     pid nginx.pid;\nerror_log nginx.log;\nevents {{ worker_connections {connections}; }}\nstream {{\n"
                )
                .ok();
                for cluster in &self.clusters {
                    let (bootstrap, node, broker) = (cluster.bootstrap, cluster.node, broker(cluster));
                    writeln!(
                        text,
                        "  server {{ listen 127.0.0.1:{bootstrap}; listen 127.0.0.1:{node}; proxy_pass {broker}; }}"
                    )
                    .ok();
                }
                text += "}\n";
            }
        }
        text
    }
}

fn free_ports(wanted: usize) -> io::Result<Vec<u16>> {
    let bound = PORTS.filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok());
    let listeners: Vec<TcpListener> = bound.take(wanted).collect();
    if listeners.len() < wanted {
        return Err(io::Error::other(format!(
            "only {} of {wanted} ports are free",
            listeners.len()
        )));
    }
    listeners
        .iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect()
}
