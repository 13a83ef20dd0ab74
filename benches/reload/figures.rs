//! Samples by name, the goals, and the table.

use crate::common::stats::Spread;

/// A row of the table.
struct Row {
    name: &'static str,
    unit: &'static str,
    /// At most.
    goal: Option<f64>,
    samples: Vec<f64>,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Figures {
    rows: Vec<Row>,
}

impl Figures {
    /// Notes one sample of a row that exists from its first sample on.
    pub(crate) fn note(&mut self, name: &'static str, unit: &'static str, goal: Option<f64>, sample: f64) {
        match self.rows.iter_mut().find(|row| row.name == name) {
            Some(row) => row.samples.push(sample),
            None => self.rows.push(Row {
                name,
                unit,
                goal,
                samples: vec![sample],
            }),
        }
    }

    #[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
    pub(crate) fn print(&self) {
        println!("{:>71}   median [lowest–highest]", "goal");
        for row in &self.rows {
            let Some(spread) = Spread::of(row.samples.iter().copied()) else {
                continue;
            };
            let goal = row.goal.map(|goal| format!("≤ {goal} {}", row.unit));
            println!(
                "{:<4} {:<53} {:>12}   {} {} of {}",
                verdict(row.goal, spread),
                row.name,
                goal.unwrap_or_default(),
                shown(spread),
                row.unit,
                row.samples.len(),
            );
        }
    }
}

/// A miss that the quickest sample does not show may be the machine's.
fn verdict(goal: Option<f64>, spread: Spread) -> &'static str {
    match goal {
        None => "",
        Some(goal) if spread.median <= goal => "PASS",
        Some(goal) if spread.low <= goal => "near",
        Some(_) => "FAIL",
    }
}

pub(crate) fn shown(Spread { median, low, high }: Spread) -> String {
    let digits = match median {
        ..1.0 => 3,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{median:.digits$} [{low:.digits$}–{high:.digits$}]")
}
