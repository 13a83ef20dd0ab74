//! Reload classes: what a changed key means for live connections.

use ReloadClass::{Bind, Drain, Live, Restart, Upstream};

/// What a change of a key does to the live connections of the clusters it concerns, from the least disturbing to
/// the most: the class of a change of several keys is the greatest of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReloadClass {
    /// They stay; the new value applies at the next frame, answer or handshake.
    Live,
    /// They stay; listeners are added, or go.
    Bind,
    /// New connections use the new target at once, old ones are drained.
    Upstream,
    /// Those that could not have come to be under the new value are drained: all of them where it moves an address
    /// or switches TLS on, and where it narrows whom TLS lets in, those who no longer are. The others stay.
    Drain,
    /// The reload is refused.
    Restart,
}

impl ReloadClass {
    /// As reports and the schema have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Bind => "bind",
            Self::Upstream => "upstream",
            Self::Drain => "drain",
            Self::Restart => "restart",
        }
    }

    /// The class of the key at `path`, written as in [`RELOAD_CLASSES`]. A mapping has the greatest class of the
    /// keys in it. `None`: no such key.
    pub fn of(path: &str) -> Option<Self> {
        let below = |key: &str| {
            let rest = key.strip_prefix(path);
            rest.is_some_and(|rest| rest.starts_with('.'))
        };
        let exact = RELOAD_CLASSES.iter().find(|(key, _)| *key == path);
        let within = RELOAD_CLASSES
            .iter()
            .filter(|(key, _)| below(key))
            .map(|(_, class)| *class);
        exact.map(|(_, class)| *class).or_else(|| within.max())
    }
}

impl std::fmt::Display for ReloadClass {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
}

