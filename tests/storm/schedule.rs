//! Random edits: what is done next, and what is to come of it.

use std::collections::VecDeque;

use super::{
    edit::{WAYS, Way},
    rng::Rng,
    topology::{Block, FILTERS, Passing, RANGE, Topology},
};

/// Clusters that come and go, at most so many at a time.
const PASSING: usize = 3;

/// What is to come of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Applied,
    Rejected,
    /// Said in the log, because the bytes differ or somebody asked.
    Unchanged,
    /// Reloads without a line in the report.
    Silence,
    /// Several edits, or an edit and a signal: how they fall together is left to chance. At least one outcome.
    Anything,
}

/// One thing done to the file or the process.
#[derive(Clone, Debug)]
pub enum Act {
    Save(Way, String),
    Touch,
    Sighup,
    /// A command of `kproxy`, with its arguments.
    Command(String),
}

#[derive(Clone, Debug)]
pub struct Step {
    pub kind: &'static str,
    pub acts: Vec<Act>,
    pub expected: Expected,
}

/// Everything there is, with how often it comes up.
const KINDS: [(&str, usize); 21] = [
    ("cluster added", 8),
    ("cluster removed", 8),
    ("cluster removed, its ports to another", 3),
    ("cluster renamed", 3),
    ("upstream changed", 14),
    ("drain strategy", 3),
    ("live keys of a cluster", 7),
    ("live keys of the process", 6),
    ("filters added, removed, reordered or changed", 12),
    ("gateway added or removed", 6),
    ("node range widened or narrowed", 6),
    ("ports swapped", 8),
    ("rename of a busy cluster", 5),
    ("everything at once", 3),
    ("invalid file", 10),
    ("only spelling", 5),
    ("touch, or the same bytes", 4),
    ("SIGHUP", 3),
    ("pause of a busy cluster", 6),
    ("edit and SIGHUP", 4),
    ("burst of edits", 4),
];

/// Makes steps. The topology is what the file will say after the last one.
pub struct Schedule {
    pub topology: Topology,
    rng: Rng,
    spare: Vec<Block>,
    taken: u16,
    names: u64,
    /// What follows an invalid file.
    then: VecDeque<Step>,
}

impl Schedule {
    /// `spare` blocks are for clusters and gateways that come and go; `taken` is a port that somebody else listens on.
    pub fn new(seed: u64, topology: Topology, spare: Vec<Block>, taken: u16) -> Self {
        assert!(spare.len() > PASSING, "one block is for a gateway");
        Self {
            topology,
            rng: Rng::new(seed),
            spare,
            taken,
            names: 0,
            then: VecDeque::new(),
        }
    }

    pub fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    pub fn step(&mut self) -> Step {
        if let Some(step) = self.then.pop_front() {
            return step;
        }
        loop {
            let kind = self.kind();
            if let Some(step) = self.step_of(kind) {
                return step;
            }
        }
    }

