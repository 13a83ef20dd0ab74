//! The watcher's thread: waits for commands, events and the time, and gives hints.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use notify::Event;
use tokio::sync::mpsc;

use super::channel::{WatchQuestion, WatcherChannel, WatcherCommands};
use super::effects::{EventEffect, Watches};
use super::file_events::FileEvents;
use super::quiet::Quiet;
use super::{Hint, IsCurrent, OpenEvents, WatchSettings, links};

/// Poll interval where there are no events and none was configured.
const FALLBACK: Duration = Duration::from_secs(10);

/// Times watches are set in a row because directories were not watched before: things may be moved for ever.
const ATTEMPTS: usize = 4;

/// The thread spends at most one part in this many of its time on watches.
const SPACING: u32 = 10;

/// Time in which the marker's event must have come.
const MARK_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) struct WatcherThread {
    channel: Arc<WatcherChannel>,
    hints: mpsc::Sender<Hint>,
    settings: WatchSettings,
    open: OpenEvents,
    events: Option<FileEvents>,
    /// Why there are no events, or not for everything; has been logged.
    trouble: Option<String>,
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
    watches: Watches,
    /// Paths may lead elsewhere than the watches.
    moved: bool,
    /// Earliest time at which events alone may set watches anew.
    arm_after: Instant,
    quiet: Quiet,
    is_current: IsCurrent,
    was_current: bool,
    next_poll: Option<Instant>,
    /// Questions about what happened before the marker was touched, and the time of that.
    marked: Option<(Instant, Vec<WatchQuestion>)>,
    questions: Vec<WatchQuestion>,
}

impl WatcherThread {
    pub(super) fn new(
        channel: Arc<WatcherChannel>,
        hints: mpsc::Sender<Hint>,
        settings: WatchSettings,
        open: OpenEvents,
    ) -> Self {
        Self {
            channel,
            hints,
            settings,
            open,
            events: None,
            trouble: None,
            files: Vec::new(),
            directories: Vec::new(),
            watches: Watches::default(),
            moved: false,
            arm_after: Instant::now(),
            quiet: Quiet::new(settings.debounce),
            is_current: Box::new(|| true),
            was_current: true,
            next_poll: None,
            marked: None,
            questions: Vec::new(),
        }
    }

    pub(super) fn run(&mut self) {
        loop {
            let commands = self.channel.take(self.wake_at(Instant::now()));
            if commands.stop {
                return;
            }
            self.apply_commands(commands);
            if self.settings.watch {
                self.work(Instant::now());
            }
        }
    }

    /// Time at which there is something to do, if nothing happens before.
    fn wake_at(&self, now: Instant) -> Option<Instant> {
        if !self.settings.watch {
            return None;
        }
        let hint = match (self.quiet.due(), self.watches.writing_until()) {
            // Whatever is due and not done is held.
            (Some(due), Some(until)) if due <= now => Some(until),
            (due, _) => due,
        };
        let arm = self.moved.then_some(self.arm_after);
        [hint, arm, self.next_poll].into_iter().flatten().min()
    }

    fn apply_commands(&mut self, commands: WatcherCommands) {
        let now = Instant::now();
        self.take_events(&commands.events, commands.is_lossy, now);
        if let Some(is_current) = commands.compare {
            self.is_current = is_current;
            self.was_current = true;
        }
        if let Some(settings) = commands.settings {
            self.set(settings, now);
        }
        if let Some((files, directories)) = commands.follow
            && (&files, &directories) != (&self.files, &self.directories)
        {
            self.files = files;
            self.directories = directories;
            self.begin(now);
        }
        self.answer(commands.questions, commands.is_marked, now);
    }

    fn take_events(&mut self, events: &[Event], is_lossy: bool, now: Instant) {
        let Some(source) = &mut self.events else {
            return;
        };
        let mut effect = match is_lossy {
            true => EventEffect::Moved,
            false => EventEffect::None,
        };
        for event in events {
            source.forget_dropped(event);
            effect = effect.max(self.watches.take(event, now));
        }
        self.moved |= effect == EventEffect::Moved;
        if effect > EventEffect::None {
            self.happened(now);
        }
    }

    fn happened(&mut self, now: Instant) {
        let is_written = self.is_written(now);
        self.quiet.happened(now, is_written);
    }

    fn is_written(&self, now: Instant) -> bool {
        self.watches.writing_until().is_some_and(|until| until > now)
    }

