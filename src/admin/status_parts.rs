//! The JSON of `/status`, made part by part: that of ten thousand virtual clusters has megabytes, which need not exist at once.

use std::sync::Arc;

use serde::Serialize;

use crate::control::Observe;

/// Virtual clusters in a part.
const PART: usize = 128;

/// Where the virtual clusters stand in a status without any. No text in JSON has this, because its quotation marks are escaped.
const CLUSTERS: &str = "\"clusters\":[";

/// The parts of a status.
#[derive(Debug)]
pub(super) struct StatusParts {
    observed: Arc<dyn Observe>,
    /// Names of the virtual clusters, in order.
    names: Vec<String>,
    /// The first of `names` that has not been written.
    next: usize,
    /// The text before the clusters; empty once it is written.
    head: String,
    /// The text behind them; `None` once it is written.
    tail: Option<String>,
}

impl StatusParts {
    /// Reads everything but the virtual clusters.
    pub(super) fn new(observed: Arc<dyn Observe>) -> Self {
        let observation = observed.observation();
        // It is made of strings and numbers.
        let mut head = serde_json::to_string(&observation.status).unwrap_or_default();
        let place = head.find(CLUSTERS).map_or(head.len(), |at| at + CLUSTERS.len());
        let mut tail = head.split_off(place);
        tail.push('\n');
        Self {
            observed,
            names: observation
                .clusters
                .into_iter()
                .map(|cluster| cluster.name)
                .collect(),
            next: 0,
            head,
            tail: Some(tail),
        }
    }

    /// Returns how much memory it takes until it is complete, roughly.
    pub(super) fn size(&self) -> usize {
        const OF_A_NAME: usize = 64;
        self.head.len() + self.tail.as_ref().map_or(0, String::len) + OF_A_NAME * self.names.len()
    }
}

impl Iterator for StatusParts {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        self.tail.as_ref()?;
        let mut part = std::mem::take(&mut self.head).into_bytes();
        let is_first = self.next == 0;
        let end = (self.next + PART).min(self.names.len());
        let names: Vec<&str> = self.names[self.next..end].iter().map(String::as_str).collect();
        for (place, cluster) in self.observed.clusters_named(&names).iter().enumerate() {
            if place > 0 || !is_first {
                part.push(b',');
            }
            let mut writer = serde_json::Serializer::new(&mut part);
            // It is made of strings and numbers, and a vector takes all bytes.
            cluster.serialize(&mut writer).unwrap_or_default();
        }
        self.next = end;
        if end == self.names.len()
            && let Some(tail) = self.tail.take()
        {
            part.extend_from_slice(tail.as_bytes());
        }
        Some(part)
    }
}
