//! Events: what happens in the process, told to everybody who wants to know.
//!
//! Publishing is one line from anywhere in `control`: `self.events.publish(Event::Confirmed(ConfirmEvent { … }))`. It never
//! waits. Sinks (such as the audit) take note at once. Readers (`kproxy watch`) get events through a bounded queue: a reader that is too slow loses the oldest ones and
//! learns how many. Without readers nothing is kept.
//!
//! What happens often is summed up before it is published: see [`observer`].

mod closes;
mod kinds;
mod observer;
mod states;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

pub use kinds::{
    CertificateEvent, ClosedSessions, ClusterStateEvent, ConfirmEvent, DrainEvent, Event, LimitEvent,
    LogLevelEvent, ProbationEvent, RollbackEvent, ShutdownEvent, SlowReloadEvent, StagedEvent, SteeringEvent,
    TimedEvent, WatchingEvent,
};
pub(in crate::control) use observer::EventObserver;
pub(in crate::control) use states::StateChanges;

/// Events that wait for a reader; of more, the oldest are lost to it.
const QUEUE_LENGTH: usize = 1024;

/// Place to publish events. Cheap to clone.
#[derive(Debug, Clone)]
pub(in crate::control) struct EventBus(Arc<SharedBus>);

#[derive(Debug)]
struct SharedBus {
    readers: broadcast::Sender<Arc<TimedEvent>>,
    sinks: Vec<Box<dyn EventSink>>,
}

/// Receiver of every event, on the thread that publishes it. It must not wait.
pub(in crate::control) trait EventSink: Debug + Send + Sync {
    /// Takes note of an event, in the order of publishing.
    fn note(&self, event: &TimedEvent);
}

/// Reader of the events that are published after it was made. Ends with the proxy.
#[derive(Debug)]
pub struct EventReader(broadcast::Receiver<Arc<TimedEvent>>);

impl Default for EventBus {
    fn default() -> Self {
        Self::with_sinks(Vec::new())
    }
}

impl EventBus {
    /// A place whose events are given to `sinks`, too.
    pub(in crate::control) fn with_sinks(sinks: Vec<Box<dyn EventSink>>) -> Self {
        Self(Arc::new(SharedBus {
            readers: broadcast::Sender::new(QUEUE_LENGTH),
            sinks,
        }))
    }

    /// Publishes an event of this moment. Never waits.
    pub(in crate::control) fn publish(&self, event: Event) {
        let at = SystemTime::now();
        let event = Arc::new(TimedEvent { at, event });
        for sink in &self.0.sinks {
            sink.note(&event);
        }
        // An error means that there is no reader.
        drop(self.0.readers.send(event));
    }

    /// Whether somebody reads, so that what is expensive to find out is worth it.
    pub(in crate::control) fn has_readers(&self) -> bool {
        self.0.readers.receiver_count() > 0
    }

    /// A reader of all events from now on.
    pub(in crate::control) fn subscribe(&self) -> EventReader {
        EventReader(self.0.readers.subscribe())
    }
}

impl EventReader {
    /// Waits for the next event; [`Event::Lost`] where this reader was too slow. `None`: the proxy has ended. Cancel safe.
    pub async fn next(&mut self) -> Option<Arc<TimedEvent>> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Closed) => None,
            Err(RecvError::Lagged(count)) => Some(Arc::new(TimedEvent {
                at: SystemTime::now(),
                event: Event::Lost { count },
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(count: u64) -> Event {
        Event::Lost { count }
    }

    #[tokio::test]
    async fn a_slow_reader_learns_how_many_events_it_has_lost_and_reads_on() {
        let bus = EventBus::default();
        bus.publish(names(0));
        assert!(!bus.has_readers());
        let mut reader = bus.subscribe();
        assert!(bus.has_readers());
        for count in 1..=QUEUE_LENGTH as u64 + 7 {
            bus.publish(names(count));
        }
        let mut next = async || reader.next().await.map(|event| event.event.clone());
        assert_eq!(next().await, Some(Event::Lost { count: 7 }));
        assert_eq!(next().await, Some(names(8)), "the oldest that was kept");
        drop(bus);
        for _ in 1..QUEUE_LENGTH {
            assert!(next().await.is_some());
        }
        assert_eq!(next().await, None, "the proxy has ended");
    }
}
