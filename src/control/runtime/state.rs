//! What is remembered between runs: the learned topology, where `stateDirectory` is given.
//!
//! With it a client that cached a node's port over a restart of kproxy is served without a question to the cluster.
//! A directory that cannot be read or written is told and changes nothing else.
//!
//! Names and addresses of brokers are nobody else's business: files are 0600, a directory that kproxy makes is 0700,
//! whatever the umask, and no symbolic link in it is followed. The directory itself may be one (systemd makes them so).

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{AtFlags, Mode, OFlags, fchmod, openat, renameat, unlinkat};
use serde::{Deserialize, Serialize};

use crate::cluster::VirtualClusterManager;
use crate::model::{HostPort, TargetCluster};
use crate::session::topology::NodeAddresses;

const FILE: &str = "topology.json";

/// What is written and becomes [`FILE`].
const NEW_FILE: &str = "topology.json.new";

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
    pub(in crate::control) fn forget(&mut self, cluster: &str) {
        self.clusters.remove(cluster);
    }

    /// The nodes of this cluster, if they were learned from this target.
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
        // Not blocking: a pipe that nobody writes to is no file, and is not waited for.
        let how = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(File::open(&self.path)?, FILE, how, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        file.take(MAX_SIZE).read_to_string(&mut text)?;
        let stored: Stored = serde_json::from_str(&text)?;
        match stored.version {
            VERSION => Ok(stored),
            other => Err(io::Error::other(format!("layout {other} is not known"))),
        }
    }

    /// What is known now, as the bytes of the file.
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
        let directory = self.open_or_make()?;
        // Of a write that did not come to its end.
        match unlinkat(&directory, NEW_FILE, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let own = Mode::RUSR | Mode::WUSR;
        let how = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&directory, NEW_FILE, how, own)?);
        // The umask may have taken bits away.
        fchmod(&file, own)?;
        file.write_all(image)?;
        file.sync_all()?;
        renameat(&directory, NEW_FILE, &directory, FILE)?;
        directory.sync_all()
    }

    fn open_or_make(&self) -> io::Result<File> {
        match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        if let Some(parent) = self.path.parent() {
            private().recursive(true).create(parent)?;
        }
        match private().create(&self.path) {
            Ok(()) => fs::set_permissions(&self.path, std::os::unix::fs::PermissionsExt::from_mode(0o700))?,
            // Somebody else was quicker; then its mode is theirs to choose.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        File::open(&self.path)
    }
}

/// Saves away from the thread that serves. A directory that cannot be written is told and changes nothing else.
pub(in crate::control) async fn save(state: StateDirectory, image: Vec<u8>) {
    let path = state.path().to_owned();
    let saved = tokio::task::spawn_blocking(move || state.save(&image)).await;
    if let Err(error) = saved.unwrap_or_else(|panic| Err(io::Error::other(panic))) {
        tracing::warn!(directory = %path.display(), %error, "the learned topology could not be saved");
    }
}

fn private() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

#[cfg(test)]
mod tests {
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
        // Of an earlier version, which left that to the umask.
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
