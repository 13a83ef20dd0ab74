//! The effects of every key of the configuration file: what the documentation says of it, and what a plan may.

use super::effect::Effect::{
    self, AddCluster, AddEndpoints, AddGateway, Advertise, Apply, EndEndpoints, RecheckClients,
    RecheckLogins, RemoveCluster, RemoveGateway, RenewBrokerLogin, RenewBrokerTls, RenewClientTls,
    RenewFilters, RenewOffer, ReplaceBrokerHeader, ReplaceGateway, ReplaceIdentity, ReplaceTarget, Restart,
};
use super::effect::ReloadClass;

/// A key, and what changes of it do.
type Key = (&'static str, &'static [Effect]);

const APPLY: &[Effect] = &[Apply];
const RESTART: &[Effect] = &[Restart];
const FILTERS: &[Effect] = &[RenewFilters];
/// Filters that come or go; those for SASL, and those that take APIs away, drain.
const FILTER_LIST: &[Effect] = &[RenewFilters, RenewOffer, ReplaceIdentity];
const IDENTITY: &[Effect] = &[ReplaceIdentity];
/// Filters whose clients are checked again if some of them might be refused.
const LOGINS: &[Effect] = &[RenewFilters, RecheckLogins];
const OFFER: &[Effect] = &[RenewFilters, RenewOffer];
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
const KEYS: &[(&str, &[Key])] = &[
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
    (
        "filterDefinitions[].config(ApiFilter).",
        &[
            ("denied", OFFER),
            ("allowed", OFFER),
            ("onDenied", FILTERS),
            ("strict", FILTERS),
            ("principals", FILTERS),
            ("clientIds", FILTERS),
        ],
    ),
    (
        "filterDefinitions[].config(ConnectionExpiration).",
        &[("maxAge", FILTERS), ("jitter", FILTERS)],
    ),
    (
        "filterDefinitions[].config(Audit).",
        &[
            ("sink", FILTERS),
            ("file", FILTERS),
            ("events", FILTERS),
            ("sample", FILTERS),
        ],
    ),
    (
        "filterDefinitions[].config(ProtocolLogger).",
        &[
            ("apiKeyNames", FILTERS),
            ("logLevel", FILTERS),
            ("loggerName", FILTERS),
        ],
    ),
    (
        "filterDefinitions[].config(Authorization).",
        &[
            ("authorizer", FILTERS),
            ("authorizerConfig.aclFile", FILTERS),
            ("rules", FILTERS),
            ("acks0", FILTERS),
        ],
    ),
    (
        "filterDefinitions[].config(OauthBearerValidation).",
        &[
            ("jwksEndpointUrl", FILTERS),
            ("jwksTrustFile", FILTERS),
            ("jwksEndpointRefreshMs", FILTERS),
            ("jwksEndpointRetryBackoffMs", FILTERS),
            ("jwksEndpointRetryBackoffMaxMs", FILTERS),
            ("onStart", FILTERS),
            ("scopeClaimName", FILTERS),
            ("subClaimName", FILTERS),
            ("authenticateBackOffMaxMs", FILTERS),
            ("authenticateCacheMaxSize", FILTERS),
            ("expectedAudience", FILTERS),
            ("expectedIssuer", FILTERS),
        ],
    ),
    (
        "filterDefinitions[].config(SaslInspection).",
        &[
            ("enabledMechanisms", FILTERS),
            ("subjectBuilder", FILTERS),
            ("subjectBuilderConfig.addPrincipals", FILTERS),
            ("subjectBuilderConfig.addPrincipals[].from", FILTERS),
            ("subjectBuilderConfig.addPrincipals[].map", FILTERS),
            ("subjectBuilderConfig.addPrincipals[].map[].replaceMatch", FILTERS),
            ("subjectBuilderConfig.addPrincipals[].map[].else", FILTERS),
            ("subjectBuilderConfig.addPrincipals[].principalFactory", FILTERS),
            ("subjectBuilderConfig.rules", FILTERS),
            ("requireAuthentication", FILTERS),
        ],
    ),
    (
        "filterDefinitions[].config(SaslTermination).",
        &[
            ("mechanisms", LOGINS),
            ("mechanisms[].mechanism", LOGINS),
            ("mechanisms[].credentialStore", LOGINS),
        ],
    ),
    (
        "filterDefinitions[].config(SaslTermination).mechanisms[].credentialStoreConfig.",
        &[
            ("file", LOGINS),
            ("storePassword.password", LOGINS),
            ("storePassword.passwordFile", LOGINS),
            ("storeType", LOGINS),
            ("url", FILTERS),
            ("bindDn", FILTERS),
        ],
    ),
    (
        "filterDefinitions[].config(SaslTermination).mechanisms[].credentialStoreConfig.tls.",
        &[
            ("key.certificateFile", FILTERS),
            ("key.privateKeyFile", FILTERS),
            ("key.keyPassword.password", FILTERS),
            ("key.keyPassword.passwordFile", FILTERS),
            ("key.storeFile", FILTERS),
            ("key.storePassword.password", FILTERS),
            ("key.storePassword.passwordFile", FILTERS),
            ("key.storeType", FILTERS),
            ("trust.storeFile", FILTERS),
            ("trust.storePassword.password", FILTERS),
            ("trust.storePassword.passwordFile", FILTERS),
            ("trust.storeType", FILTERS),
            ("trust.insecure", FILTERS),
            ("serverName", FILTERS),
            ("crlFile", FILTERS),
            ("protocols.allowed", FILTERS),
            ("protocols.denied", FILTERS),
            ("cipherSuites.allowed", FILTERS),
            ("cipherSuites.denied", FILTERS),
        ],
    ),
    (
        "filterDefinitions[].config(SaslTermination).",
        &[
            ("mechanisms[].phantomIterations", FILTERS),
            ("mechanisms[].allowPlaintext", FILTERS),
            ("mechanisms[].jwksEndpointUrl", LOGINS),
            ("mechanisms[].jwksTrustFile", FILTERS),
            ("mechanisms[].expectedAudience", LOGINS),
            ("mechanisms[].expectedIssuer", LOGINS),
            ("mechanisms[].scopeClaimName", FILTERS),
            ("mechanisms[].subClaimName", LOGINS),
            ("mechanisms[].jwksEndpointRefresh", FILTERS),
            ("mechanisms[].jwksEndpointRetryBackoff", FILTERS),
            ("mechanisms[].jwksEndpointRetryBackoffMax", FILTERS),
            ("mechanisms[].onStart", FILTERS),
            ("mechanisms[].maxAuthBytes", FILTERS),
            ("maxTimeBeforeReauth", FILTERS),
            ("fixedAuthDelay", FILTERS),
            ("subjectBuilder", FILTERS),
            ("subjectBuilderConfig.addPrincipals", FILTERS),
            ("subjectBuilderConfig.addPrincipals[].from", FILTERS),
            ("subjectBuilderConfig.addPrincipals[].map", FILTERS),
            ("subjectBuilderConfig.addPrincipals[].map[].replaceMatch", FILTERS),
            ("subjectBuilderConfig.addPrincipals[].map[].else", FILTERS),
            ("subjectBuilderConfig.addPrincipals[].principalFactory", FILTERS),
            ("subjectBuilderConfig.rules", FILTERS),
        ],
    ),
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
    KEYS.iter().flat_map(|(before, keys)| {
        keys.iter()
            .map(move |(key, effects)| (format!("{before}{key}"), *effects))
    })
}

/// The effects of the key at `path`, written as by [`key_effects`]; empty where there is no such key.
pub fn effects_of(path: &str) -> &'static [Effect] {
    let group = |(before, keys): &'static (&str, &[Key])| {
        let key = path.strip_prefix(before)?;
        keys.iter().find(|(name, _)| *name == key)
    };
    KEYS.iter().find_map(group).map_or(&[], |(_, effects)| effects)
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
