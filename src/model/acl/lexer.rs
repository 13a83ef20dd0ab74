//! Words and signs of a text of rules.

use std::iter::Peekable;
use std::str::CharIndices;

/// A word or sign, with its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lexeme<'t> {
    pub(super) kind: LexemeKind<'t>,
    /// Line, from 1.
    pub(super) line: u32,
    /// Column in characters, from 1.
    pub(super) col: u32,
    /// Position of its first byte.
    pub(super) start: usize,
    /// Position behind its last byte.
    pub(super) end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LexemeKind<'t> {
    /// A keyword or a name.
    Word(&'t str),
    /// A number.
    Number(&'t str),
    /// A text in double quotes, without them; backslashes are as written.
    Text(&'t str),
    /// An expression in slashes, without them; backslashes are as written.
    Expression(&'t str),
    /// One of `; , . * = { }`.
    Sign(char),
    /// A character that begins nothing.
    Stray(char),
    /// A text, an expression or a comment that does not end.
    Unclosed(&'static str),
    /// The end of the text.
    End,
}

/// Reader of words and signs.
#[derive(Debug)]
pub(super) struct AclLexer<'t> {
    text: &'t str,
    chars: Peekable<CharIndices<'t>>,
    line: u32,
    col: u32,
    /// Whether the last word was `matching`: a slash then begins an expression.
    expects_expression: bool,
}

impl<'t> AclLexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            chars: text.char_indices().peekable(),
            line: 1,
            col: 1,
            expects_expression: false,
        }
    }

    /// Reads the next word or sign; at the end always [`LexemeKind::End`].
    pub(super) fn next(&mut self) -> Lexeme<'t> {
        let unclosed = self.skip_blank();
        let (line, col) = unclosed.unwrap_or((self.line, self.col));
        let start = self.at();
        let kind = match unclosed {
            Some(_) => LexemeKind::Unclosed("the comment has no closing `*/`"),
            None => self.kind(start),
        };
        self.expects_expression = kind == LexemeKind::Word("matching");
        Lexeme {
            kind,
            line,
            col,
            start,
            end: self.at(),
        }
    }

    fn kind(&mut self, start: usize) -> LexemeKind<'t> {
        let Some(first) = self.take() else {
            return LexemeKind::End;
        };
        match first {
            ';' | ',' | '.' | '*' | '=' | '{' | '}' => LexemeKind::Sign(first),
            '"' => self.delimited('"', start).map_or(
                LexemeKind::Unclosed("the text has no closing `\"` on its line"),
                LexemeKind::Text,
            ),
            '/' if self.expects_expression => self.delimited('/', start).map_or(
                LexemeKind::Unclosed("the expression has no closing `/` on its line"),
                LexemeKind::Expression,
            ),
            'A'..='Z' | 'a'..='z' => {
                self.take_while(|next| next.is_ascii_alphanumeric() || next == '_');
                LexemeKind::Word(&self.text[start..self.at()])
            }
            '0'..='9' => {
                self.take_while(|next| next.is_ascii_digit());
                LexemeKind::Number(&self.text[start..self.at()])
            }
            other => LexemeKind::Stray(other),
        }
    }

    /// What stands up to the next `close` that no backslash stands before; `None` if the line ends first.
    fn delimited(&mut self, close: char, start: usize) -> Option<&'t str> {
        while let Some(&(at, next)) = self.chars.peek() {
            if next == '\n' {
                return None;
            }
            self.take();
            match next {
                '\\' if !self.peeks('\n') => {
                    self.take();
                }
                _ if next == close => return Some(&self.text[start + 1..at]),
                _ => {}
            }
        }
        None
    }

    /// Skips white space and comments. Returns line and column of a comment that does not end.
    fn skip_blank(&mut self) -> Option<(u32, u32)> {
        loop {
            let rest = &self.text[self.at()..];
            let begin = (self.line, self.col);
            if rest.starts_with("//") {
                self.take_while(|next| next != '\n');
            } else if rest.starts_with("/*") && !self.expects_expression {
                let Some(length) = rest[2..].find("*/") else {
                    self.take_while(|_| true);
                    return Some(begin);
                };
                let end = self.at() + length + 4;
                while self.at() < end {
                    self.take();
                }
            } else if rest.starts_with([' ', '\t', '\r', '\n']) {
                self.take();
            } else {
                return None;
            }
        }
    }

    fn at(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    fn peeks(&mut self, char: char) -> bool {
        self.chars.peek().is_some_and(|(_, next)| *next == char)
    }

    fn take(&mut self) -> Option<char> {
        let (_, next) = self.chars.next()?;
        if next == '\n' {
            self.line += 1;
            self.col = 1;
        } else {
            self.col += 1;
        }
        Some(next)
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) {
        while self.chars.peek().is_some_and(|(_, next)| wanted(*next)) {
            self.take();
        }
    }
}
