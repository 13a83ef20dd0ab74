//! Names of topics by their ids, in filters that need them.
//!
//! 1. A topic that is not known is asked of the broker once; after a restart with `stateDirectory` it is known, also where the
//!    first filter comes later.
//! 2. Answers that tell names are read on their way to clients. A lower `maxSize` holds from its reload on.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kproxy::model::FilterMode;
use kproxy::wire::api::ApiKey;
use kproxy::wire::schema::{Direction, Draft, Message};
use testkit::access::authorization;
use testkit::broker::{Asked, Broker, Connection};
use testkit::client::Client;
use testkit::frames::{CLIENT_ID, framed};
use testkit::proxy::Setup;
use testkit::wait::eventually;

const UNKNOWN_ID: i64 = 100;
const DENIED: i64 = 29;

/// Nobody may do anything: a Fetch by id is answered with 29 where its topic is known.
const RULES: &str =
    "from io.kroxylicious.filter.authorization import TopicResource as Topic;\notherwise deny;";

fn draft(api_key: i16, way: Direction, version: i16) -> Draft {
    Draft::new(api_key, way, version).unwrap()
}

/// A frame of a flexible version: `head` is what stands before its tagged fields.
fn flexible(head: &[u8], body: &[u8]) -> Vec<u8> {
    framed(&[head, &[0], body].concat())
}

/// Answers Metadata with ids: for a topic whose id is 16 times a byte the name is `topic-BYTE`. Those that `asked` counts
/// name ids, as only kproxy's questions do.
fn broker(asked: Arc<AtomicUsize>) -> Broker {
    Broker::start(move |mut connection: Connection| {
        while let Some(request) = connection.request() {
            if request.api_key == ApiKey::METADATA && request.api_version == 12 {
                connection.send(&named(&request, &asked));
            }
        }
    })
}

fn named(request: &Asked, asked: &AtomicUsize) -> Vec<u8> {
    // The header: key, version, correlation id, client id, tagged fields.
    let client_id = i16::from_be_bytes([request.content[8], request.content[9]]).max(0) as usize;
    let body = &request.content[8 + 2 + client_id + 1..];
    let message = Message::read(ApiKey::METADATA, Direction::Request, 12, body).unwrap();
    let ids: Vec<_> = message
        .root()
        .array("topics")
        .filter_map(|topic| topic.uuid("topic_id"))
        .collect();
    let ids = if ids.is_empty() {
        (0..50).map(|number| [number + 1; 16]).collect()
    } else {
        asked.fetch_add(1, Ordering::SeqCst);
        ids
    };
    let mut answer = draft(ApiKey::METADATA, Direction::Response, 12);
    for id in ids {
        answer
            .push("topics")
            .set("name", &*format!("topic-{}", id[0]))
            .set("topic_id", id);
    }
    flexible(&request.correlation_id.to_be_bytes(), &answer.encode())
}

fn ask(client: &mut Client, api_key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut head = [api_key.to_be_bytes(), version.to_be_bytes()].concat();
    head.extend_from_slice(&7_i32.to_be_bytes());
    head.extend_from_slice(&(CLIENT_ID.len() as i16).to_be_bytes());
    head.extend_from_slice(CLIENT_ID.as_bytes());
    client.ask(&flexible(&head, body))
}

/// The error of a Fetch by the id that is 16 times `number`.
fn fetched(client: &mut Client, number: u8) -> i64 {
    let mut fetch = draft(ApiKey::FETCH, Direction::Request, 13);
    let topic = fetch.push("topics");
    topic.set("topic_id", [number; 16]);
    topic.push("partitions").set("partition_max_bytes", 1000);
    let answer = ask(client, ApiKey::FETCH, 13, &fetch.encode());
    let answer = Message::read(ApiKey::FETCH, Direction::Response, 13, &answer[5..]).unwrap();
    let topic = answer.root().array("responses").next().unwrap();
    topic
        .array("partitions")
        .next()
        .unwrap()
        .int("error_code")
        .unwrap()
}

fn setup(broker: &Broker, directory: &Path) -> Setup {
    let mut setup = Setup::to(&[broker.address])
        .cluster(|cluster| cluster.filters = vec![authorization(FilterMode::Enforce, RULES)]);
    setup.state_directory = Some(directory.to_owned());
    setup
}

