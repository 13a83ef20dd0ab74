//! A configuration that may come to run: read and understood away from the control thread, which meanwhile serves.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Semaphore;

use super::timestamp::unix_seconds;
use crate::config::{Digest, Sources};
use crate::model::{self, HostPort, ProxyModel, VirtualCluster};

/// All lookups of one reload together take no longer; a name server that is silent does not hold a reload up.
const LOOKUP: Duration = Duration::from_secs(1);

/// Names that are looked up at the same time.
const LOOKUPS: usize = 32;

/// How long what cannot run must stay as it is to be believed, and how often it may change before it is taken as it is.
const SETTLE: Duration = Duration::from_millis(50);
const LOOKS: usize = 5;

/// What was read.
#[derive(Debug)]
pub(super) enum Candidate {
    /// The files are those that were read last.
    SameBytes,
    /// There is no file to read.
    Missing,
    /// It could not even be tried; why.
    Broken(String),
    /// Not from a file.
    Made(Arc<ProxyModel>),
    Read {
        sources: Arc<Sources>,
        digest: Digest,
        /// Or why not, one entry for each violation.
        model: Result<Arc<ProxyModel>, Vec<String>>,
        /// What is odd about it now.
        warnings: Vec<String>,
        /// Why this is as good as nothing, where it is.
        empty: Option<String>,
    },
}

/// Reads the file at `path`, unless everything is as in `last`.
pub(super) async fn read(path: PathBuf, last: Option<Arc<Sources>>) -> Candidate {
    let read = move || {
        if last.is_some_and(|last| last.is_current()) {
            return Candidate::SameBytes;
        }
        let loaded = model::load_all(&path);
        let digest = loaded.sources.digest();
        let warnings = loaded.warnings.at(unix_seconds(SystemTime::now()));
        Candidate::Read {
            sources: Arc::new(loaded.sources),
            digest,
            model: loaded
                .model
                .map(Arc::new)
                .map_err(|violations| violations.iter().map(ToString::to_string).collect()),
            warnings: warnings.iter().map(ToString::to_string).collect(),
            empty: loaded.no_clusters.map(|diagnostic| diagnostic.to_string()),
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
pub(super) async fn read_settled(path: PathBuf, last: Option<Arc<Sources>>) -> Candidate {
    settled(path, last, async || tokio::time::sleep(SETTLE).await).await
}

async fn settled(path: PathBuf, last: Option<Arc<Sources>>, mut moment: impl AsyncFnMut()) -> Candidate {
    for look in 1..=LOOKS {
        let candidate = read(path.clone(), last.clone()).await;
        let Candidate::Read {
            sources,
            model: Err(_),
            ..
        } = &candidate
        else {
            return candidate;
        };
        moment().await;
        if sources.is_current() && (look == LOOKS || !sources.is_any_empty()) {
            return candidate;
        }
    }
    read(path, last).await
}

/// The clusters of `new` none of whose bootstrap servers can be reached by name, of those that are not as in `old`:
/// a mistyped host. A name server that does not answer says nothing about names, so it stands in nobody's way.
pub async fn unresolvable(old: &ProxyModel, new: &ProxyModel) -> Vec<String> {
    let changed = |cluster: &&Arc<VirtualCluster>| {
        old.clusters
            .get(&cluster.name)
            .is_none_or(|old| !old.target.is_same_cluster(&cluster.target))
    };
    let changed: Vec<&Arc<VirtualCluster>> = new.clusters.values().filter(changed).collect();
    let names: BTreeSet<&str> = changed
        .iter()
        .flat_map(|cluster| &cluster.target.bootstrap_servers)
        .filter(|server| server.host.parse::<std::net::IpAddr>().is_err())
        .map(|server| server.host.as_str())
        .collect();
    let unknown = unknown_names(names).await;
    let lost = |cluster: &&Arc<VirtualCluster>| {
        let servers = &cluster.target.bootstrap_servers;
        servers.iter().all(|server| unknown.contains(&server.host))
    };
    let violation = |cluster: &Arc<VirtualCluster>| {
        let servers = cluster.target.bootstrap_servers.iter().map(HostPort::to_string);
        let servers: Vec<String> = servers.collect();
        format!(
            "virtual cluster `{}`: no bootstrap server has an address: {}",
            cluster.name,
            servers.join(", ")
        )
    };
    changed.into_iter().filter(lost).map(violation).collect()
}

/// Those of `names` that are known not to exist.
async fn unknown_names(names: BTreeSet<&str>) -> BTreeSet<String> {
    let turns = Arc::new(Semaphore::new(LOOKUPS));
    let mut lookups = tokio::task::JoinSet::new();
    for name in names {
        let (name, turns) = (name.to_owned(), Arc::clone(&turns));
        lookups.spawn(async move {
            // Lookups that have begun cannot be taken back, and reading files needs the same threads.
            let _turn = turns.acquire_owned().await;
            let found = tokio::net::lookup_host((name.as_str(), 0))
                .await
                .map(|mut found| found.next());
            let unknown = match found {
                Ok(first) => first.is_none(),
                Err(error) => says_unknown(&error.to_string()),
            };
            (name, unknown)
        });
    }
    let mut unknown = BTreeSet::new();
    let all = async {
        while let Some(answered) = lookups.join_next().await {
            if let Ok((name, true)) = answered {
                unknown.insert(name);
            }
        }
    };
    if tokio::time::timeout(LOOKUP, all).await.is_err() {
        tracing::warn!("the name server is slow; the names of bootstrap servers are not checked");
    }
    unknown
}

/// The resolver has no codes, only words: those of glibc and musl for a name that does not exist. Any other failure,
/// EAI_AGAIN above all, may pass.
fn says_unknown(error: &str) -> bool {
    [
        "Name or service not known",
        "No address associated with hostname",
        "Name does not resolve",
        "Name has no usable address",
    ]
    .iter()
    .any(|words| error.contains(words))
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
        match settled(file.path().to_owned(), None, moment).await {
            Candidate::Read { model, .. } => (model.is_ok(), moments),
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
