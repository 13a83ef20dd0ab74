//! What the rules for one part of a file need to know of the rest of it.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::filters::FilterDefinitions;
use super::own_address::TargetServers;
use super::ports::PortClaims;
use super::sni_hosts::SniHosts;
use super::tls::PemCache;
use super::warnings::Warnings;
use super::{BrokerLogin, ForwardProxy, UpstreamTls};
use crate::config::schema::{ClusterDefinition, Drain};
use crate::config::{Config, Errors};

/// Ports bound from the start, over the whole file: about what a process may have open.
pub(super) const MAX_PORTS: usize = 1_000_000;

/// Values that the rules for one part of a file need from the rest of it.
pub(super) struct Scope<'c> {
    pub(super) config: &'c Config,
    pub(super) errors: Errors,
    pub(super) warnings: Warnings,
    /// Parsed files.
    pub(super) material: PemCache,
    pub(super) ports: PortClaims<'c>,
    pub(super) hosts: SniHosts<'c>,
    pub(super) targets: TargetServers,
    pub(super) definitions: HashMap<&'c str, Definition<'c>>,
    /// Whether every definition was readable. If not, an unknown reference may be right and is not reported.
    pub(super) definitions_complete: bool,
    pub(super) filters: Rc<FilterDefinitions>,
    pub(super) default_drain: Option<&'c Drain>,
    /// Node ports that may still be given out.
    pub(super) ports_left: usize,
}

/// A cluster definition.
pub(super) struct Definition<'c> {
    pub(super) written: &'c ClusterDefinition,
    /// `None`: it is broken, which has been reported.
    pub(super) access: Option<BrokerAccess>,
}

/// How brokers are reached and spoken to: forward proxy, TLS, and credentials.
#[derive(Clone)]
pub(super) struct BrokerAccess {
    pub(super) via: Option<Arc<ForwardProxy>>,
    pub(super) tls: Option<UpstreamTls>,
    pub(super) login: Option<Arc<BrokerLogin>>,
}
