//! The list of findings of `kproxy doctor`.

use kproxy::doctor::FindingKind;

use super::markdown::{code, doc};

#[test]
fn every_finding_is_explained_in_the_words_of_the_command() {
    let page = doc("operating/doctor.md");
    let rows = page.rows();
    for kind in FindingKind::ALL {
        let row = rows
            .iter()
            .find(|(_, cells)| code(&cells[0]) == Some(kind.name()));
        let (_, cells) =
            row.unwrap_or_else(|| panic!("docs/operating/doctor.md does not explain {}", kind.name()));
        let expected = [kind.level().name(), kind.means(), kind.advice()];
        assert_eq!(cells[1..], expected, "{}", kind.name());
    }
}
