//! What the running configuration was read from, wherever that was.

use std::sync::Arc;

use super::candidate::Place;
use crate::config::Sources;

/// See the module.
#[derive(Debug, Default)]
pub(in crate::control) struct Running {
    /// What is in use. `None` where it comes from no file.
    sources: Option<Arc<Sources>>,
    /// The same text with what its files held when they were last read for a renewal, whether they could be used or not.
    tried: Option<Arc<Sources>>,
    /// It is what the configured file said.
    is_configured: bool,
    /// The configured file was set aside: by a reload of another one, since which its text has not changed.
    is_set_aside: bool,
}

impl Running {
    /// What the configured file says.
    pub(in crate::control) fn configured(sources: Option<Arc<Sources>>) -> Self {
        Self {
            is_configured: true,
            ..Self::other(sources)
        }
    }

    /// What another file said, or none.
    pub(in crate::control) fn other(sources: Option<Arc<Sources>>) -> Self {
        Self {
            tried: sources.clone(),
            sources,
            is_configured: false,
            is_set_aside: true,
        }
    }

    /// The text that runs was read with these.
    pub(in crate::control) fn tried_with(&mut self, sources: &Arc<Sources>) {
        self.tried = Some(Arc::clone(sources));
    }

    /// What was tried is in use.
    pub(in crate::control) fn renewed(&mut self) {
        self.sources.clone_from(&self.tried);
    }

    /// Where it is read for a renewal.
    pub(in crate::control) fn place(&self) -> Option<Place> {
        let (in_use, tried) = (self.sources.clone()?, self.tried.clone()?);
        Some(Place::Text { in_use, tried })
    }

    pub(in crate::control) fn tried(&self) -> Option<&Arc<Sources>> {
        self.tried.as_ref()
    }

    /// What runs, where it is what the configured file said.
    pub(in crate::control) fn of_configured(&self) -> Option<&Arc<Sources>> {
        self.sources.as_ref().filter(|_| self.is_configured)
    }

    /// The files that it references may change beside `read`, what the configured file said last: they are no files of
    /// `read`, or of another text.
    pub(in crate::control) fn differs_from(&self, read: Option<&Sources>) -> bool {
        let Some(sources) = &self.sources else {
            return false;
        };
        read.is_none_or(|read| !read.has_text_of(sources))
    }

    /// The text of the configured file has changed: it counts again.
    pub(in crate::control) fn configured_has_changed(&mut self) {
        self.is_set_aside = false;
    }

    /// Whether the configured file counts for nothing until somebody asks for it or changes its text.
    pub(in crate::control) fn is_set_aside(&self) -> bool {
        self.is_set_aside && !self.is_configured
    }
}
