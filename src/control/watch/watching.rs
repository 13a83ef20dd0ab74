//! The watcher's thread: waits for the kernel, for orders and for the time, and gives hints.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

use super::events::{Meaning, Watches};
use super::inotify::Inotify;
use super::links;
use super::looks::{Look, Looks, Verdict};
use super::mailbox::{Mailbox, Orders};
use super::quiet::Quiet;
use super::{Hint, WatchSettings};

/// How often to poll where the kernel cannot watch and nobody said how often.
const FALLBACK: Duration = Duration::from_secs(10);

/// How often to look for orders when nothing can wake the thread, and how long to rest when nothing works.
const UNWOKEN: Duration = Duration::from_millis(200);

/// Watches on directories nobody watched before are set until a second look at the paths finds nothing else, but no
/// more often than this: somebody may be moving things for ever.
const ATTEMPTS: usize = 4;

/// Of its time, the thread spends at most one part in this many setting watches.
const SPACING: u32 = 10;

pub(super) struct Watching {
    mailbox: Arc<Mailbox>,
    settings: WatchSettings,
    open: fn() -> Result<Inotify, Errno>,
    inotify: Option<Inotify>,
    /// Why the kernel does not watch everything; has been told.
    trouble: Option<String>,
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
    watches: Watches,
    /// Paths may lead elsewhere than the watches.
    moved: bool,
    /// Not before this are watches set anew for an event's sake alone.
    arm_after: Instant,
    quiet: Quiet,
    looks: Looks,
    next_look: Option<Instant>,
    /// The next look is the second of its interval.
    due: bool,
}

impl Watching {
    pub(super) fn new(
        mailbox: Arc<Mailbox>,
        settings: WatchSettings,
        open: fn() -> Result<Inotify, Errno>,
    ) -> Self {
        Self {
            mailbox,
            settings,
            open,
            inotify: None,
            trouble: None,
            files: Vec::new(),
            directories: Vec::new(),
            watches: Watches::default(),
            moved: false,
            arm_after: Instant::now(),
            quiet: Quiet::new(settings.debounce),
            looks: Looks::default(),
            next_look: None,
            due: false,
        }
    }

    pub(super) fn run(&mut self) {
        loop {
            self.wait();
            // Orders first: a question is about what happened before it was asked.
            let orders = self.mailbox.orders();
            if orders.stop {
                return;
            }
            self.read_events();
            self.obey(orders);
            if self.settings.watch {
                self.work(Instant::now());
            }
        }
    }

    fn wait(&self) {
        let now = Instant::now();
        let mut until = self.wake_at(now);
        if self.mailbox.wake().is_none() {
            until = Some(until.unwrap_or(now + UNWOKEN).min(now + UNWOKEN));
        }
        let timeout = until.map(|until| until.saturating_duration_since(now));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let inotify = self.inotify.as_ref().map(Inotify::as_fd);
        let mut waited: Vec<PollFd<'_>> = [inotify, self.mailbox.wake()]
            .into_iter()
            .flatten()
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        match rustix::event::poll(&mut waited, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => (),
            Err(errno) => {
                tracing::debug!(%errno, "cannot wait for events");
                std::thread::sleep(UNWOKEN);
            }
        }
    }

    /// When there is something to do, if nothing happens before.
    fn wake_at(&self, now: Instant) -> Option<Instant> {
        if !self.settings.watch {
            return None;
        }
        let held = self.watches.writing_until();
        let look = match (self.quiet.due(), held) {
            // Whatever is due and not done is held.
            (Some(due), Some(until)) if due <= now => Some(until),
            (due, _) => due,
        };
        let arm = self.moved.then_some(self.arm_after);
        [look, arm, self.next_look].into_iter().flatten().min()
    }

    fn read_events(&mut self) {
        let Some(inotify) = &mut self.inotify else {
            return;
        };
        let now = Instant::now();
        let mut meaning = Meaning::default();
        let watches = &mut self.watches;
        if let Err(errno) = inotify.read(|event| meaning = meaning.and(watches.take(event, now))) {
            self.inotify = None;
            self.watches = Watches::default();
            self.report(Some(format!("cannot read its events: {}", reason(errno))));
            meaning = Meaning {
                hint: true,
                moved: true,
            };
        }
        self.moved |= meaning.moved;
        if meaning.hint {
            self.happened(now);
        }
    }

    fn happened(&mut self, now: Instant) {
        let writing = self.is_written(now);
        self.quiet.happened(now, writing);
    }

    fn is_written(&self, now: Instant) -> bool {
        self.watches.writing_until().is_some_and(|until| until > now)
    }

    fn obey(&mut self, orders: Orders) {
        let now = Instant::now();
        if let Some(settings) = orders.settings {
            self.set(settings, now);
        }
        if let Some((files, directories)) = orders.follow
            && (&files, &directories) != (&self.files, &self.directories)
        {
            self.files = files;
            self.directories = directories;
            self.begin(now);
        }
        let undisturbed = !self.quiet.is_pending() && !self.is_written(now);
        for question in orders.questions {
            if question.send(undisturbed).is_err() {
                tracing::trace!("nobody waits for the answer any more");
            }
        }
    }

