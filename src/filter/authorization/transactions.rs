//! Producers and transactions.

use super::access::Access;
use super::batches;
use super::groups::{as_texts, may, split};
use super::partitions::{ADD_PARTITIONS_TO_TXN, DESCRIBE_PRODUCERS, PRODUCE};
use super::verdict::{AskedRequest, Verdict};
use crate::model::acl::AclOperation::{Describe, Read, TwoPhaseCommit, Write};
use crate::model::acl::AclResource;
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::Editable;

/// Why a session ends at a request that nobody answers.
pub(super) const UNANSWERED: &str = "it may not write to a topic of a Produce request without an answer";

/// The right to use a transactional id is asked for where records are part of a transaction, as at a broker, which refuses
/// such records without an id. With an id, what is not understood is taken for such records.
pub(super) fn produce(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    let transacts = has_transactional_records(asked.body);
    let may_transact = |id| access.transaction(Write, id);
    let verdict = if transacts && !asked.body.text("transactional_id").is_some_and(may_transact) {
        PRODUCE.deny_all(asked, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    } else {
        PRODUCE.decide(access, asked, Write)
    };
    let is_unanswered = asked.body.int("acks") == 0;
    match verdict {
        Verdict::Answer(_) if is_unanswered => Verdict::Close(UNANSWERED),
        Verdict::Part(_) if is_unanswered => Verdict::ClosePart(UNANSWERED),
        verdict => verdict,
    }
}

fn has_transactional_records(body: &mut Editable<'_>) -> bool {
    let unread = !body.is_null("transactional_id");
    let topics = body.list(PRODUCE.topics).into_iter().flatten();
    let mut partitions = topics.flat_map(|topic| topic.list(PRODUCE.partitions).into_iter().flatten());
    partitions
        .any(|partition| batches::are_transactional(partition.content("records").unwrap_or_default(), unread))
}

pub(super) fn describe_producers(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    DESCRIBE_PRODUCERS.decide(access, asked, Read)
}

/// A producer without transactions has to be one that may write to some topic or other (KIP-679); two-phase commit is a
/// right of its own (KIP-939).
pub(super) fn init(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    let two_phases = asked.body.int("enable2_pc") != 0;
    match asked.body.text("transactional_id") {
        Some(id)
            if !access.transaction(Write, id) || two_phases && !access.transaction(TwoPhaseCommit, id) =>
        {
            no_producer(asked, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
        }
        None if !access.some_topic(Write) => {
            access.refuse(AclResource::Topic, Write, "*");
            no_producer(asked, ErrorCode::CLUSTER_AUTHORIZATION_FAILED)
        }
        _ => Verdict::Allow,
    }
}

fn no_producer(asked: &AskedRequest<'_, '_>, error: i16) -> Verdict {
    let mut answer = asked.error(error);
    answer.set_int("producer_epoch", -1);
    Verdict::Answer(answer)
}

pub(super) fn end(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    if access.transaction(Write, asked.body.text("transactional_id").unwrap_or_default()) {
        return Verdict::Allow;
    }
    no_producer(asked, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
}

pub(super) fn add_offsets(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    if !access.transaction(Write, asked.body.text("transactional_id").unwrap_or_default()) {
        return Verdict::Answer(asked.error(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED));
    }
    if !may(access, asked, Read) {
        return Verdict::Answer(asked.error(ErrorCode::GROUP_AUTHORIZATION_FAILED));
    }
    Verdict::Allow
}

/// All partitions or none: where one is denied, the others are not attempted. From version 4 on brokers ask each other.
pub(super) fn add_partitions(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    let layout = ADD_PARTITIONS_TO_TXN;
    if !asked.body.has(layout.topics) {
        for transaction in asked.body.list("transactions").into_iter().flatten() {
            let id = transaction.text("transactional_id").unwrap_or_default();
            access.refuse(AclResource::TransactionalId, Write, id);
        }
        return Verdict::Answer(asked.error(ErrorCode::CLUSTER_AUTHORIZATION_FAILED));
    }
    let id = asked
        .body
        .text("v3_and_below_transactional_id")
        .unwrap_or_default();
    if !access.transaction(Write, id) {
        return layout.deny_all(asked, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    }
    let mut answer = asked.answer();
    let mut denied = layout.split(access, asked.body, &answer, Write).denied;
    if denied.is_empty() {
        return Verdict::Allow;
    }
    denied.extend(layout.all_denied(asked.body, &answer, ErrorCode::OPERATION_NOT_ATTEMPTED));
    answer.set_list(layout.answers, denied);
    Verdict::Answer(answer)
}

pub(super) fn describe(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    let mut answer = asked.answer();
    let ids = asked.body.texts("transactional_ids");
    let (allowed, denied) = split(&ids, |id| access.transaction(Describe, id));
    let denied: Vec<_> = denied
        .iter()
        .map(|id| {
            let mut state = answer.element("transaction_states");
            state.set_text("transactional_id", Some(id));
            state.set_int(
                "error_code",
                ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED.into(),
            );
            state
        })
        .collect();
    if allowed.is_empty() && !denied.is_empty() {
        answer.set_list("transaction_states", denied);
        return Verdict::Answer(answer);
    }
    if !denied.is_empty() {
        asked.body.set_texts("transactional_ids", &as_texts(&allowed));
    }
    Verdict::Part(Box::new(move |access, answer| {
        for state in answer.list("transaction_states").into_iter().flatten() {
            if let Some(topics) = state.list("topics") {
                topics.retain(|topic| access.sees(Describe, topic.text("topic").unwrap_or_default()));
            }
        }
        answer.extend("transaction_states", denied.into_iter().map(Editable::owned));
    }))
}

/// ListTransactions: what the client may not see is left out.
pub(super) fn list(_: &mut Access<'_>, _: &mut AskedRequest<'_, '_>) -> Verdict {
    Verdict::Look(Box::new(|access, answer| {
        if let Some(states) = answer.list("transaction_states") {
            states
                .retain(|state| access.sees_transaction(state.text("transactional_id").unwrap_or_default()));
        }
    }))
}
