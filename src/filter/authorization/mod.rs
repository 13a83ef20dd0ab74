//! `Authorization`: who may do what with topics, groups and transactional ids.
//!
//! Every API has a function that is told of a request and finds which names it has, what has to be allowed, and what a
//! broker would answer where it is not. What is denied is taken out of the request and added to the answer; a request of
//! which nothing is left is answered here. The functions are pure: they see records, rights and names, no sockets.
//!
//! | group | APIs |
//! |---|---|
//! | [`transactions`] | Produce, transactions |
//! | [`fetch`], [`share`] | Fetch, share groups |
//! | [`metadata`] | Metadata, DescribeTopicPartitions |
//! | [`partitions`] | what asks for partitions of topics and is answered for each |
//! | [`offsets`], [`groups`], [`assignment`], [`describe_groups`], [`streams`] | groups |
//! | [`topics`], [`configs`] | administration |
//!
//! An API or version that is not in [`table`] is hidden, and answered with error 35.

mod access;
mod assignment;
mod batches;
mod configs;
mod describe_groups;
mod fetch;
mod fetch_session;
mod fetch_walk;
mod groups;
mod metadata;
mod offsets;
mod partitions;
mod passing;
mod produce;
mod questions;
mod session_rights;
mod shadow;
mod share;
mod streams;
mod table;
mod topics;
mod transactions;
mod verdict;

#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;
use std::sync::Arc;

use self::access::AccessDecision;
use self::fetch::{FetchNote, FetchVerdict};
use self::fetch_session::DeniedTopic;
use self::produce::{Beginning, Judged};
use self::session_rights::{AskedFor, RightsParts, SessionRights};
use self::share::ShareVerdict;
use self::table::Rule;
use self::verdict::{AskedRequest, Merge, Verdict};
use super::SessionEvent;
use super::{
    AclDecisions, ClientSession, Denial, Filter, FilterStep, Interest, Leave, LeaveCause, Level, Note,
    OnRequest, OnResponse, Question, Request, Response, TopicNameMap,
};
use crate::model::acl::{AclRules, DecidedBy};
use crate::model::{AuthorizationModel, UnansweredDenial};
use crate::wire::Malformed;
use crate::wire::api::{Api, ApiKey};
use crate::wire::schema::{Direction, Editable};

/// Filter of type `Authorization`: rules, and what is done with a request that they deny.
#[derive(Debug)]
pub struct Authorization {
    name: Arc<str>,
    rules: Arc<AclRules>,
    decisions: AclDecisions,
    topics: Arc<TopicNameMap>,
    unanswered: UnansweredDenial,
    shadow: bool,
}

/// What is kept of a request for its answer.
enum Kept {
    Merge(Merge),
    Fetch(FetchNote),
    ShareFetch(Vec<DeniedTopic>),
}

