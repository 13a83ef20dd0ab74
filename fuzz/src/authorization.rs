//! `Authorization` over requests and answers of strangers.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use kproxy::filter::{
    Authorization, Filter, FilterStep, OnRequest, OnResponse, Question, Request, Response, Subject, testing,
};
use kproxy::model::acl::{AclRules, parse_rules};
use kproxy::model::{AuthorizationModel, UnansweredDenial};
use kproxy::wire::api::{self, Api, ApiKey};
use kproxy::wire::header::RequestHead;
use kproxy::wire::schema::{Direction, Message, NameKind, Structure};

/// Names that begin with an a are Alice's, whatever they name.
const RULES: &str =
    "from io.kroxylicious.filter.authorization import TopicResource as Topic, GroupResource as Group,
    TransactionalIdResource as TransactionalId;
allow User with name = \"alice\" to * Topic with name like \"a*\";
allow User with name = \"alice\" to * Group with name like \"a*\";
allow User with name = \"alice\" to * TransactionalId with name like \"a*\";
otherwise deny;";

/// Most questions to the broker about one request.
const MOST_QUESTIONS: usize = 3;

fn filter() -> Authorization {
    static RULES_OF_ALICE: OnceLock<Arc<AclRules>> = OnceLock::new();
    let rules = RULES_OF_ALICE.get_or_init(|| {
        let document = parse_rules(RULES).expect("the rules are right");
        Arc::new(AclRules::new(document).expect("the rules are right"))
    });
    let settings = AuthorizationModel {
        rules: Arc::clone(rules),
        in_file: false,
        unanswered: UnansweredDenial::Close,
    };
    Authorization::new("authz", &settings, false)
}

/// A request with its answer, and what the broker answers to questions about it.
struct Exchange<'a> {
    api: &'static Api,
    version: i16,
    asked: &'a [u8],
    answer: &'a [u8],
    told: &'a [u8],
}

impl<'a> Exchange<'a> {
    /// API, version, then three lengths of two bytes each with as many bytes.
    fn take(input: &mut &'a [u8]) -> Option<Self> {
        let (&[key, version], rest) = input.split_first_chunk::<2>()?;
        *input = rest;
        let (key, version) = (i16::from(key), i16::from(version));
        let api = api::api(key).filter(|api| api.supports(version))?;
        let mut part = || {
            let (length, rest) = input.split_first_chunk::<2>()?;
            let (part, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len()));
            *input = rest;
            Some(part)
        };
        let asked = part()?;
        Some(Self {
            api,
            version,
            asked,
            answer: part().unwrap_or_default(),
            told: part().unwrap_or_default(),
        })
    }
}

/// Exchanges of one session, one after the other: what the filter answers or changes is a message of its version, the broker
/// is asked about nothing that the client has no right to but a transactional id that it does not use, and the client is shown no name that it has no right to and has not
/// named itself.
pub(crate) fn run(mut input: &[u8]) {
    let filter = filter();
    let mut session = testing::session();
    session.set_subject(Arc::new(Subject::user("alice")));
    while let Some(exchange) = Exchange::take(&mut input) {
        if filter.offers(exchange.api).is_none() {
            continue;
        }
        if !judge(&filter, &mut session, &exchange) {
            return;
        }
    }
}

/// Returns whether the session goes on.
fn judge(
    filter: &Authorization,
    session: &mut kproxy::filter::ClientSession,
    exchange: &Exchange<'_>,
) -> bool {
    let (key, version) = (exchange.api.key, exchange.version);
    let head = RequestHead {
        api_key: key,
        api_version: version,
        correlation_id: 1,
    };
    let mut request = Request::new(exchange.api, head, exchange.asked.into(), 0, true);
    let mut questions = 0;
    let decision = loop {
        match filter.request(session, &mut request) {
            FilterStep::Now(decision) => break decision,
            FilterStep::Ask(question) => {
                questions += 1;
                assert!(questions <= MOST_QUESTIONS, "it asks without an end");
                assert_is_message(&question);
                session.set_answer(exchange.told.to_vec());
            }
            FilterStep::More => panic!("more than a whole frame"),
            FilterStep::Again(_) => panic!("it waits for nothing"),
        }
    };
    let own = names(key, Direction::Request, version, exchange.asked).unwrap_or_default();
    let mut note = match decision {
        OnRequest::Answer(body) => {
            let shown = names(key, Direction::Response, version, &body).expect("a message of its version");
            assert_seen(exchange, &own, &shown);
            return true;
        }
        OnRequest::ForwardNoting(note) => Some(note),
        OnRequest::Forward | OnRequest::ForwardBlind => None,
        OnRequest::AnswerAndLeave(..) | OnRequest::Silence | OnRequest::Leave(_) => return false,
    };
    assert!(request.is_changed() || request.body() == exchange.asked);
    let forwarded = names(key, Direction::Request, version, request.body());
    // Produce is decided by its beginning: what is wrong behind that is the broker's to refuse.
    assert!(forwarded.is_some() || (key == ApiKey::PRODUCE && !request.is_changed()) || !is_governed(key));
    let forwarded = forwarded.unwrap_or_default();
    if is_governed(key) {
        let is_idle = |of| of == NameOf::Transaction && !may_transact(key, version, request.body());
        for (kind, name) in &forwarded {
            assert!(
                may(name) || is_idle(*kind),
                "{}: the broker is asked about {kind:?} {name}",
                exchange.api.name
            );
        }
    }
    if note.is_none() {
        return true;
    }
    let mut response = Response::new(exchange.api, version, exchange.answer.into(), 0, true);
    match filter.response(session, &mut response, &mut note) {
        FilterStep::Now(OnResponse::Forward) => {}
        FilterStep::Now(_) => return false,
        _ => panic!("it waits at a whole answer"),
    }
    let shown = names(key, Direction::Response, version, response.body()).expect("a message of its version");
    let honest = names(key, Direction::Response, version, exchange.answer).expect("it was read");
    let lists = asks_for_all(key, version, request.body());
    let is_judged = |named: &(NameOf, String)| {
        (lists && lists_unasked(key, named.0)) || !honest.contains(named) || forwarded.contains(named)
    };
    assert_seen(exchange, &own, &shown.into_iter().filter(is_judged).collect());
    true
}

