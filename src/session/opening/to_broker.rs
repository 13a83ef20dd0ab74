//! From the first request to the broker connection: past the guard, if clients authenticate at kproxy.

use std::sync::Arc;
use std::time::Duration;

use super::CONNECT_LIMIT_AT_EXIT;
use super::broker::connect;
use super::first_request::drain_patience_ends;
use super::guarded::{AdmittedClient, Guard};
use super::replay::Introduction;
use crate::drain::{SessionHandle, SessionState};
use crate::filter::{Chain, ClientSession as FilterSession};
use crate::session::cause::{CloseCause, Fault};
use crate::session::context::EndpointBinding;
use crate::session::inspect::{Learning, session_facts};
use crate::session::report::Report;
use crate::session::transport::{Stream, Transport as _};
use crate::session::upstream::login::ClientIdentity;
use crate::session::upstream::{Promise, ProxyPreamble, Upstream};

/// Time between two looks at a client that waits for the end of a pause.
const CLIENT_CHECK: Duration = Duration::from_secs(1);

/// A client with its broker.
pub(super) struct ConnectedClient {
    /// Bytes that the client has sent and nobody has read.
    pub(super) first: Vec<u8>,
    pub(super) upstream: Upstream,
    pub(super) learning: Option<Learning>,
    /// What filters keep of the session already; `None` if they have seen nothing of it.
    pub(super) filtered: Option<Box<FilterSession>>,
    /// What the client was answered to ApiVersions, if kproxy has answered it.
    pub(super) promise: Option<Arc<Promise>>,
}

/// Connects a client whose first request begins with `first`.
pub(super) async fn connect_client(
    client: &mut Stream,
    first: Vec<u8>,
    handle: &Arc<SessionHandle>,
    preamble: &mut ProxyPreamble,
    report: &mut Report,
) -> Result<ConnectedClient, Fault> {
    let binding = report.binding().clone();
    let chain = binding
        .cluster
        .chain()
        .map(|installed| Arc::clone(&installed.chain));
    let guarding = chain.filter(|chain| chain.sasl_termination().is_some());
    let (admitted, filtered) = match guarding {
        None => (
            AdmittedClient {
                first,
                introduction: None,
                identity: None,
                chain: None,
            },
            None,
        ),
        Some(chain) => {
            let guarded = Box::pin(guard(client, first, handle, &binding, preamble, chain));
            let (admitted, session) = guarded.await?;
            (admitted, Some(session))
        }
    };
    if let Some(identity) = &admitted.identity {
        preamble.client = Arc::new(ClientIdentity::authenticated(identity));
    }
    if let Some(introduction) = &admitted.introduction {
        preamble.first_request = introduction.frame().to_vec();
    }
    report.connecting();
    handle.enter(SessionState::Connecting);
    let overdue = || {
        let why = "no broker connection before the deadline of the drain";
        Fault::new(CloseCause::DrainTimeout, why)
    };
    let connected = async {
        // Nobody is refused by a pause: the broker may be what is being exchanged.
        pause_ends(client, &binding).await?;
        let (mut upstream, learning) = Box::pin(connect(&binding, preamble)).await?;
        if let (Some(introduction), Some(chain)) = (&admitted.introduction, &admitted.chain) {
            let timeout = binding.cluster.process.network().connect_timeout;
            Box::pin(introduction.check(&mut upstream, &binding, Some(chain), timeout)).await?;
        }
        Ok((upstream, learning))
    };
    let (upstream, learning) = tokio::select! {
        connected = connected => connected?,
        () = drain_patience_ends(handle, CONNECT_LIMIT_AT_EXIT) => return Err(overdue()),
    };
    Ok(ConnectedClient {
        first: admitted.first,
        upstream,
        learning,
        filtered,
        promise: admitted.introduction.as_ref().map(Introduction::promise),
    })
}

/// Waits for the end of a pause, as long as the client is there: those that give up hold nothing.
async fn pause_ends(client: &Stream, binding: &EndpointBinding) -> Result<(), Fault> {
    loop {
        tokio::select! {
            () = binding.cluster.pause.ended() => return Ok(()),
            () = tokio::time::sleep(CLIENT_CHECK) => {}
        }
        if client.has_ended() {
            let why = "while the virtual cluster was paused";
            return Err(Fault::new(CloseCause::ClientClosed, why));
        }
    }
}

/// Has the client authenticate at kproxy.
async fn guard(
    client: &mut Stream,
    first: Vec<u8>,
    handle: &Arc<SessionHandle>,
    binding: &EndpointBinding,
    preamble: &ProxyPreamble,
    chain: Arc<Chain>,
) -> Result<(AdmittedClient, Box<FilterSession>), Fault> {
    let mut session = Box::new(FilterSession::new(Arc::clone(handle), session_facts(binding)));
    handle.enter(SessionState::Authenticating);
    let guard = Guard {
        binding,
        handle,
        preamble,
        chain,
    };
    let admitted = guard.admit(client, first, &mut session).await?;
    Ok((admitted, session))
}
