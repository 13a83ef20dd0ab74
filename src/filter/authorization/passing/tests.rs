//! What passes at once beside what is decided request by request: the same session twice, read for read.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use proptest::sample::select;

use crate::filter::authorization::Authorization;
use crate::filter::{
    AclDecisions, ClientSession, Filter, FilterOutcome, FilterStep, Interest, Note, OnRequest, OnResponse,
    Request, Response,
};
use crate::model::acl::{AclRules, parse_rules};
use crate::model::{AuthorizationModel, UnansweredDenial};
use crate::testing::{Bench, BenchSide, BrokerCall, ReadCut, ScriptedAnswer, frames};
use crate::wire::api::{Api, ApiKey};
use crate::wire::schema::{Direction, Editable};

/// Rights that differ in `bb`, `cc` and transactions.
const RULES: [&str; 2] = [
    "allow User with name = \"alice\" to * Topic with name in {\"aa\", \"bb\"};
     allow User with name = \"alice\" to * TransactionalId with name = \"t\";",
    "allow User with name = \"alice\" to * Topic with name = \"aa\";
     allow User with name = \"alice\" to READ Topic with name = \"cc\";",
];

/// No change of one byte makes one of the other.
const TOPICS: [&str; 3] = ["aa", "bb", "cc"];

fn filter(rules: usize, shadow: bool) -> Authorization {
    let text = format!(
        "from io.kroxylicious.filter.authorization import TopicResource as Topic, TransactionalIdResource as TransactionalId;
        {} otherwise deny;",
        RULES[rules]
    );
    let settings = AuthorizationModel {
        rules: Arc::new(AclRules::new(parse_rules(&text).unwrap()).unwrap()),
        in_file: false,
        unanswered: UnansweredDenial::Close,
    };
    Authorization::new("authz", &settings, shadow)
}

/// A filter that lets nothing pass at once unless it is `fast`.
#[derive(Debug)]
struct Watched {
    inner: Authorization,
    fast: bool,
    passed: Arc<AtomicU64>,
}

impl Filter for Watched {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn interest(&self, interest: &mut Interest) {
        self.inner.interest(interest);
    }

    fn offers(&self, api: &Api) -> Option<RangeInclusive<i16>> {
        self.inner.offers(api)
    }

    fn decisions(&self) -> Option<&AclDecisions> {
        self.inner.decisions()
    }

    fn passes(&self, session: &mut ClientSession, request: &Request<'_>) -> bool {
        self.fast && self.inner.passes(session, request)
    }

    fn passed(&self, session: &mut ClientSession) {
        self.passed.fetch_add(1, Ordering::Relaxed);
        self.inner.passed(session);
    }

    fn count_passed(&self, session: &mut ClientSession) {
        self.inner.count_passed(session);
    }

