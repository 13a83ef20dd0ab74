//! Maps from names to what was written about them.

use std::collections::HashMap;
use std::sync::Arc;

use regex_automata::meta::Regex;
use regex_automata::{Input, PatternSet};

use super::{NameMatch, OperationSet, RuleEffect};
use crate::model::pattern::JavaPattern;

/// Values by exact names, by beginnings of names, and for all names.
#[derive(Debug)]
pub(super) struct NameIndex<V> {
    any: Vec<V>,
    exact: HashMap<Arc<str>, Vec<V>>,
    prefixes: HashMap<Arc<str>, Vec<V>>,
    /// Lengths of the prefixes, each once, in bytes.
    lengths: Vec<usize>,
}

impl<V> Default for NameIndex<V> {
    fn default() -> Self {
        Self {
            any: Vec::new(),
            exact: HashMap::new(),
            prefixes: HashMap::new(),
            lengths: Vec::new(),
        }
    }
}

impl<V: Copy> NameIndex<V> {
    /// Adds a value. Returns the expression where the names are one: it is not kept here.
    pub(super) fn add<'n>(&mut self, names: &'n NameMatch, value: V) -> Option<&'n JavaPattern> {
        match names {
            NameMatch::Any => self.any.push(value),
            NameMatch::OneOf(names) => {
                for name in names {
                    self.exact.entry(Arc::clone(name)).or_default().push(value);
                }
            }
            NameMatch::Prefix(prefix) => {
                self.prefixes.entry(Arc::clone(prefix)).or_default().push(value);
                if let Err(at) = self.lengths.binary_search(&prefix.len()) {
                    self.lengths.insert(at, prefix.len());
                }
            }
            NameMatch::Pattern(pattern) => return Some(pattern),
        }
        None
    }

    /// Calls `found` for each value that belongs to `name`.
    pub(super) fn each(&self, name: &str, mut found: impl FnMut(V)) {
        self.any.iter().copied().for_each(&mut found);
        if let Some(values) = self.exact.get(name) {
            values.iter().copied().for_each(&mut found);
        }
        for length in &self.lengths {
            // Beyond the name, or inside one of its characters: no prefix of this length can match.
            let beginning = name.get(..*length);
            if let Some(values) = beginning.and_then(|beginning| self.prefixes.get(beginning)) {
                values.iter().copied().for_each(&mut found);
            }
        }
    }
}

/// What one rule says about what it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AclGrant {
    pub(super) effect: RuleEffect,
    /// Operations, with those that follow from them.
    pub(super) operations: OperationSet,
    /// Number of the rule.
    pub(super) rule: u32,
}

/// Rules about one kind of resource for the same users.
#[derive(Debug, Default)]
pub(super) struct ResourceIndex {
    names: NameIndex<AclGrant>,
    patterns: Vec<JavaPattern>,
    /// What each of the patterns grants or denies.
    by_pattern: Vec<AclGrant>,
    compiled: Vec<Regex>,
}

/// Number of expressions that are compiled into one.
const PATTERNS_TOGETHER: usize = 64;

impl ResourceIndex {
    pub(super) fn add(&mut self, names: &NameMatch, grant: AclGrant) {
        if let Some(pattern) = self.names.add(names, grant) {
            self.patterns.push(pattern.clone());
            self.by_pattern.push(grant);
        }
    }

    /// Compiles the expressions, when all are added.
    ///
    /// # Errors
    /// The reason why they cannot be compiled.
    pub(super) fn compile(&mut self) -> Result<(), String> {
        let patterns: Vec<&JavaPattern> = self.patterns.iter().collect();
        let compiled = patterns.chunks(PATTERNS_TOGETHER).map(JavaPattern::compile_whole);
        self.compiled = compiled.collect::<Result<_, _>>()?;
        Ok(())
    }

    /// Calls `found` for each rule that is about `name`.
    pub(super) fn each(&self, name: &str, mut found: impl FnMut(AclGrant)) {
        self.names.each(name, &mut found);
        for (regex, grants) in self
            .compiled
            .iter()
            .zip(self.by_pattern.chunks(PATTERNS_TOGETHER))
        {
            let mut matching = PatternSet::new(regex.pattern_len());
            regex.which_overlapping_matches(&Input::new(name), &mut matching);
            for pattern in matching.iter() {
                found(grants[pattern.as_usize()]);
            }
        }
    }
}
