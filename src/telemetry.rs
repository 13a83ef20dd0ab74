//! Log: structured lines on standard error.
//!
//! Text from outside is escaped here, in both formats, so that no caller can forget it. A thread of its own writes the lines.
//! A pipe that nobody reads must not stop a session: a line that finds the queue full is dropped, and the next one is
//! preceded by a line with the number of dropped ones.

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
use text::TextFormat;

/// Most lines that wait to be written.
const QUEUE_LENGTH: usize = 4096;

/// How long the end of the process waits for one line to be read.
const LINE_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the end of the process waits for all lines to be read.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// [`LINE_TIMEOUT`] after a second signal.
const SHORT_LINE_TIMEOUT: Duration = Duration::from_millis(100);

/// Interval in which the end of the process checks for progress.
const FLUSH_CHECK: Duration = Duration::from_millis(10);

/// Changes the log level while the process runs.
#[derive(Clone)]
pub struct LevelHandle {
    level: String,
    change: Arc<dyn Fn(EnvFilter) -> bool + Send + Sync>,
}

impl LevelHandle {
    /// Sets the list of directives. Returns whether it could: a list that does not parse changes nothing. The configuration
    /// has been checked for that.
    pub fn set(&mut self, level: &str) -> bool {
        if level == self.level {
            return true;
        }
        let changed = EnvFilter::try_new(level).is_ok_and(|filter| (self.change)(filter));
        if changed {
            level.clone_into(&mut self.level);
        } else {
            tracing::warn!(level, "cannot change the log level");
        }
        changed
    }
}

/// Keeps the log running. Dropping it writes the lines that wait, as long as they are read.
pub struct LogGuard {
    sender: SyncSender<LogMessage>,
    /// Disconnected when the last line has been written.
    ended: Receiver<()>,
    written: Arc<AtomicU64>,
    level: LevelHandle,
    line_timeout: Duration,
}

impl LogGuard {
    /// Returns the handle for changes of the level.
    pub fn level(&self) -> LevelHandle {
        self.level.clone()
    }

    /// Shortens the wait for slow readers at the end.
    pub fn shorten_flush(&mut self) {
        self.line_timeout = SHORT_LINE_TIMEOUT;
    }
}

enum LogMessage {
    Line(Vec<u8>),
    End,
}

/// Starts the log on standard error with the settings of `logging`. Once per process.
///
/// # Errors
/// Returns the reason if the level is not a list of directives, the process logs already, or there is no thread.
pub fn start(logging: &Logging) -> io::Result<LogGuard> {
    let filter = EnvFilter::try_new(&logging.level).map_err(io::Error::other)?;
    let (sender, receiver) = sync_channel(QUEUE_LENGTH);
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
        // They would be written to standard error by the thread of a session, which must not wait for it.
        .log_internal_errors(false);
    let change: Arc<dyn Fn(EnvFilter) -> bool + Send + Sync> = match format {
        LogFormat::Text => {
            let colours = io::stderr().is_terminal();
            let subscriber = lines
                .with_ansi(colours)
                .event_format(TextFormat { colours })
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
    std::panic::set_hook(Box::new(log_panic));
    let level = logging.level.clone();
    Ok(LogGuard {
        sender,
        ended,
        written,
        level: LevelHandle { level, change },
        line_timeout: LINE_TIMEOUT,
    })
}

/// Logs a panic. The default hook would make the thread of a session wait for standard error.
fn log_panic(panic: &PanicHookInfo<'_>) {
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
pub fn print_error(lines: &str) {
    // An error means that nobody reads them.
    drop(io::stderr().write_all(printable(lines).as_bytes()));
}

/// Writes lines to standard error, and waits for `LINE_TIMEOUT`: signals no longer end the process by themselves, so it
/// must end even if nobody reads.
pub fn print_last_error(lines: String) {
    let (sender, written) = sync_channel::<()>(0);
    let writer = std::thread::Builder::new().spawn(move || {
        let _sender = sender;
        print_error(&lines);
    });
    if writer.is_ok() {
        // Disconnected once they are written. After the time-out there is nothing more to do.
        written.recv_timeout(LINE_TIMEOUT).unwrap_or_default();
    }
}

fn write(lines: &Receiver<LogMessage>, dropped: &AtomicU64, written: &AtomicU64, format: LogFormat) {
    // Locked line by line: other code writes to standard error too.
    let mut stderr = io::stderr();
    while let Ok(LogMessage::Line(line)) = lines.recv() {
        let lost = dropped.swap(0, Ordering::Relaxed);
        let notice = if lost > 0 {
            notice(lost, format)
        } else {
            String::new()
        };
        // An error means that nobody reads them.
        let noticed = stderr.write_all(notice.as_bytes());
        drop(noticed.and_then(|()| stderr.write_all(&line)));
        written.fetch_add(1, Ordering::Relaxed);
    }
}

/// Formats the line with the number of dropped lines.
fn notice(lost: u64, format: LogFormat) -> String {
    const TARGET: &str = "kproxy::telemetry";
    const WHAT: &str = "log lines were dropped: nobody read them in time";
    match format {
        LogFormat::Text => {
            let head = TextFormat { colours: false }.head(tracing::Level::WARN, TARGET);
            format!("{head}{WHAT} lines={lost}\n")
        }
        LogFormat::Json => {
            let mut now = String::new();
            // Writing to a string cannot fail.
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
        // Every line that is written extends the time, up to FLUSH_TIMEOUT.
        let (began, mut moved) = (Instant::now(), Instant::now());
        let mut written = self.written.load(Ordering::Relaxed);
        let mut asked = false;
        while moved.elapsed() < self.line_timeout && began.elapsed() < FLUSH_TIMEOUT {
            asked = asked || self.sender.try_send(LogMessage::End).is_ok();
            match self.ended.recv_timeout(FLUSH_CHECK) {
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
    sender: SyncSender<LogMessage>,
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

/// One line, sent when it is dropped.
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
        if self.lines.sender.try_send(LogMessage::Line(line)).is_err() {
            self.lines.dropped.fetch_add(1, Ordering::Relaxed);
            LOG_QUEUE.record_hit();
            LOG_LINES_DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
}