/// Every key that holds a value or a list, in the order of [`key_paths`](crate::config::schema::key_paths). `[]`
/// stands for every item of a list. The class of a list of mappings is that of one item more; with an item less, what
/// was connected to it is drained.
///
/// A key that only says in another way what is already so (a default spelled out, a renamed definition) is no change
/// at all, whatever its class.
pub const RELOAD_CLASSES: &[(&str, ReloadClass)] = &[
    ("management.bindAddress", Restart),
    ("management.port", Restart),
    ("management.tokenFile", Live),
    ("management.endpoints.prometheus", Live),
    ("control.socket", Restart),
    ("stateDirectory", Restart),
    ("logging.level", Live),
    ("logging.format", Restart),
    ("network.proxy.workerThreadCount", Restart),
    ("network.proxy.shutdownTimeout", Live),
    ("network.proxy.unauthenticatedIdleTimeout", Live),
    ("network.proxy.authenticatedIdleTimeout", Live),
    ("network.proxy.connectTimeout", Live),
    ("network.proxy.maxFrameSize", Live),
    ("network.proxy.maxConnections", Live),
    ("network.proxy.maxConnectionsPerClient.limit", Live),
    ("network.proxy.maxConnectionsPerClient.prefixLength", Live),
    ("network.proxy.maxConnectionsPerClient.ipv6PrefixLength", Live),
    ("proxyProtocol.mode", Drain),
    ("proxyProtocol.trustedPeers", Drain),
    ("proxyProtocol.upstream", Upstream),
    ("reload.watch", Live),
    ("reload.debounce", Live),
    ("reload.pollInterval", Live),
    ("reload.maxRemovedPercent", Live),
    ("reload.include", Live),
    ("drain.strategy", Live),
    ("drain.timeout", Live),
    ("drain.hardTimeout", Live),
    ("drain.rate", Live),
    ("clusterDefinitions", Upstream),
    ("clusterDefinitions[].name", Upstream),
    ("clusterDefinitions[].bootstrapServers", Upstream),
    ("clusterDefinitions[].bootstrapServerSelection.strategy", Live),
    ("clusterDefinitions[].allowedBrokers", Live),
    ("clusterDefinitions[].tls.key.certificateFile", Upstream),
    ("clusterDefinitions[].tls.key.privateKeyFile", Upstream),
    ("clusterDefinitions[].tls.key.keyPassword.password", Upstream),
    ("clusterDefinitions[].tls.key.keyPassword.passwordFile", Upstream),
    ("clusterDefinitions[].tls.key.storeFile", Upstream),
    ("clusterDefinitions[].tls.key.storePassword.password", Upstream),
    (
        "clusterDefinitions[].tls.key.storePassword.passwordFile",
        Upstream,
    ),
    ("clusterDefinitions[].tls.key.storeType", Upstream),
    ("clusterDefinitions[].tls.trust.storeFile", Upstream),
    ("clusterDefinitions[].tls.trust.storePassword.password", Upstream),
    (
        "clusterDefinitions[].tls.trust.storePassword.passwordFile",
        Upstream,
    ),
    ("clusterDefinitions[].tls.trust.storeType", Upstream),
    ("clusterDefinitions[].tls.trust.insecure", Upstream),
    ("clusterDefinitions[].tls.serverName", Upstream),
    ("clusterDefinitions[].tls.crlFile", Upstream),
    ("clusterDefinitions[].tls.protocols.allowed", Upstream),
    ("clusterDefinitions[].tls.protocols.denied", Upstream),
    ("clusterDefinitions[].tls.cipherSuites.allowed", Upstream),
    ("clusterDefinitions[].tls.cipherSuites.denied", Upstream),
    ("virtualClusters", Bind),
    ("virtualClusters[].name", Drain),
    ("virtualClusters[].target.cluster", Upstream),
    ("virtualClusters[].targetCluster.bootstrapServers", Upstream),
    (
        "virtualClusters[].targetCluster.bootstrapServerSelection.strategy",
        Live,
    ),
    ("virtualClusters[].targetCluster.allowedBrokers", Live),
    (
        "virtualClusters[].targetCluster.tls.key.certificateFile",
        Upstream,
    ),
    ("virtualClusters[].targetCluster.tls.key.privateKeyFile", Upstream),
    (
        "virtualClusters[].targetCluster.tls.key.keyPassword.password",
        Upstream,
    ),
    (
        "virtualClusters[].targetCluster.tls.key.keyPassword.passwordFile",
        Upstream,
    ),
    ("virtualClusters[].targetCluster.tls.key.storeFile", Upstream),
    (
        "virtualClusters[].targetCluster.tls.key.storePassword.password",
        Upstream,
    ),
    (
        "virtualClusters[].targetCluster.tls.key.storePassword.passwordFile",
        Upstream,
    ),
    ("virtualClusters[].targetCluster.tls.key.storeType", Upstream),
    ("virtualClusters[].targetCluster.tls.trust.storeFile", Upstream),
    (
        "virtualClusters[].targetCluster.tls.trust.storePassword.password",
        Upstream,
    ),
    (
        "virtualClusters[].targetCluster.tls.trust.storePassword.passwordFile",
        Upstream,
    ),
    ("virtualClusters[].targetCluster.tls.trust.storeType", Upstream),
    ("virtualClusters[].targetCluster.tls.trust.insecure", Upstream),
    ("virtualClusters[].targetCluster.tls.serverName", Upstream),
    ("virtualClusters[].targetCluster.tls.crlFile", Upstream),
    ("virtualClusters[].targetCluster.tls.protocols.allowed", Upstream),
    ("virtualClusters[].targetCluster.tls.protocols.denied", Upstream),
    (
        "virtualClusters[].targetCluster.tls.cipherSuites.allowed",
        Upstream,
    ),
    (
        "virtualClusters[].targetCluster.tls.cipherSuites.denied",
        Upstream,
    ),
    ("virtualClusters[].drain.strategy", Live),
    ("virtualClusters[].drain.timeout", Live),
    ("virtualClusters[].drain.hardTimeout", Live),
    ("virtualClusters[].drain.rate", Live),
    ("virtualClusters[].drainTimeout", Live),
    ("virtualClusters[].maxConnections", Live),
    ("virtualClusters[].maxConnectionsPerClient.limit", Live),
    ("virtualClusters[].maxConnectionsPerClient.prefixLength", Live),
    ("virtualClusters[].maxConnectionsPerClient.ipv6PrefixLength", Live),
    ("virtualClusters[].logNetwork", Live),
    ("virtualClusters[].logFrames", Live),
    ("virtualClusters[].gateways", Bind),
    ("virtualClusters[].gateways[].name", Drain),
    ("virtualClusters[].gateways[].bindAddress", Bind),
    (
        "virtualClusters[].gateways[].portIdentifiesNode.bootstrapAddress",
        Bind,
    ),
    (
        "virtualClusters[].gateways[].portIdentifiesNode.advertisedBootstrapPort",
        Live,
    ),
    (
        "virtualClusters[].gateways[].portIdentifiesNode.advertisedBrokerAddressPattern",
        Live,
    ),
    (
        "virtualClusters[].gateways[].portIdentifiesNode.nodeStartPort",
        Bind,
    ),
    (
        "virtualClusters[].gateways[].portIdentifiesNode.advertisedNodeStartPort",
        Live,
    ),
    (
        "virtualClusters[].gateways[].portIdentifiesNode.nodeIdRanges",
        Bind,
    ),
    (
        "virtualClusters[].gateways[].portIdentifiesNode.nodeIdRanges[].name",
        Live,
    ),
    (
        "virtualClusters[].gateways[].portIdentifiesNode.nodeIdRanges[].start",
        Bind,
    ),
    (
        "virtualClusters[].gateways[].portIdentifiesNode.nodeIdRanges[].end",
        Bind,
    ),
    (
        "virtualClusters[].gateways[].portIdentifiesNode.dynamicNodePorts.start",
        Bind,
    ),
    (
        "virtualClusters[].gateways[].portIdentifiesNode.dynamicNodePorts.end",
        Bind,
    ),
    (
        "virtualClusters[].gateways[].sniHostIdentifiesNode.bootstrapAddress",
        Drain,
    ),
    (
        "virtualClusters[].gateways[].sniHostIdentifiesNode.advertisedBrokerAddressPattern",
        Drain,
    ),
    ("virtualClusters[].gateways[].proxyProtocol.mode", Drain),
    ("virtualClusters[].gateways[].proxyProtocol.trustedPeers", Drain),
    ("virtualClusters[].gateways[].proxyProtocol.upstream", Upstream),
    ("virtualClusters[].gateways[].tls.key.certificateFile", Live),
    ("virtualClusters[].gateways[].tls.key.privateKeyFile", Live),
    ("virtualClusters[].gateways[].tls.key.keyPassword.password", Live),
    (
        "virtualClusters[].gateways[].tls.key.keyPassword.passwordFile",
        Live,
    ),
    ("virtualClusters[].gateways[].tls.key.storeFile", Live),
    (
        "virtualClusters[].gateways[].tls.key.storePassword.password",
        Live,
    ),
    (
        "virtualClusters[].gateways[].tls.key.storePassword.passwordFile",
        Live,
    ),
    ("virtualClusters[].gateways[].tls.key.storeType", Live),
    ("virtualClusters[].gateways[].tls.trust.storeFile", Drain),
    (
        "virtualClusters[].gateways[].tls.trust.storePassword.password",
        Drain,
    ),
    (
        "virtualClusters[].gateways[].tls.trust.storePassword.passwordFile",
        Drain,
    ),
    ("virtualClusters[].gateways[].tls.trust.storeType", Drain),
    (
        "virtualClusters[].gateways[].tls.trust.trustOptions.clientAuth",
        Drain,
    ),
    ("virtualClusters[].gateways[].tls.crlFile", Live),
    ("virtualClusters[].gateways[].tls.protocols.allowed", Drain),
    ("virtualClusters[].gateways[].tls.protocols.denied", Drain),
    ("virtualClusters[].gateways[].tls.cipherSuites.allowed", Drain),
    ("virtualClusters[].gateways[].tls.cipherSuites.denied", Drain),
    ("virtualClusters[].gateways[].tls.endSessionsOnExpiry", Live),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::key_paths;

    /// In the schema's order, so that neither can have a key that the other has not.
    #[test]
    fn every_key_has_a_class() {
        let classified: Vec<&str> = RELOAD_CLASSES.iter().map(|(path, _)| *path).collect();
        let keys = key_paths();
        let missing: Vec<_> = keys
            .iter()
            .filter(|key| !classified.contains(&key.as_str()))
            .collect();
        assert!(missing.is_empty(), "without a class: {missing:#?}");
        let unknown: Vec<_> = classified
            .iter()
            .filter(|path| !keys.iter().any(|key| key == *path))
            .collect();
        assert!(unknown.is_empty(), "no such key: {unknown:#?}");
        assert_eq!(classified, keys, "in another order, or twice");
        assert!(keys.len() > 100, "is the schema walked at all?");
    }

    #[test]
    fn a_mapping_has_the_greatest_class_of_its_keys() {
        assert_eq!(ReloadClass::of("logging"), Some(Restart));
        assert_eq!(ReloadClass::of("logging.level"), Some(Live));
        assert_eq!(ReloadClass::of("virtualClusters"), Some(Bind));
        assert_eq!(ReloadClass::of("virtualClusters[].targetCluster"), Some(Upstream));
        assert_eq!(ReloadClass::of("log"), None);
        assert!(Live < Bind && Bind < Upstream && Upstream < Drain && Drain < Restart);
        assert_eq!(
            [Live, Bind, Upstream, Drain, Restart].map(ReloadClass::name),
            ["live", "bind", "upstream", "drain", "restart"]
        );
    }
}
