//! Host names that say which node is meant: `$(nodeId)` in a pattern stands for the node id.

use std::fmt;
use std::ops::Range;

/// The token that stands for the node id.
pub(super) const NODE_ID: &str = "$(nodeId)";

/// A host name that may have `$(nodeId)` in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeHostPattern(String);

impl NodeHostPattern {
    /// The host name of a node.
    pub fn host(&self, node: i32) -> String {
        self.0.replace(NODE_ID, &node.to_string())
    }

    /// The pattern as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Every pattern that `host` matches, with the node id that it says then, from left to right.
    pub fn matching(host: &str) -> impl Iterator<Item = (i32, Self)> + '_ {
        node_ids(host).map(|(at, id)| {
            let pattern = format!("{}{NODE_ID}{}", &host[..at.start], &host[at.end..]);
            (id, Self(pattern))
        })
    }
}

impl<S: Into<String>> From<S> for NodeHostPattern {
    fn from(pattern: S) -> Self {
        Self(pattern.into())
    }
}

impl PartialEq<&str> for NodeHostPattern {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for NodeHostPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The node ids that may stand in a name: all digits up to the next character that is none, without a zero in front.
pub(super) fn node_ids(name: &str) -> impl Iterator<Item = (Range<usize>, i32)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + name[at..].find(|c: char| c.is_ascii_digit())?;
            let rest = &name[start..];
            at = start + rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let digits = &name[start..at];
            // Only the canonical form counts: `007` is no node id.
            let id = digits.parse::<i32>().ok().filter(|id| id.to_string() == digits);
            if let Some(id) = id {
                return Some((start..at, id));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_may_be_an_id_if_it_is_written_as_one() {
        let found = |host| {
            let found = NodeHostPattern::matching(host);
            found
                .map(|(id, pattern)| (id, pattern.to_string()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            found("b-12.rack3.k007.x99999999999"),
            [
                (12, "b-$(nodeId).rack3.k007.x99999999999".to_owned()),
                (3, "b-12.rack$(nodeId).k007.x99999999999".to_owned()),
            ]
        );
        assert_eq!(found("no.digits"), []);
        assert_eq!(found("0"), [(0, "$(nodeId)".to_owned())]);
    }
}
