//! Regular expressions in the configuration, with the meaning that they have in Java programs.
//!
//! Kroxylicious reads them with RE2/J, Kafka with `java.util.regex`. What those and this engine both have means the same
//! here; what this engine has not, or means differently, is refused with its reason.

use std::sync::Arc;

use regex_automata::MatchKind;
use regex_automata::meta::Regex;
use regex_syntax::ast::{self, Ast};
use regex_syntax::hir::{self, Hir, Look};

/// Longest expression, in bytes.
const MAX_PATTERN: usize = 4096;

/// Most memory that a compiled expression may take, in bytes.
const MAX_COMPILED: usize = 4 << 20;

/// Nesting of groups and repetitions that is read.
const MAX_NESTING: u32 = 50;

/// A regular expression that a whole name has to match. Compares by its text.
#[derive(Debug, Clone)]
pub struct JavaPattern {
    text: Arc<str>,
    hir: Hir,
}

impl PartialEq for JavaPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for JavaPattern {}

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPattern {
    /// Position in the expression, in characters from 0.
    pub at: usize,
    /// What is wrong, on one line.
    pub message: String,
}

impl JavaPattern {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`BadPattern`] if it is not one, or has something that is not supported.
    pub fn new(text: &str) -> Result<Self, BadPattern> {
        let pattern = Self {
            text: text.into(),
            hir: read(text)?,
        };
        // Compiled here too, so that an expression that is too large is told with its position.
        compile(&[pattern.whole()], MatchKind::All).map_err(|message| BadPattern { at: 0, message })?;
        Ok(pattern)
    }

    /// The expression as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Compiles several expressions into one, which finds in one pass those that match a whole name.
    ///
    /// # Errors
    /// The reason why they cannot be compiled together.
    pub(super) fn compile_whole(patterns: &[&Self]) -> Result<Regex, String> {
        let hirs: Vec<Hir> = patterns.iter().map(|pattern| pattern.whole()).collect();
        compile(&hirs, MatchKind::All)
    }

    /// Compiles the expression so that it is found inside a name too.
    ///
    /// # Errors
    /// The reason why it cannot be compiled.
    pub(super) fn compile_inside(&self) -> Result<Regex, String> {
        compile(std::slice::from_ref(&self.hir), MatchKind::LeftmostFirst)
    }

    fn whole(&self) -> Hir {
        let ends = [Hir::look(Look::Start), self.hir.clone(), Hir::look(Look::End)];
        Hir::concat(ends.into())
    }
}

/// With [`MatchKind::All`], every expression that matches is found, and not only the first.
fn compile(hirs: &[Hir], kind: MatchKind) -> Result<Regex, String> {
    let limit = MAX_COMPILED.saturating_mul(hirs.len().max(1));
    let config = Regex::config()
        .match_kind(kind)
        .nfa_size_limit(Some(limit))
        .onepass_size_limit(Some(MAX_COMPILED));
    let built = Regex::builder().configure(config).build_many_from_hir(hirs);
    built.map_err(|error| match error.size_limit() {
        Some(_) => "the expression is too large".to_owned(),
        None => one_line(&error.to_string()),
    })
}

/// Reads an expression into the form that is compiled.
fn read(text: &str) -> Result<Hir, BadPattern> {
    if text.len() > MAX_PATTERN {
        return Err(BadPattern {
            at: 0,
            message: format!("the expression is longer than {MAX_PATTERN} bytes"),
        });
    }
    let mut parser = ast::parse::ParserBuilder::new().nest_limit(MAX_NESTING).build();
    let mut tree = parser.parse(text).map_err(|error| BadPattern {
        at: chars_before(text, error.span().start.offset),
        message: one_line(&error.kind().to_string()),
    })?;
    convert(&mut tree).map_err(|(span, message)| BadPattern {
        at: chars_before(text, span.start.offset),
        message: message.to_owned(),
    })?;
    let translated = hir::translate::Translator::new().translate(text, &tree);
    translated.map_err(|error| BadPattern {
        at: chars_before(text, error.span().start.offset),
        message: one_line(&error.kind().to_string()),
    })
}

