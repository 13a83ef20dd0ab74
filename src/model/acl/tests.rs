//! Tests of grammar, meaning and compilation, after Kroxylicious' `AclAuthorizerServiceTest` and `AclImplicationIT`.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::model::Principal;

const TOPIC: &str = "from io.kroxylicious.filter.authorization import TopicResource as Topic;\n";

fn rules(text: &str) -> AclRules {
    let document = parse_rules(text).unwrap_or_else(|faults| panic!("{faults:#?}\n{text}"));
    AclRules::new(document).unwrap()
}

/// Rules about topics, without the import and the end.
fn topics(statements: &str) -> AclRules {
    rules(&format!("{TOPIC}{statements}\notherwise deny;"))
}

fn may(rules: &AclRules, user: &str, operation: AclOperation, topic: &str) -> bool {
    let principals = [Principal::user(user)];
    let decision = rules.decide(&principals, AclResource::Topic, operation, topic);
    decision.allowed
}

/// Errors as `LINE:COL: MESSAGE`.
fn faults(text: &str) -> Vec<String> {
    let shown = |fault: &AclFault| format!("{}:{}: {}", fault.line, fault.col, fault.message);
    parse_rules(text).unwrap_err().iter().map(shown).collect()
}

fn fault(statements: &str) -> String {
    let found = faults(&format!("{TOPIC}{statements}\notherwise deny;"));
    assert_eq!(found.len(), 1, "{found:#?}");
    found.into_iter().next().unwrap()
}

use AclOperation::{Create, Describe, Read, Write};

#[test]
fn parser_errors_have_their_position() {
    for (statements, expected) in [
        (
            "frobnicate User with name = \"a\" to READ Topic with name *;",
            "2:1: unknown statement `frobnicate`, valid names are `from`, `deny`, `allow`, `otherwise`",
        ),
        (
            "alow User with name = \"a\" to READ Topic with name *;",
            "2:1: unknown statement `alow`, did you mean `allow`?",
        ),
        (
            "allow User with name = \"a\" to READ Topic with name *;\ndeny User with name = \"b\" to READ Topic with name *;",
            "3:1: all `deny` stand before the first `allow`, which is on line 2",
        ),
        (
            "allow User with name matching /Ali(ce)?/ to READ Topic with name *;",
            "2:22: `matching` is for names of resources; users are named by `*`, `=`, `in` or `like`",
        ),
        (
            "allow User with name = alice to READ Topic with name *;",
            "2:24: expected a name in double quotes, found `alice`",
        ),
        (
            "allow User with name = \"alice to READ Topic;",
            "2:24: the text has no closing `\"` on its line",
        ),
        (
            "allow User with name in {} to READ Topic with name *;",
            "2:26: expected a name in double quotes, found `}`",
        ),
        (
            "allow User with name * to READ Topic with name matching /a;",
            "2:57: the expression has no closing `/` on its line",
        ),
        (
            "allow User with name * to READ Topic with nam *;",
            "2:43: expected `name`, found `nam`",
        ),
        (
            "allow User with name * to READ Topic with name * # all",
            "2:50: expected `;`, found `#`",
        ),
        (
            "import TopicResource from io.kroxylicious.filter.authorization;",
            "2:1: an import is written `from PACKAGE import CLASS as NAME;`",
        ),
        (
            "version 1;",
            "2:1: unknown statement `version`, valid names are `from`, `deny`, `allow`, `otherwise`",
        ),
    ] {
        assert_eq!(fault(statements), expected, "{statements}");
    }
    assert_eq!(
        faults("version 12;\notherwise deny;"),
        ["1:9: only version 1 of the rules is supported"]
    );
    let end = "the last statement, `otherwise deny;`, is missing";
    assert_eq!(faults(""), [format!("1:1: {end}")]);
    assert_eq!(faults("// otherwise deny;\n"), [format!("2:1: {end}")]);
    assert_eq!(
        faults("otherwise deny;\nallow"),
        ["2:1: nothing may follow `otherwise deny;`"]
    );
    assert_eq!(
        faults("/* a\n"),
        ["1:1: the comment has no closing `*/`", &format!("2:1: {end}")]
    );
}

