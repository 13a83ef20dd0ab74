//! YAML text as a tree in which every node has its position.
//!
//! The tree is built from the events of the parser, so that positions, quoting and the raw text of every scalar are kept,
//! and so that hostile files are rejected while they are read: collections nest at most [`MAX_DEPTH`] deep, nodes are
//! counted against a limit that grows with the file, and an alias is a reference to its target. A file whose aliases would
//! expand beyond the limit is rejected without expanding them.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag, options};

use super::diagnostic::{FileId, Pos};

mod merge;
mod simple;
mod syntax;

/// Number of levels that collections may nest. The deepest key of the schema is at level ten.
const MAX_DEPTH: usize = 32;

/// Length of the longest scalar after unescaping, in bytes.
const MAX_SCALAR: usize = 64 * 1024;

/// Number of nodes that any file may have, however small it is.
const MIN_NODES: usize = 20_000;

/// Number of nodes that no file may exceed, however large it is. It bounds the tree to about 64 MiB.
const MAX_NODES: usize = 1_500_000;

/// Number of bytes of a file that allow one node more. A file of 10 000 clusters has about 15 bytes per node, the densest
/// flow style about 6.
const BYTES_PER_NODE: usize = 4;

type NodeId = u32;

/// A document. Node ids are indexes of `nodes`. Aliases share their target.
#[derive(Debug)]
pub(crate) struct Tree<'s> {
    nodes: Vec<Stored<'s>>,
}

#[derive(Debug)]
struct Stored<'s> {
    at: Pos,
    kind: Kind<'s>,
}

#[derive(Debug)]
enum Kind<'s> {
    Scalar { text: Cow<'s, str>, plain: bool },
    Sequence(Vec<NodeId>),
    Mapping(Vec<(NodeId, NodeId)>),
}

/// The reason why a text is not an acceptable YAML document.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) at: Pos,
    pub(crate) message: String,
}

impl Fault {
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
    id: NodeId,
}

/// Content of a [`Node`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content<'t> {
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
    items: &'t [NodeId],
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Mapping<'t> {
    tree: &'t Tree<'t>,
    entries: &'t [(NodeId, NodeId)],
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
    fn stored(self) -> Option<&'t Stored<'t>> {
        self.tree.nodes.get(self.id as usize)
    }

    pub(crate) fn at(self) -> Pos {
        self.stored().map_or(Pos::START, |node| node.at)
    }

    pub(crate) fn content(self) -> Content<'t> {
        match self.stored().map(|node| &node.kind) {
            Some(Kind::Scalar { text, plain }) => Content::Scalar { text, plain: *plain },
            Some(Kind::Sequence(items)) => Content::Sequence(Sequence {
                tree: self.tree,
                items,
            }),
            Some(Kind::Mapping(entries)) => Content::Mapping(Mapping {
                tree: self.tree,
                entries,
            }),
            None => Content::Scalar {
                text: "",
                plain: true,
            },
        }
    }

    pub(crate) fn scalar(self) -> Option<&'t str> {
        match self.content() {
            Content::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether the node is null: no value, `~` or `null`.
    pub(crate) fn is_null(self) -> bool {
        matches!(
            self.content(),
            Content::Scalar {
                text: "" | "~" | "null" | "Null" | "NULL",
                plain: true
            }
        )
    }

    /// Returns the words for this kind of node in "expected …, found …".
    pub(crate) fn describe(self) -> &'static str {
        match self.content() {
            _ if self.is_null() => "nothing",
            Content::Scalar {
                text: "true" | "false",
                plain: true,
            } => "a boolean",
            Content::Scalar { text, plain: true } if text.parse::<f64>().is_ok() => "a number",
            Content::Scalar { .. } => "a string",
            Content::Sequence(_) => "a list",
            Content::Mapping(_) => "a mapping",
        }
    }
}

