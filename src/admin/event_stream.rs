//! Streams of events over the control socket: one JSON object a line, for as long as the client reads and the process runs.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hyper::body::Bytes;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::MissedTickBehavior;

use super::answer::Refusal;
use super::body::Chunks;
use crate::control::{ControlHandle, Event, EventReader, TimedEvent, WatchingEvent};

/// Streams at the same time; other commands have the rest of the places on the control socket.
const MAX_STREAMS: usize = 16;

/// Time after which an empty line shows that the process is there.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long the end of the process waits for clients to read their last events, and how often it looks.
const END_TIMEOUT: Duration = Duration::from_millis(300);
const END_CHECK: Duration = Duration::from_millis(2);

/// Lines that wait for the connection. Events wait for the reader beside, and are counted if it is too slow.
const QUEUE_LENGTH: usize = 16;

/// The streams of one entrance. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct EventStreams(Arc<Semaphore>);

impl Default for EventStreams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_STREAMS)))
    }
}

impl EventStreams {
    /// Returns a stream of the events that concern `cluster`, or of all. Its task ends with the reader of the lines, or
    /// with the process.
    ///
    /// # Errors
    /// [`Refusal::Busy`] if there are too many, [`Refusal::Gone`].
    pub(super) async fn begin(
        &self,
        handle: &ControlHandle,
        cluster: Option<String>,
    ) -> Result<Chunks, Refusal> {
        let place = Arc::clone(&self.0).try_acquire_owned();
        let place = place.map_err(|_| Refusal::Busy("too many streams of events at once\n"))?;
        let (watching, reader) = handle.watch().await?;
        let (sender, lines) = mpsc::channel(QUEUE_LENGTH);
        tokio::spawn(forward(watching, reader, cluster, sender));
        Ok(Chunks::stream(lines, place))
    }

    /// Waits, for a moment at most, until the streams have ended with their last event. Blocks.
    pub(super) fn finish(&self) {
        let deadline = Instant::now() + END_TIMEOUT;
        while self.0.available_permits() < MAX_STREAMS && Instant::now() < deadline {
            std::thread::sleep(END_CHECK);
        }
    }
}

/// Writes events to `lines` until nobody reads them or nothing happens any more.
async fn forward(
    watching: WatchingEvent,
    mut reader: EventReader,
    cluster: Option<String>,
    lines: mpsc::Sender<Bytes>,
) {
    let first = TimedEvent {
        at: SystemTime::now(),
        event: Event::Watching(watching),
    };
    let mut next = Some(line(&first));
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeat.reset();
    loop {
        if let Some(line) = next.take()
            && lines.send(line).await.is_err()
        {
            return;
        }
        tokio::select! {
            event = reader.next() => match event {
                None => return,
                Some(event) => {
                    let is_wanted = cluster.as_ref().is_none_or(|name| event.event.concerns(name));
                    next = is_wanted.then(|| line(&event));
                }
            },
            _ = heartbeat.tick() => next = Some(Bytes::from_static(b"\n")),
            () = lines.closed() => return,
        }
    }
}

fn line(event: &TimedEvent) -> Bytes {
    // It derives its JSON, of keys that are text.
    let mut line = serde_json::to_vec(event).unwrap_or_default();
    line.push(b'\n');
    line.into()
}
