//! Walks a body that arrives in pieces, without keeping any of it.
//!
//! A [`Skipper`] interprets a static description of the layout. Record sets and strings are passed over by
//! counting, so one may span any number of reads; nothing is ever done per record. What it remembers between
//! reads fits into a few words, and it allocates nothing. Only the compact encoding (KIP-482) is needed: every
//! response whose end matters is flexible.

use super::Malformed;
use super::cursor::{ReadError, uvarint};

/// One element of a layout.
#[derive(Clone, Copy, Debug)]
pub enum Op {
    /// So many bytes, whatever their meaning.
    Fixed(u16),
    /// A compact string or byte array, or null: a varint of length + 1, then the bytes.
    Compact,
    /// A compact array, or null, of elements with the given layout.
    Array(&'static [Self]),
    /// A section of tagged fields of any kind.
    Tags,
    /// A varint on its own: the number of a tagged field.
    Varint,
    /// A varint of the length itself, then the bytes: the content of a tagged field.
    Sized,
}

/// A tagged field, in terms of the same machine.
const TAGGED_FIELD: &[Op] = &[Op::Varint, Op::Sized];

/// Deepest nesting: body, topics, partitions, their arrays, tagged fields.
const MAX_DEPTH: usize = 5;

/// Outcome of [`Skipper::advance`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    /// Bytes taken. Where it is fewer than given and the layout is not done, at most four bytes are left: the
    /// beginning of a varint, to be presented again with what follows it.
    pub consumed: usize,
    /// The layout ends right behind the bytes taken.
    pub done: bool,
}

#[derive(Clone, Copy, Debug)]
struct SkipLevel {
    layout: &'static [Op],
    next: usize,
    /// Elements still to be walked, including the current one.
    elements: u32,
}

/// Position within one body that arrives in pieces.
#[derive(Clone, Debug)]
pub struct Skipper {
    levels: [SkipLevel; MAX_DEPTH],
    depth: usize,
    /// Bytes of the current element still to be passed over.
    pending: usize,
    /// Bytes of the body not taken yet. No length may exceed it.
    left: usize,
}

impl Skipper {
    /// A skipper at the start of a body of `body_len` bytes.
    pub const fn new(layout: &'static [Op], body_len: usize) -> Self {
        let root = SkipLevel {
            layout,
            next: 0,
            elements: 1,
        };
        Self {
            levels: [root; MAX_DEPTH],
            depth: 1,
            pending: 0,
            left: body_len,
        }
    }

    /// Bytes of the body that have not been taken yet.
    pub const fn left(&self) -> usize {
        self.left
    }

