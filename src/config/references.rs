//! Files that the configuration names and that are read with it.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use super::{Config, Sources, Spanned, load};

/// What they hold. `Debug` shows their names only: most hold secrets.
#[derive(Clone, Default)]
pub(crate) struct References {
    files: HashMap<PathBuf, Result<Vec<u8>, String>>,
}

impl References {
    /// Reads every file that `config` names.
    pub(super) fn read(config: &Config, sources: &mut Sources) -> Self {
        let mut files = HashMap::new();
        for written in named(config) {
            let path = config.path(written);
            if files.contains_key(&path) {
                continue;
            }
            let content = load::read(&path);
            sources.add_referenced(&path, &content);
            files.insert(path, content.map(|content| content.bytes));
        }
        Self { files }
    }

    /// The content of a file, or why there is none.
    pub(crate) fn get(&self, path: &PathBuf) -> Result<&[u8], &str> {
        match self.files.get(path) {
            Some(content) => content.as_deref().map_err(String::as_str),
            None => Err("cannot read the file: only the text of the configuration is known"),
        }
    }
}

/// Every key that names a file whose content is part of the configuration.
fn named(config: &Config) -> impl Iterator<Item = &Spanned<PathBuf>> {
    let management = config.root.management.as_ref();
    management
        .and_then(|management| management.value.token_file.as_ref())
        .into_iter()
}

impl fmt::Debug for References {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.files.keys()).finish()
    }
}
