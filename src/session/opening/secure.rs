//! The TLS handshake with a client.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::pki_types::UnixTime;
use rustls::server::UnbufferedServerConnection;
use tokio::net::TcpStream;

use super::introduction::patience_ends;
use super::place::is_gone;
use super::{Facts, Greeted, LAST_HANDSHAKE, Refused};
use crate::config::quoted;
use crate::drain::{SessionHandle, TlsFacts};
use crate::session::cause::{CloseCause, Fault};
use crate::session::context::{EndpointBinding, ProcessContext};
use crate::session::transport::{Connection, Stream, handshake};
use crate::tls::{Agreed, DownstreamContext, Failure, FailureKind, Peer};

/// A handshake in which the client takes longer to answer gives its place to another, or a few that stall would keep
/// everybody waiting.
const STALLED: Duration = Duration::from_millis(5);

/// The TLS handshake that begins with `early`.
pub(super) async fn secure(
    socket: TcpStream,
    binding: &EndpointBinding,
    early: Vec<u8>,
    mut facts: Facts,
    handle: &SessionHandle,
) -> Result<Greeted, Refused> {
    let Some(tls) = &binding.gateway.tls else {
        return Ok(Greeted::plain(socket, early, facts));
    };
    let context = tls.load_full();
    let server = match UnbufferedServerConnection::new(Arc::clone(context.config())) {
        Ok(server) => server,
        Err(error) => {
            let fault = Fault::new(CloseCause::Local, error.to_string());
            return Err(Refused::plain(socket, fault));
        }
    };
    let shaken = in_turn(&binding.cluster.process, async {
        if is_gone(&socket) {
            let why = "the client closed before its turn came";
            return Err((socket, Failure::new(Peer::Client, FailureKind::Closed, why)));
        }
        handshake(socket, Peer::Client, Connection::Server(server), early).await
    });
    let shaken = tokio::select! {
        shaken = shaken => shaken,
        () = patience_ends(handle, LAST_HANDSHAKE) => return Err(Refused::overdue()),
    };
    let client = match shaken {
        Ok(client) => client,
        Err((socket, failure)) => {
            let mut fault = Fault::tls(&failure);
            if let Some(name) = &facts.server_name {
                fault.detail = format!("{}; it asked for {}", fault.detail, quoted(name)).into();
            }
            return Err(Refused::plain(socket, fault));
        }
    };
    let agreed = Agreed::of(client.common()).map(Arc::new);
    let client = Stream::Tls(Box::new(client));
    if let Some(agreed) = &agreed {
        // Known first, checked second: whoever judges sessions by new rules sees this one, or it sees the rules.
        note_tls(handle, agreed, facts.server_name.as_deref());
        if let Some(fault) = overtaken(tls, &context, agreed) {
            let client = Some(client);
            return Err(Refused { client, fault });
        }
    }
    facts.agreed = agreed;
    Ok(Greeted {
        client,
        early: Vec::new(),
        facts,
    })
}

/// Whoever agreed on something by rules that have changed meanwhile is judged by the new ones: those who look for
/// sessions that these do not let in may not have seen this one.
fn overtaken(
    tls: &ArcSwap<DownstreamContext>,
    used: &Arc<DownstreamContext>,
    agreed: &Agreed,
) -> Option<Fault> {
    let now = tls.load();
    if Arc::ptr_eq(&now, used) {
        return None;
    }
    let refused = now.admits(agreed, UnixTime::now()).err()?;
    Some(Fault::new(CloseCause::ClientCertificateRejected, refused))
}

/// Runs a handshake when it is its turn.
async fn in_turn<T>(process: &ProcessContext, handshake: impl Future<Output = T>) -> T {
    let mut handshake = std::pin::pin!(handshake);
    // Never closed.
    let turn = process.handshakes.acquire().await;
    let soon = tokio::time::timeout(STALLED, handshake.as_mut()).await;
    drop(turn);
    match soon {
        Ok(done) => done,
        Err(_stalled) => handshake.await,
    }
}

fn note_tls(handle: &SessionHandle, agreed: &Arc<Agreed>, server_name: Option<&str>) {
    handle.facts.note_tls(TlsFacts {
        sni: server_name.map(Arc::from),
        version: agreed.version_name(),
        cipher: agreed.suite_name(),
        resumed: agreed.resumed,
        client_subject: agreed.subject().map(Arc::from),
        agreed: Arc::clone(agreed),
    });
}
