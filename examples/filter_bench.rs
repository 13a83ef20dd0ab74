// A test of a filter of one's own, on the bench of the library. `cargo run --example filter_bench` runs it, the documentation of
// `kproxy::testing` shows it, and tests/it/filters_example.rs runs it, too.

use std::error::Error;
use std::ops::RangeInclusive;
use std::sync::Arc;

use kproxy::filter::{
    ClientSession, Filter, FilterOutcome, FilterStep, Interest, Level, OnRequest, Request, error_answer,
};
use kproxy::testing::{Bench, at_every_split};
use kproxy::wire::api::ApiKey;
use kproxy::wire::error_code::ErrorCode;
use kproxy::wire::schema::{Direction, Draft, Message};

const EVERY_VERSION: RangeInclusive<i16> = 0..=i16::MAX;

/// Topics are not deleted by anybody but `admin`.
#[derive(Debug)]
struct KeepTopics;

impl Filter for KeepTopics {
    fn name(&self) -> &str {
        "keep-topics"
    }

    fn interest(&self, interest: &mut Interest) {
        interest.requests(ApiKey::DELETE_TOPICS, EVERY_VERSION, Level::Whole);
    }

    fn request(&self, session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest> {
        let mut principals = session.subject().principals.iter();
        if principals.any(|principal| &*principal.name == "admin") {
            return FilterStep::Now(OnRequest::Forward);
        }
        let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
        let answer = error_answer(request.api(), request.version(), request.body(), code);
        FilterStep::Now(answer.map_or(OnRequest::Forward, OnRequest::Answer))
    }
}

/// The errors that a user gets who deletes `orders`, and whether the broker has seen the request.
fn delete_orders(bench: &mut Bench) -> (Vec<i64>, bool) {
    const VERSION: i16 = 5;
    let mut request =
        Draft::new(ApiKey::DELETE_TOPICS, Direction::Request, VERSION).expect("a version of DeleteTopics");
    request.push_value("topic_names", "orders");
    let answer = bench.ask(ApiKey::DELETE_TOPICS, VERSION, &request.encode());
    let answer = Message::read(ApiKey::DELETE_TOPICS, Direction::Response, VERSION, &answer);
    let topics = answer
        .unwrap_or_else(|error| panic!("{error}"))
        .root()
        .array("responses");
    let errors = topics.filter_map(|topic| topic.int("error_code")).collect();
    (errors, !bench.calls().is_empty())
}

fn main() -> Result<(), Box<dyn Error>> {
    let bench_of = |user: &str| Bench::of([Arc::new(KeepTopics) as Arc<dyn Filter>]).user(user);
    // However the bytes arrive: a user is told 29, and the broker knows nothing of it.
    let (errors, reached) = at_every_split(|| bench_of("alice"), delete_orders);
    assert_eq!((errors, reached), (vec![29], false));
    let (errors, reached) = at_every_split(|| bench_of("admin"), delete_orders);
    assert_eq!((errors, reached), (vec![0], true));

    let mut bench = bench_of("alice").start();
    delete_orders(&mut bench);
    assert_eq!(bench.count("keep-topics", FilterOutcome::Answered), 1);
    Ok(())
}
