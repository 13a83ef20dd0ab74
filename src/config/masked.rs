//! Lines of a configuration file for people, without what may be a secret.
//!
//! The file may be broken in any way, so nothing is taken for harmless because of how it looks: a value is shown only if its
//! key, and every key around it, is one that the schema has and that is not for secrets. A misspelt `pasword` is not shown.

use std::collections::HashSet;

use super::schema;
use super::yaml_line::{ValueStart, comment_of, key_of, unquoted};

/// What is shown in place of a value.
const MASK: &str = "***";

/// Longest line that is shown, in characters.
const MAX_LINE: usize = 160;

/// Reads a file line by line and masks each. What a line means depends on those before it.
#[derive(Debug)]
pub(super) struct Masker {
    shown: HashSet<&'static str>,
    /// Keys around the line at hand: indentation, and whether values in it are shown.
    around: Vec<(usize, bool)>,
    /// Indentation of the key of a block scalar that has begun.
    block: Option<usize>,
    /// Quotation mark of a scalar that has not ended.
    quote: Option<char>,
    flow: Vec<OpenBracket>,
}

/// A bracket that is open.
#[derive(Debug, Clone, Copy)]
struct OpenBracket {
    /// Whether values of keys in it may be shown.
    shows: bool,
    /// Whether it is that of a list, in which values have no keys.
    is_list: bool,
}

impl OpenBracket {
    /// Whether a value without a key is shown.
    fn shows_items(self) -> bool {
        self.shows && self.is_list
    }
}

impl Masker {
    pub(super) fn new() -> Self {
        let is_shown = |name: &&str| {
            let name = name.to_ascii_lowercase();
            let secret = ["password", "passphrase", "secret", "token"].iter();
            name.ends_with("file") || !secret.clone().any(|word| name.contains(word))
        };
        Self {
            shown: schema::keys()
                .into_iter()
                .map(|key| key.name)
                .filter(is_shown)
                .collect(),
            around: Vec::new(),
            block: None,
            quote: None,
            flow: Vec::new(),
        }
    }

    /// Masks the next line.
    pub(super) fn line(&mut self, line: &str) -> String {
        let masked = self.masked(line.trim_end());
        let shown = masked.chars().take(MAX_LINE);
        let mut shown: String = shown
            .map(|found| if found.is_control() { '\u{fffd}' } else { found })
            .collect();
        if masked.chars().nth(MAX_LINE).is_some() {
            shown.push('…');
        }
        shown
    }

    fn masked(&mut self, line: &str) -> String {
        let content = line.trim_start_matches(' ');
        let indent = line.len() - content.len();
        let space = &line[..indent];
        if content.is_empty() {
            return String::new();
        }
        if self.block.is_some_and(|key| indent > key) {
            return format!("{space}{MASK}");
        }
        self.block = None;
        if let Some(quote) = self.quote {
            if unquoted(content, quote).is_some() {
                self.quote = None;
                // What follows on the line is not shown either.
            }
            return format!("{space}{MASK}");
        }
        if !self.flow.is_empty() {
            return format!("{space}{}", self.flow_text(content));
        }
        match content {
            _ if content.starts_with('#') => format!("{space}# …"),
            "---" | "..." => content.to_owned(),
            _ => format!("{space}{}", self.entry(content, indent)),
        }
    }

    /// Masks an item of a list, a key with its value, or both.
    fn entry(&mut self, content: &str, indent: usize) -> String {
        let (mut dashes, mut rest, mut column) = (String::new(), content, indent);
        while let Some(item) = rest.strip_prefix("- ") {
            let space = item.len() - item.trim_start_matches(' ').len();
            dashes.push_str("- ");
            dashes.push_str(&item[..space]);
            column += 2 + space;
            rest = &item[space..];
        }
        if rest == "-" || rest.is_empty() {
            return format!("{dashes}{rest}");
        }
        let Some((key, name, value)) = key_of(rest) else {
            self.around.retain(|(key, _)| *key <= indent);
            let shows = !dashes.is_empty() && self.around.last().is_some_and(|(_, shows)| *shows);
            return format!("{dashes}{}", self.value(rest, shows, column));
        };
        self.around.retain(|(around, _)| *around < column);
        let shows = self.shown.contains(name) && self.around.last().is_none_or(|(_, shows)| *shows);
        self.around.push((column, shows));
        format!("{dashes}{key}{}", self.value(value, shows, column))
    }

    /// Masks a value that begins on this line, with the space before it.
    fn value(&mut self, value: &str, shows: bool, column: usize) -> String {
        let text = value.trim_start_matches(' ');
        let space = &value[..value.len() - text.len()];
        let (text, comment) = comment_of(text);
        let comment = if comment { " # …" } else { "" };
        let shown = match ValueStart::of(text) {
            ValueStart::Nothing => String::new(),
            ValueStart::Block => {
                self.block = Some(column);
                text.chars().take(1).collect()
            }
            ValueStart::Flow => {
                let is_list = text.starts_with('[');
                self.flow.push(OpenBracket { shows, is_list });
                format!("{}{}", &text[..1], self.flow_text(&text[1..]))
            }
            ValueStart::Quote(quote) => match unquoted(&text[1..], quote) {
                Some(inside) if shows && is_harmless(inside) => text.to_owned(),
                Some(_) => MASK.to_owned(),
                None => {
                    self.quote = Some(quote);
                    MASK.to_owned()
                }
            },
            ValueStart::Plain if shows && is_harmless(text) => text.to_owned(),
            ValueStart::Plain | ValueStart::Property => MASK.to_owned(),
        };
        format!("{space}{shown}{comment}")
    }

