//! The load: connections × depth of pipelined requests, every answer checked for its place in the order.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::frames;
use super::outbox::{Outbox, Template};
use super::scan::FrameScanner;
use super::stats::Histogram;
use super::wire::Wire;

/// The size prefix and the correlation id of an answer.
const HEAD: usize = 8;
/// A connection that is not set up, or answers that do not come, after this long is a failed measurement.
const PATIENCE: Duration = Duration::from_secs(10);

/// One cell's traffic.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    /// Requests in flight per connection.
    pub(crate) depth: usize,
    pub(crate) request: Template,
}

/// What a window of time saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// Requests answered.
    pub(crate) pairs: u64,
    pub(crate) elapsed: Duration,
    /// Nanoseconds from handing a request to the socket's queue to having read its whole answer.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

#[derive(Default)]
struct Shared {
    stop: Cell<bool>,
    pairs: Cell<u64>,
    latencies: RefCell<Option<Histogram>>,
}

/// Connections under load; they go on until [`Running::finish`].
pub(crate) struct Running {
    shared: Rc<Shared>,
    tasks: JoinSet<io::Result<()>>,
}

impl Running {
    /// Connects, exchanges ApiVersions on every connection, and only then begins. `user`: clients authenticate, with this
    /// name and password. Runs inside a `LocalSet`.
    pub(crate) async fn start(address: &str, load: &Load, user: Option<(&str, &str)>) -> io::Result<Self> {
        let mut streams = Vec::with_capacity(load.connections);
        for _ in 0..load.connections {
            let mut stream = within(connect(address)).await?;
            if let Some((name, password)) = user {
                for request in frames::plain_login(name, password)? {
                    let answer = within(exchange(&mut stream, &request)).await?;
                    if answer.get(4..6) != Some(&[0, 0]) {
                        return Err(io::Error::other("the login was refused"));
                    }
                }
            }
            streams.push(stream);
        }
        Ok(Self::over(streams, load))
    }

    /// Begins at once, on connections that are ready for it. Runs inside a `LocalSet`.
    pub(crate) fn over<W: Wire + 'static>(streams: Vec<W>, load: &Load) -> Self {
        let shared = Rc::new(Shared::default());
        let mut tasks = JoinSet::new();
        for stream in streams {
            tasks.spawn_local(drive(stream, load.clone(), Rc::clone(&shared)));
        }
        Self { shared, tasks }
    }

    /// Lets the load run for at least `duration`, and until there was an answer for every connection.
    pub(crate) async fn warm_up(&mut self, duration: Duration) -> io::Result<()> {
        let wanted = self.tasks.len() as u64;
        tokio::time::sleep(duration).await;
        let shared = Rc::clone(&self.shared);
        within(async {
            while shared.pairs.get() < wanted {
                self.check()?;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok(())
        })
        .await
    }

    /// Lets the load run for `duration`; `at_edge` is called where the window begins and where it ends.
    pub(crate) async fn window<T>(
        &mut self,
        duration: Duration,
        mut at_edge: impl FnMut() -> io::Result<T>,
    ) -> io::Result<(Window, T, T)> {
        let first = at_edge()?;
        self.shared.latencies.replace(Some(Histogram::new()));
        let pairs_before = self.shared.pairs.get();
        let begun = Instant::now();
        tokio::time::sleep(duration).await;
        let elapsed = begun.elapsed();
        let pairs = self.shared.pairs.get() - pairs_before;
        let last = at_edge()?;
        let latencies = self.shared.latencies.take().unwrap_or_else(Histogram::new);
        self.check()?;
        if pairs == 0 {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "no answer within the window",
            ));
        }
        let window = Window {
            pairs,
            elapsed,
            p50: latencies.quantile(0.5),
            p99: latencies.quantile(0.99),
        };
        Ok((window, first, last))
    }

    /// Lets what is in flight be answered and closes.
    pub(crate) async fn finish(mut self) -> io::Result<()> {
        self.shared.stop.set(true);
        within(async {
            while let Some(ended) = self.tasks.join_next().await {
                ended.map_err(io::Error::other)??;
            }
            Ok(())
        })
        .await
    }

    /// A connection that ended under load takes the measurement with it.
    fn check(&mut self) -> io::Result<()> {
        match self.tasks.try_join_next() {
            None => Ok(()),
            Some(Ok(Ok(()))) => Err(io::Error::other("a connection ended early")),
            Some(Ok(Err(error))) => Err(error),
            Some(Err(error)) => Err(io::Error::other(error)),
        }
    }
}

