//! Merge keys: `<<` takes in the entries of other mappings (yaml.org/type/merge.html).
//!
//! Merged entries keep their positions. A mapping is expanded when it ends: every mapping that it refers to is complete then,
//! and already counted against the limit of nodes by its alias.

use std::collections::HashSet;

use super::{NodeIndex, NodeKind, StoredNode, YamlFault};

const MERGE: &str = "<<";

/// Appends the entries that the mapping `id` merges to its own. Its own keys win, then those of the mappings named first.
///
/// # Errors
/// A [`YamlFault`] if there are two merge keys, or if anything but a mapping or a list of mappings is merged.
pub(super) fn expand(nodes: &mut [StoredNode<'_>], id: NodeIndex) -> Result<(), YamlFault> {
    let Some(NodeKind::Mapping(written)) = kind(nodes, id) else {
        return Ok(());
    };
    let mut merges = written.iter().filter(|(key, _)| is_merge(nodes, *key));
    let Some(&(first, merged)) = merges.next() else {
        return Ok(());
    };
    if let Some(&(second, _)) = merges.next() {
        let line = nodes.get(first as usize).map_or(0, |node| node.at.line);
        return Err(fault(
            nodes,
            second,
            &format!("duplicate key `<<`, already on line {line}"),
        ));
    }
    let mut entries: Vec<(NodeIndex, NodeIndex)> =
        written.iter().copied().filter(|(key, _)| *key != first).collect();
    let mut known: HashSet<&str> = entries.iter().filter_map(|(key, _)| name(nodes, *key)).collect();
    let one = [merged];
    let sources: &[NodeIndex] = match kind(nodes, merged) {
        Some(NodeKind::Sequence(items)) => items,
        _ => &one,
    };
    for &source in sources {
        let Some(NodeKind::Mapping(taken)) = kind(nodes, source) else {
            return Err(fault(
                nodes,
                source,
                "`<<` merges a mapping, or a list of mappings",
            ));
        };
        let fresh = taken
            .iter()
            .filter(|(key, _)| name(nodes, *key).is_none_or(|name| known.insert(name)));
        entries.extend(fresh);
    }
    if let Some(node) = nodes.get_mut(id as usize) {
        node.kind = NodeKind::Mapping(entries);
    }
    Ok(())
}

fn kind<'n, 's>(nodes: &'n [StoredNode<'s>], id: NodeIndex) -> Option<&'n NodeKind<'s>> {
    nodes.get(id as usize).map(|node| &node.kind)
}

fn name<'n>(nodes: &'n [StoredNode<'_>], id: NodeIndex) -> Option<&'n str> {
    match kind(nodes, id) {
        Some(NodeKind::Scalar { text, .. }) => Some(text),
        _ => None,
    }
}

/// Whether `key` is a merge key. In quotes it is an ordinary key.
fn is_merge(nodes: &[StoredNode<'_>], key: NodeIndex) -> bool {
    matches!(kind(nodes, key), Some(NodeKind::Scalar { text, plain: true }) if text == MERGE)
}

fn fault(nodes: &[StoredNode<'_>], id: NodeIndex, message: &str) -> YamlFault {
    let at = nodes
        .get(id as usize)
        .map_or(crate::config::Pos::START, |node| node.at);
    YamlFault::new(at, message)
}
