//! Answers that name brokers and are held until they can be rewritten: the small ones whole, Metadata up to the
//! end of its broker list.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use super::answer::{BrokerAnswer, malformed};
use crate::model::HostPort;
use crate::session::cause::Fault;
use crate::session::counters::add;
use crate::session::inspect::kafka::KafkaInspector;
use crate::session::inspect::seam::{FrameAction, stage_frame};
use crate::session::nodes::NodeTable;
use crate::session::output::Output;
use crate::session::topology::MOST_NODES;
use crate::wire::Malformed;
use crate::wire::api::ApiKey;
use crate::wire::frame::SIZE_LEN;
use crate::wire::rewrite::{self, Listing, NodeRef, RewriteCounts};

/// Withheld nodes whose ids are logged; more are only counted.
const MAX_LOGGED_NODES: usize = 20;

const ENDS_WITHIN_BROKERS: Malformed = Malformed {
    what: "Metadata: it ends within its brokers",
};

impl KafkaInspector {
    /// Replaces the beginning of an answer, up to the end of its broker list; what follows passes. Only the beginning is
    /// held, so the size of the whole answer does not matter.
    pub(super) fn rewrite_prefix(
        &mut self,
        answer: &BrokerAnswer<'_>,
        out: &mut Output,
    ) -> Result<FrameAction, Fault> {
        let (key, version) = (answer.asked.api_key, answer.asked.api_version);
        let Some((head, body)) = answer.split_at_body()? else {
            return Ok(FrameAction::Hold);
        };
        let Some(prefix) = rewrite::prefix_len(key, version, body).map_err(malformed)? else {
            if answer.frame.is_complete() {
                return Err(malformed(ENDS_WITHIN_BROKERS));
            }
            return Ok(FrameAction::Hold);
        };
        let (prefix, rest) = body.split_at(prefix);
        if let Some(id) = rewrite::cluster_id(key, version, rest) {
            self.context.binding().cluster.target.topology.note_cluster_id(id);
        }
        self.rewrite_part(answer, head, prefix, out)
    }

    /// Replaces a small answer that has arrived whole.
    pub(super) fn rewrite_whole(
        &mut self,
        answer: &BrokerAnswer<'_>,
        out: &mut Output,
    ) -> Result<FrameAction, Fault> {
        match answer.split_at_body()? {
            None => Ok(FrameAction::Hold),
            Some((head, body)) => self.rewrite_part(answer, head, body, out),
        }
    }

    /// Replaces `head` and `part`, with which the answer begins.
    fn rewrite_part(
        &mut self,
        answer: &BrokerAnswer<'_>,
        head: &[u8],
        part: &[u8],
        out: &mut Output,
    ) -> Result<FrameAction, Fault> {
        let (key, version) = (answer.asked.api_key, answer.asked.api_version);
        if let Some(nodes) = self.learn_brokers(key, version, part)? {
            return Ok(FrameAction::NeedEndpoints { nodes });
        }
        let taken = SIZE_LEN + head.len() + part.len();
        let endpoints = self.context.endpoints();
        let mut counts = RewriteCounts::default();
        let with = stage_frame(out, head, answer.frame.len() - taken, |bytes| {
            counts = rewrite::rewrite(key, version, part, &*endpoints, bytes)?;
            Ok(())
        })
        .map_err(malformed)?;
        self.count_rewritten(counts, &endpoints, key, version, part);
        Ok(FrameAction::Replace { taken, with })
    }

    /// Takes in the answer to kproxy's own question over a client's connection, which is not passed on.
    pub(super) fn brokers_answered(&mut self, answer: &BrokerAnswer<'_>) -> Result<FrameAction, Fault> {
        if !answer.frame.is_complete() {
            return answer.hold_whole();
        }
        let Some((_, body)) = answer.split_at_body()? else {
            return Ok(FrameAction::Hold);
        };
        // The question was Metadata, and what is asked for of it ends with its brokers.
        let (key, version) = (answer.asked.api_key, answer.asked.api_version);
        let prefix = rewrite::prefix_len(key, version, body)
            .map_err(malformed)?
            .and_then(|end| body.get(..end))
            .ok_or_else(|| malformed(ENDS_WITHIN_BROKERS))?;
        self.learn_addresses(key, version, prefix)?;
        if let Some(learning) = &mut self.learning
            && learning.conclude(self.context.binding())
        {
            self.learning = None;
        }
        Ok(FrameAction::Discard {
            taken: answer.frame.len(),
        })
    }

    /// Learns from the brokers that `part` of an answer names. Returns those that have no endpoint yet and could be
    /// given one.
    pub(super) fn learn_brokers(
        &self,
        key: i16,
        version: i16,
        part: &[u8],
    ) -> Result<Option<Vec<i32>>, Fault> {
        if key == ApiKey::DESCRIBE_QUORUM {
            // It names controllers, which are not brokers: neither learned from nor given endpoints.
            return Ok(None);
        }
        self.learn_addresses(key, version, part)?;
        let binding = self.context.binding();
        let directory = &binding.gateway.directory;
        if !directory.grows() {
            return Ok(None);
        }
        let topology = &binding.cluster.target.topology;
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

    /// Tells the topology what `part` says about addresses. Two walks: the first compares and allocates nothing, for nearly
    /// every answer says what is known already.
    fn learn_addresses(&self, key: i16, version: i16, part: &[u8]) -> Result<(), Fault> {
        let target = &self.context.binding().cluster.target;
        let (topology, mut racks) = (&target.topology, target.rack_reader());
        let known = topology.snapshot();
        let (mut news, mut named) = (false, 0);
        let listing = rewrite::visit_nodes(key, version, part, &mut |node: NodeRef<'_>| {
            if let Some((host, port)) = node.dialable() {
                named += 1;
                if let Some(racks) = &mut racks {
                    racks.see(host, port, node.rack);
                }
                news |= known
                    .get(&node.id)
                    .is_none_or(|address| address.host != host || address.port != port);
            }
        })
        .map_err(malformed)?;
        if let Some(racks) = racks {
            racks.keep();
        }
        if listing == Listing::Full {
            topology.confirm();
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
        self.context.learn(&seen, listing);
        Ok(())
    }

    /// Counts what was rewritten and withheld, and logs the first withheld node of the gateway.
    pub(super) fn count_rewritten(
        &self,
        counts: RewriteCounts,
        table: &NodeTable,
        key: i16,
        version: i16,
        part: &[u8],
    ) {
        let binding = self.context.binding();
        let (cluster, gateway) = (&binding.cluster, &binding.gateway);
        add(&cluster.counters.rewritten_addresses, counts.rewritten.into());
        if counts.withheld == 0 {
            return;
        }
        add(&cluster.counters.withheld_nodes, counts.withheld.into());
        if key == ApiKey::DESCRIBE_QUORUM || gateway.withheld_logged.swap(true, Ordering::Relaxed) {
            return;
        }
        let (mut withheld, mut count) = (Vec::new(), 0);
        let visited = rewrite::visit_nodes(key, version, part, &mut |node: NodeRef<'_>| {
            if table.get(node.id).is_none() {
                count += 1;
                if withheld.len() < MAX_LOGGED_NODES {
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
}
