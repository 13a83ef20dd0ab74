// Filters of a program's own: one that answers, one that edits. `cargo run --example filters -- FILE` runs a proxy whose file may
// have `type: TopicPrefix` and `type: HideTopics`, each with `config: {prefix: …}`; tests/it/filters_example.rs runs both.

use std::error::Error;
use std::io::Read as _;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;

use kproxy::app::Proxy;
use kproxy::config::{CustomFault, CustomFilterType, CustomSettings};
use kproxy::filter::{
    BuildingFilter, ClientSession, CustomDefinition, Denial, Filter, FilterFactory, FilterStep, Interest,
    Level, Note, OnRequest, OnResponse, Request, Response, SessionEvent, error_answer, register,
};
use kproxy::model;
use kproxy::wire::api::ApiKey;
use kproxy::wire::error_code::ErrorCode;
use kproxy::wire::schema::{Direction, Message, Splice};

const EVERY_VERSION: RangeInclusive<i16> = 0..=i16::MAX;

/// Answers CreateTopics requests in which a name does not begin with the prefix: nothing of them reaches the broker.
#[derive(Debug)]
struct TopicPrefix {
    name: String,
    prefix: String,
}

impl Filter for TopicPrefix {
    fn name(&self) -> &str {
        &self.name
    }

    fn interest(&self, interest: &mut Interest) {
        interest.requests(ApiKey::CREATE_TOPICS, EVERY_VERSION, Level::Whole);
    }

    fn request(&self, session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest> {
        let (api, version) = (request.api(), request.version());
        // What cannot be read is for the broker to refuse.
        let Ok(message) = Message::read(api.key, Direction::Request, version, request.body()) else {
            return FilterStep::Now(OnRequest::Forward);
        };
        let mut topics = message.root().array("topics");
        let wrong = topics.find(|topic| {
            !topic
                .text("name")
                .is_some_and(|name| name.starts_with(&self.prefix))
        });
        let answer =
            wrong.and_then(|_| error_answer(api, version, request.body(), ErrorCode::POLICY_VIOLATION));
        let Some(answer) = answer else {
            return FilterStep::Now(OnRequest::Forward);
        };
        // For the audit, and for the metrics.
        session.record(&SessionEvent::Denied(Denial {
            filter: &self.name,
            api,
            version,
            resource: wrong.and_then(|topic| topic.text("name")).unwrap_or_default(),
            rule: &self.prefix,
            is_shadow: false,
        }));
        FilterStep::Now(OnRequest::Answer(answer))
    }
}

/// Edits Metadata answers: topics whose names begin with the prefix are missing. Everything else stays as it is, byte by byte.
#[derive(Debug)]
struct HideTopics {
    name: String,
    prefix: String,
}

impl Filter for HideTopics {
    fn name(&self) -> &str {
        &self.name
    }

    fn interest(&self, interest: &mut Interest) {
        interest.responses(ApiKey::METADATA, EVERY_VERSION, Level::Whole);
    }

    fn request(&self, _session: &mut ClientSession, _request: &mut Request<'_>) -> FilterStep<OnRequest> {
        FilterStep::Now(OnRequest::Forward)
    }

    fn response(
        &self,
        _session: &mut ClientSession,
        response: &mut Response<'_>,
        _note: &mut Option<Note>,
    ) -> FilterStep<OnResponse> {
        let read = Message::read(
            ApiKey::METADATA,
            Direction::Response,
            response.version(),
            response.body(),
        );
        if let Ok(message) = read {
            let mut splice = Splice::new(&message);
            for topic in message.root().array("topics") {
                if topic
                    .text("name")
                    .is_some_and(|name| name.starts_with(&self.prefix))
                {
                    splice.remove(&topic);
                }
            }
            if !splice.is_empty() {
                let body = splice.finish();
                // It is complete, as asked for in `interest`.
                let replaced = response.replace_body(&body);
                debug_assert!(replaced, "the answer is complete");
            }
        }
        FilterStep::Now(OnResponse::Forward)
    }
}

/// A type of filter that has one key, `prefix`.
struct WithPrefix {
    filter_type: &'static str,
    build: fn(String, String) -> Arc<dyn Filter>,
}

fn prefix(settings: &CustomSettings) -> Option<&str> {
    settings
        .config
        .get("prefix")?
        .as_str()
        .filter(|prefix| !prefix.is_empty())
}

impl CustomFilterType for WithPrefix {
    fn name(&self) -> &str {
        self.filter_type
    }

    fn check(&self, settings: &CustomSettings) -> Result<(), Vec<CustomFault>> {
        match prefix(settings) {
            Some(_) => Ok(()),
            None => Err(vec![CustomFault {
                pointer: "/prefix".to_owned(),
                in_file: None,
                message: "expected a beginning of names of topics as `prefix`".to_owned(),
            }]),
        }
    }
}

impl FilterFactory for WithPrefix {
    fn build<'f>(&'f self, definition: CustomDefinition<'f>) -> BuildingFilter<'f> {
        let prefix = prefix(definition.settings).unwrap_or_default().to_owned();
        let filter = (self.build)(definition.model.name.clone(), prefix);
        Box::pin(async { Ok(filter) })
    }
}

/// Makes both types known. Files that are read from now on may have them.
fn register_filters() {
    register(WithPrefix {
        filter_type: "TopicPrefix",
        build: |name, prefix| Arc::new(TopicPrefix { name, prefix }),
    });
    register(WithPrefix {
        filter_type: "HideTopics",
        build: |name, prefix| Arc::new(HideTopics { name, prefix }),
    });
}

/// Starts a proxy with the configuration of a file.
fn start(file: &std::path::Path) -> Result<Proxy, Box<dyn Error>> {
    register_filters();
    let model = model::load(file).map_err(|faults| {
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        faults.join("\n")
    })?;
    Ok(Proxy::start(model)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).map(PathBuf::from);
    let proxy = start(&file.ok_or("usage: filters FILE")?)?;
    eprintln!("it runs until its standard input ends");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    proxy.shutdown();
    Ok(())
}
