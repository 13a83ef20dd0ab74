//! Logins that are repeated before their time is over (KIP-368), between two requests of the client.
//!
//! When a login is due and the next request begins, the session stops forwarding, waits until every answer before has come,
//! and then authenticates again over the connection. The client's requests wait in the kernel for these two or three round
//! trips; nothing of them is between the frames of the exchange, because a broker accepts nothing else there.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::KafkaInspector;
use super::own_login::SessionLogin;
use super::requests::entry;
use super::responses::BrokerAnswer;
use crate::session::cause::{CloseCause, Fault};
use crate::session::counters::add;
use crate::session::inspect::in_flight::Expects;
use crate::session::inspect::seam::FrameAction;
use crate::session::inspect::{DrainMode, Wait};
use crate::session::output::Output;
use crate::session::probe::ProbeError;
use crate::session::upstream::login::{LoggedIn, LoginAs, LoginContext, LoginError, LoginLink};
use crate::wire::frame::SIZE_LEN;
use crate::wire::header;

/// Part of its lifetime at which a login is repeated, in percent: at random between these, so that the sessions of a client
/// do not all wait at the same time. Behind them the tokens of clients, which authenticate again at the same part.
const RENEW_AT: (f64, f64) = (0.85, 0.95);
const RENEW_TOKEN_AT: (f64, f64) = (0.96, 0.98);

/// Shortest time between two logins on a connection: a broker does not take a handshake for a new login before a second has
/// passed (KIP-368).
const SHORTEST: Duration = Duration::from_millis(1100);

/// Part of what is left of the lifetime after which an attempt without credentials is repeated, and the time before the end
/// at which the session leaves instead.
const RETRY_AFTER: f64 = 0.5;
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// First correlation id of an exchange. No client uses them: they count from 0 upwards.
const FIRST_ID: i32 = i32::MIN + 1;

/// Largest accepted answer within the exchange, in bytes.
const MAX_ANSWER: usize = 256 << 10;

/// When the login of a session is due, in microseconds since its beginning.
pub(super) const NEVER: u64 = u64::MAX;

/// The outcome of an exchange.
type RenewalOutcome = Result<Option<LoggedIn>, LoginError>;

type RenewalFuture = Pin<Box<dyn Future<Output = RenewalOutcome> + Send>>;

/// A login that is repeated.
#[derive(Debug, Default)]
pub(super) enum Renewal {
    /// None is due.
    #[default]
    Idle,
    /// Answers to requests of the client are to come first.
    WaitsForAnswers,
    /// The exchange is under way.
    Runs(RunningExchange),
    /// It has failed; the session leaves.
    Failed(Fault),
}

/// An exchange under way, shared with what the paused requests wait for.
#[derive(Clone)]
pub(super) struct RunningExchange {
    mail: Arc<Mutex<Mail>>,
    exchange: Arc<Mutex<Option<RenewalFuture>>>,
}

/// Frames between the exchange and the connection.
#[derive(Debug, Default)]
struct Mail {
    /// A request to be sent, with its correlation id.
    outgoing: Option<(Vec<u8>, i32)>,
    /// The answer that has come.
    incoming: Option<Vec<u8>>,
    /// The session, while it waits for the answer.
    waker: Option<Waker>,
    outcome: Option<RenewalOutcome>,
}

/// The exchange's end of the mail.
struct MailLink(Arc<Mutex<Mail>>);

impl std::fmt::Debug for RunningExchange {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("RunningExchange")
    }
}

