//! The effects of every key of the configuration file: what the documentation says of it, and what a plan may.

mod filters;

use super::effect::Effect::{
    self, AddCluster, AddEndpoints, AddGateway, Advertise, Apply, EndEndpoints, RecheckClients,
    RemoveCluster, RemoveGateway, RenewBrokerLogin, RenewBrokerTls, RenewClientTls, RenewFilters, RenewOffer,
    ReplaceBrokerHeader, ReplaceGateway, ReplaceIdentity, ReplaceTarget, Restart,
};
use super::effect::ReloadClass;

/// A key, and what changes of it do.
type Key = (&'static str, &'static [Effect]);

/// What stands before some keys, and these keys.
type KeyGroup = (&'static str, &'static [Key]);

const APPLY: &[Effect] = &[Apply];
const RESTART: &[Effect] = &[Restart];
const FILTERS: &[Effect] = &[RenewFilters];
/// Filters that come or go; those for SASL, and those that take APIs away, drain.
const FILTER_LIST: &[Effect] = &[RenewFilters, RenewOffer, ReplaceIdentity];
const IDENTITY: &[Effect] = &[ReplaceIdentity];
const TARGET_ONLY: &[Effect] = &[ReplaceTarget];
/// Names of files, and what opens them.
const BROKER_FILE: &[Effect] = &[ReplaceTarget, RenewBrokerTls, Apply];
/// Secrets of a user, and files with them.
const SECRET: &[Effect] = &[RenewBrokerLogin];
/// Secrets that may tell of another user, too.
const LOGIN: &[Effect] = &[RenewBrokerLogin, ReplaceTarget];
/// Credentials that sessions may share with kproxy.
const USER: &[Effect] = &[ReplaceTarget, RenewBrokerLogin];
const CLIENT_RULES: &[Effect] = &[RecheckClients, RenewClientTls];
const ENDPOINTS: &[Effect] = &[AddEndpoints, EndEndpoints];

/// Keys of a target cluster, which stand in a definition or in the virtual cluster itself.
const TARGET: &[Key] = &[
    ("bootstrapServers", TARGET_ONLY),
    ("bootstrapServerSelection.strategy", APPLY),
    ("bootstrapServerSelection.clientRack", APPLY),
    ("allowedBrokers", APPLY),
    ("via", TARGET_ONLY),
    ("viaCredentialsFile", APPLY),
    ("tls.key.certificateFile", BROKER_FILE),
    ("tls.key.privateKeyFile", BROKER_FILE),
    ("tls.key.keyPassword.password", BROKER_FILE),
    ("tls.key.keyPassword.passwordFile", BROKER_FILE),
    ("tls.key.storeFile", BROKER_FILE),
    ("tls.key.storePassword.password", BROKER_FILE),
    ("tls.key.storePassword.passwordFile", BROKER_FILE),
    ("tls.key.storeType", BROKER_FILE),
    ("tls.trust.storeFile", BROKER_FILE),
    ("tls.trust.storePassword.password", BROKER_FILE),
    ("tls.trust.storePassword.passwordFile", BROKER_FILE),
    ("tls.trust.storeType", BROKER_FILE),
    ("tls.trust.insecure", TARGET_ONLY),
    ("tls.serverName", TARGET_ONLY),
    ("tls.crlFile", BROKER_FILE),
    ("tls.protocols.allowed", TARGET_ONLY),
    ("tls.protocols.denied", TARGET_ONLY),
    ("tls.cipherSuites.allowed", TARGET_ONLY),
    ("tls.cipherSuites.denied", TARGET_ONLY),
    ("sasl.mechanism", TARGET_ONLY),
    ("sasl.credentials", TARGET_ONLY),
    ("sasl.username", USER),
    ("sasl.password", SECRET),
    ("sasl.passwordFile", SECRET),
    ("sasl.clientsFile", LOGIN),
    ("sasl.tokenFile", LOGIN),
    ("sasl.tokenEndpointUrl", USER),
    ("sasl.clientId", USER),
    ("sasl.clientSecret", SECRET),
    ("sasl.clientSecretFile", SECRET),
    ("sasl.scope", USER),
    ("sasl.tokenEndpointCaFile", SECRET),
    ("sasl.region", TARGET_ONLY),
    ("sasl.accessKeyId", SECRET),
    ("sasl.secretAccessKey", SECRET),
    ("sasl.secretAccessKeyFile", SECRET),
    ("sasl.sessionToken", SECRET),
    ("sasl.credentialsFile", SECRET),
    ("sasl.profile", SECRET),
];

