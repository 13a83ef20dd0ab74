//! Logs: structured lines on standard error.
//!
//! Lines are written by a thread of their own. A log pipe that nobody reads must not stop a session, so a line that
//! finds no room is dropped, and the next one that does is preceded by how many were.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::model::{LogFormat, Logging};
use crate::session::limits::LOG_QUEUE;

/// Lines that may wait to be written.
const QUEUE: usize = 4096;

/// Changes what is logged while the process runs.
#[derive(Clone)]
pub struct LevelHandle {
    level: String,
    change: Arc<dyn Fn(EnvFilter) -> bool + Send + Sync>,
}

impl LevelHandle {
    /// Logs by this directive list from now on. One that does not parse changes nothing; the configuration has been
    /// checked for that.
    pub fn set(&mut self, level: &str) {
        if level == self.level {
            return;
        }
        let changed = EnvFilter::try_new(level).is_ok_and(|filter| (self.change)(filter));
        if changed {
            level.clone_into(&mut self.level);
        } else {
            tracing::warn!(level, "the log level could not be changed");
        }
    }
}

/// Keeps the log going; dropping it writes what waits.
pub struct LogGuard {
    sender: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<()>>,
    level: LevelHandle,
}

impl LogGuard {
    pub fn level(&self) -> LevelHandle {
        self.level.clone()
    }
}

enum Message {
    Line(Vec<u8>),
    End,
}

/// Sends log lines to standard error, as `logging` says. Once per process.
///
/// # Errors
/// When the level is not a directive list, or the process already logs.
pub fn start(logging: &Logging) -> io::Result<LogGuard> {
    let filter = EnvFilter::try_new(&logging.level).map_err(io::Error::other)?;
    let (sender, receiver) = sync_channel(QUEUE);
    let dropped = Arc::<AtomicU64>::default();
    let lines = Lines {
        sender: sender.clone(),
        dropped: Arc::clone(&dropped),
    };
    let thread = std::thread::Builder::new()
        .name("kproxy-log".into())
        .spawn(move || write(&receiver, &dropped))?;
    let lines = tracing_subscriber::fmt().with_writer(lines);
    let change: Arc<dyn Fn(EnvFilter) -> bool + Send + Sync> = match logging.format {
        LogFormat::Text => {
            let subscriber = lines
                .with_ansi(io::stderr().is_terminal())
                .with_env_filter(filter)
                .with_filter_reloading();
            let handle = subscriber.reload_handle();
            subscriber.try_init().map_err(io::Error::other)?;
            Arc::new(move |filter| handle.reload(filter).is_ok())
        }
        LogFormat::Json => {
            let subscriber = lines
                .json()
                .flatten_event(true)
                .with_current_span(false)
                .with_span_list(false)
                .with_env_filter(filter)
                .with_filter_reloading();
            let handle = subscriber.reload_handle();
            subscriber.try_init().map_err(io::Error::other)?;
            Arc::new(move |filter| handle.reload(filter).is_ok())
        }
    };
    let level = logging.level.clone();
    Ok(LogGuard {
        sender: Some(sender),
        thread: Some(thread),
        level: LevelHandle { level, change },
    })
}

fn write(lines: &Receiver<Message>, dropped: &AtomicU64) {
    // Locked line by line: others write to standard error too, a panic for one.
    let mut stderr = io::stderr();
    while let Ok(Message::Line(line)) = lines.recv() {
        let lost = dropped.swap(0, Ordering::Relaxed);
        let notice = if lost > 0 {
            format!("kproxy: {lost} log lines were dropped, nobody read them in time\n")
        } else {
            String::new()
        };
        // Where nobody listens there is nobody to tell.
        stderr
            .write_all(notice.as_bytes())
            .and_then(|()| stderr.write_all(&line))
            .unwrap_or_default();
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        if let Some(sender) = self.sender.take()
            && sender.try_send(Message::End).is_ok()
            && let Some(thread) = self.thread.take()
        {
            // A thread that panicked has nothing left to say.
            thread.join().unwrap_or_default();
        }
    }
}

#[derive(Debug)]
struct Lines {
    sender: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            lines: self,
            bytes: Vec::with_capacity(256),
        }
    }
}

/// One line, sent when complete.
struct Line<'a> {
    lines: &'a Lines,
    bytes: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let line = std::mem::take(&mut self.bytes);
        if self.lines.sender.try_send(Message::Line(line)).is_err() {
            self.lines.dropped.fetch_add(1, Ordering::Relaxed);
            LOG_QUEUE.meet();
        }
    }
}
