//! Failures of filters.
//!
//! 1. What a filter cannot decide about is answered with an error, ends the session or passes, as `onError` says, whatever the API.
//! 2. A client does not wait for a broker that does not answer the question of a filter.
//! 3. Three panics within a minute quarantine a filter, until a reload builds it anew.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Once};

use kproxy::app::Proxy;
use kproxy::config::{CustomFault, CustomFilterType, CustomSettings};
use kproxy::filter::{
    BuildingFilter, ClientSession, CustomDefinition, Filter, FilterFactory, FilterStep, Interest, Leave,
    LeaveCause, Level, Note, OnRequest, OnResponse, Question, Request, Response, failure_code, register,
};
use kproxy::model::{FailurePolicy, FilterKind, FilterMode, FilterModel, Management, ProxyModel};
use kproxy::session::cause::CloseCause;
use kproxy::wire::api::{self, ApiKey};
use kproxy::wire::schema::{Direction, Draft, Message};
use serde_json::json;
use testkit::broker::Broker;
use testkit::client::Client;
use testkit::frames::{HEARTBEAT, heartbeat, raw_request, raw_response};
use testkit::proxy::{Setup, TestProxy};

/// API of the questions of a filter, which the broker of these tests does not answer.
const QUESTION: i16 = ApiKey::LIST_TRANSACTIONS;

/// A filter that fails in one way about all that is neither a Heartbeat nor what sessions begin with.
#[derive(Debug)]
struct Failing {
    name: String,
    how: String,
}

impl Filter for Failing {
    fn name(&self) -> &str {
        &self.name
    }

    fn interest(&self, interest: &mut Interest) {
        for api in api::apis().filter(|api| !api.is_preamble && api.key != HEARTBEAT) {
            interest.requests(api.key, 0..=i16::MAX, Level::Head);
            if self.how.starts_with("answer") {
                interest.responses(api.key, 0..=i16::MAX, Level::Whole);
            }
        }
    }

    fn request(&self, session: &mut ClientSession, _request: &mut Request<'_>) -> FilterStep<OnRequest> {
        match &*self.how {
            "reading" => FilterStep::Now(OnRequest::Leave(Leave::new(LeaveCause::Failed, "it cannot read"))),
            "asking" if session.take_answer().is_none() => FilterStep::Ask(Question {
                api_key: QUESTION,
                api_version: 0,
                body: vec![0; 8],
            }),
            "waiting" => FilterStep::Again(Box::pin(std::future::pending())),
            "panicking" => panic!("a defect of the filter of a test"),
            "panicking later" => FilterStep::Again(Box::pin(async {
                tokio::task::yield_now().await;
                panic!("a defect of the filter of a test")
            })),
            _ => FilterStep::Now(OnRequest::Forward),
        }
    }

    fn response(
        &self,
        _session: &mut ClientSession,
        _response: &mut Response<'_>,
        _note: &mut Option<Note>,
    ) -> FilterStep<OnResponse> {
        match &*self.how {
            "answer panicking" => panic!("a defect of the filter of a test"),
            "answer waiting" => FilterStep::Again(Box::pin(std::future::pending())),
            _ => FilterStep::Now(OnResponse::Leave(Leave::new(
                LeaveCause::Failed,
                "it cannot read",
            ))),
        }
    }
}

struct FailingType;

impl CustomFilterType for FailingType {
    fn name(&self) -> &str {
        "Failing"
    }

    fn check(&self, _settings: &CustomSettings) -> Result<(), Vec<CustomFault>> {
        Ok(())
    }
}

impl FilterFactory for FailingType {
    fn build<'f>(&'f self, definition: CustomDefinition<'f>) -> BuildingFilter<'f> {
        Box::pin(async move {
            Ok(Arc::new(Failing {
                name: definition.model.name.clone(),
                how: definition.settings.config["how"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
            }) as Arc<dyn Filter>)
        })
    }
}

fn failing(how: &str, on_error: FailurePolicy) -> Arc<FilterModel> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| register(FailingType));
    Arc::new(FilterModel {
        name: "failing".to_owned(),
        kind: FilterKind::Custom(CustomSettings {
            filter_type: "Failing".to_owned(),
            config: json!({ "how": how }),
            files: BTreeMap::new(),
        }),
        mode: FilterMode::Enforce,
        when: None,
        on_error,
    })
}

