//! Accounts of the bytes that the sessions of one worker hold for slow peers, and the choice of the session to close
//! when they hold too much.
//!
//! Up to half of a worker's limit nothing changes. Beyond half, reads get smaller. At the limit a session that holds
//! nothing still gets a small read, and a session that holds bytes waits. Then the session that has held bytes
//! longest without progress is closed: its peer has stalled, whichever session asks for memory. Each cluster has a
//! share of the limit, so stalled sessions of one cluster do not affect the others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::limits::{BUFFERS, LimitWait};

/// Time without progress after which a session that holds bytes may be closed.
const STILL: Duration = Duration::from_secs(2);

/// Interval after a search that found no session to close.
const NEXT_LOOK: Duration = Duration::from_millis(100);

/// Bytes up to which a session counts as one that holds nothing: half a TLS record may be there.
const LITTLE: usize = 20 * 1024;

/// Divisor for progress: a session makes progress when it moves this part of what it holds. A peer that takes a byte
/// now and then has stalled.
const MOVING: u64 = 16;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static SERIAL: AtomicU64 = AtomicU64::new(1);

/// Bytes held for slow peers in the whole process.
pub fn bytes_in_use() -> usize {
    IN_USE.load(Ordering::Relaxed)
}

/// Fill level of a worker's limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LedgerLevel {
    Plenty,
    Short,
    Full,
}

/// Accounts of one worker's sessions that hold bytes.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    held: usize,
    entries: Vec<Option<LedgerEntry>>,
    free: Vec<usize>,
    clusters: HashMap<usize, ClusterBytes>,
    /// Bytes of sessions that have been told to close and have not released them yet.
    leaving: usize,
    /// Earliest time at which a search can find a session to close.
    next_look: Option<Instant>,
    /// Guard that keeps the limit reached, from the moment it is met until less than half is held.
    full: Option<LimitWait<'static>>,
}

#[derive(Debug)]
struct LedgerEntry {
    serial: u64,
    cluster: usize,
    bytes: usize,
    still_since: Instant,
    /// Whether the client of the session has ended its stream.
    ended: bool,
    dismissed: bool,
    waiting: bool,
    waker: Waker,
}

#[derive(Debug, Default)]
struct ClusterBytes {
    held: usize,
    leaving: usize,
    /// Number of sessions whose clients have ended their stream.
    ended: usize,
    /// Entries that wait for bytes to be released.
    waiting: Vec<usize>,
}

impl ClusterBytes {
    fn is_unknown(&self) -> bool {
        self.held == 0 && self.ended == 0
    }
}

/// The share of `limit` for one cluster.
fn share(limit: usize) -> usize {
    limit / 4 * 3
}

impl Ledger {
    #[inline]
    pub(super) fn level(&self, cluster: usize, limit: usize) -> LedgerLevel {
        if self.held < limit / 8 {
            return LedgerLevel::Plenty;
        }
        let of_cluster = self.clusters.get(&cluster).map_or(0, |cluster| cluster.held);
        let at = |part: usize| self.held >= limit / part || of_cluster >= share(limit) / part;
        if at(1) {
            LedgerLevel::Full
        } else if at(2) {
            LedgerLevel::Short
        } else {
            LedgerLevel::Plenty
        }
    }

    /// Registers `account` to be woken when its cluster holds less.
    fn wait(&mut self, account: &Account) {
        let Some(id) = account.id else { return };
        let Some(entry) = self.entry(account) else { return };
        if std::mem::replace(&mut entry.waiting, true) {
            return;
        }
        self.clusters.entry(account.cluster).or_default().waiting.push(id);
    }