#[test]
fn check_errors_name_what_is_near() {
    for (statements, expected) in [
        (
            "allow User with name * to READ Tpic with name *;",
            "2:32: the type of resource `Tpic` is not imported, did you mean `Topic`?",
        ),
        (
            "allow User with name * to READ Group with name *;",
            "2:32: `Group` is not imported: add `from io.kroxylicious.filter.authorization import GroupResource as Group;`",
        ),
        (
            "allow User with name * to RAED Topic with name *;",
            "2:27: Topic has no operation `RAED`, did you mean `READ`?",
        ),
        (
            "allow Role with name * to READ Topic with name *;",
            "2:7: unknown type of principal `Role`, the only valid name is `User`",
        ),
        (
            "allow Topic with name * to READ Topic with name *;",
            "2:7: `Topic` is a type of resource, not of principals",
        ),
        (
            "allow User with name * to READ User with name *;",
            "2:32: the type of resource `User` is not imported, the only valid name is `Topic`",
        ),
        (
            "allow User with name = \"a\" to READ Topic with name like \"Foo*Bar\";",
            "2:57: `*` is only supported as the last character of `like`",
        ),
        (
            "allow User with name = \"a\" to READ Topic with name matching /**/;",
            "2:62: the regular expression is not valid: repetition operator missing expression",
        ),
        (
            "allow User with name = \"a\" to READ Topic with name matching \"b(\";",
            "2:63: the regular expression is not valid: unclosed group",
        ),
        (
            "from io.kroxylicious.filter.authorization import GroupResource as Topic;",
            "2:67: the name `Topic` is already used by another import",
        ),
        (
            "from io.kroxylicious.filter.authorization import GroupsResource as Group;",
            "2:50: unknown type of resource `GroupsResource`, did you mean `GroupResource`?",
        ),
        (
            "from io.kroxylicious.filter.authorisation import GroupResource as Group;",
            "2:50: unknown package `io.kroxylicious.filter.authorisation`, did you mean `io.kroxylicious.filter.authorization`?",
        ),
    ] {
        let found = fault(statements);
        assert_eq!(found, expected, "{statements}");
    }
}

#[test]
fn all_errors_are_told_at_once() {
    let text =
        "from io.kroxylicious.filter.authorization import TopicResource as Topic, GrupResource as Group;
deny User with name * to RAED Topic with name *;
allow User with name * to READ Topic with name *
allow User with name = \"b\" to WRITE Topic with name = c;
allow User with name = \"d\" to {READ, WIRTE} Topic with name *;
";
    let found = faults(text);
    let lines: Vec<&str> = found
        .iter()
        .map(|fault| fault.split(':').next().unwrap())
        .collect();
    assert_eq!(lines, ["1", "2", "4", "4", "5", "6"], "{found:#?}");
    let many = "x;".repeat(1000);
    assert!(faults(&many).len() <= 101);
}

#[test]
fn principal_eq_resource_eq() {
    let rules = topics("allow User with name = \"Alice\" to READ Topic with name = \"foo\";");
    assert!(may(&rules, "Alice", Read, "foo"));
    assert!(may(&rules, "Alice", Describe, "foo"), "follows from READ");
    for (user, operation, topic) in [
        ("Alice", Write, "foo"),
        ("Alice", Create, "foo"),
        ("Alice", Read, "bar"),
        ("Bob", Read, "foo"),
        ("Alicea", Read, "foo"),
        ("alice", Read, "foo"),
        ("", Read, "foo"),
    ] {
        assert!(
            !may(&rules, user, operation, topic),
            "{user} {operation:?} {topic}"
        );
    }
    let role = Principal {
        kind: "Role".into(),
        name: "Alice".into(),
    };
    let of = |principals: &[Principal]| rules.decide(principals, AclResource::Topic, Read, "foo").allowed;
    assert!(!of(std::slice::from_ref(&role)), "another kind of principal");
    assert!(!of(&[]), "anonymous");
    assert!(of(&[role, Principal::user("Alice")]));
}

#[test]
fn principal_in_like_and_any() {
    let of = |users: &str| {
        topics(&format!(
            "allow User with name {users} to READ Topic with name = \"foo\";"
        ))
    };
    for (users, allowed, denied) in [
        ("in {\"Alice\", \"Bob\"}", ["Alice", "Bob"], ["Eve", "Alic"]),
        ("like \"Alice*\"", ["Alice", "Alicea"], ["Eve", "Alic"]),
        ("like \"Al\\*ce\"", ["Al*ce", "Al*ce"], ["Alice", "Al*cea"]),
    ] {
        let rules = of(users);
        assert!(
            allowed.iter().all(|user| may(&rules, user, Read, "foo")),
            "{users}"
        );
        assert!(
            !denied.iter().any(|user| may(&rules, user, Read, "foo")),
            "{users}"
        );
        assert!(!may(&rules, allowed[0], Read, "bar"), "{users}");
    }
    for any in ["*", "like \"*\""] {
        assert!(may(&of(any), "Eve", Read, "foo") && !may(&of(any), "Eve", Read, "bar"));
        let nobody = of(any).decide(&[], AclResource::Topic, Read, "foo");
        assert!(!nobody.allowed, "a client without a name is no user");
    }
}

