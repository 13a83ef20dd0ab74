//! Writing of HTML in which nothing from outside can become markup: what is written as it is has to be a literal.

use std::fmt::{self, Display, Write};

/// HTML under construction.
#[derive(Debug, Default)]
pub(super) struct Html(String);

/// Writes text with the characters escaped that mean something in HTML, in quoted attributes included.
struct Escaped<'h>(&'h mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // What HTML does not allow, and what turns the direction of text around.
                '\0'..='\x08'
                | '\x0b'..='\x1f'
                | '\x7f'
                | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' => {
                    self.0.push('\u{fffd}');
                }
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}

impl Html {
    /// Writes markup of the program's own.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Writes text, or the value of a quoted attribute.
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        // Writing to a string cannot fail.
        write!(Escaped(&mut self.0), "{text}").unwrap_or_default();
        self
    }

    /// Writes an element without attributes that holds text.
    pub(super) fn element(&mut self, name: &'static str, text: impl Display) -> &mut Self {
        self.raw("<").raw(name).raw(">").text(text);
        self.raw("</").raw(name).raw(">")
    }

    /// Writes a point in time, given as RFC 3339 has it. The script shows how long ago it is.
    pub(super) fn time(&mut self, at: &str) -> &mut Self {
        let shown = at.split('.').next().unwrap_or(at).replace('T', " ");
        self.raw("<time datetime=\"").text(at).raw("\">");
        self.text(shown).raw(" UTC</time>")
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// A number as people read it: `1 234 567`.
pub(super) fn grouped(number: impl Display) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// A rate as people read it: `0.5`, `12`, `1 234`.
pub(super) fn rate(number: f64) -> String {
    match number {
        ..0.05 => "0".into(),
        ..10.0 => format!("{number:.1}"),
        _ => grouped(format!("{number:.0}")),
    }
}

/// Bytes as people read them: `12 B`, `1.5 MiB`.
pub(super) fn bytes(number: f64) -> String {
    let mut number = number;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if number < 1000.0 {
            let digits = usize::from(number < 10.0 && unit != "B");
            return format!("{number:.digits$}\u{a0}{unit}");
        }
        number /= 1024.0;
    }
    format!("{number:.1}\u{a0}TiB")
}

/// `1 cluster`, `2 clusters`: the word with an `s` unless there is one.
pub(super) fn counted(number: usize, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {word}{plural}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        let mut html = Html::default();
        html.raw("<p title=\"").text("\" onload='x").raw("\">");
        html.element("b", "<script>&\u{202e}\0\x1b[31m").raw("</p>");
        let expected =
            "<p title=\"&quot; onload=&#39;x\"><b>&lt;script&gt;&amp;\u{fffd}\u{fffd}\u{fffd}[31m</b></p>";
        assert_eq!(html.finish(), expected);
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        let rates = [0.0, 0.04, 0.06, 9.94, 10.0, 12_345.6].map(rate);
        assert_eq!(rates, ["0", "0", "0.1", "9.9", "10", "12\u{202f}346"]);
        let sizes = [0.0, 999.0, 1000.0, 1536.0, 20.0 * 1024.0, 1e7, 1e15].map(bytes);
        let sizes = sizes.map(|size| size.replace('\u{a0}', " "));
        assert_eq!(
            sizes,
            [
                "0 B",
                "999 B",
                "1.0 KiB",
                "1.5 KiB",
                "20 KiB",
                "9.5 MiB",
                "909.5 TiB"
            ]
        );
        assert_eq!(
            [counted(1, "error"), counted(2, "error")],
            ["1 error", "2 errors"]
        );
    }
}