    /// Closes the session that has held bytes longest without progress, if `cluster` or the worker holds too much: a
    /// session of that cluster, or of the cluster that holds most.
    #[cold]
    pub(super) fn make_room(&mut self, cluster: usize, limit: usize) {
        self.full.get_or_insert_with(|| BUFFERS.wait());
        let staying = |cluster: &ClusterBytes| cluster.held.saturating_sub(cluster.leaving);
        let of_cluster = self.clusters.get(&cluster).map_or(0, staying);
        let crowded = if of_cluster >= share(limit) {
            cluster
        } else if self.held.saturating_sub(self.leaving) >= limit {
            let most = self.clusters.iter().max_by_key(|(_, cluster)| staying(cluster));
            most.map_or(cluster, |(&key, _)| key)
        } else {
            // Enough bytes are about to be released.
            return;
        };
        let now = Instant::now();
        if self.next_look.is_some_and(|at| now < at) {
            return;
        }
        let candidates = self.entries.iter_mut().flatten();
        let oldest = candidates
            .filter(|entry| entry.cluster == crowded && entry.bytes > 0 && !entry.dismissed)
            .min_by_key(|entry| entry.still_since);
        match oldest {
            Some(entry) if now.duration_since(entry.still_since) >= STILL => {
                entry.dismissed = true;
                entry.waker.wake_by_ref();
                self.leaving += entry.bytes;
                self.clusters.entry(crowded).or_default().leaving += entry.bytes;
            }
            _ => self.next_look = Some(now + NEXT_LOOK),
        }
    }

    fn entry(&mut self, account: &Account) -> Option<&mut LedgerEntry> {
        let entry = self.entries.get_mut(account.id?)?.as_mut()?;
        // An account that is dropped on another thread has no entry here.
        (entry.serial == account.serial).then_some(entry)
    }

    fn open(&mut self, account: &mut Account, waker: &Waker) {
        let entry = LedgerEntry {
            serial: account.serial,
            cluster: account.cluster,
            bytes: 0,
            still_since: Instant::now(),
            ended: false,
            dismissed: false,
            waiting: false,
            waker: waker.clone(),
        };
        let id = self.free.pop().unwrap_or(self.entries.len());
        match self.entries.get_mut(id) {
            Some(place) => *place = Some(entry),
            None => self.entries.push(Some(entry)),
        }
        account.id = Some(id);
    }

    /// Sets the bytes that the account holds.
    fn set(&mut self, account: &Account, bytes: usize, limit: usize) {
        let Some(entry) = self.entry(account) else { return };
        let (before, dismissed) = (std::mem::replace(&mut entry.bytes, bytes), entry.dismissed);
        let cluster = self.clusters.entry(account.cluster).or_default();
        cluster.held = cluster.held.saturating_sub(before) + bytes;
        self.held = self.held.saturating_sub(before) + bytes;
        if dismissed {
            cluster.leaving = cluster.leaving.saturating_sub(before) + bytes;
            self.leaving = self.leaving.saturating_sub(before) + bytes;
        }
        if bytes < before {
            self.released(account.cluster, before - bytes, limit);
        }
    }

    fn released(&mut self, cluster: usize, bytes: usize, limit: usize) {
        if self.held < limit / 2 {
            self.full = None;
        }
        if self.held >= limit {
            return;
        }
        if self.held + bytes >= limit {
            let all: Vec<usize> = self.clusters.keys().copied().collect();
            all.into_iter().for_each(|cluster| self.wake(cluster, limit));
        } else {
            self.wake(cluster, limit);
        }
    }

    /// Wakes waiting sessions of a cluster, unless it still holds too much.
    fn wake(&mut self, cluster: usize, limit: usize) {
        let Some(cluster) = self.clusters.get_mut(&cluster) else {
            return;
        };
        if cluster.held >= share(limit) {
            return;
        }
        for id in std::mem::take(&mut cluster.waiting) {
            if let Some(entry) = self.entries.get_mut(id).and_then(Option::as_mut)
                && std::mem::take(&mut entry.waiting)
            {
                entry.waker.wake_by_ref();
            }
        }
    }

    /// Removes an account that holds nothing.
    fn close(&mut self, account: &mut Account) {
        let Some(id) = account.id else { return };
        let Some(entry) = self.entry(account) else { return };
        let (ended, waiting) = (entry.ended, entry.waiting);
        account.id = None;
        self.entries[id] = None;
        self.free.push(id);
        if self.free.len() == self.entries.len() {
            self.entries = Vec::new();
            self.free = Vec::new();
        }
        if let Some(cluster) = self.clusters.get_mut(&account.cluster) {
            cluster.ended -= usize::from(ended);
            if waiting {
                cluster.waiting.retain(|&waiting| waiting != id);
            }
            if cluster.is_unknown() {
                self.clusters.remove(&account.cluster);
            }
        }
    }
}

