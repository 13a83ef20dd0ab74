//! From everything that was written down to a table and a list of faults.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use super::{
    checker::{Found, Kind, Ledger, PER_TRANSACTION, Verdict, judge, unseen},
    connect_storm::Tally,
    journal::{Connections, Entries},
    workload::{groups_of, topics_of},
};

/// What the clients of a cluster may notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Nothing at all: its changes are `live` or `bind`.
    Nothing,
    /// Connections that are closed cleanly between requests.
    CleanCloses,
    /// A drain with new addresses: librdkafka then drops its connections itself, with requests on their way.
    Moves,
}

/// Faults told one by one, of each kind.
const TOLD: usize = 3;

/// The table, and what is wrong.
#[derive(Default)]
pub struct Judgement {
    pub table: String,
    pub faults: Vec<String>,
}

impl Judgement {
    /// Notes a fault unless it holds that there is none.
    pub fn demand(&mut self, holds: bool, fault: impl FnOnce() -> String) {
        if !holds {
            self.faults.push(fault());
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.table, "{line}").expect("a String takes everything");
    }

    pub fn producers(
        &mut self,
        clusters: &[(&str, Promise)],
        entries: &Entries,
        there: &BTreeMap<String, Vec<Found>>,
    ) {
        self.line(format_args!(
            "{:<28}{:>8}{:>8}{:>8}{:>6}{:>6}{:>8}{:>8}{:>6}",
            "producer", "good", "failed", "there", "lost", "twice", "reorder", "ghosts", "torn"
        ));
        for (cluster, promise) in clusters {
            for (topic, kind) in topics_of(cluster) {
                let nothing = Ledger::default();
                let ledger = entries.ledgers.get(&topic).unwrap_or(&nothing);
                let mut verdict = judge(kind, ledger, &there[&topic]);
                let good = ledger.good();
                self.line(format_args!(
                    "{topic:<28}{good:>8}{:>8}{:>8}{:>6}{:>6}{:>8}{:>8}{:>6}",
                    ledger.failed.len(),
                    there[&topic].len(),
                    verdict.lost.len(),
                    verdict.duplicated.len(),
                    verdict.reordered.len(),
                    verdict.ghosts.len(),
                    verdict.torn.len(),
                ));
                if kind == Kind::Fire && *promise != Promise::Nothing {
                    // Nobody waits for an answer, so what goes over a new connection may overtake the last of the old.
                    verdict.reordered.clear();
                }
                if kind == Kind::NoRetries && *promise == Promise::Moves && topic.contains("-lib-") {
                    let ghosts = std::mem::take(&mut verdict.ghosts);
                    verdict.reordered.retain(|_| ghosts.is_empty());
                }
                self.producer(&topic, kind, *promise, ledger, &verdict);
            }
        }
    }

    fn producer(&mut self, topic: &str, kind: Kind, promise: Promise, ledger: &Ledger, verdict: &Verdict) {
        self.demand(verdict.is_clean(), || {
            let why: Vec<_> = verdict
                .ghosts
                .iter()
                .take(TOLD)
                .map(|ghost| &ledger.failed[ghost])
                .collect();
            let times = verdict.lost.iter().take(TOLD);
            let times: Vec<_> = times
                .filter_map(|lost| ledger.acknowledged_at.get(lost))
                .collect();
            format!("{topic}: {} {why:?} {times:?}", shortened(verdict))
        });
        // Without retries a request that meets the close of its connection fails, unexecuted.
        let may_fail = promise != Promise::Nothing && kind == Kind::NoRetries;
        // Aborting throws away what has not been sent.
        let aborted = |sequence: &u64| ledger.aborted.contains(&(sequence / PER_TRANSACTION));
        let failed: Vec<_> = ledger
            .failed
            .iter()
            .filter(|(sequence, _)| !aborted(sequence))
            .collect();
        self.demand(may_fail || failed.is_empty(), || {
            format!(
                "{topic}: {} messages failed: {:?}",
                failed.len(),
                &failed[..failed.len().min(TOLD)]
            )
        });
    }

    pub fn groups(
        &mut self,
        clusters: &[(&str, Promise)],
        entries: &Entries,
        there: &BTreeMap<String, Vec<Found>>,
    ) {
        self.line(format_args!("{:<28}{:>8}{:>8}", "group", "seen", "unseen"));
        for (group, topics) in clusters.iter().flat_map(|(cluster, _)| groups_of(cluster)) {
            let (mut all, mut missed) = (0, 0);
            for topic in topics {
                let nothing = BTreeSet::new();
                let seen = entries
                    .seen
                    .get(&(group.clone(), topic.clone()))
                    .unwrap_or(&nothing);
                let missing = unseen(&there[&topic], seen);
                (all, missed) = (all + seen.len(), missed + missing.len());
                self.demand(missing.is_empty(), || {
                    let first: Vec<_> = missing.iter().take(TOLD).collect();
                    format!("{group} has not seen {} of {topic}: {first:?}", missing.len())
                });
            }
            self.line(format_args!("{group:<28}{all:>8}{missed:>8}"));
        }
    }

