//! Promise 9.

use testkit::running::{Running, ask};
use testkit::wait::eventually;

const ODD: &str = "proxyProtocol: {mode: allowed}\n";
const WARNING: &str = "warning: `trustedPeers` is empty";

#[test]
fn warnings_are_told_at_the_start_and_by_every_reload_that_is_applied() {
    let running = Running::with(ODD, &["a", "b"]);
    let told = || running.binary.log().matches(WARNING).count();
    assert_eq!(told(), 1, "{}", running.binary.log());
    let mark = running.mark();
    running.write(format!("# Nothing new.\n{}", running.text(&["a", "b"])));
    assert_eq!(running.outcome_since(mark).outcome, "unchanged");
    let mark = running.mark();
    running.write(running.text(&["a", "b", "c"]));
    assert_eq!(running.outcome_since(mark).outcome, "applied");
    eventually("it is told again", || told() == 2);
    let mark = running.mark();
    running.write(running.text(&["a", "a"]));
    assert_eq!(running.outcome_since(mark).outcome, "rejected");
    assert_eq!(told(), 2, "{}", running.binary.log());
    ask(&mut running.client(0));
}
