//! What the operator wrote: `proxy.yaml` with the position of everything in it.
//!
//! [`parse`] is pure; only `load.rs` reads the file system. Both report every unknown, repeated and wrongly typed
//! key at once and keep what was readable, so that `model` can check its rules on the rest and the operator sees
//! all violations in one go.

use std::path::{Path, PathBuf};
use std::sync::Arc;

mod address;
mod broker_pattern;
mod decode;
mod diagnostic;
mod environment;
mod foreign;
mod include;
mod load;
mod references;
pub mod schema;
mod secret;
mod sources;
mod text;
mod value;
mod yaml;

pub use address::{Address, HostPattern, Servers};
pub use broker_pattern::BrokerPattern;
pub use decode::{List, Shape, Spanned};
pub use diagnostic::{Diagnostic, FileId, Pos, Severity};
pub(crate) use diagnostic::{Errors, merge, nearest, quoted, suggestion};
pub use include::Included;
pub use load::{MAX_FILE_SIZE, control_socket, load, load_again, load_once};
pub use secret::Secret;
pub use sources::{Digest, Sources};
pub(crate) use value::parse_duration;
pub use value::{NodeId, Percent, PrefixLength, Size};

use decode::Decode;
use environment::Environment;
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
    /// Nothing but space and comments stands in the main file.
    pub emptied: bool,
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

    /// Gives the files that `broken` blames what is kept of them. Whether that makes a difference.
    pub(crate) fn hold_back(&mut self, broken: &[Diagnostic], kept: &Sources, sources: &mut Sources) -> bool {
        references::hold_back(self, broken, kept, sources)
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
    /// What has no effect, and is no reason to refuse the configuration.
    pub(crate) notes: Vec<(Pos, String)>,
}

/// Decodes the bytes of a file called `file`, reading no other and no environment: that it includes files or names
/// variables without a default is a violation. Never panics, and takes time and memory in
/// proportion to the length, whatever the bytes are.
pub fn parse(bytes: &[u8], file: &str) -> Parsed {
    let main = ConfigFile::at(Path::new(file));
    let mut errors = Errors::new();
    let id = errors.add_file(Arc::clone(&main.name));
    let root = decode_main(bytes, id, Environment::NONE, &mut errors);
    let config = root.map(|(root, emptied)| Config {
        files: vec![main],
        emptied,
        included: Vec::new(),
        included_complete: include::leave_out(&root, &mut errors),
        root,
        references: References::default(),
    });
    Parsed {
        config,
        notes: errors.take_notes(),
        diagnostics: errors.into_diagnostics(),
    }
}

/// Decodes the main file; whether it is empty, which is for `model` to judge.
fn decode_main(
    bytes: &[u8],
    file: FileId,
    environment: Environment<'_>,
    errors: &mut Errors,
) -> Option<(Root, bool)> {
    match compose(bytes, file, environment, errors)? {
        Some(tree) => Some((Root::decode(tree.root(), errors)?, false)),
        None => {
            let nothing = yaml::Tree::nothing(file);
            Some((Root::decode(nothing.root(), errors)?, true))
        }
    }
}

/// Decodes an included file.
fn decode_included<T: Decode>(
    bytes: &[u8],
    file: FileId,
    environment: Environment<'_>,
    errors: &mut Errors,
) -> Option<T> {
    match compose(bytes, file, environment, errors)? {
        Some(tree) => T::decode(tree.root(), errors),
        None => {
            let why = "the file is empty, it needs `clusterDefinitions` or `virtualClusters`";
            errors.push(file.start(), why);
            None
        }
    }
}

/// The bytes as YAML. The outer `None`: they are not, which has been reported; the inner one: nothing stands there.
fn compose<'b>(
    bytes: &'b [u8],
    file: FileId,
    environment: Environment<'_>,
    errors: &mut Errors,
) -> Option<Option<yaml::Tree<'b>>> {
    let text = text::read(bytes, file, errors)?;
    let mut tree = yaml::compose(text, file)
        .map_err(|fault| errors.push(fault.at, fault.message))
        .ok()?;
    if let Some(tree) = tree.as_mut().filter(|_| text.contains(environment::OPEN)) {
        environment.replace(tree, errors);
    }
    Some(tree)
}
