//! Fences by topic (`fence`, `kproxy fence`).
//!
//! 1. `retriable`: a write to a fenced topic is answered with error 6 in every version, in its place in the order of requests;
//!    other topics of the same request, and other requests, reach the broker. Nothing of a fenced topic does.
//! 2. `hold`: a write waits until the fence is lifted, and goes on then; when its time is over it is answered as with `retriable`.
//! 3. Live sessions follow a fence that comes and goes at their next request, and none is closed.
//! 4. The requests that were sent before a fence are known: it is settled when they are answered.
//! 5. Names are told by the ids of topics, which the broker is asked for.
//! 6. Writes with `acks=0`, which nobody answers, are held.
//! 7. Transactions, groups and administration are answered with errors after which their clients try again.
//! 8. Answers of Fetch lose the records of fenced topics, within fetch sessions and without.

mod answers;
mod fetch;

use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use data_encoding::HEXLOWER;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{MetadataRequest, MetadataResponse, ProduceRequest, ProduceResponse};
use kproxy::control::{Requester, SteeringCommand, SteeringReport, SteeringRequest};
use kproxy::model::{FenceModel, FenceText};
use kproxy::session::cause::CloseCause;
use testkit::broker::{Asked, Broker, Connection};
use testkit::client::Client;
use testkit::cluster::body;
use testkit::frames::{self, heartbeat};
use testkit::proxy::{CLUSTER, Setup, TestProxy, servers};
use testkit::topics::topic_name;
use testkit::wait::{PATIENCE, eventually};

/// First version with ids of topics in Produce.
const WITH_IDS: i16 = 13;

/// A fence of these topics.
fn fence(topics: &str, operations: &str, answer: &str) -> FenceModel {
    FenceModel::parse(&FenceText {
        topics: Some(topics.into()),
        operations: Some(operations.into()),
        answer: Some(answer.into()),
        hold_for: None,
    })
    .unwrap()
}

fn steer(proxy: &TestProxy, command: SteeringCommand) -> Result<SteeringReport, String> {
    let by = Requester::Program;
    let answer = proxy.proxy.handle().steer(SteeringRequest { by, command });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(answer).unwrap()
}

fn set(proxy: &TestProxy, fence: FenceModel) -> SteeringReport {
    let command = SteeringCommand::Fence {
        cluster: CLUSTER.into(),
        fence,
        lasting: None,
    };
    steer(proxy, command).unwrap()
}

fn lift(proxy: &TestProxy) -> SteeringReport {
    steer(proxy, SteeringCommand::Unfence(CLUSTER.into())).unwrap()
}

/// What the status says of the fence.
fn status(proxy: &TestProxy) -> kproxy::control::FenceStatus {
    let status = proxy.proxy.status().unwrap();
    status.clusters[0].fence.clone().unwrap()
}

/// The id of a topic: its first letters.
fn id(name: &str) -> [u8; 16] {
    let mut id = [0; 16];
    id.iter_mut().zip(name.bytes()).for_each(|(to, from)| *to = from);
    id
}

/// The id as text.
fn hex(name: &str) -> String {
    HEXLOWER.encode(&id(name))
}

/// Topics that the broker has.
const TOPICS: [&str; 3] = ["orders", "other", "pay"];

/// A write of one record to partition 0 and 1 of each topic.
fn produce(version: i16, acks: i16, topics: &[&str]) -> ProduceRequest {
    let partition = |index| {
        PartitionProduceData::default()
            .with_index(index)
            .with_records(Some(b"records"[..].into()))
    };
    let topic = |name: &&str| {
        let topic = TopicProduceData::default().with_partition_data(vec![partition(0), partition(1)]);
        match version >= WITH_IDS {
            true => topic.with_topic_id(hex(name).parse().unwrap()),
            false => topic.with_name(topic_name(name)),
        }
    };
    ProduceRequest::default()
        .with_acks(acks)
        .with_timeout_ms(30_000)
        .with_topic_data(topics.iter().map(topic).collect())
}

