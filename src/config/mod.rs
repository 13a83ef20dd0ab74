//! What the operator wrote: `proxy.yaml` with the position of everything in it.
//!
//! [`parse`] is pure; only `load.rs` reads the file system. Both report every unknown, repeated and wrongly typed
//! key at once and keep what was readable, so that `model` can check its rules on the rest and the operator sees
//! all violations in one go.

use std::path::{Path, PathBuf};
use std::sync::Arc;

mod address;
mod decode;
mod diagnostic;
mod include;
mod load;
mod references;
pub mod schema;
mod secret;
mod sources;
mod value;
mod yaml;

pub use address::{Address, HostPattern, Servers};
pub use decode::{List, Shape, Spanned};
pub use diagnostic::{Diagnostic, FileId, Pos, Severity};
pub(crate) use diagnostic::{Errors, merge, nearest, quoted, suggestion};
pub use include::Included;
pub use load::{MAX_FILE_SIZE, control_socket, load, load_again, load_once};
pub use secret::Secret;
pub use sources::{Digest, Sources};
pub(crate) use value::parse_duration;
pub use value::{NodeId, Percent, Size};

use decode::Decode;
use references::References;
use schema::{ClusterDefinition, Root, VirtualCluster};

/// A file of the configuration.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    /// As the operator named it; every diagnostic begins with it.
    pub name: Arc<str>,
    /// What relative paths in the file are relative to.
    pub directory: PathBuf,
}

impl ConfigFile {
    fn at(path: &Path) -> Self {
        Self {
            name: Arc::from(path.to_string_lossy()),
            directory: path.parent().unwrap_or_else(|| Path::new("")).to_owned(),
        }
    }
}

/// A configuration, decoded.
#[derive(Debug, Clone)]
pub struct Config {
    /// By [`FileId`], the one the operator named first.
    pub files: Vec<ConfigFile>,
    pub root: Root,
    /// What `reload.include` adds.
    pub included: Vec<Included>,
    /// No included file was left out.
    pub included_complete: bool,
    /// The content of other files that are named here.
    pub(crate) references: References,
}

impl Config {
    /// Where a written path leads: it is relative to the file it stands in.
    pub fn path(&self, written: &Spanned<PathBuf>) -> PathBuf {
        match self.files.get(written.at.file.index()) {
            Some(file) => file.directory.join(&written.value),
            None => written.value.clone(),
        }
    }

    /// The lists of cluster definitions of all files.
    pub fn cluster_definitions(&self) -> impl Iterator<Item = &Spanned<List<ClusterDefinition>>> {
        let included = self
            .included
            .iter()
            .filter_map(|file| file.cluster_definitions.as_ref());
        self.root.cluster_definitions.iter().chain(included)
    }

    /// The lists of virtual clusters of all files.
    pub fn virtual_clusters(&self) -> impl Iterator<Item = &Spanned<List<VirtualCluster>>> {
        let included = self
            .included
            .iter()
            .filter_map(|file| file.virtual_clusters.as_ref());
        self.root.virtual_clusters.iter().chain(included)
    }

    /// The names of the files, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.files.iter().map(|file| &file.name)
    }
}

/// What came of reading a configuration.
#[derive(Debug)]
pub struct Parsed {
    /// What could be decoded; `None` where the text is not YAML.
    pub config: Option<Config>,
    /// Empty if everything was understood, in the order of the files otherwise.
    pub diagnostics: Vec<Diagnostic>,
}

/// Decodes the bytes of a file called `file`, reading no other: that it includes some is a violation. Never panics, and takes time and memory in
/// proportion to the length, whatever the bytes are.
pub fn parse(bytes: &[u8], file: &str) -> Parsed {
    let main = ConfigFile::at(Path::new(file));
    let mut errors = Errors::new();
    let id = errors.add_file(Arc::clone(&main.name));
    let root: Option<Root> = decode_bytes(bytes, id, &mut errors);
    let config = root.map(|root| Config {
        files: vec![main],
        included: Vec::new(),
        included_complete: include::leave_out(&root, &mut errors),
        root,
        references: References::default(),
    });
    Parsed {
        config,
        diagnostics: errors.into_diagnostics(),
    }
}

/// Decodes one file.
fn decode_bytes<T: Decode>(bytes: &[u8], file: FileId, errors: &mut Errors) -> Option<T> {
    let text = text(bytes, file, errors)?;
    match yaml::compose(text, file) {
        Ok(Some(tree)) => T::decode(tree.root(), errors),
        Ok(None) => {
            errors.push(
                file.start(),
                match file {
                    FileId::MAIN => "the file is empty, it needs at least `virtualClusters`",
                    _ => "the file is empty, it needs `clusterDefinitions` or `virtualClusters`",
                },
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
fn text<'b>(bytes: &'b [u8], file: FileId, errors: &mut Errors) -> Option<&'b str> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        errors.push(file.start(), "the file is UTF-16, kproxy reads UTF-8");
        return None;
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            errors.push(end_of(&valid, file), "invalid UTF-8");
            None
        }
    }
}

/// The position right behind `text`.
fn end_of(text: &str, file: FileId) -> Pos {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
    let last_line = text.rsplit_once('\n').map_or(text, |(_, last)| last);
    Pos {
        file,
        line: count(text.matches('\n').count()),
        col: count(last_line.chars().count()),
    }
}