impl LoginLink for MailLink {
    async fn ask(&mut self, request: Vec<u8>, correlation_id: i32) -> Result<Vec<u8>, ProbeError> {
        lock(&self.0).outgoing = Some((request, correlation_id));
        std::future::poll_fn(|context| {
            let mut mail = lock(&self.0);
            match mail.incoming.take() {
                Some(answer) => Poll::Ready(Ok(answer)),
                None => {
                    mail.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl RunningExchange {
    /// Begins an exchange with the newest credentials; it has `timeout` for each of its two halves.
    fn begin(context: Arc<LoginContext>, login: &SessionLogin, timeout: Duration) -> Self {
        let mail = Arc::<Mutex<Mail>>::default();
        let (client, host) = (Arc::clone(&login.client), login.host.clone());
        let mut link = MailLink(Arc::clone(&mail));
        let exchange = async move {
            let work = context.log_in(&mut link, LoginAs::Client(&client), &host, FIRST_ID);
            let done = tokio::time::timeout(timeout, work).await;
            done.unwrap_or(Err(LoginError::Broken(ProbeError::TimedOut)))
        };
        Self {
            mail,
            exchange: Arc::new(Mutex::new(Some(Box::pin(exchange)))),
        }
    }

    /// Goes on as far as that is possible. True when there is a request to be sent, or an outcome.
    fn advance(&self, context: &mut Context<'_>) -> bool {
        let mut exchange = lock(&self.exchange);
        if let Some(running) = exchange.as_mut()
            && let Poll::Ready(outcome) = running.as_mut().poll(context)
        {
            *exchange = None;
            lock(&self.mail).outcome = Some(outcome);
        }
        let mail = lock(&self.mail);
        mail.outgoing.is_some() || mail.outcome.is_some()
    }

    fn wait(&self) -> Wait {
        let running = self.clone();
        let advance = move |context: &mut Context<'_>| match running.advance(context) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        };
        Wait(Box::pin(std::future::poll_fn(advance)))
    }

    /// Hands an answer to the exchange, which goes on as far as it can without waiting.
    fn answered(&self, answer: Vec<u8>) {
        let waker = {
            let mut mail = lock(&self.mail);
            mail.incoming = Some(answer);
            mail.waker.take()
        };
        // So that an outcome is known before the broker's end of the stream is read.
        self.advance(&mut Context::from_waker(Waker::noop()));
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl RunningExchange {
    /// Removes the outcome if it is a failure.
    fn take_failure(&self) -> Option<LoginError> {
        let mut mail = lock(&self.mail);
        match mail.outcome.take() {
            Some(Err(error)) => Some(error),
            outcome => {
                mail.outcome = outcome;
                None
            }
        }
    }
}

impl KafkaInspector {
    /// Whether requests wait for the answers before a renewal, or for the end of the session.
    pub(super) fn renewal_holds_requests(&self) -> bool {
        match &self.renewal {
            Renewal::Idle | Renewal::Runs(_) => false,
            Renewal::WaitsForAnswers => !self.in_flight.is_empty(),
            Renewal::Failed(_) => true,
        }
    }

    /// What the paused requests wait for, while an exchange is under way.
    pub(super) fn renewal_wait(&self) -> Option<Wait> {
        match &self.renewal {
            Renewal::Runs(running) => Some(running.wait()),
            Renewal::Idle | Renewal::WaitsForAnswers | Renewal::Failed(_) => None,
        }
    }

    /// Why the session ends, if a renewal has failed.
    pub(super) fn renewal_fault(&self) -> Option<Fault> {
        match &self.renewal {
            Renewal::Failed(fault) => Some(fault.clone()),
            Renewal::Idle | Renewal::WaitsForAnswers | Renewal::Runs(_) => None,
        }
    }

    /// Sets when the login is repeated.
    pub(super) fn schedule_renewal(&mut self) {
        self.renew_at_us = NEVER;
        let Some(login) = &self.login else { return };
        let Some(lifetime) = login.logged_in.lifetime else {
            return;
        };
        let passes_tokens = self
            .login_context()
            .is_some_and(|context| context.passes_tokens());
        let (from, to) = if passes_tokens { RENEW_TOKEN_AT } else { RENEW_AT };
        let part = lifetime.mul_f64(from + (to - from) * fraction());
        self.renew_at_us = self.micros_of(login.logged_in.at + part.max(SHORTEST));
    }

    /// Goes on with the renewal between two requests, where one is due. True: requests wait for it.
    #[cold]
    pub(super) fn renew(&mut self, now_us: u64, out: &mut Output) -> bool {
        if self.drain == DrainMode::Acks0Only || self.learning.is_some() {
            return false;
        }
        match std::mem::take(&mut self.renewal) {
            Renewal::Idle | Renewal::WaitsForAnswers if !self.in_flight.is_empty() => {
                self.renewal = Renewal::WaitsForAnswers;
                true
            }
            Renewal::Idle | Renewal::WaitsForAnswers => self.begin_renewal(),
            Renewal::Runs(running) => self.go_on(running, now_us, out),
            failed @ Renewal::Failed(_) => {
                self.renewal = failed;
                true
            }
        }
    }

    fn begin_renewal(&mut self) -> bool {
        let timeout = self.context.binding().cluster.process.network().connect_timeout;
        match (self.login_context(), &self.login) {
            (Some(context), Some(login)) => {
                if let Some(proof) = self.context.handle().facts.login() {
                    login.client.authenticated_again(proof.identity());
                }
                self.renewal = Renewal::Runs(RunningExchange::begin(context, login, timeout));
                true
            }
            _ => {
                self.renew_at_us = NEVER;
                false
            }
        }
    }

    /// Sends what the exchange has to say, or ends it.
    fn go_on(&mut self, running: RunningExchange, now_us: u64, out: &mut Output) -> bool {
        let (outgoing, outcome) = {
            let mut mail = lock(&running.mail);
            (mail.outgoing.take(), mail.outcome.take())
        };
        if let Some(outcome) = outcome {
            return self.renewed(outcome);
        }
        if let Some((request, correlation_id)) = outgoing
            && let Some(head) = header::request_head(request.get(SIZE_LEN..).unwrap_or_default())
        {
            debug_assert_eq!(head.correlation_id, correlation_id);
            out.emit(|bytes| bytes.extend_from_slice(&request));
            self.in_flight.push(entry(head, now_us, Expects::Internal));
        }
        self.renewal = Renewal::Runs(running);
        true
    }

    /// Takes in the outcome. True: requests wait because it is a failure.
    fn renewed(&mut self, outcome: RenewalOutcome) -> bool {
        let counters = self.context.cluster_counters();
        match outcome {
            Ok(logged_in) => {
                add(&counters.renewed_logins, 1);
                if let (Some(login), Some(logged_in)) = (&mut self.login, logged_in) {
                    login.logged_in = logged_in;
                }
                self.schedule_renewal();
                false
            }
            Err(error) => {
                add(&counters.failed_renewals, 1);
                if let Some(later) = self.another_attempt(&error) {
                    self.renew_at_us = later;
                    return false;
                }
                let why = format!("the login at the broker could not be renewed: {error}");
                self.renewal = Renewal::Failed(Fault::new(error.cause(), why));
                true
            }
        }
    }

    /// When a renewal is tried again that has sent nothing to the broker, for want of credentials.
    fn another_attempt(&self, error: &LoginError) -> Option<u64> {
        let logged_in = self.login.as_ref()?.logged_in;
        let left = (logged_in.at + logged_in.lifetime?).checked_duration_since(Instant::now())?;
        let may_pass = matches!(error, LoginError::NoCredentials(_)) && left > LAST_CHANCE;
        may_pass.then(|| self.micros_of(Instant::now() + left.mul_f64(RETRY_AFTER)))
    }

    /// Takes in the broker's answer to a frame of the exchange.
    pub(super) fn renewal_answered(&mut self, answer: &BrokerAnswer<'_>) -> Result<FrameAction, Fault> {
        let frame = answer.frame;
        if frame.size() > MAX_ANSWER {
            let why = format!("an answer of {} bytes to a login", frame.size());
            return Err(Fault::new(CloseCause::UpstreamLoginFailed, why));
        }
        if !frame.is_complete() {
            return Ok(FrameAction::Hold);
        }
        let failed = match &self.renewal {
            Renewal::Runs(running) => {
                running.answered(frame.content().to_vec());
                running.take_failure()
            }
            Renewal::Idle | Renewal::WaitsForAnswers | Renewal::Failed(_) => None,
        };
        if let Some(error) = failed {
            self.renewed(Err(error));
        }
        Ok(FrameAction::Discard { taken: frame.len() })
    }

    fn login_context(&self) -> Option<Arc<LoginContext>> {
        self.context.binding().cluster.target.login()
    }

    /// A moment in microseconds since the session began.
    fn micros_of(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.context.handle().since);
        u64::try_from(since.as_micros()).unwrap_or(NEVER)
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A random number from 0 up to 1.
fn fraction() -> f64 {
    let mut bytes = [0; 4];
    match aws_lc_rs::rand::fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0),
        Err(_) => 0.5,
    }
}
