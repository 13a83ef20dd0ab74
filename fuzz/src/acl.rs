//! Files of access rules.

use std::sync::Arc;

use kproxy::model::{Principal, acl};

/// A text of rules is refused with positions inside it, or compiled; then what decides is a rule with that effect.
pub fn rules(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let lines = text.split('\n').count();
    let document = match acl::parse_rules(text) {
        Ok(document) => document,
        Err(faults) => {
            assert!(!faults.is_empty() && faults.len() < 1000);
            assert!(
                faults
                    .iter()
                    .all(|fault| (1..=lines).contains(&(fault.line as usize)))
            );
            return;
        }
    };
    let Ok(compiled) = acl::AclRules::new(document) else {
        return;
    };
    let rules = Arc::new(compiled);
    for name in ["", "a", "orders", text.get(..30).unwrap_or(text)] {
        let mut view = acl::AccessView::new(Arc::clone(&rules), &[Principal::user(name)]);
        for resource in acl::AclResource::ALL {
            for operation in resource.operations().iter() {
                let decision = view.decide(resource, operation, name);
                assert_eq!(view.decide(resource, operation, name), decision);
                match decision.by {
                    acl::DecidedBy::Rule(number) => {
                        let effect = rules.rule(number).map(|rule| rule.effect);
                        let expected =
                            [acl::RuleEffect::Deny, acl::RuleEffect::Allow][usize::from(decision.allowed)];
                        assert_eq!(effect, Some(expected));
                    }
                    acl::DecidedBy::Otherwise => assert!(!decision.allowed),
                    acl::DecidedBy::NotGoverned => assert!(decision.allowed && !rules.governs(resource)),
                }
            }
        }
    }
}
