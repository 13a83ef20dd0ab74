//! Chains of scripted filters in a real inspector.

mod failures;
mod reloads;
mod scripted;

use scripted::{Scripted, Session, passing, request, request_of, response};

use super::*;
use crate::filter::{Filter, FilterOutcome, FilterStep, Interest, OnRequest, OnResponse, Request, Response};
use crate::session::frame_memory::Reservation;
use crate::session::inspect::{Inspect as _, InspectResult};
use crate::testing::{BenchSite, SessionDriver, chain_of, framed};
use crate::wire::api::ApiKey;

#[test]
fn filters_that_let_everything_pass_change_no_byte_wherever_the_reads_end() {
    let requests = [
        request(1, b"one"),
        request_of(ApiKey::HEARTBEAT, 2, b"two"),
        request(3, b""),
    ]
    .concat();
    let answers = [
        response(1, b"first"),
        response(2, b"second"),
        response(3, b"third"),
    ]
    .concat();
    for cut in 0..requests.len() {
        let reading = passing("a").on_response(|_, _, _| FilterStep::Now(OnResponse::Forward));
        let mut session = Session::new(vec![reading, passing("b")]);
        session.client(&requests[..cut]).unwrap();
        session.client(&requests[cut..]).unwrap();
        assert_eq!(session.sent(), requests, "cut at {cut}");
        let cut = cut % answers.len();
        session.broker(&answers[..cut]).unwrap();
        session.broker(&answers[cut..]).unwrap();
        assert_eq!(session.received(), answers, "cut at {cut}");
        assert_eq!(session.inspector.in_flight(), 0);
    }
}

#[test]
fn an_answer_of_a_filter_is_completed_by_those_before_that_have_taken_something_out() {
    let taking = passing("a")
        .on_request(|_, request| {
            assert!(request.replace_body(b"left"));
            FilterStep::Now(OnRequest::ForwardNoting(Box::new("taken")))
        })
        .on_response(|_, response, note| {
            let taken = note.take().unwrap().downcast::<&str>().unwrap();
            let body = [response.body(), taken.as_bytes()].concat();
            assert!(response.replace_body(&body));
            FilterStep::Now(OnResponse::Forward)
        });
    let answering =
        passing("b").on_request(|_, request| FilterStep::Now(OnRequest::Answer(request.body().to_vec())));
    let mut session = Session::new(vec![taking, answering]);
    session.client(&request(1, b"everything")).unwrap();
    assert_eq!(session.received(), response(1, b"lefttaken"));
    assert_eq!((session.sent(), session.inspector.in_flight()), (Vec::new(), 0));
}

#[test]
fn edits_of_several_filters_add_up_and_answers_pass_in_reverse() {
    let adding = |name: &'static str| {
        passing(name)
            .on_request(move |_, request| {
                let body = [request.body(), name.as_bytes()].concat();
                assert!(request.replace_body(&body));
                FilterStep::Now(OnRequest::Forward)
            })
            .on_response(move |_, response, _| {
                let body = [response.body(), name.as_bytes()].concat();
                assert!(response.replace_body(&body));
                FilterStep::Now(OnResponse::Forward)
            })
    };
    let mut session = Session::new(vec![adding("a"), adding("b")]);
    session
        .client(&[request(1, b"-"), request(2, b"+")].concat())
        .unwrap();
    assert_eq!(session.sent(), [request(1, b"-ab"), request(2, b"+ab")].concat());
    session
        .broker(&[response(1, b"-"), response(2, b"+")].concat())
        .unwrap();
    assert_eq!(
        session.received(),
        [response(1, b"-ba"), response(2, b"+ba")].concat()
    );
}

#[test]
fn an_answer_of_a_filter_keeps_its_place() {
    let answering = passing("a").on_request(|_, request| match request.body() {
        b"mine" => FilterStep::Now(OnRequest::Answer(b"answer".to_vec())),
        _ => FilterStep::Now(OnRequest::Forward),
    });
    let mut session = Session::new(vec![answering]);
    session
        .client(&[request(1, b""), request(2, b"mine"), request(3, b"")].concat())
        .unwrap();
    assert_eq!(session.sent(), [request(1, b""), request(3, b"")].concat());
    assert_eq!(session.received(), b"");
    session.broker(&response(3, b"early")).unwrap_err();
    let answering = passing("a").on_request(|_, request| match request.body() {
        b"mine" => FilterStep::Now(OnRequest::Answer(b"answer".to_vec())),
        _ => FilterStep::Now(OnRequest::Forward),
    });
    let mut session = Session::new(vec![answering]);
    session
        .client(&[request(1, b""), request(2, b"mine"), request(3, b"")].concat())
        .unwrap();
    session
        .broker(&[response(1, b"1"), response(3, b"3")].concat())
        .unwrap();
    assert_eq!(
        session.received(),
        [response(1, b"1"), response(2, b"answer"), response(3, b"3")].concat()
    );
}

