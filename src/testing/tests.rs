//! The bench itself, and what holds of every chain.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;
use crate::filter::{
    ClientSession, Denial, FilterOutcome, FilterStep, Interest, Level, Note, OnRequest, OnResponse, Request,
    Response, SessionEvent,
};
use crate::session::cause::CloseCause;
use crate::wire::api::{self, Api, ApiKey, HIGHEST_KEY};
use crate::wire::schema::{Direction, Draft, Message, Splice};

const EVERY_VERSION: RangeInclusive<i16> = 0..=i16::MAX;

/// Reads every frame at these levels, and changes nothing. Of a part it wants an even number of bytes.
#[derive(Debug)]
struct Idle {
    requests: Level,
    responses: Level,
}

impl Filter for Idle {
    fn name(&self) -> &str {
        "idle"
    }

    fn interest(&self, interest: &mut Interest) {
        for key in 0..=HIGHEST_KEY as i16 {
            interest.requests(key, EVERY_VERSION, self.requests);
            interest.responses(key, EVERY_VERSION, self.responses);
        }
    }

    fn request(&self, _session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest> {
        let has_enough = request.is_complete() || request.body().len().is_multiple_of(2);
        match self.requests == Level::Part && !has_enough {
            true => FilterStep::More,
            false => FilterStep::Now(OnRequest::Forward),
        }
    }

    fn response(
        &self,
        _session: &mut ClientSession,
        response: &mut Response<'_>,
        _note: &mut Option<Note>,
    ) -> FilterStep<OnResponse> {
        let has_enough = response.is_complete() || response.body().len().is_multiple_of(2);
        match self.responses == Level::Part && !has_enough {
            true => FilterStep::More,
            false => FilterStep::Now(OnResponse::Forward),
        }
    }
}

const LEVELS: [Level; 4] = [Level::None, Level::Head, Level::Part, Level::Whole];

fn idle(requests: Level, responses: Level) -> Arc<dyn Filter> {
    Arc::new(Idle { requests, responses })
}

/// APIs that clients ask in the middle of a session, and that the broker answers without addresses of its own.
fn ordinary() -> Vec<&'static Api> {
    let has_addresses = |api: &Api| api.addresses.is_some();
    let preamble = [
        ApiKey::SASL_HANDSHAKE,
        ApiKey::SASL_AUTHENTICATE,
        ApiKey::API_VERSIONS,
    ];
    api::apis()
        .filter(|api| !has_addresses(api) && !preamble.contains(&api.key))
        .collect()
}

/// The body of a request without elements.
fn empty(api: &Api, version: i16) -> Vec<u8> {
    let draft = Draft::new(api.key, Direction::Request, version);
    draft.map(|draft| draft.encode()).unwrap_or_default()
}

