//! Filters of a program's own.
//!
//! 1. The example with two filters runs: one answers a request that never reaches the broker, one edits an answer.
//! 2. A fault in their settings is reported at its place.
//! 3. On the bench of the library both decide the same wherever reads end, and the example of that bench runs.

include!("../../examples/filters.rs");

mod bench_example {
    include!("../../examples/filter_bench.rs");

    #[test]
    fn the_example_of_the_bench_runs() {
        main().unwrap();
    }
}

use kproxy::filter::FilterOutcome;
use kproxy::testing::{Bench, BenchEvent, ScriptedAnswer, at_every_split};

use kproxy::wire::schema::Draft;
use testkit::broker::Broker;
use testkit::frames::{raw_request, raw_response};

/// What the example does when it is run by itself.
const _: fn() -> Result<(), Box<dyn Error>> = main;

const METADATA_VERSION: i16 = 1;
const CREATE_VERSION: i16 = 2;

fn file(broker: &Broker, config: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "filterDefinitions:
  - {{name: naming, type: TopicPrefix, config: {config}}}
  - {{name: hiding, type: HideTopics, config: {{prefix: internal-}}}}
virtualClusters:
  - name: demo
    targetCluster: {{bootstrapServers: '{}'}}
    filters: [naming, hiding]
    gateways:
      - name: main
        portIdentifiesNode: {{bootstrapAddress: '127.0.0.1:0'}}
",
        broker.address
    );
    std::fs::write(file.path(), text).unwrap();
    file
}

/// Two topics, one of them to be hidden.
fn metadata() -> Vec<u8> {
    let mut draft = Draft::new(ApiKey::METADATA, Direction::Response, METADATA_VERSION).unwrap();
    draft.push("topics").set("name", "orders");
    draft.push("topics").set("name", "internal-offsets");
    draft.encode()
}

fn create(name: &str) -> Vec<u8> {
    let mut draft = Draft::new(ApiKey::CREATE_TOPICS, Direction::Request, CREATE_VERSION).unwrap();
    draft.push("topics").set("name", name);
    draft.encode()
}

#[test]
fn one_filter_answers_and_one_edits() {
    let broker = Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            let body = match asked.api_key {
                ApiKey::METADATA => metadata(),
                _ => b"from the broker".to_vec(),
            };
            connection.send(&raw_response(asked.correlation_id, &body));
        }
    });
    let file = file(&broker, "{prefix: team-}");
    let proxy = start(file.path()).unwrap();
    let mut client = testkit::client::Client::connect(proxy.bootstrap("demo", "main").unwrap());
    let answer = client.ask(&raw_request(
        ApiKey::METADATA,
        METADATA_VERSION,
        1,
        b"\xff\xff\xff\xff",
    ));
    let answer = Message::read(
        ApiKey::METADATA,
        Direction::Response,
        METADATA_VERSION,
        &answer[4..],
    )
    .unwrap();
    let topics: Vec<_> = answer
        .root()
        .array("topics")
        .map(|topic| topic.text("name").unwrap())
        .collect();
    assert_eq!(topics, ["orders"]);

    let answer = client.ask(&raw_request(
        ApiKey::CREATE_TOPICS,
        CREATE_VERSION,
        2,
        &create("wild"),
    ));
    let answer = Message::read(
        ApiKey::CREATE_TOPICS,
        Direction::Response,
        CREATE_VERSION,
        &answer[4..],
    )
    .unwrap();
    let topic = answer.root().array("topics").next().unwrap();
    assert_eq!(
        (topic.text("name"), topic.int("error_code")),
        (Some("wild"), Some(44))
    );

    let answer = client.ask(&raw_request(
        ApiKey::CREATE_TOPICS,
        CREATE_VERSION,
        3,
        &create("team-a"),
    ));
    assert_eq!(&answer[4..], b"from the broker");
}

#[test]
fn a_fault_in_the_settings_of_such_a_filter_is_reported_at_its_place() {
    let broker = Broker::echoing(b"");
    let file = file(&broker, "{prefix: ''}");
    let fault = start(file.path()).unwrap_err().to_string();
    assert!(
        fault.contains(":2:") && fault.contains("expected a beginning of names of topics"),
        "{fault}"
    );
}

/// The topics of an answer, with their errors.
fn topics_of(api_key: i16, version: i16, body: &[u8]) -> Vec<(String, Option<i64>)> {
    let message = Message::read(api_key, Direction::Response, version, body).unwrap();
    let topics = message.root().array("topics");
    topics
        .map(|topic| (topic.text("name").unwrap().to_owned(), topic.int("error_code")))
        .collect()
}

#[test]
fn both_filters_decide_the_same_wherever_reads_end() {
    let filters = || -> [Arc<dyn Filter>; 2] {
        let naming = TopicPrefix {
            name: "naming".to_owned(),
            prefix: "team-".to_owned(),
        };
        let hiding = HideTopics {
            name: "hiding".to_owned(),
            prefix: "internal-".to_owned(),
        };
        [Arc::new(naming), Arc::new(hiding)]
    };
    let build = || {
        Bench::of(filters()).broker(|call| match call.api_key {
            ApiKey::METADATA => ScriptedAnswer::Body(metadata()),
            _ => ScriptedAnswer::Usual,
        })
    };
    let outcome = at_every_split(build, |bench| {
        bench.send(ApiKey::METADATA, METADATA_VERSION, b"\xff\xff\xff\xff");
        bench.send(ApiKey::CREATE_TOPICS, CREATE_VERSION, &create("wild"));
        bench.send(ApiKey::CREATE_TOPICS, CREATE_VERSION, &create("team-a"));
        let answers = bench.answers().into_iter();
        let topics: Vec<_> = answers
            .map(|answer| topics_of(answer.api_key, answer.version, &answer.body))
            .collect();
        let denied = bench.count("naming", FilterOutcome::Denied);
        (topics, bench.calls().len(), denied, bench.events())
    });
    let topic = |name: &str, error| vec![(name.to_owned(), Some(error))];
    let denial = BenchEvent::Denied {
        filter: "naming".to_owned(),
        api: "CreateTopics",
        resource: "wild".to_owned(),
        rule: "team-".to_owned(),
        is_shadow: false,
    };
    let topics = vec![topic("orders", 0), topic("wild", 44), topic("team-a", 0)];
    assert_eq!(outcome, (topics, 2, 1, vec![denial]));
}