impl Tree<'_> {
    /// Returns a tree of one mapping without entries.
    pub(crate) fn nothing(file: FileId) -> Self {
        let (at, kind) = (file.start(), Kind::Mapping(Vec::new()));
        Self {
            nodes: vec![Stored { at, kind }],
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
            let Kind::Mapping(entries) = &node.kind else {
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
            if let Kind::Scalar { text, .. } = &mut node.kind {
                edit(node.at, text);
            }
        }
    }

    /// Replaces the scalars at these positions by empty mappings, so that no type of scalar decodes from them.
    pub(crate) fn lose(&mut self, places: &HashSet<Pos>) {
        if places.is_empty() {
            return;
        }
        let scalar =
            |node: &&mut Stored<'s>| matches!(node.kind, Kind::Scalar { .. }) && places.contains(&node.at);
        for node in self.nodes.iter_mut().filter(scalar) {
            node.kind = Kind::Mapping(Vec::new());
        }
    }
}

/// Parses `text`, the content of `file`, as one document. Returns `None` if it has nothing but comments.
pub(crate) fn compose(text: &str, file: FileId) -> Result<Option<Tree<'_>>, Fault> {
    match simple::compose(text, file, node_limit(text.len())) {
        Some(tree) => Ok(Some(tree)),
        None => compose_any(text, file),
    }
}

/// Parses `text` with the general parser, which knows all of YAML.
fn compose_any(text: &str, file: FileId) -> Result<Option<Tree<'_>>, Fault> {
    let options = options! { flow_nesting_limit: MAX_DEPTH, block_nesting_limit: MAX_DEPTH };
    let mut builder = Builder::new(text.len(), file);
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| syntax::fault(&error, text, file))?;
        builder.event(event, &span)?;
    }
    Ok(builder.finish())
}

fn pos(marker: &Marker, file: FileId) -> Pos {
    let from_one = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Pos {
        file,
        line: from_one(marker.line()),
        col: from_one(marker.col().saturating_add(1)),
    }
}

/// A collection that is being parsed.
struct Open {
    id: NodeId,
    anchor: usize,
    /// Number of nodes once aliases are expanded, the collection itself included.
    weight: usize,
    /// Key of a mapping that waits for its value.
    key: Option<NodeId>,
}

struct Anchored {
    id: NodeId,
    /// `None` while the node is being parsed: an alias to it would contain itself.
    weight: Option<usize>,
}

/// Returns the number of nodes that a file of `bytes` bytes may have.
fn node_limit(bytes: usize) -> usize {
    MIN_NODES.saturating_add(bytes / BYTES_PER_NODE).min(MAX_NODES)
}

struct Builder<'s> {
    nodes: Vec<Stored<'s>>,
    open: Vec<Open>,
    anchors: HashMap<usize, Anchored>,
    file: FileId,
    limit: usize,
    documents: usize,
}

impl<'s> Builder<'s> {
    fn new(bytes: usize, file: FileId) -> Self {
        Self {
            nodes: Vec::new(),
            open: Vec::new(),
            anchors: HashMap::new(),
            file,
            limit: node_limit(bytes),
            documents: 0,
        }
    }

