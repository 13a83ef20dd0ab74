//! Effects: what the change of one key does to a running cluster. Reload classes, plans, printed reports and
//! documentation all follow from them.

use std::fmt;

use crate::names::names;

names! {
    /// What a changed key does, from the least disturbing to the most.
    #[derive(PartialOrd, Ord)]
    pub enum Effect {
        /// The new value applies in place, at the next frame, answer, connection or look at the settings.
        Apply = "apply",
        /// Clients are told other addresses from the next answer on.
        Advertise = "advertise",
        /// The next handshakes with clients go by the new TLS settings.
        RenewClientTls = "renew_client_tls",
        /// The next handshakes with brokers go by what the same files hold now.
        RenewBrokerTls = "renew_broker_tls",
        /// The filters hold as they are now from the next request of each session on.
        RenewFilters = "renew_filters",
        /// The next logins at brokers go by the new secrets of the same users.
        RenewBrokerLogin = "renew_broker_login",
        /// Listeners are added.
        AddEndpoints = "add_endpoints",
        /// A gateway is added.
        AddGateway = "add_gateway",
        /// A virtual cluster is added.
        AddCluster = "add_cluster",
        /// New connections use another target cluster, or another way to it.
        ReplaceTarget = "replace_target",
        /// New connections to brokers through the gateway begin in another way.
        ReplaceBrokerHeader = "replace_broker_header",
        /// The clients of the gateway are verified again by the new rules of TLS.
        RecheckClients = "recheck_clients",
        /// The clients that have authenticated at kproxy are checked again by its new users and rules.
        RecheckLogins = "recheck_logins",
        /// Clients have to be told again which APIs and versions there are.
        RenewOffer = "renew_offer",
        /// Who clients are is settled in another way.
        ReplaceIdentity = "replace_identity",
        /// Listeners of the gateway close, or move to another address.
        EndEndpoints = "end_endpoints",
        /// The gateway is reached in another way.
        ReplaceGateway = "replace_gateway",
        /// The gateway is removed.
        RemoveGateway = "remove_gateway",
        /// The virtual cluster is removed.
        RemoveCluster = "remove_cluster",
        /// The value is read once, when the process starts.
        Restart = "restart",
    }
}

/// What a change does to the live connections of the clusters it concerns, from the least disturbing to the most. The
/// class of several changes is the greatest of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReloadClass {
    /// Connections stay; the new value applies at the next frame, answer or handshake.
    Live,
    /// Connections stay; listeners are added.
    Bind,
    /// New connections use the new target at once, others move to it or are drained.
    Upstream,
    /// Connections that would not exist with the new value are drained, the others stay.
    Drain,
    /// The reload is refused.
    Restart,
}

names! {
    /// Why a session has to leave.
    #[derive(PartialOrd, Ord)]
    pub enum DrainReason {
        /// Its virtual cluster is removed.
        ClusterRemoved = "cluster_removed",
        /// Its virtual cluster has another target.
        TargetReplaced = "target_replaced",
        /// Its gateway is removed.
        GatewayRemoved = "gateway_removed",
        /// Its gateway is reached in another way.
        GatewayReplaced = "gateway_replaced",
        /// The filters of its virtual cluster settle in another way who it is, or offer other APIs.
        FiltersReplaced = "filters_replaced",
        /// The listener it came in through closes, or moves to another address.
        EndpointEnded = "endpoint_ended",
    }
}

impl Effect {
    /// The class of a change with this effect.
    pub fn class(self) -> ReloadClass {
        match self {
            Self::Apply
            | Self::Advertise
            | Self::RenewClientTls
            | Self::RenewBrokerTls
            | Self::RenewFilters
            | Self::RenewBrokerLogin => ReloadClass::Live,
            Self::AddEndpoints | Self::AddGateway | Self::AddCluster => ReloadClass::Bind,
            Self::ReplaceTarget | Self::ReplaceBrokerHeader => ReloadClass::Upstream,
            Self::RecheckClients
            | Self::RecheckLogins
            | Self::RenewOffer
            | Self::ReplaceIdentity
            | Self::EndEndpoints
            | Self::ReplaceGateway
            | Self::RemoveGateway
            | Self::RemoveCluster => ReloadClass::Drain,
            Self::Restart => ReloadClass::Restart,
        }
    }

    /// The meaning for live connections, as the documentation has it.
    pub fn description(self) -> &'static str {
        match self {
            Self::Apply => "applies at once; connections stay",
            Self::Advertise => "clients get the new address with the next answer; connections stay",
            Self::RenewClientTls => "applies to the next handshakes with clients; connections stay",
            Self::RenewBrokerTls => {
                "the same file with other content applies to the next handshakes with brokers; connections stay"
            }
            Self::RenewFilters => "applies to the next request of each session; connections stay",
            Self::RenewBrokerLogin => {
                "another secret of the same user applies to new connections at once, and to others when they next \
                 authenticate; connections stay"
            }
            Self::AddEndpoints => "listeners are added; connections stay",
            Self::AddGateway => "an added gateway gets listeners; connections stay",
            Self::AddCluster => "an added cluster gets listeners; connections of others stay",
            Self::ReplaceTarget => {
                "new connections use the new target at once; others go on with it without being closed where they can, and are \
                 drained where they cannot"
            }
            Self::ReplaceBrokerHeader => {
                "new connections use the new header at once; all connections of the gateway are drained"
            }
            Self::RecheckClients => {
                "the clients of the gateway are verified again; sessions of clients that are no longer accepted are drained"
            }
            Self::RecheckLogins => {
                "applies to the next request of each session; sessions of clients whose authentication would not succeed any more \
                 are drained"
            }
            Self::RenewOffer => {
                "applies to the next request of each session; all connections of the cluster are drained, so that clients \
                 learn what is offered now"
            }
            Self::ReplaceIdentity => {
                "new connections use the new filters at once; all connections of the cluster are drained"
            }
            Self::EndEndpoints => "the connections of listeners that close or move are drained",
            Self::ReplaceGateway => "all connections of the gateway are drained",
            Self::RemoveGateway => "the connections of a removed gateway are drained",
            Self::RemoveCluster => "the connections of a removed cluster are drained",
            Self::Restart => "the reload is refused: restart kproxy",
        }
    }
}

impl ReloadClass {
    /// The name in reports and in the schema.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Bind => "bind",
            Self::Upstream => "upstream",
            Self::Drain => "drain",
            Self::Restart => "restart",
        }
    }
}

impl fmt::Display for ReloadClass {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl DrainReason {
    /// The reason in words, for logs and reports.
    pub fn description(self) -> &'static str {
        match self {
            Self::ClusterRemoved => "the virtual cluster is removed",
            Self::TargetReplaced => "the target cluster is replaced",
            Self::GatewayRemoved => "the gateway is removed",
            Self::GatewayReplaced => "the gateway is reached in another way",
            Self::FiltersReplaced => "the filters of the virtual cluster are replaced",
            Self::EndpointEnded => "the listener closes or moves",
        }
    }
}

impl fmt::Display for DrainReason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.description())
    }
}
