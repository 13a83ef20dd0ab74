//! Promise 10.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use testkit::broker::Broker;
use testkit::proxy::Setup;

/// Enough to keep the control thread busy for longer than many questions take.
const CLUSTERS: usize = 1000;

/// Number of questions. If they waited for the reload, there would be one or two.
const ANSWERS: usize = 5;

#[test]
fn questions_are_answered_while_a_thousand_clusters_are_added_and_changed() {
    let broker = Broker::echoing(b"ok");
    let before = Setup::to(&[broker.address]);
    let proxy = before.start();
    let with = |limit: usize| {
        let names = (0..CLUSTERS).map(|index| format!("c{index}"));
        names.fold(before.clone(), |setup, name| {
            setup.and(&name, &[broker.address]).other(&name, |cluster| {
                cluster.gateways[0].nodes.clear();
                cluster.max_connections = Some(limit);
            })
        })
    };
    for (limit, running) in [(1, 1), (2, 2)] {
        let after = with(limit);
        let (begun, ended, answers) = (
            AtomicBool::new(false),
            AtomicBool::new(false),
            AtomicUsize::new(0),
        );
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let is_early = |was_reloading: bool, generation: u64| {
                    let is_early = was_reloading && generation == running;
                    answers.fetch_add(usize::from(is_early), Ordering::Relaxed);
                };
                while !ended.load(Ordering::Relaxed) {
                    let was_reloading = begun.load(Ordering::Relaxed);
                    is_early(was_reloading, proxy.proxy.status().unwrap().generation);
                    // The whole status of a thousand clusters may take as long as their reload on a busy machine.
                    for _ in 0..ANSWERS {
                        let was_reloading = begun.load(Ordering::Relaxed);
                        proxy.proxy.gateway("c0", "main");
                        is_early(was_reloading, proxy.proxy.handle().progress().generation);
                    }
                }
            });
            begun.store(true, Ordering::Relaxed);
            proxy.apply(&after);
            ended.store(true, Ordering::Relaxed);
        });
        let answers = answers.into_inner();
        assert!(answers >= ANSWERS, "{answers} answers during a reload");
    }
}
