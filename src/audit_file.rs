//! A file of audit lines: written by a thread of its own, in order, and only ever added to.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::iter;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::OFlags;

use crate::time::rfc3339;

/// Target of log lines of audits.
const TARGET: &str = "kproxy::audit";

/// Audit lines that could not be written to their file since the process began.
pub static AUDIT_LINES_LOST: AtomicU64 = AtomicU64::new(0);

/// Most lines that wait to be written.
const QUEUE_LENGTH: usize = 1024;

/// Mode of a file that kproxy creates.
const MODE: u32 = 0o600;

/// Where lines are that could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnwrittenLines {
    /// In the log, which has every line.
    InLog,
    /// Nowhere.
    Lost,
}

/// Writes lines to a file. Dropping it writes what waits, without waiting for it.
#[derive(Debug)]
pub struct AuditFile {
    path: PathBuf,
    lines: SyncSender<Queued>,
    /// Disconnected when the last line has been written.
    ended: Mutex<Receiver<()>>,
    health: Arc<FileHealth>,
}

/// What the thread of a file is asked for.
#[derive(Debug)]
enum Queued {
    /// To write a line.
    Line(Vec<u8>),
    /// To say that everything before is written: this is dropped then.
    Flush(#[expect(dead_code, reason = "its drop is the answer")] SyncSender<()>),
}

/// Whether lines can be written.
#[derive(Debug, Default)]
struct FileHealth {
    /// Lines lost since one was written last.
    lost: AtomicU64,
    failing: AtomicBool,
    why: Mutex<String>,
}

impl AuditFile {
    /// Starts the thread. The file is opened when the first line is written. `unwritten` says where lines are that cannot be
    /// written.
    ///
    /// # Errors
    /// The error of the operating system if there is no thread.
    pub fn start(path: PathBuf, unwritten: UnwrittenLines) -> io::Result<Self> {
        let (lines, receiver) = sync_channel(QUEUE_LENGTH);
        let (ending, ended) = sync_channel(0);
        let health = Arc::<FileHealth>::default();
        let writer = AuditWriter {
            path: path.clone(),
            open: None,
            health: Arc::clone(&health),
            unwritten,
        };
        std::thread::Builder::new()
            .name("kproxy-audit".into())
            .spawn(move || {
                let _ending: SyncSender<()> = ending;
                writer.run(&receiver);
            })?;
        Ok(Self {
            path,
            lines,
            ended: Mutex::new(ended),
            health,
        })
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Hands a line over. If too many wait, it is counted as lost. Never waits.
    pub fn add(&self, line: Vec<u8>) {
        match self.lines.try_send(Queued::Line(line)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.health.lose(1),
        }
    }

    /// Why lines cannot be written, in a sentence; `None` if they can.
    pub fn trouble(&self) -> Option<String> {
        let failing = self.health.failing.load(Ordering::Acquire);
        let why = || {
            self.health
                .why
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone()
        };
        failing.then(|| {
            format!(
                "audit lines cannot be written to {}, they are in the log only: {}",
                self.path.display(),
                why()
            )
        })
    }

    /// Writes what waits, for so long at most. Blocks; for the end of the process.
    pub fn finish(self, timeout: Duration) {
        let Self {
            lines, ended, path, ..
        } = self;
        drop(lines);
        let ended = ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        if ended.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!(target: TARGET, file = %path.display(), "the last audit lines could not be written in time");
        }
    }
}

/// Files that are being written, by their paths: filters of several virtual clusters may share one.
static SHARED: Mutex<Vec<(PathBuf, Weak<AuditFile>)>> = Mutex::new(Vec::new());

impl AuditFile {
    /// The file of this path that other filters write already, or a new one.
    ///
    /// # Errors
    /// The file cannot be opened, or there is no thread to write it.
    pub fn shared(path: &Path) -> io::Result<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.retain(|(_, file)| file.strong_count() > 0);
        let known = shared.iter().find(|(known, _)| known == path);
        if let Some(file) = known.and_then(|(_, file)| file.upgrade()) {
            return Ok(file);
        }
        let file = Arc::new(Self::start(path.to_owned(), UnwrittenLines::Lost)?);
        shared.push((path.to_owned(), Arc::downgrade(&file)));
        Ok(file)
    }

