//! Failures of filters, and what `onError` makes of each.

use std::task::{Context, Poll, Waker};

use super::*;
use crate::filter::ChainedFilter;
use crate::model::FailurePolicy;

/// ListGroups in version 0 with COORDINATOR_NOT_AVAILABLE, and no groups.
const ERROR: [u8; 6] = [0, 15, 0, 0, 0, 0];

/// ListGroups in version 0 without groups.
const NO_GROUPS: [u8; 6] = [0; 6];

type Causes = Vec<(&'static str, fn() -> Scripted)>;

fn link(filter: Scripted, on_error: FailurePolicy) -> ChainedFilter {
    ChainedFilter {
        on_error,
        ..ChainedFilter::new(Arc::new(filter))
    }
}

fn failed_leave() -> Leave {
    Leave::new(LeaveCause::Failed, "it cannot read this")
}

/// Filters that cannot decide about a request, by the reason.
fn failing_requests() -> Causes {
    vec![
        ("it says so", || {
            passing("f").on_request(|_, _| FilterStep::Now(OnRequest::Leave(failed_leave())))
        }),
        ("its edit does not fit", || {
            passing("f").on_request(|_, request| match request.patch(4096, b"X") {
                true => FilterStep::Now(OnRequest::Forward),
                false => FilterStep::Now(OnRequest::Leave(failed_leave())),
            })
        }),
        ("it wants more than there is", || {
            passing("f").on_request(|_, _| FilterStep::More)
        }),
        ("it never decides", || {
            passing("f").on_request(|_, _| FilterStep::Again(Box::pin(std::future::ready(()))))
        }),
    ]
}

/// Filters that cannot decide about an answer, by the reason.
fn failing_answers() -> Causes {
    vec![
        ("it says so", || {
            passing("f").on_response(|_, _, _| FilterStep::Now(OnResponse::Leave(failed_leave())))
        }),
        ("it wants more than there is", || {
            passing("f").on_response(|_, _, _| FilterStep::More)
        }),
        ("it never decides", || {
            passing("f").on_response(|_, _, _| FilterStep::Again(Box::pin(std::future::ready(()))))
        }),
        ("it asks the broker", || {
            passing("f").on_response(|_, _, _| FilterStep::Ask(question()))
        }),
    ]
}

fn question() -> Question {
    Question {
        api_key: ApiKey::HEARTBEAT,
        api_version: 0,
        body: b"question".to_vec(),
    }
}

impl Session {
    /// A session whose filters fail as `links` say.
    fn linked(links: Vec<ChainedFilter>) -> Self {
        let mut session = Self::new(Vec::new());
        session.binding.cluster.set_chain(Chain::of(links));
        session.inspector.refresh();
        session
    }

    /// Presents a request until the filters have decided about it.
    fn insist(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let mut result = self.client(bytes)?;
        while let InspectResult::Pause { .. } = result {
            result = self.client(&[])?;
        }
        Ok(())
    }

    /// Presents an answer until the filters have decided about it.
    fn insist_on_answer(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let mut result = self.broker(bytes)?;
        while let InspectResult::Pause { .. } = result {
            result = self.broker(&[])?;
        }
        Ok(())
    }

    fn failures(&self) -> u64 {
        let chain = self.binding.cluster.chain().unwrap();
        let filters = chain.chain.filters().iter();
        filters
            .map(|chained| chained.counters.get(FilterOutcome::Failed))
            .sum()
    }
}

#[test]
fn a_request_about_which_a_filter_cannot_decide_ends_the_session_is_answered_or_passes() {
    for (cause, filter) in failing_requests() {
        let mut fails = Session::linked(vec![link(filter(), FailurePolicy::Fail)]);
        let fault = fails.insist(&request(1, b"")).unwrap_err();
        assert_eq!(fault.cause, CloseCause::FilterFailed, "{cause}");
        assert!(fault.detail.starts_with("filter f: it "), "{}", fault.detail);

        // Requests before and behind it keep their places.
        let others = [
            request_of(ApiKey::HEARTBEAT, 1, b""),
            request_of(ApiKey::HEARTBEAT, 3, b""),
        ];
        let all = [&others[0][..], &request(2, b""), &others[1]].concat();
        let answers = [response(1, b"1"), response(3, b"3")];
        let mut answers_it = Session::linked(vec![link(filter(), FailurePolicy::Answer)]);
        answers_it.insist(&all).unwrap();
        assert_eq!(answers_it.sent(), others.concat(), "{cause}");
        answers_it.broker(&answers.concat()).unwrap();
        let expected = [&answers[0][..], &response(2, &ERROR), &answers[1]].concat();
        assert_eq!(answers_it.received(), expected, "{cause}");

        let mut passes = Session::linked(vec![link(filter(), FailurePolicy::Pass)]);
        passes.insist(&all).unwrap();
        assert_eq!(passes.sent(), all, "{cause}");
        for session in [&fails, &answers_it, &passes] {
            assert_eq!(session.failures(), 1, "{cause}");
        }
    }
}

#[test]
fn a_filter_that_has_failed_about_a_request_does_not_see_its_answer_and_others_do() {
    let failing = passing("f")
        .on_request(|_, _| FilterStep::Now(OnRequest::Leave(failed_leave())))
        .on_response(|_, _, _| panic!("it is not asked"));
    let marking = passing("m").on_response(|_, response, _| {
        assert!(response.replace_body(b"marked"));
        FilterStep::Now(OnResponse::Forward)
    });
    let mut session = Session::linked(vec![
        link(failing, FailurePolicy::Pass),
        link(marking, FailurePolicy::Fail),
    ]);
    session.client(&request(1, b"")).unwrap();
    session.broker(&response(1, b"")).unwrap();
    assert_eq!(session.received(), response(1, b"marked"));
}

#[test]
fn an_answer_about_which_a_filter_cannot_decide_ends_the_session_is_an_error_or_passes() {
    for (cause, filter) in failing_answers() {
        let answers = [response(1, &NO_GROUPS), response(2, b"2")].concat();
        for (on_error, expected) in [
            (FailurePolicy::Fail, None),
            (
                FailurePolicy::Answer,
                Some([response(1, &ERROR), response(2, b"2")].concat()),
            ),
            (FailurePolicy::Pass, Some(answers.clone())),
        ] {
            let mut session = Session::linked(vec![link(filter(), on_error)]);
            session
                .client(&[request(1, b""), request_of(ApiKey::HEARTBEAT, 2, b"")].concat())
                .unwrap();
            let result = session.insist_on_answer(&answers);
            match expected {
                None => assert_eq!(result.unwrap_err().cause, CloseCause::FilterFailed, "{cause}"),
                Some(expected) => {
                    result.unwrap();
                    assert_eq!(session.received(), expected, "{cause}");
                    assert_eq!(session.inspector.in_flight(), 0);
                }
            }
            assert_eq!(session.failures(), 1, "{cause}");
        }
    }
}

#[test]
fn a_frame_that_is_none_is_not_answered() {
    let failing = || passing("f").on_request(|_, _| FilterStep::Now(OnRequest::Leave(failed_leave())));
    let mut session = Session::linked(vec![link(failing(), FailurePolicy::Answer)]);
    let fault = session
        .client(&request(1, b"more than the version has"))
        .unwrap_err();
    assert_eq!(fault.cause, CloseCause::FilterFailed);
    let mut session = Session::linked(vec![link(failing(), FailurePolicy::Pass)]);
    session.client(&request(1, b"more than the version has")).unwrap();
    assert_eq!(session.sent(), request(1, b"more than the version has"));

    let failing = passing("f").on_response(|_, _, _| FilterStep::Now(OnResponse::Leave(failed_leave())));
    let mut session = Session::linked(vec![link(failing, FailurePolicy::Answer)]);
    session.client(&request(1, b"")).unwrap();
    let fault = session.broker(&response(1, b"none")).unwrap_err();
    assert_eq!(fault.cause, CloseCause::FilterFailed);
}

#[test]
fn an_error_is_answered_wherever_the_reads_end() {
    let filters = || {
        let mut failing = passing("f").on_request(|_, _| FilterStep::Now(OnRequest::Leave(failed_leave())));
        failing.requests = Level::Head;
        failing
    };
    let asked = [request(1, b""), request(2, b"")].concat();
    for cut in 0..asked.len() {
        let mut session = Session::linked(vec![link(filters(), FailurePolicy::Answer)]);
        session.client(&asked[..cut]).unwrap();
        session.client(&asked[cut..]).unwrap();
        assert_eq!(
            session.received(),
            [response(1, &ERROR), response(2, &ERROR)].concat(),
            "{cut}"
        );
        assert_eq!((session.sent().len(), session.failures()), (0, 2), "{cut}");
    }
}

#[test]
fn a_produce_request_without_an_answer_ends_the_session_where_its_filter_cannot_decide() {
    let produce = |acks: i16| {
        // No transactional id, acks, a timeout, and no topics.
        let body = [&[0xff, 0xff][..], &acks.to_be_bytes(), &[0; 8]].concat();
        let mut bytes = request_of(ApiKey::PRODUCE, 1, &body);
        bytes[7] = 3;
        bytes
    };
    for (acks, answered) in [(0, false), (1, true)] {
        let model = FailurePolicy::Answer;
        let mut failing = passing("f").on_request(|_, _| FilterStep::Now(OnRequest::Leave(failed_leave())));
        failing.api_key = ApiKey::PRODUCE;
        let mut session = Session::linked(vec![link(failing, model)]);
        let result = session.client(&produce(acks));
        assert_eq!(result.is_ok(), answered, "{acks}");
        assert_eq!(session.received().is_empty(), !answered, "{acks}");
        assert_eq!(session.sent(), b"");
    }
}

/// Has the time of a wait be over, as the pump does.
fn give_up(session: &mut Session) {
    let Wait(mut wait) = session.inspector.take_wait().unwrap();
    let mut context = Context::from_waker(Waker::noop());
    assert!(wait.as_mut().poll(&mut context).is_pending());
    assert!(!session.inspector.accepts_requests());
    drop(wait);
    assert!(
        session.inspector.accepts_requests(),
        "the request is presented again"
    );
}

fn asking() -> Scripted {
    passing("a").on_request(|session, request| match session.take_answer() {
        Some(answer) => {
            assert!(request.replace_body(&answer));
            FilterStep::Now(OnRequest::Forward)
        }
        None => FilterStep::Ask(question()),
    })
}

#[test]
fn a_client_does_not_wait_for_the_answer_to_a_question_that_its_filter_has_given_up() {
    let told = [response(i32::MIN, b"told"), response(4, b"4")].concat();
    // However much of the late answer has come, and wherever the client goes on.
    for cut in 0..told.len() {
        let mut session = Session::linked(vec![link(asking(), FailurePolicy::Answer)]);
        session
            .client(&[request_of(ApiKey::HEARTBEAT, 1, b""), request(2, b"")].concat())
            .unwrap();
        let question = request_of(ApiKey::HEARTBEAT, i32::MIN, b"question");
        assert_eq!(
            session.sent(),
            [request_of(ApiKey::HEARTBEAT, 1, b""), question].concat()
        );
        session.broker(&response(1, b"1")).unwrap();
        let early = cut.min(told.len() - response(4, b"4").len() - 1);
        session.broker(&told[..early]).unwrap();
        assert_eq!(session.received(), response(1, b"1"));
        give_up(&mut session);
        session.client(&[]).unwrap();
        assert_eq!(
            session.received(),
            response(2, &ERROR),
            "at once, with {early} bytes of the late answer"
        );
        session.client(&request_of(ApiKey::HEARTBEAT, 4, b"")).unwrap();
        assert_eq!(session.sent(), request_of(ApiKey::HEARTBEAT, 4, b""));
        session.broker(&told[early..cut.max(early)]).unwrap();
        session.broker(&told[cut.max(early)..]).unwrap();
        assert_eq!(
            session.received(),
            response(4, b"4"),
            "the late answer is nobody's"
        );
        assert_eq!(session.inspector.in_flight(), 0);
    }
}

#[test]
fn the_error_in_place_of_a_question_waits_for_the_answers_before_it() {
    let mut session = Session::linked(vec![link(asking(), FailurePolicy::Answer)]);
    session
        .client(&[request_of(ApiKey::HEARTBEAT, 1, b""), request(2, b"")].concat())
        .unwrap();
    give_up(&mut session);
    session.client(&[]).unwrap();
    assert_eq!(session.received(), b"");
    session.broker(&response(1, b"1")[..6]).unwrap();
    assert_eq!(session.received(), b"");
    session.broker(&response(1, b"1")[6..]).unwrap();
    assert_eq!(
        session.received(),
        [response(1, b"1"), response(2, &ERROR)].concat()
    );
}

#[test]
fn questions_of_later_requests_get_their_own_answers() {
    let mut session = Session::linked(vec![link(asking(), FailurePolicy::Answer)]);
    session.client(&request(1, b"")).unwrap();
    give_up(&mut session);
    session.client(&[]).unwrap();
    session.client(&request(2, b"")).unwrap();
    give_up(&mut session);
    session.client(&[]).unwrap();
    assert_eq!(
        session.received(),
        [response(1, &ERROR), response(2, &ERROR)].concat()
    );
    session.client(&request(3, b"")).unwrap();
    let question = request_of(ApiKey::HEARTBEAT, i32::MIN, b"question");
    assert_eq!(session.sent(), [&question[..], &question, &question].concat());
    session
        .broker(&[response(i32::MIN, b"one"), response(i32::MIN, b"two")].concat())
        .unwrap();
    assert!(!session.inspector.accepts_requests(), "the third is unanswered");
    session.broker(&response(i32::MIN, b"three")).unwrap();
    session.client(&[]).unwrap();
    assert_eq!(session.sent(), request(3, b"three"));
}

#[test]
fn a_question_that_is_given_up_lets_the_request_pass_or_ends_the_session() {
    let mut session = Session::linked(vec![link(asking(), FailurePolicy::Pass)]);
    session.client(&request(1, b"")).unwrap();
    give_up(&mut session);
    session.sent();
    session.client(&[]).unwrap();
    assert_eq!(session.sent(), request(1, b""));
    session
        .broker(&[response(i32::MIN, b"late"), response(1, b"1")].concat())
        .unwrap();
    assert_eq!(session.received(), response(1, b"1"));

    let mut session = Session::linked(vec![link(asking(), FailurePolicy::Fail)]);
    session.client(&request(1, b"")).unwrap();
    give_up(&mut session);
    assert_eq!(session.client(&[]).unwrap_err().cause, CloseCause::FilterFailed);
}

#[test]
fn a_panic_costs_the_session_whatever_is_configured_and_three_the_filter() {
    let panicking = || passing("p").on_request(|_, _| panic!("a defect"));
    for on_error in [FailurePolicy::Fail, FailurePolicy::Answer, FailurePolicy::Pass] {
        let panics = link(panicking(), on_error);
        for _ in 0..3 {
            assert!(!panics.health.is_quarantined());
            let mut session = Session::linked(vec![panics.clone()]);
            let fault = session.client(&request(1, b"")).unwrap_err();
            assert_eq!(
                (fault.cause, &*fault.detail),
                (CloseCause::FilterFailed, "filter p: it panicked")
            );
        }
        assert!(panics.health.is_quarantined());
        let mut session = Session::linked(vec![panics.clone()]);
        let result = session.client(&request(1, b""));
        match on_error {
            FailurePolicy::Fail => assert_eq!(&*result.unwrap_err().detail, "filter p: it is quarantined"),
            FailurePolicy::Answer => assert_eq!(session.received(), response(1, &ERROR)),
            FailurePolicy::Pass => assert_eq!(session.sent(), request(1, b"")),
        }
        assert_eq!(panics.health.panics(), 3);
    }
}

#[test]
fn a_panic_of_a_filter_that_is_asked_whether_a_request_passes_costs_the_session_behind_its_answers() {
    let asked = std::sync::atomic::AtomicU8::new(0);
    let panicking = passing("p").on_passes(move || {
        assert_eq!(
            asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            0,
            "a defect"
        );
        true
    });
    let panics = link(panicking, FailurePolicy::Answer);
    let mut session = Session::linked(vec![panics.clone()]);
    session
        .client(&[request(1, b""), request(2, b"")].concat())
        .unwrap();
    assert_eq!(session.sent(), request(1, b""));
    assert!(!session.inspector.accepts_requests() && session.inspector.wants_to_leave().is_none());
    session.broker(&response(1, b"1")).unwrap();
    assert_eq!(session.received(), response(1, b"1"));
    assert_eq!(
        &*session.inspector.wants_to_leave().unwrap().detail,
        "filter p: it panicked"
    );
    for _ in 0..2 {
        panics.health.note_panic(std::time::Instant::now());
    }
    let mut session = Session::linked(vec![panics.clone()]);
    session.client(&request(1, b"")).unwrap();
    assert_eq!(session.received(), response(1, &ERROR), "it is not asked");
    assert_eq!(panics.health.panics(), 3);
}

#[test]
fn a_panic_in_an_answer_or_a_wait_costs_the_session_too() {
    let panicking = passing("p").on_response(|_, _, _| panic!("a defect"));
    let mut session = Session::linked(vec![link(panicking, FailurePolicy::Pass)]);
    session.client(&request(1, b"")).unwrap();
    let fault = session.broker(&response(1, b"")).unwrap_err();
    assert_eq!(&*fault.detail, "filter p: it panicked");

    let waiting = passing("p").on_request(|_, _| FilterStep::Again(Box::pin(async { panic!("a defect") })));
    let panics = link(waiting, FailurePolicy::Pass);
    let mut session = Session::linked(vec![panics.clone()]);
    session.client(&request(1, b"")).unwrap();
    let Wait(mut wait) = session.inspector.take_wait().unwrap();
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(wait.as_mut().poll(&mut context), Poll::Ready(()));
    let fault = session.client(&[]).unwrap_err();
    assert_eq!(&*fault.detail, "filter p: it panicked");
    assert_eq!(panics.health.panics(), 1);
}

#[test]
fn a_frame_that_cannot_be_held_passes_the_filters_by_that_allow_it() {
    let large = request(1, &vec![7; 17 << 20]);
    let noting = passing("n").on_request(|_, request| {
        assert!(!request.is_complete());
        FilterStep::Now(OnRequest::Forward)
    });
    let noting = Scripted {
        requests: Level::Head,
        ..noting
    };
    let never = passing("w").on_request(|_, _| panic!("it is not asked"));
    let more = passing("m").on_request(|_, _| FilterStep::More);
    let more = Scripted {
        requests: Level::Head,
        ..more
    };
    let mut session = Session::linked(vec![
        link(never, FailurePolicy::Pass),
        link(noting, FailurePolicy::Fail),
        link(more, FailurePolicy::Pass),
    ]);
    session.client(&large[..1000]).unwrap();
    session.client(&large[1000..]).unwrap();
    assert_eq!(session.failures(), 2);
    assert!(session.sent() == large);

    for on_error in [FailurePolicy::Fail, FailurePolicy::Answer] {
        let mut session = Session::linked(vec![link(passing("a"), on_error)]);
        let fault = session.client(&large[..1000]).unwrap_err();
        assert_eq!((fault.cause, session.failures()), (CloseCause::FrameTooLarge, 1));
    }
}

#[test]
fn an_answer_that_cannot_be_held_passes_the_filters_by_that_allow_it() {
    let large = response(1, &vec![7; 17 << 20]);
    let reading = || passing("r").on_response(|_, _, _| panic!("it is not asked"));
    let more = || {
        let noting = |_: &mut ClientSession, _: &mut Request<'_>| {
            FilterStep::Now(OnRequest::ForwardNoting(Box::new(())))
        };
        let more = passing("m")
            .on_request(noting)
            .on_response(|_, _, _| FilterStep::More);
        Scripted {
            responses: Level::None,
            ..more
        }
    };
    for on_error in [FailurePolicy::Pass, FailurePolicy::Answer] {
        let mut session = Session::linked(vec![link(reading(), on_error), link(more(), on_error)]);
        session
            .client(&[request(1, b""), request_of(ApiKey::HEARTBEAT, 2, b"")].concat())
            .unwrap();
        let result = session.broker(&large[..2000]);
        if on_error == FailurePolicy::Answer {
            assert_eq!(result.unwrap_err().cause, CloseCause::MalformedResponse);
            continue;
        }
        session.broker(&large[2000..]).unwrap();
        session.broker(&response(2, b"2")).unwrap();
        assert!(session.received() == [&large[..], &response(2, b"2")].concat());
        assert_eq!((session.failures(), session.inspector.in_flight()), (2, 0));
    }
}

