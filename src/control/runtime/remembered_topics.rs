//! Names of topics that outlive the process, in `stateDirectory` beside the addresses of brokers.
//!
//! With them a request that names topics by their ids is decided after a restart without a question to the broker.

use std::collections::{BTreeMap, HashMap};
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
#[derive(Debug, Serialize, Deserialize)]
struct StoredTopics {
    version: u32,
    clusters: BTreeMap<String, ClusterTopics>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ClusterTopics {
    /// Bootstrap servers that the names were learned from. They are not used for other ones.
    bootstrap_servers: Vec<String>,
    /// Names by ids in hexadecimal.
    topics: BTreeMap<String, Box<str>>,
}

/// Names that an earlier process has learned, of clusters that have had no filters since.
#[derive(Debug, Default)]
pub(super) struct RememberedTopics(HashMap<String, Arc<ClusterTopics>>);

/// The names of one cluster's topics, to be read when they are written.
#[derive(Debug)]
pub struct TopicSource {
    cluster: String,
    names: SourceNames,
}

#[derive(Debug)]
enum SourceNames {
    /// Filters know them.
    Known {
        bootstrap_servers: Vec<String>,
        names: Arc<TopicNameMap>,
    },
    /// They wait for the first filter.
    Remembered(Arc<ClusterTopics>),
}

impl TopicSource {
    /// The names that the filters of a cluster know; `None` without filters.
    fn of(cluster: &ManagedCluster) -> Option<Self> {
        let names = SourceNames::Known {
            bootstrap_servers: names(cluster.context.target.bootstrap_servers()),
            names: Arc::clone(cluster.filters.topics()?),
        };
        Some(Self {
            cluster: cluster.model.name.clone(),
            names,
        })
    }

    /// At most `most` of the names.
    fn stored(&self, most: usize) -> ClusterTopics {
        match &self.names {
            SourceNames::Known {
                bootstrap_servers,
                names,
            } => {
                let hexadecimal = |id: [u8; 16]| format!("{:032x}", u128::from_be_bytes(id));
                let known = names.snapshot().into_iter().take(most);
                ClusterTopics {
                    bootstrap_servers: bootstrap_servers.clone(),
                    topics: known
                        .map(|(id, name)| (hexadecimal(id), Box::from(&*name)))
                        .collect(),
                }
            }
            SourceNames::Remembered(remembered) => {
                let topics = remembered.topics.iter().take(most);
                ClusterTopics {
                    bootstrap_servers: remembered.bootstrap_servers.clone(),
                    topics: topics.map(|(id, name)| (id.clone(), name.clone())).collect(),
                }
            }
        }
    }
}

impl RememberedTopics {
    /// Reads the content of the file.
    ///
    /// # Errors
    /// It is not one of this layout.
    pub(super) fn read(text: &str) -> io::Result<Self> {
        let stored: StoredTopics = serde_json::from_str(text)?;
        match stored.version {
            VERSION => {
                let clusters = stored.clusters.into_iter();
                Ok(Self(clusters.map(|(name, of)| (name, Arc::new(of))).collect()))
            }
            other => Err(unknown_layout(other)),
        }
    }

    /// Enters the names of a cluster's topics, if they were learned from this target.
    pub(super) fn tell(&self, cluster: &str, target: &TargetCluster, known: &TopicNameMap) {
        let Some(stored) = self.0.get(cluster) else {
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

    /// Forgets a cluster that has been told, or is gone.
    pub(super) fn forget(&mut self, cluster: &str) {
        self.0.remove(cluster);
    }

    /// The names of a cluster: those that its filters know, or that it would tell them.
    pub(super) fn source(&self, cluster: &ManagedCluster) -> Option<TopicSource> {
        TopicSource::of(cluster).or_else(|| {
            let name = &cluster.model.name;
            Some(TopicSource {
                cluster: name.clone(),
                names: SourceNames::Remembered(Arc::clone(self.0.get(name)?)),
            })
        })
    }
}

/// Content of the file for what these clusters know.
pub(super) fn image(sources: &[TopicSource]) -> Vec<u8> {
    let mut left = MOST_STORED;
    let mut clusters = BTreeMap::new();
    for source in sources {
        let stored = source.stored(left);
        left -= stored.topics.len();
        if stored.topics.is_empty() {
            continue;
        }
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
    fn what_was_written_is_read_again_and_written_until_it_is_forgotten() {
        let known = Arc::new(TopicNameMap::default());
        known.learn(&[([7; 16], "orders"), ([0xfe; 16], "bills \"quoted\"")]);
        let source = TopicSource {
            cluster: "demo".to_owned(),
            names: SourceNames::Known {
                bootstrap_servers: vec!["kafka:9092".to_owned()],
                names: known,
            },
        };
        let text = String::from_utf8(image(&[source])).unwrap();
        let mut remembered = RememberedTopics::read(&text).unwrap();
        let topics = &remembered.0["demo"].topics;
        assert_eq!(&*topics["07070707070707070707070707070707"], "orders");
        assert_eq!(topics.len(), 2);
        let again = TopicSource {
            cluster: "demo".to_owned(),
            names: SourceNames::Remembered(Arc::clone(&remembered.0["demo"])),
        };
        assert_eq!(again.stored(1).topics.len(), 1);
        assert_eq!(image(&[again]), text.as_bytes());
        remembered.forget("demo");
        assert!(remembered.0.is_empty());
        assert!(RememberedTopics::read(&text.replace("\"version\":1", "\"version\":2")).is_err());
    }
}
