//! Learned broker addresses that outlive the process, in `stateDirectory`.
//!
//! With them a client that has cached a node's port is served after a restart of kproxy without a question to the target
//! cluster. A directory that cannot be read or written is logged and changes nothing else.
//!
//! Only the owner reads the names and addresses of brokers: it is a [`PrivateDirectory`].

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::private_directory::PrivateDirectory;
use super::remembered_topics::{self, RememberedTopics, TopicSource};
use crate::cluster::{ManagedCluster, VirtualClusterManager};
use crate::filter::TopicNameMap;
use crate::model::{HostPort, TargetCluster};
use crate::session::topology::NodeAddresses;

/// Name of the file.
const FILE: &str = "topology.json";

/// Name of the file while it is written; it is renamed to [`FILE`].
const NEW_FILE: &str = "topology.json.new";

/// Largest file that is read, in bytes: far above what ten thousand clusters of a hundred brokers take.
const MAX_SIZE: u64 = 256 << 20;

/// Version of the file's layout.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct StoredTopology {
    version: u32,
    clusters: BTreeMap<String, StoredCluster>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredCluster {
    /// Bootstrap servers that the addresses were learned from. They are not used for other ones.
    bootstrap_servers: Vec<String>,
    nodes: BTreeMap<i32, (String, u16)>,
}

/// Directory of the file.
#[derive(Debug, Clone)]
pub struct StateDirectory {
    directory: PrivateDirectory,
    /// Held by the writer: all writes use the same temporary file.
    writing: Arc<Mutex<()>>,
}

/// Addresses and names of topics that an earlier process has learned. Each cluster gets them once.
#[derive(Debug, Default)]
pub struct RememberedTopology {
    clusters: HashMap<String, StoredCluster>,
    topics: RememberedTopics,
}

impl RememberedTopology {
    /// Forgets the addresses of a cluster that has been given them: what it learns from then on is newer. So it is with the names
    /// of its topics, once it has filters.
    pub(in crate::control) fn given_to(&mut self, cluster: &ManagedCluster) {
        let name = &cluster.model.name;
        self.clusters.remove(name);
        if cluster.filters.topics().is_some() {
            self.topics.forget(name);
        }
    }

    /// Forgets a cluster that is removed.
    pub(in crate::control) fn forget(&mut self, cluster: &str) {
        self.clusters.remove(cluster);
        self.topics.forget(cluster);
    }

    /// The names of a cluster's topics that are to be remembered further.
    pub(in crate::control) fn topic_source(&self, cluster: &ManagedCluster) -> Option<TopicSource> {
        self.topics.source(cluster)
    }

    /// Enters the names of a cluster's topics, if they were learned from this target.
    pub(in crate::control) fn tell_topics(
        &self,
        cluster: &str,
        target: &TargetCluster,
        names: &TopicNameMap,
    ) {
        self.topics.tell(cluster, target, names);
    }

