//! What an endpoint means, looked up when a connection is accepted there.

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use kproxy::cluster::{Listeners, SharedServices, build_cluster, planned_endpoints};
use kproxy::endpoint::ListenerBinding;
use kproxy::filter::FilterChain;
use kproxy::model::{self, ProxyModel};
use kproxy::reload::Plan;
use kproxy::session::context::ProcessContext;
use kproxy::session::routes::ListenerTarget;
use kproxy::session::upstream::UpstreamTarget;

use crate::figures::Figures;

const GOAL: f64 = 100.0;
const LOOKUPS: usize = 1_000_000;
/// Coprime to every number of bindings there may be: each is visited, none after its neighbour.
const STRIDE: usize = 7_919;

/// Looks endpoints of `yaml` up, the same one again and again and each in turn.
pub(crate) fn measure(yaml: &str, rounds: usize, figures: &mut Figures) -> Result<(), Box<dyn Error>> {
    let model = model::parse(yaml.as_bytes(), "proxy.yaml").map_err(|violations| violations[0].clone())?;
    let (endpoint_requests, _) = tokio::sync::mpsc::channel(1);
    let services = SharedServices {
        process: Arc::new(ProcessContext::new(model.network.clone())),
        endpoint_requests,
    };
    let mut bindings = Vec::new();
    let plan = Plan::between(&ProxyModel::empty(), &model);
    for cluster in plan.added() {
        let target = || {
            let target = UpstreamTarget::new(
                cluster.cluster.target.clone(),
                Default::default(),
                Arc::default(),
                Arc::default(),
            );
            target.map(Arc::new)
        };
        let nowhere = Listeners {
            bound: &|_| None,
            is_listening: &|_| false,
        };
        let endpoints = planned_endpoints(cluster, None);
        let prepared = build_cluster(
            cluster,
            endpoints,
            None,
            nowhere,
            &services,
            |_, _| FilterChain::default(),
            target,
        )?;
        bindings.extend(
            prepared
                .upserts
                .endpoints
                .into_iter()
                .map(|(_, binding)| ListenerBinding::new(ListenerTarget::Endpoint(binding))),
        );
    }
    for _ in 0..rounds {
        let name = "an endpoint's meaning, the same again and again";
        figures.note(name, "ns", Some(GOAL), each(&bindings, 0));
        let name = "an endpoint's meaning, all in turn";
        figures.note(name, "ns", Some(GOAL), each(&bindings, STRIDE));
    }
    Ok(())
}

/// Nanoseconds per look-up.
fn each(bindings: &[ListenerBinding], stride: usize) -> f64 {
    let begun = Instant::now();
    let mut index = 0;
    for _ in 0..LOOKUPS {
        black_box(bindings[index].target());
        index = (index + stride) % bindings.len();
    }
    begun.elapsed().as_secs_f64() * 1e9 / LOOKUPS as f64
}
