//! The query of a request: `name=value` pairs, percent-encoded (RFC 3986 §2.1).

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

/// The parameters of a request that nobody has taken yet.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, OsString)>);

/// Why a query is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadQuery {
    #[error("parameter `{0}` is not percent-encoded text")]
    Encoding(String),
    #[error("parameter `{name}` must be {expected}")]
    Value {
        name: &'static str,
        expected: &'static str,
    },
    #[error("unknown parameter {0:?}")]
    Unknown(String),
}

impl Query {
    /// Reads a query without its question mark.
    ///
    /// # Errors
    /// [`BadQuery::Encoding`].
    pub(super) fn parse(query: &str) -> Result<Self, BadQuery> {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value).ok_or_else(|| BadQuery::Encoding(name.to_owned()))?;
            Ok((name.to_owned(), OsString::from_vec(value)))
        };
        pairs.map(pair).collect::<Result<_, _>>().map(Self)
    }

    fn take(&mut self, name: &str) -> Option<OsString> {
        let place = self.0.iter().position(|(found, _)| found == name)?;
        Some(self.0.remove(place).1)
    }

    /// # Errors
    /// [`BadQuery::Encoding`] for what is not UTF-8.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, BadQuery> {
        let value = self.take(name).map(OsString::into_string).transpose();
        value.map_err(|_| BadQuery::Encoding(name.to_owned()))
    }

    /// # Errors
    /// [`BadQuery::Value`].
    pub(super) fn number(&mut self, name: &'static str) -> Result<Option<u64>, BadQuery> {
        let expected = "a number";
        let number = |value: OsString| value.to_str()?.parse().ok();
        let value = self.take(name);
        let wrong = BadQuery::Value { name, expected };
        value.map(|value| number(value).ok_or(wrong)).transpose()
    }

    /// A switch: absent or `=false` is off, present or `=true` is on.
    ///
    /// # Errors
    /// [`BadQuery::Value`].
    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool, BadQuery> {
        let expected = "`true` or `false`";
        match self.take(name).as_deref().map(OsStr::as_bytes) {
            None | Some(b"false") => Ok(false),
            Some(b"" | b"true") => Ok(true),
            Some(_) => Err(BadQuery::Value { name, expected }),
        }
    }

    /// An absolute path.
    ///
    /// # Errors
    /// [`BadQuery::Value`].
    pub(super) fn path(&mut self, name: &'static str) -> Result<Option<PathBuf>, BadQuery> {
        let expected = "an absolute path";
        match self.take(name).map(PathBuf::from) {
            Some(path) if !path.is_absolute() => Err(BadQuery::Value { name, expected }),
            path => Ok(path),
        }
    }

    /// Ends the reading of a query.
    ///
    /// # Errors
    /// [`BadQuery::Unknown`] for a parameter that was not taken.
    pub(super) fn finish(self) -> Result<(), BadQuery> {
        match self.0.into_iter().next() {
            Some((name, _)) => Err(BadQuery::Unknown(name)),
            None => Ok(()),
        }
    }
}

/// Undoes percent-encoding; `None` for a percent sign without two hexadecimal digits.
fn decode(value: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok()?
            }
            other => other,
        });
    }
    Some(bytes)
}

/// Path and query of a request. The value of a parameter may be any bytes, as a path may.
#[derive(Debug, Clone)]
pub struct RequestTarget(String);

impl RequestTarget {
    /// The target without parameters: `/status`.
    pub fn new(path: &str) -> Self {
        Self(path.to_owned())
    }

    /// Adds `name=value`, if there is a value.
    #[must_use]
    pub fn with(mut self, name: &str, value: Option<impl AsRef<OsStr>>) -> Self {
        let Some(value) = value else { return self };
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        self.0.push_str(name);
        self.0.push('=');
        for &byte in value.as_ref().as_bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                    self.0.push(char::from(byte));
                }
                // Writing to a string cannot fail.
                _ => drop(write!(self.0, "%{byte:02X}")),
            }
        }
        self
    }

    /// Adds `name=true`, if it is.
    #[must_use]
    pub fn with_flag(self, name: &str, is_set: bool) -> Self {
        self.with(name, is_set.then_some("true"))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded_and_never_guessed() {
        let mut query = Query::parse("cluster=a%2Fb+c&client=%C3%A9&generation=7&force&wait=false").unwrap();
        assert_eq!(query.text("cluster"), Ok(Some("a/b c".into())));
        assert_eq!(query.text("client"), Ok(Some("é".into())));
        assert_eq!(query.text("client"), Ok(None));
        assert_eq!(query.number("generation"), Ok(Some(7)));
        assert_eq!((query.flag("force"), query.flag("wait")), (Ok(true), Ok(false)));
        assert_eq!(query.finish(), Ok(()));
        assert_eq!(Query::parse("").unwrap().finish(), Ok(()));
        for wrong in ["cluster=%", "cluster=%zz", "cluster=%+1"] {
            assert!(Query::parse(wrong).is_err(), "{wrong}");
        }
        let query = |text| Query::parse(text).unwrap();
        assert!(query("client=%ff").text("client").is_err());
        assert!(query("generation=x").number("generation").is_err());
        assert!(query("force=1").flag("force").is_err());
        assert!(query("file=a").path("file").is_err());
        assert_eq!(query("other=1").finish(), Err(BadQuery::Unknown("other".into())));
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        let path = OsStr::from_bytes(b"/etc/a b&c=d%?\xff+\xc3\xa9#.yaml");
        let target = RequestTarget::new("/reload")
            .with("file", Some(path))
            .with("cluster", None::<&str>)
            .with_flag("force", true)
            .with_flag("wait", false);
        let (resource, query) = target.as_str().split_once('?').unwrap();
        assert_eq!(resource, "/reload");
        assert!(target.as_str().parse::<hyper::Uri>().is_ok(), "{target:?}");
        let mut query = Query::parse(query).unwrap();
        assert_eq!(query.path("file"), Ok(Some(path.into())));
        assert_eq!(query.flag("force"), Ok(true));
        assert_eq!(query.finish(), Ok(()));
    }
}