/// A broker that answers all but the questions of filters, with answers of the right form.
fn broker() -> Broker {
    Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            if asked.api_key == QUESTION {
                continue;
            }
            connection.send(&answer_of_broker(
                asked.api_key,
                asked.api_version,
                asked.correlation_id,
            ));
        }
    })
}

/// An answer with the defaults of its schema.
fn answer_of_broker(key: i16, version: i16, id: i32) -> Vec<u8> {
    let body = Draft::new(key, Direction::Response, version).unwrap().encode();
    let flexible = api::api(key).unwrap().response_header_is_flexible(version);
    let body = if flexible {
        [&[0][..], &body].concat()
    } else {
        body
    };
    raw_response(id, &body)
}

/// A request with the defaults of its schema.
fn request(key: i16, version: i16, id: i32) -> Vec<u8> {
    let mut draft = Draft::new(key, Direction::Request, version).unwrap();
    if key == ApiKey::PRODUCE {
        draft.set("acks", -1_i16);
    }
    let flexible = api::api(key).unwrap().request_is_flexible(version);
    let body = [&[0][..usize::from(flexible)], &draft.encode()].concat();
    raw_request(key, version, id, &body)
}

fn with(broker: &Broker, filters: Vec<Arc<FilterModel>>) -> Setup {
    Setup::to(&[broker.address]).cluster(|cluster| cluster.filters = filters)
}

fn start(how: &str, on_error: FailurePolicy) -> (Broker, TestProxy, Client) {
    let broker = broker();
    let proxy = with(&broker, vec![failing(how, on_error)]).start();
    let client = proxy.client();
    (broker, proxy, client)
}

/// Whether a session works whose other requests nothing fails about.
fn beats(client: &mut Client) {
    assert_eq!(client.ask(&heartbeat(77))[..4], 77_i32.to_be_bytes());
}

/// Promise 1.
#[test]
fn every_version_of_every_api_about_which_a_filter_cannot_decide_is_answered() {
    for how in ["reading", "answer reading"] {
        let (_broker, _proxy, mut client) = start(how, FailurePolicy::Answer);
        let mut id = 0;
        for api in api::apis().filter(|api| !api.is_preamble && ![HEARTBEAT, QUESTION].contains(&api.key)) {
            for version in api.min..=api.max {
                id += 1;
                client.send(&request(api.key, version, id));
                let answer = client.try_frame();
                let answer = answer.unwrap_or_else(|why| panic!("{how}: {} {version}: {why}", api.name));
                assert_eq!(answer[..4], id.to_be_bytes(), "{how}: {} {version}", api.name);
                let body = &answer[4 + usize::from(api.response_header_is_flexible(version))..];
                let read = Message::read(api.key, Direction::Response, version, body);
                let read = read.unwrap_or_else(|why| panic!("{how}: {} {version}: {why}", api.name));
                // Other answers have a place for an error in their elements only.
                if read.root().knows("error_code") {
                    let code = read.root().int("error_code");
                    assert_eq!(
                        code,
                        Some(failure_code(api.key).into()),
                        "{how}: {} {version}",
                        api.name
                    );
                }
            }
        }
        beats(&mut client);
    }
}

/// Promise 1.
#[test]
fn what_fails_passes_or_ends_the_session_where_that_is_configured() {
    for how in ["reading", "answer reading"] {
        let (_broker, _proxy, mut client) = start(how, FailurePolicy::Pass);
        let asked = (ApiKey::LIST_GROUPS, 0);
        assert_eq!(
            client.ask(&request(asked.0, asked.1, 1)),
            answer_of_broker(asked.0, asked.1, 1)[4..],
            "{how}"
        );
        let (_broker, proxy, mut client) = start(how, FailurePolicy::Fail);
        client.send(&request(asked.0, asked.1, 1));
        client.expect_fin();
        drop(client);
        proxy.expect_closes(CloseCause::FilterFailed, 1);
    }
}