    fn request(&self, session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest> {
        self.inner.request(session, request)
    }

    fn response(
        &self,
        session: &mut ClientSession,
        response: &mut Response<'_>,
        note: &mut Option<Note>,
    ) -> FilterStep<OnResponse> {
        self.inner.response(session, response, note)
    }
}

/// What a client does, or somebody else.
#[derive(Debug, Clone)]
enum Act {
    Metadata,
    Fetch {
        version: i16,
        session: (i64, i64),
        topics: Vec<usize>,
        partition: i64,
        forgets: Option<usize>,
        replica: i64,
    },
    Produce {
        version: i16,
        acks: i64,
        transaction: Option<&'static str>,
        topics: Vec<usize>,
    },
    /// Other rules come into force.
    Rules(usize),
}

fn id_of(topic: usize) -> [u8; 16] {
    [topic as u8 + 1; 16]
}

/// No topic twice: what passes at once counts it twice.
fn topics() -> impl Strategy<Value = Vec<usize>> {
    prop::sample::subsequence(vec![0, 1, 2], 0..=2).prop_shuffle()
}

fn fetch_act() -> impl Strategy<Value = Act> {
    let session = select(vec![
        (0, 0),
        (0, -1),
        (0, -1),
        (77, 3),
        (77, 3),
        (77, 3),
        (77, -1),
        (78, 3),
    ]);
    let replica = select(vec![-1, -1, -1, -1, -1, -1, -1, 0]);
    (
        4..=18_i16,
        session,
        topics(),
        0..2_i64,
        prop::option::weighted(0.1, 0..3_usize),
        replica,
    )
        .prop_map(
            |(version, session, topics, partition, forgets, replica)| Act::Fetch {
                version,
                session,
                topics,
                partition,
                forgets,
                replica,
            },
        )
}

fn produce_act() -> impl Strategy<Value = Act> {
    let transaction = select(vec![None, None, None, Some("t"), Some("u")]);
    (3..=13_i16, select(vec![1, -1, 0]), transaction, topics()).prop_map(
        |(version, acks, transaction, topics)| Act::Produce {
            version,
            acks,
            transaction,
            topics,
        },
    )
}

/// A batch is what arrives before the broker has answered anything of it.
fn batches() -> impl Strategy<Value = Vec<Vec<Act>>> {
    let act = prop_oneof![
        6 => fetch_act(),
        5 => produce_act(),
        1 => Just(Act::Metadata),
        1 => (0..2_usize).prop_map(Act::Rules),
    ];
    prop::collection::vec(prop::collection::vec(act, 1..4), 1..12)
}

impl Act {
    /// API, version and body of the request.
    fn request(&self) -> Option<(i16, i16, Vec<u8>)> {
        let key = match self {
            Self::Rules(_) => return None,
            Self::Metadata => ApiKey::METADATA,
            Self::Fetch { .. } => ApiKey::FETCH,
            Self::Produce { .. } => ApiKey::PRODUCE,
        };
        let version = match self {
            Self::Fetch { version, .. } | Self::Produce { version, .. } => *version,
            _ => 12,
        };
        let mut body = Editable::new(key, Direction::Request, version).unwrap();
        match self {
            Self::Fetch { .. } => self.fill_fetch(&mut body, version),
            Self::Produce { .. } => self.fill_produce(&mut body, version),
            _ => {}
        }
        Some((key, version, body.write()))
    }

    fn fill_fetch(&self, body: &mut Editable<'static>, version: i16) {
        let Self::Fetch {
            session,
            topics,
            partition,
            forgets,
            replica,
            ..
        } = self
        else {
            return;
        };
        if version < 15 {
            body.set_int("replica_id", *replica);
        }
        body.set_int("session_id", session.0);
        body.set_int("session_epoch", session.1);
        body.set_text("rack_id", Some("r"));
        for topic in topics {
            let mut element = body.element("topics");
            name(&mut element, "topic", *topic, version >= 13);
            let mut of_topic = element.element("partitions");
            of_topic.set_int("partition", *partition);
            of_topic.set_int("partition_max_bytes", 1000);
            element.set_list("partitions", vec![of_topic]);
            body.extend("topics", [element]);
        }
        if let Some(topic) = forgets.filter(|_| version >= 7) {
            let mut element = body.element("forgotten_topics_data");
            name(&mut element, "topic", topic, version >= 13);
            element.set_ints("partitions", &[0]);
            body.extend("forgotten_topics_data", [element]);
        }
    }

