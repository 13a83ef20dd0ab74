//! The forward proxy on the way to brokers: whether the way is still the same after a change.

use super::super::effect::Effect::{self, Apply, ReplaceTarget};
use crate::model::ForwardProxy;

const VIA: &str = "virtualClusters[].targetCluster.via";
const CREDENTIALS: &str = "virtualClusters[].targetCluster.viaCredentialsFile";

pub(super) fn compare(
    old: Option<&ForwardProxy>,
    new: Option<&ForwardProxy>,
    changed: &mut impl FnMut(&'static str, Effect),
) {
    let (old, new) = match (old, new) {
        (None, None) => return,
        (Some(old), Some(new)) => (old, new),
        _ => return changed(VIA, ReplaceTarget),
    };
    let ForwardProxy {
        protocol,
        address,
        credentials,
    } = old;
    if *protocol != new.protocol || *address != new.address {
        changed(VIA, ReplaceTarget);
    } else if *credentials != new.credentials {
        changed(CREDENTIALS, Apply);
    }
}
