//! The source of the library as text: its string literals and log messages.

use std::path::{Path, PathBuf};

/// Every `.rs` file below `folder`, in order.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(folder, &mut found);
    found.sort();
    found
}

fn collect(path: &Path, found: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), found);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        found.push(path.to_owned());
    }
}

/// A file without its unit tests.
pub(super) fn code(path: &Path) -> String {
    crate::without_tests(&super::markdown::read(path))
}

/// A piece of source.
#[derive(Debug, PartialEq)]
pub(super) enum Token {
    /// A string literal, unescaped.
    Text(String),
    /// Any other character that is neither space nor part of a comment.
    Other(char),
}

/// The tokens of `code`, as far as tests need them: comments are left out, string literals are read.
pub(super) fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '/' if rest.starts_with('/') => rest = rest.split_once('\n').map_or("", |(_, rest)| rest),
            '"' => {
                let (text, after) = string(rest);
                tokens.push(Token::Text(text));
                rest = after;
            }
            'r' if rest.starts_with("#\"") || rest.starts_with('"') => {
                let hash = if rest.starts_with('#') { "\"#" } else { "\"" };
                let body = rest.trim_start_matches('#').get(1..).unwrap_or_default();
                let (text, after) = body.split_once(hash).unwrap_or((body, ""));
                tokens.push(Token::Text(text.to_owned()));
                rest = after;
            }
            // A character, not a lifetime.
            '\'' => {
                let after = rest.strip_prefix('\\').unwrap_or(rest);
                let end = after.char_indices().nth(1).map_or(after.len(), |(end, _)| end);
                if after[end..].starts_with('\'') {
                    rest = &after[end + 1..];
                }
            }
            space if space.is_whitespace() => {}
            other => tokens.push(Token::Other(other)),
        }
    }
    tokens
}

/// The literal whose opening quote has been read, and what follows its closing quote.
fn string(code: &str) -> (String, &str) {
    let mut text = String::new();
    let mut chars = code.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (text, &code[at + 1..]),
            '\\' => match chars.next() {
                Some((at, '\n')) => {
                    let indent = code[at + 1..].len() - code[at + 1..].trim_start().len();
                    for _ in 0..code[at + 1..at + 1 + indent].chars().count() {
                        chars.next();
                    }
                }
                Some((_, 'n')) => text.push('\n'),
                Some((_, c)) => text.push(c),
                None => {}
            },
            _ => text.push(c),
        }
    }
    (text, "")
}

/// The string literals of `code`.
pub(super) fn literals(code: &str) -> Vec<String> {
    let texts = tokens(code).into_iter().filter_map(|token| match token {
        Token::Text(text) => Some(text),
        Token::Other(_) => None,
    });
    texts.collect()
}

/// The string literals that are arguments of the calls and macros whose source begins with `call`, such as `warn!(`:
/// for each call, those that stand for themselves, not behind `=` and not in an inner call.
pub(super) fn arguments(code: &str, call: &str) -> Vec<Vec<String>> {
    let tokens = tokens(code);
    let name: Vec<char> = call.chars().collect();
    let mut found = Vec::new();
    for start in 0..tokens.len() {
        let matches = name
            .iter()
            .enumerate()
            .all(|(offset, c)| tokens.get(start + offset) == Some(&Token::Other(*c)));
        if matches {
            found.push(own_texts(&tokens[start + name.len()..]));
        }
    }
    found
}

fn own_texts(tokens: &[Token]) -> Vec<String> {
    let mut depth = 1;
    let mut texts = Vec::new();
    let mut before = ',';
    for token in tokens {
        match token {
            Token::Text(text) if depth == 1 && before == ',' => texts.push(text.clone()),
            Token::Text(_) => {}
            Token::Other('(' | '[' | '{') => depth += 1,
            Token::Other(')' | ']' | '}') => {
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            Token::Other(_) => {}
        }
        if let Token::Other(c) = token {
            before = *c;
        } else {
            before = '"';
        }
    }
    texts
}
