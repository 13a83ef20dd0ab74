//! Replacement of `${env:NAME}` and `${env:NAME:-DEFAULT}` in values.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt;

use super::diagnostic::{Errors, quoted};
use super::yaml::Tree;

/// Beginning of a reference to a variable.
pub(super) const OPEN: &str = "${env:";

/// Length of the longest value after replacement, in bytes; the same limit as for a written value.
const MAX_VALUE: usize = 64 * 1024;

/// The source of variables.
#[derive(Clone, Copy)]
pub(super) struct Environment<'e>(pub(super) &'e dyn Fn(&str) -> Option<OsString>);

impl Environment<'static> {
    /// The environment of this process.
    pub(super) const PROCESS: Self = Self(&|name| std::env::var_os(name));

    /// An environment without variables.
    pub(super) const NONE: Self = Self(&|_| None);
}

impl fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment(***)")
    }
}

impl Environment<'_> {
    /// Replaces every reference in the values of `tree`. A reference that cannot be replaced is reported at the position of
    /// the value, and no other error is reported for that value.
    pub(super) fn replace(self, tree: &mut Tree<'_>, errors: &mut Errors) {
        let mut lost = HashSet::new();
        tree.edit_values(|at, text| {
            if !text.contains(OPEN) {
                return;
            }
            match self.replaced(text) {
                Ok(replaced) => *text = replaced.into(),
                Err(why) => {
                    errors.push_alone(at, why);
                    lost.insert(at);
                }
            }
        });
        tree.lose(&lost);
    }

    /// Returns the text with the values of its variables. References inside those values are not replaced.
    fn replaced(self, text: &str) -> Result<String, String> {
        let mut replaced = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, reference)) = rest.split_once(OPEN) {
            let (reference, behind) = reference
                .split_once('}')
                .ok_or_else(|| format!("`{OPEN}` without a closing `}}`"))?;
            replaced.push_str(before);
            replaced.push_str(&self.value(reference)?);
            rest = behind;
            if replaced.len() > MAX_VALUE {
                return Err(format!(
                    "the value is longer than {} KiB after its variables are replaced",
                    MAX_VALUE / 1024
                ));
            }
        }
        replaced.push_str(rest);
        Ok(replaced)
    }

    /// Returns the value of `NAME` or `NAME:-DEFAULT`. The default also replaces an empty value, as in a shell.
    fn value(self, reference: &str) -> Result<String, String> {
        let (name, default) = match reference.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (reference, None),
        };
        if !is_name(name) {
            // The text is not repeated: it may be a secret.
            return Err(format!(
                "`{OPEN}` needs the name of a variable and a closing `}}`, or a name, `:-` and a default"
            ));
        }
        match ((self.0)(name), default) {
            (Some(value), Some(default)) if value.is_empty() => Ok(default.to_owned()),
            (Some(value), _) => value
                .into_string()
                .map_err(|_| format!("the environment variable {} is not UTF-8", quoted(name))),
            (None, Some(default)) => Ok(default.to_owned()),
            (None, None) => Err(format!(
                "the environment variable {} is not set; write `{OPEN}{name}:-DEFAULT}}` to give it a default",
                quoted(name)
            )),
        }
    }
}

/// Whether `text` is a reference to a variable and nothing else, without a default.
pub(super) fn is_reference(text: &str) -> bool {
    let name = text.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(is_name)
}

/// Whether `name` is a name of a variable by the rules of POSIX.
fn is_name(name: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.bytes().all(letters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(text: &str) -> Result<String, String> {
        let look_up = |name: &str| match name {
            "HOST" => Some("kafka.example.com".into()),
            "EMPTY" => Some(OsString::new()),
            "NESTED" => Some("${env:HOST}".into()),
            "LONG" => Some("x".repeat(MAX_VALUE).into()),
            "ODD" => Some(std::os::unix::ffi::OsStringExt::from_vec(vec![0xff])),
            _ => None,
        };
        Environment(&look_up).replaced(text)
    }

    #[test]
    fn references_are_replaced() {
        for (text, expected) in [
            ("${env:HOST}:9092", "kafka.example.com:9092"),
            (
                "a,${env:HOST},${env:HOST}",
                "a,kafka.example.com,kafka.example.com",
            ),
            ("${env:NONE:-localhost:9092}", "localhost:9092"),
            ("${env:HOST:-other}", "kafka.example.com"),
            ("${env:EMPTY}", ""),
            ("${env:EMPTY:-full}", "full"),
            ("${env:NONE:-}", ""),
            ("${env:NESTED}", "${env:HOST}"),
            ("$(nodeId) ${HOST} $HOST", "$(nodeId) ${HOST} $HOST"),
        ] {
            assert_eq!(replaced(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_replaced_is_told_without_a_value() {
        for (text, expected) in [
            (
                "${env:NONE}",
                "the environment variable `NONE` is not set; write `${env:NONE:-DEFAULT}` to give it a default",
            ),
            ("${env:HOST", "`${env:` without a closing `}`"),
            ("${env:}", "`${env:` needs the name"),
            ("${env:1A}", "`${env:` needs the name"),
            ("${env:s3cret!}", "`${env:` needs the name"),
            ("${env:ODD}", "the environment variable `ODD` is not UTF-8"),
            ("x${env:LONG}", "the value is longer than 64 KiB"),
        ] {
            let why = replaced(text).unwrap_err();
            assert!(why.starts_with(expected), "{why}");
            assert!(!why.contains("s3cret"), "{why}");
        }
    }
}
