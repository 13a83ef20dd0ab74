//! Access rules that are only tried out, in front of lists: the client sees all of them, and the status of the filter says
//! whom the rules would have shown less.

use kproxy::model::FilterMode;
use kproxy::wire::api::ApiKey;
use kproxy::wire::schema::{Direction, Draft, Message};
use testkit::access::authorization;
use testkit::broker::Broker;
use testkit::frames::{CLIENT_ID, framed, raw_request};
use testkit::proxy::Setup;
use testkit::wait::eventually;

/// A version of ListGroups without tagged fields.
const VERSION: i16 = 2;

const RULES: &str =
    "from io.kroxylicious.filter.authorization import GroupResource as Group;\notherwise deny;";

#[test]
fn a_list_is_shown_whole_and_counted_by_the_rule_that_would_have_shortened_it() {
    let broker = Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            if asked.api_key == ApiKey::LIST_GROUPS {
                let mut answer = Draft::new(ApiKey::LIST_GROUPS, Direction::Response, VERSION).unwrap();
                for name in ["one", "two"] {
                    answer.push("groups").set("group_id", name);
                }
                let head = asked.correlation_id.to_be_bytes();
                connection.send(&framed(&[&head[..], &answer.encode()].concat()));
            }
        }
    });
    let setup = Setup::to(&[broker.address])
        .cluster(|cluster| cluster.filters = vec![authorization(FilterMode::Shadow, RULES)]);
    let proxy = setup.start();
    let mut client = proxy.client();
    let request = Draft::new(ApiKey::LIST_GROUPS, Direction::Request, VERSION).unwrap();
    let answer = client.ask(&raw_request(ApiKey::LIST_GROUPS, VERSION, 1, &request.encode()));
    let answer = Message::read(ApiKey::LIST_GROUPS, Direction::Response, VERSION, &answer[4..]).unwrap();
    assert_eq!(answer.root().array("groups").count(), 2);

    eventually("both groups are counted", || {
        let status = proxy.proxy.status().unwrap();
        let rules = &status.clusters[0].filters[0].rules;
        rules
            .iter()
            .any(|rule| rule.rule == "otherwise deny;" && rule.count == 2 && rule.client_ids == [CLIENT_ID])
    });
}
