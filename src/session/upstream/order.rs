//! The order in which the bootstrap servers of a target are tried.

use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{RackReader, UpstreamTarget};
use crate::model::{BootstrapSelection, HostPort};

impl UpstreamTarget {
    /// Sets how the next bootstrap servers are picked.
    pub fn select(&self, selection: &BootstrapSelection) {
        if **self.selection.load() != *selection {
            self.selection.store(Arc::new(selection.clone()));
        }
    }

    /// The bootstrap servers in the order of the next attempts; servers that did not answer lately come last.
    pub(super) fn servers(&self) -> Vec<HostPort> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let all = || (0..self.bootstrap_servers.len()).collect::<Vec<_>>();
        let order = match &**self.selection.load() {
            BootstrapSelection::RoundRobin => beginning_with(all(), turn),
            BootstrapSelection::Random => {
                let random = usize::try_from(self.hasher.hash_one(turn) >> 1).unwrap_or(turn);
                beginning_with(all(), random)
            }
            BootstrapSelection::Nearest(rack) => {
                let (near, far) = self.racks.split(rack);
                [beginning_with(near, turn), beginning_with(far, turn)].concat()
            }
        };
        let mut servers: Vec<HostPort> = order
            .into_iter()
            .map(|place| self.bootstrap_servers[place].clone())
            .collect();
        self.silent_servers.last(&mut servers);
        servers
    }

    /// The racks of bootstrap servers, to be read from an answer; `None` where the strategy does not want them.
    pub fn rack_reader(&self) -> Option<RackReader<'_>> {
        let wants = matches!(&**self.selection.load(), BootstrapSelection::Nearest(_));
        wants.then(|| self.racks.reader(&self.bootstrap_servers))
    }

    /// The rack of a bootstrap server, where the strategy wants it and an answer has told it.
    pub fn rack(&self, server: &HostPort) -> Option<Box<str>> {
        self.rack_reader()?;
        let place = self.bootstrap_servers.iter().position(|known| known == server)?;
        self.racks.rack(place)
    }

    /// Bootstrap servers that are tried last, because they did not answer lately.
    pub fn tried_last(&self) -> impl Iterator<Item = &HostPort> {
        let servers = self.bootstrap_servers.iter();
        servers.filter(|server| self.silent_servers.has(server))
    }

    /// Bootstrap servers that are tried last although no attempt has failed, each once: they were overtaken.
    pub fn take_overtaken(&self) -> Vec<HostPort> {
        let mut overtaken = self.silent_servers.take_untold();
        overtaken.retain(|server| !self.health.is_failing(server));
        overtaken
    }
}

/// The places in turn, beginning with that of this turn.
fn beginning_with(mut places: Vec<usize>, turn: usize) -> Vec<usize> {
    let first = turn % places.len().max(1);
    places.rotate_left(first);
    places
}
