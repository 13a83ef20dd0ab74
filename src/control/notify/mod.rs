//! Webhooks (`notify`): what needs a person is posted to them as JSON.
//!
//! Each webhook has a bounded queue and a task, on a thread of their own: one that hangs delays neither the others nor
//! anything else, and the end of the process only for a moment.

mod delivery;
mod post;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::task::JoinHandle;

use crate::control::metrics::NotificationOutcome;
use crate::endpoint::RuntimeThread;
use crate::model::{Webhook, WebhookEvent};
use delivery::Notification;

/// Target of log lines about webhooks.
const TARGET: &str = "kproxy::notify";

/// Notifications that wait for one webhook; further ones are dropped and counted.
const QUEUE_LENGTH: usize = 100;

/// Interval in which the end of the process looks whether everything is delivered.
const END_CHECK: Duration = Duration::from_millis(2);

/// The webhooks of one proxy.
#[derive(Debug, Default)]
pub(in crate::control) struct Webhooks {
    hooks: Vec<RunningHook>,
    /// Runs from the first webhook on.
    thread: Option<RuntimeThread>,
}

/// A webhook with its queue.
#[derive(Debug)]
struct RunningHook {
    settings: Webhook,
    queue: mpsc::Sender<Notification>,
    task: JoinHandle<()>,
}

impl Webhooks {
    /// Makes these the webhooks. Those that stay as they are keep what waits for them; one that goes tries to deliver what
    /// waits for it.
    pub(in crate::control) fn set(&mut self, wanted: &[Webhook]) {
        let mut before = std::mem::take(&mut self.hooks);
        for settings in wanted {
            if let Some(place) = before.iter().position(|hook| hook.settings == *settings) {
                self.hooks.push(before.swap_remove(place));
                continue;
            }
            match self.start(settings) {
                Ok(hook) => self.hooks.push(hook),
                Err(error) => {
                    tracing::error!(target: TARGET, %error, "no thread for webhooks: they are not told of anything");
                    return;
                }
            }
        }
    }

    fn start(&mut self, settings: &Webhook) -> io::Result<RunningHook> {
        let thread = match self.thread.take() {
            Some(thread) => thread,
            None => RuntimeThread::start("kproxy-webhooks".into())?,
        };
        let (queue, waiting) = mpsc::channel(QUEUE_LENGTH);
        let task = thread
            .handle()
            .spawn(delivery::deliver(settings.clone(), waiting));
        self.thread = Some(thread);
        Ok(RunningHook {
            settings: settings.clone(),
            queue,
            task,
        })
    }

    /// Whether a webhook is told of such events.
    pub(in crate::control) fn want(&self, event: WebhookEvent) -> bool {
        self.hooks
            .iter()
            .any(|hook| hook.settings.events.contains(&event))
    }

    /// Hands `body` to the webhooks that are told of such events. Never waits.
    pub(in crate::control) fn tell(&self, event: WebhookEvent, body: &Arc<str>) {
        for hook in self
            .hooks
            .iter()
            .filter(|hook| hook.settings.events.contains(&event))
        {
            let notification = Notification::new(event, body);
            if let Err(TrySendError::Full(_) | TrySendError::Closed(_)) = hook.queue.try_send(notification) {
                NotificationOutcome::Dropped.count();
            }
        }
    }

    /// Delivers what waits, for so long at most, and ends. Blocks; for the end of the process.
    pub(in crate::control) fn finish(&mut self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        let tasks: Vec<_> = self.hooks.drain(..).map(|hook| hook.task).collect();
        while tasks.iter().any(|task| !task.is_finished()) {
            if Instant::now() >= deadline {
                tracing::warn!(target: TARGET, "some notifications could not be delivered before the end");
                break;
            }
            std::thread::sleep(END_CHECK);
        }
        self.thread = None;
    }
}
