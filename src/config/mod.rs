//! The configuration as the operator wrote it: `proxy.yaml`, with the position of everything in it.
//!
//! [`parse`] is pure; only `load.rs` reads the file system. Both report every unknown, repeated and wrongly typed
//! key at once and keep everything that was readable, so that `model` can check its rules on it and the operator sees
//! all errors at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

mod address;
mod api_range;
mod broker_pattern;
mod decode;
mod describe;
mod diagnostic;
mod environment;
mod excerpt;
mod fault_lines;
mod filter_types;
mod foreign;
mod forward_proxy_url;
mod include;
mod key_set_url;
mod load;
mod masked;
mod masking;
mod outline;
mod references;
pub mod schema;
mod secret;
mod sources;
mod text;
mod value;
mod yaml;
mod yaml_line;

pub(crate) use address::parse_address;
pub use address::{Address, HostPattern, Servers};
pub use api_range::ApiRange;
pub use broker_pattern::BrokerPattern;
pub use decode::{List, RecordShape, Spanned};
pub use diagnostic::{Diagnostic, FileId, Pos, Severity};
pub(crate) use diagnostic::{Errors, merge, nearest, quoted, suggestion};
pub(crate) use excerpt::load_excerpt;
pub use fault_lines::FaultLines;
pub use filter_types::{CustomConfig, CustomFault, CustomFilterType, CustomSettings, FilterTypeName};
pub(crate) use filter_types::{custom_filter_type, register_filter_type};
pub use forward_proxy_url::{ForwardProxyProtocol, ForwardProxyUrl};
pub use include::Included;
pub use key_set_url::KeySetUrl;
pub use load::{MAX_FILE_SIZE, control_socket, load, load_again, load_once, state_directory};
pub use masking::{KnownSecrets, mask, unmask};
pub(crate) use outline::Outline;
pub use secret::Secret;
pub use sources::{Digest, Sources};
pub use value::{Milliseconds, NodeId, Percent, PrefixLength, Size};

use decode::Decode;
use environment::Environment;
use references::References;
use schema::{ClusterDefinition, Root, VirtualCluster};

/// A file of the configuration.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    /// Name as the operator wrote it; every diagnostic begins with it.
    pub name: Arc<str>,
    /// Directory that relative paths in the file start from.
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

/// A decoded configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// All files, by [`FileId`]. The main file is the first.
    pub files: Vec<ConfigFile>,
    /// Content of the main file.
    pub root: Root,
    /// Whether the main file is empty but for space and comments.
    pub emptied: bool,
    /// Content of the files that `reload.include` adds.
    pub included: Vec<Included>,
    /// Whether every included file could be decoded.
    pub included_complete: bool,
    /// Content of the other files that the configuration refers to.
    pub(crate) references: References,
}

impl Config {
    /// Resolves a path of the configuration, which is relative to the directory of its file.
    pub fn path(&self, written: &Spanned<PathBuf>) -> PathBuf {
        match self.files.get(written.at.file.index()) {
            Some(file) => file.directory.join(&written.value),
            None => written.value.clone(),
        }
    }

    /// Restores the `kept` content of the files that `broken` blames. Returns whether the content of any file changed.
    pub(crate) fn hold_back(&mut self, broken: &[Diagnostic], kept: &Sources, sources: &mut Sources) -> bool {
        references::hold_back(self, broken, kept, sources)
    }

    /// Returns the lists of cluster definitions of all files.
    pub fn cluster_definitions(&self) -> impl Iterator<Item = &Spanned<List<ClusterDefinition>>> {
        let included = self
            .included
            .iter()
            .filter_map(|file| file.cluster_definitions.as_ref());
        self.root.cluster_definitions.iter().chain(included)
    }

    /// Returns the lists of virtual clusters of all files.
    pub fn virtual_clusters(&self) -> impl Iterator<Item = &Spanned<List<VirtualCluster>>> {
        let included = self
            .included
            .iter()
            .filter_map(|file| file.virtual_clusters.as_ref());
        self.root.virtual_clusters.iter().chain(included)
    }

    /// Returns the names of the files, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.files.iter().map(|file| &file.name)
    }
}

/// Result of decoding a configuration.
#[derive(Debug)]
pub struct ParsedConfig {
    /// Everything that could be decoded; `None` if the text is not YAML.
    pub config: Option<Config>,
    /// Errors, in the order of the files.
    pub diagnostics: Vec<Diagnostic>,
    /// Warnings about keys without effect.
    pub(crate) notes: Vec<(Pos, String)>,
}

/// Decodes the bytes of a file called `file` without reading another file or the environment: an include, or a variable
/// without a default, is an error. Never panics, and takes time and memory in proportion to the length, whatever the bytes
/// are.
pub fn parse(bytes: &[u8], file: &str) -> ParsedConfig {
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
    ParsedConfig {
        config,
        notes: errors.take_notes(),
        diagnostics: errors.into_diagnostics(),
    }
}

/// Decodes the main file. Also returns whether it is empty, which `model` may accept.
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
            let why = "the file is empty; it needs `clusterDefinitions` or `virtualClusters`";
            errors.push(file.start(), why);
            None
        }
    }
}

/// Parses the bytes as YAML. Returns the outer `None` after reporting why they are not YAML, and the inner `None` for an
/// empty document.
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
