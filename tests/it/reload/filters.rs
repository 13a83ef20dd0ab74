//! Promise 11: filters come, go and change under live sessions.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Once};

use kproxy::config::{CustomFault, CustomFilterType, CustomSettings};
use kproxy::filter::{
    BuildingFilter, ClientSession, CustomDefinition, Filter, FilterError, FilterFactory, FilterStep,
    Interest, Level, OnRequest, Request, register,
};
use kproxy::model::{FilterKind, FilterMode, FilterModel};
use kproxy::reload::Outcome;
use serde_json::json;

use testkit::broker::Broker;
use testkit::client::Client;
use testkit::frames::{HEARTBEAT, heartbeat};
use testkit::proxy::{Setup, TestProxy};

/// Answers every Heartbeat with its `mark`, and how many filters of its kind have been built one after the other.
#[derive(Debug)]
struct Marking {
    name: String,
    mark: String,
    built: u32,
}

impl Filter for Marking {
    fn name(&self) -> &str {
        &self.name
    }

    fn interest(&self, interest: &mut Interest) {
        interest.requests(HEARTBEAT, 0..=i16::MAX, Level::Head);
    }

    fn request(&self, _session: &mut ClientSession, _request: &mut Request<'_>) -> FilterStep<OnRequest> {
        let body = format!("{}{}", self.mark, self.built);
        FilterStep::Now(OnRequest::Answer(body.into_bytes()))
    }
}

struct MarkingType;

impl CustomFilterType for MarkingType {
    fn name(&self) -> &str {
        "Marking"
    }

    fn check(&self, _settings: &CustomSettings) -> Result<(), Vec<CustomFault>> {
        Ok(())
    }
}

impl FilterFactory for MarkingType {
    fn build<'f>(&'f self, definition: CustomDefinition<'f>) -> BuildingFilter<'f> {
        Box::pin(async move {
            let mark = definition.settings.config["mark"].as_str().unwrap_or_default();
            match mark {
                "broken" => return Err(FilterError::new(definition.model, "its server is broken")),
                "slow" => std::future::pending().await,
                "panics" => panic!("a defect"),
                _ => {}
            }
            let before = definition.previous.map(|previous| &**previous as &dyn Any);
            let before = before.and_then(|before| before.downcast_ref::<Marking>());
            Ok(Arc::new(Marking {
                name: definition.model.name.clone(),
                mark: mark.to_owned(),
                built: before.map_or(0, |before| before.built) + 1,
            }) as Arc<dyn Filter>)
        })
    }
}

fn marking(name: &str, mark: &str) -> Arc<FilterModel> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| register(MarkingType));
    Arc::new(FilterModel {
        name: name.to_owned(),
        kind: FilterKind::Custom(CustomSettings {
            filter_type: "Marking".to_owned(),
            config: json!({ "mark": mark }),
            files: BTreeMap::new(),
        }),
        mode: FilterMode::Enforce,
        when: None,
        on_error: Default::default(),
    })
}

fn with(broker: &Broker, filters: Vec<Arc<FilterModel>>) -> Setup {
    Setup::to(&[broker.address]).cluster(|cluster| cluster.filters = filters)
}

/// The body of the answer to a Heartbeat.
fn beat(client: &mut Client) -> String {
    let answer = client.ask(&heartbeat(7));
    String::from_utf8(answer[4..].to_vec()).unwrap()
}

fn start(filters: Vec<Arc<FilterModel>>) -> (Broker, TestProxy, Client) {
    let broker = Broker::echoing(b"broker");
    let proxy = with(&broker, filters).start();
    let client = proxy.client();
    (broker, proxy, client)
}

#[test]
fn a_filter_that_comes_holds_from_the_next_request_of_a_live_session_on_and_one_that_goes_no_more() {
    let (broker, proxy, mut client) = start(Vec::new());
    assert_eq!(beat(&mut client), "broker");
    for (filters, expected) in [
        (vec![marking("a", "x")], "x1"),
        (vec![marking("a", "y")], "y2"),
        (Vec::new(), "broker"),
        (vec![marking("a", "z")], "z1"),
    ] {
        proxy.apply(&with(&broker, filters));
        assert_eq!(beat(&mut client), expected);
    }
    assert_eq!(broker.connections(), 1);
}

#[test]
fn a_filter_that_stays_the_same_is_not_built_again() {
    let (broker, proxy, mut client) = start(vec![marking("a", "x")]);
    assert_eq!(beat(&mut client), "x1");
    proxy.apply(&with(&broker, vec![marking("a", "x"), marking("b", "y")]));
    assert_eq!(beat(&mut client), "x1");
    // The order of the list is that of requests.
    proxy.apply(&with(&broker, vec![marking("b", "y"), marking("a", "x")]));
    assert_eq!(beat(&mut client), "y1");
    proxy.apply(&with(&broker, vec![marking("a", "x")]));
    assert_eq!(beat(&mut client), "x1");
}

#[test]
fn a_filter_that_cannot_be_built_rejects_the_reload_and_the_old_one_goes_on() {
    let (broker, proxy, mut client) = start(vec![marking("a", "x")]);
    for (mark, why) in [
        ("broken", "filter `a`: its server is broken"),
        ("panics", "filter `a`: panicked while it was built"),
        ("slow", "filter `a`: not ready within 5 s"),
    ] {
        let report = proxy
            .proxy
            .reload(with(&broker, vec![marking("a", mark)]).model())
            .unwrap();
        assert_eq!(report.outcome, Outcome::Rejected);
        assert_eq!(report.errors, [format!("virtual cluster `demo`: {why}")]);
        assert_eq!(beat(&mut client), "x1");
        assert_eq!(beat(&mut proxy.client()), "x1");
    }
}

#[test]
fn a_filter_with_a_condition_lets_other_requests_pass_and_a_change_of_it_alone_builds_nothing() {
    let when = |source: &str| {
        let mut filter = (*marking("a", "x")).clone();
        filter.when = Some(kproxy::model::FilterCondition::parse(source).unwrap());
        vec![Arc::new(filter)]
    };
    let (broker, proxy, mut client) = start(when("client.address == '127.0.0.1' && api.name == 'Heartbeat'"));
    assert_eq!(beat(&mut client), "x1");
    for (source, expected) in [
        ("cluster == 'other'", "broker"),
        ("client.principals.size() > 0", "broker"),
        // What cannot be evaluated counts as true.
        ("cluster != 'demo' || client.principals[7] == ''", "x1"),
    ] {
        proxy.apply(&with(&broker, when(source)));
        assert_eq!(beat(&mut client), expected, "{source}");
    }
}

#[test]
fn another_target_keeps_the_filters() {
    let (_broker, proxy, mut client) = start(vec![marking("a", "x")]);
    assert_eq!(beat(&mut client), "x1");
    let other = Broker::echoing(b"other");
    proxy.apply(&with(&other, vec![marking("a", "x")]));
    assert_eq!(beat(&mut proxy.client()), "x1");
    proxy.apply(&with(&other, Vec::new()));
    assert_eq!(beat(&mut proxy.client()), "other");
}
