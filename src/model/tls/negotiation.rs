//! Lists of protocol versions and cipher suites.

use super::super::resolve::Scope;
use crate::config::schema::AllowDeny;
use crate::config::{Errors, List, Spanned, nearest, quoted};
use crate::pki::{Known, Negotiation, SUITES, VERSIONS, suite, version};

/// `None` where something was wrong and has been reported.
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
    let errors = &mut scope.errors;
    let versions = Names {
        what: "protocol version",
        known: VERSIONS.to_vec(),
        find: version,
    };
    let versions = versions.pick(protocols, default.versions, errors);
    let suites = Names {
        what: "cipher suite",
        known: SUITES.iter().map(|(name, _)| name.as_str()).collect(),
        find: suite,
    };
    let suites = suites.pick(cipher_suites, default.suites, errors);
    let (mut versions, suites) = (versions?, suites?);
    let named = protocols.and_then(|protocols| protocols.value.allowed.as_ref());
    if !suites.is_empty() && named.is_none_or(|named| named.value.items.is_empty()) {
        // Nobody asked for a version that is only there by default, so it goes with its last suite.
        versions.retain(|version| suites.iter().any(|suite| suite.version() == *version));
    }
    Negotiation::new(versions, &suites)
        .map_err(|why| errors.push(last, why.0))
        .ok()
}

/// The names of one kind of thing.
struct Names<'n, T> {
    what: &'static str,
    /// What may have been meant by one that is unknown.
    known: Vec<&'n str>,
    find: fn(&str) -> Known<T>,
}

impl<T: Copy + PartialEq> Names<'_, T> {
    /// Those allowed, in their order, without those denied. An empty list allows what is allowed by default.
    fn pick(
        &self,
        written: Option<&Spanned<AllowDeny>>,
        default: Vec<T>,
        errors: &mut Errors,
    ) -> Option<Vec<T>> {
        let Some(written) = written.map(|written| &written.value) else {
            return Some(default);
        };
        let denied = self.read(written.denied.as_ref(), false, errors);
        let allowed = self.read(written.allowed.as_ref(), true, errors);
        let (denied, allowed) = (denied?, allowed?);
        let mut left = if allowed.is_empty() { default } else { allowed };
        left.retain(|one| !denied.contains(one));
        written.shape.is_sound().then_some(left)
    }

    /// Denying what is not supported is fine.
    fn read(
        &self,
        list: Option<&Spanned<List<String>>>,
        needs_support: bool,
        errors: &mut Errors,
    ) -> Option<Vec<T>> {
        let Some(list) = list.map(|list| &list.value) else {
            return Some(Vec::new());
        };
        let mut found = Vec::with_capacity(list.items.len());
        let mut fine = list.complete;
        for name in &list.items {
            match (self.find)(&name.value) {
                Known::Supported(one) if !found.contains(&one) => found.push(one),
                Known::Supported(_) => {}
                Known::Unsupported if !needs_support => {}
                Known::Unsupported => {
                    fine = false;
                    let why = format!(
                        "{} {} is not supported: it is not secure enough, or not in use",
                        self.what,
                        quoted(&name.value)
                    );
                    errors.push(name.at, why);
                }
                Known::Unknown => {
                    fine = false;
                    errors.push_with(name.at, || self.unknown(&name.value));
                }
            }
        }
        fine.then_some(found)
    }

    fn unknown(&self, name: &str) -> String {
        let hint = match nearest(name, &self.known) {
            Some(near) => format!(", did you mean {}?", quoted(near)),
            None => {
                let supported = self
                    .known
                    .iter()
                    .filter(|name| matches!((self.find)(name), Known::Supported(_)));
                let supported: Vec<String> = supported.map(|name| quoted(name)).collect();
                format!(", supported are {}", supported.join(", "))
            }
        };
        format!("unknown {} {}{hint}", self.what, quoted(name))
    }
}
