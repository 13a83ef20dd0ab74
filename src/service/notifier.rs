//! The thread that tells the service manager what the process does.
//!
//! A service manager that hangs would block who sends to it, so the control thread only says what is true now. The
//! thread sends the difference to what it has sent before; nothing queues up.

use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use sd_notify::NotifyState;

use super::service_state::{ServicePhase, ServiceState, messages};
use super::socket_store::{StoreRequest, StoreRequests};

/// Longest status line in characters.
const MAX_STATUS: usize = 200;

/// Tells the service manager what the process does, if there is one. Cheap to clone; the thread ends with the last clone.
#[derive(Debug, Clone, Default)]
pub struct ServiceNotifier(Option<Arc<Sender>>);

#[derive(Debug)]
struct Sender(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    news: Mutex<News>,
    changed: Condvar,
}

/// What the thread is to send.
#[derive(Debug, Default)]
struct News {
    state: ServiceState,
    store: StoreRequests,
    /// Nobody has anything to say any more.
    is_closed: bool,
}

impl ServiceNotifier {
    /// Starts the thread where `NOTIFY_SOCKET` names the socket of a service manager.
    ///
    /// # Errors
    /// The operating system's, if the thread cannot be started.
    pub fn from_environment() -> io::Result<Self> {
        if std::env::var_os("NOTIFY_SOCKET").is_none() {
            return Ok(Self::default());
        }
        let has_watchdog = sd_notify::watchdog_enabled().is_some();
        let shared = Arc::<Shared>::default();
        let thread = std::thread::Builder::new().name("kproxy-notify".into());
        // The process may end while it waits for the service manager: it is not joined.
        drop(thread.spawn({
            let shared = Arc::clone(&shared);
            move || SendLoop::new(has_watchdog).run(&shared)
        })?);
        Ok(Self(Some(Arc::new(Sender(shared)))))
    }

    /// Whether there is a service manager.
    pub fn is_enabled(&self) -> bool {
        self.0.is_some()
    }

    /// Tells that a reload was asked for, which the service manager may wait for.
    pub fn reload_asked(&self) {
        let Ok(NotifyState::MonotonicUsec(at)) = NotifyState::monotonic_usec_now() else {
            return;
        };
        self.tell(|state| {
            state.reloads += 1;
            state.reload_at = at;
            state.is_reloading = true;
        });
    }

    /// Tells that a configuration runs, whether a reload that was asked for has no result yet, and the line that
    /// `systemctl status` shows.
    pub fn serving(&self, is_reloading: bool, status: impl FnOnce() -> String) {
        self.tell(|state| {
            state.phase = ServicePhase::Serving;
            state.is_reloading = is_reloading;
            state.status = one_line(&status());
        });
    }

    /// Tells that the process ends, and the line that `systemctl status` shows.
    pub fn stopping(&self, status: impl FnOnce() -> String) {
        self.tell(|state| {
            state.phase = ServicePhase::Stopping;
            state.status = one_line(&status());
        });
    }

    /// Tells that the threads of the process are alive.
    pub fn beat(&self) {
        self.tell(|state| state.beats += 1);
    }

    /// Asks to keep `socket` under `name` when the process ends.
    pub(super) fn keep(&self, name: String, socket: TcpListener) {
        self.with(|news| news.store.keep(name, socket));
    }

    /// Asks to forget the socket that is kept under `name`.
    pub(super) fn forget(&self, name: String) {
        self.with(|news| news.store.forget(name));
    }

    fn tell(&self, change: impl FnOnce(&mut ServiceState)) {
        self.with(|news| change(&mut news.state));
    }

    fn with(&self, change: impl FnOnce(&mut News)) {
        if let Some(sender) = &self.0 {
            change(&mut sender.0.news());
            sender.0.changed.notify_one();
        }
    }
}

fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(MAX_STATUS).collect()
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.news().is_closed = true;
        self.0.changed.notify_one();
    }
}

impl Shared {
    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something that `sent` does not say; `None` when nothing will come any more.
    fn next(&self, sent: &ServiceState) -> Option<Next> {
        let waiting = |news: &mut News| !news.is_closed && news.store.is_empty() && news.state == *sent;
        let waited = self.changed.wait_while(self.news(), waiting);
        let mut news = waited.unwrap_or_else(PoisonError::into_inner);
        if let Some((name, request)) = news.store.next() {
            return Some(Next::Store(name, request));
        }
        (news.state != *sent).then(|| Next::State(news.state.clone()))
    }
}

/// What is to be sent next. Sockets go first: a process that is ready can be restarted.
enum Next {
    Store(String, StoreRequest),
    State(ServiceState),
}

/// What the thread keeps between two messages.
struct SendLoop {
    sent: ServiceState,
    has_watchdog: bool,
    has_failed: bool,
}

impl SendLoop {
    fn new(has_watchdog: bool) -> Self {
        Self {
            sent: ServiceState::default(),
            has_watchdog,
            has_failed: false,
        }
    }

    fn run(mut self, shared: &Shared) {
        while let Some(next) = shared.next(&self.sent) {
            match next {
                Next::Store(name, request) => self.send_socket(&name, request),
                Next::State(now) => {
                    for message in messages(&self.sent, &now, self.has_watchdog) {
                        let result = sd_notify::notify(&message);
                        self.note(result);
                    }
                    self.sent = now;
                }
            }
        }
    }

    fn send_socket(&mut self, name: &str, request: StoreRequest) {
        let name = NotifyState::FdName(name);
        let (forgets, socket) = match request {
            StoreRequest::Keep(socket) => (false, Some(socket)),
            StoreRequest::Replace(socket) => (true, Some(socket)),
            StoreRequest::Forget => (true, None),
        };
        if forgets {
            self.note(sd_notify::notify(&[NotifyState::FdStoreRemove, name.clone()]));
        }
        if let Some(socket) = socket {
            let message = [NotifyState::FdStore, name];
            self.note(sd_notify::notify_with_fds(&message, &[socket.as_fd()]));
        }
    }

    /// Logs the first message in a row that could not be sent.
    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = &result
            && !self.has_failed
        {
            tracing::warn!(%error, "cannot tell the service manager (NOTIFY_SOCKET) what this process does");
        }
        self.has_failed = result.is_err();
    }
}
