//! Answers that name brokers and are held until they can be rewritten: the small ones whole, Metadata up to the
//! end of its broker list.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use super::frame::{Frame, hold, malformed, replace};
use super::{Fate, KafkaInspector, real_answer};
use crate::model::HostPort;
use crate::session::cause::Fault;
use crate::session::counters::add;
use crate::session::nodes::NodeTable;
use crate::session::output::Output;
use crate::session::topology::MOST_NODES;
use crate::wire::Malformed;
use crate::wire::api::ApiKey;
use crate::wire::frame::SIZE_LEN;
use crate::wire::rewrite::{self, Listing, NodeRef, Tally};

/// Withheld nodes that are named in the log; more are only counted.
const NAMED: usize = 20;

const ENDS_WITHIN_BROKERS: Malformed = Malformed {
    what: "Metadata: it ends within its brokers",
};

/// Metadata: everything up to the end of `brokers[]` is replaced, the topics behind it pass.
pub(super) fn metadata(
    session: &mut KafkaInspector,
    frame: &Frame<'_>,
    out: &mut Output,
) -> Result<Fate, Fault> {
    let version = frame.asked.api_version;
    // Only the prefix is held, so the size of the whole answer does not matter here.
    let Some(start) = frame.body()? else {
        return Ok(Fate::Hold);
    };
    let (head, body) = frame.here().split_at(start);
    let Some(prefix) = rewrite::prefix_len(version, body).map_err(malformed)? else {
        if frame.is_complete() {
            return Err(malformed(ENDS_WITHIN_BROKERS));
        }
        return Ok(Fate::Hold);
    };
    let prefix = &body[..prefix];
    if let Some(nodes) = look(session, ApiKey::METADATA, version, prefix)? {
        return Ok(Fate::NeedEndpoints { nodes });
    }
    let taken = SIZE_LEN + head.len() + prefix.len();
    let following = frame.len() - taken;
    let table = session.directory();
    let mut tally = Tally::default();
    replace(out, head, following, |bytes| {
        tally = rewrite::rewrite(ApiKey::METADATA, version, prefix, &*table, bytes)?;
        Ok(())
    })
    .map_err(malformed)?;
    count(session, tally, &table, ApiKey::METADATA, version, prefix);
    real_answer(session);
    session.in_flight.pop();
    session.response.left = following as u32;
    Ok(Fate::Next { taken })
}

/// FindCoordinator, DescribeCluster, DescribeQuorum.
pub(super) fn whole(
    session: &mut KafkaInspector,
    frame: &Frame<'_>,
    out: &mut Output,
) -> Result<Fate, Fault> {
    if !frame.is_complete() {
        return hold(frame);
    }
    let Some(start) = frame.body()? else {
        return Ok(Fate::Hold);
    };
    let (key, version) = (frame.asked.api_key, frame.asked.api_version);
    let (head, body) = frame.here().split_at(start);
    if let Some(nodes) = look(session, key, version, body)? {
        return Ok(Fate::NeedEndpoints { nodes });
    }
    let table = session.directory();
    let mut tally = Tally::default();
    replace(out, head, 0, |bytes| {
        tally = rewrite::rewrite(key, version, body, &*table, bytes)?;
        Ok(())
    })
    .map_err(malformed)?;
    count(session, tally, &table, key, version, body);
    real_answer(session);
    session.in_flight.pop();
    Ok(Fate::Next { taken: frame.len() })
}

/// The answer to kproxy's own question over a client's connection: learned from, not passed on.
pub(super) fn own_answer(session: &mut KafkaInspector, frame: &Frame<'_>) -> Result<Fate, Fault> {
    if !frame.is_complete() {
        return hold(frame);
    }
    let Some(start) = frame.body()? else {
        return Ok(Fate::Hold);
    };
    // The question was Metadata, and what is asked for of it ends with its brokers.
    let version = frame.asked.api_version;
    let body = &frame.here()[start..];
    let prefix = rewrite::prefix_len(version, body)
        .map_err(malformed)?
        .and_then(|end| body.get(..end))
        .ok_or_else(|| malformed(ENDS_WITHIN_BROKERS))?;
    learn(session, frame.asked.api_key, version, prefix)?;
    session.in_flight.pop();
    session.conclude_learning();
    Ok(Fate::Next { taken: frame.len() })
}