    fn kind(&mut self) -> &'static str {
        let total = KINDS.iter().map(|(_, weight)| weight).sum();
        let mut point = self.rng.below(total);
        for (kind, weight) in KINDS {
            if point < weight {
                return kind;
            }
            point -= weight;
        }
        unreachable!("the point is below the sum of the weights")
    }

    /// `None` where there is nothing to do it to.
    fn step_of(&mut self, kind: &'static str) -> Option<Step> {
        let way = *self.rng.pick(&WAYS);
        let step = |acts, expected| Step { kind, acts, expected };
        let step = match kind {
            "invalid file" => return Some(self.invalid(kind, way)),
            "only spelling" => {
                self.spell();
                step(vec![self.saved(way)], Expected::Unchanged)
            }
            "touch, or the same bytes" => {
                let act = if self.rng.coin() {
                    Act::Touch
                } else {
                    Act::Save(way, self.topology.yaml())
                };
                step(vec![act], Expected::Silence)
            }
            "SIGHUP" => step(vec![Act::Sighup], Expected::Unchanged),
            "pause of a busy cluster" => {
                let cluster = *self.rng.pick(&["alpha", "beta"]);
                let mut pause = format!("pause {cluster} --for {}ms", 200 + self.rng.below(2_000));
                if self.rng.coin() {
                    pause += " --except heartbeat";
                }
                let mut acts = vec![Act::Command(pause)];
                // Another change may fall into the pause, or it is ended early.
                if self.rng.coin() {
                    acts.push(Act::Command(format!("resume {cluster}")));
                }
                step(acts, Expected::Silence)
            }
            "edit and SIGHUP" => {
                self.any_change();
                step(vec![self.saved(way), Act::Sighup], Expected::Anything)
            }
            "burst of edits" => {
                let count = 2 + self.rng.below(3);
                let acts = (0..count).map(|_| {
                    self.any_change();
                    let way = *self.rng.pick(&WAYS);
                    self.saved(way)
                });
                step(acts.collect(), Expected::Anything)
            }
            "everything at once" => {
                for kind in ["upstream changed", "ports swapped", "live keys of a cluster"] {
                    self.change(kind);
                }
                self.change("cluster added");
                step(vec![self.saved(way)], Expected::Applied)
            }
            kind => {
                if !self.change(kind) {
                    return None;
                }
                Step {
                    kind,
                    acts: vec![self.saved(way)],
                    expected: Expected::Applied,
                }
            }
        };
        Some(step)
    }

    fn saved(&self, way: Way) -> Act {
        Act::Save(way, self.topology.yaml())
    }

    fn any_change(&mut self) {
        while !{
            let kind = self.kind();
            self.change(kind)
        } {}
    }

    /// Changes the topology; false if `kind` is no change of it, or there is nothing to do it to.
    fn change(&mut self, kind: &str) -> bool {
        match kind {
            "cluster added" => return self.add(),
            "cluster removed" => return self.remove().is_some(),
            "cluster removed, its ports to another" => return self.inherit(),
            "cluster renamed" => {
                let name = self.name();
                let Some(passing) = self.topology.passing.last_mut() else {
                    return false;
                };
                passing.name = name;
            }
            "upstream changed" => self.topology.beta_by_name = !self.topology.beta_by_name,
            "drain strategy" => {
                let others: Vec<&str> = ["graceful", "progressive", "immediate"]
                    .into_iter()
                    .filter(|strategy| *strategy != self.topology.beta_strategy)
                    .collect();
                self.topology.beta_strategy = others[self.rng.below(others.len())];
            }
            "live keys of a cluster" => {
                if self.rng.coin() {
                    self.topology.alpha_random = !self.topology.alpha_random;
                } else {
                    self.topology.alpha_max_connections = 10_000 - self.topology.alpha_max_connections + 1;
                }
            }
            "live keys of the process" => self.process_keys(),
            "filters added, removed, reordered or changed" => self.filters(),
            "gateway added or removed" => match self.topology.alpha_more.take() {
                Some(block) => self.spare.push(block),
                None => match self.spare.pop() {
                    Some(block) => self.topology.alpha_more = Some(block),
                    None => return false,
                },
            },
            "node range widened or narrowed" => {
                let others: Vec<i32> = (RANGE.0..=RANGE.1)
                    .filter(|last| *last != self.topology.alpha_last_node)
                    .collect();
                self.topology.alpha_last_node = *self.rng.pick(&others);
            }
            "ports swapped" => self.topology.swapped = !self.topology.swapped,
            "rename of a busy cluster" => self.topology.renamed = !self.topology.renamed,
            _ => return false,
        }
        true
    }

    fn filters(&mut self) {
        let filters = &mut self.topology.alpha_filters;
        match self.rng.below(4) {
            0 if filters.len() > 1 => filters.rotate_left(1),
            1 if !filters.is_empty() => drop(filters.remove(self.rng.below(filters.len()))),
            // The same bytes would be no reload: a filter without a number in its settings does not change.
            2 if filters
                .iter()
                .any(|filter| FILTERS[*filter].1.contains("SETTING")) =>
            {
                self.topology.filter_setting += 1
            }
            _ => {
                let absent: Vec<usize> = (0..FILTERS.len())
                    .filter(|filter| !filters.contains(filter))
                    .collect();
                match absent.is_empty() {
                    true => filters.clear(),
                    false => filters.insert(self.rng.below(filters.len() + 1), *self.rng.pick(&absent)),
                }
            }
        }
    }

    fn process_keys(&mut self) {
        match self.rng.below(3) {
            0 => self.topology.connect_timeout = 21 - self.topology.connect_timeout,
            1 => self.topology.max_removed_percent = 181 - self.topology.max_removed_percent,
            _ => {
                self.topology.level = if self.topology.level == "info" {
                    "info,kproxy::reload=debug"
                } else {
                    "info"
                }
            }
        }
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("passing-{}", self.names)
    }

    fn add(&mut self) -> bool {
        if self.topology.passing.len() == PASSING {
            return false;
        }
        let Some(block) = self.spare.pop() else {
            return false;
        };
        let name = self.name();
        self.topology.passing.push(Passing { name, block });
        true
    }

    fn remove(&mut self) -> Option<Block> {
        if self.topology.passing.is_empty() {
            return None;
        }
        let index = self.rng.below(self.topology.passing.len());
        let block = self.topology.passing.remove(index).block;
        // The oldest of the spare ones is used last.
        self.spare.insert(0, block);
        Some(block)
    }

    /// A cluster goes and another one moves to its ports.
    fn inherit(&mut self) -> bool {
        if self.topology.passing.len() < 2 {
            return false;
        }
        let gone = self.topology.passing.remove(0);
        let freed = std::mem::replace(&mut self.topology.passing[0].block, gone.block);
        self.spare.insert(0, freed);
        true
    }

    /// Other words for the same.
    fn spell(&mut self) {
        self.topology.comment += 1;
        if self.rng.coin() {
            self.topology.beta_by_definition = !self.topology.beta_by_definition;
        }
    }

    /// A file that must change nothing, and the one that mends it.
    fn invalid(&mut self, kind: &'static str, way: Way) -> Step {
        self.topology.comment += 1;
        let good = self.topology.yaml();
        let bad = match self.rng.below(6) {
            0 => good.replace("maxConnections:", "maxConections:"),
            1 => good.replace("gateways:", "gateways: ["),
            2 => self.taken_port(),
            3 => good.replace("workerThreadCount: 2", "workerThreadCount: 3"),
            4 => String::new(),
            _ => good.replace(
                &self.topology.beta.bootstrap().to_string(),
                &self.topology.alpha.bootstrap().to_string(),
            ),
        };
        assert_ne!(bad, good, "something is wrong with it");
        self.then.push_back(Step {
            kind: "mended file",
            acts: vec![Act::Save(*self.rng.pick(&WAYS), good)],
            expected: Expected::Unchanged,
        });
        Step {
            kind,
            acts: vec![Act::Save(way, bad)],
            expected: Expected::Rejected,
        }
    }

    fn taken_port(&self) -> String {
        let mut topology = self.topology.clone();
        topology.passing.push(Passing {
            name: "late".to_owned(),
            block: Block(self.taken),
        });
        // What could be bound must be let go of again.
        topology.beta_by_name = !topology.beta_by_name;
        topology.yaml()
    }
}