    /// Takes as many of `bytes` as belong to the layout. They continue where the last call stopped taking, and may
    /// go beyond the body, which only matters if the body is malformed.
    ///
    /// # Errors
    /// A length or count exceeds the body, or the body ends within the layout.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Advance, Malformed> {
        let mut rest = &bytes[..bytes.len().min(self.left)];
        let available = rest.len();
        loop {
            let passed = self.pending.min(rest.len());
            rest = &rest[passed..];
            self.pending -= passed;
            self.left -= passed;
            let Some(op) = (if self.pending == 0 { self.next_op() } else { None }) else {
                let done = self.pending == 0;
                return self.stop(available, rest.len(), done);
            };
            match self.apply(op, rest) {
                Ok(taken) => rest = &rest[taken..],
                Err(ReadError::End) => {
                    self.retry();
                    return self.stop(available, rest.len(), false);
                }
                Err(ReadError::Malformed(malformed)) => return Err(malformed),
            }
        }
    }

    /// A layout that is unfinished with all the rest of the body in sight cannot be finished any more.
    fn stop(&self, available: usize, unused: usize, done: bool) -> Result<Advance, Malformed> {
        if !done && unused == self.left {
            return Err(Malformed::new("body: it ends too early"));
        }
        Ok(Advance {
            consumed: available - unused,
            done,
        })
    }

    /// The next element to walk; `None` at the end of the layout.
    #[inline]
    fn next_op(&mut self) -> Option<Op> {
        while self.depth > 0 {
            let level = &mut self.levels[self.depth - 1];
            if let Some(op) = level.layout.get(level.next) {
                level.next += 1;
                return Some(*op);
            }
            level.elements -= 1;
            level.next = 0;
            if level.elements == 0 {
                self.depth -= 1;
            }
        }
        None
    }

    /// Puts back the element [`Self::next_op`] gave last.
    fn retry(&mut self) {
        self.levels[self.depth - 1].next -= 1;
    }

    /// Starts on an element; returns how many of `rest` its length prefix took.
    #[inline]
    fn apply(&mut self, op: Op, rest: &[u8]) -> Result<usize, ReadError> {
        if let Op::Fixed(length) = op {
            self.pass_over(length.into())?;
            return Ok(0);
        }
        let (value, taken) = uvarint(rest)?;
        self.left -= taken;
        match op {
            Op::Compact => self.pass_over(value.saturating_sub(1))?,
            Op::Sized => self.pass_over(value)?,
            Op::Array(layout) => self.enter(layout, value.saturating_sub(1))?,
            Op::Tags => self.enter(TAGGED_FIELD, value)?,
            Op::Varint | Op::Fixed(_) => {}
        }
        Ok(taken)
    }

    #[inline]
    fn pass_over(&mut self, length: u32) -> Result<(), ReadError> {
        if length as usize > self.left {
            return Err(ReadError::Malformed(Malformed::new(
                "length: it exceeds the frame",
            )));
        }
        self.pending = length as usize;
        Ok(())
    }

    /// Every element takes at least one byte, so no count may exceed the bytes left.
    #[inline]
    fn enter(&mut self, layout: &'static [Op], elements: u32) -> Result<(), ReadError> {
        if elements as usize > self.left {
            return Err(ReadError::Malformed(Malformed::new(
                "count: it exceeds the frame",
            )));
        }
        if elements > 0 {
            let Some(level) = self.levels.get_mut(self.depth) else {
                return Err(ReadError::Malformed(Malformed::new(
                    "layout: it nests too deeply",
                )));
            };
            *level = SkipLevel {
                layout,
                next: 0,
                elements,
            };
            self.depth += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: &[Op] = &[Op::Fixed(2), Op::Array(&[Op::Compact, Op::Tags]), Op::Fixed(1)];
    // Two elements: "ab" with one tagged field of three bytes, null with none; one byte; then what follows.
    const BODY: &[u8] = &[9, 9, 3, 3, b'a', b'b', 1, 7, 3, 1, 2, 3, 0, 0, 5, 0xee, 0xee];
    const END: usize = 15;

    #[test]
    fn it_stops_right_behind_the_layout() {
        let mut skipper = Skipper::new(LAYOUT, BODY.len());
        assert_eq!(
            skipper.advance(BODY),
            Ok(Advance {
                consumed: END,
                done: true
            })
        );
        assert_eq!(skipper.left(), 2);
        assert_eq!(
            skipper.advance(&BODY[END..]),
            Ok(Advance {
                consumed: 0,
                done: true
            })
        );
    }

    #[test]
    fn splitting_the_bytes_makes_no_difference() {
        for split in 0..END {
            let mut skipper = Skipper::new(LAYOUT, BODY.len());
            let first = skipper.advance(&BODY[..split]).unwrap();
            assert!(!first.done);
            let second = skipper.advance(&BODY[first.consumed..]).unwrap();
            assert_eq!(
                (first.consumed + second.consumed, second.done),
                (END, true),
                "split at {split}"
            );
        }
    }

    #[test]
    fn an_incomplete_varint_is_left_for_the_next_call() {
        const LAYOUT: &[Op] = &[Op::Compact];
        let mut skipper = Skipper::new(LAYOUT, 1000);
        assert_eq!(
            skipper.advance(&[0x80]),
            Ok(Advance {
                consumed: 0,
                done: false
            })
        );
        assert_eq!(
            skipper.advance(&[0x80, 0x01]),
            Ok(Advance {
                consumed: 2,
                done: false
            })
        );
        assert_eq!(
            skipper.advance(&[0; 500]),
            Ok(Advance {
                consumed: 127,
                done: true
            })
        );
    }

    #[test]
    fn lengths_and_counts_beyond_the_frame_are_refused() {
        for body in [[9, 9, 0xff, 0x7f], [9, 9, 2, 100]] {
            let mut skipper = Skipper::new(LAYOUT, 20);
            assert!(skipper.advance(&body).is_err());
        }
    }

    #[test]
    fn a_body_that_ends_within_the_layout_is_malformed() {
        for end in 0..END {
            assert!(
                Skipper::new(LAYOUT, end).advance(&BODY[..end]).is_err(),
                "end at {end}"
            );
        }
    }
}
