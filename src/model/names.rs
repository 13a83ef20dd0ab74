//! Names: their syntax, and the check that none is used twice.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::config::{Errors, Pos, Spanned, quoted};

/// Longest DNS label (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// Longest name that is not part of a host name.
const MAX_NAME: usize = 255;

/// Reports the second use of a name, with the position of the first.
pub(super) struct Unique<'n> {
    what: &'static str,
    ignore_case: bool,
    seen: HashMap<Cow<'n, str>, Pos>,
}

impl<'n> Unique<'n> {
    pub(super) fn new(what: &'static str) -> Self {
        Self {
            what,
            ignore_case: false,
            seen: HashMap::new(),
        }
    }

    pub(super) fn ignoring_case(what: &'static str) -> Self {
        Self {
            ignore_case: true,
            ..Self::new(what)
        }
    }

    pub(super) fn check(&mut self, name: &'n str, at: Pos, errors: &mut Errors) {
        let key = if self.ignore_case {
            Cow::Owned(name.to_ascii_lowercase())
        } else {
            Cow::Borrowed(name)
        };
        if let Some(first) = self.seen.get(&key) {
            errors.push(
                at,
                format!(
                    "{} {} already defined on {}",
                    self.what,
                    quoted(name),
                    errors.line_of(*first, at)
                ),
            );
        } else {
            self.seen.insert(key, at);
        }
    }
}

/// Checks the name of a virtual cluster, which becomes part of host names.
pub(super) fn check_cluster_name(name: &Spanned<String>, errors: &mut Errors) {
    let text = name.value.as_str();
    let fine = (1..=MAX_LABEL).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-');
    if !fine {
        let rule = "letters, digits and inner hyphens, at most 63";
        errors.push(
            name.at,
            format!("name {} is not a DNS label ({rule})", quoted(text)),
        );
    }
}

/// Checks the name of a gateway, definition or range: it must be safe in logs and metric labels.
pub(super) fn check_name(name: &Spanned<String>, errors: &mut Errors) {
    let text = name.value.as_str();
    let fine = (1..=MAX_NAME).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !fine {
        errors.push(
            name.at,
            format!(
                "name {} has other characters than letters, digits and `._-`",
                quoted(text)
            ),
        );
    }
}
