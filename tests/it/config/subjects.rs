//! Point 14: names of clients.

use super::errors;

/// A file whose cluster has this builder, which begins in column 21 of line 4.
fn file(builder: &str) -> String {
    format!(
        "virtualClusters:
  - name: one
    targetCluster: {{bootstrapServers: \"k:1\"}}
    subjectBuilder: {builder}
    gateways: [{{name: g, portIdentifiesNode: {{bootstrapAddress: \"localhost:1000\"}}}}]
"
    )
}

#[test]
fn builders_are_read_as_kroxylicious_writes_them() {
    for builder in [
        "{type: DefaultTransportSubjectBuilderService, config: {addPrincipals: [{from: clientTlsSubject, map: [{replaceMatch: '#^CN=localhost$#alice#'}, {else: anonymous}], principalFactory: io.kroxylicious.proxy.authentication.UserFactory}]}}",
        "{type: io.kroxylicious.proxy.internal.subject.DefaultTransportSubjectBuilderService, config: {addPrincipals: [{from: clientTlsSanUri}]}}",
        "{type: SslPrincipalMapper, config: {rules: 'RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/L, DEFAULT'}}",
    ] {
        let file = file(builder);
        let model = kproxy::model::parse(file.as_bytes(), "f.yaml").unwrap_or_else(|why| panic!("{why:#?}"));
        assert!(model.clusters["one"].subject_builder.is_some(), "{builder}");
    }
    let builder = |factory: &str| {
        let transport = "type: DefaultTransportSubjectBuilderService";
        let config = format!("{{addPrincipals: [{{from: clientTlsSubject{factory}}}]}}");
        let text = file(&format!("{{{transport}, config: {config}}}"));
        let model = kproxy::model::parse(text.as_bytes(), "f.yaml").unwrap_or_else(|why| panic!("{why:#?}"));
        model.clusters["one"].subject_builder.clone()
    };
    assert_eq!(builder(""), builder(", principalFactory: UserFactory"));
}

#[test]
fn what_is_wrong_with_a_builder_is_told_where_it_stands() {
    let transport =
        |config: &str| format!("{{type: DefaultTransportSubjectBuilderService, config: {config}}}");
    for (builder, expected) in [
        (
            "{type: DefaultTransportSubjectBuilder, config: {}}".to_owned(),
            "unknown builder of subjects `DefaultTransportSubjectBuilder`, did you mean `DefaultTransportSubjectBuilderService`?",
        ),
        (
            "{type: SslPrincipalMapper}".to_owned(),
            "`SslPrincipalMapper` needs `config`",
        ),
        (
            "{type: SslPrincipalMapper, config: {}}".to_owned(),
            "missing key `rules`",
        ),
        (
            "{type: SslPrincipalMapper, config: {rules: DEFAUL}}".to_owned(),
            "`DEFAUL` is no rule: a rule is `DEFAULT`, or `RULE:EXPRESSION/REPLACEMENT/` and `L` or `U` behind it",
        ),
        (transport("{}"), "missing key `addPrincipals`"),
        (
            transport("{rules: DEFAULT}"),
            "`rules` belongs to `SslPrincipalMapper`",
        ),
        (
            transport("{addPrincipals: [{from: clientTlsSanDns}]}"),
            "unknown source of names `clientTlsSanDns`, did you mean `clientTlsSanUri`?",
        ),
        (
            transport("{addPrincipals: [{from: clientTlsSubject, principalFactory: RoleFactory}]}"),
            "unknown factory of principals `RoleFactory`, the only valid name is `UserFactory`",
        ),
        (
            transport("{addPrincipals: [{from: clientTlsSubject, map: [{replaceMatch: '/(/a/'}]}]}"),
            "the regular expression is not valid: unclosed group",
        ),
        (
            transport(
                "{addPrincipals: [{from: clientTlsSubject, map: [{else: identity}, {replaceMatch: '/a/b/'}]}]}",
            ),
            "`else` stands in the last rule",
        ),
        (
            transport("{addPrincipals: [{from: clientTlsSubject, map: [{}]}]}"),
            "a rule has exactly one of `replaceMatch` and `else`",
        ),
    ] {
        let found = errors(file(&builder));
        assert!(
            found.starts_with("f.yaml:4:") && found.ends_with(&format!(": error: {expected}\n")),
            "{builder}: {found}"
        );
        assert_eq!(found.lines().count(), 1, "{found}");
    }
}