    /// Addresses of a cluster's nodes, if they were learned from this target.
    pub(in crate::control) fn nodes_of(&self, cluster: &str, target: &TargetCluster) -> NodeAddresses {
        let Some(stored) = self.clusters.get(cluster) else {
            return NodeAddresses::new();
        };
        if stored.bootstrap_servers != names(&target.bootstrap_servers) {
            return NodeAddresses::new();
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

pub(super) fn names(servers: &[HostPort]) -> Vec<String> {
    servers.iter().map(ToString::to_string).collect()
}

impl StateDirectory {
    /// The state directory at `path`; nothing is read or written yet.
    pub fn new(path: PathBuf) -> Self {
        Self {
            directory: PrivateDirectory::new(path),
            writing: Arc::default(),
        }
    }

    /// The path of the directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Reads the files. Without one, and with one that cannot be used, which is logged, nothing is remembered.
    pub fn load(&self) -> RememberedTopology {
        let stored = present(self.read()).unwrap_or_else(|error| {
            tracing::warn!(path = %self.path().join(FILE).display(), %error, "the remembered topology cannot be used; kproxy learns it again");
            None
        });
        let topics = self.read_text(remembered_topics::FILE);
        let topics = present(topics.and_then(|text| RememberedTopics::read(&text)));
        let topics = topics.unwrap_or_else(|error| {
            tracing::warn!(path = %self.path().join(remembered_topics::FILE).display(), %error, "the remembered names of topics cannot be used; kproxy learns them again");
            None
        });
        RememberedTopology {
            clusters: stored.map_or_else(HashMap::new, |stored| stored.clusters.into_iter().collect()),
            topics: topics.unwrap_or_default(),
        }
    }

    fn read(&self) -> io::Result<StoredTopology> {
        let stored: StoredTopology = serde_json::from_str(&self.read_text(FILE)?)?;
        match stored.version {
            VERSION => Ok(stored),
            other => Err(unknown_layout(other)),
        }
    }

    fn read_text(&self, file: &str) -> io::Result<String> {
        let mut text = String::new();
        let file = self.directory.open(file)?;
        file.take(MAX_SIZE).read_to_string(&mut text)?;
        Ok(text)
    }

    /// Content of the file for what `clusters` have learned.
    pub fn image(clusters: &VirtualClusterManager) -> Vec<u8> {
        let stored = |nodes: &NodeAddresses| {
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
        let stored = StoredTopology {
            version: VERSION,
            clusters: clusters.filter(|(_, c)| !c.nodes.is_empty()).collect(),
        };
        serde_json::to_vec(&stored).unwrap_or_default()
    }

    /// Replaces the file: writes another one, syncs and renames it, so that a crash leaves the old or the new one.
    ///
    /// # Errors
    /// [`io::Error`] of the file system; the old file is unchanged.
    pub fn save(&self, image: &[u8]) -> io::Result<()> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.directory.write(FILE, NEW_FILE, image, &|_| Ok(()))
    }

    /// Replaces the file of names of topics, as [`Self::save`]. There is none as long as no cluster has filters.
    fn save_topics(&self, topics: &[TopicSource]) -> io::Result<()> {
        if topics.is_empty() {
            return Ok(());
        }
        let image = remembered_topics::image(topics);
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, new) = (remembered_topics::FILE, remembered_topics::NEW_FILE);
        self.directory.write(file, new, &image, &|_| Ok(()))
    }
}

/// What was read of a file; `None`: there is no file.
fn present<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// The fault of a file of another version.
pub(super) fn unknown_layout(version: u32) -> io::Error {
    io::Error::other(format!("unknown layout version {version}"))
}

/// Saves `image` and `topics` on a thread that may block. A directory that cannot be written is logged.
pub(in crate::control) async fn save(state: StateDirectory, image: Vec<u8>, topics: Vec<TopicSource>) {
    let path = state.path().to_owned();
    let saved = tokio::task::spawn_blocking(move || {
        state.save(&image)?;
        state.save_topics(&topics)
    })
    .await;
    if let Err(error) = saved.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
        tracing::warn!(directory = %path.display(), %error, "the learned topology could not be saved");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn what_is_saved_is_its_owners_alone() {
        let root = tempfile::TempDir::new().unwrap();
        let path = root.path().join("a/b");
        let state = StateDirectory::new(path.clone());
        state.save(b"{}").unwrap();
        assert_eq!((mode(&path), mode(&path.join(FILE))), (0o700, 0o600));
        assert_eq!(mode(&root.path().join("a")), 0o700);
        // An earlier version left the mode to the umask.
        fs::set_permissions(path.join(FILE), PermissionsExt::from_mode(0o644)).unwrap();
        state.save(b"{}").unwrap();
        assert_eq!(mode(&path.join(FILE)), 0o600);
        assert!(!path.join(NEW_FILE).exists());
    }

    #[test]
    fn no_link_in_the_directory_is_followed() {
        let root = tempfile::TempDir::new().unwrap();
        let target = root.path().join("target");
        fs::write(&target, "precious").unwrap();
        let path = root.path().join("state");
        fs::create_dir(&path).unwrap();
        symlink(&target, path.join(FILE)).unwrap();
        symlink(&target, path.join(NEW_FILE)).unwrap();
        let state = StateDirectory::new(path.clone());
        let refused = state.read().unwrap_err();
        assert_eq!(
            refused.raw_os_error(),
            Some(rustix::io::Errno::LOOP.raw_os_error())
        );
        state.save(b"{}").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"precious");
        assert!(fs::symlink_metadata(path.join(FILE)).unwrap().is_file());
        // systemd makes the directory itself a link.
        let linked = root.path().join("linked");
        symlink(&path, &linked).unwrap();
        StateDirectory::new(linked).save(b"[]").unwrap();
        assert_eq!(fs::read(path.join(FILE)).unwrap(), b"[]");
    }
}