#[test]
fn principal_eq_resource_in_starts_with_any_matching() {
    let of = |names: &str| {
        topics(&format!(
            "allow User with name = \"Alice\" to READ Topic with name {names};"
        ))
    };
    for (names, allowed, denied) in [
        ("in {\"foo\", \"bar\"}", vec!["foo", "bar"], vec!["baz", "fo"]),
        ("like \"foo*\"", vec!["foo", "foobar"], vec!["fo", "Foo"]),
        ("like \"foo\"", vec!["foo"], vec!["foobar"]),
        ("*", vec!["foo", ""], vec![]),
        (
            "matching /(foo+|bar)/",
            vec!["foo", "bar", "fooo"],
            vec!["fo", "Foo", "foobar"],
        ),
        (
            "matching \"(foo+|bar)\"",
            vec!["foo", "bar", "fooo"],
            vec!["fo", "Foo", "foobar"],
        ),
    ] {
        let rules = of(names);
        assert!(
            allowed.iter().all(|name| may(&rules, "Alice", Read, name)),
            "{names}"
        );
        assert!(
            !denied.iter().any(|name| may(&rules, "Alice", Read, name)),
            "{names}"
        );
        assert!(!may(&rules, "Bob", Read, "foo"), "{names}");
    }
}

#[test]
fn operations_in_and_any() {
    let rules = topics("allow User with name = \"Alice\" to {READ, WRITE} Topic with name = \"foo\";");
    assert!(may(&rules, "Alice", Read, "foo") && may(&rules, "Alice", Write, "foo"));
    assert!(!may(&rules, "Alice", Create, "foo"));
    let rules = topics("allow User with name = \"Alice\" to * Topic with name = \"foo\";");
    for operation in AclResource::Topic.operations().iter() {
        assert!(may(&rules, "Alice", operation, "foo"), "{operation:?}");
    }
}

#[test]
fn grants_are_additive() {
    let rules = topics(
        "allow User with name = \"Alice\" to READ Topic with name = \"foo\";
         allow User with name like \"Al*\" to CREATE Topic with name like \"f*\";
         allow User with name * to ALTER_CONFIGS Topic with name matching /fo+/;",
    );
    let rights =
        AccessView::new(Arc::new(rules), &[Principal::user("Alice")]).rights(AclResource::Topic, "foo");
    let expected = [
        Read,
        Create,
        Describe,
        AclOperation::DescribeConfigs,
        AclOperation::AlterConfigs,
    ];
    assert_eq!(rights.allowed(), OperationSet::of(&expected));
    assert_eq!(rights.decision(Create).by, DecidedBy::Rule(1));
    assert_eq!(rights.decision(Write).by, DecidedBy::Otherwise);
}

#[test]
fn deny_overrules_allow() {
    let rules = topics(
        "deny User with name = \"Eve\" to READ Topic with name = \"foo\";
         allow User with name * to * Topic with name *;",
    );
    assert!(may(&rules, "Alice", Read, "foo") && may(&rules, "Eve", Read, "bar"));
    assert!(!may(&rules, "Eve", Read, "foo"));
    assert!(
        !may(&rules, "Eve", Describe, "foo"),
        "what follows from READ is denied with it"
    );
    assert!(may(&rules, "Eve", Write, "foo"));
    let decision = rules.decide(&[Principal::user("Eve")], AclResource::Topic, Read, "foo");
    assert_eq!(decision.by, DecidedBy::Rule(0));
    assert_eq!(
        &*rules.rule(0).unwrap().place.text,
        "deny User with name = \"Eve\" to READ Topic with name = \"foo\";"
    );
}

#[test]
fn string_regex_and_like_quoting() {
    let rules = topics(
        r#"allow User with name = "NameWithA\"" to READ Topic with name = "foo\\";
           allow User with name = "Carol" to READ Topic with name in {"bar\\", "baz"};
           allow User with name = "Alice" to READ Topic with name matching /\//;
           allow User with name = "Bob" to READ Topic with name matching /\\\\/;
           allow User with name = "Dan" to READ Topic with name like "foo\*bar*";
           allow User with name = "Eve" to READ Topic with name like "foo\\\*bar*";"#,
    );
    assert!(may(&rules, "NameWithA\"", Read, "foo\\"));
    assert!(may(&rules, "Carol", Read, "bar\\") && may(&rules, "Carol", Read, "baz"));
    assert!(may(&rules, "Alice", Read, "/"));
    assert!(may(&rules, "Bob", Read, "\\") && !may(&rules, "Bob", Read, "\\\\"));
    assert!(may(&rules, "Dan", Read, "foo*bary") && !may(&rules, "Dan", Read, "fooxbary"));
    assert!(may(&rules, "Eve", Read, "foo\\*bary"));
}