#[test]
fn a_note_reaches_the_answer_of_its_request() {
    let noting = passing("a")
        .on_request(|_, request| {
            let note: Note = Box::new(request.body().to_vec());
            FilterStep::Now(OnRequest::ForwardNoting(note))
        })
        .on_response(|_, response, note| {
            let note = note.take().unwrap().downcast::<Vec<u8>>().unwrap();
            assert!(response.replace_body(&note));
            FilterStep::Now(OnResponse::Forward)
        });
    let mut session = Session::new(vec![noting]);
    session
        .client(&[request(1, b"one"), request(2, b"two")].concat())
        .unwrap();
    session
        .broker(&[response(1, b""), response(2, b"")].concat())
        .unwrap();
    assert_eq!(
        session.received(),
        [response(1, b"one"), response(2, b"two")].concat()
    );
}

#[test]
fn an_answer_of_which_the_beginning_is_enough_passes_as_it_arrives() {
    for reads_all in [false, true] {
        let noting = passing("a")
            .on_request(|_, _| FilterStep::Now(OnRequest::ForwardNoting(Box::new(()))))
            .on_response(move |_, response, note| {
                assert!(note.is_some());
                match (response.body().len(), reads_all && !response.is_complete()) {
                    (0..4, _) | (_, true) => FilterStep::More,
                    _ => {
                        assert!(!response.is_complete() || response.replace_body(b"changed"));
                        FilterStep::Now(OnResponse::Forward)
                    }
                }
            });
        let noting = Scripted {
            responses: Level::None,
            ..noting
        };
        let mut session = Session::new(vec![noting]);
        session.client(&request(1, b"")).unwrap();
        let answer = response(1, &[7; 5000]);
        session.broker(&answer[..10]).unwrap();
        assert!(session.received().is_empty(), "too little to decide");
        session.broker(&answer[10..3000]).unwrap();
        let passed = session.received();
        assert_eq!(passed, if reads_all { &[] } else { &answer[..3000] });
        session.broker(&answer[3000..]).unwrap();
        let whole = [passed, session.received()].concat();
        assert_eq!(
            whole,
            if reads_all {
                response(1, b"changed")
            } else {
                answer
            }
        );
    }
}

#[test]
fn a_filter_that_waits_is_asked_again_and_those_before_it_are_not() {
    let mut asked = 0;
    let before = passing("before").on_request(move |_, request| {
        asked += 1;
        assert_eq!(asked, 1, "asked once");
        assert!(request.patch(0, b"X"));
        FilterStep::Now(OnRequest::Forward)
    });
    let mut ready = false;
    let waiting = passing("waiting").on_request(move |_, request| {
        assert_eq!(request.body(), b"Xbc");
        match std::mem::replace(&mut ready, true) {
            true => FilterStep::Now(OnRequest::Forward),
            false => FilterStep::Again(Box::pin(std::future::ready(()))),
        }
    });
    let mut session = Session::new(vec![before, waiting]);
    let result = session.client(&request(1, b"abc")).unwrap();
    assert_eq!(result, InspectResult::Pause { from: 0 });
    assert!(session.inspector.take_wait().is_some() && session.sent().is_empty());
    session.client(&[]).unwrap();
    assert_eq!(session.sent(), request(1, b"Xbc"));
}

#[test]
fn a_filter_that_never_decides_ends_the_session() {
    let waiting = passing("w").on_request(|_, _| FilterStep::Again(Box::pin(std::future::ready(()))));
    let mut session = Session::new(vec![waiting]);
    let mut result = session.client(&request(1, b""));
    for _ in 0..MOST_REPETITIONS {
        assert!(result.is_ok());
        result = session.client(&[]);
    }
    assert_eq!(result.unwrap_err().cause, CloseCause::FilterFailed);
}

