//! Expiry of client certificates.
//!
//! By default it has no effect, because certificates are checked in handshakes. With `endSessionsOnExpiry` the
//! session is drained, as if the certificate were revoked.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwap;

use super::context::EndpointBinding;
use crate::drain::{DrainDeadlines, SessionHandle};

/// Longest sleep between two looks at the clock, which may be set while a session lives.
const CLOCK_CHECK_INTERVAL: Duration = Duration::from_secs(600);

/// The moment at which a client's certificate expires.
pub(super) struct Expiry {
    at: SystemTime,
    handle: Arc<SessionHandle>,
    /// Where the session belongs.
    place: Arc<ArcSwap<EndpointBinding>>,
}

/// A session, together with the expiry of its client's certificate if there is one.
pub(super) enum WithExpiry<S: Future> {
    Alone(S),
    /// Boxed, so that sessions without a certificate do not pay for it.
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
    /// The expiry for a session; `None` if the client sent no certificate or it has no end.
    pub(super) fn of(handle: &Arc<SessionHandle>, binding: &EndpointBinding) -> Option<Self> {
        let expires = handle.facts.tls()?.negotiated.expires()?;
        let since = Duration::from_secs(u64::try_from(expires).ok()?);
        Some(Self {
            // The certificate is valid for the whole of its last second.
            at: SystemTime::UNIX_EPOCH.checked_add(since + Duration::from_secs(1))?,
            handle: Arc::clone(handle),
            place: Arc::new(ArcSwap::from_pointee(binding.clone())),
        })
    }

    /// Where the session belongs, to be set when it moves.
    pub(super) fn place(&self) -> Arc<ArcSwap<EndpointBinding>> {
        Arc::clone(&self.place)
    }

    /// Runs the session and drains it when the certificate expires.
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

    /// Waits for the expiry, then drains the session if the gateway has `endSessionsOnExpiry`. When that key is
    /// switched on later, the reload checks all sessions again.
    async fn wait_and_drain(self) {
        while let Ok(left) = self.at.duration_since(SystemTime::now())
            && !left.is_zero()
        {
            tokio::time::sleep(left.min(CLOCK_CHECK_INTERVAL)).await;
        }
        let binding = self.place.load_full();
        let Some(tls) = &binding.gateway.tls else {
            return;
        };
        if !tls.load().model().end_sessions_on_expiry {
            return;
        }
        let cluster = &binding.cluster;
        tracing::info!(
            target: "kproxy::drain",
            cluster = %cluster.name,
            session = self.handle.id,
            generation = self.handle.generation(),
            client = %self.handle.client(),
            "the client's certificate has expired, its session is drained"
        );
        let policy = &cluster.model().drain;
        let order = DrainDeadlines::of(policy, Instant::now()).order(policy);
        self.handle.give_order(order);
    }
}
