//! Tests of mappings, after Kafka's `SslPrincipalMapperTest` and Kroxylicious' `DefaultTransportSubjectBuilderServiceTest`.

use super::*;
use crate::pki::ClientNames;

fn kafka(rules: &str) -> NameMapping {
    principal_mapping_rules(rules).unwrap()
}

fn mapped(rule: &str, name: &str) -> Option<String> {
    NameMapping::new(vec![replace_match(rule).unwrap()]).apply(name)
}

#[test]
fn valid_rules_of_kafka_are_read() {
    for rules in [
        "",
        "DEFAULT",
        "RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/",
        "RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/L, DEFAULT",
        "RULE:^CN=(.*?),OU=(.*?),O=(.*?),L=(.*?),ST=(.*?),C=(.*?)$/$1@$2/",
        "RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/L",
        "RULE:^cn=(.?),ou=(.?),dc=(.?),dc=(.?)$/$1@$2/U",
        "RULE:^CN=([^,ADEFLTU,]+)(,.*|$)/$1/",
        "RULE:^CN=([^,DEFAULT,]+)(,.*|$)/$1/",
        " , ,RULE://,,,DEFAULT,, ",
    ] {
        principal_mapping_rules(rules).unwrap_or_else(|why| panic!("{rules}: {why}"));
    }
}

#[test]
fn invalid_rules_of_kafka_are_refused() {
    for rules in [
        "default",
        "DEFAUL",
        "DEFAULT/L",
        "DEFAULT/U",
        "RULE:CN=(.*?),OU=ServiceUsers.*/$1",
        "rule:^CN=(.*?),OU=ServiceUsers.*$/$1/",
        "RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/L/U",
        "RULE:^CN=(.*?),OU=ServiceUsers.*$/L",
        "RULE:^CN=(.*?),OU=ServiceUsers.*$/U",
        "RULE:^CN=(.*?),OU=ServiceUsers.*$/LU",
        "RULE:^CN=(.*?)$/$2/",
        "RULE:(/$1/",
        "DEFAULT RULE:a/b/",
    ] {
        assert!(principal_mapping_rules(rules).is_err(), "{rules}");
    }
    assert_eq!(
        principal_mapping_rules("DEFAUL, DEFAULT").unwrap_err(),
        "`DEFAUL` is no rule: a rule is `DEFAULT`, or `RULE:EXPRESSION/REPLACEMENT/` and `L` or `U` behind it"
    );
}

#[test]
fn names_are_mapped_as_a_broker_maps_them() {
    let mapping = kafka(
        "RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/L, \
         RULE:^CN=(.*?),OU=(.*?),O=(.*?),L=(.*?),ST=(.*?),C=(.*?)$/$1@$2/L, \
         RULE:^cn=(.*?),ou=(.*?),dc=(.*?),dc=(.*?)$/$1@$2/U, \
         RULE:^.*[Cc][Nn]=([a-zA-Z0-9.]*).*$/$1/U, \
         DEFAULT",
    );
    for (name, expected) in [
        ("CN=Duke,OU=ServiceUsers,O=Org,C=US", "duke"),
        ("CN=Duke,OU=SME,O=mycp,L=Fulton,ST=MD,C=US", "duke@sme"),
        ("cn=duke,ou=sme,dc=mycp,dc=com", "DUKE@SME"),
        ("cN=duke,OU=JavaSoft,O=Sun Microsystems", "DUKE"),
        (
            "OU=JavaSoft,O=Sun Microsystems,C=US",
            "OU=JavaSoft,O=Sun Microsystems,C=US",
        ),
    ] {
        assert_eq!(mapping.apply(name).as_deref(), Some(expected), "{name}");
    }
    let commas = kafka(r"RULE:^CN=((\\, *|\w)+)(,.*|$)/$1/,DEFAULT");
    let adam = commas.apply(r"CN=Tkac\, Adam,OU=ITZ,DC=geodis,DC=cz");
    assert_eq!(adam.as_deref(), Some(r"Tkac\, Adam"));
    assert_eq!(kafka("RULE:^CN=(.*)$/$1/").apply("OU=x"), None, "no rule applies");
    assert_eq!(kafka(r"RULE:a\/b/c\/d/").apply("a/b").as_deref(), Some("c/d"));
}

