//! The exchange of a fence between two reloads.

use std::sync::Arc;

use super::Reloader;
use crate::control::runtime::fences::{self, EndedFence};
use crate::drain::ConnectionTracker;
use crate::filter::FenceFacts;
use crate::model::FenceModel;

impl Reloader {
    /// Exchanges the fence of a virtual cluster. Returned are its sessions, which have to be told, and then the fence before, to be
    /// released.
    pub(in crate::control) fn exchange_fence(
        &mut self,
        name: &str,
        fence: Option<(Arc<FenceModel>, FenceFacts)>,
    ) -> (Vec<Arc<ConnectionTracker>>, Option<EndedFence>) {
        let known = self.clusters.get(name).map(|cluster| self.topics_of(cluster));
        let (Some(topics), Some(cluster)) = (known, self.clusters.get_mut(name)) else {
            return (Vec::new(), None);
        };
        let before = cluster.filters.fence().cloned();
        let fence = fence
            .map(|(settings, facts)| fences::fence(settings, facts, Arc::clone(&topics), &cluster.context));
        let filters = std::mem::take(&mut cluster.filters);
        cluster.filters = filters.knowing(topics).fenced(fence);
        cluster.context.set_chain(cluster.filters.chain().cloned());
        let ended = fences::exchange(name, before.as_ref(), cluster.filters.fence());
        (cluster.trackers().cloned().collect(), ended)
    }
}