/// Bytes held for a peer that is not in a session yet. They close no session, because they are held for a short time
/// only.
#[derive(Debug, Default)]
pub(super) struct Counted(usize);

impl Counted {
    pub(super) fn set(&mut self, bytes: usize) {
        IN_USE.fetch_add(bytes, Ordering::Relaxed);
        IN_USE.fetch_sub(std::mem::replace(&mut self.0, bytes), Ordering::Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Account of one session. Dropping it releases everything.
#[derive(Debug)]
pub struct Account {
    cluster: usize,
    serial: u64,
    id: Option<usize>,
    bytes: usize,
    /// Bytes the session had moved when it last made progress.
    moved: u64,
    ended: bool,
}

impl Account {
    /// An account for a session of `cluster`, a number unique to the cluster.
    pub fn of(cluster: usize) -> Self {
        Self {
            cluster,
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            id: None,
            bytes: 0,
            moved: 0,
            ended: false,
        }
    }

    pub(super) fn cluster(&self) -> usize {
        self.cluster
    }

    /// Whether the session holds bytes.
    #[inline]
    pub(super) fn holds(&self) -> bool {
        self.bytes > 0
    }

    /// Whether the session holds more than `besides` and a partial record or frame.
    pub(super) fn holds_much(&self, besides: usize) -> bool {
        self.bytes.max(besides) > LITTLE
    }

    /// Registers the session to be woken when its cluster holds less.
    pub(super) fn wait(&self) {
        super::buffer::with_ledger(|ledger, _| ledger.wait(self));
    }

    /// Sets the bytes that the session holds; `moved` is what it has moved in its life. A session that holds nothing
    /// pays two comparisons.
    #[inline]
    pub(super) fn set(&mut self, bytes: usize, moved: u64, waker: &Waker) {
        if bytes != self.bytes || (bytes > 0 && moved - self.moved >= (bytes as u64 / MOVING).max(1)) {
            self.change(bytes, moved, waker);
        }
    }

    fn change(&mut self, bytes: usize, moved: u64, waker: &Waker) {
        match bytes.checked_sub(self.bytes) {
            Some(more) => IN_USE.fetch_add(more, Ordering::Relaxed),
            None => IN_USE.fetch_sub(self.bytes - bytes, Ordering::Relaxed),
        };
        super::buffer::with_ledger(|ledger, limit| {
            if self.id.is_none() {
                ledger.open(self, waker);
                self.moved = moved;
            } else if moved - self.moved >= (self.bytes as u64 / MOVING).max(1) {
                self.moved = moved;
                if let Some(entry) = ledger.entry(self) {
                    entry.still_since = Instant::now();
                }
            }
            ledger.set(self, bytes, limit);
            if bytes == 0 && !self.ended {
                ledger.close(self);
            }
        });
        self.bytes = bytes;
    }

    /// Notes that the client has ended its stream.
    pub(super) fn client_ended(&mut self, waker: &Waker) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        super::buffer::with_ledger(|ledger, _| {
            if self.id.is_none() {
                ledger.open(self, waker);
            }
            if let Some(entry) = ledger.entry(self) {
                entry.ended = true;
                ledger.clusters.entry(self.cluster).or_default().ended += 1;
            }
        });
    }

    /// Number of sessions of its cluster, on this worker, whose clients have ended their stream.
    pub(super) fn ended_beside(&self) -> usize {
        super::buffer::with_ledger(|ledger, _| {
            ledger
                .clusters
                .get(&self.cluster)
                .map_or(0, |cluster| cluster.ended)
        })
        .unwrap_or(0)
    }

    /// Whether the session must release its bytes and close.
    #[inline]
    pub(super) fn is_dismissed(&self) -> bool {
        self.id.is_some() && self.look_up_dismissal()
    }

    fn look_up_dismissal(&self) -> bool {
        super::buffer::with_ledger(|ledger, _| ledger.entry(self).is_some_and(|entry| entry.dismissed))
            .unwrap_or(false)
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        IN_USE.fetch_sub(self.bytes, Ordering::Relaxed);
        if self.id.is_some() {
            // A thread that is ending has no ledger any more.
            super::buffer::with_ledger(|ledger, limit| {
                ledger.set(self, 0, limit);
                ledger.close(self);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::buffer::{self, Loan};

    const ONE: usize = 1;
    const OTHER: usize = 2;

    fn holding(cluster: usize, bytes: usize) -> Account {
        let mut account = Account::of(cluster);
        account.set(bytes, 1, Waker::noop());
        account
    }

    /// Lets the account look as if it had made no progress for `STILL`.
    fn has_been_still(account: &Account) {
        buffer::with_ledger(|ledger, _| {
            ledger.next_look = None;
            let entry = ledger.entry(account).unwrap();
            entry.still_since = entry.still_since.checked_sub(STILL).unwrap();
        });
    }

    fn read(account: &Account) -> Option<usize> {
        match buffer::borrow(account, 0) {
            Loan::Read { most, .. } => Some(most),
            Loan::Wait => None,
        }
    }

    #[test]
    fn who_holds_nothing_always_reads_and_who_holds_longest_goes() {
        let share = buffer::with_ledger(|_, limit| share(limit)).unwrap();
        let oldest = holding(ONE, share / 2);
        let newer = holding(ONE, share / 2 + 1);
        let (poor, stranger) = (Account::of(ONE), Account::of(OTHER));
        assert_eq!(read(&newer), None);
        assert_eq!(read(&poor), Some(buffer::SMALLEST_READ));
        assert!(read(&stranger).is_some_and(|most| most > buffer::SMALLEST_READ));
        assert!(
            !oldest.is_dismissed() && !newer.is_dismissed(),
            "both have just moved"
        );
        has_been_still(&oldest);
        assert_eq!(read(&poor), Some(buffer::SMALLEST_READ));
        assert!(oldest.is_dismissed() && !newer.is_dismissed());
        has_been_still(&newer);
        assert_eq!(read(&poor), Some(buffer::SMALLEST_READ));
        assert!(!newer.is_dismissed(), "enough is on its way out");
        drop(oldest);
        assert!(read(&newer).is_some());
    }

    #[test]
    fn the_cluster_that_holds_most_makes_room_for_all() {
        let limit = buffer::with_ledger(|_, limit| limit).unwrap();
        let most = holding(ONE, limit / 2);
        let less = holding(OTHER, limit / 3);
        let third = holding(3, limit / 4);
        has_been_still(&less);
        assert_eq!(read(&third), None, "the other cluster holds less");
        assert!(!most.is_dismissed() && !less.is_dismissed());
        has_been_still(&most);
        assert_eq!(read(&third), None);
        assert!(most.is_dismissed() && !less.is_dismissed());
    }

    #[test]
    fn a_byte_now_and_then_is_no_movement() {
        let mut account = holding(ONE, 1 << 20);
        let since = |account: &Account| {
            buffer::with_ledger(|ledger, _| ledger.entry(account).unwrap().still_since).unwrap()
        };
        let began = since(&account);
        for moved in 2..1000 {
            account.set((1 << 20) - moved as usize, moved, Waker::noop());
        }
        assert_eq!(since(&account), began);
        account.set(1 << 19, 1 << 19, Waker::noop());
        assert!(since(&account) > began);
    }

    #[test]
    fn nothing_is_left_of_accounts_that_are_gone() {
        let mut accounts: Vec<_> = (0..100).map(|id| holding(id, 10)).collect();
        accounts[7].client_ended(Waker::noop());
        accounts[7].set(0, 5, Waker::noop());
        assert_eq!(accounts[7].ended_beside(), 1);
        drop(accounts);
        buffer::with_ledger(|ledger, _| {
            assert_eq!((ledger.held, ledger.leaving, ledger.entries.len()), (0, 0, 0));
            assert!(ledger.clusters.is_empty());
        });
    }
}
