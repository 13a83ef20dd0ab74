//! A configuration that may come to run: read and understood away from the control thread, which meanwhile serves.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::config::{Diagnostic, Digest, Sources};
use crate::model::{self, Loaded, Loader, ProxyModel, Warnings};

/// How long what cannot run must stay as it is to be believed, and how often it may change before it is taken as it is.
const SETTLE: Duration = Duration::from_millis(50);
const LOOKS: usize = 5;

/// What was read.
#[derive(Debug)]
pub(in crate::control) enum Candidate {
    /// The files are those that were read last.
    SameBytes,
    /// There is no file to read.
    Missing,
    /// It could not even be tried; why.
    Broken(String),
    /// Not from a file.
    InMemory(Arc<ProxyModel>),
    Read {
        sources: Arc<Sources>,
        digest: Digest,
        /// Or why not, one entry for each violation.
        model: Result<Arc<ProxyModel>, Vec<String>>,
        /// What is odd about it.
        warnings: Box<Warnings>,
        /// Why this is as good as nothing, where it is.
        empty: Option<String>,
        /// Nothing stands in the file.
        emptied: bool,
        /// What is wrong with files whose content is left as it is in use.
        left_out: Vec<String>,
    },
}

/// Where a configuration is read.
#[derive(Debug, Clone)]
pub(in crate::control) enum Place {
    /// The file at this path; not if all is as when these were read.
    File(PathBuf, Option<Arc<Sources>>, Arc<Mutex<Loader>>),
    /// The text that runs, which was read as `in_use`; not if the files that it references are as in `tried`.
    Text {
        in_use: Arc<Sources>,
        tried: Arc<Sources>,
    },
}

impl Place {
    fn load(&self) -> Option<(Loaded, Vec<Diagnostic>)> {
        match self {
            Self::File(_, Some(last), _) if last.is_current() => None,
            Self::File(path, _, loader) => {
                let mut loader = loader.lock().unwrap_or_else(PoisonError::into_inner);
                Some((loader.load_all(path), Vec::new()))
            }
            Self::Text { tried, .. } if tried.is_material_current() => None,
            Self::Text { in_use, .. } => Some(model::load_again(in_use)),
        }
    }

    /// Whether what was read as `sources` is still there.
    fn still_has(&self, sources: &Sources) -> bool {
        match self {
            Self::File(..) => sources.is_current(),
            Self::Text { .. } => sources.is_material_current(),
        }
    }
}

/// Reads what is there.
pub(in crate::control) async fn read(place: Place) -> Candidate {
    let read = move || {
        let Some((loaded, left_out)) = place.load() else {
            return Candidate::SameBytes;
        };
        let told = |found: Vec<Diagnostic>| found.iter().map(ToString::to_string).collect();
        let digest = loaded.sources.digest();
        Candidate::Read {
            sources: Arc::new(loaded.sources),
            digest,
            model: loaded.model.map(Arc::new).map_err(told),
            warnings: Box::new(loaded.warnings),
            empty: loaded.no_clusters.map(|diagnostic| diagnostic.to_string()),
            emptied: loaded.emptied,
            left_out: told(left_out),
        }
    };
    match tokio::task::spawn_blocking(read).await {
        Ok(candidate) => candidate,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// As [`read`], but what cannot run is only believed if it is still there a moment later, and the next event is on its
/// way. An empty file is believed last of all: it is empty between being truncated and being written, and on a busy
/// machine that takes its time.
pub(in crate::control) async fn read_settled(place: Place) -> Candidate {
    settled(place, async || tokio::time::sleep(SETTLE).await).await
}

async fn settled(place: Place, mut moment: impl AsyncFnMut()) -> Candidate {
    for look in 1..=LOOKS {
        let candidate = read(place.clone()).await;
        let Candidate::Read {
            sources,
            model,
            emptied,
            left_out,
            ..
        } = &candidate
        else {
            return candidate;
        };
        if model.is_ok() && left_out.is_empty() && !emptied {
            return candidate;
        }
        moment().await;
        if place.still_has(sources) && (look == LOOKS || !sources.is_any_empty()) {
            return candidate;
        }
    }
    read(place).await
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNS: &str = "virtualClusters: [{name: a, targetCluster: {bootstrapServers: 'b:1'}, \
                        gateways: [{name: g, portIdentifiesNode: {bootstrapAddress: 'localhost:9192'}}]}]";

    /// What comes of a file that holds the first of `contents`, and the next after each moment. How many moments it took.
    async fn after(contents: &[&str]) -> (bool, usize) {
        let file = tempfile::NamedTempFile::new().unwrap();
        let write = |content: &str| std::fs::write(file.path(), content).unwrap();
        write(contents[0]);
        let mut moments = 0;
        let moment = async || {
            moments += 1;
            if let Some(content) = contents.get(moments) {
                write(content);
            }
        };
        match settled(Place::File(file.path().to_owned(), None, Arc::default()), moment).await {
            Candidate::Read { model, emptied, .. } => (model.is_ok() && !emptied, moments),
            other => panic!("{other:?}"),
        }
    }

    /// A storm of reloads on a busy machine had a file rejected that was being written.
    #[tokio::test]
    async fn an_empty_file_is_not_believed_at_once() {
        assert_eq!(after(&["", "", "", RUNS]).await, (true, 3));
        assert_eq!(after(&["", RUNS]).await, (true, 1));
        assert_eq!(after(&[""]).await, (false, LOOKS));
    }

    #[tokio::test]
    async fn what_is_wrong_is_believed_once_it_stays() {
        assert_eq!(after(&["virtualClusters: 1"]).await, (false, 1));
        assert_eq!(after(&["virtualClusters: 1", RUNS]).await, (true, 1));
        assert_eq!(after(&[RUNS]).await, (true, 0));
    }
}
