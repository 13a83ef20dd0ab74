//! Bytes that were read and wait for the rest of their frame before they are inspected.

/// Most bytes of capacity that a carry may have beyond what it holds.
const SPARE: usize = 4 * 1024;

/// Bytes that are inspected again once there are enough of them. Its cost is linear in the bytes that arrive, however small
/// the pieces are: it grows by a quarter of itself, and moves its bytes only after as many were consumed.
#[derive(Debug, Default)]
pub(super) struct Carry {
    bytes: Vec<u8>,
    start: usize,
    /// Fewer bytes than this are not worth an inspection.
    wanted: usize,
}

impl Carry {
    pub(super) fn starting_with(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            ..Self::default()
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of bytes of memory that it takes.
    #[inline]
    pub(super) fn held(&self) -> usize {
        self.bytes.capacity()
    }

    /// Whether it is not worth an inspection even with `more` bytes.
    #[inline]
    pub(super) fn is_too_short(&self, more: usize) -> bool {
        self.len() + more < self.wanted
    }

    /// Keeps `bytes`, and nothing else, until there are `wanted` of them.
    pub(super) fn keep(&mut self, bytes: &[u8], wanted: usize) {
        self.bytes.clear();
        self.start = 0;
        if self.bytes.capacity() > bytes.len() * 2 + SPARE {
            self.bytes = Vec::new();
        }
        self.append(bytes);
        self.wanted = wanted;
    }

    pub(super) fn append(&mut self, more: &[u8]) {
        if self.bytes.capacity() - self.bytes.len() < more.len() {
            self.compact();
            let growth = more.len().max(self.bytes.len() / 4);
            self.bytes.reserve_exact(growth);
        }
        self.bytes.extend_from_slice(more);
    }

    /// Consumes the first `done` bytes; the others wait until there are `wanted` of them.
    pub(super) fn consume(&mut self, done: usize, wanted: usize) {
        self.start += done;
        self.wanted = wanted;
        if self.start > self.len() {
            self.compact();
            if self.bytes.capacity() > self.bytes.len() * 2 + SPARE {
                self.bytes.shrink_to(self.bytes.len() + SPARE);
            }
        }
    }

    fn compact(&mut self) {
        self.bytes.drain(..self.start);
        self.start = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_little_more_than_what_it_was_given() {
        let mut carry = Carry::default();
        carry.keep(b"a", 100_000);
        for length in 2..100_000 {
            assert_eq!(carry.is_too_short(1), length < 100_000);
            carry.append(b"b");
            assert_eq!(carry.len(), length);
            assert!(
                carry.held() <= length + length / 4 + 1,
                "{} for {length}",
                carry.held()
            );
        }
        carry.consume(99_000, 1);
        assert_eq!((carry.len(), carry.bytes()[0]), (999, b'b'));
        assert!(carry.held() <= 999 + SPARE, "{}", carry.held());
    }

    #[test]
    fn what_is_done_with_is_moved_away_in_large_steps() {
        let all: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let mut carry = Carry::starting_with(all.clone());
        for done in (10..10_000).step_by(10) {
            carry.consume(10, 0);
            assert_eq!(carry.bytes(), &all[done..]);
        }
        carry.append(b"end");
        assert_eq!(carry.bytes(), [&all[9_990..], b"end"].concat());
    }
}