    fn fill_produce(&self, body: &mut Editable<'static>, version: i16) {
        let Self::Produce {
            acks,
            transaction,
            topics,
            ..
        } = self
        else {
            return;
        };
        body.set_text("transactional_id", *transaction);
        body.set_int("acks", *acks);
        for topic in topics {
            let mut element = body.element("topic_data");
            name(&mut element, "name", *topic, version >= 13);
            let mut partition = element.element("partition_data");
            partition.set_text("records", Some("abc"));
            element.set_list("partition_data", vec![partition]);
            body.extend("topic_data", [element]);
        }
    }
}

fn name(element: &mut Editable<'static>, field: &str, topic: usize, by_id: bool) {
    match by_id {
        true => element.set_id("topic_id", id_of(topic)),
        false => element.set_text(field, Some(TOPICS[topic])),
    }
}

/// The broker knows all topics, and answers fetches with records of every topic, also those that were not named now.
fn broker(call: &BrokerCall) -> ScriptedAnswer {
    let mut answer = Editable::new(call.api_key, Direction::Response, call.version).unwrap();
    match call.api_key {
        ApiKey::METADATA => {
            for (number, topic) in TOPICS.into_iter().enumerate() {
                let mut element = answer.element("topics");
                element.set_text("name", Some(topic));
                element.set_id("topic_id", id_of(number));
                answer.extend("topics", [element]);
            }
        }
        ApiKey::FETCH => {
            answer.set_int("session_id", 77);
            for topic in 0..TOPICS.len() {
                let mut element = answer.element("responses");
                name(&mut element, "topic", topic, call.version >= 13);
                let mut partition = element.element("partitions");
                partition.set_text("records", Some("secret"));
                element.set_list("partitions", vec![partition]);
                answer.extend("responses", [element]);
            }
        }
        _ => return ScriptedAnswer::Usual,
    }
    ScriptedAnswer::Body(answer.write())
}

/// All that can be seen of a session.
#[derive(PartialEq)]
struct Seen {
    to_broker: Vec<u8>,
    to_client: Vec<u8>,
    events: String,
    ended: Option<String>,
    outcomes: Vec<u64>,
    decided: Vec<String>,
}

impl Seen {
    /// The first difference; `None` if there is none.
    fn difference(&self, other: &Self) -> Option<String> {
        let streams = [
            (&self.to_broker, &other.to_broker),
            (&self.to_client, &other.to_client),
        ];
        if let Some((one, other)) = streams.into_iter().find(|(one, other)| one != other) {
            let pairs = frames(one).into_iter().zip(frames(other));
            let differs = pairs.enumerate().find(|(_, (one, other))| one != other);
            return Some(format!("{} and {} bytes: {differs:?}", one.len(), other.len()));
        }
        let shown = |seen: &Self| {
            format!(
                "{:#?}",
                (&seen.events, &seen.ended, &seen.outcomes, &seen.decided)
            )
        };
        let (one, other) = (shown(self), shown(other));
        let differs = one.lines().zip(other.lines()).find(|(one, other)| one != other);
        differs.map(|differs| format!("{differs:#?}"))
    }
}

/// What a client sends; the bodies are `mutated` where that says so.
#[derive(Debug, Clone)]
struct Play {
    batches: Vec<Vec<Act>>,
    /// A byte of the body of a request by its number: place and value.
    mutated: Option<(usize, usize, u8)>,
    shadow: bool,
}

/// A session of the play: the filters of `fast` let pass at once.
struct Stage {
    bench: Bench,
    in_force: Arc<Watched>,
    shadow: bool,
    decided: Vec<String>,
    outcomes: Vec<u64>,
}

impl Stage {
    fn new(shadow: bool, fast: bool, cut: ReadCut) -> Self {
        let in_force = Arc::new(Watched {
            inner: filter(0, shadow),
            fast,
            passed: Arc::default(),
        });
        let filters = [Arc::clone(&in_force) as Arc<dyn Filter>];
        Self {
            bench: Bench::of(filters).user("alice").broker(broker).cut(cut).start(),
            in_force,
            shadow,
            decided: Vec::new(),
            outcomes: Vec::new(),
        }
    }

    /// Notes what the filter in force has counted.
    fn note_counts(&mut self) {
        let decisions = &self.in_force.inner.decisions;
        let by_rule: Vec<_> = decisions.by_rule().collect();
        let totals: Vec<_> = decisions.totals().collect();
        self.decided.push(format!("{by_rule:?} {totals:?}"));
        let outcomes = FilterOutcome::ALL.iter();
        self.outcomes
            .extend(outcomes.map(|outcome| self.bench.count("authz", *outcome)));
    }

    fn reload(&mut self, rules: usize) {
        self.note_counts();
        self.in_force = Arc::new(Watched {
            inner: filter(rules, self.shadow).after(&self.in_force.inner),
            fast: self.in_force.fast,
            passed: Arc::clone(&self.in_force.passed),
        });
        self.bench.reload([Arc::clone(&self.in_force) as Arc<dyn Filter>]);
    }

    fn send(&mut self, bytes: &mut Vec<u8>) {
        if !bytes.is_empty() {
            self.bench.client_bytes(&std::mem::take(bytes));
        }
    }