/// Whether a transactional id in a request is used: at Produce only with records that are part of a transaction, which their first
/// batch says.
fn may_transact(key: i16, version: i16, body: &[u8]) -> bool {
    let Ok(message) = Message::read(key, Direction::Request, version, body) else {
        return true;
    };
    let topics = message.root().array("topic_data");
    let partitions = topics.flat_map(|topic| topic.array("partition_data"));
    let mut batches = partitions.filter_map(|partition| partition.content("records"));
    key != ApiKey::PRODUCE || batches.any(|batch| batch.len() > 22 && batch[16] >= 2 && batch[22] & 0x10 != 0)
}

/// Whether a request that may ask for some topics or for all asks for all.
fn asks_for_all(key: i16, version: i16, body: &[u8]) -> bool {
    let Ok(message) = Message::read(key, Direction::Request, version, body) else {
        return false;
    };
    let is_null = |holder: Structure<'_>| holder.field("topics").is_some_and(|topics| topics.is_null());
    match key {
        ApiKey::OFFSET_FETCH if version < 8 => is_null(message.root()),
        ApiKey::OFFSET_FETCH | ApiKey::DESCRIBE_SHARE_GROUP_OFFSETS => {
            message.root().array("groups").all(is_null)
        }
        ApiKey::DESCRIBE_TOPIC_PARTITIONS => message.root().array("topics").next().is_none(),
        _ => true,
    }
}

/// Whether the broker answers names of this kind that the request does not have. Of other names it is taken at its word: it
/// answers those that it was asked about.
fn lists_unasked(key: i16, of: NameOf) -> bool {
    let listed: &[i16] = match of {
        NameOf::Topic => &[
            ApiKey::METADATA,
            ApiKey::FETCH,
            ApiKey::SHARE_FETCH,
            ApiKey::OFFSET_FETCH,
            ApiKey::DESCRIBE_TOPIC_PARTITIONS,
            ApiKey::DESCRIBE_TRANSACTIONS,
            ApiKey::DESCRIBE_SHARE_GROUP_OFFSETS,
            ApiKey::STREAMS_GROUP_DESCRIBE,
        ],
        NameOf::Group => &[ApiKey::LIST_GROUPS],
        NameOf::Transaction => &[ApiKey::LIST_TRANSACTIONS],
    };
    listed.contains(&key)
}

type Names = BTreeSet<(NameOf, String)>;

/// What a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum NameOf {
    Topic,
    Group,
    Transaction,
}

/// What a name that is no text is shown as.
const NO_TEXT: &str = "\u{fffd}";

/// The names in a message; `None` if it is none.
fn names(key: i16, direction: Direction, version: i16, body: &[u8]) -> Option<Names> {
    let message = Message::read(key, direction, version, body).ok()?;
    let named = message.names().filter_map(|name| {
        let of = match name.kind {
            NameKind::TopicName => NameOf::Topic,
            NameKind::GroupId => NameOf::Group,
            NameKind::TransactionalId => NameOf::Transaction,
            _ => return None,
        };
        // An empty one stands for null where a version has no null.
        let name = name.bytes().filter(|bytes| !bytes.is_empty())?;
        Some((of, std::str::from_utf8(name).unwrap_or(NO_TEXT).to_owned()))
    });
    Some(named.collect())
}

/// Whether the rules give the client a right to a name.
fn may(name: &str) -> bool {
    name.starts_with('a')
}

/// Whether rules are about the requests of an API. Those of the others pass unread: the broker decides about administration.
fn is_governed(key: i16) -> bool {
    const UNREAD: [i16; 11] = [
        ApiKey::DESCRIBE_ACLS,
        ApiKey::CREATE_ACLS,
        ApiKey::DELETE_ACLS,
        ApiKey::ALTER_REPLICA_LOG_DIRS,
        ApiKey::DESCRIBE_LOG_DIRS,
        ApiKey::ELECT_LEADERS,
        ApiKey::ALTER_PARTITION_REASSIGNMENTS,
        ApiKey::LIST_PARTITION_REASSIGNMENTS,
        ApiKey::DESCRIBE_QUORUM,
        ApiKey::PUSH_TELEMETRY,
        // kproxy looks at the group alone, as the broker does.
        ApiKey::STREAMS_GROUP_TOPOLOGY_DESCRIPTION_UPDATE,
    ];
    !UNREAD.contains(&key)
}

fn assert_seen(exchange: &Exchange<'_>, own: &Names, shown: &Names) {
    for (of, name) in shown {
        assert!(
            may(name) || own.contains(&(*of, name.clone())),
            "{}: the client is shown {of:?} {name}",
            exchange.api.name
        );
    }
}

fn assert_is_message(question: &Question) {
    let read = Message::read(
        question.api_key,
        Direction::Request,
        question.api_version,
        &question.body,
    );
    assert!(read.is_ok());
}
