//! The TLS handshake with a client.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::pki_types::UnixTime;
use rustls::server::UnbufferedServerConnection;
use tokio::net::TcpStream;

use super::admission::is_gone;
use super::first_request::drain_patience_ends;
use super::{AcceptedClient, HANDSHAKE_LIMIT_AT_EXIT, HandshakeInfo, Refused};
use crate::config::quoted;
use crate::drain::{SessionHandle, TlsFacts};
use crate::model::{Principal, VirtualCluster};
use crate::pki::ClientNames;
use crate::session::cause::{CloseCause, Fault};
use crate::session::context::{EndpointBinding, ProcessContext};
use crate::session::transport::{Connection, Stream, handshake};
use crate::tls::{DownstreamContext, Failure, FailureKind, NegotiatedTls, Peer};

/// Time after which a handshake gives its permit to another, so that a few slow clients do not keep the others
/// waiting.
const STALLED: Duration = Duration::from_millis(5);

/// Performs the TLS handshake that begins with `prefetched`.
pub(super) async fn secure(
    socket: TcpStream,
    binding: &EndpointBinding,
    prefetched: Vec<u8>,
    mut facts: HandshakeInfo,
    handle: &SessionHandle,
) -> Result<AcceptedClient, Refused> {
    let Some(tls) = &binding.gateway.tls else {
        return Ok(AcceptedClient::plain(socket, prefetched, facts));
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
            let why = "the client closed before its TLS handshake began";
            return Err((socket, Failure::new(Peer::Client, FailureKind::Closed, why)));
        }
        handshake(socket, Peer::Client, Connection::Server(server), prefetched).await
    });
    let shaken = tokio::select! {
        shaken = shaken => shaken,
        () = drain_patience_ends(handle, HANDSHAKE_LIMIT_AT_EXIT) => return Err(Refused::overdue()),
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
    let negotiated = NegotiatedTls::of(client.common()).map(Arc::new);
    let client = Stream::Tls(Box::new(client));
    if let Some(negotiated) = &negotiated {
        // Stored first, checked second: a reload that checks sessions against new rules sees this one, or this one
        // sees the rules.
        let principals = principals(&binding.cluster.model(), negotiated);
        note_tls(handle, negotiated, facts.server_name.as_deref(), principals);
        if let Some(fault) = overtaken(tls, &context, negotiated) {
            let client = Some(client);
            return Err(Refused { client, fault });
        }
    }
    facts.negotiated = negotiated;
    Ok(AcceptedClient {
        client,
        prefetched: Vec::new(),
        facts,
    })
}

/// Checks a client again if the rules changed during its handshake: the reload may not have seen this session.
fn overtaken(
    tls: &ArcSwap<DownstreamContext>,
    used: &Arc<DownstreamContext>,
    negotiated: &NegotiatedTls,
) -> Option<Fault> {
    let now = tls.load();
    if Arc::ptr_eq(&now, used) {
        return None;
    }
    let refused = now.accepts_client(negotiated, UnixTime::now()).err()?;
    Some(Fault::new(CloseCause::ClientCertificateRejected, refused))
}

/// Runs a handshake when a permit is free.
async fn in_turn<T>(process: &ProcessContext, handshake: impl Future<Output = T>) -> T {
    let mut handshake = std::pin::pin!(handshake);
    // The semaphore is never closed.
    let turn = process.handshakes.acquire().await;
    let soon = tokio::time::timeout(STALLED, handshake.as_mut()).await;
    drop(turn);
    match soon {
        Ok(done) => done,
        Err(_stalled) => handshake.await,
    }
}

/// Users that the virtual cluster makes of the client's certificate.
fn principals(cluster: &VirtualCluster, negotiated: &NegotiatedTls) -> Arc<[Principal]> {
    let certificate = negotiated.client_chain.as_deref().and_then(|chain| chain.first());
    let (Some(builder), Some(certificate)) = (&cluster.subject_builder, certificate) else {
        return [].into();
    };
    let names = ClientNames::of(certificate);
    names.map_or_else(|| [].into(), |names| builder.principals(&names).into())
}

fn note_tls(
    handle: &SessionHandle,
    negotiated: &Arc<NegotiatedTls>,
    server_name: Option<&str>,
    principals: Arc<[Principal]>,
) {
    handle.facts.note_tls(TlsFacts {
        sni: server_name.map(Arc::from),
        version: negotiated.version_name(),
        cipher: negotiated.suite_name(),
        resumed: negotiated.resumed,
        client_subject: negotiated.subject().map(Arc::from),
        principals,
        negotiated: Arc::clone(negotiated),
    });
}
