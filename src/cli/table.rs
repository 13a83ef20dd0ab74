//! Tables, durations and sizes as text.

use std::time::Duration;

use crate::telemetry::acts;

/// Alignment of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
    /// Left. The column is left out if all its cells are empty; otherwise an empty cell is a dash.
    Optional,
}

/// Table with a heading and aligned columns.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    columns: [(&'static str, Align); N],
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(columns: [(&'static str, Align); N]) -> Self {
        Self {
            columns,
            rows: Vec::new(),
        }
    }

    pub(super) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| visible(&cell)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn render(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells
                .chain([self.columns[column].0.len()])
                .max()
                .unwrap_or_default()
        };
        let widths: [usize; N] = std::array::from_fn(width);
        let is_shown = |column: usize| {
            self.columns[column].1 != Align::Optional || self.rows.iter().any(|row| !row[column].is_empty())
        };
        let shown: [bool; N] = std::array::from_fn(is_shown);
        let mut text = String::new();
        let heading = self.columns.map(|(name, _)| name.to_owned());
        for row in std::iter::once(&heading).chain(&self.rows) {
            let mut line = String::new();
            for (column, (cell, (_, align))) in row.iter().zip(self.columns).enumerate() {
                if !shown[column] {
                    continue;
                }
                let cell = match align {
                    Align::Optional if cell.is_empty() => "-",
                    Align::Left | Align::Right | Align::Optional => cell,
                };
                let padding = " ".repeat(widths[column] - cell.chars().count());
                match align {
                    Align::Left | Align::Optional => line.extend([cell, &padding, "  "]),
                    Align::Right => line.extend([&padding, cell, "  "]),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// Escapes every character that a terminal would act on.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if acts(character) {
            shown.extend(character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A number with its noun: `1 cluster`, `2 clusters`.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// Formats a duration in its two largest units: `3h12m`, `4.2s`, `15ms`.
pub(super) fn duration(seconds: f64) -> String {
    const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];
    let exact = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    if exact < Duration::from_secs(1) {
        return format!("{}ms", exact.as_millis());
    }
    if exact < Duration::from_secs(10) {
        return format!("{:.1}s", exact.as_secs_f64());
    }
    let whole = exact.as_secs();
    let first = UNITS.iter().position(|&(_, unit)| whole >= unit).unwrap_or(3);
    let (name, unit) = UNITS[first];
    match UNITS.get(first + 1) {
        Some((next, smaller)) => format!("{}{name}{}{next}", whole / unit, whole % unit / smaller),
        None => format!("{}{name}", whole / unit),
    }
}

/// Formats a number of bytes in the largest unit of which there is at least one: `512 B`, `1.5 MiB`.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_nothing_trails() {
        let mut table = Table::new([
            ("NAME", Align::Left),
            ("COUNT", Align::Right),
            ("STATE", Align::Left),
        ]);
        table.row(["orders".into(), "7".into(), "serving".into()]);
        table.row(["é".into(), "12345678".into(), String::new()]);
        assert_eq!(
            table.render(),
            "NAME       COUNT  STATE\norders         7  serving\né       12345678\n"
        );
    }

    #[test]
    fn a_terminal_is_not_told_what_to_do() {
        assert_eq!(visible("a\u{1b}[2Jb\nc\u{202e}"), "a\\u{1b}[2Jb\\u{a}c\\u{202e}");
        assert_eq!(visible("zażółć-1"), "zażółć-1");
    }

    #[test]
    fn durations_and_sizes_are_short() {
        let durations = [0.0, 0.015, 4.21, 59.9, 60.0, 3723.0, 90_061.0, -1.0, f64::NAN];
        let shown = durations.map(duration);
        assert_eq!(
            shown,
            ["0ms", "15ms", "4.2s", "59s", "1m0s", "1h2m", "1d1h", "0ms", "0ms"]
        );
        assert_eq!(
            [0, 1023, 1024, 1_572_864].map(size),
            ["0 B", "1023 B", "1.0 KiB", "1.5 MiB"]
        );
    }
}