    /// Answers questions once all events have been taken that happened before they were asked.
    fn answer(&mut self, questions: Vec<WatchQuestion>, is_marked: bool, now: Instant) {
        self.questions.extend(questions);
        if let Some((touched, _)) = &self.marked
            && !is_marked
            && *touched + MARK_TIMEOUT > now
        {
            return;
        }
        let mut answered = self
            .marked
            .take()
            .map(|(_, questions)| questions)
            .unwrap_or_default();
        if !self.questions.is_empty() {
            let questions = std::mem::take(&mut self.questions);
            match self.events.as_ref().is_some_and(FileEvents::touch_marker) {
                true => self.marked = Some((now, questions)),
                false => answered.extend(questions),
            }
        }
        let is_unmodified = !self.quiet.is_pending() && !self.is_written(now);
        for question in answered {
            if question
                .send(self.events.as_ref().map(|_| is_unmodified))
                .is_err()
            {
                tracing::trace!("the asker no longer waits for the answer");
            }
        }
    }

    fn set(&mut self, settings: WatchSettings, now: Instant) {
        let before = std::mem::replace(&mut self.settings, settings);
        self.quiet.set(settings.debounce);
        if !settings.watch {
            self.close_events();
            self.trouble = None;
            self.quiet.clear();
            self.moved = false;
            self.next_poll = None;
        } else if !before.watch {
            self.begin(now);
        } else if before.poll_interval != settings.poll_interval {
            self.schedule(now);
        }
    }

    fn close_events(&mut self) {
        self.events = None;
        self.watches = Watches::default();
        if let Some((_, questions)) = self.marked.take() {
            self.questions.extend(questions);
        }
    }

    /// Watches what is followed. Whatever was read before that has to be read again.
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
        if self.quiet.due().is_some_and(|due| due <= now) && !self.is_written(now) {
            self.fire(Hint::Event);
        }
        if self.next_poll.is_some_and(|next| next <= now) {
            self.poll(now);
        }
    }

    /// Reads the files, for changes that no event reports.
    fn poll(&mut self, now: Instant) {
        self.schedule(now);
        if self.quiet.is_pending() || self.is_written(now) {
            return;
        }
        let is_current = (self.is_current)();
        let was_current = std::mem::replace(&mut self.was_current, is_current);
        if !is_current && was_current {
            // No events come from there, or they went astray: start afresh.
            self.close_events();
        }
        if !is_current || self.trouble.is_some() {
            self.arm();
        }
        if !is_current || !was_current {
            self.fire(Hint::Poll);
        }
    }

    fn schedule(&mut self, now: Instant) {
        let fallback = self.trouble.is_some().then_some(FALLBACK);
        let interval = self.settings.poll_interval.or(fallback);
        self.next_poll = interval.map(|interval| now + interval);
    }

    fn fire(&mut self, hint: Hint) {
        if self.moved {
            self.arm();
        }
        self.quiet.clear();
        if self.hints.try_send(hint).is_err() {
            tracing::trace!("a hint that has not been taken yet stands for this one as well");
        }
        // Until then the files have been read, and what was read is what polling compares with.
        self.schedule(Instant::now());
    }

    fn arm(&mut self) {
        let began = Instant::now();
        self.moved = false;
        let trouble = match self.open_events() {
            Ok(()) => self.arm_until_nothing_moves(),
            Err(why) => Some(why),
        };
        self.report(trouble);
        self.arm_after = Instant::now() + began.elapsed() * SPACING;
    }

    fn open_events(&mut self) -> Result<(), String> {
        if !self.events.as_ref().is_some_and(FileEvents::is_alive) {
            let channel = Arc::clone(&self.channel);
            self.events = Some((self.open)(Box::new(move |delivery| channel.deliver(delivery)))?);
        }
        Ok(())
    }

    /// Sets watches until no directory is new, in which something may have happened before it was watched. Returns why not
    /// everything is watched.
    fn arm_until_nothing_moves(&mut self) -> Option<String> {
        let events = self.events.as_mut()?;
        for _ in 0..ATTEMPTS {
            let armed = events.arm(links::needs(&self.files, &self.directories));
            self.watches.directories = armed.directories;
            self.watches.files = armed.files;
            for directory in &armed.new_directories {
                self.watches.writers.forget_in(directory);
            }
            if armed.failure.is_some() || armed.new_directories.is_empty() {
                return armed.failure;
            }
        }
        self.moved = true;
        None
    }

    /// Logs trouble once, and its end.
    fn report(&mut self, trouble: Option<String>) {
        match (&self.trouble, &trouble) {
            (None, Some(why)) => {
                let interval = self.settings.poll_interval.unwrap_or(FALLBACK);
                tracing::warn!(
                    "cannot watch the configuration files: {why}; kproxy reads and compares them every {interval:?}"
                );
            }
            (Some(_), None) => tracing::info!("the configuration files are watched again"),
            _ => (),
        }
        let is_news = self.trouble.is_some() != trouble.is_some();
        self.trouble = trouble;
        if is_news {
            self.schedule(Instant::now());
        }
    }
}
