//! Names and beginnings of names.

/// A name, or the beginning of names (`batch-*`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamePattern {
    /// This name.
    Exact(String),
    /// Every name that begins so.
    Prefix(String),
}

impl NamePattern {
    /// Reads a name, or a beginning of names with `*` at its end.
    pub fn parse(text: &str) -> Self {
        match text.strip_suffix('*') {
            Some(beginning) => Self::Prefix(beginning.to_owned()),
            None => Self::Exact(text.to_owned()),
        }
    }

    /// Whether `name` is meant.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == name,
            Self::Prefix(beginning) => name.starts_with(beginning.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_at_the_end_only() {
        let matches = |pattern, name| NamePattern::parse(pattern).matches(name);
        assert!(matches("batch-*", "batch-1") && matches("*", "") && matches("a", "a"));
        assert!(!matches("batch-*", "batch") && !matches("a*b", "axb") && !matches("a", "ab"));
        assert!(matches("a*b", "a*b"));
    }
}