    fn event(&mut self, event: Event<'s>, span: &Span) -> Result<(), Fault> {
        let at = pos(&span.start, self.file);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Fault::new(at, "more than one YAML document in the file"));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.as_deref(), span, self.file)?;
                if text.len() > MAX_SCALAR {
                    return Err(Fault::new(
                        at,
                        format!("value is longer than {} KiB", MAX_SCALAR / 1024),
                    ));
                }
                let id = self.add(
                    at,
                    Kind::Scalar {
                        text,
                        plain: style == ScalarStyle::Plain,
                    },
                )?;
                self.remember(anchor, id, Some(1));
                self.attach(id, 1, at)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_tag(tag.as_deref(), span, self.file)?;
                self.begin(at, Kind::Sequence(Vec::new()), anchor)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_tag(tag.as_deref(), span, self.file)?;
                self.begin(at, Kind::Mapping(Vec::new()), anchor)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(at)?,
            Event::Alias(anchor) => self.alias(anchor, at)?,
            _ => {}
        }
        Ok(())
    }

    fn add(&mut self, at: Pos, kind: Kind<'s>) -> Result<NodeId, Fault> {
        if self.nodes.len() >= self.limit {
            return Err(Fault::new(
                at,
                format!("more than {} values in a file of this size", self.limit),
            ));
        }
        let id = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes.push(Stored { at, kind });
        Ok(id)
    }

    fn begin(&mut self, at: Pos, kind: Kind<'s>, anchor: usize) -> Result<(), Fault> {
        let id = self.add(at, kind)?;
        self.remember(anchor, id, None);
        self.open.push(Open {
            id,
            anchor,
            weight: 1,
            key: None,
        });
        Ok(())
    }

    fn end(&mut self, at: Pos) -> Result<(), Fault> {
        let Some(closed) = self.open.pop() else {
            return Ok(());
        };
        merge::expand(&mut self.nodes, closed.id)?;
        self.remember(closed.anchor, closed.id, Some(closed.weight));
        self.attach(closed.id, closed.weight, at)
    }

    fn alias(&mut self, anchor: usize, at: Pos) -> Result<(), Fault> {
        match self.anchors.get(&anchor) {
            Some(&Anchored {
                id,
                weight: Some(weight),
            }) => self.attach(id, weight, at),
            Some(Anchored { weight: None, .. }) => {
                Err(Fault::new(at, "alias to a collection that contains it"))
            }
            None => Err(Fault::new(at, "alias to an unknown anchor")),
        }
    }

    fn remember(&mut self, anchor: usize, id: NodeId, weight: Option<usize>) {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored { id, weight });
        }
    }

    /// Adds a complete node to the collection around it.
    fn attach(&mut self, id: NodeId, weight: usize, at: Pos) -> Result<(), Fault> {
        let total = match self.open.last_mut() {
            Some(parent) => {
                parent.weight = parent.weight.saturating_add(weight);
                parent.weight
            }
            None => weight,
        };
        if total > self.limit {
            return Err(Fault::new(
                at,
                format!("aliases expand to more than {} values", self.limit),
            ));
        }
        let Some(parent) = self.open.last_mut() else {
            return Ok(());
        };
        match self.nodes.get_mut(parent.id as usize).map(|node| &mut node.kind) {
            Some(Kind::Sequence(items)) => items.push(id),
            Some(Kind::Mapping(entries)) => match parent.key.take() {
                Some(key) => entries.push((key, id)),
                None => parent.key = Some(id),
            },
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Option<Tree<'s>> {
        let tree = Tree { nodes: self.nodes };
        if tree.nodes.is_empty() || tree.root().is_null() {
            None
        } else {
            Some(tree)
        }
    }
}

fn refuse_tag(tag: Option<&Tag>, span: &Span, file: FileId) -> Result<(), Fault> {
    match tag {
        None => Ok(()),
        Some(_) => Err(Fault::new(
            pos(&span.tag_start().unwrap_or(span.start), file),
            "YAML tags are not supported",
        )),
    }
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
        let Content::Mapping(mapping) = tree.root().content() else {
            panic!("no mapping")
        };
        let (key, value) = mapping.iter().nth(1).unwrap();
        assert_eq!((key.at(), value.at()), (at(2, 1), at(2, 4)));
        let Content::Sequence(list) = value.content() else {
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
            let Content::Mapping(mapping) = tree.root().content() else {
                panic!("no mapping")
            };
            assert_eq!(mapping.iter().next().unwrap().1.is_null(), null, "{text}");
        }
    }

    #[test]
    fn an_alias_is_its_target() {
        let tree = compose("[&a {k: v}, *a, *a]", FileId::MAIN).unwrap().unwrap();
        let Content::Sequence(list) = tree.root().content() else {
            panic!("no list")
        };
        assert!(list.iter().all(|node| node.at() == at(1, 5)));
        assert_eq!(tree.nodes.len(), 4);
    }
}