#[test]
fn a_backslash_that_is_lost_is_a_warning() {
    let rules = topics(r#"allow User with name * to READ Topic with name matching /eu\.orders/;"#);
    assert!(may(&rules, "a", Read, "euXorders"), "as Kroxylicious reads it");
    let warnings = &rules.document().warnings;
    assert!(
        warnings
            .iter()
            .any(|warning| warning.line == 2 && warning.message.contains(r"write `\\.` if `\.` is meant")),
        "{warnings:#?}"
    );
}

#[test]
fn implication() {
    use AclOperation::*;
    for (resource, granted, implied) in [
        (AclResource::TransactionalId, Write, Describe),
        (AclResource::Group, Read, Describe),
        (AclResource::Group, Delete, Describe),
        (AclResource::Group, AlterConfigs, DescribeConfigs),
        (AclResource::Topic, Write, Describe),
        (AclResource::Topic, Read, Describe),
        (AclResource::Topic, Delete, Describe),
        (AclResource::Topic, Alter, Describe),
        (AclResource::Topic, AlterConfigs, DescribeConfigs),
    ] {
        for names in ["= \"my-resource\"", "like \"my-*\"", "matching /my-.*/"] {
            let (class, operation) = (resource.class(), granted.name());
            let rules = rules(&format!(
                "from io.kroxylicious.filter.authorization import {class} as Resource;
                 allow User with name = \"alice\" to {operation} Resource with name {names};
                 otherwise deny;"
            ));
            let alice = [Principal::user("alice")];
            let decided = |operation| rules.decide(&alice, resource, operation, "my-resource").allowed;
            assert!(
                decided(granted) && decided(implied),
                "{resource:?} {granted:?} {names}"
            );
            let others = resource
                .operations()
                .without(OperationSet::of(&[granted, implied]));
            assert!(!others.iter().any(decided), "{resource:?} {granted:?} {names}");
        }
    }
}

#[test]
fn what_is_not_imported_is_allowed_with_a_warning() {
    let rules = topics("allow User with name = \"a\" to READ Topic with name = \"foo\";");
    let decision = rules.decide(&[], AclResource::Group, Read, "g");
    assert!(decision.allowed);
    assert_eq!(decision.by, DecidedBy::NotGoverned);
    let warnings = |rules: &AclRules| -> Vec<String> {
        let shown = |it: &AclFault| format!("{}:{}: {}", it.line, it.col, it.message);
        rules.document().warnings.iter().map(shown).collect()
    };
    assert_eq!(
        warnings(&rules),
        [
            "1:1: `GroupResource` and `TransactionalIdResource` not imported: every client may do everything with such resources"
        ]
    );
    let none =
        topics("from io.kroxylicious.filter.authorization import GroupResource, TransactionalIdResource;");
    assert_eq!(warnings(&none).len(), 3, "{:?}", warnings(&none));
    assert!(
        !none
            .decide(&[Principal::user("a")], AclResource::Group, Read, "g")
            .allowed
    );
}

#[test]
fn keywords_may_be_names_and_comments_stand_everywhere() {
    let rules = rules(
        "version 1; // the only one
         from io.kroxylicious.filter.authorization import TopicResource as matching, GroupResource as name /* a * b */;
         from io.kroxylicious.proxy.authentication import User as from;
         allow from with name = \"a\" // who
           to READ matching // expression?
           with name matching /a/;
         allow User with name = \"b\" to {READ,DELETE} name with name = \"g\";
         /* the
            end */ otherwise deny;",
    );
    assert!(may(&rules, "a", Read, "a"));
    let of_group = rules.decide(&[Principal::user("b")], AclResource::Group, Read, "g");
    assert!(of_group.allowed);
    assert_eq!(rules.rule(1).unwrap().place.line, 7);
}

#[test]
fn rules_compare_by_what_they_say() {
    let one = topics("allow User with name = \"a\" to READ Topic with name = \"foo\";");
    let moved =
        topics("// moved\n\nallow User with name = \"a\" to READ\n Topic with name = \"foo\"; // same");
    let other = topics("allow User with name = \"a\" to READ Topic with name = \"fo\";");
    assert_eq!(one, moved);
    assert_ne!(one, other);
}

#[test]
fn a_view_forgets_rather_than_grows() {
    let rules = Arc::new(topics(
        "allow User with name * to READ Topic with name like \"a*\";",
    ));
    let me = [Principal::user("me")];
    let mut view = AccessView::new(Arc::clone(&rules), &me);
    for number in 0..20_000 {
        let name = format!("a{number}");
        assert!(view.decide(AclResource::Topic, Read, &name).allowed);
        assert!(!view.decide(AclResource::Topic, Write, &name).allowed);
    }
    assert!(view.remembered() <= 4096, "{}", view.remembered());
    assert!(view.is_of(&rules, &me) && !view.is_of(&rules, &[]));
    let same_text = Arc::new(topics(
        "allow User with name * to READ Topic with name like \"a*\";",
    ));
    assert!(!view.is_of(&same_text, &me));
}

#[test]
fn bits_of_operations_are_those_of_kafka() {
    // KIP-430: READ is 3, DESCRIBE is 8.
    assert_eq!(OperationSet::of(&[Read, Describe]).bit_field(), 1 << 3 | 1 << 8);
}

/// A rule for the naive interpreter and its text.
#[derive(Debug, Clone)]
struct Plain {
    deny: bool,
    users: (u8, Vec<String>),
    operations: Vec<AclOperation>,
    names: (u8, Vec<String>),
}

fn name() -> impl Strategy<Value = String> {
    "[ab]{0,3}"
}

fn plain() -> impl Strategy<Value = Plain> {
    let matcher = |kinds: u8| (0..kinds, prop::collection::vec(name(), 1..3));
    let operations =
        prop::sample::subsequence(AclResource::Topic.operations().iter().collect::<Vec<_>>(), 1..4);
    (any::<bool>(), matcher(3), operations, matcher(4)).prop_map(|(deny, users, operations, names)| Plain {
        deny,
        users,
        operations,
        names,
    })
}

/// Text of a matcher: all, one of, beginning, expression.
fn written((kind, names): &(u8, Vec<String>)) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    match kind {
        0 => "*".into(),
        1 => format!("in {{{}}}", quoted.join(", ")),
        2 => format!("like \"{}*\"", names[0]),
        _ => format!("matching /{}.b?/", names[0]),
    }
}

