//! Management connections, and which of them is closed to make room for another.
//!
//! A connection waits for a request, or an answer is made for it and sent. Waiting connections have places of their own, so
//! that a probe finds one however many answers are being sent; if there are too many, the one that has waited longest is
//! closed. Among the answered ones, the one that has read nothing of its answer for the longest time is closed, or else the
//! slowest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Most connections that wait for a request, or have sent a part of its head.
pub(super) const WAITING: usize = 64;

/// Most connections for which an answer is made or sent. Probes do not count: their answers take no room.
pub(super) const ANSWERED: usize = 32;

/// Most bytes of answers in memory. A single larger answer is allowed: the list of a hundred thousand sessions has thirty
/// megabytes. What is made while it is sent counts with what that takes.
const HELD: usize = 64 << 20;

/// A client that reads nothing for so long is closed when others need its place.
const STALLED: Duration = Duration::from_millis(250);

/// A client that reads its answer for so long is closed when others need its place.
const SLOW: Duration = Duration::from_secs(10);

/// Interval of the search for clients that read nothing any more.
const SEARCH_INTERVAL: Duration = Duration::from_millis(50);

/// All connections of one entrance. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct ConnectionTable(Arc<SharedTable>);

#[derive(Debug)]
struct SharedTable {
    /// Most connections for which an answer is made or sent.
    answered: usize,
    entries: Mutex<Entries>,
    /// Notified when a connection has ended, or holds less.
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
    /// When its answer began to be made.
    began: Instant,
    /// Bytes of its answer in memory.
    held: usize,
    /// Since when it reads nothing although bytes wait for it.
    stalled: Option<Instant>,
    leaving: bool,
    leave: Arc<Notify>,
}

/// All places for answers are taken, by clients that go on reading theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// A connection in the table. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct ConnectionHandle {
    table: ConnectionTable,
    id: u64,
    leave: Arc<Notify>,
}

/// Place of a connection in the table, given back when it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionPlace(ConnectionHandle);

/// Place for an answer that is made and sent, given back when it is dropped.
#[derive(Debug)]
pub(super) struct AnswerPermit(ConnectionHandle);

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

    /// Closes the connection that has waited longest.
    fn dismiss_waiting(&mut self) -> bool {
        let waiting = self.by_id.values_mut();
        let waiting = waiting.filter(|entry| !entry.leaving && !entry.answered);
        let oldest = waiting.min_by_key(|entry| entry.order);
        oldest.map(Entry::dismiss).is_some()
    }

    /// Closes the connection that stopped reading first or, if none has stopped, the slowest.
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
    /// Returns its order among those that may be closed, the first to go being the least; `None`: it may not.
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

impl ConnectionTable {
    pub(super) fn new(answered: usize) -> Self {
        Self(Arc::new(SharedTable {
            answered,
            entries: Mutex::default(),
            freed: Notify::new(),
        }))
    }

    /// Enters a new connection, which always gets a place.
    pub(super) fn enter(&self) -> ConnectionPlace {
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
        ConnectionPlace(ConnectionHandle { table, id, leave })
    }

    /// Closes a waiting connection, if there is one, to free a descriptor.
    pub(super) fn make_room(&self) -> bool {
        self.lock().dismiss_waiting()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        // Every change is one step, so a panic leaves nothing half-changed.
        self.0.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionPlace {
    pub(super) fn connection(&self) -> &ConnectionHandle {
        &self.0
    }

    /// Waits until another connection needs the place.
    pub(super) async fn dismissed(&self) {
        self.0.leave.notified().await;
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.0.table.lock().by_id.remove(&self.0.id);
        self.0.table.0.freed.notify_waiters();
    }
}

impl ConnectionHandle {
    /// Takes a place for an answer.
    ///
    /// # Errors
    /// [`Full`] when all places are taken and no client is slow.
    pub(super) fn begin(&self) -> Result<AnswerPermit, Full> {
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
        Ok(AnswerPermit(self.clone()))
    }

    /// Notes whether bytes wait that the client does not read.
    pub(super) fn note_stalled(&self, stalled: bool) {
        if let Some(entry) = self.table.lock().by_id.get_mut(&self.id) {
            match stalled {
                true => drop(entry.stalled.get_or_insert_with(Instant::now)),
                false => entry.stalled = None,
            }
        }
    }
}

impl AnswerPermit {
    /// Waits until there is room for so many bytes of the answer, and takes it.
    pub(super) async fn hold(&self, bytes: usize) {
        loop {
            let freed = self.0.table.0.freed.notified();
            if self.try_hold(bytes) {
                return;
            }
            // The time-out is for clients that stop reading meanwhile.
            drop(tokio::time::timeout(SEARCH_INTERVAL, freed).await);
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

impl Drop for AnswerPermit {
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

    fn is_dismissed(place: &ConnectionPlace) -> bool {
        let entries = place.0.table.lock();
        entries.by_id[&place.0.id].leaving
    }

    fn stall(place: &ConnectionPlace, since: Instant) {
        let mut entries = place.0.table.lock();
        entries.by_id.get_mut(&place.0.id).unwrap().stalled = Some(since);
    }

    #[test]
    fn the_one_that_has_waited_longest_gives_way_to_a_new_one() {
        let connections = ConnectionTable::new(ANSWERED);
        let waiting: Vec<ConnectionPlace> = (0..WAITING).map(|_| connections.enter()).collect();
        // It has just had an answer, so it waits since now.
        drop(waiting[0].connection().begin());
        let _new = connections.enter();
        let dismissed: Vec<usize> = (0..WAITING)
            .filter(|&index| is_dismissed(&waiting[index]))
            .collect();
        assert_eq!(dismissed, [1]);
    }

    #[test]
    fn answers_on_their_way_take_no_place_of_those_that_wait() {
        let connections = ConnectionTable::new(ANSWERED);
        let answered: Vec<ConnectionPlace> = (0..ANSWERED).map(|_| connections.enter()).collect();
        let _answers: Vec<AnswerPermit> = answered
            .iter()
            .map(|place| place.connection().begin().unwrap())
            .collect();
        let waiting: Vec<ConnectionPlace> = (0..WAITING).map(|_| connections.enter()).collect();
        assert!(answered.iter().chain(&waiting).all(|place| !is_dismissed(place)));
        let one_more = waiting[0].connection();
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
        let connections = ConnectionTable::new(ANSWERED);
        let (holder, other) = (connections.enter(), connections.enter());
        let held = holder.connection().begin().unwrap();
        held.hold(HELD * 2).await;
        let answer = other.connection().begin().unwrap();
        assert!(!answer.try_hold(1), "a larger one alone, and nothing beside it");
        assert!(!is_dismissed(&holder));
        holder.connection().note_stalled(true);
        stall(&holder, Instant::now() - STALLED);
        let room = tokio::spawn(async move { answer.hold(1).await });
        holder.dismissed().await;
        drop((held, holder));
        room.await.unwrap();
    }
}
