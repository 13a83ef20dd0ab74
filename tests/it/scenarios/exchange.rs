//! One scenario: a session with the filter, its client and its broker.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use kproxy::filter::{Authorization, Filter};
use kproxy::model::acl::{AclRules, parse_rules};
use kproxy::model::{AuthorizationModel, UnansweredDenial};
use kproxy::testing::{Bench, ClientAnswer};
use kproxy::wire::api::ApiKey;
use kproxy::wire::schema::Direction;
use serde_json::Value;

use super::bodies;
use super::broker::ScenarioBroker;

/// Fields of answers that brokers leave out unless a field of the request asks for them, whatever a scenario has there.
const OPERATIONS: [(&str, &str); 3] = [
    (".topic_authorized_operations", "includeTopicAuthorizedOperations"),
    (
        ".cluster_authorized_operations",
        "includeClusterAuthorizedOperations",
    ),
    (".authorized_operations", "includeAuthorizedOperations"),
];

/// What is not as the scenario says.
pub(super) fn run(scenario: &Value) -> Vec<String> {
    let broker = Rc::new(RefCell::new(ScenarioBroker::new(&scenario["given"])));
    let faults = Rc::new(RefCell::new(Vec::new()));
    let (asked, told) = (Rc::clone(&broker), Rc::clone(&faults));
    let when = &scenario["when"];
    let mut bench = Bench::of([filter(&scenario["given"]["authorizerRules"])])
        .user(when["subject"].as_str().unwrap())
        .client_id(when["requestHeader"]["clientId"].as_str())
        .broker(move |call| asked.borrow_mut().answer(call, &mut told.borrow_mut()))
        .start();
    let number = |name: &str| i16::try_from(when["requestHeader"][name].as_i64().unwrap()).unwrap();
    let (api, version) = (number("requestApiKey"), number("requestApiVersion"));
    let asked = match api {
        ApiKey::FETCH => first_fetch_of_a_consumer(&when["request"]),
        _ => when["request"].clone(),
    };
    bench.send(
        api,
        version,
        &bodies::encode(api, Direction::Request, version, &asked),
    );
    let answers = bench.answers();
    let mut faults = faults.take();
    compare(&scenario["then"], &answers, &mut faults);
    for (told, asks) in OPERATIONS {
        if asked[asks] != true {
            faults.retain(|fault| !fault.contains(told));
        }
    }
    if let Some(fault) = bench.ended() {
        faults.push(format!("the session has ended: {fault:?}"));
    }
    if !broker.borrow().is_done() {
        faults.push("the broker waits for a request".to_owned());
    }
    faults
}

/// The scenarios of Fetch are requests of replicas in the middle of a session, with numbers by chance.
fn first_fetch_of_a_consumer(asked: &Value) -> Value {
    let mut asked = asked.clone();
    asked["replicaId"] = (-1).into();
    asked["sessionId"] = 0.into();
    asked["sessionEpoch"] = 0.into();
    asked
}

fn compare(then: &Value, answers: &[ClientAnswer], faults: &mut Vec<String>) {
    let (expected, error) = (&then["expectedResponse"], &then["expectedErrorResponse"]);
    match answers {
        [] if expected.is_null() && error.is_null() => {}
        [answer] if !expected.is_null() => {
            let (api, version) = (answer.api_key, answer.version);
            let wanted = bodies::encode(api, Direction::Response, version, expected);
            let wanted = bodies::decode(api, Direction::Response, version, &wanted);
            let ours = bodies::decode(api, Direction::Response, version, &answer.body);
            bodies::differences("answer", &ours, &wanted, faults);
        }
        [answer] if !error.is_null() => {
            let ours = bodies::decode(answer.api_key, Direction::Response, answer.version, &answer.body);
            let code = bodies::error_code(error.as_str().unwrap());
            let codes = bodies::error_codes(&ours);
            if codes.is_empty() || codes.iter().any(|ours| *ours != code) {
                faults.push(format!(
                    "answer: errors {codes:?} where the scenario has {error}: {ours}"
                ));
            }
        }
        other => faults.push(format!("{} answers: {other:?}", other.len())),
    }
}

/// The filter with the rights of a scenario. Nothing that they do not name is allowed.
fn filter(rules: &Value) -> Arc<dyn Filter> {
    let mut text = String::from(
        "from io.kroxylicious.filter.authorization import TopicResource as Topic, GroupResource as Group, \
         TransactionalIdResource as TransactionalId;\n",
    );
    for rule in rules["allowed"].as_array().into_iter().flatten() {
        let resource = match rule["resourceClass"].as_str().unwrap() {
            "TOPIC" => "Topic",
            "GROUP" => "Group",
            "TRANSACTIONAL_ID" => "TransactionalId",
            // Rights about a cluster decide nothing here.
            _ => continue,
        };
        let (user, operation, name) = (&rule["subject"], &rule["resourceType"], &rule["resourceName"]);
        let operation = operation.as_str().unwrap();
        text += &format!("allow User with name = {user} to {operation} {resource} with name = {name};\n");
    }
    text += "otherwise deny;";
    let rules = parse_rules(&text).unwrap_or_else(|faults| panic!("{faults:?}\n{text}"));
    let settings = AuthorizationModel {
        rules: Arc::new(AclRules::new(rules).unwrap()),
        in_file: false,
        unanswered: UnansweredDenial::Drop,
    };
    Arc::new(Authorization::new("authz", &settings, false))
}
