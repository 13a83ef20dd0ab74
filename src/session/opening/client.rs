//! The limit of connections per client address (`maxConnectionsPerClient`).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::model::{ProxyProtocol, ProxyProtocolMode, is_trusted};
use crate::session::cause::{CloseCause, Fault};
use crate::session::clients::{ClientLimit, ClientPermit};
use crate::session::context::{ClusterContext, ProcessContext};
use crate::session::permits::ConnectionPermits;

/// Whether the socket's peer is the client: no PROXY header is accepted, or none from this peer.
pub(super) fn is_itself(peer: SocketAddr, settings: &ProxyProtocol) -> bool {
    settings.mode == ProxyProtocolMode::Disabled || !is_trusted(peer.ip(), &settings.trusted_peers)
}

/// Takes a permit of the client address in the process.
pub(super) fn enter_process(
    process: &ProcessContext,
    client: IpAddr,
    permits: &mut ConnectionPermits,
) -> Result<(), Fault> {
    if permits.client.is_none() {
        permits.client = Some(enter(&process.clients, "in the process", process, client)?);
    }
    Ok(())
}

/// Takes a permit of the client address in the cluster.
pub(super) fn enter_cluster(
    cluster: &ClusterContext,
    client: IpAddr,
    permits: &mut ConnectionPermits,
) -> Result<(), Fault> {
    enter_process(&cluster.process, client, permits)?;
    if permits.client_in_cluster.is_none() {
        let place = enter(
            &cluster.clients,
            "in the virtual cluster",
            &cluster.process,
            client,
        )?;
        permits.client_in_cluster = Some(place);
    }
    Ok(())
}

fn enter(
    limit: &Arc<ClientLimit>,
    place: &str,
    process: &ProcessContext,
    client: IpAddr,
) -> Result<ClientPermit, Fault> {
    limit.enter(client).map_err(|too_many| {
        process.per_client.record_hit();
        let why = format!(
            "{} has {} connections {place}, as many as `maxConnectionsPerClient` allows",
            too_many.network, too_many.limit
        );
        Fault::new(CloseCause::ClientConnectionLimit, why)
    })
}
