//! Names of topics that outlive the process, in `stateDirectory` beside the addresses of brokers.
//!
//! With them a request that names topics by their ids is decided after a restart without a question to the broker.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::state::{names, unknown_layout};
use crate::cluster::ManagedCluster;
use crate::filter::TopicNameMap;
use crate::model::TargetCluster;

/// Name of the file.
pub(super) const FILE: &str = "topics.json";

/// Name of the file while it is written; it is renamed to [`FILE`].
pub(super) const NEW_FILE: &str = "topics.json.new";

/// Version of the file's layout.
const VERSION: u32 = 1;

/// Names that are written, of all clusters together: with them the file stays below the size that is read.
const MOST_STORED: usize = 500_000;

/// The content of the file.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct StoredTopics {
    version: u32,
    clusters: BTreeMap<String, ClusterTopics>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ClusterTopics {
    /// Bootstrap servers that the names were learned from. They are not used for other ones.
    bootstrap_servers: Vec<String>,
    /// Names by ids in hexadecimal.
    topics: BTreeMap<String, Box<str>>,
}

/// The names of one cluster's topics, to be read when they are written.
#[derive(Debug)]
pub struct TopicSource {
    cluster: String,
    bootstrap_servers: Vec<String>,
    names: Arc<TopicNameMap>,
}

impl TopicSource {
    /// The names that the filters of a cluster know; `None` without filters.
    pub(in crate::control) fn of(cluster: &ManagedCluster) -> Option<Self> {
        Some(Self {
            cluster: cluster.model.name.clone(),
            bootstrap_servers: names(cluster.context.target.bootstrap_servers()),
            names: Arc::clone(cluster.filters.topics()?),
        })
    }
}

impl StoredTopics {
    /// Reads the content of the file.
    ///
    /// # Errors
    /// It is not one of this layout.
    pub(super) fn read(text: &str) -> io::Result<Self> {
        let stored: Self = serde_json::from_str(text)?;
        match stored.version {
            VERSION => Ok(stored),
            other => Err(unknown_layout(other)),
        }
    }

    /// Enters the names of a cluster's topics, if they were learned from this target.
    pub(super) fn tell(&self, cluster: &str, target: &TargetCluster, known: &TopicNameMap) {
        let Some(stored) = self.clusters.get(cluster) else {
            return;
        };
        if stored.bootstrap_servers != names(&target.bootstrap_servers) {
            return;
        }
        let topics = stored.topics.iter();
        let told = topics.filter_map(|(id, name)| {
            let id = u128::from_str_radix(id, 16).ok()?;
            Some((id.to_be_bytes(), &**name))
        });
        known.learn(&told.collect::<Vec<_>>());
    }

    /// Forgets a cluster that has been told.
    pub(super) fn forget(&mut self, cluster: &str) {
        self.clusters.remove(cluster);
    }
}

/// Content of the file for what these clusters know.
pub(super) fn image(sources: &[TopicSource]) -> Vec<u8> {
    let mut left = MOST_STORED;
    let mut clusters = BTreeMap::new();
    for source in sources {
        let mut known = source.names.snapshot();
        known.truncate(left);
        left -= known.len();
        if known.is_empty() {
            continue;
        }
        let hexadecimal = |id: [u8; 16]| format!("{:032x}", u128::from_be_bytes(id));
        let topics = known
            .into_iter()
            .map(|(id, name)| (hexadecimal(id), Box::from(&*name)));
        let stored = ClusterTopics {
            bootstrap_servers: source.bootstrap_servers.clone(),
            topics: topics.collect(),
        };
        clusters.insert(source.cluster.clone(), stored);
    }
    let stored = StoredTopics {
        version: VERSION,
        clusters,
    };
    serde_json::to_vec(&stored).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let known = Arc::new(TopicNameMap::default());
        known.learn(&[([7; 16], "orders"), ([0xfe; 16], "bills \"quoted\"")]);
        let source = TopicSource {
            cluster: "demo".to_owned(),
            bootstrap_servers: vec!["kafka:9092".to_owned()],
            names: known,
        };
        let text = String::from_utf8(image(&[source])).unwrap();
        let mut stored = StoredTopics::read(&text).unwrap();
        let topics = &stored.clusters["demo"].topics;
        assert_eq!(&*topics["07070707070707070707070707070707"], "orders");
        assert_eq!(topics.len(), 2);
        stored.forget("demo");
        assert!(stored.clusters.is_empty());
        assert!(StoredTopics::read(&text.replace("\"version\":1", "\"version\":2")).is_err());
    }
}
