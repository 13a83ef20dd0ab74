//! Lists of protocol versions and cipher suites.

use super::super::scope::Scope;
use crate::config::schema::AllowDeny;
use crate::config::{List, Spanned, nearest, quoted};
use crate::pki::{NameLookup, Negotiation, SUITES, VERSIONS, suite, version};

/// Resolves the lists; `None` after an error that was reported.
pub(super) fn resolve(
    protocols: Option<&Spanned<AllowDeny>>,
    cipher_suites: Option<&Spanned<AllowDeny>>,
    scope: &mut Scope<'_>,
) -> Option<Negotiation> {
    let default = Negotiation::default();
    let written = protocols.into_iter().chain(cipher_suites);
    let Some(last) = written.map(|list| list.key).max() else {
        return Some(default);
    };
    let versions = SupportedNames {
        what: "protocol version",
        known: VERSIONS.to_vec(),
        find: version,
    };
    let versions = versions.pick(protocols, default.versions, scope);
    let suites = SupportedNames {
        what: "cipher suite",
        known: SUITES.iter().map(|(name, _)| name.as_str()).collect(),
        find: suite,
    };
    let suites = suites.pick(cipher_suites, default.suites, scope);
    let (mut versions, suites) = (versions?, suites?);
    let named = protocols.and_then(|protocols| protocols.value.allowed.as_ref());
    if !suites.is_empty() && named.is_none_or(|named| named.value.items.is_empty()) {
        // A version that is there only by default is dropped with its last suite.
        versions.retain(|version| suites.iter().any(|suite| suite.version() == *version));
    }
    Negotiation::new(versions, &suites)
        .map_err(|why| scope.errors.push(last, why.to_string()))
        .ok()
}

/// The supported names of versions or suites.
struct SupportedNames<'n, T> {
    what: &'static str,
    /// Names to suggest for an unknown one.
    known: Vec<&'n str>,
    find: fn(&str) -> NameLookup<T>,
}

impl<T: Copy + PartialEq> SupportedNames<'_, T> {
    /// The allowed names in their order, without the denied ones. An empty list means the default.
    fn pick(
        &self,
        written: Option<&Spanned<AllowDeny>>,
        default: Vec<T>,
        scope: &mut Scope<'_>,
    ) -> Option<Vec<T>> {
        let Some(written) = written.map(|written| &written.value) else {
            return Some(default);
        };
        let denied = self.denied(written.denied.as_ref(), scope);
        let allowed = self.allowed(written.allowed.as_ref(), scope);
        let (denied, allowed) = (denied?, allowed?);
        let mut left = if allowed.is_empty() { default } else { allowed };
        left.retain(|one| !denied.contains(one));
        written.shape.is_sound().then_some(left)
    }

    /// Checks denied names. Denying a name that is never offered has no effect; an unknown name may be a misspelling
    /// and is worth a warning.
    fn denied(&self, list: Option<&Spanned<List<String>>>, scope: &mut Scope<'_>) -> Option<Vec<T>> {
        let Some(list) = list.map(|list| &list.value) else {
            return Some(Vec::new());
        };
        let mut found = Vec::with_capacity(list.items.len());
        for name in &list.items {
            match (self.find)(&name.value) {
                NameLookup::Supported(one) => found.push(one),
                NameLookup::Unsupported => {}
                NameLookup::Unknown => scope.warnings.push(name.at, || {
                    format!("denies nothing: {}", self.unknown(&name.value))
                }),
            }
        }
        list.complete.then_some(found)
    }

    /// Checks allowed names. Unsupported names are skipped with a warning, unless none is left.
    fn allowed(&self, list: Option<&Spanned<List<String>>>, scope: &mut Scope<'_>) -> Option<Vec<T>> {
        let Some(list) = list.map(|list| &list.value) else {
            return Some(Vec::new());
        };
        let mut found = Vec::with_capacity(list.items.len());
        let mut lacking = Vec::new();
        for name in &list.items {
            match (self.find)(&name.value) {
                NameLookup::Supported(one) if !found.contains(&one) => found.push(one),
                NameLookup::Supported(_) => {}
                NameLookup::Unsupported => {
                    let why = format!(
                        "{} {} is not supported: it is not secure enough, or not in use",
                        self.what,
                        quoted(&name.value)
                    );
                    lacking.push((name.at, why));
                }
                NameLookup::Unknown => lacking.push((name.at, self.unknown(&name.value))),
            }
        }
        let usable = !found.is_empty() || lacking.is_empty();
        for (at, why) in lacking {
            match usable {
                true => scope.warnings.push(at, || format!("allows nothing: {why}")),
                false => scope.errors.push(at, why),
            }
        }
        (usable && list.complete).then_some(found)
    }

    fn unknown(&self, name: &str) -> String {
        let hint = match nearest(name, &self.known) {
            Some(near) => format!(", did you mean {}?", quoted(near)),
            None => {
                let supported = self
                    .known
                    .iter()
                    .filter(|name| matches!((self.find)(name), NameLookup::Supported(_)));
                let supported: Vec<String> = supported.map(|name| quoted(name)).collect();
                format!(", supported are {}", supported.join(", "))
            }
        };
        format!("unknown {} {}{hint}", self.what, quoted(name))
    }
}
