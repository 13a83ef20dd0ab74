//! Point 13: filters.

use std::fs;

use kproxy::model::{
    self, ApiRules, AuditTarget, DenialResponse, FilterKind, FilterMode, KeySetOrigin, NamePattern,
    ProxyModel,
};

use super::{errors, text};

/// A file with these definitions and defaults, whose two clusters have the filters `own`, and none of their own.
fn file(head: &str, own: &str) -> String {
    format!(
        "{head}
virtualClusters:
  - name: one
    targetCluster: {{bootstrapServers: \"k:1\"}}
    gateways: [{{name: g, portIdentifiesNode: {{bootstrapAddress: \"localhost:1000\"}}}}]
    {own}
  - name: two
    targetCluster: {{bootstrapServers: \"k:1\"}}
    gateways: [{{name: g, portIdentifiesNode: {{bootstrapAddress: \"localhost:1010\"}}}}]
"
    )
}

/// A file of one filter, of which `definition` is everything but the name.
fn one(definition: &str) -> String {
    file(
        &format!("filterDefinitions: [{{name: f, {definition}}}]\ndefaultFilters: [f]"),
        "",
    )
}

#[track_caller]
fn model_of(yaml: &str) -> ProxyModel {
    model::parse(yaml.as_bytes(), "f.yaml").unwrap_or_else(|why| panic!("{yaml}\n{}", text(&why)))
}

#[track_caller]
fn kind_of(definition: &str) -> FilterKind {
    model_of(&one(definition)).clusters["one"].filters[0].kind.clone()
}

fn names(model: &ProxyModel, cluster: &str) -> Vec<String> {
    let filters = model.clusters[cluster].filters.iter();
    filters.map(|filter| filter.name.clone()).collect()
}

#[test]
fn the_filters_of_a_cluster_replace_the_default_ones_completely() {
    let head = "filterDefinitions:
  - {name: a, type: Audit}
  - {name: b, type: ProtocolLogger}
  - {name: c, type: ConnectionExpiration, config: {maxAge: 1h}}
defaultFilters: [a, b]";
    for (own, expected) in [
        ("", vec!["a", "b"]),
        ("filters:", vec!["a", "b"]),
        ("filters: []", vec![]),
        ("filters: [c, a]", vec!["c", "a"]),
    ] {
        let model = model_of(&file(head, own));
        assert_eq!(names(&model, "one"), expected, "{own}");
        assert_eq!(names(&model, "two"), ["a", "b"], "{own}");
    }
}

#[test]
fn a_type_has_a_simple_name_and_the_class_name_of_kroxylicious() {
    for name in [
        "ConnectionExpiration",
        "io.kroxylicious.filter.connectionexpiration.ConnectionExpiration",
    ] {
        let kind = kind_of(&format!("type: {name}, config: {{maxAge: 1h, jitter: 5m}}"));
        assert_eq!(kind.type_name(), "ConnectionExpiration");
    }
    for (name, said) in [
        (
            "ConectionExpiration",
            "unknown filter type `ConectionExpiration`, did you mean `ConnectionExpiration`?",
        ),
        (
            "com.acme.ConnectionExpiration",
            "unknown filter type `com.acme.ConnectionExpiration`, valid names are ",
        ),
        (
            "io.kroxylicious.filter.encryption.RecordEncryption",
            "filter type `io.kroxylicious.filter.encryption.RecordEncryption` is not supported yet",
        ),
        (
            "RecordValidation",
            "filter type `RecordValidation` is not supported yet",
        ),
    ] {
        let found = errors(one(&format!("type: {name}, config: {{maxAge: 1h}}")));
        assert!(
            found.starts_with(&format!("f.yaml:1:37: error: {said}")),
            "{found}"
        );
        assert_eq!(found.lines().count(), 1, "{found}");
    }
}

#[test]
fn the_keys_of_config_are_those_of_the_type() {
    for (definition, said) in [
        (
            "type: ConnectionExpiration, config: {maxage: 1h}",
            "1:68: error: unknown key `maxage`, did you mean `maxAge`?",
        ),
        (
            "type: ConnectionExpiration, config: {maxAge: 1h, denied: []}",
            "1:80: error: unknown key `denied`, valid names are `maxAge`, `jitter`",
        ),
        (
            "type: ConnectionExpiration",
            "1:21: error: a filter of type `ConnectionExpiration` needs `config`",
        ),
        (
            "type: ConnectionExpiration, config: {jitter: 1h}",
            "1:67: error: missing key `maxAge`",
        ),
        (
            "type: ConnectionExpiration, config: [1h]",
            "1:67: error: expected a mapping, found a list",
        ),
        (
            "type: ConnectionExpiration, config: {maxAge: 1h, jitter: 2h}",
            "1:88: error: `jitter` must be at most `maxAge`",
        ),
        (
            "type: ConnectionExpiration, config: {maxAge: 0s}",
            "1:76: error: `maxAge` must not be zero",
        ),
        (
            "type: Audit, config: {sink: file}",
            "1:52: error: `sink: file` needs `file`",
        ),
        (
            "type: Audit, config: {file: a}",
            "1:53: error: `file` needs `sink: file`",
        ),
        (
            "type: ApiFilter, config: {}",
            "1:56: error: expected `denied` or `allowed`",
        ),
        (
            "type: ApiFilter, config: {denied: [0], allowed: [1]}",
            "1:70: error: `denied` and `allowed` exclude each other",
        ),
        (
            "type: ApiFilter, config: {denied: [DELETE_TOPIC]}",
            "1:66: error: unknown API `DELETE_TOPIC`, did you mean `DeleteTopics`?",
        ),
        (
            "type: ApiFilter, config: {denied: [Fetch@a]}",
            "1:66: error: expected versions such as `Fetch@3`, `Fetch@0-3` or `Fetch@3+`, found `Fetch@a`",
        ),
        (
            "type: ApiFilter, config: {denied: [API_VERSIONS]}",
            "1:66: error: `ApiVersions` cannot be denied: every connection begins with it",
        ),
        (
            "type: ApiFilter, config: {denied: [0], principals: []}",
            "1:82: error: `principals` is empty: leave it out to mean every client",
        ),
        (
            "type: Audit, mode: shadow",
            "1:50: error: `mode: shadow` has no meaning for a filter of type `Audit`, which decides nothing",
        ),
        (
            "type: ProtocolLogger, when: clint.id == ''",
            "1:59: error: `when` is no condition: there is no `clint`, did you mean `client`?",
        ),
        (
            "type: ProtocolLogger, when: client.id",
            "1:59: error: `when` is no condition: it is neither true nor false",
        ),
        (
            "type: ConnectionExpiration, when: 'true', config: {maxAge: 1h}",
            "1:59: error: a filter of type `ConnectionExpiration` concerns whole sessions, it takes no `when`",
        ),
        ("type: Audit, mode: on", "1:50: error: unknown value `on`"),
        (
            "type: Audit, onError: ignore",
            "1:53: error: unknown value `ignore`",
        ),
        (
            "type: SaslInspection, onError: pass",
            "1:62: error: `onError: pass` is not allowed for a filter of type `SaslInspection`: its failure would let clients do \
             what nobody has allowed",
        ),
        (
            "type: SaslTermination, onError: pass, config: {mechanisms: [{mechanism: PLAIN, credentialStore: LdapBind, \
             credentialStoreConfig: {url: 'ldaps://ldap', bindDn: uid=$(username)}}]}",
            "1:63: error: `onError: pass` is not allowed for a filter of type `SaslTermination`",
        ),
        (
            "type: OauthBearerValidation, onError: pass, config: {jwksEndpointUrl: 'https://i/keys'}",
            "1:69: error: `onError: pass` is not allowed for a filter of type `OauthBearerValidation`",
        ),
    ] {
        let found = errors(one(definition));
        assert!(
            found.starts_with(&format!("f.yaml:{said}")),
            "{definition}\n{found}"
        );
    }
}

#[test]
fn what_an_authorization_cannot_decide_about_does_not_pass() {
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/policy/rules.acl");
    let definition = format!(
        "type: Authorization, onError: pass, config: {{authorizer: AclAuthorizerService, authorizerConfig: {{aclFile: {rules}}}}}"
    );
    let directory = tempfile::tempdir().unwrap();
    let yaml = directory.path().join("f.yaml");
    fs::write(&yaml, one(&definition)).unwrap();
    let found = model::load(&yaml)
        .map(drop)
        .map_err(|why| text(&why))
        .unwrap_err();
    let said = "f.yaml:1:61: error: `onError: pass` is not allowed for a filter of type `Authorization`";
    assert!(found.contains(said), "{found}");
}

#[test]
fn names_are_unique_known_and_used() {
    let defined = "filterDefinitions: [{name: a, type: Audit}, {name: a, type: Audit}]\ndefaultFilters: [a]";
    assert_eq!(
        errors(file(defined, "")),
        "f.yaml:1:52: error: filter `a` already defined on line 1\n"
    );
    let defined = "filterDefinitions: [{name: audit, type: Audit}]\ndefaultFilters: [audit, audit]";
    assert_eq!(
        errors(file(defined, "filters: [adit]")),
        "f.yaml:2:25: error: filter `audit` stands in the list twice\n\
         f.yaml:7:15: error: no filter named `adit`, did you mean `audit`?\n"
    );
    // A broken definition may be the one that is meant.
    let broken = "filterDefinitions: [{name: a, type: Adit}]\ndefaultFilters: [a]";
    assert_eq!(errors(file(broken, "")).lines().count(), 1);
}

#[test]
fn a_filter_in_no_list_is_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.yaml");
    let warnings = |yaml: &str| {
        fs::write(&path, yaml).unwrap();
        let loaded = model::load_all(&path);
        loaded.model.unwrap();
        let found = loaded.warnings.at(0).into_iter();
        found.map(|warning| warning.message).collect::<Vec<_>>()
    };
    let head = "filterDefinitions: [{name: a, type: Audit}, {name: b, type: Audit}]\ndefaultFilters: [a]";
    assert_eq!(warnings(&file(head, "")), ["filter `b` is in no list of filters"]);
    assert_eq!(warnings(&file(head, "filters: [b]")), [""; 0]);
}

/// Whether a filter is used is known of all clusters together, also when only some of them are read again.
#[test]
fn a_filter_that_comes_into_use_by_an_edit_is_no_longer_warned_of() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f.yaml");
    let head = "filterDefinitions: [{name: a, type: Audit}, {name: b, type: Audit}]\ndefaultFilters: [a]";
    let mut loader = model::Loader::default();
    for (own, expected) in [
        ("", 1),
        ("filters: [b]", 0),
        ("filters: [a]", 1),
        ("filters: [b, a]", 0),
    ] {
        fs::write(&path, file(head, own)).unwrap();
        let loaded = loader.load_all(&path);
        assert_eq!(loaded.warnings.at(0).len(), expected, "{own}");
        loaded.model.unwrap();
    }
}

#[test]
fn apis_are_named_by_name_and_number_with_versions() {
    let FilterKind::ApiFilter(filter) = kind_of(
        "type: ApiFilter, mode: shadow, config: {denied: [DELETE_TOPICS, DeleteRecords, 37, Fetch@0-3, Fetch@4, Produce@9+], \
         onDenied: close, strict: true, principals: ['User:b', 'a-*'], clientIds: [x]}",
    ) else {
        panic!("another type")
    };
    for (api, version, allowed) in [
        (20, 0, false),
        (21, 2, false),
        (37, 1, false),
        (1, 4, false),
        (1, 5, true),
        (0, 8, true),
        (0, 13, false),
        (3, 0, true),
    ] {
        assert_eq!(filter.allows(api, version), allowed, "{api} {version}");
    }
    assert!(matches!(filter.rules, ApiRules::Denied(_)));
    assert_eq!(filter.on_denied, DenialResponse::Close);
    assert!(filter.strict);
    let expected = [
        NamePattern::Exact("User:b".into()),
        NamePattern::Prefix("a-".into()),
    ];
    assert_eq!(filter.principals, expected);
}

#[test]
fn a_filter_of_kroxylicious_means_what_it_says() {
    let model = model_of(include_str!("../../fixtures/kroxylicious/filters.yaml"));
    let cluster = &model.clusters["aged"];
    assert_eq!(names(&model, "aged"), ["expire", "wire"]);
    let FilterKind::ConnectionExpiration(expiration) = &cluster.filters[0].kind else {
        panic!("another type")
    };
    assert_eq!(
        (expiration.max_age.as_secs(), expiration.jitter.as_secs()),
        (1800, 300)
    );
    assert_eq!(cluster.filters[0].mode, FilterMode::Enforce);
    assert_eq!(names(&model, "plain"), [""; 0]);
    let FilterKind::Audit(audit) =
        kind_of("type: Audit, config: {sink: file, file: a.jsonl, events: [connect]}")
    else {
        panic!("another type")
    };
    assert_eq!(audit.target, AuditTarget::File("a.jsonl".into()));
    assert!(audit.connect && !audit.auth && !audit.denied && !audit.admin && audit.sample == 100);
}

#[test]
fn the_limits_of_filters_are_those_of_the_process() {
    let limits = |yaml: &str| model_of(&file(yaml, "")).network.filters;
    let written = limits("network: {filters: {maxFrameSize: 1MiB, memoryLimit: 2MiB}}");
    assert_eq!((written.max_frame_size, written.memory_limit), (1 << 20, 2 << 20));
    let default = limits("");
    assert_eq!(
        (default.max_frame_size, default.memory_limit),
        (16 << 20, 256 << 20)
    );
    assert_eq!(
        errors(file("network: {filters: {memoryLimit: 1MiB}}", "")),
        "f.yaml:1:34: error: `memoryLimit` must be at least `maxFrameSize` of filters, or the largest frames never pass\n"
    );
}

#[test]
fn the_keys_of_an_issuer_come_from_the_web_or_from_a_file() {
    let validation =
        |config: &str| match kind_of(&format!("type: OauthBearerValidation, config: {{{config}}}")) {
            FilterKind::OauthBearerValidation(settings) => settings,
            other => panic!("{other:?}"),
        };
    let all = validation(
        "jwksEndpointUrl: \"https://i/keys\", jwksEndpointRefreshMs: 1000, jwksEndpointRetryBackoffMs: 10, \
         jwksEndpointRetryBackoffMaxMs: 50, scopeClaimName: scp, subClaimName: azp, authenticateBackOffMaxMs: 0, \
         authenticateCacheMaxSize: 7, expectedAudience: \" b ,a,, a\", expectedIssuer: \"https://i\"",
    );
    let ms = std::time::Duration::from_millis;
    let keys = &all.keys;
    assert_eq!(
        (keys.refresh, keys.retry, keys.retry_max),
        (ms(1000), ms(10), ms(50))
    );
    assert_eq!(all.rules.audiences, ["a".into(), "b".into()]);
    assert_eq!(all.rules.issuer.as_deref(), Some("https://i"));
    assert_eq!(
        (&*all.rules.scope_claim, &*all.rules.subject_claim),
        ("scp", "azp")
    );
    assert_eq!((all.remembered_for, all.remembered), (ms(0), 7));
    let none =
        validation("jwksEndpointUrl: \"https://i/keys\", expectedAudience: \"\", expectedIssuer: \" \"");
    assert!(none.rules.audiences.is_empty() && none.rules.issuer.is_none());
    let directory = tempfile::tempdir().unwrap();
    let (file, yaml) = (
        directory.path().join("keys.json"),
        directory.path().join("proxy.yaml"),
    );
    let url = format!("file://{}", file.display());
    let definition = format!("type: OauthBearerValidation, config: {{jwksEndpointUrl: \"{url}\"}}");
    fs::write(&yaml, one(&definition)).unwrap();
    let loaded = || model::load(&yaml).map_err(|why| text(&why));
    let key = testkit::tokens::SigningKey::generate("ES256", "k1");
    fs::write(&file, testkit::tokens::key_set([&key]).to_string()).unwrap();
    let model = loaded().unwrap();
    let FilterKind::OauthBearerValidation(of_file) = &model.clusters["one"].filters[0].kind else {
        panic!("{model:?}")
    };
    assert!(matches!(&of_file.keys.origin, KeySetOrigin::File(keys) if keys.len() == 1));
    fs::write(&file, "{}").unwrap();
    let found = loaded().unwrap_err();
    assert!(
        found.contains("keys.json:1:1: error: it is not a JSON Web Key Set"),
        "{found}"
    );
    fs::remove_file(&file).unwrap();
    let found = loaded().unwrap_err();
    assert!(found.contains("keys.json`: "), "{found}");
    for (url, said) in [
        (
            "ftp://i/",
            "the URL `ftp://i/` does not begin with https://, http:// or file://",
        ),
        ("https://u:p@i/", "names a user"),
        ("https:///keys", "is not a URL"),
        ("file:keys", "does not name a file by its whole path"),
    ] {
        let found = errors(one(&format!(
            "type: OauthBearerValidation, config: {{jwksEndpointUrl: \"{url}\"}}"
        )));
        assert!(found.contains(said), "{found}");
    }
    assert!(errors(one("type: OauthBearerValidation")).contains("needs `config`"));
}

#[test]
fn inspection_has_no_password_in_the_clear_unless_it_is_asked_for() {
    let inspection = |config: &str| match kind_of(&format!("type: SaslInspection{config}")) {
        FilterKind::SaslInspection(settings) => settings,
        other => panic!("{other:?}"),
    };
    let by_default = inspection("");
    assert_eq!(
        by_default.mechanisms,
        ["OAUTHBEARER", "SCRAM-SHA-256", "SCRAM-SHA-512"]
    );
    assert!(!by_default.require_authentication);
    let chosen =
        inspection(", config: {enabledMechanisms: [PLAIN, OAUTHBEARER], requireAuthentication: true}");
    assert_eq!(chosen.mechanisms, ["OAUTHBEARER", "PLAIN"]);
    assert!(chosen.require_authentication);
    for (mechanisms, said) in [
        ("[]", "`enabledMechanisms` is empty: no client could authenticate"),
        (
            "[SCRAM-SHA256]",
            "unknown value `SCRAM-SHA256`, did you mean `SCRAM-SHA-256`?",
        ),
    ] {
        let found = errors(one(&format!(
            "type: SaslInspection, config: {{enabledMechanisms: {mechanisms}}}"
        )));
        assert!(found.contains(said), "{found}");
    }
    let second = errors(file(
        "filterDefinitions: [{name: a, type: Audit}, {name: w, type: SaslInspection}]\ndefaultFilters: [a, w]",
        "",
    ));
    assert!(
        second.contains("which may only be the first of the list"),
        "{second}"
    );
}
