//! Delivery to one webhook: one notification after the other, each until it is taken, is refused, or is too old.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::TARGET;
use super::post::{PostError, Poster};
use crate::control::metrics::NotificationOutcome;
use crate::model::{Webhook, WebhookEvent};

/// Most attempts at one notification.
const MAX_ATTEMPTS: u32 = 8;

/// Delay before the second attempt; each further one is twice as long.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// Age at which a notification is given up.
const MAX_AGE: Duration = Duration::from_secs(10 * 60);

/// Something to tell.
#[derive(Debug)]
pub(super) struct Notification {
    event: WebhookEvent,
    body: Arc<str>,
    since: Instant,
}

impl Notification {
    pub(super) fn new(event: WebhookEvent, body: &Arc<str>) -> Self {
        Self {
            event,
            body: Arc::clone(body),
            since: Instant::now(),
        }
    }
}

/// What has been logged of a webhook.
#[derive(Debug, Default)]
struct Trouble {
    /// Whether the last attempt failed.
    is_failing: bool,
    /// Notifications given up since the last that was delivered.
    given_up: u64,
}

/// Delivers what arrives until the queue is closed and empty.
pub(super) async fn deliver(settings: Webhook, mut waiting: mpsc::Receiver<Notification>) {
    let mut poster = Poster::new(settings);
    let mut trouble = Trouble::default();
    while let Some(notification) = waiting.recv().await {
        let delivered = try_to_deliver(&mut poster, &notification, &mut trouble).await;
        trouble.note(poster.server(), notification.event, delivered);
    }
}

/// Tries until the notification is taken; the reason where it is given up.
async fn try_to_deliver(
    poster: &mut Poster,
    notification: &Notification,
    trouble: &mut Trouble,
) -> Result<(), String> {
    let mut delay = FIRST_DELAY;
    for attempt in 1.. {
        let why = match poster.post(&notification.body).await {
            Ok(()) => return Ok(()),
            Err(PostError::Refused(why)) => return Err(why),
            Err(PostError::Passing(why)) => why,
        };
        if attempt >= MAX_ATTEMPTS || notification.since.elapsed() + delay >= MAX_AGE {
            return Err(why);
        }
        trouble.note_attempt(poster.server(), &why);
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(LONGEST_DELAY);
    }
    Ok(())
}

impl Trouble {
    /// Logs the first failure; later ones are the same trouble.
    fn note_attempt(&mut self, server: &str, why: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::warn!(target: TARGET, server, reason = why, "a webhook does not take notifications; kproxy tries again");
        }
    }

    fn note(&mut self, server: &str, event: WebhookEvent, delivered: Result<(), String>) {
        match delivered {
            Ok(()) => {
                NotificationOutcome::Delivered.count();
                let given_up = std::mem::take(&mut self.given_up);
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!(target: TARGET, server, given_up, "the webhook takes notifications again");
                }
            }
            Err(reason) => {
                NotificationOutcome::Failed.count();
                self.is_failing = true;
                self.given_up += 1;
                if self.given_up == 1 {
                    tracing::error!(target: TARGET, server, event = event.name(), reason, "a notification is given up; further ones are only counted");
                }
            }
        }
    }
}