/// Names and errors of the partitions of an answer, in ascending order.
fn errors(version: i16, answer: &ProduceResponse) -> Vec<(String, i32, i16)> {
    let name = |topic: &TopicProduceResponse| match version >= WITH_IDS {
        true => {
            let known = TOPICS.iter().find(|name| id(name) == topic.topic_id.into_bytes());
            known.unwrap_or(&"?").to_string()
        }
        false => topic.name.to_string(),
    };
    let topics = answer.responses.iter().flat_map(|topic| {
        let partitions = topic.partition_responses.iter();
        let name = name(topic);
        partitions.map(move |partition| (name.clone(), partition.index, partition.error_code))
    });
    let mut errors: Vec<_> = topics.collect();
    errors.sort();
    errors
}

/// Both partitions of a topic, with this error.
fn both(name: &str, error: i16) -> [(String, i32, i16); 2] {
    [0, 1].map(|partition| (name.to_owned(), partition, error))
}

/// A broker that takes every write, and the topics of the writes in the order of their arrival.
struct Written {
    broker: Broker,
    topics: Receiver<Vec<String>>,
    /// Ids of topics that it was asked for.
    asked: Arc<Mutex<Vec<[u8; 16]>>>,
}

impl Written {
    fn start() -> Self {
        Self::holding(|_| {})
    }

    /// `before` is run before a write is answered.
    fn holding(before: impl Fn(&ProduceRequest) + Send + Sync + 'static) -> Self {
        let (sender, topics) = channel();
        let asked = Arc::<Mutex<Vec<[u8; 16]>>>::default();
        let broker = Broker::start({
            let asked = Arc::clone(&asked);
            move |mut connection: Connection| {
                while let Some(request) = connection.request() {
                    match request.api_key {
                        0 => {
                            let write: ProduceRequest = body(&request);
                            sender.send(names(&request, &write)).unwrap_or_default();
                            before(&write);
                            if write.acks != 0 {
                                connection.answer(&request, &taken(&write));
                            }
                        }
                        3 => connection.answer(&request, &named(&request, &asked)),
                        _ => connection.send(&frames::raw_response(request.correlation_id, b"\0\0")),
                    }
                }
            }
        });
        Self {
            broker,
            topics,
            asked,
        }
    }

    /// The topics of the next write.
    #[track_caller]
    fn next(&self) -> Vec<String> {
        self.topics.recv_timeout(PATIENCE).unwrap()
    }

    /// Whether no write has arrived that the test has not seen.
    fn is_quiet(&self) -> bool {
        self.topics.try_recv().is_err()
    }
}

fn names(asked: &Asked, write: &ProduceRequest) -> Vec<String> {
    let name = |topic: &TopicProduceData| match asked.api_version >= WITH_IDS {
        true => String::from_utf8_lossy(topic.topic_id.as_bytes())
            .trim_matches('\0')
            .to_owned(),
        false => topic.name.to_string(),
    };
    write.topic_data.iter().map(name).collect()
}

/// The answer to a write that was taken.
fn taken(write: &ProduceRequest) -> ProduceResponse {
    let topics = write.topic_data.iter().map(|topic| {
        let partitions = topic.partition_data.iter();
        let partitions = partitions.map(|partition| {
            PartitionProduceResponse::default()
                .with_index(partition.index)
                .with_base_offset(7)
        });
        TopicProduceResponse::default()
            .with_name(topic.name.clone())
            .with_topic_id(topic.topic_id)
            .with_partition_responses(partitions.collect())
    });
    ProduceResponse::default().with_responses(topics.collect())
}

/// The topics that a request for Metadata is about.
fn named(request: &Asked, asked: &Mutex<Vec<[u8; 16]>>) -> MetadataResponse {
    let request: MetadataRequest = body(request);
    let wanted = request.topics.unwrap_or_default();
    let ids: Vec<[u8; 16]> = wanted.iter().map(|topic| topic.topic_id.into_bytes()).collect();
    asked.lock().unwrap().extend(&ids);
    let is_wanted = |name: &&&str| {
        wanted.is_empty()
            || ids.contains(&id(name))
            || wanted
                .iter()
                .any(|topic| topic.name.as_ref() == Some(&topic_name(name)))
    };
    let topics = TOPICS.iter().filter(is_wanted).map(|name| {
        MetadataResponseTopic::default()
            .with_name(Some(topic_name(name)))
            .with_topic_id(hex(name).parse().unwrap())
    });
    MetadataResponse::default().with_topics(topics.collect())
}

