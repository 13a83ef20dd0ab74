//! Names of types of filters, and the types that a program made on the library adds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use super::decode::Decode;
use super::describe::Schema;
use super::diagnostic::{Errors, Pos, quoted, suggestion};
use super::schema::{FILTER_TYPES, FOREIGN_FILTER_TYPES, NamedFiles};
use super::yaml::{Node, NodeContent};
use super::{Spanned, schema};

/// Package of the filters of Kroxylicious. Several have moved within it.
const PACKAGE: &str = "io.kroxylicious.";

/// A type of filter by its simple name: one that is built in, or one that a program has registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterTypeName(String);

impl FilterTypeName {
    /// Returns the simple name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The type that a node names, if there is one.
    pub(crate) fn of(node: Node<'_>) -> Option<Self> {
        let name = simple(node.scalar()?);
        is_known(name).then(|| Self(name.to_owned()))
    }
}

impl Decode for FilterTypeName {
    fn schema() -> Schema {
        Schema::text("type of filter")
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        let Some(written) = node.scalar().filter(|_| !node.is_null()) else {
            let why = format!("expected a type of filter, found {}", node.describe());
            errors.push(node.at(), why);
            return None;
        };
        let found = Self::of(node);
        if found.is_none() {
            errors.push_with(node.at(), || {
                match FOREIGN_FILTER_TYPES.contains(&simple(written)) {
                    true => format!("filter type {} is not supported yet", quoted(written)),
                    false => {
                        let custom = registered();
                        let custom = custom.iter().map(|known| known.name());
                        let hint = suggestion(simple(written), FILTER_TYPES.iter().copied().chain(custom));
                        format!("unknown filter type {}{hint}", quoted(written))
                    }
                }
            });
        }
        found
    }
}

/// A class name without the package of Kroxylicious.
fn simple(written: &str) -> &str {
    match written.starts_with(PACKAGE) {
        true => written.rsplit('.').next().unwrap_or(written),
        false => written,
    }
}

fn is_known(name: &str) -> bool {
    FILTER_TYPES.contains(&name) || custom_filter_type(name).is_some()
}

/// A type of filter that a program made on the library adds: its name, and the rules for its `config`.
pub trait CustomFilterType: Send + Sync {
    /// Returns the name that `type` has in the file. It must not be that of a built-in type.
    fn name(&self) -> &str;

    /// Returns the keys of `config` that name files, as JSON pointers such as `/rules/file`. Their content is read with the
    /// configuration, and an edit of such a file is a change of the filter.
    fn file_keys(&self) -> &[&str] {
        &[]
    }

    /// Checks `config` and the content of its files. Pure: it is called for every check, plan and reload.
    ///
    /// # Errors
    /// Every fault, each at its place.
    fn check(&self, config: &CustomSettings) -> Result<(), Vec<CustomFault>>;

    /// Whether the filter decides what clients may do, so that `mode: shadow` means something.
    fn decides(&self) -> bool {
        false
    }
}

/// What a filter of a custom type is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomSettings {
    /// Name of the type.
    pub filter_type: String,
    /// The value of `config`.
    pub config: Value,
    /// Content of the files that `config` names, by the JSON pointer of the key.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// A fault in the `config` of a custom type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomFault {
    /// JSON pointer of the value; empty for `config` as a whole.
    pub pointer: String,
    /// Line and column, from 1, in the file that the value names; `None` if the value itself is wrong.
    pub in_file: Option<(u32, u32)>,
    /// What is wrong.
    pub message: String,
}

static REGISTERED: RwLock<Vec<Arc<dyn CustomFilterType>>> = RwLock::new(Vec::new());

/// Adds a type of filter for the whole process, in place of an earlier one of the same name.
pub(crate) fn register_filter_type(filter_type: Arc<dyn CustomFilterType>) {
    let mut types = REGISTERED.write().unwrap_or_else(PoisonError::into_inner);
    types.retain(|known| known.name() != filter_type.name());
    types.push(filter_type);
}

/// Returns the custom type of this name.
pub(crate) fn custom_filter_type(name: &str) -> Option<Arc<dyn CustomFilterType>> {
    registered().into_iter().find(|known| known.name() == name)
}

fn registered() -> Vec<Arc<dyn CustomFilterType>> {
    REGISTERED.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// `config` of a filter of a custom type, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomConfig {
    /// Name of the type.
    pub filter_type: String,
    /// The value.
    pub value: Value,
    /// Positions of the values in it, by their JSON pointers.
    places: BTreeMap<String, Pos>,
    /// Keys that name files, with their pointers.
    pub(crate) named_files: Vec<(String, Spanned<PathBuf>)>,
}

impl CustomConfig {
    pub(crate) fn decode(filter_type: &str, node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        let known = custom_filter_type(filter_type)?;
        let mut places = BTreeMap::new();
        note_places(node, &mut String::new(), &mut places, errors);
        let value = schema::value_of(node);
        let named = known.file_keys().iter().filter_map(|pointer| {
            let path = value.pointer(pointer)?.as_str()?;
            let at = places.get(*pointer).copied()?;
            let written = Spanned {
                value: PathBuf::from(path),
                at,
                key: at,
            };
            Some(((*pointer).to_owned(), written))
        });
        Some(Self {
            filter_type: filter_type.to_owned(),
            named_files: named.collect(),
            value,
            places,
        })
    }

    /// Returns the position of the value at `pointer`, or of the nearest value around it.
    pub(crate) fn place(&self, pointer: &str) -> Pos {
        let mut pointer = pointer;
        loop {
            if let Some(at) = self.places.get(pointer) {
                return *at;
            }
            let Some((around, _)) = pointer.rsplit_once('/') else {
                return Pos::START;
            };
            pointer = around;
        }
    }
}

impl NamedFiles for CustomConfig {
    fn files(&self) -> Vec<&Spanned<PathBuf>> {
        self.named_files.iter().map(|(_, file)| file).collect()
    }
}

/// Enters the position of every value by its JSON pointer (RFC 6901), and notes those that look like passwords.
fn note_places(
    node: Node<'_>,
    pointer: &mut String,
    places: &mut BTreeMap<String, Pos>,
    errors: &mut Errors,
) {
    places.insert(pointer.clone(), node.at());
    let length = pointer.len();
    match node.content() {
        NodeContent::Scalar { .. } => {
            let key = pointer
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            let is_secret = ["password", "passphrase", "secret", "token"]
                .iter()
                .any(|word| key.contains(word));
            if is_secret && !key.ends_with("file") {
                errors.note_secret(node.at());
            }
        }
        NodeContent::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                pointer.extend(["/", &index.to_string()]);
                note_places(item, pointer, places, errors);
                pointer.truncate(length);
            }
        }
        NodeContent::Mapping(entries) => {
            for (key, value) in entries.iter() {
                let escaped = key
                    .scalar()
                    .unwrap_or_default()
                    .replace('~', "~0")
                    .replace('/', "~1");
                pointer.extend(["/", &escaped]);
                note_places(value, pointer, places, errors);
                pointer.truncate(length);
            }
        }
    }
}
