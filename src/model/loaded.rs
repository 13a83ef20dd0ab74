//! Loading: from a file to a model.

use std::path::Path;
use std::sync::Arc;

use super::filters::unused_filters;
use super::{ProxyModel, Warnings, resolve};
use crate::config::{self, Config, Diagnostic, ParsedConfig, Pos, Severity, Sources, quoted};

/// Result of reading a configuration.
#[derive(Debug)]
pub struct Loaded {
    /// The model, or every violation in the order of the files. It may be a model without clusters.
    pub model: Result<ProxyModel, Vec<Diagnostic>>,
    /// Set if the configuration has no virtual clusters. A start rejects it; a reload rejects it unless forced.
    pub no_clusters: Option<Diagnostic>,
    /// Whether the file is empty, and so says nothing about the settings of the process either.
    pub emptied: bool,
    /// Warnings about the model, if there is one.
    pub warnings: Warnings,
    /// The files that were read; they tell later whether there is anything new to load.
    pub sources: Sources,
}

/// A model, its warnings, and the reason why a start rejects it.
type Resolved = (Result<ProxyModel, Vec<Diagnostic>>, Warnings, Option<Diagnostic>);

impl Loaded {
    /// The model and its sources, if a start may use it.
    ///
    /// # Errors
    /// Every violation, in the order of the files.
    pub fn for_start(self) -> Result<(ProxyModel, Sources), Vec<Diagnostic>> {
        let sources = self.sources;
        for_start(self.model, self.no_clusters).map(|model| (model, sources))
    }
}

fn for_start(
    model: Result<ProxyModel, Vec<Diagnostic>>,
    no_clusters: Option<Diagnostic>,
) -> Result<ProxyModel, Vec<Diagnostic>> {
    match (model, no_clusters) {
        (model, None) => model,
        (Ok(_), Some(none)) => Err(vec![none]),
        (Err(mut broken), Some(none)) => {
            let before = |d: &Diagnostic| d.file == none.file && (d.line, d.col) <= (none.line, none.col);
            broken.insert(broken.partition_point(before), none);
            Err(broken)
        }
    }
}

/// Loads the file at `path` and resolves it to a model, which may have no virtual clusters.
///
/// # Errors
/// Every violation of syntax and rules, in the order of the files.
pub fn load(path: &Path) -> Result<ProxyModel, Vec<Diagnostic>> {
    load_all(path).for_start().map(|(model, _)| model)
}

/// Loads like [`load`], with everything that a reload needs to know.
pub fn load_all(path: &Path) -> Loaded {
    loaded(config::load(path))
}

/// Loads like [`load_all`], and also from sources that can be read only once ([`config::load_once`]).
pub fn load_once(path: &Path) -> Loaded {
    loaded(config::load_once(path))
}

/// Loads the text that was read as `kept`, which is running, with the current contents of the files that it
/// references. Files that cannot be used, and files that are useful only together with them, keep their running
/// contents; their violations are returned too.
pub fn load_again(kept: &Sources) -> (Loaded, Vec<Diagnostic>) {
    let (mut parsed, mut sources) = config::load_again(kept);
    let mut left_out = Vec::new();
    while let Some(config) = &mut parsed.config
        && let Err(broken) = resolve(config)
        && config.hold_back(&broken, kept, &mut sources)
    {
        left_out.extend(broken);
    }
    (loaded((parsed, sources)), left_out)
}

fn loaded((parsed, sources): (ParsedConfig, Sources)) -> Loaded {
    let emptied = parsed.config.as_ref().is_some_and(|config| config.emptied);
    let (model, warnings, no_clusters) = finish(parsed);
    Loaded {
        model,
        emptied,
        warnings,
        no_clusters,
        sources,
    }
}

/// Resolves the bytes of a file called `file`. No file system is read, so a reference to another file is a violation.
///
/// # Errors
/// Every violation of syntax and rules.
pub fn parse(bytes: &[u8], file: &str) -> Result<ProxyModel, Vec<Diagnostic>> {
    let (model, _, no_clusters) = finish(config::parse(bytes, file));
    for_start(model, no_clusters)
}

/// Checks the rules on everything that was readable, so that one misspelt key does not hide a port collision.
fn finish(parsed: ParsedConfig) -> Resolved {
    let Some(config) = parsed.config else {
        return (Err(parsed.diagnostics), Warnings::default(), None);
    };
    let (model, warnings) = match resolve(&config) {
        Ok((model, mut warnings)) if parsed.diagnostics.is_empty() => {
            for (at, message) in parsed.notes {
                warnings.push(at, || message);
            }
            for name in unused_filters(&config) {
                let why = || format!("filter {} is in no list of filters", quoted(&name.value));
                warnings.push(name.at, why);
            }
            (Ok(model), warnings)
        }
        Ok(_) => (Err(parsed.diagnostics), Warnings::default()),
        Err(broken) => {
            let names = config.names().map(|name| &**name);
            let all = config::merge(parsed.diagnostics, broken, names);
            (Err(all), Warnings::default())
        }
    };
    (model, warnings, no_clusters(&config))
}

/// The violation for a configuration without virtual clusters. Not if items were left out because of errors: then the
/// key may only be misspelt, which is reported as such.
fn no_clusters(config: &Config) -> Option<Diagnostic> {
    let refusal = |at: Pos, message: &str| Diagnostic {
        file: config.names().next().map(Arc::clone).unwrap_or_default(),
        line: at.line,
        col: at.col,
        severity: Severity::Error,
        message: message.to_owned(),
    };
    if config.emptied {
        let why = "the file is empty, it needs at least `virtualClusters`";
        return Some(refusal(Pos::START, why));
    }
    let written = config.root.virtual_clusters.as_ref().map(|list| list.at);
    let at = written.or_else(|| config.root.include().map(|include| include.at))?;
    let mut lists = config.virtual_clusters().map(|list| &list.value);
    let complete = config.included_complete && (written.is_some() || config.root.shape.is_sound());
    let empty = complete && lists.all(|list| list.items.is_empty() && list.complete);
    let why = match written {
        Some(_) => "`virtualClusters` is empty, at least one is needed",
        None => "no file has `virtualClusters`, at least one is needed",
    };
    empty.then(|| refusal(at, why))
}
