use super::*;
use crate::filter::testing::session;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

fn limits(max_age: Duration, jitter: Duration) -> AgeLimits {
    AgeLimits { max_age, jitter }
}

#[test]
fn a_session_leaves_within_the_jitter_around_the_limit() {
    let limits = limits(HOUR, 10 * MINUTE);
    assert_eq!(limits.left(Duration::ZERO, -1.0), 50 * MINUTE);
    assert_eq!(limits.left(Duration::ZERO, 0.0), HOUR);
    assert_eq!(limits.left(20 * MINUTE, 1.0), 50 * MINUTE);
    for _ in 0..1000 {
        let place = draw();
        assert!((-1.0..=1.0).contains(&place), "{place}");
    }
}

#[test]
fn the_shortest_age_is_a_millisecond() {
    let limits = limits(HOUR, HOUR);
    assert_eq!(limits.left(Duration::ZERO, -1.0), SHORTEST);
}

#[test]
fn sessions_that_are_too_old_when_the_filter_arrives_leave_one_after_the_other() {
    let without_jitter = limits(HOUR, Duration::ZERO);
    assert_eq!(without_jitter.left(2 * HOUR, 0.5), 3 * MINUTE);
    assert_eq!(without_jitter.left(2 * HOUR, -1.0), 6 * MINUTE);
    assert_eq!(limits(HOUR, 20 * MINUTE).left(2 * HOUR, 1.0), 20 * MINUTE);
}

fn filter(max_age: Duration) -> ConnectionExpiration {
    ConnectionExpiration::new("age", limits(max_age, Duration::ZERO))
}

/// Waits until the session is asked to leave.
async fn ordered(session: &ClientSession) {
    while session.handle().order().is_none() {
        tokio::time::sleep(SHORTEST).await;
    }
}

#[tokio::test]
async fn a_session_is_asked_to_leave_when_its_time_is_over() {
    let (filter, mut session) = (filter(SHORTEST), session());
    filter.opened(&mut session);
    assert_eq!(session.handle().order(), None);
    ordered(&session).await;
}

#[tokio::test]
async fn a_changed_limit_holds_for_live_sessions() {
    let mut session = session();
    let (long, short) = (filter(HOUR), filter(SHORTEST));
    long.opened(&mut session);
    short.opened(&mut session);
    drop(long);
    ordered(&session).await;
}

#[tokio::test]
async fn a_filter_that_is_removed_asks_nobody_to_leave() {
    let (removed, stays) = (filter(SHORTEST), filter(20 * SHORTEST));
    let (mut one, mut other) = (session(), session());
    removed.opened(&mut one);
    stays.opened(&mut other);
    drop(removed);
    // Its timer runs out before this one.
    ordered(&other).await;
    assert_eq!(one.handle().order(), None);
}

#[tokio::test]
async fn a_timer_ends_with_its_session() {
    let (filter, mut session) = (filter(HOUR), session());
    filter.opened(&mut session);
    let metrics = tokio::runtime::Handle::current().metrics();
    assert_eq!(metrics.num_alive_tasks(), 1);
    drop(session);
    while metrics.num_alive_tasks() > 0 {
        tokio::task::yield_now().await;
    }
}