/// Learns from the brokers that `part` of an answer names. Returns those that have no endpoint yet and could be
/// given one.
pub(super) fn look(
    session: &KafkaInspector,
    key: i16,
    version: i16,
    part: &[u8],
) -> Result<Option<Vec<i32>>, Fault> {
    if key == ApiKey::DESCRIBE_QUORUM {
        // It names controllers, which are nobody's brokers: neither learned from nor given endpoints.
        return Ok(None);
    }
    learn(session, key, version, part)?;
    let directory = &session.binding.gateway.directory;
    if !directory.grows() {
        return Ok(None);
    }
    let topology = &session.binding.cluster.target.topology;
    directory.follow(topology);
    let (table, known) = (directory.table(), topology.snapshot());
    // In the order of the answer: where ports are scarce, the first brokers get them, whatever a hash says.
    let (mut new, mut seen) = (Vec::new(), HashSet::new());
    rewrite::visit_nodes(key, version, part, &mut |node: NodeRef<'_>| {
        // What was not taken in is no node of the cluster's.
        if table.is_new(node.id) && known.contains_key(&node.id) && seen.insert(node.id) {
            new.push(node.id);
        }
    })
    .map_err(malformed)?;
    Ok((!new.is_empty()).then_some(new))
}

/// Two walks: the first compares and allocates nothing, for nearly every answer says what is known already.
fn learn(session: &KafkaInspector, key: i16, version: i16, part: &[u8]) -> Result<(), Fault> {
    let known = session.binding.cluster.target.topology.snapshot();
    let (mut news, mut named) = (false, 0);
    let listing = rewrite::visit_nodes(key, version, part, &mut |node: NodeRef<'_>| {
        if let Some((host, port)) = node.dialable() {
            named += 1;
            news |= known
                .get(&node.id)
                .is_none_or(|address| address.host != host || address.port != port);
        }
    })
    .map_err(malformed)?;
    if listing == Listing::Full {
        session.binding.cluster.target.topology.confirm();
    }
    let missing = listing == Listing::Full && named < known.len();
    if !news && !missing {
        return Ok(());
    }
    let mut seen = Vec::new();
    rewrite::visit_nodes(key, version, part, &mut |node: NodeRef<'_>| {
        // One more than there can be says that there are too many.
        if let Some((host, port)) = node.dialable().filter(|_| seen.len() <= MOST_NODES) {
            seen.push((
                node.id,
                HostPort {
                    host: host.to_owned(),
                    port,
                },
            ));
        }
    })
    .map_err(malformed)?;
    session.learn(&seen, listing);
    Ok(())
}

/// Counts what was rewritten and withheld, and logs the first withheld node of the gateway.
pub(super) fn count(
    session: &KafkaInspector,
    tally: Tally,
    table: &NodeTable,
    key: i16,
    version: i16,
    part: &[u8],
) {
    let (cluster, gateway) = (&session.binding.cluster, &session.binding.gateway);
    add(&cluster.counters.rewritten_addresses, tally.rewritten.into());
    if tally.withheld == 0 {
        return;
    }
    add(&cluster.counters.withheld_nodes, tally.withheld.into());
    if key == ApiKey::DESCRIBE_QUORUM || gateway.withheld_logged.swap(true, Ordering::Relaxed) {
        return;
    }
    let (mut withheld, mut count) = (Vec::new(), 0);
    let visited = rewrite::visit_nodes(key, version, part, &mut |node: NodeRef<'_>| {
        if table.get(node.id).is_none() {
            count += 1;
            if withheld.len() < NAMED {
                withheld.push(node.id);
            }
        }
    });
    debug_assert!(visited.is_ok(), "it has just been rewritten");
    tracing::warn!(
        cluster = %cluster.name,
        gateway = %gateway.name,
        count,
        nodes = ?withheld,
        "brokers are withheld from clients: no endpoint for their node ids; widen nodeIdRanges or dynamicNodePorts"
    );
}
