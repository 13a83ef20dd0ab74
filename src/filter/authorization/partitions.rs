//! APIs that ask for partitions of topics and are answered for each of them.

use super::access::Access;
use super::verdict::{AskedRequest, TakenOut, Verdict};
use crate::model::acl::AclOperation;
use crate::wire::error_code::ErrorCode;
use crate::wire::schema::Editable;

/// Places of topics and partitions in a request and in its answer.
#[derive(Debug)]
pub(super) struct PartitionLayout {
    /// Topics of the request.
    pub(super) topics: &'static str,
    /// Name of a topic, in request and answer.
    pub(super) name: &'static str,
    /// Partitions of a topic of the request.
    pub(super) partitions: &'static str,
    /// Number of a partition of the request; empty where its partitions are numbers themselves.
    pub(super) index: &'static str,
    /// Topics of the answer.
    pub(super) answers: &'static str,
    /// Partitions of a topic of the answer.
    pub(super) results: &'static str,
    /// Number of a partition of the answer.
    pub(super) result_index: &'static str,
    /// Error of a partition of the answer.
    pub(super) error: &'static str,
    /// Fields of a partition of the answer that a broker sets to something else than the default.
    pub(super) more: &'static [(&'static str, i64)],
    /// Where the text of the error stands, or nothing.
    pub(super) text: &'static str,
}

/// What most of these APIs look like.
const USUAL: PartitionLayout = PartitionLayout {
    topics: "topics",
    name: "name",
    partitions: "partitions",
    index: "partition_index",
    answers: "topics",
    results: "partitions",
    result_index: "partition_index",
    error: "error_code",
    more: &[],
    text: "",
};

pub(super) const LIST_OFFSETS: PartitionLayout = USUAL;
pub(super) const OFFSET_COMMIT: PartitionLayout = USUAL;
pub(super) const TXN_OFFSET_COMMIT: PartitionLayout = USUAL;
pub(super) const OFFSET_DELETE: PartitionLayout = USUAL;
pub(super) const DELETE_RECORDS: PartitionLayout = PartitionLayout {
    more: &[("low_watermark", -1)],
    ..USUAL
};
pub(super) const OFFSET_FOR_LEADER_EPOCH: PartitionLayout = PartitionLayout {
    name: "topic",
    index: "partition",
    result_index: "partition",
    ..USUAL
};
pub(super) const DESCRIBE_PRODUCERS: PartitionLayout = PartitionLayout {
    partitions: "partition_indexes",
    index: "",
    text: "error_message",
    ..USUAL
};
pub(super) const OFFSET_FETCH: PartitionLayout = PartitionLayout {
    partitions: "partition_indexes",
    index: "",
    more: &[("committed_offset", -1)],
    ..USUAL
};
pub(super) const PRODUCE: PartitionLayout = PartitionLayout {
    topics: "topic_data",
    partitions: "partition_data",
    index: "index",
    answers: "responses",
    results: "partition_responses",
    result_index: "index",
    more: &[("base_offset", -1)],
    ..USUAL
};
pub(super) const ADD_PARTITIONS_TO_TXN: PartitionLayout = PartitionLayout {
    topics: "v3_and_below_topics",
    index: "",
    answers: "results_by_topic_v3_and_below",
    results: "results_by_partition",
    error: "partition_error_code",
    ..USUAL
};
pub(super) const DESCRIBE_SHARE_GROUP_OFFSETS: PartitionLayout = PartitionLayout {
    name: "topic_name",
    index: "",
    more: &[("start_offset", -1)],
    text: "error_message",
    ..USUAL
};
pub(super) const ALTER_SHARE_GROUP_OFFSETS: PartitionLayout = PartitionLayout {
    name: "topic_name",
    answers: "responses",
    text: "error_message",
    ..USUAL
};
pub(super) const FETCH: PartitionLayout = PartitionLayout {
    name: "topic",
    index: "partition",
    answers: "responses",
    more: &[("high_watermark", -1)],
    ..USUAL
};
pub(super) const SHARE: PartitionLayout = PartitionLayout {
    name: "",
    answers: "responses",
    ..USUAL
};

impl PartitionLayout {
    /// The numbers of the partitions that a topic of the request names.
    pub(super) fn indexes(&self, topic: &mut Editable<'_>) -> Vec<i64> {
        if self.index.is_empty() {
            return topic.ints(self.partitions).into_iter().map(i64::from).collect();
        }
        let partitions = topic.list(self.partitions).into_iter().flatten();
        partitions.map(|partition| partition.int(self.index)).collect()
    }

    /// The element of `answer` for a topic of the request, with this error on every partition.
    pub(super) fn denied(
        &self,
        answer: &Editable<'_>,
        topic: &mut Editable<'_>,
        error: i64,
    ) -> Editable<'static> {
        let indexes = self.indexes(topic);
        let mut denied = answer.element(self.answers);
        if !self.name.is_empty() && denied.has(self.name) {
            denied.set_text(self.name, topic.text(self.name));
        }
        if topic.has_ever("topic_id")
            && let Some(id) = topic.id("topic_id")
        {
            denied.set_id("topic_id", id);
        }
        let results = indexes
            .into_iter()
            .map(|index| self.result(&denied, index, error));
        let results = results.collect();
        denied.set_list(self.results, results);
        denied
    }

    /// The element of a topic of the answer for one partition.
    pub(super) fn result(&self, topic: &Editable<'_>, index: i64, error: i64) -> Editable<'static> {
        let mut result = topic.element(self.results);
        result.set_int(self.result_index, index);
        result.set_int(self.error, error);
        for (field, value) in self.more {
            result.set_int(field, *value);
        }
        if !self.text.is_empty() {
            result.set_text(self.text, ErrorCode::text_of(error as i16));
        }
        result
    }

    /// Takes the topics with which the client may not do this out of `request`, and returns their elements of `answer`.
    pub(super) fn split(
        &self,
        access: &mut Access<'_>,
        request: &mut Editable<'_>,
        answer: &Editable<'_>,
        operation: AclOperation,
    ) -> TakenOut {
        let mut denied = Vec::new();
        let mut left = 0;
        if let Some(topics) = request.list(self.topics) {
            topics.retain_mut(|topic| match access.refuses(topic, self.name, operation) {
                None => true,
                Some(error) => {
                    denied.push(self.denied(answer, topic, error));
                    false
                }
            });
            left = topics.len();
        }
        TakenOut { denied, left }
    }

    /// The elements of `answer` for all topics of `request`, with this error on every partition.
    pub(super) fn all_denied(
        &self,
        request: &mut Editable<'_>,
        answer: &Editable<'_>,
        error: i16,
    ) -> Vec<Editable<'static>> {
        let topics = request.list(self.topics).into_iter().flatten();
        topics
            .map(|topic| self.denied(answer, topic, error.into()))
            .collect()
    }

    /// Denies topics one by one, and answers itself if none is left.
    pub(super) fn decide(
        &self,
        access: &mut Access<'_>,
        asked: &mut AskedRequest<'_, '_>,
        operation: AclOperation,
    ) -> Verdict {
        let answer = asked.answer();
        let taken = self.split(access, asked.body, &answer, operation);
        taken.verdict(answer, self.answers)
    }

    /// Denies all partitions with this error.
    pub(super) fn deny_all(&self, asked: &mut AskedRequest<'_, '_>, error: i16) -> Verdict {
        let mut answer = asked.answer();
        let denied = self.all_denied(asked.body, &answer, error);
        answer.set_list(self.answers, denied);
        Verdict::Answer(answer)
    }
}