/// A connection that has had its ApiVersions answered.
pub(crate) async fn connect(address: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    exchange(&mut stream, &frames::api_versions_request()?).await?;
    Ok(stream)
}

/// One request and its answer on a connection with nothing in flight.
pub(crate) async fn exchange(stream: &mut TcpStream, request: &[u8]) -> io::Result<Vec<u8>> {
    stream.write_all(request).await?;
    receive(stream).await
}

/// The next answer's frame without its size prefix.
pub(crate) async fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    within(async {
        let mut answer = vec![0; stream.read_u32().await? as usize];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    })
    .await
}

/// `step`, or a failed measurement after a while.
pub(crate) async fn within<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, step)
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

async fn drive(mut stream: impl Wire, load: Load, shared: Rc<Shared>) -> io::Result<()> {
    let mut scanner = FrameScanner::<HEAD>::new();
    let mut flight = Flight::new(&load);
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(Err(error)) = flight.outbox.poll_flush(&mut stream, cx) {
                return Poll::Ready(Err(error));
            }
            let mut fault = None;
            let read = stream.poll_chunk(cx, |bytes| {
                let now = Instant::now();
                scanner.feed(bytes, |head, _| {
                    if let Err(error) = flight.answered(head, now, &shared) {
                        fault = Some(error);
                    }
                });
            });
            match (fault, read) {
                (Some(error), _) | (None, Poll::Ready(Err(error))) => return Poll::Ready(Err(error)),
                (None, Poll::Ready(Ok(0))) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                (None, Poll::Ready(Ok(_))) if flight.sent.is_empty() => return Poll::Ready(Ok(())),
                (None, Poll::Ready(Ok(_))) => {}
                (None, Poll::Pending) => return Poll::Pending,
            }
        }
    })
    .await
}

/// One connection's requests: those waiting for the socket, and when each unanswered one was queued.
struct Flight {
    request: Template,
    outbox: Outbox,
    sent: VecDeque<(i32, Instant)>,
    next: i32,
}

impl Flight {
    fn new(load: &Load) -> Self {
        let mut flight = Self {
            request: load.request.clone(),
            outbox: Outbox::default(),
            sent: VecDeque::new(),
            next: 1,
        };
        let now = Instant::now();
        for _ in 0..load.depth {
            flight.send(now);
        }
        flight
    }

    fn send(&mut self, now: Instant) {
        self.outbox.push(&self.request, self.next);
        self.sent.push_back((self.next, now));
        self.next = self.next.wrapping_add(1);
    }

    fn answered(&mut self, head: &[u8], now: Instant, shared: &Shared) -> io::Result<()> {
        let out_of_order = || io::Error::new(io::ErrorKind::InvalidData, "an answer out of order");
        let (expected, sent) = self.sent.pop_front().ok_or_else(out_of_order)?;
        if head.get(4..8) != Some(expected.to_be_bytes().as_slice()) {
            return Err(out_of_order());
        }
        shared.pairs.set(shared.pairs.get() + 1);
        if let Some(latencies) = shared.latencies.borrow_mut().as_mut() {
            latencies.record(now.duration_since(sent).as_nanos().try_into().unwrap_or(u64::MAX));
        }
        if !shared.stop.get() {
            self.send(now);
        }
        Ok(())
    }
}
