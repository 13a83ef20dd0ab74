//! How a proved name becomes the name of a principal.

use std::sync::Arc;

use regex_automata::Input;
use regex_automata::meta::Regex;

use super::template::Template;
use crate::model::pattern::JavaPattern;

/// What to do with the letters of a mapped name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LetterCase {
    /// Nothing.
    #[default]
    AsIs,
    /// Lower case (`L`).
    Lower,
    /// Upper case (`U`).
    Upper,
}

/// One rule of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MappingRule {
    /// Names that match an expression become another name.
    Replace(ReplaceMatch),
    /// Every name stays as it is.
    Identity,
    /// No name becomes a principal.
    Anonymous,
}

/// Rules of which the first that applies decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameMapping {
    rules: Vec<MappingRule>,
}

impl NameMapping {
    /// The mapping by these rules.
    pub fn new(rules: Vec<MappingRule>) -> Self {
        Self { rules }
    }

    /// The mapping that leaves every name as it is.
    pub fn identity() -> Self {
        Self::new(vec![MappingRule::Identity])
    }

    /// The name that `name` becomes; `None` if no rule applies, or the one that does makes nobody of it.
    pub fn apply(&self, name: &str) -> Option<String> {
        for rule in &self.rules {
            match rule {
                MappingRule::Replace(replace) => {
                    if let Some(mapped) = replace.apply(name) {
                        return Some(mapped);
                    }
                }
                MappingRule::Identity => return Some(name.to_owned()),
                MappingRule::Anonymous => return None,
            }
        }
        None
    }
}

/// An expression, and what replaces it in names that match it as a whole.
#[derive(Debug, Clone)]
pub struct ReplaceMatch {
    written: Arc<str>,
    whole: Regex,
    inside: Regex,
    replacement: Template,
    case: LetterCase,
}

impl PartialEq for ReplaceMatch {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written && self.case == other.case
    }
}

impl Eq for ReplaceMatch {}

impl ReplaceMatch {
    /// The rule that was `written`, taken apart.
    ///
    /// # Errors
    /// What is wrong with the expression or with the replacement.
    pub(super) fn new(
        written: &str,
        pattern: &str,
        replacement: &str,
        case: LetterCase,
    ) -> Result<Self, String> {
        let pattern = JavaPattern::new(pattern)
            .map_err(|bad| format!("the regular expression is not valid: {}", bad.message))?;
        let inside = pattern.compile_inside()?;
        Ok(Self {
            written: written.into(),
            whole: JavaPattern::compile_whole(&[&pattern])?,
            replacement: Template::new(replacement, inside.group_info())?,
            inside,
            case,
        })
    }

    /// The name that `name` becomes, if the expression matches the whole of it. As in Java, every match inside the name is
    /// replaced then, also an empty one at its end.
    fn apply(&self, name: &str) -> Option<String> {
        if !self.whole.is_match(name) {
            return None;
        }
        let mut mapped = String::new();
        let mut captures = self.inside.create_captures();
        let (mut copied, mut from) = (0, 0);
        while from <= name.len() {
            let input = Input::new(name).range(from..);
            self.inside.search_captures(&input, &mut captures);
            let Some(found) = captures.get_match() else {
                break;
            };
            mapped.push_str(&name[copied..found.start()]);
            self.replacement.append(name, &captures, &mut mapped);
            copied = found.end();
            from = found.end();
            if found.is_empty() {
                from += name[from..].chars().next().map_or(1, char::len_utf8);
            }
        }
        mapped.push_str(&name[copied..]);
        Some(match self.case {
            LetterCase::AsIs => mapped,
            LetterCase::Lower => mapped.to_lowercase(),
            LetterCase::Upper => mapped.to_uppercase(),
        })
    }
}

/// Reads a rule of Kroxylicious: `cPATTERNcREPLACEMENTcFLAGS`, where `c` is any character.
///
/// # Errors
/// What is wrong with it.
pub fn replace_match(written: &str) -> Result<MappingRule, String> {
    const FORM: &str = "a rule is written `/EXPRESSION/REPLACEMENT/` and `L` or `U` behind it, with any character in place of the slash";
    let mut chars = written.chars();
    let separator = chars.next().ok_or(FORM)?;
    let mut parts = chars.as_str().splitn(3, separator);
    let (Some(pattern), Some(replacement), Some(flags)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(format!("{FORM}; {separator:?} stands less than three times here"));
    };
    let case = match flags {
        "" => LetterCase::AsIs,
        "L" => LetterCase::Lower,
        "U" => LetterCase::Upper,
        _ => return Err("behind the last separator stands nothing, `L` or `U`".to_owned()),
    };
    ReplaceMatch::new(written, pattern, replacement, case).map(MappingRule::Replace)
}