/// Every key that holds a value or a list, in the order of [`key_paths`], by what stands before it. `[]` stands for every
/// item of a list. Of several effects the usual one is first.
///
/// A key that only says in another way what is already so (a default spelled out, a renamed definition) is no change at
/// all, whatever its effects.
const KEYS: [&[KeyGroup]; 3] = [KEYS_BEFORE_FILTERS, filters::KEYS, KEYS_AFTER_FILTERS];

/// The keys before those of filters of each type.
const KEYS_BEFORE_FILTERS: &[KeyGroup] = &[
    (
        "",
        &[
            ("management.bindAddress", RESTART),
            ("management.port", RESTART),
            ("management.tokenFile", APPLY),
            ("management.endpoints.prometheus", APPLY),
            ("control.socket", RESTART),
            ("stateDirectory", RESTART),
            ("audit.file", APPLY),
            ("notify", APPLY),
            ("notify[].url", APPLY),
            ("notify[].events", APPLY),
            ("notify[].tokenFile", APPLY),
            ("logging.level", APPLY),
            ("logging.format", RESTART),
        ],
    ),
    (
        "network.proxy.",
        &[
            ("workerThreadCount", RESTART),
            ("shutdownTimeout", APPLY),
            ("shutdownDelay", APPLY),
            ("unauthenticatedIdleTimeout", APPLY),
            ("authenticatedIdleTimeout", APPLY),
            ("connectTimeout", APPLY),
            ("maxFrameSize", APPLY),
            ("maxConnections", APPLY),
            ("maxConnectionsPerClient.limit", APPLY),
            ("maxConnectionsPerClient.prefixLength", APPLY),
            ("maxConnectionsPerClient.ipv6PrefixLength", APPLY),
        ],
    ),
    (
        "network.filters.",
        &[("maxFrameSize", APPLY), ("memoryLimit", APPLY)],
    ),
    (
        "",
        &[
            ("proxyProtocol.mode", &[ReplaceGateway]),
            ("proxyProtocol.trustedPeers", &[ReplaceGateway]),
            ("proxyProtocol.upstream", &[ReplaceBrokerHeader]),
            ("reload.watch", APPLY),
            ("reload.debounce", APPLY),
            ("reload.pollInterval", APPLY),
            ("reload.maxRemovedPercent", APPLY),
            ("reload.checks.connect", APPLY),
            ("reload.checks.authenticate", APPLY),
            ("reload.checks.minimumHealthy", APPLY),
            ("reload.checks.timeout", APPLY),
            ("reload.requireApproval", APPLY),
            ("reload.target", APPLY),
            ("reload.include", APPLY),
            ("rollback.history.entries", APPLY),
            ("rollback.history.age", APPLY),
            ("rollback.auto", APPLY),
            ("rollback.window", APPLY),
            ("rollback.errorRate", APPLY),
            ("rollback.connectFailures", APPLY),
            ("rollback.latencyIncrease", APPLY),
            ("drain.strategy", APPLY),
            ("drain.timeout", APPLY),
            ("drain.hardTimeout", APPLY),
            ("drain.rate", APPLY),
            ("clusterDefinitions", TARGET_ONLY),
            ("clusterDefinitions[].name", TARGET_ONLY),
        ],
    ),
    ("clusterDefinitions[].", TARGET),
    (
        "",
        &[
            ("filterDefinitions", FILTER_LIST),
            ("filterDefinitions[].name", FILTERS),
            ("filterDefinitions[].type", FILTER_LIST),
        ],
    ),
];

