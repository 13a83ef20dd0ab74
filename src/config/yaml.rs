//! YAML text as a tree in which every node has its position.
//!
//! The tree is built from the events of the parser, so that positions, quoting and the raw text of every scalar are kept,
//! and so that hostile files are rejected while they are read: collections nest at most [`MAX_DEPTH`] deep, nodes are
//! counted against a limit that grows with the file, and an alias is a reference to its target. A file whose aliases would
//! expand beyond the limit is rejected without expanding them.

use std::borrow::Cow;
use std::collections::HashSet;

use super::diagnostic::{FileId, Pos};

mod builder;
mod merge;
mod simple;
mod syntax;

pub(super) use builder::{node_limit, pos};

/// Number of levels that collections may nest. The deepest key of the schema is at level ten.
pub(super) const MAX_DEPTH: usize = 32;

/// Length of the longest scalar after unescaping, in bytes.
const MAX_SCALAR: usize = 64 * 1024;

type NodeIndex = u32;

/// A document. Node ids are indexes of `nodes`. Aliases share their target.
#[derive(Debug)]
pub(crate) struct Tree<'s> {
    nodes: Vec<StoredNode<'s>>,
}

#[derive(Debug)]
struct StoredNode<'s> {
    at: Pos,
    kind: NodeKind<'s>,
}

#[derive(Debug)]
enum NodeKind<'s> {
    Scalar { text: Cow<'s, str>, plain: bool },
    Sequence(Vec<NodeIndex>),
    Mapping(Vec<(NodeIndex, NodeIndex)>),
}

/// The reason why a text is not an acceptable YAML document.
#[derive(Debug)]
pub(crate) struct YamlFault {
    pub(crate) at: Pos,
    pub(crate) message: String,
}

impl YamlFault {
    fn new(at: Pos, message: impl Into<String>) -> Self {
        Self {
            at,
            message: message.into(),
        }
    }
}

/// A node of a [`Tree`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'t> {
    tree: &'t Tree<'t>,
    id: NodeIndex,
}

/// Content of a [`Node`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum NodeContent<'t> {
    /// A scalar. `plain` is false for quoted and block scalars, which are always strings.
    Scalar {
        text: &'t str,
        plain: bool,
    },
    Sequence(Sequence<'t>),
    Mapping(Mapping<'t>),
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Sequence<'t> {
    tree: &'t Tree<'t>,
    items: &'t [NodeIndex],
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Mapping<'t> {
    tree: &'t Tree<'t>,
    entries: &'t [(NodeIndex, NodeIndex)],
}

impl<'t> Sequence<'t> {
    pub(crate) fn iter(self) -> impl ExactSizeIterator<Item = Node<'t>> {
        self.items.iter().map(move |&id| Node { tree: self.tree, id })
    }
}

impl<'t> Mapping<'t> {
    pub(crate) fn len(self) -> usize {
        self.entries.len()
    }

    /// Returns the keys with their values, in the order of the file.
    pub(crate) fn iter(self) -> impl ExactSizeIterator<Item = (Node<'t>, Node<'t>)> {
        self.entries.iter().map(move |&(key, value)| {
            (
                Node {
                    tree: self.tree,
                    id: key,
                },
                Node {
                    tree: self.tree,
                    id: value,
                },
            )
        })
    }
}

impl<'t> Node<'t> {
    fn stored(self) -> Option<&'t StoredNode<'t>> {
        self.tree.nodes.get(self.id as usize)
    }

    pub(crate) fn at(self) -> Pos {
        self.stored().map_or(Pos::START, |node| node.at)
    }

    pub(crate) fn content(self) -> NodeContent<'t> {
        match self.stored().map(|node| &node.kind) {
            Some(NodeKind::Scalar { text, plain }) => NodeContent::Scalar { text, plain: *plain },
            Some(NodeKind::Sequence(items)) => NodeContent::Sequence(Sequence {
                tree: self.tree,
                items,
            }),
            Some(NodeKind::Mapping(entries)) => NodeContent::Mapping(Mapping {
                tree: self.tree,
                entries,
            }),
            None => NodeContent::Scalar {
                text: "",
                plain: true,
            },
        }
    }

    pub(crate) fn scalar(self) -> Option<&'t str> {
        match self.content() {
            NodeContent::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether the node is null: no value, `~` or `null`.
    pub(crate) fn is_null(self) -> bool {
        matches!(
            self.content(),
            NodeContent::Scalar {
                text: "" | "~" | "null" | "Null" | "NULL",
                plain: true
            }
        )
    }

    /// Returns the words for this kind of node in "expected …, found …".
    pub(crate) fn describe(self) -> &'static str {
        match self.content() {
            _ if self.is_null() => "nothing",
            NodeContent::Scalar {
                text: "true" | "false",
                plain: true,
            } => "a boolean",
            NodeContent::Scalar { text, plain: true } if text.parse::<f64>().is_ok() => "a number",
            NodeContent::Scalar { .. } => "a string",
            NodeContent::Sequence(_) => "a list",
            NodeContent::Mapping(_) => "a mapping",
        }
    }
}