/// Everything that went out on both sides, behind these requests at once.
fn outcome(bench: &mut Bench, asked: &[(&'static Api, i16)]) -> (Vec<u8>, Vec<u8>, usize) {
    let frames: Vec<_> = asked
        .iter()
        .map(|(api, version)| bench.request(api.key, *version, &empty(api, *version)))
        .collect();
    bench.client_bytes(&frames.concat());
    let (sent, received) = (
        bench.driver().up.output.clone(),
        bench.driver().down.output.clone(),
    );
    assert_eq!((bench.ended(), bench.memory_in_use()), (None, 0));
    (sent, received, bench.answers().len())
}

#[test]
fn a_chain_without_effects_changes_no_byte_at_any_level_wherever_reads_end() {
    let asked: Vec<_> = [ApiKey::LIST_OFFSETS, ApiKey::HEARTBEAT, ApiKey::OFFSET_FETCH]
        .map(|key| api::api(key).unwrap())
        .into_iter()
        .flat_map(|api| [(api, api.min), (api, api.max)])
        .collect();
    let plain = outcome(&mut Bench::of([]).start(), &asked);
    assert_eq!(plain.2, asked.len());
    for requests in LEVELS {
        for responses in LEVELS {
            let build = || Bench::of([idle(requests, responses), idle(Level::Head, responses)]);
            let filtered = at_every_split(build, |bench| outcome(bench, &asked));
            assert_eq!(filtered, plain, "{requests:?} {responses:?}");
        }
    }
}

/// Answers every third request itself, and marks the answers of the others.
#[derive(Debug)]
struct Third;

impl Filter for Third {
    fn name(&self) -> &str {
        "third"
    }

    fn interest(&self, interest: &mut Interest) {
        interest.every_request(Level::Whole);
    }

    fn request(&self, session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest> {
        if request.correlation_id() % 3 != 0 {
            return FilterStep::Now(OnRequest::ForwardNoting(Box::new(request.correlation_id())));
        }
        session.record(&SessionEvent::Denied(Denial {
            filter: "third",
            api: request.api(),
            version: request.version(),
            resource: "Topic:a",
            rule: "every third",
            is_shadow: false,
        }));
        FilterStep::Now(OnRequest::Answer(usual_answer(
            request.api(),
            request.version(),
            request.body(),
        )))
    }

    fn response(
        &self,
        _session: &mut ClientSession,
        response: &mut Response<'_>,
        note: &mut Option<Note>,
    ) -> FilterStep<OnResponse> {
        let asked: i32 = *note.take().unwrap().downcast().unwrap();
        let answered = response.content().first_chunk().map(|id| i32::from_be_bytes(*id));
        assert_eq!(answered, Some(asked), "the note of another request");
        FilterStep::Now(OnResponse::Forward)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(14), cases: 200, ..ProptestConfig::default() })]

    /// In order, because [`Bench::answers`] panics otherwise.
    #[test]
    fn every_request_has_one_answer_in_its_place(
        chosen in proptest::collection::vec((any::<usize>(), any::<u16>()), 1..30),
        levels in proptest::collection::vec((0..4_usize, 0..4_usize), 0..3),
        piece in 1..200_usize,
    ) {
        let known = ordinary();
        let asked: Vec<_> = chosen
            .iter()
            .map(|(which, version)| {
                let api = known[which % known.len()];
                (api, api.min + (*version as i16 & 0x7fff) % (api.max - api.min + 1))
            })
            .collect();
        let idle = levels.iter().map(|&(up, down)| idle(LEVELS[up], LEVELS[down]));
        let filters = idle.chain([Arc::new(Third) as Arc<dyn Filter>]);
        let mut bench = Bench::of(filters).cut(ReadCut::Pieces(piece)).start();
        let (_, _, answers) = outcome(&mut bench, &asked);
        prop_assert_eq!(answers, asked.len());
        prop_assert_eq!(bench.calls().len(), asked.len() - asked.len() / 3);
        prop_assert_eq!(bench.events().len(), asked.len() / 3);
        prop_assert_eq!(bench.count("third", FilterOutcome::Denied), asked.len() as u64 / 3);
    }

    /// Names of topics are lengthened by an edit; every byte outside of them stays.
    #[test]
    fn an_edit_changes_no_byte_that_it_does_not_name(
        names in proptest::collection::vec("[a-z]{1,20}", 1..8),
        which in any::<proptest::sample::Index>(),
        version in 0..=4_i16,
    ) {
        let mut request = Draft::new(ApiKey::CREATE_TOPICS, Direction::Request, version).unwrap();
        for name in &names {
            request.push("topics").set("name", name.as_str());
        }
        let chosen = which.get(&names).clone();
        let filter: Arc<dyn Filter> = Arc::new(Renaming { from: chosen.clone() });
        let body = request.encode();
        let mut bench = Bench::of([filter]).start();
        bench.send(ApiKey::CREATE_TOPICS, version, &body);
        let arrived = bench.calls().remove(0).body;
        let (before, after) = (pieces(version, &body), pieces(version, &arrived));
        prop_assert_eq!(&before.0, &after.0, "bytes between the names");
        let renamed: Vec<_> = before.1.iter().map(|name| match *name == chosen {
            true => format!("{chosen}-renamed"),
            false => name.clone(),
        }).collect();
        prop_assert_eq!(renamed, after.1);
    }
}

/// The bytes of a CreateTopics request between its names, which are without their lengths, and the names.
fn pieces(version: i16, body: &[u8]) -> (Vec<Vec<u8>>, Vec<String>) {
    let message = Message::read(ApiKey::CREATE_TOPICS, Direction::Request, version, body).unwrap();
    let (mut between, mut names, mut at) = (Vec::new(), Vec::new(), 0);
    for name in message.names() {
        let range = name.range();
        let text = name.text().unwrap();
        // The length stands in two bytes before the text in these versions.
        between.push(body[at..range.end - text.len() - 2].to_vec());
        names.push(text.to_owned());
        at = range.end;
    }
    between.push(body[at..].to_vec());
    (between, names)
}

/// Renames one topic of CreateTopics.
#[derive(Debug)]
struct Renaming {
    from: String,
}

impl Filter for Renaming {
    fn name(&self) -> &str {
        "renaming"
    }

    fn interest(&self, interest: &mut Interest) {
        interest.requests(ApiKey::CREATE_TOPICS, EVERY_VERSION, Level::Whole);
    }

    fn request(&self, _session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest> {
        let (version, body) = (request.version(), request.body());
        let message = Message::read(ApiKey::CREATE_TOPICS, Direction::Request, version, body).unwrap();
        let mut splice = Splice::new(&message);
        for name in message.names().filter(|name| name.text() == Some(&self.from)) {
            assert!(splice.set_text(&name.place, &format!("{}-renamed", self.from)));
        }
        let edited = splice.finish();
        assert!(request.replace_body(&edited));
        FilterStep::Now(OnRequest::Forward)
    }
}

/// Lets requests pass a minute after they came.
#[derive(Debug)]
struct Slow(Duration);

impl Filter for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn interest(&self, interest: &mut Interest) {
        interest.every_request(Level::Head);
    }

    fn request(&self, session: &mut ClientSession, _request: &mut Request<'_>) -> FilterStep<OnRequest> {
        let now = session.clock().now();
        let since = *session.state::<Option<std::time::Instant>>().get_or_insert(now);
        match self.0.checked_sub(now - since) {
            None | Some(Duration::ZERO) => FilterStep::Now(OnRequest::Forward),
            Some(left) => FilterStep::Again(session.clock().sleep(left)),
        }
    }
}

#[test]
fn a_filter_waits_as_long_as_the_clock_of_the_test_stands_still() {
    let mut bench = Bench::of([Arc::new(Slow(Duration::from_secs(5))) as Arc<dyn Filter>]).start();
    bench.send(ApiKey::HEARTBEAT, 0, &[0; 8]);
    bench.advance(Duration::from_secs(4));
    assert!(bench.waits() && bench.answers().is_empty());
    bench.advance(Duration::from_secs(1));
    assert_eq!((bench.waits(), bench.answers().len()), (false, 1));
}

#[test]
fn a_wait_that_takes_too_long_is_over_as_in_a_session() {
    let mut bench = Bench::of([Arc::new(Slow(Duration::from_secs(600))) as Arc<dyn Filter>]).start();
    bench.send(ApiKey::HEARTBEAT, 0, &[0; 8]);
    bench.advance(Duration::from_secs(9));
    assert!(bench.ended().is_none() && bench.waits());
    bench.advance(Duration::from_secs(1));
    assert_eq!(
        bench.ended().map(|fault| fault.cause),
        Some(CloseCause::FilterFailed)
    );
}

#[test]
fn the_client_and_the_broker_are_what_the_test_says() {
    let filter = || idle(Level::Whole, Level::Whole);
    let script = |call: &BrokerCall| ScriptedAnswer::Body([&[1], &call.body[..]].concat());
    let mut bench = Bench::of([filter()])
        .client_id(None)
        .authenticated("PLAIN", "alice")
        .broker(script)
        .start();
    assert_eq!(bench.ask(ApiKey::HEARTBEAT, 0, b"body"), b"\x01body");
    let subject = Arc::clone(bench.session().unwrap().subject());
    assert_eq!(
        (&*subject.principals[0].name, subject.mechanism.as_deref()),
        ("alice", Some("PLAIN"))
    );
    let mut bench = Bench::of([filter()]).without_broker().start();
    bench.send(ApiKey::HEARTBEAT, 0, b"one");
    assert!(bench.answers().is_empty());
    bench.reload([Arc::new(Third) as Arc<dyn Filter>]);
    bench.broker_bytes(&framed(&[0, 0, 0, 1, 7]));
    assert_eq!(bench.answers()[0].body, [7]);
    let sent = bench.to_broker();
    assert!(sent.ends_with(b"one"));
}