    /// Waits until everything that filters have handed over so far is written, until `deadline` at most. Blocks; for the end
    /// of the process.
    pub fn flush_shared(deadline: Instant) {
        let shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for file in shared.iter().filter_map(|(_, file)| file.upgrade()) {
            let (done, flushed) = sync_channel(0);
            if file.lines.try_send(Queued::Flush(done)).is_ok() {
                // Disconnected, or too late: there is nothing more to do in either case.
                flushed
                    .recv_timeout(deadline.saturating_duration_since(Instant::now()))
                    .unwrap_or_default();
            }
        }
    }
}

impl FileHealth {
    fn lose(&self, lines: u64) {
        self.lost.fetch_add(lines, Ordering::Relaxed);
        AUDIT_LINES_LOST.fetch_add(lines, Ordering::Relaxed);
    }
}

/// The writing side, on its own thread.
struct AuditWriter {
    path: PathBuf,
    open: Option<File>,
    health: Arc<FileHealth>,
    unwritten: UnwrittenLines,
}

impl AuditWriter {
    fn run(mut self, lines: &Receiver<Queued>) {
        while let Ok(first) = lines.recv() {
            for queued in iter::once(first).chain(lines.try_iter()) {
                if let Queued::Line(line) = queued {
                    self.add(&line);
                }
            }
            if let Some(file) = &self.open {
                // A disk that cannot do it has taken the lines nevertheless.
                file.sync_data().unwrap_or_default();
            }
        }
    }

    fn add(&mut self, line: &[u8]) {
        let written = self.note_lost().and_then(|()| self.write(line));
        match written {
            Ok(()) => self.health.failing.store(false, Ordering::Release),
            Err(error) => {
                self.open = None;
                self.health.lose(1);
                self.fail(&error);
            }
        }
    }

    /// Writes how many lines were lost before this one.
    fn note_lost(&mut self) -> io::Result<()> {
        let lost = self.health.lost.load(Ordering::Relaxed);
        if lost == 0 {
            return Ok(());
        }
        let at = rfc3339(SystemTime::now());
        let line = serde_json::json!({"at": at, "action": "lines_lost", "count": lost});
        self.write(format!("{line}\n").as_bytes())?;
        self.health.lost.fetch_sub(lost, Ordering::Relaxed);
        match self.unwritten {
            UnwrittenLines::InLog => {
                tracing::warn!(target: TARGET, file = %self.path.display(), lost, "audit lines are written again; some are in the log only");
            }
            UnwrittenLines::Lost => {
                tracing::warn!(target: TARGET, file = %self.path.display(), lost, "audit lines are written again; some are lost");
            }
        }
        Ok(())
    }

    fn fail(&self, error: &io::Error) {
        *self.health.why.lock().unwrap_or_else(PoisonError::into_inner) = error.to_string();
        if !self.health.failing.swap(true, Ordering::AcqRel) {
            match self.unwritten {
                UnwrittenLines::InLog => {
                    tracing::error!(target: TARGET, file = %self.path.display(), %error, "audit lines cannot be written to the file; they are in the log only");
                }
                UnwrittenLines::Lost => {
                    tracing::error!(target: TARGET, file = %self.path.display(), %error, "audit lines cannot be written to the file; they are lost");
                }
            }
        }
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let mut file = self.file()?;
        file.write_all(line)
    }

    /// The file that has the path now: another one than before where a rotation has renamed that.
    fn file(&mut self) -> io::Result<&File> {
        let is_same = |file: &File| {
            let (open, found) = (file.metadata(), std::fs::metadata(&self.path));
            let identity = |metadata: &std::fs::Metadata| (metadata.dev(), metadata.ino());
            matches!((open, found), (Ok(open), Ok(found)) if identity(&open) == identity(&found))
        };
        let open = self.open.take().filter(is_same);
        let file = match open {
            Some(file) => file,
            None => {
                let mut file = open_to_add(&self.path)?;
                if ends_within_a_line(&file)? {
                    // What was cut off stays a line of its own.
                    file.write_all(b"\n")?;
                }
                file
            }
        };
        Ok(self.open.insert(file))
    }
}

/// Opens a file to add to, or creates it.
fn open_to_add(path: &Path) -> io::Result<File> {
    // A pipe without a reader would make this wait.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(MODE)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file)
}

/// Whether the last line of a file was cut off: by a full disk, or by the end of a process.
fn ends_within_a_line(file: &File) -> io::Result<bool> {
    let Some(last) = file.metadata()?.len().checked_sub(1) else {
        return Ok(false);
    };
    let mut byte = [0];
    Ok(file.read_at(&mut byte, last)? == 1 && byte != *b"\n")
}