impl Tree<'_> {
    /// Returns a tree of one mapping without entries.
    pub(crate) fn nothing(file: FileId) -> Self {
        let (at, kind) = (file.start(), NodeKind::Mapping(Vec::new()));
        Self {
            nodes: vec![StoredNode { at, kind }],
        }
    }

    pub(crate) fn root(&self) -> Node<'_> {
        Node { tree: self, id: 0 }
    }
}

impl<'s> Tree<'s> {
    /// Calls `edit` with every scalar that is not a key.
    pub(crate) fn edit_values(&mut self, mut edit: impl FnMut(Pos, &mut Cow<'s, str>)) {
        let mut is_key = vec![false; self.nodes.len()];
        for node in &self.nodes {
            let NodeKind::Mapping(entries) = &node.kind else {
                continue;
            };
            for (key, _) in entries {
                if let Some(is_key) = is_key.get_mut(*key as usize) {
                    *is_key = true;
                }
            }
        }
        let values = self.nodes.iter_mut().zip(is_key).filter(|(_, is_key)| !is_key);
        for (node, _) in values {
            if let NodeKind::Scalar { text, .. } = &mut node.kind {
                edit(node.at, text);
            }
        }
    }

    /// Replaces the scalars at these positions by empty mappings, so that no type of scalar decodes from them.
    pub(crate) fn lose(&mut self, places: &HashSet<Pos>) {
        if places.is_empty() {
            return;
        }
        let scalar = |node: &&mut StoredNode<'s>| {
            matches!(node.kind, NodeKind::Scalar { .. }) && places.contains(&node.at)
        };
        for node in self.nodes.iter_mut().filter(scalar) {
            node.kind = NodeKind::Mapping(Vec::new());
        }
    }
}

/// Parses `text`, the content of `file`, as one document. Returns `None` if it has nothing but comments.
pub(crate) fn compose(text: &str, file: FileId) -> Result<Option<Tree<'_>>, YamlFault> {
    match simple::compose(text, file, node_limit(text.len())) {
        Some(tree) => Ok(Some(tree)),
        None => builder::compose(text, file),
    }
}

/// The number of values in `text`, if the fast parser reads it.
pub(super) fn simple_nodes(text: &str) -> Option<usize> {
    simple::compose(text, FileId::MAIN, node_limit(text.len())).map(|tree| tree.nodes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: u32, col: u32) -> Pos {
        Pos {
            file: FileId::MAIN,
            line,
            col,
        }
    }

    #[test]
    fn positions_count_from_one_in_characters() {
        let tree = compose("a: 1\nü: [x,\r\n  'y']\n", FileId::MAIN)
            .unwrap()
            .unwrap();
        let NodeContent::Mapping(mapping) = tree.root().content() else {
            panic!("no mapping")
        };
        let (key, value) = mapping.iter().nth(1).unwrap();
        assert_eq!((key.at(), value.at()), (at(2, 1), at(2, 4)));
        let NodeContent::Sequence(list) = value.content() else {
            panic!("no list")
        };
        assert_eq!(list.iter().nth(1).unwrap().at(), at(3, 3));
    }

    #[test]
    fn nothing_is_null_only_when_plain() {
        for (text, null) in [
            ("a:", true),
            ("a: ~", true),
            ("a: null", true),
            ("a: 'null'", false),
            ("a: ''", false),
        ] {
            let tree = compose(text, FileId::MAIN).unwrap().unwrap();
            let NodeContent::Mapping(mapping) = tree.root().content() else {
                panic!("no mapping")
            };
            assert_eq!(mapping.iter().next().unwrap().1.is_null(), null, "{text}");
        }
    }

    #[test]
    fn an_alias_is_its_target() {
        let tree = compose("[&a {k: v}, *a, *a]", FileId::MAIN).unwrap().unwrap();
        let NodeContent::Sequence(list) = tree.root().content() else {
            panic!("no list")
        };
        assert!(list.iter().all(|node| node.at() == at(1, 5)));
        assert_eq!(tree.nodes.len(), 4);
    }
}