#[test]
fn a_question_goes_to_the_broker_and_its_answer_to_the_filter() {
    let asking = passing("a").on_request(|session, request| match session.take_answer() {
        Some(answer) => {
            assert!(request.replace_body(&answer));
            FilterStep::Now(OnRequest::Forward)
        }
        None => FilterStep::Ask(Question {
            api_key: ApiKey::HEARTBEAT,
            api_version: 0,
            body: b"question".to_vec(),
        }),
    });
    let mut session = Session::new(vec![asking]);
    let paused = session.client(&[request_of(ApiKey::HEARTBEAT, 1, b""), request(2, b"")].concat());
    assert!(matches!(paused.unwrap(), InspectResult::Pause { .. }));
    assert!(!session.inspector.accepts_requests());
    let question = request_of(ApiKey::HEARTBEAT, i32::MIN, b"question");
    assert_eq!(
        session.sent(),
        [request_of(ApiKey::HEARTBEAT, 1, b""), question].concat()
    );
    session
        .broker(&[response(1, b"1"), response(i32::MIN, b"told")].concat())
        .unwrap();
    assert_eq!(session.received(), response(1, b"1"));
    assert!(session.inspector.accepts_requests());
    session.client(&[]).unwrap();
    assert_eq!(session.sent(), request(2, b"told"));
}

#[test]
fn a_session_ends_behind_the_answers_that_are_due() {
    let leaving = passing("a").on_request(|_, _| {
        let leave = Leave::new(LeaveCause::Denied, "not allowed");
        FilterStep::Now(OnRequest::AnswerAndLeave(b"no".to_vec(), leave))
    });
    let mut session = Session::new(vec![leaving]);
    session
        .client(&[request_of(ApiKey::HEARTBEAT, 1, b""), request(2, b"")].concat())
        .unwrap();
    assert!(!session.inspector.accepts_requests() && session.inspector.wants_to_leave().is_none());
    session.broker(&response(1, b"1")).unwrap();
    assert_eq!(
        session.received(),
        [response(1, b"1"), response(2, b"no")].concat()
    );
    assert_eq!(
        session.inspector.wants_to_leave().unwrap().cause,
        CloseCause::FilterDenied
    );
}

#[test]
fn a_version_that_a_filter_does_not_offer_is_answered_with_an_error() {
    let narrow = Scripted {
        offers: 1..=2,
        ..passing("narrow")
    };
    let mut session = Session::new(vec![narrow]);
    session.client(&request(1, b"")).unwrap();
    // UNSUPPORTED_VERSION, and no groups.
    assert_eq!(session.received(), response(1, &[0, 35, 0, 0, 0, 0]));
}

#[test]
fn a_version_that_no_filter_offers_and_nobody_can_answer_ends_the_session() {
    let narrow = Scripted {
        offers: 1..=2,
        ..passing("narrow")
    };
    let mut session = Session::new(vec![narrow]);
    session
        .client(&request(1, b"more than the version has"))
        .unwrap_err();
}

#[test]
fn a_large_frame_waits_until_its_memory_is_free() {
    let mut session = Session::new(vec![passing("a")]);
    let memory = &session.binding.cluster.process.clone().frame_memory;
    let Reservation::Now(all) = memory.reserve(usize::MAX) else {
        panic!("all of it is free");
    };
    let large = request(1, &[7; 100_000]);
    let paused = session.client(&large[..50_000]).unwrap();
    assert_eq!(paused, InspectResult::Pause { from: 0 });
    drop((all, session.inspector.take_wait()));
    assert!(matches!(session.client(&[]).unwrap(), InspectResult::Hold { .. }));
    assert!(memory.in_use() >= 100_000);
    session.client(&large[50_000..]).unwrap();
    assert_eq!(session.sent(), large);
    assert_eq!(memory.in_use(), 0);
}

#[test]
fn a_frame_above_the_limit_of_filters_ends_the_session() {
    let mut session = Session::new(vec![passing("a")]);
    let head = request(1, &[]);
    let huge = [&(20_u32 << 20).to_be_bytes(), &head[4..]].concat();
    assert_eq!(
        session.client(&huge).unwrap_err().cause,
        CloseCause::FrameTooLarge
    );
}