/// The keys behind those of filters of each type.
const KEYS_AFTER_FILTERS: &[KeyGroup] = &[
    (
        "",
        &[
            ("filterDefinitions[].when", FILTERS),
            ("filterDefinitions[].mode", FILTERS),
            ("filterDefinitions[].onError", FILTERS),
            ("defaultFilters", FILTER_LIST),
            ("virtualClusters", &[AddCluster, RemoveCluster]),
        ],
    ),
    (
        "virtualClusters[].",
        &[("name", &[RemoveCluster]), ("target.cluster", TARGET_ONLY)],
    ),
    ("virtualClusters[].targetCluster.", TARGET),
    (
        "virtualClusters[].",
        &[
            ("drain.strategy", APPLY),
            ("drain.timeout", APPLY),
            ("drain.hardTimeout", APPLY),
            ("drain.rate", APPLY),
            ("drainTimeout", APPLY),
            ("maxConnections", APPLY),
            ("maxConnectionsPerClient.limit", APPLY),
            ("maxConnectionsPerClient.prefixLength", APPLY),
            ("maxConnectionsPerClient.ipv6PrefixLength", APPLY),
            ("logNetwork", APPLY),
            ("logFrames", APPLY),
            ("filters", FILTER_LIST),
            ("fence.topics", FILTERS),
            ("fence.operations", FILTERS),
            ("fence.answer", FILTERS),
            ("fence.holdFor", FILTERS),
            ("subjectBuilder.type", IDENTITY),
            ("subjectBuilder.config.addPrincipals", IDENTITY),
            ("subjectBuilder.config.addPrincipals[].from", IDENTITY),
            ("subjectBuilder.config.addPrincipals[].map", IDENTITY),
            (
                "subjectBuilder.config.addPrincipals[].map[].replaceMatch",
                IDENTITY,
            ),
            ("subjectBuilder.config.addPrincipals[].map[].else", IDENTITY),
            ("subjectBuilder.config.addPrincipals[].principalFactory", IDENTITY),
            ("subjectBuilder.config.rules", IDENTITY),
            ("topicNameCache.maxSize", APPLY),
            ("topicNameCache.expireAfterWrite", APPLY),
            ("topicNameCache.expireAfterAccess", APPLY),
            ("gateways", &[AddGateway, RemoveGateway]),
        ],
    ),
    (
        "virtualClusters[].gateways[].",
        &[
            ("name", &[RemoveGateway]),
            ("bindAddress", &[EndEndpoints, ReplaceGateway]),
        ],
    ),
    (
        "virtualClusters[].gateways[].portIdentifiesNode.",
        &[
            ("bootstrapAddress", &[EndEndpoints, Advertise]),
            ("advertisedBootstrapPort", &[Advertise]),
            ("advertisedBrokerAddressPattern", &[Advertise]),
            ("nodeStartPort", &[EndEndpoints]),
            ("advertisedNodeStartPort", &[Advertise]),
            ("nodeIdRanges", ENDPOINTS),
            ("nodeIdRanges[].name", APPLY),
            ("nodeIdRanges[].start", ENDPOINTS),
            ("nodeIdRanges[].end", ENDPOINTS),
            ("dynamicNodePorts.start", ENDPOINTS),
            ("dynamicNodePorts.end", ENDPOINTS),
        ],
    ),
    (
        "virtualClusters[].gateways[].sniHostIdentifiesNode.",
        &[
            ("bootstrapAddress", &[ReplaceGateway]),
            ("advertisedBrokerAddressPattern", &[ReplaceGateway, Advertise]),
        ],
    ),
    (
        "virtualClusters[].gateways[].",
        &[
            ("proxyProtocol.mode", &[ReplaceGateway]),
            ("proxyProtocol.trustedPeers", &[ReplaceGateway]),
            ("proxyProtocol.upstream", &[ReplaceBrokerHeader]),
        ],
    ),
    (
        "virtualClusters[].gateways[].tls.",
        &[
            ("key.certificateFile", &[RenewClientTls]),
            ("key.privateKeyFile", &[RenewClientTls]),
            ("key.keyPassword.password", &[RenewClientTls]),
            ("key.keyPassword.passwordFile", &[RenewClientTls]),
            ("key.storeFile", &[RenewClientTls]),
            ("key.storePassword.password", &[RenewClientTls]),
            ("key.storePassword.passwordFile", &[RenewClientTls]),
            ("key.storeType", &[RenewClientTls]),
            ("trust.storeFile", CLIENT_RULES),
            ("trust.storePassword.password", CLIENT_RULES),
            ("trust.storePassword.passwordFile", CLIENT_RULES),
            ("trust.storeType", CLIENT_RULES),
            ("trust.trustOptions.clientAuth", &[RecheckClients]),
            ("crlFile", CLIENT_RULES),
            ("protocols.allowed", &[RecheckClients]),
            ("protocols.denied", &[RecheckClients]),
            ("cipherSuites.allowed", &[RecheckClients]),
            ("cipherSuites.denied", &[RecheckClients]),
            ("endSessionsOnExpiry", CLIENT_RULES),
        ],
    ),
];

