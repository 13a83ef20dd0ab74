//! Reading a configuration again and again: what did not change is not decoded, resolved or compared again.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::beside::stands_beside;
use super::filters::used_filters;
use super::{Loaded, ProxyModel, VirtualCluster, Warnings, load_all, resolve};
use crate::config::{Outline, ParsedConfig, Sources, load_excerpt};

/// Loads a configuration like [`load_all`], in time that grows with what changed since the last time. Models share the
/// virtual clusters that are the same.
#[derive(Debug, Clone, Default)]
pub struct Loader {
    last: Option<Last>,
}

/// What was loaded last.
#[derive(Debug, Clone)]
struct Last {
    path: PathBuf,
    sources: Sources,
    /// Known from the second load on.
    outline: Option<Outline>,
    /// Without clusters.
    settings: ProxyModel,
    /// By ascending name.
    clusters: Vec<Arc<VirtualCluster>>,
    warnings: Warnings,
}

impl Loader {
    /// A loader that knows what `loaded` is, which was read from `path`.
    pub fn after(path: &Path, sources: &Sources, model: &ProxyModel, warnings: &Warnings) -> Self {
        let last = Last {
            path: path.to_owned(),
            sources: sources.clone(),
            outline: None,
            settings: model.without_clusters(),
            clusters: model.clusters.values().cloned().collect(),
            warnings: warnings.clone(),
        };
        Self { last: Some(last) }
    }

    /// What is known, for the file at `path`: all of it if that is another version of the file in the same directory, where
    /// relative paths lead to the same files.
    #[must_use]
    pub fn beside(self, path: &Path) -> Self {
        let last = self.last.filter(|last| {
            // Warnings name the file.
            last.path == path || (last.path.parent() == path.parent() && last.warnings.is_empty())
        });
        let last = last.map(|last| Last {
            path: path.to_owned(),
            sources: last.sources.at(path),
            ..last
        });
        Self { last }
    }

    /// Reads the file at `path` and gives it meaning, as [`load_all`] does.
    pub fn load_all(&mut self, path: &Path) -> Loaded {
        let last = self.last.take().filter(|last| last.path == path);
        if let Some((loaded, outline)) = last.as_ref().and_then(Last::load_excerpt) {
            self.remember(path, &loaded, Some(outline));
            return loaded;
        }
        let mut loaded = load_all(path);
        if let (Ok(model), Some(last)) = (&mut loaded.model, &last) {
            last.share(model);
        }
        self.remember(path, &loaded, None);
        if self.last.is_none() {
            // The next one is likely to be what was read before, put right.
            self.last = last;
        }
        loaded
    }

    fn remember(&mut self, path: &Path, loaded: &Loaded, outline: Option<Outline>) {
        if let (Ok(model), None) = (&loaded.model, &loaded.no_clusters) {
            let last = Self::after(path, &loaded.sources, model, &loaded.warnings).last;
            self.last = last.map(|last| Last { outline, ..last });
        }
    }
}

impl Last {
    /// Has `model` share the clusters that mean what they meant.
    fn share(&self, model: &mut ProxyModel) {
        let mut before = self.clusters.iter().peekable();
        for (name, cluster) in &mut model.clusters {
            while before.next_if(|before| before.name < *name).is_some() {}
            if let Some(before) = before.peek()
                && *before == cluster
            {
                *cluster = Arc::clone(before);
            }
        }
    }

    /// What the file means now. `None`: it has to be read as a whole.
    fn load_excerpt(&self) -> Option<(Loaded, Outline)> {
        let excerpt = load_excerpt(&self.sources, self.outline.as_ref())?;
        if !excerpt.same_lines && !self.warnings.is_empty() {
            return None;
        }
        let configs = (excerpt.old.config.as_ref(), excerpt.new.config.as_ref());
        if configs.0.map(used_filters) != configs.1.map(used_filters) {
            // Whether a filter is in no list is known of all clusters together.
            return None;
        }
        let (old, new) = (model_of(&excerpt.old)?, model_of(&excerpt.new)?);
        let is_affected = |cluster: &&Arc<VirtualCluster>| old.clusters.contains_key(&cluster.name);
        let others = || {
            self.clusters
                .iter()
                .filter(|cluster| !is_affected(cluster))
                .map(|cluster| &**cluster)
        };
        if !stands_beside(&old.clusters, &new.clusters, others) {
            return None;
        }
        let mut model = self.settings.clone();
        let kept = self.clusters.iter().filter(|cluster| !is_affected(cluster));
        model.clusters = kept
            .map(|cluster| (cluster.name.clone(), Arc::clone(cluster)))
            .collect();
        model.clusters.extend(new.clusters);
        self.share(&mut model);
        let loaded = Loaded {
            model: Ok(model),
            no_clusters: None,
            emptied: false,
            warnings: self.warnings.clone(),
            sources: excerpt.sources,
        };
        Some((loaded, excerpt.outline))
    }
}

/// The model of an excerpt about which there is nothing to be said.
fn model_of(parsed: &ParsedConfig) -> Option<ProxyModel> {
    let config = parsed.config.as_ref().filter(|_| parsed.diagnostics.is_empty())?;
    let (model, warnings) = resolve(config).ok()?;
    (parsed.notes.is_empty() && warnings.is_empty()).then_some(model)
}
