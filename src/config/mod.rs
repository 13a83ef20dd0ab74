//! What the operator wrote: `proxy.yaml` with the position of everything in it.
//!
//! [`parse`] is pure; only [`load`] reads the file system. Both report every unknown, repeated and wrongly typed
//! key at once and keep what was readable, so that `model` can check its rules on the rest and the operator sees
//! all violations in one go.

use std::path::{Path, PathBuf};
use std::sync::Arc;

mod address;
mod decode;
mod diagnostic;
mod load;
pub mod schema;
mod secret;
mod value;
mod yaml;

pub use address::{Address, HostPattern, Servers};
pub(crate) use decode::not_supported_yet;
pub use decode::{List, Shape, Spanned};
pub use diagnostic::{Diagnostic, Pos, Severity};
pub(crate) use diagnostic::{Errors, merge, nearest, quoted, suggestion};
pub use load::{MAX_FILE_SIZE, load};
pub use secret::Secret;
pub use value::{NodeId, Percent, Size};

use decode::Decode;
use schema::Root;

/// One configuration file, decoded.
#[derive(Debug, Clone)]
pub struct Config {
    /// As the operator named it; every diagnostic begins with it.
    pub file: Arc<str>,
    /// What relative paths in the file are relative to.
    pub directory: PathBuf,
    pub root: Root,
}

/// What came of reading a file.
#[derive(Debug)]
pub struct Parsed {
    /// What could be decoded; `None` where the text is not YAML.
    pub config: Option<Config>,
    /// Empty if the whole file was understood, in the order of the file otherwise.
    pub diagnostics: Vec<Diagnostic>,
}

/// Decodes the bytes of a file called `file`. Never panics, and takes time and memory in proportion to the
/// length, whatever the bytes are.
pub fn parse(bytes: &[u8], file: &str) -> Parsed {
    let directory = Path::new(file).parent().unwrap_or_else(|| Path::new(""));
    parse_in(bytes, Arc::from(file), directory)
}

fn parse_in(bytes: &[u8], file: Arc<str>, directory: &Path) -> Parsed {
    let mut errors = Errors::new();
    let root = decode_root(bytes, &mut errors);
    let diagnostics = errors.into_diagnostics(&file);
    let config = root.map(|root| Config {
        file,
        directory: directory.to_owned(),
        root,
    });
    Parsed { config, diagnostics }
}

fn decode_root(bytes: &[u8], errors: &mut Errors) -> Option<Root> {
    let text = text(bytes, errors)?;
    match yaml::compose(text) {
        Ok(Some(tree)) => Root::decode(tree.root(), errors),
        Ok(None) => {
            errors.push(
                Pos::START,
                "the file is empty, it needs at least `virtualClusters`",
            );
            None
        }
        Err(fault) => {
            errors.push(fault.at, fault.message);
            None
        }
    }
}

/// The bytes as text without the byte-order mark.
fn text<'b>(bytes: &'b [u8], errors: &mut Errors) -> Option<&'b str> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        errors.push(Pos::START, "the file is UTF-16, kproxy reads UTF-8");
        return None;
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            errors.push(end_of(&valid), "invalid UTF-8");
            None
        }
    }
}

/// The position right behind `text`.
fn end_of(text: &str) -> Pos {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
    let last_line = text.rsplit_once('\n').map_or(text, |(_, last)| last);
    Pos {
        line: count(text.matches('\n').count()),
        col: count(last_line.chars().count()),
    }
}
