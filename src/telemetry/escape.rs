//! Escaping of characters that a terminal or a parser of lines would act on.

use std::fmt::Write as _;

/// Returns whether a terminal or a parser of lines acts on this character instead of showing it: controls, line and
/// paragraph separators, marks that change the direction of writing, and invisible characters.
pub fn acts(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Escapes every such character but the ends of lines.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        plain(line.trim_end_matches('\n'), &mut out);
        if line.ends_with('\n') {
            out.push('\n');
        }
    }
    out
}

/// Appends `text` with such characters replaced by the escape sequences of JSON strings (RFC 8259 §7).
pub(super) fn plain(text: &str, out: &mut String) {
    for character in text.chars() {
        if acts(character) {
            escape(character, out);
        } else {
            out.push(character);
        }
    }
}

/// Appends `text` as a JSON string, quotes included.
pub(super) fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other if acts(other) => escape(other, out),
            other => out.push(other),
        }
    }
    out.push('"');
}

fn escape(character: char, out: &mut String) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        // Writing to a string cannot fail.
        write!(out, "\\u{unit:04x}").unwrap_or_default();
    }
}

/// Escapes a line of JSON: JSON itself requires that only for the first 32 characters.
pub(super) fn json_line(line: Vec<u8>) -> Vec<u8> {
    // In ASCII only DEL is left to escape; nearly every line ends here.
    if line.iter().all(|byte| byte.is_ascii() && *byte != 0x7f) {
        return line;
    }
    let text = String::from_utf8_lossy(&line);
    let mut out = String::with_capacity(text.len());
    // JSON has such characters only inside of strings.
    plain(text.trim_end_matches('\n'), &mut out);
    out.push('\n');
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2J\n\u{9b}1m\u{202e}\u{e0041}\"\\ż";

    #[test]
    fn a_quoted_value_is_a_json_string_without_anything_that_acts() {
        let mut out = String::new();
        quoted(HOSTILE, &mut out);
        assert!(!out.contains(acts), "{out:?}");
        assert_eq!(serde_json::from_str::<String>(&out).unwrap(), HOSTILE);
    }

    #[test]
    fn of_what_is_printed_only_the_ends_of_lines_act() {
        assert_eq!(printable("a\u{1b}[2J\n\u{9b}é\n"), "a\\u001b[2J\n\\u009bé\n");
    }

    #[test]
    fn a_line_of_json_keeps_its_meaning_and_acts_on_nothing() {
        let value = serde_json::json!({ "detail": HOSTILE });
        let line = json_line(format!("{value}\n").into_bytes());
        let line = String::from_utf8(line).unwrap();
        assert!(!line.trim_end_matches('\n').contains(acts), "{line:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), value);
    }
}
