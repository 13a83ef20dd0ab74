//! Rules in the documents: every block of the language `acl` is a file of rules without warnings.

use kproxy::model::acl::{AclRules, parse_rules};

use super::markdown::{Page, pages};

#[test]
fn every_file_of_rules_in_the_documents_can_be_used() {
    let mut found = 0;
    for block in pages().iter().flat_map(Page::blocks) {
        if block.language != "acl" {
            continue;
        }
        let place = block.place;
        let document = parse_rules(&block.code).unwrap_or_else(|faults| panic!("{place}: {faults:#?}"));
        assert!(document.warnings.is_empty(), "{place}: {:#?}", document.warnings);
        AclRules::new(document).unwrap_or_else(|error| panic!("{place}: {error}"));
        found += 1;
    }
    assert!(found > 0, "no document has rules");
}