#[test]
fn a_write_to_a_fenced_topic_is_answered_and_everything_else_flows_in_every_version() {
    let written = Written::start();
    let proxy = Setup::to(&[written.broker.address]).start();
    set(&proxy, fence("orders,pay*", "produce", "retriable"));
    for version in 3..=WITH_IDS {
        let mut client = proxy.client();
        let answer = client.call(version, 1, &produce(version, 1, &["orders"]));
        assert_eq!(errors(version, &answer), both("orders", 6), "version {version}");
        let all = answer
            .responses
            .iter()
            .flat_map(|topic| &topic.partition_responses);
        assert!(all.clone().all(|partition| partition.base_offset == -1));
        let answer = client.call(version, 2, &produce(version, -1, &["orders", "other", "pay"]));
        let mut expected = [both("orders", 6), both("other", 0), both("pay", 6)].concat();
        expected.sort();
        assert_eq!(errors(version, &answer), expected, "version {version}");
        assert_eq!(written.next(), ["other"], "version {version}");
        let answer = client.call(version, 3, &produce(version, 1, &["other"]));
        assert_eq!(errors(version, &answer), both("other", 0));
        assert_eq!(written.next(), ["other"]);
        client.ask(&heartbeat(4));
        assert!(written.is_quiet());
    }
    let status = status(&proxy);
    assert_eq!((status.answered, status.held), (2 * 11, 0));
    assert_eq!(status.topics, ["orders", "pay*"]);
}

#[test]
fn answers_of_a_fence_keep_the_order_of_requests() {
    let (release, hold) = channel::<()>();
    let hold = Mutex::new(hold);
    let written = Written::holding(move |_| hold.lock().unwrap().recv_timeout(PATIENCE).unwrap());
    let proxy = Setup::to(&[written.broker.address]).start();
    set(&proxy, fence("orders", "produce", "retriable"));
    let mut client = proxy.client();
    for (number, topic) in [(1, "other"), (2, "orders"), (3, "other"), (4, "orders")] {
        client.send(&frames::request(9, number, &produce(9, 1, &[topic])));
    }
    assert_eq!(written.next(), ["other"]);
    for number in 1..=4 {
        if number % 2 == 1 {
            release.send(()).unwrap();
        }
        let (got, answer) = frames::decode::<ProduceResponse>(9, &client.frame());
        assert_eq!(got, number);
        let expected = if number % 2 == 1 {
            both("other", 0)
        } else {
            both("orders", 6)
        };
        assert_eq!(errors(9, &answer), expected);
    }
    assert_eq!(written.next(), ["other"]);
    assert!(written.is_quiet());
}

#[test]
fn a_write_that_is_held_goes_on_when_the_fence_is_lifted() {
    let written = Written::start();
    let proxy = Setup::to(&[written.broker.address]).start();
    let (mut client, mut other) = (proxy.client(), proxy.client());
    client.call(9, 1, &produce(9, 1, &["orders"]));
    written.next();
    set(&proxy, fence("orders", "produce", "hold"));
    client.send(&frames::request(9, 2, &produce(9, 1, &["orders"])));
    client.send(&frames::request(9, 3, &produce(9, 1, &["orders"])));
    eventually("a write waits", || status(&proxy).waiting == 1);
    other.call(9, 1, &produce(9, 1, &["other"]));
    assert_eq!(written.next(), ["other"]);
    assert!(written.is_quiet());
    assert_eq!(lift(&proxy).fence, None);
    for number in [2, 3] {
        let (got, answer) = frames::decode::<ProduceResponse>(9, &client.frame());
        assert_eq!((got, errors(9, &answer)), (number, both("orders", 0).to_vec()));
        assert_eq!(written.next(), ["orders"]);
    }
    assert!(proxy.proxy.status().unwrap().clusters[0].fence.is_none());
    proxy.expect_sessions(2);
}

#[test]
fn a_write_that_is_held_too_long_is_answered() {
    let written = Written::start();
    let proxy = Setup::to(&[written.broker.address]).start();
    let held = FenceModel {
        hold_for: Duration::from_secs(1),
        ..fence("*", "produce", "hold")
    };
    set(&proxy, held);
    let mut client = proxy.client();
    let answer = client.call(9, 1, &produce(9, 1, &["orders", "other"]));
    let expected = [both("orders", 6), both("other", 6)].concat();
    assert_eq!(errors(9, &answer), expected);
    let status = status(&proxy);
    assert_eq!((status.held, status.answered, status.waiting), (1, 1, 0));
    assert!(written.is_quiet());
}

