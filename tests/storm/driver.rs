//! Carries the schedule out and holds every outcome against what was expected.

use std::{collections::BTreeMap, thread};

use super::{
    edit::ConfigFile,
    process::{Outcomes, StormProxy},
    schedule::{Act, Expected, Schedule, Step},
};

/// Longest pause between two steps.
const PAUSE_MS: u64 = 120;

/// What was done, and what came of it.
#[derive(Debug, Default)]
pub struct Done {
    pub steps: BTreeMap<&'static str, usize>,
    /// Outcomes that were not the expected ones.
    pub surprises: Vec<String>,
}

/// Carries out steps until kproxy has told of `reloads` outcomes.
pub fn run(proxy: &StormProxy, file: &mut ConfigFile, schedule: &mut Schedule, reloads: usize) -> Done {
    let mut done = Done::default();
    let mut number = 0;
    let mut last = proxy.outcomes();
    while last.total() < reloads {
        let step = schedule.step();
        number += 1;
        let before = proxy.outcomes();
        if !before.same(&last) {
            done.surprises.push(format!(
                "unasked, before step {number}: from {last:?} to {before:?}"
            ));
        }
        perform(proxy, file, schedule, &step);
        let (after, surprise) = check(proxy, before, &step);
        if let Some(surprise) = surprise {
            let acts: Vec<String> = step.acts.iter().map(named).collect();
            done.surprises.push(format!(
                "step {number}, {} ({}): {surprise}",
                step.kind,
                acts.join(", ")
            ));
        }
        last = after;
        *done.steps.entry(step.kind).or_default() += 1;
        let pause = schedule.rng().millis_below(PAUSE_MS);
        thread::sleep(pause);
    }
    done
}

fn named(act: &Act) -> String {
    match act {
        Act::Save(way, _) => format!("{way:?}"),
        other => format!("{other:?}"),
    }
}

fn perform(proxy: &StormProxy, file: &mut ConfigFile, schedule: &mut Schedule, step: &Step) {
    for (index, act) in step.acts.iter().enumerate() {
        if index > 0 {
            let pause = schedule.rng().millis_below(60);
            thread::sleep(pause);
        }
        match act {
            Act::Save(way, text) => file.save(*way, text, schedule.rng()),
            Act::Touch => file.touch(),
            Act::Sighup if step.expected == Expected::Anything => {
                ask(proxy);
            }
            Act::Sighup => proxy.hang_up(),
            Act::Command(arguments) => proxy.command(&schedule.topology.socket, arguments),
        }
    }
}

/// Sends a SIGHUP and waits for its answer.
pub fn ask(proxy: &StormProxy) -> Outcomes {
    let before = proxy.outcomes().by_signal;
    proxy.hang_up();
    proxy.expect("an answer to SIGHUP", |now| now.by_signal > before)
}

/// Waits for what is to come of the step, and says if that was something else. An outcome too many is found before
/// the next step.
fn check(proxy: &StormProxy, before: Outcomes, step: &Step) -> (Outcomes, Option<String>) {
    let expected = match step.expected {
        Expected::Silence => return (before, None),
        Expected::Anything => return settle(proxy, before),
        Expected::Applied => Outcomes {
            applied: before.applied + 1,
            ..before
        },
        Expected::Rejected => Outcomes {
            rejected: before.rejected + 1,
            ..before
        },
        Expected::Unchanged => Outcomes {
            unchanged: before.unchanged + 1,
            ..before
        },
    };
    let emptied = |act: &Act| matches!(act, Act::Save(_, text) if text.is_empty());
    let relevant = |outcomes: Outcomes| match step.acts.iter().any(emptied) {
        true => outcomes,
        false => outcomes.but_for_empty(),
    };
    let after = proxy.expect(step.kind, |now| relevant(*now).total() > relevant(before).total());
    let surprise = (!relevant(after).same(&relevant(expected))).then(|| {
        let reason = proxy.reason();
        format!(
            "expected {:?}, from {before:?} to {after:?}; {reason}",
            step.expected
        )
    });
    (after, surprise)
}

/// Asks once more, so that whatever was pending is over. Nothing of it may have been refused.
fn settle(proxy: &StormProxy, before: Outcomes) -> (Outcomes, Option<String>) {
    let after = ask(proxy);
    let refused =
        after.undone > before.undone || after.but_for_empty().rejected > before.but_for_empty().rejected;
    let surprise = refused.then(|| {
        let reason = proxy.reason();
        format!("something was refused, from {before:?} to {after:?}; {reason}")
    });
    (after, surprise)
}
