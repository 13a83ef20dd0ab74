//! Logs: structured lines on standard error.
//!
//! What comes from outside is escaped here, in both formats, so that no caller can forget it. Lines are written by a thread of their own. A log pipe that nobody reads must not stop a session, so a line that
//! finds no room is dropped, and the next one that does is preceded by how many were.

mod escape;
mod text;

pub use escape::{acts, printable};

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal, Write};
use std::panic::PanicHookInfo;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use crate::control::metrics::LOG_LINES_DROPPED;
use crate::model::{LogFormat, Logging};
use crate::session::limits::LOG_QUEUE;
use text::Text;

/// Lines that may wait to be written.
const QUEUE: usize = 4096;

/// How long the end of the process waits for the next line to be taken, and all of it.
const PATIENCE: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(5);

/// The same where somebody is in a hurry.
const HURRY: Duration = Duration::from_millis(100);

/// How often it looks.
const STEP: Duration = Duration::from_millis(10);

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

/// Keeps the log going; dropping it writes what waits, as long as somebody reads it.
pub struct LogGuard {
    sender: SyncSender<Message>,
    /// Closed when the last line has been written.
    ended: Receiver<()>,
    written: Arc<AtomicU64>,
    level: LevelHandle,
    patience: Duration,
}

impl LogGuard {
    pub fn level(&self) -> LevelHandle {
        self.level.clone()
    }

    /// Waits for nobody who is slow to read the last lines.
    pub fn hurry(&mut self) {
        self.patience = HURRY;
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
    let (ending, ended) = sync_channel(0);
    let (dropped, written) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let format = logging.format;
    let lines = Lines {
        sender: sender.clone(),
        dropped: Arc::clone(&dropped),
        format,
    };
    let counted = Arc::clone(&written);
    std::thread::Builder::new()
        .name("kproxy-log".into())
        .spawn(move || {
            let _ending = ending;
            write(&receiver, &dropped, &counted, format);
        })?;
    let lines = tracing_subscriber::fmt()
        .with_writer(lines)
        // They would be written to standard error, past the thread that may wait for it.
        .log_internal_errors(false);
    let change: Arc<dyn Fn(EnvFilter) -> bool + Send + Sync> = match format {
        LogFormat::Text => {
            let colours = io::stderr().is_terminal();
            let subscriber = lines
                .with_ansi(colours)
                .event_format(Text { colours })
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
    std::panic::set_hook(Box::new(tell_panic));
    let level = logging.level.clone();
    Ok(LogGuard {
        sender,
        ended,
        written,
        level: LevelHandle { level, change },
        patience: PATIENCE,
    })
}

/// Panics are told as all else is: the usual way waits for standard error, and takes the session's thread along.
fn tell_panic(panic: &PanicHookInfo<'_>) {
    let trace = Backtrace::capture();
    let trace = (trace.status() == BacktraceStatus::Captured).then(|| trace.to_string());
    tracing::error!(
        target: "kproxy::panic",
        thread = std::thread::current().name().unwrap_or("unnamed"),
        location = panic.location().map(display),
        detail = panic.payload_as_str().unwrap_or("no message"),
        trace,
        "a thread panicked"
    );
}

/// Writes lines to standard error, and waits until they are read.
pub fn say(lines: &str) {
    // Where nobody listens there is nobody to tell.
    io::stderr()
        .write_all(printable(lines).as_bytes())
        .unwrap_or_default();
}

/// Writes lines to standard error, and waits a moment for them to be read: signals end the process no more by themselves,
/// so it must end where nobody reads.
pub fn last_words(lines: String) {
    let (said, heard) = sync_channel::<()>(0);
    let speaker = std::thread::Builder::new().spawn(move || {
        let _said = said;
        say(&lines);
    });
    if speaker.is_ok() {
        // Closed: said. Timed out: unheard. Either way there is nothing more to do.
        heard.recv_timeout(PATIENCE).unwrap_or_default();
    }
}

fn write(lines: &Receiver<Message>, dropped: &AtomicU64, written: &AtomicU64, format: LogFormat) {
    // Locked line by line: others write to standard error too.
    let mut stderr = io::stderr();
    while let Ok(Message::Line(line)) = lines.recv() {
        let lost = dropped.swap(0, Ordering::Relaxed);
        let notice = if lost > 0 {
            notice(lost, format)
        } else {
            String::new()
        };
        // Where nobody listens there is nobody to tell.
        stderr
            .write_all(notice.as_bytes())
            .and_then(|()| stderr.write_all(&line))
            .unwrap_or_default();
        written.fetch_add(1, Ordering::Relaxed);
    }
}

/// The line that says how many are missing.
fn notice(lost: u64, format: LogFormat) -> String {
    const TARGET: &str = "kproxy::telemetry";
    const WHAT: &str = "log lines were dropped: nobody read them in time";
    match format {
        LogFormat::Text => {
            let head = Text { colours: false }.head(tracing::Level::WARN, TARGET);
            format!("{head}{WHAT} lines={lost}\n")
        }
        LogFormat::Json => {
            let mut now = String::new();
            SystemTime
                .format_time(&mut Writer::new(&mut now))
                .unwrap_or_default();
            let line = serde_json::json!({"timestamp": now, "level": "WARN", "message": WHAT, "lines": lost, "target": TARGET});
            format!("{line}\n")
        }
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        // Every line that is written buys the next ones time, up to an end.
        let (began, mut moved) = (Instant::now(), Instant::now());
        let mut written = self.written.load(Ordering::Relaxed);
        let mut asked = false;
        while moved.elapsed() < self.patience && began.elapsed() < LONGEST {
            asked = asked || self.sender.try_send(Message::End).is_ok();
            match self.ended.recv_timeout(STEP) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
            let now = self.written.load(Ordering::Relaxed);
            if now != written {
                (written, moved) = (now, Instant::now());
            }
        }
    }
}

#[derive(Debug)]
struct Lines {
    sender: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
    format: LogFormat,
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
        let mut line = std::mem::take(&mut self.bytes);
        if self.lines.format == LogFormat::Json {
            line = escape::json_line(line);
        }
        if self.lines.sender.try_send(Message::Line(line)).is_err() {
            self.lines.dropped.fetch_add(1, Ordering::Relaxed);
            LOG_QUEUE.record_hit();
            LOG_LINES_DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
}