    fn seen(mut self) -> Seen {
        self.note_counts();
        let ended = self.bench.ended();
        Seen {
            to_broker: self.bench.to_broker(),
            to_client: self.bench.to_client(),
            events: format!("{:?}", self.bench.events()),
            ended: ended.map(|fault| format!("{:?} {}", fault.cause, fault.detail)),
            outcomes: self.outcomes,
            decided: self.decided,
        }
    }
}

impl Play {
    fn run(&self, fast: bool, cut: ReadCut) -> (Seen, u64) {
        let mut stage = Stage::new(self.shadow, fast, cut);
        let mut number = 0;
        for batch in &self.batches {
            let mut bytes = Vec::new();
            for act in batch {
                if let Act::Rules(rules) = act {
                    stage.send(&mut bytes);
                    stage.reload(*rules);
                }
                if let Some((key, version, mut body)) = act.request() {
                    self.mutate(number, &mut body);
                    number += 1;
                    bytes.extend(stage.bench.request(key, version, &body));
                }
            }
            stage.send(&mut bytes);
        }
        let passed = stage.in_force.passed.load(Ordering::Relaxed);
        (stage.seen(), passed)
    }

    fn mutate(&self, number: usize, body: &mut [u8]) {
        if let Some((of, at, value)) = self.mutated
            && of == number
            && !body.is_empty()
        {
            body[at % body.len()] = value;
        }
    }
}

fn plays() -> impl Strategy<Value = Play> {
    let value = prop_oneof![select(vec![0, 1, 2, 0x7f, 0x80, 0xff]), any::<u8>()];
    let mutated = prop::option::weighted(0.4, (0..12_usize, any::<usize>(), value));
    (batches(), mutated, prop::bool::weighted(0.2)).prop_map(|(batches, mutated, shadow)| Play {
        batches,
        mutated,
        shadow,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_passes_at_once_is_what_would_have_been_decided(
        play in plays(),
        piece in 2..200_usize,
        at in 1..3000_usize,
    ) {
        let cuts = [
            ReadCut::None,
            ReadCut::Pieces(1),
            ReadCut::Pieces(piece),
            ReadCut::Before(BenchSide::Client, at),
        ];
        for cut in cuts {
            let ((seen, _), (expected, none)) = (play.run(true, cut), play.run(false, cut));
            prop_assert_eq!(none, 0);
            prop_assert_eq!(seen.difference(&expected), None, "{:?}", cut);
        }
    }
}

/// Fetches and produces of a busy client in every version, and a right that is taken away and given back.
fn busy_play(versions: (i16, i16), shadow: bool) -> Play {
    let fetch = |session, topics: &[usize]| Act::Fetch {
        version: versions.0,
        session,
        topics: topics.to_vec(),
        partition: 0,
        forgets: None,
        replica: -1,
    };
    let produce = |acks, transaction, topics: &[usize]| Act::Produce {
        version: versions.1,
        acks,
        transaction,
        topics: topics.to_vec(),
    };
    let busy = vec![
        fetch((77, 3), &[0]),
        produce(1, None, &[0]),
        fetch((0, -1), &[0, 1]),
        produce(0, Some("t"), &[1]),
        fetch((77, 4), &[]),
    ];
    Play {
        batches: vec![
            vec![Act::Metadata, produce(1, None, &[0])],
            vec![fetch((0, 0), &[0, 1])],
            vec![fetch((77, 2), &[]), produce(1, None, &[1])],
            busy.clone(),
            vec![Act::Rules(1), fetch((77, 5), &[])],
            busy.clone(),
            vec![Act::Rules(0), fetch((77, 6), &[])],
            busy,
        ],
        mutated: None,
        shadow,
    }
}

#[test]
fn a_busy_client_is_decided_about_alike_wherever_the_reads_end() {
    for (versions, shadow) in [((12, 9), false), ((13, 13), false), ((17, 11), true)] {
        let play = busy_play(versions, shadow);
        let (expected, _) = play.run(false, ReadCut::None);
        let (seen, passed) = play.run(true, ReadCut::None);
        assert_eq!(seen.difference(&expected), None, "{versions:?}");
        assert!(passed >= 8, "{versions:?}: {passed} passed at once");
        for at in 1..seen.to_broker.len() {
            let cut = ReadCut::Before(BenchSide::Client, at);
            let (seen, _) = play.run(true, cut);
            assert_eq!(seen.difference(&expected), None, "{versions:?} {cut:?}");
        }
    }
}
