//! What is remembered between runs: the learned topology, where `stateDirectory` is given.
//!
//! With it a client that cached a node's port over a restart of kproxy is served without a question to the cluster.
//! A directory that cannot be read or written is told and changes nothing else.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::cluster::VirtualClusterManager;
use crate::model::{HostPort, TargetCluster};
use crate::session::topology::Nodes;

const FILE: &str = "topology.json";

/// Far above what ten thousand clusters of a hundred brokers take.
const MAX_SIZE: u64 = 256 << 20;

/// Layout of the file.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    version: u32,
    clusters: BTreeMap<String, StoredCluster>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredCluster {
    /// The bootstrap servers it was learned from. Another target is another cluster.
    bootstrap_servers: Vec<String>,
    nodes: BTreeMap<i32, (String, u16)>,
}

/// The directory.
#[derive(Debug, Clone)]
pub struct StateDirectory {
    path: PathBuf,
    /// One write after the other: they share the file that is renamed.
    writing: Arc<Mutex<()>>,
}

/// What an earlier run learned, handed out once per cluster.
#[derive(Debug, Default)]
pub struct Remembered {
    clusters: HashMap<String, StoredCluster>,
}

impl Remembered {
    /// What a cluster has been given once is not given again: from then on what it has learned is newer.
    pub(super) fn forget(&mut self, cluster: &str) {
        self.clusters.remove(cluster);
    }

    /// The nodes of this cluster, if they were learned from this target.
    pub(super) fn nodes_of(&self, cluster: &str, target: &TargetCluster) -> Nodes {
        let Some(stored) = self.clusters.get(cluster) else {
            return Nodes::new();
        };
        if stored.bootstrap_servers != names(&target.bootstrap_servers) {
            return Nodes::new();
        }
        stored
            .nodes
            .iter()
            .map(|(&id, (host, port))| {
                let (host, port) = (host.clone(), *port);
                (id, HostPort { host, port })
            })
            .collect()
    }
}

fn names(servers: &[HostPort]) -> Vec<String> {
    servers.iter().map(ToString::to_string).collect()
}

impl StateDirectory {
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            writing: Arc::default(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads what is there; nothing, where nothing can be read.
    pub fn load(&self) -> Remembered {
        match self.read() {
            Ok(stored) => Remembered {
                clusters: stored.clusters.into_iter().collect(),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Remembered::default(),
            Err(error) => {
                tracing::warn!(path = %self.path.join(FILE).display(), %error, "the remembered topology is unusable; it is learned anew");
                Remembered::default()
            }
        }
    }

    fn read(&self) -> io::Result<Stored> {
        let mut text = String::new();
        File::open(self.path.join(FILE))?
            .take(MAX_SIZE)
            .read_to_string(&mut text)?;
        let stored: Stored = serde_json::from_str(&text)?;
        match stored.version {
            VERSION => Ok(stored),
            other => Err(io::Error::other(format!("layout {other} is not known"))),
        }
    }

    /// What is known now, as the bytes of the file.
    pub fn image(clusters: &VirtualClusterManager) -> Vec<u8> {
        let stored = |nodes: &Nodes| {
            nodes
                .iter()
                .map(|(&id, at)| (id, (at.host.clone(), at.port)))
                .collect()
        };
        let clusters = clusters.iter().map(|cluster| {
            let target = &cluster.context.target;
            let stored = StoredCluster {
                bootstrap_servers: names(target.bootstrap_servers()),
                nodes: stored(&target.topology.snapshot()),
            };
            (cluster.model.name.clone(), stored)
        });
        let stored = Stored {
            version: VERSION,
            clusters: clusters.filter(|(_, c)| !c.nodes.is_empty()).collect(),
        };
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// Replaces the file: written beside it, synced, renamed, so that a crash leaves the old or the new one.
    ///
    /// # Errors
    /// Those of the file system; the old file is as it was.
    pub fn save(&self, image: &[u8]) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        fs::create_dir_all(&self.path)?;
        let temporary = self.path.join(format!("{FILE}.new"));
        let mut file = File::create(&temporary)?;
        file.write_all(image)?;
        file.sync_all()?;
        fs::rename(&temporary, self.path.join(FILE))?;
        File::open(&self.path)?.sync_all()
    }
}

/// Saves away from the thread that serves. A directory that cannot be written is told and changes nothing else.
pub(super) async fn save(state: StateDirectory, image: Vec<u8>) {
    let path = state.path().to_owned();
    let saved = tokio::task::spawn_blocking(move || state.save(&image)).await;
    if let Err(error) = saved.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
        tracing::warn!(directory = %path.display(), %error, "the learned topology could not be saved");
    }
}
