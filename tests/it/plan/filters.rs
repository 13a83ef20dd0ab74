//! What a plan says of changed filters.

use std::num::NonZeroU32;

use kproxy::model::{self, ProxyModel};
use kproxy::reload::{FiltersAction, Plan, ReloadClass};
use kproxy::sasl::{ScramHash, ScramVerifier};

fn text_of(definitions: &str, list: &str) -> String {
    format!(
        "filterDefinitions: [{definitions}]
virtualClusters:
  - name: orders
    filters: [{list}]
    targetCluster: {{bootstrapServers: \"k:1\"}}
    gateways: [{{name: g, portIdentifiesNode: {{bootstrapAddress: \"localhost:1000\"}}}}]
"
    )
}

fn model_of(definitions: &str, list: &str) -> ProxyModel {
    let yaml = text_of(definitions, list);
    model::parse(yaml.as_bytes(), "f.yaml").unwrap_or_else(|why| panic!("{yaml}\n{why:#?}"))
}

/// The plan as text, with what becomes of the filters.
fn plan(old: (&str, &str), new: (&str, &str)) -> (String, Option<FiltersAction>) {
    plan_of(&model_of(old.0, old.1), &model_of(new.0, new.1))
}

fn plan_of(old: &ProxyModel, new: &ProxyModel) -> (String, Option<FiltersAction>) {
    let plan = Plan::between(old, new);
    assert_eq!(plan.replayed(old), *new);
    let action = plan.modified().next().map(|cluster| cluster.filters);
    (plan.to_string().trim_end().to_owned(), action)
}

const TWO: &str = "{name: a, type: Audit}, {name: x, type: ConnectionExpiration, config: {maxAge: 1h}}";

#[test]
fn other_names_of_clients_drain_them() {
    let model = |builder: &str| {
        let cluster = "  - name: orders\n";
        let yaml = format!(
            "virtualClusters:
{cluster}    targetCluster: {{bootstrapServers: \"k:1\"}}
    gateways: [{{name: g, portIdentifiesNode: {{bootstrapAddress: \"localhost:1000\"}}}}]
    subjectBuilder: {builder}
"
        );
        model::parse(yaml.as_bytes(), "f.yaml").unwrap_or_else(|why| panic!("{yaml}\n{why:#?}"))
    };
    let rules = |rules: &str| {
        model(&format!(
            "{{type: SslPrincipalMapper, config: {{rules: '{rules}'}}}}"
        ))
    };
    for (old, new) in [
        (model(""), rules("DEFAULT")),
        (rules("DEFAULT"), rules("RULE:(.*)/$1/L")),
        (rules("DEFAULT"), model("")),
    ] {
        let plan = Plan::between(&old, &new);
        assert_eq!(plan.replayed(&old), new);
        assert_eq!(
            plan.to_string().trim_end(),
            "modify `orders` (drain): subjectBuilder"
        );
    }
    assert!(
        Plan::between(&rules("DEFAULT"), &rules("DEFAULT"))
            .modified()
            .next()
            .is_none()
    );
}

#[test]
fn filters_come_go_and_change_places_under_live_connections() {
    for (old, new) in [("a", "a, x"), ("a, x", "x"), ("a, x", "x, a"), ("", "a")] {
        let (text, action) = plan((TWO, old), (TWO, new));
        assert_eq!(text, "modify `orders` (live): filters", "{old} -> {new}");
        assert_eq!(action, Some(FiltersAction::Renew));
    }
}

#[test]
fn the_settings_of_a_filter_change_under_live_connections_and_by_their_keys() {
    let of = |config: &str| format!("{{name: f, {config}}}");
    for (old, new, keys) in [
        (
            "type: ConnectionExpiration, config: {maxAge: 1h}",
            "type: ConnectionExpiration, config: {maxAge: 2h, jitter: 1m}",
            "config(ConnectionExpiration).jitter, config(ConnectionExpiration).maxAge",
        ),
        (
            "type: Audit",
            "type: Audit, config: {sink: file, file: a, events: [denied], sample: 5}",
            "config(Audit).events, config(Audit).file, config(Audit).sample",
        ),
        (
            "type: ProtocolLogger",
            "type: ProtocolLogger, config: {apiKeyNames: [0], logLevel: INFO, loggerName: x}",
            "config(ProtocolLogger).apiKeyNames, config(ProtocolLogger).logLevel, config(ProtocolLogger).loggerName",
        ),
        (
            "type: OauthBearerValidation, config: {jwksEndpointUrl: \"https://i/keys\"}",
            "type: OauthBearerValidation, config: {jwksEndpointUrl: \"https://j/keys\", expectedIssuer: j, \
             expectedAudience: \"a,b\", authenticateCacheMaxSize: 5, onStart: lazy}",
            "config(OauthBearerValidation).authenticateCacheMaxSize, \
             config(OauthBearerValidation).expectedAudience, config(OauthBearerValidation).expectedIssuer, \
             config(OauthBearerValidation).jwksEndpointUrl, config(OauthBearerValidation).onStart",
        ),
        (
            "type: SaslInspection",
            "type: SaslInspection, config: {enabledMechanisms: [PLAIN], requireAuthentication: true, subjectBuilder: \
             DefaultSaslSubjectBuilderService, subjectBuilderConfig: {addPrincipals: []}}",
            "config(SaslInspection).enabledMechanisms, config(SaslInspection).requireAuthentication, \
             config(SaslInspection).subjectBuilder",
        ),
        (
            "type: ApiFilter, config: {denied: [20]}",
            "type: ApiFilter, mode: shadow, config: {denied: [20, 21], onDenied: close, principals: [a], clientIds: [b]}",
            "config(ApiFilter).clientIds, config(ApiFilter).denied, config(ApiFilter).onDenied, \
             config(ApiFilter).principals, mode",
        ),
        ("type: Audit", "type: Audit, onError: pass", "onError"),
        ("type: Audit, onError: fail", "type: Audit", "onError"),
        (
            "type: ApiFilter, config: {denied: [20]}",
            "type: ApiFilter, config: {allowed: [20], strict: false}",
            "config(ApiFilter).allowed",
        ),
    ] {
        let (text, action) = plan((&of(old), "f"), (&of(new), "f"));
        assert_eq!(text, format!("modify `orders` (live): {keys}"));
        assert_eq!(action, Some(FiltersAction::Renew));
    }
}

#[test]
fn apis_that_a_strict_filter_takes_away_drain() {
    let strict =
        |denied: &str| format!("{{name: f, type: ApiFilter, config: {{denied: [{denied}], strict: true}}}}");
    let (text, action) = plan((&strict("20"), "f"), (&strict("20, 21"), "f"));
    assert_eq!(text, "modify `orders` (drain): config(ApiFilter).denied");
    assert_eq!(action, Some(FiltersAction::Offer));
    let (text, _) = plan((&strict("20, 21"), "f"), (&strict("20"), "f"));
    assert_eq!(text, "modify `orders` (live): config(ApiFilter).denied");
    let (text, _) = plan((&strict("20"), ""), (&strict("20"), "f"));
    assert_eq!(text, "modify `orders` (drain): filters");
}

#[test]
fn another_name_and_another_way_to_say_it_are_no_change() {
    let renamed = TWO.replace("name: a", "name: b");
    assert_eq!(plan((TWO, "a, x"), (&renamed, "b, x")), (String::new(), None));
    let one = "{name: f, type: ApiFilter, config: {denied: [20, Fetch@0-1, Fetch@2+]}}";
    let other = "{name: f, type: io.kroxylicious.ApiFilter, mode: enforce, config: {onDenied: error, denied: [Fetch, DELETE_TOPICS]}}";
    assert_eq!(plan((one, "f"), (other, "f")), (String::new(), None));
    // The name and the settings at once: the filter goes on from the only one of its type.
    let changed = "{name: g, type: ConnectionExpiration, config: {maxAge: 2h}}";
    let (text, _) = plan((TWO, "x"), (changed, "g"));
    assert_eq!(
        text,
        "modify `orders` (live): config(ConnectionExpiration).maxAge"
    );
}

#[test]
fn classes_of_keys_are_known() {
    for (key, class) in [
        ("filterDefinitions[].config(Audit).sample", ReloadClass::Live),
        ("filterDefinitions[].config", ReloadClass::Live),
        ("filterDefinitions[].onError", ReloadClass::Live),
        ("virtualClusters[].filters", ReloadClass::Live),
        ("defaultFilters", ReloadClass::Live),
        ("network.filters.maxFrameSize", ReloadClass::Live),
    ] {
        assert_eq!(ReloadClass::of(key), Some(class), "{key}");
    }
}

#[test]
fn a_filter_that_says_who_clients_are_comes_and_goes_with_their_sessions() {
    let definitions = "{name: w, type: SaslInspection}, {name: a, type: Audit}";
    for (old, new) in [("a", "w, a"), ("w", "")] {
        let (text, _) = plan((definitions, old), (definitions, new));
        assert_eq!(text, "modify `orders` (drain): filters", "{old} -> {new}");
    }
}

#[test]
fn users_who_lose_their_login_are_checked_again_and_others_are_not_disturbed() {
    let directory = tempfile::tempdir().unwrap();
    let line = |name: &str, password: &str| {
        let iterations = NonZeroU32::new(4096).unwrap();
        let verifier = ScramVerifier::of_password(ScramHash::Sha256, password, name.as_bytes(), iterations);
        format!("{name}:{verifier}\n")
    };
    let file = |name: &str, lines: &[String]| {
        let path = directory.path().join(name);
        std::fs::write(&path, lines.concat()).unwrap();
        path.display().to_string()
    };
    let (alice, bob, carol) = (line("alice", "a"), line("bob", "b"), line("carol", "c"));
    let two = file("two", &[alice.clone(), bob.clone()]);
    let three = file("three", &[alice.clone(), bob, carol]);
    let one = file("one", std::slice::from_ref(&alice));
    let other = file("other", &[alice, line("bob", "another")]);
    let scram = |users: &str| {
        format!(
            "{{mechanism: SCRAM-SHA-256, credentialStore: FileCredentialStore, credentialStoreConfig: {{file: {users}}}}}"
        )
    };
    let plain = |users: &str| {
        format!(
            "{{mechanism: PLAIN, credentialStore: FileCredentialStore, credentialStoreConfig: {{file: {users}}}}}"
        )
    };
    let login = |mechanisms: &[String]| {
        let mechanisms = mechanisms.join(", ");
        format!("{{name: l, type: SaslTermination, config: {{mechanisms: [{mechanisms}]}}}}")
    };
    let model = |mechanisms: &[String]| {
        let path = directory.path().join("proxy.yaml");
        std::fs::write(&path, text_of(&login(mechanisms), "l")).unwrap();
        model::load(&path).unwrap()
    };
    let before = model(&[scram(&two), plain(&two)]);
    let path = "config(SaslTermination).mechanisms";
    for (what, after, class, action) in [
        (
            "a user more",
            vec![scram(&three), plain(&three)],
            "live",
            FiltersAction::Renew,
        ),
        (
            "a user less",
            vec![scram(&one), plain(&one)],
            "drain",
            FiltersAction::Recheck,
        ),
        (
            "another password",
            vec![scram(&other), plain(&two)],
            "drain",
            FiltersAction::Recheck,
        ),
        (
            "a mechanism less",
            vec![scram(&two)],
            "drain",
            FiltersAction::Recheck,
        ),
    ] {
        let (text, done) = plan_of(&before, &model(&after));
        assert_eq!(text, format!("modify `orders` ({class}): {path}"), "{what}");
        assert_eq!(done, Some(action), "{what}");
    }
    let (text, _) = plan_of(&model(&[scram(&two)]), &before);
    assert_eq!(
        text,
        format!("modify `orders` (live): {path}"),
        "a mechanism more"
    );
}
