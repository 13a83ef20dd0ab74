//! Fences: which requests for which topics do not reach the broker for a while (`fence`).

use std::fmt;
use std::time::Duration;

use super::filters::NamePattern;
use crate::config::schema;
use crate::config::{Errors, Spanned, quoted};
use crate::names::names;

/// Default of [`FenceModel::hold_for`].
const HOLD_FOR: Duration = Duration::from_secs(20);

/// Limits of [`FenceModel::hold_for`]: the Java client gives a request up after 30 s.
const SHORTEST_HOLD: Duration = Duration::from_secs(1);
const LONGEST_HOLD: Duration = Duration::from_secs(30);

/// Most topics and beginnings of topics of one fence.
const MOST_TOPICS: usize = 1000;

/// What does not reach the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FenceModel {
    /// Names and beginnings of names, in ascending order; never empty.
    pub topics: Vec<NamePattern>,
    /// Which requests about them, each once.
    pub operations: Vec<FencedOperation>,
    /// What becomes of those that write records.
    pub answer: FenceAnswer,
    /// How long one of them is held at most.
    pub hold_for: Duration,
}

names! {
    /// Requests that a fence is about.
    #[derive(PartialOrd, Ord)]
    pub enum FencedOperation {
        /// What producers do.
        Produce = "produce",
        /// What consumers do to read.
        Fetch = "fetch",
        /// Both, administration of the topics, and what groups note of them.
        All = "all",
    }
}

names! {
    /// What becomes of a request that writes records.
    pub enum FenceAnswer {
        /// It is answered with an error after which clients try again.
        Retriable = "retriable",
        /// It waits until the fence is lifted, or until its time is over.
        Hold = "hold",
    }
}

/// A fence as a command names it; what is absent has its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FenceText {
    /// Names and beginnings of names, separated by commas.
    pub topics: Option<String>,
    /// Operations, separated by commas.
    pub operations: Option<String>,
    /// What becomes of writes.
    pub answer: Option<String>,
    /// How long a write is held at most.
    pub hold_for: Option<Duration>,
}

impl FenceModel {
    /// Reads a fence that a command names.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &FenceText) -> Result<Self, String> {
        let parts = |text: &str| -> Vec<String> {
            let parts = text.split(',').map(str::trim);
            parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
        };
        let topics = text.topics.as_deref().map(parts).unwrap_or_default();
        let topics = topics_of(topics.iter().map(String::as_str))?;
        let operations = match &text.operations {
            None => vec![FencedOperation::Produce],
            Some(text) => {
                let named = parts(text).into_iter().map(|part| operation_called(&part));
                operations_of(named.collect::<Result<Vec<_>, _>>()?)?
            }
        };
        let answer = text.answer.as_deref();
        let answer = answer.map_or(Ok(FenceAnswer::Retriable), answer_called);
        let hold_for = text.hold_for.unwrap_or(HOLD_FOR);
        check_hold(hold_for)?;
        Ok(Self {
            topics,
            operations,
            answer: answer?,
            hold_for,
        })
    }

    /// The fence of a virtual cluster in the file. What is wrong is reported.
    pub(super) fn resolve(written: Option<&Spanned<schema::Fence>>, errors: &mut Errors) -> Option<Self> {
        let fence = &written?.value;
        let names = fence.topics.value.items.iter();
        let topics = topics_of(names.map(|name| name.value.as_str()));
        let operations = match &fence.operations {
            None => Ok(vec![FencedOperation::Produce]),
            Some(list) => operations_of(
                list.value
                    .items
                    .iter()
                    .map(|item| operation(item.value))
                    .collect(),
            )
            .map_err(|why| errors.push(list.at, why)),
        };
        let hold_for = fence.hold_for.as_ref();
        if let Some(written) = hold_for
            && let Err(why) = check_hold(written.value)
        {
            errors.push(written.at, why);
        }
        Some(Self {
            topics: topics.map_err(|why| errors.push(fence.topics.at, why)).ok()?,
            operations: operations.ok()?,
            answer: match fence.answer.as_ref().map(|answer| answer.value) {
                None | Some(schema::FencedWrites::Retriable) => FenceAnswer::Retriable,
                Some(schema::FencedWrites::Hold) => FenceAnswer::Hold,
            },
            hold_for: hold_for.map_or(HOLD_FOR, |written| written.value),
        })
    }

    /// Whether it is about this topic.
    pub fn matches(&self, topic: &str) -> bool {
        self.topics.iter().any(|pattern| pattern.matches(topic))
    }

    /// Whether it is about every topic, so that nothing has to be known of them.
    pub fn is_of_all_topics(&self) -> bool {
        self.topics.contains(&NamePattern::Prefix(String::new()))
    }

    /// Its topics, where none of them stands for several.
    pub fn exact_topics(&self) -> Option<Vec<&str>> {
        let exact = self.topics.iter().map(|pattern| match pattern {
            NamePattern::Exact(name) => Some(name.as_str()),
            NamePattern::Prefix(_) => None,
        });
        exact.collect()
    }

    /// Whether it is about this operation.
    pub fn stops(&self, operation: FencedOperation) -> bool {
        self.operations
            .iter()
            .any(|stopped| *stopped == operation || *stopped == FencedOperation::All)
    }

    /// The topics as they are written.
    pub fn topic_texts(&self) -> Vec<String> {
        self.topics.iter().map(ToString::to_string).collect()
    }
}

