//! Who is connected to the management port, and who gives way to others.
//!
//! A connection waits for a request, or an answer is made for it and is on its way. Those that wait have places of their
//! own, so that a probe finds one however many answers are on their way; of more than there are places the one that has
//! waited longest is closed. Of the others the one gives way that has taken nothing of its answer for the longest time,
//! or else the one that has taken longest over it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Connections that may wait for a request, or be within the head of one.
pub(super) const WAITING: usize = 64;

/// Connections for which an answer may be made or on its way. Probes are not among them: their answers take no room.
pub(super) const ANSWERED: usize = 32;

/// Bytes of answers that may be held together. A single larger one is: the metrics of ten thousand busy clusters have
/// sixty megabytes.
const HELD: usize = 64 << 20;

/// A client that takes nothing for so long gives way when others need its place.
const STALLED: Duration = Duration::from_millis(250);

/// So does one that takes its answer, but takes so long over it.
const SLOW: Duration = Duration::from_secs(10);

/// Between two looks for a client that takes nothing any more.
const LOOK: Duration = Duration::from_millis(50);

/// Every connection. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Guests(Arc<Table>);

#[derive(Debug)]
struct Table {
    /// Connections for which an answer may be made or on its way.
    answered: usize,
    entries: Mutex<Entries>,
    /// A connection has ended, or holds less.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Entries {
    next: u64,
    by_id: HashMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    /// Grows with every change between waiting and being answered.
    order: u64,
    answered: bool,
    /// When its answer began.
    began: Instant,
    /// Bytes of its answer.
    held: usize,
    /// Since when it has taken nothing of what is to be written.
    stalled: Option<Instant>,
    leaving: bool,
    leave: Arc<Notify>,
}

/// All places for answers are taken, by clients that go on taking theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// One connection's place. Cheap to clone; the first one, which [`Guests::enter`] returns, gives it back.
#[derive(Debug, Clone)]
pub(super) struct Guest {
    table: Guests,
    id: u64,
    leave: Arc<Notify>,
}

/// Gives a place back when it is dropped.
#[derive(Debug)]
pub(super) struct Stay(Guest);

/// An answer that is made or on its way. Dropping it is its end.
#[derive(Debug)]
pub(super) struct Answering(Guest);

impl Entries {
    fn order(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn count(&self, answered: bool) -> usize {
        let present = self.by_id.values().filter(|entry| !entry.leaving);
        present.filter(|entry| entry.answered == answered).count()
    }

    fn held(&self) -> usize {
        self.by_id.values().map(|entry| entry.held).sum()
    }

    /// Tells the one that has waited longest to leave.
    fn dismiss_waiting(&mut self) -> bool {
        let waiting = self.by_id.values_mut();
        let waiting = waiting.filter(|entry| !entry.leaving && !entry.answered);
        let oldest = waiting.min_by_key(|entry| entry.order);
        oldest.map(Entry::dismiss).is_some()
    }

    /// Tells the one to leave that has come to a halt longest ago or, if none has, is slowest.
    fn dismiss_slowest(&mut self, now: Instant) -> bool {
        let answered = self.by_id.values_mut();
        let answered = answered.filter(|entry| !entry.leaving && entry.answered);
        let slowest = answered
            .filter_map(|entry| Some((entry.slow(now)?, entry)))
            .min_by_key(|(slow, _)| *slow);
        slowest.map(|(_, entry)| entry.dismiss()).is_some()
    }
}

impl Entry {
    /// What makes it give way, the least first; `None`: nothing does.
    fn slow(&self, now: Instant) -> Option<(bool, Instant)> {
        let longer = |since: Instant, than| now.saturating_duration_since(since) >= than;
        match self.stalled {
            Some(since) if longer(since, STALLED) => Some((false, since)),
            _ if self.held > 0 && longer(self.began, SLOW) => Some((true, self.began)),
            _ => None,
        }
    }

    fn dismiss(&mut self) {
        self.leaving = true;
        self.leave.notify_one();
    }
}

impl Guests {
    pub(super) fn new(answered: usize) -> Self {
        Self(Arc::new(Table {
            answered,
            entries: Mutex::default(),
            freed: Notify::new(),
        }))
    }

    /// A new connection's place. It always gets one.
    pub(super) fn enter(&self) -> Stay {
        let mut entries = self.lock();
        if entries.count(false) >= WAITING {
            entries.dismiss_waiting();
        }
        let (id, leave) = (entries.order(), Arc::<Notify>::default());
        let entry = Entry {
            order: id,
            answered: false,
            began: Instant::now(),
            held: 0,
            stalled: None,
            leaving: false,
            leave: Arc::clone(&leave),
        };
        entries.by_id.insert(id, entry);
        drop(entries);
        let table = self.clone();
        Stay(Guest { table, id, leave })
    }

