//! Counts of what rules of access decided, and who was denied.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::ClientSession;
use crate::model::acl::{AclOperation, AclResource, AclRules, DecidedBy, Decision};

/// Client ids and names of users that are kept of each rule.
pub const MOST_SAMPLES: usize = 64;

/// Longest client id or name that is kept, in characters; a longer one is cut.
const MAX_SAMPLE: usize = 128;

const OPERATIONS: usize = AclOperation::ALL.len();
const PAIRS: usize = AclResource::ALL.len() * OPERATIONS;

/// What the rules of one filter decided. Rules that a reload changes begin anew; the totals go on.
#[derive(Debug)]
pub struct AclDecisions {
    rules: Arc<AclRules>,
    totals: Arc<DecisionTotals>,
    /// One for each rule, and one for `otherwise deny`.
    verdicts: Arc<[RuleVerdict]>,
}

/// Numbers of decisions since the filter was first built.
#[derive(Debug)]
struct DecisionTotals([Tally; PAIRS]);

/// Decisions about one operation: allowed, denied, and denied by rules that are only tried out.
#[derive(Debug, Default)]
struct Tally {
    allowed: [AtomicU64; 2],
    denied: [AtomicU64; 2],
}

/// One line of the totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecisionTotal {
    /// Kind of resource.
    pub resource: AclResource,
    /// Operation.
    pub operation: AclOperation,
    /// Whether it was allowed.
    pub allowed: bool,
    /// Whether the filter was in shadow mode.
    pub is_shadow: bool,
    /// Number of decisions.
    pub count: u64,
}

/// Decisions of one rule.
#[derive(Debug, Default)]
struct RuleVerdict {
    count: AtomicU64,
    denied: Mutex<DeniedSamples>,
}

/// Who was denied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeniedSamples {
    /// Client ids, at most [`MOST_SAMPLES`].
    pub client_ids: BTreeSet<Box<str>>,
    /// Names of users, at most [`MOST_SAMPLES`]; a client without a name has none here.
    pub users: BTreeSet<Box<str>>,
}

/// What one rule decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleDecisions {
    /// The statement, and the line where it stands; `None` for `otherwise deny`.
    pub rule: Option<(u32, Arc<str>)>,
    /// Whether it allows.
    pub allows: bool,
    /// Number of its decisions.
    pub count: u64,
    /// Who was denied.
    pub denied: DeniedSamples,
}

impl AclDecisions {
    /// Counts for these rules. `previous` are the counts of the rules before: the totals go on, and all of it where the
    /// rules say the same.
    pub fn new(rules: Arc<AclRules>, previous: Option<&Self>) -> Self {
        let totals = previous.map(|previous| Arc::clone(&previous.totals));
        let same = previous.filter(|previous| previous.rules == rules);
        let verdicts = same.map(|same| Arc::clone(&same.verdicts));
        let number = rules.document().rules.len() + 1;
        Self {
            totals: totals
                .unwrap_or_else(|| Arc::new(DecisionTotals(std::array::from_fn(|_| Tally::default())))),
            verdicts: verdicts.unwrap_or_else(|| (0..number).map(|_| RuleVerdict::default()).collect()),
            rules,
        }
    }

    /// Counts a decision. `is_shadow`: the filter only tries its rules out.
    pub fn count(
        &self,
        session: &ClientSession,
        (resource, operation): (AclResource, AclOperation),
        decision: Decision,
        is_shadow: bool,
    ) {
        let Some(verdict) = self.add((resource, operation), decision, is_shadow, 1) else {
            return;
        };
        if !decision.allowed {
            let client_id = session.handle().activity.client_id();
            verdict.sample(client_id, session.subject().user_name());
        }
    }

    /// Counts the same decision so many times, which allows.
    pub fn count_allowed(
        &self,
        about: (AclResource, AclOperation),
        decision: Decision,
        is_shadow: bool,
        times: u64,
    ) {
        debug_assert!(decision.allowed, "who was denied is sampled");
        self.add(about, decision, is_shadow, times);
    }

    /// Adds to the counts. Returns those of the rule that decided.
    fn add(
        &self,
        (resource, operation): (AclResource, AclOperation),
        decision: Decision,
        is_shadow: bool,
        times: u64,
    ) -> Option<&RuleVerdict> {
        let tally = &self.totals.0[resource as usize * OPERATIONS + operation as usize];
        let counts = if decision.allowed {
            &tally.allowed
        } else {
            &tally.denied
        };
        counts[usize::from(is_shadow)].fetch_add(times, Ordering::Relaxed);
        let number = match decision.by {
            DecidedBy::Rule(number) => number as usize,
            DecidedBy::Otherwise => self.verdicts.len() - 1,
            DecidedBy::NotGoverned => return None,
        };
        let verdict = self.verdicts.get(number)?;
        verdict.count.fetch_add(times, Ordering::Relaxed);
        Some(verdict)
    }

