//! Which APIs a fence is about, and where their requests name topics. Pure.
//!
//! | operation | APIs |
//! |---|---|
//! | `produce` | Produce, AddPartitionsToTxn, TxnOffsetCommit, EndTxn that commits, DeleteRecords |
//! | `fetch` | Fetch |
//! | `all` | those, and OffsetCommit, OffsetDelete, CreateTopics, DeleteTopics, CreatePartitions, AlterConfigs, IncrementalAlterConfigs |

use crate::filter::TopicUuid;
use crate::model::FencedOperation;
use crate::wire::Malformed;
use crate::wire::api::ApiKey;
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::{Direction, Message, Structure};

/// An API that a fence may be about.
#[derive(Debug)]
pub(super) struct FencedApi {
    /// Its number.
    pub(super) key: i16,
    /// Operation that it belongs to.
    pub(super) operation: FencedOperation,
    /// The error after which clients try again.
    pub(super) error: i16,
    topics: TopicPlace,
}

/// Where a request names topics.
#[derive(Debug, Clone, Copy)]
enum TopicPlace {
    /// Each element of this array is about one, whose name is in this field, or whose id is in `topic_id`.
    Elements(&'static str, &'static str),
    /// Elements of `topics`, or names alone in this array.
    ElementsOr(&'static str),
    /// Elements of `v3_and_below_topics`, or of the `topics` of each of `transactions`, as brokers ask.
    OfTransactions,
    /// Resources of the kind of a topic, whose settings are changed.
    Resources,
    /// Nowhere: it is about every topic of a transaction, and matters where it commits.
    Commit,
}

/// A topic as a request names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NamedTopic<'a> {
    Name(&'a str),
    Id(TopicUuid),
}

/// In place of an id: none.
const NO_ID: TopicUuid = [0; 16];

/// Number of topics among kinds of resources (`ConfigResource.Type`).
const TOPIC_RESOURCE: i64 = 2;

const fn row(key: i16, operation: FencedOperation, error: i16, topics: TopicPlace) -> FencedApi {
    FencedApi {
        key,
        operation,
        error,
        topics,
    }
}

use FencedOperation::{All, Fetch, Produce};
use TopicPlace::{Commit, Elements, ElementsOr, OfTransactions, Resources};

/// Clients of every kind take this error of a leader as "nothing was written; learn where the leader is, and try again".
const WRITE: i16 = ErrorCode::NOT_LEADER_OR_FOLLOWER;
/// After this error of a coordinator clients ask the same one again, after a pause.
const COORDINATED: i16 = ErrorCode::COORDINATOR_LOAD_IN_PROGRESS;
const ADMINISTRATIVE: i16 = ErrorCode::NOT_CONTROLLER;

/// Every API that a fence may be about.
pub(super) const FENCED: &[FencedApi] = &[
    row(ApiKey::PRODUCE, Produce, WRITE, Elements("topic_data", "name")),
    row(
        ApiKey::ADD_PARTITIONS_TO_TXN,
        Produce,
        COORDINATED,
        OfTransactions,
    ),
    row(
        ApiKey::TXN_OFFSET_COMMIT,
        Produce,
        COORDINATED,
        Elements("topics", "name"),
    ),
    row(ApiKey::END_TXN, Produce, COORDINATED, Commit),
    row(ApiKey::DELETE_RECORDS, Produce, WRITE, Elements("topics", "name")),
    row(ApiKey::FETCH, Fetch, ErrorCode::NONE, Elements("topics", "topic")),
    row(
        ApiKey::OFFSET_COMMIT,
        All,
        COORDINATED,
        Elements("topics", "name"),
    ),
    row(
        ApiKey::OFFSET_DELETE,
        All,
        COORDINATED,
        Elements("topics", "name"),
    ),
    row(
        ApiKey::CREATE_TOPICS,
        All,
        ADMINISTRATIVE,
        Elements("topics", "name"),
    ),
    row(
        ApiKey::DELETE_TOPICS,
        All,
        ADMINISTRATIVE,
        ElementsOr("topic_names"),
    ),
    row(
        ApiKey::CREATE_PARTITIONS,
        All,
        ADMINISTRATIVE,
        Elements("topics", "name"),
    ),
    row(ApiKey::ALTER_CONFIGS, All, ADMINISTRATIVE, Resources),
    row(ApiKey::INCREMENTAL_ALTER_CONFIGS, All, ADMINISTRATIVE, Resources),
];

/// The row of an API.
pub(super) fn fenced(api_key: i16) -> Option<&'static FencedApi> {
    FENCED.iter().find(|row| row.key == api_key)
}