/// What is done with a request.
enum Outcome {
    /// It goes on, and its answer passes unread.
    Blind,
    /// It goes on, and this is kept for its answer.
    Noting(Kept),
    Answer(Editable<'static>),
    /// Nobody can be told that it was denied.
    Close(&'static str),
    /// Nobody can be told that a part was denied, which was taken out.
    ClosePart(&'static str),
    Ask(AskedFor, Question),
}

/// A request that was decided about.
struct Settled {
    outcome: Outcome,
    /// Its body, if something was taken out of it.
    edited: Option<Vec<u8>>,
    decided: Vec<AccessDecision>,
}

impl Authorization {
    /// The filter of this name with these settings. `shadow`: decisions are counted and nothing is changed.
    pub fn new(name: impl Into<Arc<str>>, settings: &AuthorizationModel, shadow: bool) -> Self {
        Self {
            name: name.into(),
            rules: Arc::clone(&settings.rules),
            decisions: AclDecisions::new(Arc::clone(&settings.rules), None),
            topics: Arc::default(),
            unanswered: settings.unanswered,
            shadow,
        }
    }

    /// Takes the names of topics from `topics`, the map of the cluster.
    #[must_use]
    pub fn with_names(self, topics: Arc<TopicNameMap>) -> Self {
        Self { topics, ..self }
    }

    /// Takes over what `previous` has counted.
    #[must_use]
    pub fn after(self, previous: &Self) -> Self {
        Self {
            decisions: AclDecisions::new(Arc::clone(&self.rules), Some(&previous.decisions)),
            ..self
        }
    }

    /// Decides about a request that has arrived whole.
    fn decide(
        topics: &TopicNameMap,
        rights: &mut SessionRights,
        request: &Request<'_>,
        rule: Rule,
    ) -> Result<Settled, Malformed> {
        let (api_key, version) = (request.api_key(), request.version());
        let mut body = Editable::read(api_key, Direction::Request, version, request.body())?;
        let existing = rights.existing.take();
        let asked_for_names = std::mem::take(&mut rights.asked_for_names);
        let Some(RightsParts {
            mut access,
            fetch,
            share,
        }) = rights.parts(topics)
        else {
            return Err(Malformed::new("session: its rights are not known"));
        };
        let mut asked = AskedRequest {
            api_key,
            version,
            body: &mut body,
            existing,
        };
        let (outcome, is_edited) = match rule {
            Rule::Pass => (Outcome::Blind, false),
            Rule::Fetch => of_fetch(fetch::request(&mut access, &mut asked, fetch)),
            Rule::ShareFetch => of_share_fetch(share::fetch(&mut access, &mut asked, share)),
            Rule::Ask(decide) => of_verdict(decide(&mut access, &mut asked)),
            Rule::Produce => of_verdict(transactions::produce(&mut access, &mut asked)),
        };
        let (missing, decided) = (access.missing, access.decided);
        let outcome = if !missing.is_empty() && !asked_for_names {
            Outcome::Ask(AskedFor::Names, questions::names_of(&missing))
        } else {
            outcome
        };
        rights.asked_for_names = asked_for_names && matches!(outcome, Outcome::Ask(..));
        Ok(Settled {
            outcome,
            edited: is_edited.then(|| body.write()),
            decided,
        })
    }

    /// Decides by the beginning of a Produce request. `None`: by all of it.
    fn produce(
        &self,
        session: &ClientSession,
        rights: &mut SessionRights,
        request: &Request<'_>,
    ) -> Result<Option<FilterStep<OnRequest>>, Malformed> {
        let wait = || (!request.is_complete()).then_some(FilterStep::More);
        let Some(beginning) = Beginning::read(request.version(), request.body())? else {
            return Ok(wait());
        };
        let Some(RightsParts { mut access, .. }) = rights.parts(&self.topics) else {
            return Ok(None);
        };
        if beginning.judge(&mut access) == Judged::Allowed {
            self.tell(session, request, &access.decided);
            return Ok(Some(FilterStep::Now(OnRequest::ForwardBlind)));
        }
        Ok(wait())
    }

    fn step(
        &self,
        session: &mut ClientSession,
        rights: &mut SessionRights,
        request: &mut Request<'_>,
    ) -> Result<FilterStep<OnRequest>, Malformed> {
        let Some(row) = table::row(request.api_key()) else {
            return Ok(FilterStep::Now(OnRequest::ForwardBlind));
        };
        rights.renew(&self.rules, session.subject());
        match (rights.asked.take(), session.take_answer()) {
            (Some(AskedFor::Names), Some(answer)) => {
                rights.know(questions::read_names(&self.topics, &answer));
                rights.asked_for_names = true;
            }
            (Some(AskedFor::Existing), Some(answer)) => {
                rights.existing = Some(questions::read_existing(&answer));
            }
            // The request that was asked about has gone without an answer to that.
            (Some(_), None) | (None, _) => {}
        }
        if let Rule::Produce = row.rule
            && let Some(step) = self.produce(session, rights, request)?
        {
            return Ok(step);
        }
        if !request.is_complete() {
            return Ok(FilterStep::More);
        }
        let settled = Self::decide(&self.topics, rights, request, row.rule)?;
        Ok(self.settle(session, rights, request, settled))
    }

    /// Turns a decision into what the chain does.
    fn settle(
        &self,
        session: &ClientSession,
        rights: &mut SessionRights,
        request: &mut Request<'_>,
        settled: Settled,
    ) -> FilterStep<OnRequest> {
        if let Outcome::Ask(what, question) = settled.outcome {
            rights.asked = Some(what);
            return FilterStep::Ask(question);
        }
        self.tell(session, request, &settled.decided);
        if self.shadow {
            return FilterStep::Now(shadow::shadowed(settled.outcome, &settled.decided));
        }
        if let Some(body) = settled.edited
            && !request.replace_body(&body)
        {
            return FilterStep::Now(OnRequest::Leave(failed("a request cannot be changed")));
        }
        FilterStep::Now(match settled.outcome {
            Outcome::Blind | Outcome::Ask(..) => OnRequest::ForwardBlind,
            Outcome::Noting(kept) => OnRequest::ForwardNoting(Box::new(kept)),
            Outcome::Answer(answer) => OnRequest::Answer(answer.write()),
            Outcome::Close(_) if self.unanswered == UnansweredDenial::Drop => OnRequest::Silence,
            Outcome::ClosePart(_) if self.unanswered == UnansweredDenial::Drop => OnRequest::ForwardBlind,
            Outcome::Close(detail) | Outcome::ClosePart(detail) => {
                OnRequest::Leave(Leave::new(LeaveCause::Denied, detail))
            }
        })
    }

    /// Completes an answer that has arrived whole. Returns its new body, if it is not the same.
    fn complete(
        &self,
        topics: &TopicNameMap,
        rights: &mut SessionRights,
        response: &Response<'_>,
        kept: Option<Kept>,
    ) -> Result<Option<Vec<u8>>, Malformed> {
        let mut body = Editable::read(
            response.api_key(),
            Direction::Response,
            response.version(),
            response.body(),
        )?;
        let Some(RightsParts { mut access, .. }) = rights.parts(topics) else {
            return Ok(None);
        };
        let changed = match kept {
            Some(Kept::Merge(merge)) => {
                merge(&mut access, &mut body);
                true
            }
            Some(Kept::Fetch(note)) => fetch::censor(&mut access, &mut body, &note.denied),
            Some(Kept::ShareFetch(denied)) => share::censor(&mut access, &mut body, &denied),
            None if response.api_key() == ApiKey::FETCH => fetch::censor(&mut access, &mut body, &[]),
            None if response.api_key() == ApiKey::SHARE_FETCH => share::censor(&mut access, &mut body, &[]),
            None => false,
        };
        Ok(changed.then(|| body.write()))
    }

    fn count_allowed(&self, decided: &AccessDecision) {
        let about = (decided.resource, decided.operation);
        self.decisions
            .count_allowed(about, decided.decision, self.shadow, decided.times);
    }

    /// The statement that has decided; empty if none has.
    fn rule_text(&self, by: DecidedBy) -> &str {
        match by {
            DecidedBy::Rule(number) => self.rules.rule(number).map_or("", |rule| &*rule.place.text),
            DecidedBy::Otherwise | DecidedBy::NotGoverned => "",
        }
    }

    /// Counts decisions, and tells the session what was denied.
    fn tell(&self, session: &ClientSession, request: &Request<'_>, decided: &[AccessDecision]) {
        for denied in decided {
            if denied.decision.allowed {
                self.count_allowed(denied);
                continue;
            }
            let about = (denied.resource, denied.operation);
            self.decisions.count(session, about, denied.decision, self.shadow);
            session.record(&SessionEvent::Denied(Denial {
                filter: &self.name,
                api: request.api(),
                version: request.version(),
                resource: &format!("{}:{}", denied.resource.name(), denied.name),
                rule: self.rule_text(denied.decision.by),
                is_shadow: self.shadow,
            }));
        }
    }
}

fn of_verdict(verdict: Verdict) -> (Outcome, bool) {
    match verdict {
        Verdict::Allow => (Outcome::Blind, false),
        Verdict::Look(merge) => (Outcome::Noting(Kept::Merge(merge)), false),
        Verdict::Part(merge) => (Outcome::Noting(Kept::Merge(merge)), true),
        Verdict::Answer(answer) => (Outcome::Answer(answer), false),
        Verdict::Close(detail) => (Outcome::Close(detail), false),
        Verdict::ClosePart(detail) => (Outcome::ClosePart(detail), true),
        Verdict::WhichExist(names) => (
            Outcome::Ask(AskedFor::Existing, questions::which_exist(&names)),
            false,
        ),
        Verdict::AllTopics => (Outcome::Ask(AskedFor::Existing, questions::all_topics()), false),
    }
}

fn of_fetch(verdict: FetchVerdict) -> (Outcome, bool) {
    match verdict {
        FetchVerdict::Allow => (Outcome::Blind, false),
        FetchVerdict::Begin => {
            let note = FetchNote {
                begins: true,
                ..FetchNote::default()
            };
            (Outcome::Noting(Kept::Fetch(note)), false)
        }
        FetchVerdict::Censor(note) => (Outcome::Noting(Kept::Fetch(note)), true),
        FetchVerdict::Answer(answer) => (Outcome::Answer(answer), false),
    }
}

fn of_share_fetch(verdict: ShareVerdict) -> (Outcome, bool) {
    match verdict {
        ShareVerdict::Allow => (Outcome::Blind, false),
        ShareVerdict::Censor(denied) => (Outcome::Noting(Kept::ShareFetch(denied)), true),
        ShareVerdict::Answer(answer) => (Outcome::Answer(answer), false),
    }
}

fn failed(detail: &'static str) -> Leave {
    Leave::new(LeaveCause::Failed, detail)
}

fn not_understood(malformed: Malformed) -> Leave {
    Leave::new(LeaveCause::Failed, malformed.to_string())
}

impl Filter for Authorization {
    fn name(&self) -> &str {
        &self.name
    }

    fn interest(&self, interest: &mut Interest) {
        for row in table::TABLE {
            match row.rule {
                Rule::Pass => {}
                Rule::Produce => interest.requests(row.key, 0..=row.last, Level::Part),
                Rule::Fetch | Rule::ShareFetch | Rule::Ask(_) => {
                    interest.requests(row.key, 0..=row.last, Level::Whole)
                }
            }
            if !self.shadow && matches!(row.rule, Rule::Fetch | Rule::ShareFetch) {
                interest.recheck_responses(row.key);
            }
        }
    }

    fn decisions(&self) -> Option<&AclDecisions> {
        Some(&self.decisions)
    }

    fn hides_names(&self) -> bool {
        true
    }

    fn topic_names(&self) -> Option<&Arc<TopicNameMap>> {
        Some(&self.topics)
    }

    fn offers(&self, api: &Api) -> Option<RangeInclusive<i16>> {
        if self.shadow {
            return Some(api.min..=api.max);
        }
        let row = table::row(api.key)?;
        Some(api.min..=api.max.min(row.last))
    }

    fn passes(&self, session: &mut ClientSession, request: &Request<'_>) -> bool {
        self.lets_pass(session, request)
    }

    fn passed(&self, session: &mut ClientSession) {
        self.note_passed(session);
    }

    fn count_passed(&self, session: &mut ClientSession) {
        self.count_noted(session);
    }

    fn request(&self, session: &mut ClientSession, request: &mut Request<'_>) -> FilterStep<OnRequest> {
        let mut rights = SessionRights::take(session, &self.name);
        let step = self.step(session, &mut rights, request);
        rights.put(session, &self.name);
        match step {
            Ok(step) => step,
            Err(_) if self.shadow => FilterStep::Now(OnRequest::ForwardBlind),
            Err(malformed) => FilterStep::Now(OnRequest::Leave(not_understood(malformed))),
        }
    }

    fn response(
        &self,
        session: &mut ClientSession,
        response: &mut Response<'_>,
        note: &mut Option<Note>,
    ) -> FilterStep<OnResponse> {
        let mut rights = SessionRights::take(session, &self.name);
        rights.renew(&self.rules, session.subject());
        let step = self.respond(session, &mut rights, response, note);
        rights.put(session, &self.name);
        match step {
            Ok(step) => step,
            Err(malformed) => FilterStep::Now(OnResponse::Leave(not_understood(malformed))),
        }
    }
}

impl Authorization {
    fn respond(
        &self,
        session: &ClientSession,
        rights: &mut SessionRights,
        response: &mut Response<'_>,
        note: &mut Option<Note>,
    ) -> Result<FilterStep<OnResponse>, Malformed> {
        if let Some(kept) = note.as_mut().and_then(|note| note.downcast_mut::<Kept>())
            && let Kept::Fetch(fetch) = kept
            && fetch.begins
        {
            let Some(begin) = fetch::session_id(response.body()) else {
                let ends = Malformed::new("answer: it ends before its fetch session");
                return if response.is_complete() {
                    Err(ends)
                } else {
                    Ok(FilterStep::More)
                };
            };
            if let Some(current) = &mut rights.fetch {
                current.id = begin;
            }
            if fetch.denied.is_empty() {
                return Ok(FilterStep::Now(OnResponse::Forward));
            }
            fetch.begins = false;
        }
        if self.shadow {
            return Ok(self.look_at(session, rights, response, note));
        }
        if !response.is_complete() {
            return Ok(FilterStep::More);
        }
        let kept = note
            .take()
            .and_then(|note| note.downcast::<Kept>().ok())
            .map(|kept| *kept);
        let changed = self.complete(&self.topics, rights, response, kept)?;
        if let Some(body) = changed
            && !response.replace_body(&body)
        {
            return Ok(FilterStep::Now(OnResponse::Leave(failed(
                "an answer cannot be changed",
            ))));
        }
        Ok(FilterStep::Now(OnResponse::Forward))
    }
}
