//! `reload.include`: further files that hold clusters.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use glob::Pattern;

use super::decode::{Decode, Field, Fields, ForeignKey};
use super::describe::Schema;
use super::diagnostic::{Errors, quoted};
use super::environment::Environment;
use super::load::{self, Content};
use super::schema::{ClusterDefinition, Root, VirtualCluster};
use super::yaml::Node;
use super::{ConfigFile, List, Pos, RecordShape, Sources, Spanned, decode_included};

/// Number of included files, over all patterns.
const MAX_FILES: usize = 20_000;

/// Size of all included files together, in bytes.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Number of directories that the wildcards of one pattern may match.
const MAX_DIRECTORIES: usize = 1_000;

/// An included file, decoded.
#[derive(Debug, Clone)]
pub struct Included {
    /// `clusterDefinitions` of the file.
    pub cluster_definitions: Option<Spanned<List<ClusterDefinition>>>,
    /// `virtualClusters` of the file.
    pub virtual_clusters: Option<Spanned<List<VirtualCluster>>>,
    /// Parts of the file that were lost in decoding.
    pub shape: RecordShape,
}

impl Decode for Included {
    fn schema() -> Schema {
        Schema::text("an included file")
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        let mut fields = Fields::of(node, errors)?;
        let cluster_definitions = Field::take(&mut fields, "clusterDefinitions", errors);
        let virtual_clusters = Field::take(&mut fields, "virtualClusters", errors);
        let shape = fields.finish(&main_file_key, errors);
        Some(Self {
            cluster_definitions: cluster_definitions?,
            virtual_clusters: virtual_clusters?,
            shape,
        })
    }
}

fn main_file_key(key: &str, _value: Node<'_>) -> Option<ForeignKey> {
    let elsewhere = Root::KEYS.contains(&key);
    elsewhere.then(|| {
        ForeignKey::Rejected(format!(
            "{} belongs in the main file; an included file has only `clusterDefinitions` and `virtualClusters`",
            quoted(key)
        ))
    })
}

/// An item of `include` with wildcards, with the files that matched it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expansion {
    /// Directory that a relative pattern starts from.
    base: PathBuf,
    pattern: String,
    found: Result<Vec<PathBuf>, String>,
}

impl Expansion {
    fn of(base: &Path, pattern: &str) -> Self {
        Self {
            base: base.to_owned(),
            pattern: pattern.to_owned(),
            found: expand(base, pattern, MAX_FILES),
        }
    }

    /// Whether the same files still match.
    pub(super) fn is_current(&self) -> bool {
        expand(&self.base, &self.pattern, MAX_FILES) == self.found
    }

    /// Returns the reason why the pattern could not be expanded, if there is one.
    pub(super) fn fault(&self) -> Option<&str> {
        self.found.as_ref().err().map(String::as_str)
    }

    /// Returns the directories in which a matching file may appear: the one above the first wildcard, which need not exist,
    /// and those that match the parts of the pattern before its last.
    pub(super) fn directories(&self) -> Vec<PathBuf> {
        let above = Path::new(&self.pattern).ancestors().skip(1);
        let mut directories = Vec::new();
        for part in above.map(Path::to_string_lossy) {
            if !is_pattern(&part) {
                directories.push(self.base.join(&*part));
                break;
            }
            let found = expand(&self.base, &part, MAX_DIRECTORIES).unwrap_or_default();
            directories.extend(found.into_iter().filter(|path| load::is_directory(path)));
        }
        directories
    }
}

fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

fn expand(base: &Path, pattern: &str, limit: usize) -> Result<Vec<PathBuf>, String> {
    if Path::new(pattern).is_absolute() || base.as_os_str().is_empty() {
        return load::expand(pattern, limit);
    }
    let base = Pattern::escape(&base.to_string_lossy());
    load::expand(&format!("{base}/{pattern}"), limit)
}

/// Reads the files that `root` includes. Returns those that could be decoded, and whether these are all.
pub(super) fn read(
    root: &Root,
    main: &Content,
    files: &mut Vec<ConfigFile>,
    sources: &mut Sources,
    errors: &mut Errors,
) -> (Vec<Included>, bool) {
    let Some(list) = root.include() else {
        return (Vec::new(), true);
    };
    let mut complete = list.value.complete;
    let base = files
        .first()
        .map(|main| main.directory.clone())
        .unwrap_or_default();
    let found = find(&list.value, &base, sources, errors);
    if found.len() > MAX_FILES {
        errors.push(list.at, format!("more than {MAX_FILES} included files"));
        return (Vec::new(), false);
    }
    // A file is read once, even if several names lead to it or a pattern matches the main file.
    let mut seen = HashSet::from([main.identity]);
    let mut left = MAX_BYTES;
    let mut included = Vec::new();
    for (path, at) in found {
        let content = load::read(&path);
        let is_new = content
            .as_ref()
            .is_ok_and(|content| seen.insert(content.identity));
        sources.add_included(&path, &content, is_new);
        let content = match content {
            Ok(content) => content,
            Err(why) => {
                errors.push(at, format!("{}: {why}", quoted(&path.to_string_lossy())));
                complete = false;
                continue;
            }
        };
        if !is_new {
            continue;
        }
        let Some(rest) = left.checked_sub(content.bytes.len()) else {
            let limit = MAX_BYTES / (1024 * 1024);
            errors.push(
                list.at,
                format!("the included files are larger than {limit} MiB together"),
            );
            return (included, false);
        };
        left = rest;
        let decoded = decode(&path, &content.bytes, files, errors);
        complete &= decoded
            .as_ref()
            .is_some_and(|decoded: &Included| decoded.shape.is_sound());
        included.extend(decoded);
    }
    (included, complete)
}

fn decode(path: &Path, text: &[u8], files: &mut Vec<ConfigFile>, errors: &mut Errors) -> Option<Included> {
    let file = ConfigFile::at(path);
    let id = errors.add_file(Arc::clone(&file.name));
    files.push(file);
    decode_included(text, id, Environment::PROCESS, errors)
}

/// Decodes the files that were included when `kept` was read. All of them could be decoded then.
pub(super) fn read_again(kept: &Sources, files: &mut Vec<ConfigFile>, errors: &mut Errors) -> Vec<Included> {
    let included = kept.included_texts();
    included
        .filter_map(|(path, text)| decode(path, text, files, errors))
        .collect()
}

/// Reports every include of `root`, for callers that read no files. Returns whether there is none.
pub(super) fn leave_out(root: &Root, errors: &mut Errors) -> bool {
    let items = root.include().map_or(&[][..], |list| &list.value.items);
    for item in items {
        let why = "only the text of the configuration is known";
        errors.push(
            item.at,
            format!("{}: cannot read the file: {why}", quoted(&item.value)),
        );
    }
    items.is_empty()
}

/// Returns every path that is written or matches a pattern, ascending, with the position that asks for it.
fn find(
    list: &List<String>,
    base: &Path,
    sources: &mut Sources,
    errors: &mut Errors,
) -> BTreeMap<PathBuf, Pos> {
    let mut found = BTreeMap::new();
    for item in &list.items {
        if !is_pattern(&item.value) {
            found.entry(base.join(&item.value)).or_insert(item.at);
            continue;
        }
        let expansion = Expansion::of(base, &item.value);
        match &expansion.found {
            Ok(paths) => {
                for path in paths {
                    found.entry(path.clone()).or_insert(item.at);
                }
            }
            Err(why) => errors.push(item.at, why.as_str()),
        }
        sources.add_expansion(expansion);
    }
    found
}