    /// Frees a descriptor for a connection that could not be accepted, if a connection only waits.
    pub(super) fn make_room(&self) -> bool {
        self.lock().dismiss_waiting()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Every change is one step, so a panic leaves nothing half-changed.
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stay {
    pub(super) fn guest(&self) -> &Guest {
        &self.0
    }

    /// Waits until others need the place.
    pub(super) async fn dismissed(&self) {
        self.0.leave.notified().await;
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.0.table.lock().by_id.remove(&self.0.id);
        self.0.table.0.freed.notify_waiters();
    }
}

impl Guest {
    /// Begins an answer.
    ///
    /// # Errors
    /// When all places are taken and everybody goes on taking its answer.
    pub(super) fn begin(&self) -> Result<Answering, Full> {
        let mut entries = self.table.lock();
        if entries.count(true) >= self.table.0.answered && !entries.dismiss_slowest(Instant::now()) {
            return Err(Full);
        }
        let order = entries.order();
        if let Some(entry) = entries.by_id.get_mut(&self.id) {
            entry.order = order;
            entry.answered = true;
            entry.began = Instant::now();
        }
        Ok(Answering(self.clone()))
    }

    /// Whether bytes wait that the client does not take.
    pub(super) fn note_stalled(&self, stalled: bool) {
        if let Some(entry) = self.table.lock().by_id.get_mut(&self.id) {
            match stalled {
                true => drop(entry.stalled.get_or_insert_with(Instant::now)),
                false => entry.stalled = None,
            }
        }
    }
}

impl Answering {
    /// Waits until there is room for so many bytes of an answer, and takes it.
    pub(super) async fn hold(&self, bytes: usize) {
        loop {
            let freed = self.0.table.0.freed.notified();
            if self.try_hold(bytes) {
                return;
            }
            // The time-out is a look at those who come to a halt meanwhile.
            drop(tokio::time::timeout(LOOK, freed).await);
        }
    }

    fn try_hold(&self, bytes: usize) -> bool {
        let mut entries = self.0.table.lock();
        let held = entries.held();
        let fits = held == 0 || held.saturating_add(bytes) <= HELD;
        if fits && let Some(entry) = entries.by_id.get_mut(&self.0.id) {
            entry.held = bytes;
        }
        if !fits {
            entries.dismiss_slowest(Instant::now());
        }
        fits
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let mut entries = self.0.table.lock();
        let order = entries.order();
        if let Some(entry) = entries.by_id.get_mut(&self.0.id) {
            entry.order = order;
            entry.answered = false;
            entry.held = 0;
        }
        drop(entries);
        self.0.table.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_dismissed(stay: &Stay) -> bool {
        let entries = stay.0.table.lock();
        entries.by_id[&stay.0.id].leaving
    }

    fn stall(stay: &Stay, since: Instant) {
        let mut entries = stay.0.table.lock();
        entries.by_id.get_mut(&stay.0.id).unwrap().stalled = Some(since);
    }

    #[test]
    fn the_one_that_has_waited_longest_gives_way_to_a_new_one() {
        let guests = Guests::new(ANSWERED);
        let waiting: Vec<Stay> = (0..WAITING).map(|_| guests.enter()).collect();
        // It has just had an answer, so it waits since now.
        drop(waiting[0].guest().begin());
        let _new = guests.enter();
        let dismissed: Vec<usize> = (0..WAITING)
            .filter(|&index| is_dismissed(&waiting[index]))
            .collect();
        assert_eq!(dismissed, [1]);
    }

    #[test]
    fn answers_on_their_way_take_no_place_of_those_that_wait() {
        let guests = Guests::new(ANSWERED);
        let answered: Vec<Stay> = (0..ANSWERED).map(|_| guests.enter()).collect();
        let _answers: Vec<Answering> = answered
            .iter()
            .map(|stay| stay.guest().begin().unwrap())
            .collect();
        let waiting: Vec<Stay> = (0..WAITING).map(|_| guests.enter()).collect();
        assert!(answered.iter().chain(&waiting).all(|stay| !is_dismissed(stay)));
        let one_more = waiting[0].guest();
        assert_eq!(one_more.begin().err(), Some(Full), "all of them go on");
        let now = Instant::now();
        stall(&answered[3], now - STALLED * 2);
        stall(&answered[5], now - STALLED * 4);
        stall(&answered[7], now);
        assert!(one_more.begin().is_ok());
        assert!(is_dismissed(&answered[5]), "it halted first");
        assert!(!is_dismissed(&answered[3]) && !is_dismissed(&answered[7]));
    }

    #[tokio::test]
    async fn a_client_that_holds_bytes_and_takes_none_makes_room() {
        let guests = Guests::new(ANSWERED);
        let (holder, other) = (guests.enter(), guests.enter());
        let held = holder.guest().begin().unwrap();
        held.hold(HELD * 2).await;
        let answer = other.guest().begin().unwrap();
        assert!(!answer.try_hold(1), "a larger one alone, and nothing beside it");
        assert!(!is_dismissed(&holder));
        holder.guest().note_stalled(true);
        stall(&holder, Instant::now() - STALLED);
        let room = tokio::spawn(async move { answer.hold(1).await });
        holder.dismissed().await;
        drop((held, holder));
        room.await.unwrap();
    }
}
