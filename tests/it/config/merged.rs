//! Merge keys.

use super::{errors, loads};

const TWO: &str = "virtualClusters:
  - &first
    name: first
    targetCluster: {bootstrapServers: \"k:1\"}
    logNetwork: true
    drainTimeout: 5s
    gateways: [{name: g, portIdentifiesNode: {bootstrapAddress: \"localhost:1000\"}}]
  - SECOND
    gateways: [{name: g, portIdentifiesNode: {bootstrapAddress: \"localhost:1010\"}}]
";

#[test]
fn a_mapping_takes_in_what_it_does_not_say_itself() {
    for second in [
        "<<: *first\n    name: second\n    logNetwork: false",
        "name: second\n    logNetwork: false\n    <<: *first",
        "name: second\n    <<: [{logNetwork: false}, *first]",
        "<<: [{name: second, logNetwork: false}, {name: third}, *first]",
        "<<: {<<: *first, name: second}\n    logNetwork: false",
    ] {
        let model = loads(TWO.replace("SECOND", second));
        let (first, second) = (&model.clusters["first"], &model.clusters["second"]);
        assert!(first.log_network && !second.log_network);
        assert_eq!(
            (&first.target, first.drain.timeout),
            (&second.target, second.drain.timeout)
        );
        assert_eq!(second.gateways[0].bootstrap_port, 1010);
    }
}

/// What is merged does not count as written twice, and what is wrong with it is said once, where it stands.
#[test]
fn what_is_merged_keeps_its_place() {
    let wrong = TWO
        .replace("SECOND", "<<: *first\n    name: second")
        .replace("logNetwork: true", "logNetwork: maybe");
    assert_eq!(
        errors(wrong),
        "f.yaml:5:17: error: expected `true` or `false`, found `maybe`\n"
    );
}

#[test]
fn merging_is_bounded() {
    // Each level merges and holds the one below several times.
    let mut bomb = String::from("a0: &a0 {x: 1, y: 2}\n");
    for level in 1..40 {
        let below = level - 1;
        bomb += &format!(
            "a{level}: &a{level} {{<<: [*a{below}, *a{below}], b{level}: *a{below}, c{level}: *a{below}}}\n"
        );
    }
    let told = errors(bomb);
    assert!(told.contains("aliases expand to more than"), "{told}");
    let itself = errors("a: &a {<<: *a}\n");
    assert!(
        itself.contains("alias to a collection that contains it"),
        "{itself}"
    );
    // Many keys, merged many times, take no longer than the file is long.
    let keys: String = (0..400).map(|key| format!("k{key}: 1, ")).collect();
    let many: String = (0..400).map(|key| format!("m{key}: {{<<: *keys}}\n")).collect();
    let told = errors(format!("keys: &keys {{{keys}}}\n{many}"));
    assert!(told.contains("aliases expand to more than"), "{told}");
}
