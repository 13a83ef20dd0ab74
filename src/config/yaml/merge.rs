//! Merge keys: `<<` takes in the entries of other mappings (yaml.org/type/merge.html).
//!
//! Merged entries keep their positions. A mapping is expanded when it ends: every mapping that it refers to is complete then,
//! and already counted against the limit of nodes by its alias.

use std::collections::HashSet;

use super::{Fault, Kind, NodeId, Stored};

const MERGE: &str = "<<";

/// Appends the entries that the mapping `id` merges to its own. Its own keys win, then those of the mappings named first.
///
/// # Errors
/// A [`Fault`] if there are two merge keys, or if anything but a mapping or a list of mappings is merged.
pub(super) fn expand(nodes: &mut [Stored<'_>], id: NodeId) -> Result<(), Fault> {
    let Some(Kind::Mapping(written)) = kind(nodes, id) else {
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
    let mut entries: Vec<(NodeId, NodeId)> =
        written.iter().copied().filter(|(key, _)| *key != first).collect();
    let mut known: HashSet<&str> = entries.iter().filter_map(|(key, _)| name(nodes, *key)).collect();
    let one = [merged];
    let sources: &[NodeId] = match kind(nodes, merged) {
        Some(Kind::Sequence(items)) => items,
        _ => &one,
    };
    for &source in sources {
        let Some(Kind::Mapping(taken)) = kind(nodes, source) else {
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
        node.kind = Kind::Mapping(entries);
    }
    Ok(())
}

fn kind<'n, 's>(nodes: &'n [Stored<'s>], id: NodeId) -> Option<&'n Kind<'s>> {
    nodes.get(id as usize).map(|node| &node.kind)
}

fn name<'n>(nodes: &'n [Stored<'_>], id: NodeId) -> Option<&'n str> {
    match kind(nodes, id) {
        Some(Kind::Scalar { text, .. }) => Some(text),
        _ => None,
    }
}

/// Whether `key` is a merge key. In quotes it is an ordinary key.
fn is_merge(nodes: &[Stored<'_>], key: NodeId) -> bool {
    matches!(kind(nodes, key), Some(Kind::Scalar { text, plain: true }) if text == MERGE)
}

fn fault(nodes: &[Stored<'_>], id: NodeId, message: &str) -> Fault {
    let at = nodes
        .get(id as usize)
        .map_or(crate::config::Pos::START, |node| node.at);
    Fault::new(at, message)
}
