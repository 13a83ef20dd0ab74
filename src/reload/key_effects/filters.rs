//! The keys of filters of each type, in the order of the types.

use super::super::effect::Effect::{self, RecheckLogins, RenewFilters, RenewOffer};
use super::{FILTERS, KeyGroup};

/// Filters whose clients are checked again if some of them might be refused.
const LOGINS: &[Effect] = &[RenewFilters, RecheckLogins];
const OFFER: &[Effect] = &[RenewFilters, RenewOffer];

/// The keys in `config` of each type.
pub(super) const KEYS: &[KeyGroup] = &[
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
];