fn chars_before(text: &str, offset: usize) -> usize {
    text.get(..offset).map_or(0, |before| before.chars().count())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

type UnlikeJava = (ast::Span, &'static str);

/// Gives `\d`, `\s` and `\w` their ASCII meaning, and refuses what Java's engines mean differently.
fn convert(tree: &mut Ast) -> Result<(), UnlikeJava> {
    match tree {
        Ast::ClassPerl(class) => {
            let item = ast::ClassSetItem::Ascii(ascii(class));
            *tree = Ast::class_bracketed(ast::ClassBracketed {
                span: class.span,
                negated: false,
                kind: ast::ClassSet::Item(item),
            });
            Ok(())
        }
        Ast::ClassBracketed(class) => convert_set(&mut class.kind),
        Ast::Repetition(repetition) => match &*repetition.ast {
            Ast::Repetition(_) => Err((
                repetition.op.span,
                "possessive and repeated quantifiers are not supported",
            )),
            _ => convert(&mut repetition.ast),
        },
        Ast::Group(group) => convert(&mut group.ast),
        Ast::Alternation(alternation) => alternation.asts.iter_mut().try_for_each(convert),
        Ast::Concat(concat) => concat.asts.iter_mut().try_for_each(convert),
        Ast::Flags(_) | Ast::Empty(_) | Ast::Literal(_) | Ast::Dot(_) => Ok(()),
        Ast::Assertion(_) | Ast::ClassUnicode(_) => Ok(()),
    }
}

fn convert_set(set: &mut ast::ClassSet) -> Result<(), UnlikeJava> {
    match set {
        ast::ClassSet::Item(item) => convert_item(item),
        ast::ClassSet::BinaryOp(operation) => {
            Err((operation.span, "`&&`, `--` and `~~` in a class are not supported"))
        }
    }
}

fn convert_item(item: &mut ast::ClassSetItem) -> Result<(), UnlikeJava> {
    match item {
        ast::ClassSetItem::Perl(class) => {
            *item = ast::ClassSetItem::Ascii(ascii(class));
            Ok(())
        }
        ast::ClassSetItem::Bracketed(class) => {
            Err((class.span, "a class inside a class is not supported; write `\\[`"))
        }
        ast::ClassSetItem::Union(union) => union.items.iter_mut().try_for_each(convert_item),
        _ => Ok(()),
    }
}

fn ascii(class: &ast::ClassPerl) -> ast::ClassAscii {
    ast::ClassAscii {
        span: class.span,
        kind: match class.kind {
            ast::ClassPerlKind::Digit => ast::ClassAsciiKind::Digit,
            ast::ClassPerlKind::Space => ast::ClassAsciiKind::Space,
            ast::ClassPerlKind::Word => ast::ClassAsciiKind::Word,
        },
        negated: class.negated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        let pattern = JavaPattern::new(pattern).unwrap();
        JavaPattern::compile_whole(&[&pattern]).unwrap().is_match(name)
    }

    fn refused(pattern: &str) -> (usize, String) {
        let bad = JavaPattern::new(pattern).unwrap_err();
        (bad.at, bad.message)
    }

    #[test]
    fn a_whole_name_has_to_match() {
        for (pattern, name, expected) in [
            ("(foo+|bar)", "foo", true),
            ("(foo+|bar)", "fooo", true),
            ("(foo+|bar)", "foobar", false),
            ("foo|bar", "foox", false),
            ("foo|bar", "xbar", false),
            ("a|ab", "ab", true),
            ("a.c", "abc", true),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn short_classes_are_ascii_as_in_java() {
        for (pattern, name, expected) in [
            (r"\d", "7", true),
            (r"\d", "\u{0667}", false),
            (r"[\d-]+", "1-2", true),
            (r"\w+", "jo_1", true),
            (r"\w+", "jörg", false),
            (r"[^\W]+", "jo", true),
            (r"\D", "\u{0667}", true),
            ("[^,]", "ö", true),
            (".", "ö", true),
            ("(?i)Jörg", "JÖRG", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn what_is_not_supported_is_told_with_its_position() {
        assert_eq!(refused("a++").0, 2);
        assert!(refused("ab**").1.contains("quantifiers"), "{:?}", refused("ab**"));
        assert!(refused("**").1.contains("repetition"), "{:?}", refused("**"));
        for pattern in [
            r"(a)\1",
            "(?=a)",
            "(?<!a)b",
            "[a[b]]",
            "[a&&b]",
            "(",
            r"\Qa\E",
            r"(?-u:\xff)",
        ] {
            let (_, message) = refused(pattern);
            assert!(
                !message.is_empty() && !message.contains('\n'),
                "{pattern}: {message}"
            );
        }
        assert_eq!(refused("öö(").0, 2);
        assert!(refused(&"a".repeat(5000)).1.contains("longer"));
        assert!(refused("(((a{1000}){1000}){1000}){1000}").1.contains("large"));
        assert!(refused(&"(".repeat(1000)).1.len() < 200);
    }
}
