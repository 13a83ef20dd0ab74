//! What becomes of a session when the certificate of its client expires.
//!
//! By default nothing: a certificate is judged in handshakes. A gateway with `endSessionsOnExpiry` asks the session to
//! leave, as it asks one whose client is revoked.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use super::context::EndpointBinding;
use crate::drain::{DrainDeadlines, SessionHandle};

/// Longest sleep before the clock is asked again: it may be set while a session lives.
const CLOCK_CHECK_INTERVAL: Duration = Duration::from_secs(600);

/// The end of one client's certificate.
pub(super) struct Expiry {
    at: SystemTime,
    handle: Arc<SessionHandle>,
    binding: EndpointBinding,
}

/// A session, and the end of its client's certificate where there is one.
pub(super) enum WithExpiry<S: Future> {
    Alone(S),
    /// Boxed: sessions without a certificate should not pay for it.
    Beside(Pin<Box<dyn Future<Output = S::Output> + Send>>),
}

impl<S> WithExpiry<S>
where
    S: Future + Unpin + Send + 'static,
{
    pub(super) fn new(session: S, expiry: Option<Expiry>) -> Self {
        match expiry {
            None => Self::Alone(session),
            Some(expiry) => Self::Beside(Box::pin(expiry.beside(session))),
        }
    }
}

impl<S: Future + Unpin> Future for WithExpiry<S> {
    type Output = S::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<S::Output> {
        match self.get_mut() {
            Self::Alone(session) => Pin::new(session).poll(context),
            Self::Beside(session) => session.as_mut().poll(context),
        }
    }
}

impl Expiry {
    /// `None`: the client has shown no certificate, or one that has no end.
    pub(super) fn of(handle: &Arc<SessionHandle>, binding: &EndpointBinding) -> Option<Self> {
        let expires = handle.facts.tls()?.negotiated.expires()?;
        let since = Duration::from_secs(u64::try_from(expires).ok()?);
        Some(Self {
            // Within its last second a certificate is still good.
            at: SystemTime::UNIX_EPOCH.checked_add(since + Duration::from_secs(1))?,
            handle: Arc::clone(handle),
            binding: binding.clone(),
        })
    }

    /// The session, which is told to leave when the time has come.
    async fn beside<S>(self, mut session: S) -> S::Output
    where
        S: Future + Unpin,
    {
        tokio::select! {
            ended = &mut session => return ended,
            () = self.wait_and_drain() => {}
        }
        session.await
    }

    /// Waits for it, and then asks the session to leave if the gateway says so. Where the gateway comes to say so later,
    /// all its sessions are judged.
    async fn wait_and_drain(self) {
        while let Ok(left) = self.at.duration_since(SystemTime::now())
            && !left.is_zero()
        {
            tokio::time::sleep(left.min(CLOCK_CHECK_INTERVAL)).await;
        }
        let Some(tls) = &self.binding.gateway.tls else {
            return;
        };
        if !tls.load().model().end_sessions_on_expiry {
            return;
        }
        let cluster = &self.binding.cluster;
        tracing::info!(
            target: "kproxy::drain",
            cluster = %cluster.name,
            session = self.handle.id,
            generation = self.handle.generation,
            client = %self.handle.client(),
            "the client's certificate has expired, its session is drained"
        );
        let policy = &cluster.model().drain;
        let order = DrainDeadlines::of(policy, Instant::now()).order(policy);
        self.handle.give(order);
    }
}
