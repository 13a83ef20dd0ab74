//! Node ids of a gateway.

use super::names::{Unique, check_name};
use super::scope::Scope;
use crate::config::schema::{NodeIdRange, PortIdentifiesNode};
use crate::config::{Errors, List, Spanned};

/// Default for `nodeIdRanges`: a small cluster numbered from 0.
const DEFAULT_IDS: std::ops::RangeInclusive<i32> = 0..=2;

/// Maximum number of node ids; each is a bound port.
const MAX_NODES: u64 = 65_536;

/// Resolves the node ids in ascending order; reports an error and returns `None` if the ranges are wrong.
pub(super) fn node_ids(by_port: &Spanned<PortIdentifiesNode>, scope: &mut Scope<'_>) -> Option<Vec<i32>> {
    let Some(ranges) = &by_port.value.node_id_ranges else {
        take_ports(3, by_port, scope)?;
        return Some(DEFAULT_IDS.collect());
    };
    let list = &ranges.value;
    if list.items.is_empty() && list.complete && by_port.value.dynamic_node_ports.is_none() {
        if by_port.value.shape.is_sound() {
            scope.errors.push(
                ranges.at,
                "`nodeIdRanges` is empty and there are no `dynamicNodePorts`",
            );
        }
        return None;
    }
    let bounds = checked(list, &mut scope.errors)?;
    let count: u64 = bounds
        .iter()
        .map(|&(start, end)| u64::from(end.abs_diff(start)) + 1)
        .sum();
    if count > MAX_NODES {
        scope.errors.push(
            ranges.at,
            format!("{count} node ids, at most {MAX_NODES} have ports"),
        );
        return None;
    }
    take_ports(usize::try_from(count).ok()?, by_port, scope)?;
    Some(bounds.into_iter().flat_map(|(start, end)| start..=end).collect())
}

fn take_ports(count: usize, by_port: &Spanned<PortIdentifiesNode>, scope: &mut Scope<'_>) -> Option<()> {
    let left = scope.ports_left.checked_sub(count);
    match left {
        Some(left) => scope.ports_left = left,
        None => scope.errors.push(
            by_port.key,
            "the file binds more ports than a process can have open",
        ),
    }
    left.map(|_| ())
}

/// Start and end of every range, in ascending order and disjoint.
fn checked(list: &List<NodeIdRange>, errors: &mut Errors) -> Option<Vec<(i32, i32)>> {
    let mut unique = Unique::new("node id range");
    let mut fine = true;
    let mut sorted: Vec<&Spanned<NodeIdRange>> = Vec::with_capacity(list.items.len());
    for range in &list.items {
        if let Some(name) = &range.value.name {
            check_name(name, errors);
            unique.check(&name.value, name.at, errors);
        }
        let (start, end) = (range.value.start.value.0, range.value.end.value.0);
        if start > end {
            errors.push(
                range.value.end.at,
                format!("`end` {end} is before `start` {start}"),
            );
            fine = false;
        } else {
            sorted.push(range);
        }
    }
    sorted.sort_by_key(|range| range.value.start.value);
    let mut widest: Option<&Spanned<NodeIdRange>> = None;
    for range in sorted.iter().copied() {
        if let Some(other) = widest.filter(|other| other.value.end.value >= range.value.start.value) {
            let (first, second) = if other.at < range.at {
                (other, range)
            } else {
                (range, other)
            };
            errors.push(
                second.at,
                format!("node ids overlap with the range on line {}", first.at.line),
            );
            fine = false;
        }
        if widest.is_none_or(|other| other.value.end.value < range.value.end.value) {
            widest = Some(range);
        }
    }
    let bounds = |range: &Spanned<NodeIdRange>| (range.value.start.value.0, range.value.end.value.0);
    fine.then(|| sorted.into_iter().map(bounds).collect())
}
