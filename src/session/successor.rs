//! The context that takes the place of another one when the target of a virtual cluster changes, as the sessions of the
//! old one see it.

use std::collections::HashMap;
use std::sync::Arc;

use super::context::{ClusterContext, EndpointBinding, GatewayContext};
use super::role::NodeRole;
use crate::drain::ConnectionTracker;

/// Where the sessions of a replaced context go on.
#[derive(Debug)]
pub struct Successor {
    /// `None`: there is none, the virtual cluster is removed.
    cluster: Option<Arc<ClusterContext>>,
    gateways: HashMap<Arc<str>, GatewaySuccessor>,
}

/// One gateway of a [`Successor`].
#[derive(Debug)]
pub struct GatewaySuccessor {
    /// The gateway that takes the place of the one with the same name.
    pub context: Arc<GatewayContext>,
    /// The sessions of its endpoints that clients reach where they did before.
    pub trackers: HashMap<NodeRole, Arc<ConnectionTracker>>,
    /// Whether one endpoint, that of bootstrap, is that of all nodes: host names identify them.
    pub is_shared: bool,
}

impl Successor {
    /// The successor `cluster`, with those gateways whose clients may stay.
    pub fn new(cluster: Arc<ClusterContext>, gateways: HashMap<Arc<str>, GatewaySuccessor>) -> Self {
        let cluster = Some(cluster);
        Self { cluster, gateways }
    }

    /// No successor: the virtual cluster is removed.
    pub fn none() -> Self {
        Self {
            cluster: None,
            gateways: HashMap::new(),
        }
    }

    /// Where a session of `before` goes on. `None`: its clients do not reach that endpoint any more.
    pub fn binding(&self, before: &EndpointBinding) -> Option<EndpointBinding> {
        let gateway = self.gateways.get(&before.gateway.name)?;
        let endpoint = match gateway.is_shared {
            true => NodeRole::Bootstrap,
            false => before.node,
        };
        Some(EndpointBinding {
            cluster: Arc::clone(self.cluster.as_ref()?),
            gateway: Arc::clone(&gateway.context),
            node: before.node,
            tracker: Arc::clone(gateway.trackers.get(&endpoint)?),
        })
    }
}