impl fmt::Display for FenceModel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations: Vec<&str> = self.operations.iter().map(|operation| operation.name()).collect();
        let (operations, topics) = (operations.join(", "), self.topic_texts().join(", "));
        write!(out, "{operations} of {topics}, answer {}", self.answer.name())
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => out.write_str(name),
            Self::Prefix(beginning) => write!(out, "{beginning}*"),
        }
    }
}

fn topics_of<'t>(names: impl Iterator<Item = &'t str>) -> Result<Vec<NamePattern>, String> {
    let mut topics = Vec::new();
    for name in names {
        if name.is_empty() || name.trim_end_matches('*').contains('*') || name.ends_with("**") {
            let name = quoted(name);
            return Err(format!(
                "`topics`: {name} is neither a name nor the beginning of names with one `*` at its end"
            ));
        }
        topics.push(NamePattern::parse(name));
    }
    topics.sort_unstable();
    topics.dedup();
    match topics.len() {
        0 => Err("`topics` must name a topic; `*` stands for all of them".into()),
        1..=MOST_TOPICS => Ok(topics),
        _ => Err(format!("`topics` has at most {MOST_TOPICS} entries")),
    }
}

fn operations_of(mut named: Vec<FencedOperation>) -> Result<Vec<FencedOperation>, String> {
    named.sort_unstable();
    named.dedup();
    if named.is_empty() {
        return Err("`operations` must name one of `produce`, `fetch`, `all`".into());
    }
    Ok(named)
}

fn operation(written: schema::StoppedOperation) -> FencedOperation {
    match written {
        schema::StoppedOperation::Produce => FencedOperation::Produce,
        schema::StoppedOperation::Fetch => FencedOperation::Fetch,
        schema::StoppedOperation::All => FencedOperation::All,
    }
}

fn check_hold(hold: Duration) -> Result<(), String> {
    match (SHORTEST_HOLD..=LONGEST_HOLD).contains(&hold) {
        true => Ok(()),
        false => Err("`holdFor` must be from 1s to 30s: clients give a request up after that".into()),
    }
}

/// What is said of a name that is none of these.
fn unknown_name(text: &str, names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    format!("{} is none of {}", quoted(text), names.join(", "))
}

fn operation_called(text: &str) -> Result<FencedOperation, String> {
    let names = FencedOperation::ALL.map(FencedOperation::name);
    FencedOperation::from_name(text).ok_or_else(|| unknown_name(text, &names))
}

fn answer_called(text: &str) -> Result<FenceAnswer, String> {
    let names = FenceAnswer::ALL.map(FenceAnswer::name);
    FenceAnswer::from_name(text).ok_or_else(|| unknown_name(text, &names))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(topics: &str, operations: &str, answer: &str) -> Result<FenceModel, String> {
        FenceModel::parse(&FenceText {
            topics: Some(topics.into()),
            operations: (!operations.is_empty()).then(|| operations.into()),
            answer: (!answer.is_empty()).then(|| answer.into()),
            hold_for: None,
        })
    }

    #[test]
    fn a_fence_of_a_command_has_the_defaults_of_the_file() {
        let fence = parse("payments, orders-*,payments", "", "").unwrap();
        assert_eq!(fence.topic_texts(), ["payments", "orders-*"]);
        assert!(fence.matches("orders-1") && fence.matches("payments") && !fence.matches("payments2"));
        assert!(!fence.is_of_all_topics() && fence.stops(FencedOperation::Produce));
        assert!(!fence.stops(FencedOperation::Fetch));
        assert_eq!((fence.answer, fence.hold_for), (FenceAnswer::Retriable, HOLD_FOR));
        assert_eq!(
            fence.to_string(),
            "produce of payments, orders-*, answer retriable"
        );
        let all = parse("*", "all", "hold").unwrap();
        assert!(all.is_of_all_topics() && all.stops(FencedOperation::Produce));
        assert_eq!(all.answer, FenceAnswer::Hold);
    }

    #[test]
    fn what_is_no_fence_is_said() {
        for (topics, operations, answer, why) in [
            ("", "", "", "must name a topic"),
            ("a*b", "", "", "neither a name"),
            ("a**", "", "", "neither a name"),
            ("a", "writes", "", "`writes` is none of `produce`, `fetch`, `all`"),
            ("a", ",", "", "`operations` must name"),
            ("a", "", "wait", "`wait` is none of `retriable`, `hold`"),
        ] {
            let told = parse(topics, operations, answer).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
        let long = FenceText {
            topics: Some("a".into()),
            hold_for: Some(Duration::from_secs(31)),
            ..FenceText::default()
        };
        assert!(FenceModel::parse(&long).unwrap_err().contains("from 1s to 30s"));
    }
}
