//! Judges what was sent against what is there. Pure: records in, verdicts out.

use std::collections::{BTreeMap, BTreeSet};

/// Records of one transaction: its number is a sequence number divided by this.
pub const PER_TRANSACTION: u64 = 5;

/// How a producer was set up, which decides what it is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Idempotent,
    /// A producer without idempotence and without retries.
    NoRetries,
    /// `acks=0`: sent is all that is known.
    Fire,
    Transactional,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Idempotent => "idempotent",
            Self::NoRetries => "retries0",
            Self::Fire => "acks0",
            Self::Transactional => "transactional",
        }
    }
}

/// What a producer knows of what it sent. Every sequence number is sent once.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub acknowledged: BTreeSet<u64>,
    /// When, in milliseconds of the wall clock, as far as the client tells: to be found again in the logs.
    pub acknowledged_at: BTreeMap<u64, u128>,
    pub failed: BTreeMap<u64, String>,
    /// Transactions, by their numbers.
    pub committed: BTreeSet<u64>,
    pub aborted: BTreeSet<u64>,
}

impl Ledger {
    /// What it knows to be there: messages, or whole transactions.
    pub fn good(&self) -> usize {
        self.acknowledged.len().max(self.committed.len())
    }
}

/// One record as a consumer that reads committed ones finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub partition: i32,
    pub sequence: u64,
}

/// Everything that is wrong, by sequence number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Acknowledged, or in a committed transaction, and not there.
    pub lost: Vec<u64>,
    /// There more than once.
    pub duplicated: Vec<u64>,
    /// There behind a later one of the same partition.
    pub reordered: Vec<u64>,
    /// There although the producer was told that it failed: a request was forwarded and its answer withheld.
    pub ghosts: Vec<u64>,
    /// There although its transaction was aborted, or alone of a transaction whose end is unknown.
    pub torn: Vec<u64>,
}

impl Verdict {
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }
}

/// `found` in the order of the log within each partition.
pub fn judge(kind: Kind, ledger: &Ledger, found: &[Found]) -> Verdict {
    let mut verdict = Verdict::default();
    let mut there = BTreeSet::new();
    let mut last: BTreeMap<i32, u64> = BTreeMap::new();
    for record in found {
        if !there.insert(record.sequence) {
            verdict.duplicated.push(record.sequence);
            continue;
        }
        let highest = last.entry(record.partition).or_insert(record.sequence);
        if record.sequence < *highest {
            verdict.reordered.push(record.sequence);
        }
        *highest = record.sequence.max(*highest);
    }
    if kind == Kind::Transactional {
        transactions(ledger, &there, &mut verdict);
        return verdict;
    }
    verdict.lost = ledger.acknowledged.difference(&there).copied().collect();
    // A message that was sent twice by an idempotent producer and then given up may well be there.
    if kind == Kind::NoRetries {
        let ghosts = ledger.failed.keys().filter(|sequence| there.contains(sequence));
        verdict.ghosts = ghosts.copied().collect();
    }
    verdict
}

fn transactions(ledger: &Ledger, there: &BTreeSet<u64>, verdict: &mut Verdict) {
    let members = |number: u64| number * PER_TRANSACTION..(number + 1) * PER_TRANSACTION;
    let committed = ledger.committed.iter().flat_map(|&number| members(number));
    verdict.lost = committed.filter(|sequence| !there.contains(sequence)).collect();
    let mut by_transaction: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for &sequence in there {
        by_transaction
            .entry(sequence / PER_TRANSACTION)
            .or_default()
            .push(sequence);
    }
    for (number, present) in by_transaction {
        let whole = members(number).count() == present.len();
        let unknown = !ledger.committed.contains(&number) && !ledger.aborted.contains(&number);
        if ledger.aborted.contains(&number) || (unknown && !whole) {
            verdict.torn.extend(present);
        }
    }
}

/// What a group that was to see everything has not seen.
pub fn unseen(there: &[Found], seen: &BTreeSet<u64>) -> Vec<u64> {
    let all: BTreeSet<u64> = there.iter().map(|record| record.sequence).collect();
    all.difference(seen).copied().collect()
}

/// The checker finds what it is there for.
mod tests {
    use super::*;

    fn acknowledged(sequences: impl IntoIterator<Item = u64>) -> Ledger {
        Ledger {
            acknowledged: sequences.into_iter().collect(),
            ..Ledger::default()
        }
    }

    fn found(sequences: &[u64]) -> Vec<Found> {
        let record = |&sequence| Found {
            partition: 0,
            sequence,
        };
        sequences.iter().map(record).collect()
    }

    #[test]
    fn what_is_there_once_and_in_order_is_clean() {
        let verdict = judge(Kind::Idempotent, &acknowledged(0..4), &found(&[0, 1, 2, 3]));
        assert!(verdict.is_clean(), "{verdict:?}");
    }

    #[test]
    fn a_lost_a_doubled_and_a_late_record_are_found() {
        let verdict = judge(Kind::Fire, &acknowledged(0..5), &found(&[0, 2, 1, 2, 4]));
        let expected = Verdict {
            lost: vec![3],
            duplicated: vec![2],
            reordered: vec![1],
            ..Verdict::default()
        };
        assert_eq!(verdict, expected);
    }

    #[test]
    fn order_is_within_a_partition() {
        let records = [(0, 2), (1, 1)].map(|(partition, sequence)| Found { partition, sequence });
        assert!(judge(Kind::Idempotent, &acknowledged(1..3), &records).is_clean());
    }

    #[test]
    fn a_failed_record_that_is_there_is_a_withheld_answer() {
        let ledger = Ledger {
            failed: [(1, "closed".to_owned()), (2, "closed".to_owned())].into(),
            ..acknowledged([0])
        };
        assert_eq!(judge(Kind::NoRetries, &ledger, &found(&[0, 1])).ghosts, [1]);
    }

    #[test]
    fn transactions_are_whole_or_absent() {
        let ledger = Ledger {
            committed: [0, 1].into(),
            aborted: [2].into(),
            ..Ledger::default()
        };
        // 0 whole, 1 lacks its last, 2 was aborted, 3 is unknown and in pieces, 4 is unknown and whole.
        let there = found(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 16, 20, 21, 22, 23, 24]);
        let verdict = judge(Kind::Transactional, &ledger, &there);
        assert_eq!((verdict.lost, verdict.torn), (vec![9], vec![10, 15, 16]));
    }

    #[test]
    fn a_group_that_missed_something_is_found() {
        assert_eq!(unseen(&found(&[1, 2, 3]), &[1, 3, 4].into()), [2]);
    }
}
