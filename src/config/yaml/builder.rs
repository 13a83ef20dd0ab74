//! The general parser: a tree built from the events of `granit_parser`.

use std::collections::HashMap;

use granit_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag, options};

use super::{MAX_DEPTH, MAX_SCALAR, NodeIndex, NodeKind, StoredNode, Tree, YamlFault, merge, syntax};
use crate::config::diagnostic::{FileId, Pos};

/// Number of nodes that any file may have, however small it is.
const MIN_NODES: usize = 20_000;

/// Number of nodes that no file may exceed, however large it is. It bounds the tree to about 64 MiB.
const MAX_NODES: usize = 1_500_000;

/// Number of bytes of a file that allow one node more. A file of 10 000 clusters has about 15 bytes per node, the densest
/// flow style about 6.
const BYTES_PER_NODE: usize = 4;

/// Parses `text` with the general parser, which knows all of YAML.
pub(super) fn compose(text: &str, file: FileId) -> Result<Option<Tree<'_>>, YamlFault> {
    let options = options! { flow_nesting_limit: MAX_DEPTH, block_nesting_limit: MAX_DEPTH };
    let mut builder = Builder::new(text.len(), file);
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| syntax::fault(&error, text, file))?;
        builder.event(event, &span)?;
    }
    Ok(builder.finish())
}

/// Returns the position of a marker of the parser.
pub(in crate::config) fn pos(marker: &Marker, file: FileId) -> Pos {
    let from_one = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Pos {
        file,
        line: from_one(marker.line()),
        col: from_one(marker.col().saturating_add(1)),
    }
}

/// A collection that is being parsed.
struct OpenCollection {
    id: NodeIndex,
    anchor: usize,
    /// Number of nodes once aliases are expanded, the collection itself included.
    weight: usize,
    /// Key of a mapping that waits for its value.
    key: Option<NodeIndex>,
}

/// The target of an alias.
struct Anchor {
    id: NodeIndex,
    /// `None` while the node is being parsed: an alias to it would contain itself.
    weight: Option<usize>,
}

/// Returns the number of nodes that a file of `bytes` bytes may have.
pub(in crate::config) fn node_limit(bytes: usize) -> usize {
    MIN_NODES.saturating_add(bytes / BYTES_PER_NODE).min(MAX_NODES)
}

/// A tree under construction.
struct Builder<'s> {
    nodes: Vec<StoredNode<'s>>,
    open: Vec<OpenCollection>,
    anchors: HashMap<usize, Anchor>,
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

    fn event(&mut self, event: Event<'s>, span: &Span) -> Result<(), YamlFault> {
        let at = pos(&span.start, self.file);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(YamlFault::new(at, "more than one YAML document in the file"));
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.as_deref(), span, self.file)?;
                if text.len() > MAX_SCALAR {
                    return Err(YamlFault::new(
                        at,
                        format!("value is longer than {} KiB", MAX_SCALAR / 1024),
                    ));
                }
                let id = self.add(
                    at,
                    NodeKind::Scalar {
                        text,
                        plain: style == ScalarStyle::Plain,
                    },
                )?;
                self.remember(anchor, id, Some(1));
                self.attach(id, 1, at)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_tag(tag.as_deref(), span, self.file)?;
                self.begin(at, NodeKind::Sequence(Vec::new()), anchor)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_tag(tag.as_deref(), span, self.file)?;
                self.begin(at, NodeKind::Mapping(Vec::new()), anchor)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(at)?,
            Event::Alias(anchor) => self.alias(anchor, at)?,
            _ => {}
        }
        Ok(())
    }

    fn add(&mut self, at: Pos, kind: NodeKind<'s>) -> Result<NodeIndex, YamlFault> {
        if self.nodes.len() >= self.limit {
            return Err(YamlFault::new(
                at,
                format!("more than {} values in a file of this size", self.limit),
            ));
        }
        let id = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        self.nodes.push(StoredNode { at, kind });
        Ok(id)
    }

    fn begin(&mut self, at: Pos, kind: NodeKind<'s>, anchor: usize) -> Result<(), YamlFault> {
        let id = self.add(at, kind)?;
        self.remember(anchor, id, None);
        self.open.push(OpenCollection {
            id,
            anchor,
            weight: 1,
            key: None,
        });
        Ok(())
    }

    fn end(&mut self, at: Pos) -> Result<(), YamlFault> {
        let Some(closed) = self.open.pop() else {
            return Ok(());
        };
        merge::expand(&mut self.nodes, closed.id)?;
        self.remember(closed.anchor, closed.id, Some(closed.weight));
        self.attach(closed.id, closed.weight, at)
    }

    fn alias(&mut self, anchor: usize, at: Pos) -> Result<(), YamlFault> {
        match self.anchors.get(&anchor) {
            Some(&Anchor {
                id,
                weight: Some(weight),
            }) => self.attach(id, weight, at),
            Some(Anchor { weight: None, .. }) => {
                Err(YamlFault::new(at, "alias to a collection that contains it"))
            }
            None => Err(YamlFault::new(at, "alias to an unknown anchor")),
        }
    }

    fn remember(&mut self, anchor: usize, id: NodeIndex, weight: Option<usize>) {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchor { id, weight });
        }
    }

    /// Adds a complete node to the collection around it.
    fn attach(&mut self, id: NodeIndex, weight: usize, at: Pos) -> Result<(), YamlFault> {
        let total = match self.open.last_mut() {
            Some(parent) => {
                parent.weight = parent.weight.saturating_add(weight);
                parent.weight
            }
            None => weight,
        };
        if total > self.limit {
            return Err(YamlFault::new(
                at,
                format!("aliases expand to more than {} values", self.limit),
            ));
        }
        let Some(parent) = self.open.last_mut() else {
            return Ok(());
        };
        match self.nodes.get_mut(parent.id as usize).map(|node| &mut node.kind) {
            Some(NodeKind::Sequence(items)) => items.push(id),
            Some(NodeKind::Mapping(entries)) => match parent.key.take() {
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

fn refuse_tag(tag: Option<&Tag>, span: &Span, file: FileId) -> Result<(), YamlFault> {
    match tag {
        None => Ok(()),
        Some(_) => Err(YamlFault::new(
            pos(&span.tag_start().unwrap_or(span.start), file),
            "YAML tags are not supported",
        )),
    }
}
