//! Who has begun to write a file and not closed it. Pure: the time is an argument.
//!
//! inotify says `MODIFY` at every write and `CLOSE_WRITE` when the writer is done; in between the file holds a
//! prefix of what it is to hold, which must not be read. A file created and still empty is waited for the same way.

use std::collections::HashMap;
use std::ffi::OsString;
use std::time::{Duration, Instant};

/// A writer that has written nothing for this long is taken to be done without closing the file.
pub(super) const IDLE: Duration = Duration::from_secs(30);

/// Files of other people that are remembered as being written, in case they are renamed to one that counts.
const REMEMBERED: usize = 4096;

/// A file as events name it: a watch and the name in the watched directory; empty for the watched file itself.
pub(super) type Place = (i32, OsString);

/// What a place means to the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Concern {
    /// A file that is followed, or a link to it.
    Followed,
    /// Some file in a directory in which new files count.
    Neighbour,
    None,
}

#[derive(Debug, Default)]
pub(super) struct Writers {
    open: HashMap<Place, Writer>,
    /// Cookie and writer of a file that has left one name and not yet appeared under another.
    moving: Option<(u32, Writer)>,
}

#[derive(Debug, Clone, Copy)]
struct Writer {
    since: Instant,
    last: Instant,
    /// False between the creation and the first write.
    wrote: bool,
    /// Has appeared since the files were last looked at.
    new: bool,
}

impl Writers {
    pub(super) fn created(&mut self, place: Place, now: Instant) {
        self.insert(
            place,
            Writer {
                since: now,
                last: now,
                wrote: false,
                new: true,
            },
        );
    }

    pub(super) fn wrote(&mut self, place: Place, now: Instant) {
        if let Some(writer) = self.open.get_mut(&place) {
            writer.last = now;
            writer.wrote = true;
            return;
        }
        self.insert(
            place,
            Writer {
                since: now,
                last: now,
                wrote: true,
                new: false,
            },
        );
    }

    /// Closed by its writer, or gone from this place.
    pub(super) fn done(&mut self, place: &Place) {
        self.open.remove(place);
    }

    pub(super) fn moved_from(&mut self, place: &Place, cookie: u32) {
        self.moving = self.open.remove(place).map(|writer| (cookie, writer));
    }

    /// A rename does not end a write: whoever renames before closing may have more to say.
    pub(super) fn moved_to(&mut self, place: Place, cookie: u32) {
        self.open.remove(&place);
        if let Some((from, mut writer)) = self.moving.take()
            && from == cookie
        {
            writer.new = true;
            self.insert(place, writer);
        }
    }

    /// The watch is gone and will not say who closed what.
    pub(super) fn unwatched(&mut self, watch: i32) {
        self.open.retain(|(open, _), _| *open != watch);
    }

    /// The files are being looked at.
    pub(super) fn looked(&mut self) {
        for writer in self.open.values_mut() {
            writer.new = false;
        }
    }

    /// Until when the files are not to be looked at. Nobody says whether a neighbour counts, so it is waited for
    /// only when it has just appeared, and not for longer than [`IDLE`] in all: it may be a log.
    pub(super) fn hold_until(&self, concern: impl Fn(&Place) -> Concern) -> Option<Instant> {
        let until = |(place, writer): (&Place, &Writer)| match concern(place) {
            Concern::Followed => Some(writer.last + IDLE),
            Concern::Neighbour => writer.new.then(|| writer.since + IDLE),
            Concern::None => None,
        };
        self.open.iter().filter_map(until).max()
    }

    /// Files seen to appear and not seen written: empty files, hard links, symbolic links.
    pub(super) fn unwritten(&self) -> Vec<Place> {
        let unwritten = self.open.iter().filter(|(_, writer)| !writer.wrote);
        unwritten.map(|(place, _)| place.clone()).collect()
    }

    fn insert(&mut self, place: Place, writer: Writer) {
        if self.open.len() >= REMEMBERED {
            let oldest = self.open.iter().min_by_key(|(_, writer)| writer.last);
            if let Some(oldest) = oldest.map(|(place, _)| place.clone()) {
                self.open.remove(&oldest);
            }
        }
        self.open.insert(place, writer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> Place {
        (1, OsString::from(name))
    }

    fn follows(name: &'static str) -> impl Fn(&Place) -> Concern {
        move |(_, place)| match place.to_str() == Some(name) {
            true => Concern::Followed,
            false => Concern::None,
        }
    }

    fn neighbours(_: &Place) -> Concern {
        Concern::Neighbour
    }

    fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    #[test]
    fn a_write_holds_until_it_is_closed() {
        let start = Instant::now();
        let mut writers = Writers::default();
        writers.wrote(place("a"), start);
        writers.wrote(place("a"), start + seconds(20));
        assert_eq!(writers.hold_until(follows("a")), Some(start + seconds(50)));
        writers.done(&place("a"));
        assert_eq!(writers.hold_until(follows("a")), None);
    }

    #[test]
    fn files_nobody_follows_hold_nothing() {
        let mut writers = Writers::default();
        writers.wrote(place("log"), Instant::now());
        assert_eq!(writers.hold_until(follows("a")), None);
    }

    #[test]
    fn a_file_renamed_while_it_is_written_is_still_being_written() {
        let start = Instant::now();
        let mut writers = Writers::default();
        writers.wrote(place("temporary"), start);
        writers.moved_from(&place("temporary"), 7);
        writers.moved_to(place("a"), 7);
        assert_eq!(writers.hold_until(follows("a")), Some(start + IDLE));
    }

    #[test]
    fn a_closed_file_that_replaces_a_half_written_one_is_complete() {
        let mut writers = Writers::default();
        writers.wrote(place("a"), Instant::now());
        writers.moved_from(&place("temporary"), 7);
        writers.moved_to(place("a"), 7);
        assert_eq!(writers.hold_until(follows("a")), None);
    }

    #[test]
    fn a_move_from_elsewhere_does_not_inherit_an_earlier_one() {
        let mut writers = Writers::default();
        writers.wrote(place("temporary"), Instant::now());
        writers.moved_from(&place("temporary"), 7);
        writers.moved_to(place("a"), 8);
        assert_eq!(writers.hold_until(follows("a")), None);
    }

    #[test]
    fn a_neighbour_holds_while_it_is_new_and_not_for_ever() {
        let start = Instant::now();
        let mut writers = Writers::default();
        writers.wrote(place("log"), start);
        assert_eq!(writers.hold_until(neighbours), None);
        writers.created(place("new"), start);
        writers.wrote(place("new"), start + seconds(29));
        assert_eq!(writers.hold_until(neighbours), Some(start + IDLE));
        writers.looked();
        assert_eq!(writers.hold_until(neighbours), None);
    }

    #[test]
    fn a_lost_watch_holds_nothing() {
        let mut writers = Writers::default();
        writers.wrote(place("a"), Instant::now());
        writers.unwatched(1);
        assert_eq!(writers.hold_until(follows("a")), None);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_is_forgotten() {
        let start = Instant::now();
        let mut writers = Writers::default();
        for number in 0..=REMEMBERED {
            let now = start + Duration::from_millis(number as u64);
            writers.wrote(place(&number.to_string()), now);
        }
        assert_eq!(writers.open.len(), REMEMBERED);
        assert_eq!(writers.hold_until(follows("0")), None);
    }
}
