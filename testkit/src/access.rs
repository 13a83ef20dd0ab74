//! Filters with rules of access.

use std::sync::Arc;

use kproxy::model::acl::{AclRules, parse_rules};
use kproxy::model::{AuthorizationModel, FilterKind, FilterMode, FilterModel, UnansweredDenial};

/// A filter of type `Authorization` with the name `authz` and the rules of this text.
#[track_caller]
pub fn authorization(mode: FilterMode, rules: &str) -> Arc<FilterModel> {
    Arc::new(FilterModel {
        name: "authz".to_owned(),
        kind: FilterKind::Authorization(AuthorizationModel {
            rules: Arc::new(AclRules::new(parse_rules(rules).unwrap()).unwrap()),
            in_file: false,
            unanswered: UnansweredDenial::Close,
        }),
        mode,
        when: None,
        on_error: Default::default(),
    })
}