/// Promises 1 and 2: each of these waits for 10 s.
#[test]
fn a_wait_of_a_filter_ends() {
    let how = ["asking", "waiting", "answer waiting"];
    let threads = how.map(|how| {
        std::thread::spawn(move || {
            let (_broker, _proxy, mut client) = start(how, FailurePolicy::Answer);
            beats(&mut client);
            let all = [heartbeat(1), request(ApiKey::LIST_GROUPS, 0, 2), heartbeat(3)].concat();
            client.send(&all);
            assert_eq!(client.frame()[..4], 1_i32.to_be_bytes(), "{how}");
            // COORDINATOR_NOT_AVAILABLE, and no groups.
            assert_eq!(client.frame(), [0, 0, 0, 2, 0, 15, 0, 0, 0, 0], "{how}");
            if how != "asking" {
                assert_eq!(client.frame()[..4], 3_i32.to_be_bytes(), "{how}");
                beats(&mut client);
            }
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Promise 3.
#[test]
fn three_panics_quarantine_a_filter_until_a_reload_builds_it_anew() {
    for how in ["panicking", "panicking later", "answer panicking"] {
        let (broker, proxy, _client) = start(how, FailurePolicy::Answer);
        let status = |proxy: &TestProxy| {
            let status = proxy.proxy.status().unwrap();
            let filter = status.clusters[0].filters[0].clone();
            (filter.panics, filter.quarantined, status.warnings)
        };
        let panic = |proxy: &TestProxy, nth: u64| {
            let mut client = proxy.client();
            beats(&mut client);
            client.send(&request(ApiKey::LIST_GROUPS, 0, 1));
            client.expect_fin();
            drop(client);
            proxy.expect_closes(CloseCause::FilterFailed, nth);
        };
        for nth in 1..=3 {
            assert_eq!(status(&proxy), (nth - 1, false, vec![]), "{how}");
            panic(&proxy, nth);
        }
        let (panics, quarantined, warnings) = status(&proxy);
        assert_eq!((panics, quarantined, warnings.len()), (3, true, 1), "{how}");
        assert!(
            warnings[0].contains("filter `failing` of virtual cluster"),
            "{warnings:?}"
        );
        let mut client = proxy.client();
        for id in 1..5 {
            let answer = client.ask(&request(ApiKey::LIST_GROUPS, 0, id));
            assert_eq!(answer[4..], [0, 15, 0, 0, 0, 0], "{how}");
        }
        beats(&mut client);
        assert_eq!(status(&proxy).0, 3, "it is not asked");

        // Another policy alone leaves it as it is made, and makes it anew because it is quarantined.
        proxy.apply(&with(&broker, vec![failing(how, FailurePolicy::Pass)]));
        assert_eq!(status(&proxy), (0, false, vec![]), "{how}");
        panic(&proxy, 4);
        assert_eq!(status(&proxy).0, 1, "{how}");
    }
}

/// Promise 3.
#[test]
fn metrics_show_a_quarantine_until_a_reload_ends_it() {
    let broker = broker();
    let model = |on_error| ProxyModel {
        management: Some(Management {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            token: None,
        }),
        ..with(&broker, vec![failing("panicking", on_error)]).model()
    };
    let proxy = TestProxy {
        proxy: Proxy::start(model(FailurePolicy::Answer)).unwrap(),
    };
    let address = proxy.proxy.http().unwrap();
    let figures = || {
        let text = testkit::deployment::get(address, "/metrics");
        ["kproxy_filter_quarantined", "kproxy_filter_panics_total"].map(|name| {
            let line = format!("{name}{{virtual_cluster=\"demo\",filter=\"failing\"}} ");
            let value = text.lines().find_map(|found| found.strip_prefix(&line));
            value.unwrap_or_else(|| panic!("no {name}: {text}")).to_owned()
        })
    };
    for nth in 1..=3 {
        assert_eq!(figures(), ["0".to_owned(), (nth - 1).to_string()]);
        let mut client = proxy.client();
        client.send(&request(ApiKey::LIST_GROUPS, 0, 1));
        client.expect_fin();
        proxy.expect_closes(CloseCause::FilterFailed, nth);
    }
    assert_eq!(figures(), ["1", "3"]);
    proxy.proxy.reload(model(FailurePolicy::Pass)).unwrap();
    assert_eq!(figures(), ["0", "0"]);
}