impl FencedApi {
    /// The topics that a complete request names; `None` if it is about all of those of a transaction that it commits.
    ///
    /// # Errors
    /// What is malformed.
    pub(super) fn topics<'a>(
        &self,
        version: i16,
        body: &'a [u8],
    ) -> Result<Option<Vec<NamedTopic<'a>>>, Malformed> {
        let request = Message::read(self.key, Direction::Request, version, body)?;
        let root = request.root();
        Ok(match self.topics {
            Elements(list, name) => Some(of_elements(root, list, name)),
            ElementsOr(names) => {
                let mut topics = of_elements(root, "topics", "name");
                if root.knows(names) {
                    let named = root.values(names).filter_map(|value| value.text());
                    topics.extend(named.map(NamedTopic::Name));
                }
                Some(topics)
            }
            OfTransactions => {
                let mut topics = of_elements(root, "v3_and_below_topics", "name");
                if root.knows("transactions") {
                    let transactions = root.array("transactions");
                    topics.extend(
                        transactions.flat_map(|transaction| of_elements(transaction, "topics", "name")),
                    );
                }
                Some(topics)
            }
            Resources => {
                let resources = root.array("resources");
                let topics =
                    resources.filter(|resource| resource.int("resource_type") == Some(TOPIC_RESOURCE));
                let names = topics.filter_map(|topic| topic.text("resource_name"));
                Some(names.map(NamedTopic::Name).collect())
            }
            Commit if root.int("committed") == Some(0) => Some(Vec::new()),
            Commit => None,
        })
    }
}

fn of_elements<'a>(root: Structure<'a>, list: &str, name: &str) -> Vec<NamedTopic<'a>> {
    if !root.knows(list) {
        return Vec::new();
    }
    let named = |topic: Structure<'a>| {
        let by_name = topic.knows(name).then(|| topic.text(name)).flatten();
        let id = || topic.knows("topic_id").then(|| topic.uuid("topic_id")).flatten();
        match by_name {
            Some(name) => Some(NamedTopic::Name(name)),
            None => id().filter(|id| *id != NO_ID).map(NamedTopic::Id),
        }
    };
    root.array(list).filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::schema::Editable;

    #[test]
    fn every_request_of_every_version_names_its_topics() {
        for row in FENCED {
            let api = crate::wire::api::api(row.key).unwrap();
            for version in api.min..=api.max {
                let mut request = Editable::new(row.key, Direction::Request, version).unwrap();
                fill(row, &mut request);
                let body = request.write();
                let topics = row.topics(version, &body).unwrap();
                let about = format!("{} version {version}", api.name);
                match (row.topics, topics) {
                    (Commit, topics) => assert_eq!(topics, None, "{about}"),
                    (_, Some(topics)) => assert!(
                        matches!(topics[..], [NamedTopic::Name("orders") | NamedTopic::Id([7, ..])]),
                        "{about}: {topics:?}"
                    ),
                    (_, None) => panic!("{about}"),
                }
            }
        }
    }

    fn fill(row: &FencedApi, request: &mut Editable<'static>) {
        match row.topics {
            Elements(list, name) => add(request, list, name),
            ElementsOr(names) if request.has(names) => request.set_texts(names, &["orders"]),
            ElementsOr(_) => add(request, "topics", "name"),
            OfTransactions if request.has("transactions") => {
                let mut transaction = request.element("transactions");
                add(&mut transaction, "topics", "name");
                request.set_list("transactions", vec![transaction]);
            }
            OfTransactions => add(request, "v3_and_below_topics", "name"),
            Resources => {
                let mut topic = request.element("resources");
                topic.set_int("resource_type", TOPIC_RESOURCE);
                topic.set_text("resource_name", Some("orders"));
                let mut broker = request.element("resources");
                broker.set_int("resource_type", 4);
                broker.set_text("resource_name", Some("orders"));
                request.set_list("resources", vec![topic, broker]);
            }
            Commit => request.set_int("committed", 1),
        }
    }

    fn add(request: &mut Editable<'static>, list: &str, name: &str) {
        let mut topic = request.element(list);
        if topic.has(name) {
            topic.set_text(name, Some("orders"));
        } else {
            topic.set_id("topic_id", [7; 16]);
        }
        request.set_list(list, vec![topic]);
    }

    #[test]
    fn a_transaction_that_is_given_up_is_about_no_topic() {
        let mut request = Editable::new(ApiKey::END_TXN, Direction::Request, 3).unwrap();
        request.set_int("committed", 0);
        let row = fenced(ApiKey::END_TXN).unwrap();
        assert_eq!(row.topics(3, &request.write()).unwrap(), Some(Vec::new()));
    }
}