#[test]
fn rules_of_kroxylicious_choose_their_separator() {
    for (rule, name, expected) in [
        ("/CN=(.*?),.*/$1/", "CN=alice,O=x", Some("alice")),
        ("#^CN=localhost$#alice#", "CN=localhost", Some("alice")),
        ("#^CN=localhost$#alice#", "CN=localhost,O=x", None),
        ("/(.*)@(.*)/$2:$1/U", "jo@ex", Some("EX:JO")),
        ("/(.*)/$1/L", "JÖ", Some("jö")),
        (r"/(a)(b)/\$$1$2/", "ab", Some("$ab")),
        ("/(?P<first>a)b/${first}/", "ab", Some("a")),
        ("/(a)1/$12/", "a1", Some("a2")),
        // As "foo".replaceAll(".*", "x") in Java: the end matches once more.
        ("/.*/x/", "foo", Some("xx")),
        ("/^.*$/x/", "foo", Some("x")),
        ("/(a)|b/<$1>/", "b", Some("<>")),
        ("|a||", "a", Some("")),
        ("äaäbä", "a", Some("b")),
    ] {
        assert_eq!(mapped(rule, name).as_deref(), expected, "{rule} {name}");
    }
    for rule in [
        "", "/", "/a", "/a/b", "/a/b/X", "/a/b/LU", "/(/b/", "/a/$1/", "/a/$/", r"/a/\/", "/a/${x}/",
    ] {
        assert!(replace_match(rule).is_err(), "{rule}");
    }
}

#[test]
fn the_first_rule_that_applies_decides() {
    let admin = replace_match("/CN=admin.*/root/").unwrap();
    let anonymous = NameMapping::new(vec![admin.clone(), MappingRule::Anonymous]);
    assert_eq!(anonymous.apply("CN=admin,O=x").as_deref(), Some("root"));
    assert_eq!(anonymous.apply("CN=other"), None);
    let identity = NameMapping::new(vec![admin, MappingRule::Identity]);
    assert_eq!(identity.apply("CN=other").as_deref(), Some("CN=other"));
}

#[test]
fn principals_come_from_every_field_that_is_named() {
    let names = ClientNames {
        subject: "CN=alice,O=x".into(),
        dns_names: vec!["a.example".into(), "b.example".into(), "a.example".into()],
        uris: vec!["spiffe://x/alice".into()],
        ..ClientNames::default()
    };
    let adder = |from, rule: &str| PrincipalAdder {
        from,
        mapping: NameMapping::new(vec![replace_match(rule).unwrap()]),
    };
    let builder = TransportSubjectBuilder {
        adders: vec![
            adder(CertificateField::Subject, "/CN=(.*?),.*/$1/"),
            adder(CertificateField::DnsName, "/(.*)[.]example/$1/"),
            adder(CertificateField::Uri, "!spiffe://x/(.*)!$1!"),
            adder(CertificateField::IpAddress, "/(.*)/$1/"),
        ],
    };
    let principals: Vec<String> = builder
        .principals(&names)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(principals, ["User:alice", "User:a", "User:b"]);
    assert_eq!(builder.principals(&ClientNames::default()), []);
    assert_eq!(
        CertificateField::from_name("clientTlsSanUri"),
        Some(CertificateField::Uri)
    );
    let of_rules = TransportSubjectBuilder::of_rules(kafka("DEFAULT"));
    assert_eq!(of_rules.principals(&names), [Principal::user("CN=alice,O=x")]);
}

#[test]
fn an_authorized_id_becomes_a_user_by_default() {
    let builder = SaslSubjectBuilder::default();
    assert_eq!(builder.principals("jo"), [Principal::user("jo")]);
    assert_eq!(builder.principals(""), []);
    assert!(
        is_user_factory("UserFactory") && is_user_factory("io.kroxylicious.proxy.authentication.UserFactory")
    );
    assert!(!is_user_factory("RoleFactory"));
}
