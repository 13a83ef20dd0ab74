//! The way of a request: the function of its API decides about it, and the chain is told what that means.

use super::access::AccessDecision;
use super::completing::Kept;
use super::fetch::{FetchNote, FetchVerdict};
use super::produce::{Beginning, Judged};
use super::session_rights::{AskedFor, RightsParts, SessionRights};
use super::share::ShareVerdict;
use super::table::Rule;
use super::verdict::{AskedRequest, Verdict};
use super::{Authorization, failed, fetch, questions, shadow, share, table, transactions};
use crate::filter::{
    ClientSession, FilterStep, Leave, LeaveCause, OnRequest, Question, Request, TopicNameMap,
};
use crate::model::UnansweredDenial;
use crate::wire::Malformed;
use crate::wire::schema::{Direction, Editable};

/// What is done with a request.
pub(super) enum RequestOutcome {
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
pub(super) struct DecidedRequest {
    outcome: RequestOutcome,
    /// Its body, if something was taken out of it.
    edited: Option<Vec<u8>>,
    pub(super) decided: Vec<AccessDecision>,
}

impl Authorization {
    /// Decides about a request that has arrived whole.
    pub(super) fn decide(
        topics: &TopicNameMap,
        rights: &mut SessionRights,
        request: &Request<'_>,
        rule: Rule,
    ) -> Result<DecidedRequest, Malformed> {
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
            Rule::Pass => (RequestOutcome::Blind, false),
            Rule::Fetch => of_fetch(fetch::request(&mut access, &mut asked, fetch)),
            Rule::ShareFetch => of_share_fetch(share::fetch(&mut access, &mut asked, share)),
            Rule::Ask(decide) => of_verdict(decide(&mut access, &mut asked)),
            Rule::Produce => of_verdict(transactions::produce(&mut access, &mut asked)),
        };
        let (missing, decided) = (access.missing, access.decided);
        let outcome = if !missing.is_empty() && !asked_for_names {
            RequestOutcome::Ask(AskedFor::Names, questions::names_of(&missing))
        } else {
            outcome
        };
        rights.asked_for_names = asked_for_names && matches!(outcome, RequestOutcome::Ask(..));
        Ok(DecidedRequest {
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

    /// Decides about a request as far as it has arrived.
    pub(super) fn step(
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
        settled: DecidedRequest,
    ) -> FilterStep<OnRequest> {
        if let RequestOutcome::Ask(what, question) = settled.outcome {
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
            RequestOutcome::Blind | RequestOutcome::Ask(..) => OnRequest::ForwardBlind,
            RequestOutcome::Noting(kept) => OnRequest::ForwardNoting(Box::new(kept)),
            RequestOutcome::Answer(answer) => OnRequest::Answer(answer.write()),
            RequestOutcome::Close(_) if self.unanswered == UnansweredDenial::Drop => OnRequest::Silence,
            RequestOutcome::ClosePart(_) if self.unanswered == UnansweredDenial::Drop => {
                OnRequest::ForwardBlind
            }
            RequestOutcome::Close(detail) | RequestOutcome::ClosePart(detail) => {
                OnRequest::Leave(Leave::new(LeaveCause::Denied, detail))
            }
        })
    }
}

fn of_verdict(verdict: Verdict) -> (RequestOutcome, bool) {
    match verdict {
        Verdict::Allow => (RequestOutcome::Blind, false),
        Verdict::Look(merge) => (RequestOutcome::Noting(Kept::Merge(merge)), false),
        Verdict::Part(merge) => (RequestOutcome::Noting(Kept::Merge(merge)), true),
        Verdict::Answer(answer) => (RequestOutcome::Answer(answer), false),
        Verdict::Close(detail) => (RequestOutcome::Close(detail), false),
        Verdict::ClosePart(detail) => (RequestOutcome::ClosePart(detail), true),
        Verdict::WhichExist(names) => (
            RequestOutcome::Ask(AskedFor::Existing, questions::which_exist(&names)),
            false,
        ),
        Verdict::AllTopics => (
            RequestOutcome::Ask(AskedFor::Existing, questions::all_topics()),
            false,
        ),
    }
}

fn of_fetch(verdict: FetchVerdict) -> (RequestOutcome, bool) {
    match verdict {
        FetchVerdict::Allow => (RequestOutcome::Blind, false),
        FetchVerdict::Begin => {
            let note = FetchNote {
                begins: true,
                ..FetchNote::default()
            };
            (RequestOutcome::Noting(Kept::Fetch(note)), false)
        }
        FetchVerdict::Censor(note) => (RequestOutcome::Noting(Kept::Fetch(note)), true),
        FetchVerdict::Answer(answer) => (RequestOutcome::Answer(answer), false),
    }
}

fn of_share_fetch(verdict: ShareVerdict) -> (RequestOutcome, bool) {
    match verdict {
        ShareVerdict::Allow => (RequestOutcome::Blind, false),
        ShareVerdict::Censor(denied) => (RequestOutcome::Noting(Kept::ShareFetch(denied)), true),
        ShareVerdict::Answer(answer) => (RequestOutcome::Answer(answer), false),
    }
}