#[test]
fn a_session_is_not_idle_while_its_write_is_held() {
    let written = Written::start();
    let proxy = Setup::to(&[written.broker.address])
        .network(|network| network.authenticated_idle_timeout = Some(Duration::from_secs(1)))
        .start();
    let mut client = open(&proxy);
    let held = FenceModel {
        hold_for: Duration::from_secs(3),
        ..fence("orders", "produce", "hold")
    };
    set(&proxy, held);
    let answer = client.call(9, 1, &produce(9, 1, &["orders"]));
    assert_eq!(errors(9, &answer), both("orders", 6));
    proxy.expect_closes(CloseCause::IdleTimeout, 0);
}

#[test]
fn one_fence_takes_the_place_of_another_while_a_write_waits() {
    let written = Written::start();
    let proxy = Setup::to(&[written.broker.address]).start();
    set(&proxy, fence("orders", "produce", "hold"));
    let mut client = proxy.client();
    client.send(&frames::request(9, 1, &produce(9, 1, &["orders"])));
    eventually("a write waits", || status(&proxy).waiting == 1);
    set(&proxy, fence("orders", "produce", "retriable"));
    let (_, answer) = frames::decode::<ProduceResponse>(9, &client.frame());
    // Between the end of the one and the beginning of the other no write slips through.
    assert_eq!(errors(9, &answer), both("orders", 6));
    assert!(written.is_quiet());
}

#[test]
fn a_fence_is_settled_when_the_requests_from_before_are_answered() {
    let (release, hold) = channel::<()>();
    let hold = Mutex::new(hold);
    let written = Written::holding(move |_| hold.lock().unwrap().recv_timeout(PATIENCE).unwrap());
    let proxy = Setup::to(&[written.broker.address]).start();
    let (mut busy, mut idle) = (proxy.client(), proxy.client());
    idle.ask(&heartbeat(1));
    busy.send(&frames::request(9, 1, &produce(9, 1, &["orders"])));
    busy.send(&frames::request(9, 2, &produce(9, 1, &["orders"])));
    written.next();
    eventually("both are on their way", || {
        proxy.proxy.status().unwrap().clusters[0].in_flight == 2
    });
    set(&proxy, fence("orders", "produce", "retriable"));
    eventually("one session is unsettled", || status(&proxy).unsettled == 1);
    busy.send(&frames::request(9, 3, &produce(9, 1, &["other"])));
    release.send(()).unwrap();
    busy.frame();
    written.next();
    assert_eq!(status(&proxy).unsettled, 1);
    release.send(()).unwrap();
    busy.frame();
    eventually("it is settled", || status(&proxy).unsettled == 0);
    // What was sent under the fence is not waited for.
    assert_eq!(written.next(), ["other"]);
    assert_eq!(status(&proxy).unsettled, 0);
    release.send(()).unwrap();
    busy.frame();
}

#[test]
fn the_broker_is_asked_for_the_name_of_an_id_once() {
    let written = Written::start();
    let proxy = Setup::to(&[written.broker.address]).start();
    set(&proxy, fence("orders", "produce", "retriable"));
    let mut client = proxy.client();
    for number in 1..=3 {
        let answer = client.call(13, number, &produce(13, 1, &["orders"]));
        assert_eq!(errors(13, &answer), both("orders", 6));
    }
    assert_eq!(*written.asked.lock().unwrap(), [id("orders")]);
    // A topic that the broker does not know is its own to answer.
    let answer = client.call(13, 4, &produce(13, 1, &["strange"]));
    assert_eq!(errors(13, &answer), both("?", 0));
    assert_eq!(written.next(), ["strange"]);
}

#[test]
fn a_write_that_nobody_answers_is_held_and_reaches_the_broker_after_the_fence() {
    let written = Written::start();
    let proxy = Setup::to(&[written.broker.address]).start();
    set(&proxy, fence("orders", "produce", "retriable"));
    let mut client = proxy.client();
    client.send(&frames::request(9, 1, &produce(9, 0, &["orders"])));
    client.send(&heartbeat(2));
    eventually("the write waits", || status(&proxy).waiting == 1);
    assert!(written.is_quiet());
    lift(&proxy);
    client.frame();
    assert_eq!(written.next(), ["orders"]);
}