#[test]
fn a_restart_forgets_no_names_of_topics() {
    let questions = Arc::new(AtomicUsize::new(0));
    let broker = broker(Arc::clone(&questions));
    let directory = tempfile::tempdir().unwrap();
    let setup = setup(&broker, directory.path());
    let asked = || questions.load(Ordering::SeqCst);
    let proxy = setup.start();
    let mut client = proxy.client();
    assert_eq!(fetched(&mut client, 1), DENIED);
    assert_eq!(fetched(&mut client, 1), DENIED);
    assert_eq!((fetched(&mut proxy.client(), 1), asked()), (DENIED, 1));
    proxy.shutdown();

    let proxy = setup.start();
    assert_eq!((fetched(&mut proxy.client(), 1), asked()), (DENIED, 1));
    assert_eq!((fetched(&mut proxy.client(), 2), asked()), (DENIED, 2));
}

/// Nor are they forgotten by processes that need none.
#[test]
fn the_first_filter_that_a_reload_brings_knows_the_names_of_earlier_runs() {
    let questions = Arc::new(AtomicUsize::new(0));
    let broker = broker(Arc::clone(&questions));
    let directory = tempfile::tempdir().unwrap();
    let with = setup(&broker, directory.path());
    let without = with.clone().cluster(|cluster| cluster.filters.clear());
    let asked = || questions.load(Ordering::SeqCst);
    let proxy = with.start();
    assert_eq!((fetched(&mut proxy.client(), 1), asked()), (DENIED, 1));
    proxy.shutdown();

    without.start().shutdown();

    let proxy = without.start();
    // A reload that brings no filter.
    proxy.apply(&without.clone().cluster(|cluster| cluster.log_frames = true));
    proxy.apply(&with);
    assert_eq!((fetched(&mut proxy.client(), 1), asked()), (DENIED, 1));
}

/// What was learned is saved while kproxy runs, and a file that cannot be used is no obstacle.
#[test]
fn names_of_topics_are_saved_while_it_runs() {
    let broker = broker(Arc::default());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("topics.json");
    std::fs::write(&file, "[").unwrap();
    let proxy = setup(&broker, directory.path()).start();
    assert_eq!(fetched(&mut proxy.client(), 9), DENIED);
    eventually("the names are saved", || {
        std::fs::read(&file).is_ok_and(|text| String::from_utf8_lossy(&text).contains("topic-9"))
    });
}

#[test]
fn names_come_from_passing_answers_and_a_lower_limit_holds_at_once() {
    let questions = Arc::new(AtomicUsize::new(0));
    let broker = broker(Arc::clone(&questions));
    let directory = tempfile::tempdir().unwrap();
    let setup = setup(&broker, directory.path());
    let asked = || questions.load(Ordering::SeqCst);
    let proxy = setup.start();
    let mut all = draft(ApiKey::METADATA, Direction::Request, 12);
    all.set("topics", None::<&str>);
    ask(&mut proxy.client(), ApiKey::METADATA, 12, &all.encode());
    assert_eq!((fetched(&mut proxy.client(), 3), asked()), (DENIED, 0));
    assert_eq!((fetched(&mut proxy.client(), 4), asked()), (DENIED, 0));

    let small = setup.clone().cluster(|cluster| cluster.topic_names.max_size = 1);
    proxy.apply(&small);
    assert_eq!((fetched(&mut proxy.client(), 4), asked()), (DENIED, 0));
    assert_eq!((fetched(&mut proxy.client(), 3), asked()), (DENIED, 1));
    assert_eq!((fetched(&mut proxy.client(), 4), asked()), (DENIED, 2));

    let short = small.cluster(|cluster| cluster.topic_names.expire_after_access = Duration::ZERO);
    proxy.apply(&short);
    let mut client = proxy.client();
    assert_eq!((fetched(&mut client, 4), asked()), (DENIED, 3));
    // The session knows what it has used.
    assert_eq!((fetched(&mut client, 4), asked()), (DENIED, 3));
    assert_ne!(fetched(&mut client, 5), UNKNOWN_ID);
}
