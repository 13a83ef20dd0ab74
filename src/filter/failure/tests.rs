use std::io;
use std::sync::{Arc, Mutex};

use super::*;
use crate::filter::testing;
use crate::filter::{AgeLimits, Chain, ConnectionExpiration};

#[test]
fn each_kind_of_api_is_answered_an_error_after_which_its_clients_try_again() {
    assert_eq!(failure_code(ApiKey::PRODUCE), 56);
    assert_eq!(failure_code(ApiKey::FETCH), 56);
    assert_eq!(failure_code(ApiKey::HEARTBEAT), 15);
    assert_eq!(failure_code(ApiKey::END_TXN), 15);
    assert_eq!(failure_code(ApiKey::METADATA), -1);
    assert_eq!(failure_code(ApiKey::CREATE_TOPICS), -1);
}

/// What is logged, line by line.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn failures_are_logged_once_a_minute_and_the_quarantine_once() {
    let (lines, limits) = (
        Lines::default(),
        AgeLimits {
            max_age: std::time::Duration::MAX,
            jitter: std::time::Duration::ZERO,
        },
    );
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let chain = Chain::of([ChainedFilter::new(Arc::new(ConnectionExpiration::new(
        "age", limits,
    )))])
    .unwrap();
    let (chained, session) = (&chain.filters()[0], testing::session());
    tracing::subscriber::with_default(subscriber, || {
        for _ in 0..3 {
            chained.note_failure(&session, &FilterFailure::new("no reason"));
        }
        for _ in 0..5 {
            chained.note_failure(&session, &FilterFailure::panic());
        }
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(
        lines[0].contains("WARN") && lines[0].contains("a filter has failed"),
        "{text}"
    );
    assert!(
        lines[0].contains("no reason") && lines[0].contains("age"),
        "{text}"
    );
    assert!(
        lines[1].contains("ERROR") && lines[1].contains("has panicked three times"),
        "{text}"
    );
    assert_eq!(chained.counters.get(FilterOutcome::Failed), 8);
}
