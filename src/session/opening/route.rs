//! Which gateway a connection to a shared address is for.

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

/// What the name in the hello means, and what was read so far.
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
            // Only for the line: a search for each stranger would be work that strangers can order.
            let near = told.then(|| router.nearest(name)).flatten();
            let near = near.map_or_else(String::new, |near| {
                format!(", the nearest known is {}", quoted(&near))
            });
            let why = format!("no gateway has the host {}{near}", quoted(name));
            Err(Fault::new(CloseCause::UnknownServerName, why))
        }
    }
}

/// Joins the tracker of what the name means. Registers first and looks again second: between the two a reload may have
/// given the name another meaning, and begun to drain the old one.
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