#[test]
fn a_session_ends_at_a_write_that_nobody_answers_and_that_was_held_too_long() {
    let written = Written::start();
    let proxy = Setup::to(&[written.broker.address]).start();
    let brief = FenceModel {
        hold_for: Duration::from_secs(1),
        ..fence("orders", "produce", "retriable")
    };
    set(&proxy, brief);
    let mut client = proxy.client();
    client.send(&frames::request(9, 1, &produce(9, 0, &["orders"])));
    client.expect_fin();
    proxy.expect_closes(CloseCause::FilterDenied, 1);
    assert_eq!(status(&proxy).closed, 1);
    assert!(written.is_quiet());
}

#[test]
fn a_fence_of_the_configuration_comes_and_goes_with_reloads_and_closes_nothing() {
    let written = Written::start();
    let setup = Setup::to(&[written.broker.address]);
    let fenced = setup.clone().cluster(|cluster| {
        cluster.fence = Some(Arc::new(fence("orders", "produce", "retriable")));
    });
    let proxy = fenced.start();
    let mut client = proxy.client();
    let mut error = |number| {
        let answer = client.call(9, number, &produce(9, 1, &["orders"]));
        errors(9, &answer)[0].2
    };
    assert_eq!(error(1), 6);
    assert_eq!(status(&proxy).by, None);
    let why = steer(&proxy, SteeringCommand::Unfence(CLUSTER.into())).unwrap_err();
    assert!(why.contains("is in the configuration"), "{why}");
    // A command takes its place, until it is lifted; a reload changes nothing of that.
    set(&proxy, fence("pay", "produce", "hold"));
    assert_eq!(error(2), 0);
    proxy.apply(&fenced.clone().cluster(|cluster| cluster.log_network = true));
    assert_eq!((error(3), status(&proxy).topics), (0, vec!["pay".to_owned()]));
    assert_eq!(lift(&proxy).fence.unwrap().topics, ["orders"]);
    assert_eq!(error(4), 6);
    let report = proxy.apply(&setup);
    assert!(report.errors.is_empty(), "{report:?}");
    assert_eq!(error(5), 0);
    assert_eq!(lift(&proxy).outcome, "unchanged");
    proxy.expect_sessions(1);
}

#[test]
fn a_drain_ends_a_session_whose_write_waits_and_the_write_never_reaches_the_broker() {
    let written = Written::start();
    let proxy = Setup::to(&[written.broker.address])
        .cluster(|cluster| {
            cluster.drain.timeout = Duration::from_secs(1);
            cluster.drain.hard_timeout = Duration::from_secs(2);
        })
        .start();
    set(&proxy, fence("orders", "produce", "hold"));
    let mut client = proxy.client();
    client.send(&frames::request(9, 1, &produce(9, 1, &["orders"])));
    eventually("the write waits", || status(&proxy).waiting == 1);
    steer(&proxy, SteeringCommand::Drain(CLUSTER.into())).unwrap();
    client.expect_fin();
    lift(&proxy);
    assert!(written.is_quiet());
}

#[test]
fn a_write_that_waits_while_the_target_changes_never_reaches_the_target_before() {
    let (before, after) = (Written::start(), Written::start());
    let setup = Setup::to(&[before.broker.address]).cluster(|cluster| {
        cluster.drain.timeout = Duration::from_secs(1);
        cluster.drain.hard_timeout = Duration::from_secs(2);
    });
    let proxy = setup.start();
    let mut client = open(&proxy);
    set(&proxy, fence("orders", "produce", "hold"));
    client.send(&frames::request(9, 2, &produce(9, 1, &["orders"])));
    eventually("the write waits", || status(&proxy).waiting == 1);
    let moved = setup.clone().cluster(|cluster| {
        cluster.target.bootstrap_servers = servers(&[after.broker.address]);
    });
    proxy.apply(&moved);
    // The fence goes on in front of the new target.
    assert_eq!(status(&proxy).topics, ["orders"]);
    let answer = proxy.client().call(9, 1, &produce(9, 1, &["other"]));
    assert_eq!(errors(9, &answer), both("other", 0));
    assert_eq!(after.next(), ["other"]);
    lift(&proxy);
    client.expect_fin();
    assert!(before.is_quiet() && after.is_quiet());
}

/// A client that has asked something once: its session is open.
fn open(proxy: &TestProxy) -> Client {
    let mut client = proxy.client();
    client.ask(&heartbeat(1));
    client
}