#[test]
fn a_frame_for_which_no_memory_becomes_free_passes_or_ends_the_session() {
    let large = request(1, &[7; 100_000]);
    for on_error in [FailurePolicy::Fail, FailurePolicy::Answer, FailurePolicy::Pass] {
        let mut session = Session::linked(vec![link(passing("a"), on_error)]);
        let memory = &session.binding.cluster.process.clone().frame_memory;
        let Reservation::Now(all) = memory.reserve(usize::MAX) else {
            panic!("all of it is free");
        };
        let paused = session.client(&large[..50_000]).unwrap();
        assert_eq!(paused, InspectResult::Pause { from: 0 });
        drop(session.inspector.take_wait());
        let result = session.client(&[]);
        match on_error {
            FailurePolicy::Pass => {
                result.unwrap();
                session.client(&large[50_000..]).unwrap();
                assert_eq!(session.sent(), large);
            }
            _ => assert_eq!(result.unwrap_err().cause, CloseCause::FilterFailed),
        }
        assert_eq!(session.failures(), 1);
        drop(all);
    }
}

/// A filter that hides names.
#[derive(Debug)]
struct HidingFilter(Scripted);

impl Filter for HidingFilter {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn interest(&self, interest: &mut Interest) {
        self.0.interest(interest);
    }

    fn hides_names(&self) -> bool {
        true
    }

    fn request(&self, session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest> {
        self.0.request(session, request)
    }

    fn response(
        &self,
        session: &mut ClientSession,
        response: &mut Response<'_>,
        note: &mut Option<Note>,
    ) -> FilterStep<OnResponse> {
        self.0.response(session, response, note)
    }
}

#[test]
fn an_answer_that_a_filter_which_hides_names_cannot_judge_shows_none_in_an_error() {
    let failing = passing("f").on_response(|_, _, _| FilterStep::Now(OnResponse::Leave(failed_leave())));
    let link = ChainedFilter {
        on_error: FailurePolicy::Answer,
        ..ChainedFilter::new(Arc::new(HidingFilter(failing)))
    };
    let mut session = Session::linked(vec![link]);
    session.client(&request(1, b"")).unwrap();
    let groups = b"\0\0\0\0\0\x01\0\x06secret\0\0";
    let fault = session.broker(&response(1, groups)).unwrap_err();
    assert_eq!(fault.cause, CloseCause::FilterFailed);
    assert_eq!(session.received(), b"");
}
