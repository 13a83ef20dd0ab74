//! The walk of one gateway of a virtual cluster: bootstrap, nodes, coordinator, target, round trip. It only writes down
//! what it saw; [`judge`](super::judge) tells what that means.

mod expected;
mod round_trip;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use expected::{ExpectedNode, ExpectedNodes};

use super::client::messages::{self, Call, ClusterListing, ServerError};
use super::client::{
    Link, LinkRoute, StepAction, StepError, StepLimits, StepLog, StepSeen, StepSubject, WalkStep,
};
use crate::model::HostPort;

/// Connections that all walks of one command have at the same time.
pub const PARALLEL: usize = 16;

/// Nodes that are kept of one node's answer, if bootstrap has not named them like that.
const MAX_NEWS: usize = 100;

/// Name of the consumer group whose coordinator is asked for; nothing joins it.
const GROUP: &str = "kproxy-doctor";

/// Kafka's error while a coordinator is being found.
const COORDINATOR_NOT_AVAILABLE: i16 = 15;

/// Pause before a coordinator is asked for again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// What a walk is about and how it is made.
#[derive(Debug, Clone)]
pub struct WalkPlan {
    /// Name of the virtual cluster, where a configuration gives it.
    pub cluster: Option<String>,
    /// Name of the gateway, where a configuration gives it.
    pub gateway: Option<String>,
    /// Bootstrap addresses; never empty.
    pub bootstraps: Vec<HostPort>,
    /// Way to the gateway.
    pub route: LinkRoute,
    /// Addresses that the gateway gives to nodes; `None` where that is not known.
    pub expected: Option<ExpectedNodes>,
    /// Brokers of the target cluster that are known without asking it.
    pub brokers: Vec<HostPort>,
    /// The target cluster; `None` does not compare.
    pub target: Option<TargetPlan>,
    /// Topic of the round trip.
    pub topic: Option<String>,
}

/// The target cluster, and the way to it without kproxy.
#[derive(Debug, Clone)]
pub struct TargetPlan {
    /// Bootstrap servers.
    pub servers: Vec<HostPort>,
    /// Way to them.
    pub route: LinkRoute,
}

/// What a walk saw.
#[derive(Debug, Clone, PartialEq)]
pub struct WalkRecord {
    /// Name of the virtual cluster.
    pub cluster: Option<String>,
    /// Name of the gateway.
    pub gateway: Option<String>,
    /// Bootstrap addresses.
    pub bootstraps: Vec<HostPort>,
    /// Addresses that the gateway gives to nodes.
    pub expected: Option<ExpectedNodes>,
    /// Brokers of the target cluster that are known without asking it.
    pub brokers: Vec<HostPort>,
    /// Steps: bootstrap, coordinator, target, nodes by id, topic.
    pub steps: Vec<WalkStep>,
    /// Time of the whole walk.
    pub took: Duration,
}

/// Makes the walk of a plan. `connections` bounds the nodes that are walked at the same time.
pub async fn walk(plan: Arc<WalkPlan>, limits: StepLimits, connections: Arc<Semaphore>) -> WalkRecord {
    let began = Instant::now();
    let (mut steps, mut first) = bootstraps(&plan, limits).await;
    let mut listing = ClusterListing::default();
    if let Some((link, log)) = &mut first {
        listing = list(link, log).await.unwrap_or_default();
        find_coordinator(&plan, link, log).await;
        steps.append(&mut log.steps);
    }
    if let (Some(target), true) = (&plan.target, first.is_some()) {
        steps.extend(walk_target(target, limits).await);
    }
    steps.extend(walk_nodes(&plan, &listing, limits, connections).await);
    if let (Some(topic), Some((link, log))) = (&plan.topic, &mut first) {
        log.subject = StepSubject::Topic;
        round_trip::perform(&plan.route, topic, link, log).await;
        steps.append(&mut log.steps);
    }
    WalkRecord {
        cluster: plan.cluster.clone(),
        gateway: plan.gateway.clone(),
        bootstraps: plan.bootstraps.clone(),
        expected: plan.expected.clone(),
        brokers: known_brokers(&plan),
        steps,
        took: began.elapsed(),
    }
}

/// Brokers that are known without asking: those of the plan, and the bootstrap servers.
fn known_brokers(plan: &WalkPlan) -> Vec<HostPort> {
    let servers = plan.target.iter().flat_map(|target| target.servers.iter());
    plan.brokers.iter().chain(servers).cloned().collect()
}

/// Opens a connection to every bootstrap address. Returns the first that can be used, with its log.
async fn bootstraps(plan: &WalkPlan, limits: StepLimits) -> (Vec<WalkStep>, Option<(Link, StepLog)>) {
    let (mut steps, mut first) = (Vec::new(), None);
    for address in &plan.bootstraps {
        let mut log = StepLog::new(StepSubject::Bootstrap, address.clone(), limits);
        let link = plan.route.open(&mut log).await;
        steps.append(&mut log.steps);
        if let (Some(link), None) = (link, &first) {
            first = Some((link, log));
        }
    }
    (steps, first)
}

async fn ask_listing(link: &mut Link) -> Result<ClusterListing, StepError> {
    let request = messages::metadata_request(None);
    let answer = link.ask_known(Call::METADATA, &request).await?;
    Ok(messages::read_listing(&answer, None)?)
}

