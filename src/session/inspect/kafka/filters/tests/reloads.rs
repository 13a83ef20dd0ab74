//! Chains that take the place of others under a live session.

use super::*;
use crate::session::inspect::kafka::filters::chains::MOST_CHAINS;

#[test]
fn a_reload_holds_from_the_next_request_on_and_answers_keep_their_chain() {
    let marking = |mark: &'static str| {
        passing(mark).on_response(move |_, response, _| {
            assert!(response.replace_body(mark.as_bytes()));
            FilterStep::Now(OnResponse::Forward)
        })
    };
    let mut session = Session::new(vec![marking("old")]);
    let whole = request(1, b"abc");
    session.client(&whole[..6]).unwrap();
    session.client(&whole[6..]).unwrap();
    session.reload(vec![marking("new")]);
    session.client(&request(2, b"")).unwrap();
    session.reload(Vec::new());
    session.client(&request(3, b"")).unwrap();
    session
        .broker(&[response(1, b""), response(2, b""), response(3, b"none")].concat())
        .unwrap();
    assert_eq!(
        session.received(),
        [response(1, b"old"), response(2, b"new"), response(3, b"none")].concat()
    );
}

#[test]
fn a_chain_is_dropped_with_its_last_answer() {
    let reading = || passing("a").on_response(|_, _, _| FilterStep::Now(OnResponse::Forward));
    let mut session = Session::new(vec![reading()]);
    let installed = session.binding.cluster.chain().unwrap();
    let old = Arc::downgrade(&installed.chain);
    drop(installed);
    session.client(&request(1, b"")).unwrap();
    session.reload(vec![reading()]);
    assert!(old.upgrade().is_some(), "an answer is outstanding");
    session.broker(&response(1, b"")).unwrap();
    assert!(old.upgrade().is_none());
    let installed = session.binding.cluster.chain().unwrap();
    let old = Arc::downgrade(&installed.chain);
    drop(installed);
    session.reload(Vec::new());
    assert!(old.upgrade().is_none(), "none was outstanding");
}

#[test]
fn a_session_that_has_none_gains_filters_by_a_reload() {
    let mut session = Session::new(Vec::new());
    session.client(&request(1, b"")).unwrap();
    session.reload(vec![
        passing("a").on_request(|_, _| FilterStep::Now(OnRequest::Answer(b"mine".to_vec()))),
    ]);
    session.client(&request(2, b"")).unwrap();
    session.broker(&response(1, b"1")).unwrap();
    assert_eq!(
        session.received(),
        [response(1, b"1"), response(2, b"mine")].concat()
    );
}

#[test]
fn the_chain_in_force_reads_again_what_an_older_one_let_pass() {
    let denying = || Scripted {
        rechecks: true,
        ..passing("new").on_response(|_, response, note| {
            assert!(note.is_none() && response.replace_body(b"denied"));
            FilterStep::Now(OnResponse::Forward)
        })
    };
    let mut session = Session::new(vec![passing("old")]);
    session
        .client(&[request(1, b""), request_of(ApiKey::HEARTBEAT, 2, b"")].concat())
        .unwrap();
    session.reload(vec![denying()]);
    session
        .broker(&[response(1, b"secret"), response(2, b"2")].concat())
        .unwrap();
    assert_eq!(
        session.received(),
        [response(1, b"denied"), response(2, b"2")].concat()
    );
}

#[test]
fn a_filter_that_a_reload_keeps_reads_no_answer_again() {
    let rechecking = |name| {
        let filter = Scripted {
            rechecks: true,
            ..passing(name)
        };
        Arc::new(filter) as Arc<dyn Filter>
    };
    let kept = rechecking("kept");
    let mut session = Session::new(Vec::new());
    let mut reload = |filters: &[&Arc<dyn Filter>], request_first: Option<i32>| {
        if let Some(id) = request_first {
            session.client(&request(id, b"")).unwrap();
        }
        let chain = chain_of(filters.iter().map(|filter| Arc::clone(filter)));
        session.binding.cluster.set_chain(chain);
        session.inspector.refresh();
        let track = session.inspector.filters.as_ref().unwrap();
        let expected = track.chains.expected.iter();
        expected
            .map(|expected| expected.rechecked_by.map_or(0, |(_, readers)| readers))
            .collect::<Vec<_>>()
    };
    assert!(reload(&[&kept], None).is_empty());
    let other: Arc<dyn Filter> = Arc::new(passing("other"));
    assert!(reload(&[&other, &kept], Some(1)).is_empty());
    let new = rechecking("new");
    assert_eq!(reload(&[&kept, &new], None), [0b10]);
    // What is to be read again stays so, by the chain that is in force then.
    assert_eq!(reload(&[&other, &kept, &new], Some(2)), [0b110]);
}

#[test]
fn a_fifth_chain_waits_until_the_answers_of_the_oldest_have_come() {
    let reading = || passing("a").on_response(|_, _, _| FilterStep::Now(OnResponse::Forward));
    let mut session = Session::new(vec![reading()]);
    for id in 0..MOST_CHAINS as i32 {
        assert!(session.inspector.accepts_requests());
        session.client(&request(id, b"")).unwrap();
        session.reload(vec![reading()]);
    }
    assert!(!session.inspector.accepts_requests());
    session.broker(&response(0, b"")).unwrap();
    assert!(session.inspector.accepts_requests());
}
