//! The gateway of a connection to a listener that several gateways share.

use std::sync::Arc;

use tokio::net::TcpStream;

use super::hello::{alert, hello};
use super::{HandshakeInfo, UnroutedConnection};
use crate::config::quoted;
use crate::drain::SessionGuard;
use crate::session::cause::{CloseCause, Fault};
use crate::session::context::EndpointBinding;
use crate::session::proxied;
use crate::tls::UNRECOGNIZED_NAME;

/// Reads the PROXY header and the ClientHello. Returns the target of its host name, and the bytes read.
pub(super) async fn find(
    socket: &TcpStream,
    connection: &UnroutedConnection<'_>,
    facts: &mut HandshakeInfo,
) -> Result<(EndpointBinding, Vec<u8>), Fault> {
    let router = connection.router;
    let settings = router.proxy_protocol();
    let (header, prefetched) = proxied::read_header(socket, connection.peer, &settings).await?;
    facts.header = header;
    let (server_name, prefetched) = hello(socket, prefetched).await?;
    facts.server_name = server_name;
    let Some(name) = facts.server_name.as_deref() else {
        alert(socket, &UNRECOGNIZED_NAME);
        let why = "the TLS hello names no host; clients send the name only if they connect to one, not to an IP address";
        return Err(Fault::new(CloseCause::MissingServerName, why));
    };
    match router
        .lookup(name)
        .or_else(|| router.lookup_gone(name, connection.arrived))
    {
        Some(binding) => Ok((binding, prefetched)),
        None => {
            alert(socket, &UNRECOGNIZED_NAME);
            let told = connection
                .process
                .unrouted_close_log
                .has_room(CloseCause::UnknownServerName);
            // Only for the log line: strangers must not be able to order a search.
            let near = told.then(|| router.nearest(name)).flatten();
            let near = near.map_or_else(String::new, |near| {
                format!(", the nearest known is {}", quoted(&near))
            });
            let why = format!("no gateway has the host {}{near}", quoted(name));
            Err(Fault::new(CloseCause::UnknownServerName, why))
        }
    }
}

/// Registers with the tracker of the host name's target: registers first and looks again second, because a reload may
/// have changed the target in between and begun to drain the old one.
pub(super) fn join(
    mut binding: EndpointBinding,
    connection: &UnroutedConnection<'_>,
    name: Option<&str>,
) -> (EndpointBinding, SessionGuard) {
    loop {
        let generation = binding.cluster.generation();
        let tracker = &binding.tracker;
        let guard = tracker.register(connection.id, connection.peer, generation, binding.node.id());
        match name.and_then(|name| connection.router.lookup(name)) {
            Some(now) if !Arc::ptr_eq(&now.tracker, &binding.tracker) => binding = now,
            _ => return (binding, guard),
        }
    }
}