async fn list(link: &mut Link, log: &mut StepLog) -> Option<ClusterListing> {
    log.step(StepAction::Metadata, ask_listing(link), |listing| {
        StepSeen::Listed(listing.clone())
    })
    .await
}

async fn ask_coordinator(link: &mut Link) -> Result<(i32, HostPort), StepError> {
    let request = messages::find_coordinator_request(GROUP);
    let answer = link.ask_known(Call::FIND_COORDINATOR, &request).await?;
    match messages::read_coordinator(&answer)? {
        (ServerError { code: 0, .. }, node, Some(address)) => Ok((node, address)),
        (
            error @ ServerError {
                code: 1.. | ..=-1, ..
            },
            _,
            _,
        ) => Err(StepError::ErrorCode(error)),
        _ => Err(StepError::NotKafka(
            "it names a coordinator without an address".into(),
        )),
    }
}

/// Asks for the coordinator of a group, and connects to it.
async fn find_coordinator(plan: &WalkPlan, link: &mut Link, log: &mut StepLog) {
    let patience = Instant::now() + log.limits.next() / 2;
    let work = async {
        loop {
            match ask_coordinator(link).await {
                // Kafka creates the topic of the groups at the first question; clients ask again, too.
                Err(StepError::ErrorCode(error))
                    if error.code == COORDINATOR_NOT_AVAILABLE && Instant::now() < patience =>
                {
                    tokio::time::sleep(ASK_AGAIN).await;
                }
                answered => return answered,
            }
        }
    };
    let seen = |(node, address): &(i32, HostPort)| StepSeen::Coordinated {
        node: *node,
        address: address.clone(),
    };
    log.subject = StepSubject::Coordinator;
    if let Some((_, address)) = log.step(StepAction::FindCoordinator, work, seen).await {
        let mut own = StepLog::new(StepSubject::Coordinator, address, log.limits);
        plan.route.open(&mut own).await;
        log.steps.append(&mut own.steps);
    }
}

/// Asks the target cluster itself for its brokers, and looks up their names.
async fn walk_target(target: &TargetPlan, limits: StepLimits) -> Vec<WalkStep> {
    let mut steps = Vec::new();
    for server in &target.servers {
        let mut log = StepLog::new(StepSubject::Target, server.clone(), limits);
        let mut link = target.route.open(&mut log).await;
        let listing = match &mut link {
            Some(link) => list(link, &mut log).await,
            None => None,
        };
        steps.append(&mut log.steps);
        let Some(listing) = listing else { continue };
        if target.route.via.is_some() {
            // The forward proxy resolves the names.
            break;
        }
        for (&id, address) in &listing.brokers {
            let mut log = StepLog::new(StepSubject::TargetBroker(id), address.clone(), limits);
            let work = super::client::resolve(address);
            log.step(StepAction::Resolve, work, |found| {
                StepSeen::Addresses(found.clone())
            })
            .await;
            steps.append(&mut log.steps);
        }
        break;
    }
    steps
}

/// Walks every node that the bootstrap connection has named; so many at the same time as `connections` has permits.
async fn walk_nodes(
    plan: &Arc<WalkPlan>,
    listing: &ClusterListing,
    limits: StepLimits,
    connections: Arc<Semaphore>,
) -> Vec<WalkStep> {
    let mut tasks = JoinSet::new();
    let mut by_node = BTreeMap::new();
    let first = Arc::new(listing.clone());
    for (&id, address) in &listing.brokers {
        let (plan, connections, first) = (Arc::clone(plan), Arc::clone(&connections), Arc::clone(&first));
        let mut log = StepLog::new(StepSubject::Node(id), address.clone(), limits);
        tasks.spawn(async move {
            let _permit = connections.acquire_owned().await;
            walk_node(&plan, id, &first, &mut log).await;
            (id, log.steps)
        });
    }
    while let Some(ended) = tasks.join_next().await {
        if let Ok((id, steps)) = ended {
            by_node.insert(id, steps);
        }
    }
    by_node.into_values().flatten().collect()
}

/// Walks one node: is it there, is it of this cluster, and is it the broker with this id? `first` is what bootstrap said.
async fn walk_node(plan: &WalkPlan, id: i32, first: &ClusterListing, log: &mut StepLog) {
    let Some(mut link) = plan.route.open(log).await else {
        return;
    };
    let listing = async { Ok(news(ask_listing(&mut link).await?, first)) };
    let seen = |listing: &ClusterListing| StepSeen::Listed(listing.clone());
    if log.step(StepAction::Metadata, listing, seen).await.is_none() {
        return;
    }
    let work = async {
        let request = messages::describe_broker_request(id);
        let answer = link.ask_known(Call::DESCRIBE_CONFIGS, &request).await?;
        Ok(messages::read_described(&answer)?)
    };
    log.step(StepAction::Identity, work, |error| {
        StepSeen::Described(error.clone())
    })
    .await;
}

/// What a node says beyond what bootstrap has said, so that what is kept does not grow with the square of the nodes.
fn news(mut listing: ClusterListing, first: &ClusterListing) -> ClusterListing {
    listing
        .brokers
        .retain(|id, address| first.brokers.get(id) != Some(address));
    while listing.brokers.len() > MAX_NEWS {
        listing.brokers.pop_last();
    }
    listing.undialable.clear();
    listing
}