    /// Totals that are not zero.
    pub fn totals(&self) -> impl Iterator<Item = DecisionTotal> {
        let pairs = AclResource::ALL.into_iter().flat_map(|resource| {
            let operations = AclOperation::ALL.into_iter();
            operations.map(move |operation| (resource, operation))
        });
        let of_pair = |((resource, operation), tally): ((AclResource, AclOperation), &'_ Tally)| {
            [(true, &tally.allowed), (false, &tally.denied)].map(|(allowed, counts)| {
                [false, true].map(|is_shadow| DecisionTotal {
                    resource,
                    operation,
                    allowed,
                    is_shadow,
                    count: counts[usize::from(is_shadow)].load(Ordering::Relaxed),
                })
            })
        };
        let totals = pairs.zip(&self.totals.0).flat_map(of_pair).flatten();
        totals.filter(|total| total.count > 0)
    }

    /// Rules that decided something, in the order of the file.
    pub fn by_rule(&self) -> impl Iterator<Item = RuleDecisions> {
        let read = |(number, verdict): (u32, &RuleVerdict)| {
            let rule = self.rules.rule(number);
            RuleDecisions {
                rule: rule.map(|rule| (rule.place.line, Arc::clone(&rule.place.text))),
                allows: rule.is_some_and(|rule| rule.effect == crate::model::acl::RuleEffect::Allow),
                count: verdict.count.load(Ordering::Relaxed),
                denied: verdict.samples(),
            }
        };
        let verdicts = (0..).zip(self.verdicts.iter()).map(read);
        verdicts.filter(|verdict| verdict.count > 0)
    }
}

impl RuleVerdict {
    fn sample(&self, client_id: Option<&str>, user: Option<&str>) {
        let mut denied = self.denied.lock().unwrap_or_else(PoisonError::into_inner);
        add(&mut denied.client_ids, client_id);
        add(&mut denied.users, user);
    }

    fn samples(&self) -> DeniedSamples {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn add(samples: &mut BTreeSet<Box<str>>, name: Option<&str>) {
    let Some(name) = name else { return };
    let end = name
        .char_indices()
        .nth(MAX_SAMPLE)
        .map_or(name.len(), |(end, _)| end);
    let name = &name[..end];
    if samples.len() < MOST_SAMPLES && !samples.contains(name) {
        samples.insert(name.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Subject;
    use crate::filter::testing;
    use crate::model::acl::parse_rules;

    fn rules(text: &str) -> Arc<AclRules> {
        let text = format!(
            "from io.kroxylicious.filter.authorization import TopicResource as Topic;\n{text}\notherwise deny;"
        );
        Arc::new(AclRules::new(parse_rules(&text).unwrap()).unwrap())
    }

    const READ: (AclResource, AclOperation) = (AclResource::Topic, AclOperation::Read);

    fn decide(decisions: &AclDecisions, session: &ClientSession, topic: &str, is_shadow: bool) {
        let subject = session.subject();
        let decision = decisions.rules.decide(&subject.principals, READ.0, READ.1, topic);
        decisions.count(session, READ, decision, is_shadow);
    }

    #[test]
    fn decisions_are_counted_by_rule_and_with_who_was_denied() {
        let rules = rules("allow User with name = \"alice\" to READ Topic with name = \"orders\";");
        let decisions = AclDecisions::new(Arc::clone(&rules), None);
        let mut session = testing::session();
        session.set_subject(Arc::new(Subject::user("alice")));
        session.handle().activity.identify("app-1");
        decide(&decisions, &session, "orders", false);
        decide(&decisions, &session, "other", true);
        let by_rule: Vec<_> = decisions.by_rule().collect();
        assert_eq!(by_rule.len(), 2);
        assert_eq!(by_rule[0].rule.as_ref().unwrap().0, 2);
        assert!(by_rule[0].allows && by_rule[0].denied == DeniedSamples::default());
        assert_eq!(by_rule[1].rule, None);
        assert_eq!(by_rule[1].denied.client_ids, BTreeSet::from(["app-1".into()]));
        assert_eq!(by_rule[1].denied.users, BTreeSet::from(["alice".into()]));
        let totals: Vec<_> = decisions
            .totals()
            .map(|total| (total.allowed, total.is_shadow, total.count))
            .collect();
        assert_eq!(totals, [(true, false, 1), (false, true, 1)]);
    }

    #[test]
    fn totals_outlive_the_rules() {
        let allow = "allow User with name = \"alice\" to READ Topic with name = \"orders\";";
        let before = AclDecisions::new(rules(allow), None);
        let session = testing::session();
        decide(&before, &session, "orders", false);
        let same = AclDecisions::new(rules(&format!("// moved\n{allow}")), Some(&before));
        assert_eq!(same.by_rule().count(), 1);
        let other = AclDecisions::new(rules(""), Some(&same));
        assert_eq!((other.by_rule().count(), other.totals().count()), (0, 1));
    }

    #[test]
    fn samples_have_a_bound() {
        let decisions = AclDecisions::new(rules(""), None);
        for number in 0..1000 {
            decisions.verdicts[0].sample(Some(&format!("{number}{}", "x".repeat(1000))), None);
        }
        let samples = decisions.verdicts[0].samples();
        assert_eq!(samples.client_ids.len(), MOST_SAMPLES);
        assert!(
            samples
                .client_ids
                .iter()
                .all(|id| id.chars().count() <= MAX_SAMPLE)
        );
    }
}