    fn set(&mut self, settings: WatchSettings, now: Instant) {
        let before = std::mem::replace(&mut self.settings, settings);
        self.quiet.set(settings.debounce);
        if !settings.watch {
            self.inotify = None;
            self.trouble = None;
            self.watches = Watches::default();
            self.quiet.looked();
            self.moved = false;
            self.next_look = None;
        } else if !before.watch {
            self.begin(now);
        } else if before.poll_interval != settings.poll_interval {
            self.schedule(now);
        }
    }

    /// Watches what is followed; whatever was read before that is to be read again.
    fn begin(&mut self, now: Instant) {
        if self.settings.watch {
            self.arm();
            self.happened(now);
            self.schedule(now);
        }
    }

    fn work(&mut self, now: Instant) {
        if self.moved && self.arm_after <= now {
            self.arm();
        }
        if self.quiet.due().is_some_and(|due| due <= now) {
            self.let_complete_files_pass();
            if !self.is_written(now) {
                self.fire(Hint::Event);
            }
        }
        if self.next_look.is_some_and(|next| next <= now) {
            self.look(now);
        }
    }

    fn look(&mut self, now: Instant) {
        let verdict = self.looks.compare(self.look_now(), self.due);
        if verdict != Verdict::Unchanged || (self.due && self.trouble.is_some()) {
            self.arm();
        }
        self.due = !self.due;
        self.schedule(now);
        if verdict == Verdict::Read && !self.quiet.is_pending() && !self.is_written(now) {
            self.fire(Hint::Poll);
        }
    }

    fn look_now(&self) -> Look {
        Look::at(self.files.iter().chain(&self.directories))
    }

    fn schedule(&mut self, now: Instant) {
        let fallback = self.trouble.is_some().then_some(FALLBACK);
        let interval = self.settings.poll_interval.or(fallback);
        self.next_look = interval.map(|interval| now + interval / 2);
    }

    /// Watches, then looks, then tells: what changes after the one is told by the other.
    fn fire(&mut self, hint: Hint) {
        if self.moved {
            self.arm();
        }
        self.looks.reading(self.look_now());
        self.watches.looked();
        self.quiet.looked();
        self.mailbox.give(hint);
    }

    /// What came by a link or complete will not be closed by anybody.
    fn let_complete_files_pass(&mut self) {
        for (place, path) in self.watches.unwritten() {
            let metadata = path.symlink_metadata();
            let being_written = metadata.is_ok_and(|metadata| metadata.is_file() && metadata.len() == 0);
            if !being_written {
                self.watches.is_complete(&place);
            }
        }
    }

    fn arm(&mut self) {
        let began = Instant::now();
        self.moved = false;
        if self.inotify.is_none() {
            match (self.open)() {
                Ok(inotify) => self.inotify = Some(inotify),
                Err(errno) => return self.report(Some(format!("cannot be set up: {}", reason(errno)))),
            }
        }
        let trouble = self.arm_until_nothing_moves();
        self.report(trouble);
        self.arm_after = Instant::now() + began.elapsed() * SPACING;
    }

    /// Somebody may move things while watches are set; returns what could not be watched.
    fn arm_until_nothing_moves(&mut self) -> Option<String> {
        let inotify = self.inotify.as_ref()?;
        let mut needs = links::needs(&self.files, &self.directories);
        let mut failed = None;
        for _ in 0..ATTEMPTS {
            let armed = inotify.arm(&needs);
            failed = armed.failed;
            let (gone, unseen) = self.watches.replace(armed.watches);
            for watch in gone {
                inotify.remove(watch);
            }
            // Otherwise an event tells what has changed since the paths were looked at.
            if !unseen {
                self.moved = false;
                break;
            }
            let again = links::needs(&self.files, &self.directories);
            self.moved = again != needs;
            if !self.moved {
                break;
            }
            needs = again;
        }
        failed.map(|(path, errno)| format!("cannot watch {}: {}", path.display(), reason(errno)))
    }

    /// Tells of trouble once, and of its end.
    fn report(&mut self, trouble: Option<String>) {
        match (&self.trouble, &trouble) {
            (None, Some(why)) => {
                let interval = self.settings.poll_interval.unwrap_or(FALLBACK);
                tracing::warn!(
                    "inotify {why}; changes of the configuration are found by looking every {interval:?}"
                );
            }
            (Some(_), None) => tracing::info!("inotify watches the configuration again"),
            _ => (),
        }
        let told = self.trouble.is_some() == trouble.is_some();
        self.trouble = trouble;
        if !told {
            self.schedule(Instant::now());
        }
    }
}

/// What went wrong, with what to do about it.
fn reason(errno: Errno) -> String {
    match errno {
        Errno::NOSPC => "too many watches of this user (fs.inotify.max_user_watches)".to_owned(),
        Errno::MFILE => {
            "too many instances of this user (fs.inotify.max_user_instances) or open files".to_owned()
        }
        _ => {
            let text = std::io::Error::from(errno).to_string();
            text.split(" (os error").next().unwrap_or_default().to_owned()
        }
    }
}
