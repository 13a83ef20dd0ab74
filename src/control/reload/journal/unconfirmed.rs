//! The configuration to come back to while a reload waits for its confirmation, on the disk: a crash or a restart comes
//! back to it, too.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::task::{JoinHandle, spawn_blocking};

use super::entry::KeptConfiguration;
use crate::config::Sources;
use crate::control::runtime::private_directory::PrivateDirectory;

/// Name of the file in the state directory, and while it is written.
const FILE: &str = "unconfirmed.json";
const NEW_FILE: &str = "unconfirmed.json.new";

/// Largest file that is read, in bytes.
const MAX_SIZE: u64 = 256 << 20;

/// What is to come back.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::control) struct ConfirmedConfiguration {
    /// The generation that was confirmed.
    pub(in crate::control) generation: u64,
    /// Hashes of the texts that ran since and were not.
    pub(in crate::control) unconfirmed: Vec<String>,
    /// The configuration that was confirmed.
    pub(in crate::control) configuration: KeptConfiguration,
}

impl ConfirmedConfiguration {
    /// Whether this text ran without being confirmed.
    pub(in crate::control) fn is_unconfirmed(&self, sources: &Sources) -> bool {
        self.unconfirmed.contains(&sources.text_digest().to_string())
    }

    /// Reads what is to come back; `None` where everything was confirmed. Blocks.
    ///
    /// # Errors
    /// [`io::Error`] of the file system, or where the file cannot be understood.
    pub(in crate::control) fn read(state: &Path) -> io::Result<Option<Self>> {
        let file = match PrivateDirectory::new(state.to_owned()).open(FILE) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut text = String::new();
        file.take(MAX_SIZE).read_to_string(&mut text)?;
        Ok(Some(serde_json::from_str(&text)?))
    }

    /// Writes it, so that it survives whatever happens from now on. Blocks.
    ///
    /// # Errors
    /// [`io::Error`] of the file system.
    fn write(&self, state: &Path) -> io::Result<()> {
        let image = serde_json::to_vec(self)?;
        PrivateDirectory::new(state.to_owned()).write(FILE, NEW_FILE, &image, &|_| Ok(()))
    }

    /// Removes it: what runs is confirmed, or was given up. Blocks.
    ///
    /// # Errors
    /// [`io::Error`] of the file system.
    fn remove(state: &Path) -> io::Result<()> {
        let directory = PrivateDirectory::new(state.to_owned());
        directory.remove(FILE)?;
        directory.sync()
    }
}

/// The only writer of the file. The last wish counts, however long the disk takes for those before it.
#[derive(Debug, Default)]
pub(in crate::control) struct ConfirmedStore {
    state: Option<PathBuf>,
    /// Number of the last wish.
    wished: u64,
    /// Number of the last wish that the disk has; held while it works.
    done: Arc<Mutex<u64>>,
}

impl ConfirmedStore {
    /// A store in a state directory; without one it keeps nothing.
    pub(in crate::control) fn new(state: Option<&Path>) -> Self {
        Self {
            state: state.map(Path::to_owned),
            ..Self::default()
        }
    }

    /// Writes what is to come back, in a task.
    pub(in crate::control) fn write(
        &mut self,
        confirmed: ConfirmedConfiguration,
    ) -> JoinHandle<io::Result<()>> {
        self.wish(move |state| confirmed.write(state))
    }

    /// Removes it, in a task.
    pub(in crate::control) fn remove(&mut self) -> JoinHandle<io::Result<()>> {
        self.wish(ConfirmedConfiguration::remove)
    }

    fn wish(
        &mut self,
        work: impl FnOnce(&Path) -> io::Result<()> + Send + 'static,
    ) -> JoinHandle<io::Result<()>> {
        self.wished += 1;
        let (number, state, done) = (self.wished, self.state.clone(), Arc::clone(&self.done));
        spawn_blocking(move || {
            let Some(state) = state else { return Ok(()) };
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            if number < *done {
                return Ok(());
            }
            *done = number;
            work(&state)
        })
    }
}