/// Every key with its effects, in the order of the schema.
pub fn key_effects() -> impl Iterator<Item = (String, &'static [Effect])> {
    KEYS.into_iter().flatten().flat_map(|(before, keys)| {
        keys.iter()
            .map(move |(key, effects)| (format!("{before}{key}"), *effects))
    })
}

/// The effects of the key at `path`, written as by [`key_effects`]; empty where there is no such key.
pub fn effects_of(path: &str) -> &'static [Effect] {
    let group = |(before, keys): &'static KeyGroup| {
        let key = path.strip_prefix(before)?;
        keys.iter().find(|(name, _)| *name == key)
    };
    KEYS.into_iter()
        .flatten()
        .find_map(group)
        .map_or(&[], |(_, effects)| effects)
}

impl ReloadClass {
    /// The class of the usual effect of the key at `path`, written as by [`key_effects`]. A mapping has the greatest class
    /// of the keys in it. `None`: no such key.
    pub fn of(path: &str) -> Option<Self> {
        let usual = effects_of(path).first().map(|effect| effect.class());
        usual.or_else(|| keys_in(path).map(|(_, effects)| effects[0].class()).max())
    }
}

/// The keys in the mapping at `path`.
fn keys_in(path: &str) -> impl Iterator<Item = (String, &'static [Effect])> + '_ {
    key_effects().filter(move |(key, _)| {
        key.strip_prefix(path)
            .is_some_and(|rest| rest.starts_with(['.', '(']))
    })
}

/// Whether a change of the key at `path` may have this effect. A mapping that comes or goes has any.
pub(super) fn may_have(path: &str, effect: Effect) -> bool {
    match effects_of(path) {
        [] => keys_in(path).next().is_some(),
        effects => effects.contains(&effect),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::key_paths;

    /// In the schema's order, so that neither can have a key that the other has not.
    #[test]
    fn every_key_has_effects() {
        let listed: Vec<String> = key_effects().map(|(path, _)| path).collect();
        let keys = key_paths();
        let missing: Vec<_> = keys.iter().filter(|key| !listed.contains(key)).collect();
        assert!(missing.is_empty(), "without an effect: {missing:#?}");
        let unknown: Vec<_> = listed.iter().filter(|path| !keys.contains(path)).collect();
        assert!(unknown.is_empty(), "no such key: {unknown:#?}");
        assert_eq!(listed, keys, "in another order, or twice");
        assert!(keys.len() > 100, "is the schema walked at all?");
        assert!(key_effects().all(|(path, effects)| !effects.is_empty() && effects_of(&path) == effects));
    }

    #[test]
    fn a_mapping_has_the_greatest_class_of_its_keys() {
        use crate::reload::ReloadClass::{Bind, Drain, Live, Restart, Upstream};
        let class = ReloadClass::of;
        assert_eq!(class("logging"), Some(Restart));
        assert_eq!(class("logging.level"), Some(Live));
        assert_eq!(class("virtualClusters"), Some(Bind));
        assert_eq!(class("virtualClusters[].targetCluster"), Some(Upstream));
        assert_eq!(class("log"), None);
        assert!(Live < Bind && Bind < Upstream && Upstream < Drain && Drain < Restart);
        assert_eq!(
            [Live, Bind, Upstream, Drain, Restart].map(ReloadClass::name),
            ["live", "bind", "upstream", "drain", "restart"]
        );
    }

    #[test]
    fn a_mapping_may_have_any_effect_and_a_key_only_its_own() {
        assert!(may_have("management", Restart));
        assert!(may_have("logging.level", Apply));
        assert!(!may_have("logging.level", Restart));
        assert!(!may_have("log", Apply));
    }
}
