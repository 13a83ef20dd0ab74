//! Addresses of sets of keys.

use std::path::PathBuf;

use super::Spanned;
use super::decode::Decode;
use super::describe::Schema;
use super::diagnostic::{Errors, quoted};
use super::yaml::{Node, NodeContent};

/// Where the keys of an issuer of tokens are: `https://HOST/PATH`, `http://HOST/PATH`, or `file:///PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySetUrl {
    /// At an address of the web.
    Web(String),
    /// In a file.
    File(Spanned<PathBuf>),
}

impl KeySetUrl {
    /// The file, if it is one.
    pub fn file(&self) -> Option<&Spanned<PathBuf>> {
        match self {
            Self::Web(_) => None,
            Self::File(file) => Some(file),
        }
    }
}

impl Decode for KeySetUrl {
    fn schema() -> Schema {
        Schema::text("URL (`https://`, `http://` or `file://`)")
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        let NodeContent::Scalar { text, .. } = node.content() else {
            let why = format!("expected a URL, found {}", node.describe());
            errors.push(node.at(), why);
            return None;
        };
        match parse(text) {
            Ok(None) => Some(Self::Web(text.to_owned())),
            Ok(Some(path)) => {
                let (at, key) = (node.at(), node.at());
                Some(Self::File(Spanned { value: path, at, key }))
            }
            Err(why) => {
                errors.push(node.at(), format!("the URL {} {why}", quoted(text)));
                None
            }
        }
    }
}

/// The path of a URL of a file; `None` for one of the web.
fn parse(url: &str) -> Result<Option<PathBuf>, &'static str> {
    if let Some(path) = url.strip_prefix("file:") {
        // `file:/p`, `file:///p` and `file://localhost/p` are one path (RFC 8089 §2, appendix B).
        let path = path.strip_prefix("//").unwrap_or(path);
        let path = path
            .strip_prefix("localhost/")
            .map_or(path, |_| &path["localhost".len()..]);
        return match path.starts_with('/') && !path.contains('\0') {
            true => Ok(Some(path.into())),
            false => Err("does not name a file by its whole path, as in `file:///etc/keys.json`"),
        };
    }
    let parsed: hyper::http::Uri = url.parse().map_err(|_| "is not a URL")?;
    if !matches!(parsed.scheme_str(), Some("http" | "https")) {
        return Err("does not begin with https://, http:// or file://");
    }
    match parsed.authority() {
        Some(authority) if authority.as_str().contains('@') => Err("names a user"),
        Some(authority) if !authority.host().is_empty() => Ok(None),
        _ => Err("names no host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_the_web_or_a_whole_path() {
        for web in [
            "https://issuer.example/keys",
            "http://127.0.0.1:1/",
            "https://[::1]/a?b=c",
        ] {
            assert_eq!(parse(web), Ok(None), "{web}");
        }
        for file in ["file:///a/b.json", "file:/a/b.json", "file://localhost/a/b.json"] {
            assert_eq!(parse(file), Ok(Some("/a/b.json".into())), "{file}");
        }
        for wrong in [
            "",
            "a",
            "file:a",
            "file://a",
            "file://host/a",
            "ftp://a/",
            "https://",
            "https://u:p@a/",
            "https://a b/",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