fn hit((kind, names): &(u8, Vec<String>), name: &str) -> bool {
    match kind {
        0 => true,
        1 => names.iter().any(|other| other == name),
        2 => name.starts_with(&names[0]),
        _ => name.strip_prefix(names[0].as_str()).is_some_and(|rest| {
            let rest: Vec<char> = rest.chars().collect();
            rest.len() == 1 || rest.len() == 2 && rest[1] == 'b'
        }),
    }
}

fn naive(rules: &[Plain], user: &str, operation: AclOperation, name: &str) -> bool {
    let about = |rule: &&Plain| {
        let operations = OperationSet::of(&rule.operations).with_implied();
        operations.contains(operation) && hit(&rule.users, user) && hit(&rule.names, name)
    };
    !rules.iter().filter(|rule| rule.deny).any(|rule| about(&rule))
        && rules.iter().filter(|rule| !rule.deny).any(|rule| about(&rule))
}

proptest! {
    #[test]
    fn compiled_rules_decide_as_a_naive_interpreter(
        mut list in prop::collection::vec(plain(), 0..12),
        questions in prop::collection::vec((name(), name()), 1..20),
    ) {
        list.sort_by_key(|rule| !rule.deny);
        let statements: String = list
            .iter()
            .map(|rule| {
                let effect = if rule.deny { "deny" } else { "allow" };
                let operations: Vec<_> = rule.operations.iter().map(|operation| operation.name()).collect();
                format!(
                    "{effect} User with name {} to {{{}}} Topic with name {};\n",
                    written(&rule.users), operations.join(", "), written(&rule.names)
                )
            })
            .collect();
        let rules = Arc::new(topics(&statements));
        for (user, topic) in questions {
            let mut view = AccessView::new(Arc::clone(&rules), &[Principal::user(&user)]);
            for operation in AclResource::Topic.operations().iter() {
                let expected = naive(&list, &user, operation, &topic);
                let decision = view.decide(AclResource::Topic, operation, &topic);
                prop_assert_eq!(decision.allowed, expected, "{} {:?} {}\n{}", user, operation, topic, statements);
                prop_assert_eq!(view.decide(AclResource::Topic, operation, &topic), decision);
                if let DecidedBy::Rule(number) = decision.by {
                    let rule = rules.rule(number).unwrap();
                    prop_assert_eq!(rule.effect == RuleEffect::Allow, decision.allowed);
                }
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        drop(parse_rules(&text));
    }
}