    /// What applications and their connections went through.
    pub fn clients(&mut self, clusters: &[(&str, Promise)], entries: &Entries) {
        self.line(format_args!(
            "{:<28}{:>8}{:>8}{:>8}{:>8}{:>8}",
            "clients of", "errors", "retried", "closed", "refused", "reset"
        ));
        for (cluster, promise) in clusters {
            let belongs = |client: &str| client.starts_with(&format!("{cluster}-"));
            let of_cluster = entries.errors.iter().filter(|(client, _)| belongs(client));
            let (mut errors, mut retried) = (0, 0);
            for (client, what) in
                of_cluster.flat_map(|(client, all)| all.iter().map(move |what| (client, what)))
            {
                if *promise != Promise::Nothing && is_retried(what) {
                    retried += 1;
                    continue;
                }
                errors += 1;
                if errors <= TOLD {
                    self.faults.push(format!("{client}: {what}"));
                }
            }
            self.demand(errors == 0, || format!("{cluster}: {errors} application errors"));
            let mut sum = Connections::default();
            for (_, one) in entries.connections.iter().filter(|(client, _)| belongs(client)) {
                sum.closed += one.closed;
                sum.refused += one.refused;
                sum.reset += one.reset;
            }
            self.line(format_args!(
                "{cluster:<28}{errors:>8}{retried:>8}{:>8}{:>8}{:>8}",
                sum.closed, sum.refused, sum.reset
            ));
            let clean = sum.refused == 0 && sum.reset == 0;
            let kept = sum.closed == 0 || *promise != Promise::Nothing;
            self.demand(clean && kept, || format!("clients of {cluster}: {sum:?}"));
        }
        let strangers: Vec<_> = entries
            .errors
            .keys()
            .filter(|client| {
                !clusters
                    .iter()
                    .any(|(name, _)| client.starts_with(&format!("{name}-")))
            })
            .collect();
        self.demand(strangers.is_empty(), || format!("errors of {strangers:?}"));
    }

    pub fn connections(&mut self, name: &str, promise: Promise, tally: &Tally) {
        let get = Tally::get;
        let (p99, max) = tally.p99_and_max();
        self.line(format_args!(
            "{name:<28}answered {}, refused {}, reset {}, unanswered {}, closed between {}, p99 {p99:.1?}, longest {max:.1?}",
            get(&tally.answered),
            get(&tally.refused),
            get(&tally.reset),
            get(&tally.unanswered),
            get(&tally.left),
        ));
        let bad = [&tally.refused, &tally.reset, &tally.unanswered].map(get);
        self.demand(bad == [0; 3], || {
            format!("{name}: refused, reset, unanswered: {bad:?}")
        });
        self.demand(promise != Promise::Nothing || get(&tally.left) == 0, || {
            format!("{name}: {} were closed", get(&tally.left))
        });
        let other = tally.other.lock().expect("no panic under the lock");
        let first: Vec<_> = other.iter().take(TOLD).collect();
        self.demand(other.is_empty(), || {
            format!("{name}: {} others: {first:?}", other.len())
        });
        self.demand(get(&tally.answered) > 0, || {
            format!("{name}: nothing was answered")
        });
    }
}

/// What a client tells an application about a clean close although it gets over it by itself.
fn is_retried(what: &str) -> bool {
    let librdkafka =
        what.starts_with("callback Some(BrokerTransportFailure)") && what.contains("Disconnected");
    let callback = what.starts_with("callback ") || what.starts_with("poll: ");
    let all_down = callback && what.contains("AllBrokersDown");
    // Records of a share session that is gone come again.
    let share = what.starts_with("acknowledge: ");
    librdkafka || all_down || share
}

fn shortened(verdict: &Verdict) -> String {
    let kinds = [
        ("lost", &verdict.lost),
        ("duplicated", &verdict.duplicated),
        ("reordered", &verdict.reordered),
        ("failed and yet there", &verdict.ghosts),
        ("torn", &verdict.torn),
    ];
    let told = kinds
        .into_iter()
        .filter(|(_, all)| !all.is_empty())
        .map(|(what, all)| {
            let first: Vec<_> = all.iter().take(TOLD).collect();
            format!("{} {what} {first:?}", all.len())
        });
    told.collect::<Vec<_>>().join(", ")
}