    /// Masks what stands in brackets, up to the end of the line.
    fn flow_text(&mut self, text: &str) -> String {
        let mut masked = String::new();
        let mut rest = text;
        // Whether the value at hand is shown, once its key is known.
        let items = |flow: &[OpenBracket]| flow.last().is_some_and(|bracket| bracket.shows_items());
        let mut shows = items(&self.flow);
        while let Some(first) = rest.chars().next() {
            let len = first.len_utf8();
            match first {
                ' ' | ',' | '}' | ']' => {
                    masked.push(first);
                    if matches!(first, '}' | ']') {
                        self.flow.pop();
                    }
                    if first != ' ' {
                        shows = items(&self.flow);
                    }
                    rest = &rest[len..];
                }
                '{' | '[' => {
                    masked.push(first);
                    let is_list = first == '[';
                    self.flow.push(OpenBracket { shows, is_list });
                    shows = items(&self.flow);
                    rest = &rest[len..];
                }
                '#' => {
                    masked.push_str("# …");
                    return masked;
                }
                _ => {
                    if let Some((key, name, after)) = key_of(rest)
                        && !key.contains([',', '{', '}', '[', ']'])
                    {
                        masked.push_str(key);
                        let around = self.flow.last().is_some_and(|bracket| bracket.shows);
                        shows = around && self.shown.contains(name);
                        rest = after;
                        continue;
                    }
                    rest = self.flow_scalar(rest, shows, &mut masked);
                }
            }
        }
        masked
    }

    /// Masks one scalar in brackets, and returns what follows it.
    fn flow_scalar<'t>(&mut self, text: &'t str, shows: bool, masked: &mut String) -> &'t str {
        let (scalar, rest) = match ValueStart::of(text) {
            ValueStart::Quote(quote) => match unquoted(&text[1..], quote) {
                Some(inside) => text.split_at(inside.len() + 2),
                None => {
                    self.quote = Some(quote);
                    masked.push_str(MASK);
                    return "";
                }
            },
            _ => text.split_at(text.find([',', '}', ']']).unwrap_or(text.len())),
        };
        let is_plain = !scalar.starts_with(['&', '*', '!', '|', '>']);
        masked.push_str(if shows && is_plain && is_harmless(scalar) {
            scalar
        } else {
            MASK
        });
        rest
    }
}

/// Whether a value holds no credentials in an address (`user:password@host`), and no key that has slipped into it.
fn is_harmless(value: &str) -> bool {
    !value.contains('@') && !value.contains(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let mut masker = Masker::new();
        let lines: Vec<String> = text.lines().map(|line| masker.line(line)).collect();
        lines.join("\n")
    }

    #[test]
    fn a_sound_file_is_shown_as_it_is() {
        let text = "management:\n  port: 9190\n\nvirtualClusters:\n  - name: orders\n    targetCluster: {bootstrapServers: \"b0:9093,b1:9093\"}\n    gateways:\n      - name: 'plain'\n        portIdentifiesNode: {bootstrapAddress: localhost:9192, nodeIdRanges: [{start: 0, end: 2}]}\n        tls:\n          cipherSuites:\n            allowed:\n            - TLS_AES_128_GCM_SHA256";
        assert_eq!(masked(text), text);
    }

    /// Every way in which a secret may stand in a file, each with `hunter2` in place of it.
    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        for text in [
            "keyPassword: {password: hunter2}",
            "keyPassword:\n  password: hunter2",
            "keyPassword:\n  password: \"hun\n    hunter2\"\nname: a",
            "keyPassword:\n  password: a\n    hunter2",
            "keyPassword:\n  password: a\n    - hunter2",
            "keyPassword:\n  password: |\n    name: hunter2\n    hunter2",
            "keyPassword:\n  password: >-\n\n    hunter2",
            "keyPassword:\n  pasword: hunter2",
            "keyPasword:\n  name: hunter2",
            "secrets:\n  - hunter2\n  - name: hunter2",
            "{keyPassword: {password: hunter2, name: a}}",
            "x: {name: hunter2}",
            "tls: {keyPassword: {password: \"a, hunter2\", name: b}}",
            "tls: {keyPassword: {password: 'it''s hunter2'}}",
            "tls: {keyPassword: {password: \"a\\\" hunter2\"}}",
            "tls: {keyPassword: {password: \"a\n  hunter2\", name: b}}",
            "tls: {keyPassword: {password:\n  hunter2}}",
            "tls: [{keyPassword: {password:\n  hunter2}}]",
            "password: &a hunter2",
            "name: &a hunter2",
            "name: !!str hunter2",
            "name: a # hunter2",
            "# hunter2",
            "  # password: hunter2",
            "bootstrapServers: user:hunter2@host:9092",
            "\"password\": hunter2",
            "'password' : hunter2",
            "? password\n: hunter2",
            "hunter2",
            "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----",
            "\tpassword: hunter2",
            "- - - hunter2",
            "password:hunter2",
            "name: a: hunter2\npassword: hunter2",
            "keyPassword: {password hunter2}",
            "tls: {password: {name: hunter2}}",
            "password: [a,\n  hunter2]",
            "name: \"a\" hunter2",
            "tls: {password hunter2}",
            "tls: {hunter2}",
        ] {
            let shown = masked(text);
            assert!(!shown.contains("hunter2"), "{text}\nis shown as\n{shown}");
        }
    }

    #[test]
    fn a_line_is_short_and_says_nothing_to_a_terminal() {
        let line = masked(&format!("name: \x1b[31m{}", "x".repeat(1000)));
        assert_eq!(line.chars().count(), MAX_LINE + 1);
        assert!(!line.contains('\x1b'));
    }
}
