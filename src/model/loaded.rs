//! From a file to a model.

use std::path::Path;

use super::{ProxyModel, resolve};
use crate::config::{self, Config, Diagnostic, Parsed, Severity};

/// What came of reading a configuration.
#[derive(Debug)]
pub struct Loaded {
    /// Or every violation at once, in the order of the file. It may be a model without clusters.
    pub model: Result<ProxyModel, Vec<Diagnostic>>,
    /// Set where the configuration has no virtual clusters, which is as good as empty: a start refuses it, a reload
    /// does unless it is forced.
    pub no_clusters: Option<Diagnostic>,
}

impl Loaded {
    /// The model, if a start may take it.
    pub fn for_start(self) -> Result<ProxyModel, Vec<Diagnostic>> {
        match (self.model, self.no_clusters) {
            (Ok(model), None) => Ok(model),
            (Ok(_), Some(none)) => Err(vec![none]),
            (Err(broken), none) => Err(config::merge(broken, none.into_iter().collect())),
        }
    }
}

/// Reads the file at `path` and gives it meaning; every violation of either at once, in the order of the file. A
/// configuration without virtual clusters is one.
pub fn load(path: &Path) -> Result<ProxyModel, Vec<Diagnostic>> {
    load_all(path).for_start()
}

/// As [`load`], with all that a reload needs to know.
pub fn load_all(path: &Path) -> Loaded {
    finish(config::load(path))
}

/// As [`load`], for the bytes of a file called `file`. Touches no file system.
pub fn parse(bytes: &[u8], file: &str) -> Result<ProxyModel, Vec<Diagnostic>> {
    finish(config::parse(bytes, file)).for_start()
}

/// The rules are checked on whatever was readable, so that one misspelt key does not hide a port collision.
fn finish(parsed: Parsed) -> Loaded {
    let Some(config) = parsed.config else {
        return Loaded {
            model: Err(parsed.diagnostics),
            no_clusters: None,
        };
    };
    let model = match resolve(&config) {
        Ok(model) if parsed.diagnostics.is_empty() => Ok(model),
        Ok(_) => Err(parsed.diagnostics),
        Err(broken) => Err(config::merge(parsed.diagnostics, broken)),
    };
    Loaded {
        model,
        no_clusters: no_clusters(&config),
    }
}

/// Not where items were left out, or the key may be misspelt: that is reported as what it is.
fn no_clusters(config: &Config) -> Option<Diagnostic> {
    let list = config.root.virtual_clusters.as_ref()?;
    let empty = list.value.items.is_empty() && list.value.complete;
    empty.then(|| Diagnostic {
        file: config.file.clone(),
        line: list.at.line,
        col: list.at.col,
        severity: Severity::Error,
        message: "`virtualClusters` is empty, at least one is needed".to_owned(),
    })
}
