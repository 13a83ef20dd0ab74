//! The result of inspecting the bytes of one read: stretches that pass unchanged, and bytes of kproxy's own.

/// The bytes to write, in order. Reused from read to read, so that nothing is allocated per frame.
#[derive(Debug, Default)]
pub struct Output {
    segments: Vec<Segment>,
    emitted: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    /// A range of the bytes that were inspected.
    Pass { start: usize, end: usize },
    /// A range of `emitted`.
    Emit { start: usize, end: usize },
}

impl Segment {
    fn start(self) -> usize {
        match self {
            Self::Pass { start, .. } | Self::Emit { start, .. } => start,
        }
    }

    fn end(self) -> usize {
        match self {
            Self::Pass { end, .. } | Self::Emit { end, .. } => end,
        }
    }
}

/// A place in an [`Output`], see [`Output::mark`].
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    segment: usize,
    offset: usize,
}

/// Bytes written to an [`Output`] that have no place in it yet, see [`Output::stage`].
#[derive(Debug)]
#[must_use]
pub struct Staged {
    start: usize,
    end: usize,
}

/// Most bytes of capacity that `emitted` keeps between reads.
const MAX_KEPT: usize = 256 * 1024;

impl Output {
    /// Removes everything.
    pub fn clear(&mut self) {
        self.segments.clear();
        self.emitted.clear();
        self.emitted.shrink_to(MAX_KEPT);
    }

    /// Appends `start..end` of the inspected bytes. Adjacent stretches become one.
    #[inline]
    pub fn pass(&mut self, start: usize, end: usize) {
        if start == end {
            return;
        }
        if let Some(Segment::Pass { end: last, .. }) = self.segments.last_mut()
            && *last == start
        {
            *last = end;
            return;
        }
        self.segments.push(Segment::Pass { start, end });
    }

    /// Appends the bytes that `write` appends to its argument; returns what `write` returns.
    pub fn emit<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let start = self.emitted.len();
        let result = write(&mut self.emitted);
        let end = self.emitted.len();
        if end > start {
            self.segments.push(Segment::Emit { start, end });
        }
        result
    }

    /// Writes bytes that have no place yet, see [`Self::place`]. Nothing of them stays if `write` fails.
    pub fn stage<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Staged, E> {
        let start = self.emitted.len();
        let written = write(&mut self.emitted);
        if written.is_err() {
            self.emitted.truncate(start);
        }
        let end = self.emitted.len();
        written.map(|()| Staged { start, end })
    }

    /// The staged bytes.
    pub fn staged(&self, staged: &Staged) -> &[u8] {
        &self.emitted[staged.start..staged.end]
    }

    /// Puts staged bytes in this place.
    pub fn place(&mut self, staged: Staged) {
        let Staged { start, end } = staged;
        if end > start {
            self.segments.push(Segment::Emit { start, end });
        }
    }

    /// The place behind everything put out so far.
    pub fn mark(&self) -> Mark {
        let length = |segment: &Segment| segment.end() - segment.start();
        Mark {
            segment: self.segments.len().saturating_sub(1),
            offset: self.segments.last().map_or(0, length),
        }
    }

    /// Replaces as many bytes as `bytes` has, `offset` bytes after `mark`. They must have been appended in one piece;
    /// otherwise nothing happens.
    pub fn overwrite(&mut self, mark: Mark, offset: usize, bytes: &[u8]) {
        let mut skip = mark.offset + offset;
        for at in mark.segment..self.segments.len() {
            let segment = self.segments[at];
            let length = segment.end() - segment.start();
            if skip >= length {
                skip -= length;
                continue;
            }
            let from = segment.start() + skip;
            let to = from + bytes.len();
            if to > segment.end() {
                debug_assert!(false, "the bytes are not in one piece");
                return;
            }
            match segment {
                Segment::Emit { .. } => self.emitted[from..to].copy_from_slice(bytes),
                Segment::Pass { start, end } => {
                    let emitted = self.emitted.len();
                    self.emitted.extend_from_slice(bytes);
                    let parts = [
                        Segment::Pass { start, end: from },
                        Segment::Emit {
                            start: emitted,
                            end: emitted + bytes.len(),
                        },
                        Segment::Pass { start: to, end },
                    ];
                    let parts = parts.into_iter().filter(|part| part.start() < part.end());
                    self.segments.splice(at..=at, parts);
                }
            }
            return;
        }
    }

    /// Number of bytes to write.
    pub fn len(&self) -> usize {
        let length = |segment: &Segment| segment.end() - segment.start();
        self.segments.iter().map(length).sum()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// The range of the inspected bytes to write, if that is one stretch and nothing else: the cut-through path.
    #[inline]
    pub fn only_pass(&self) -> Option<(usize, usize)> {
        match self.segments[..] {
            [Segment::Pass { start, end }] => Some((start, end)),
            _ => None,
        }
    }

    /// The bytes to write, as slices of `inspected` and of kproxy's own.
    pub fn slices<'a>(&'a self, inspected: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.segments.iter().map(move |segment| match *segment {
            Segment::Pass { start, end } => &inspected[start..end],
            Segment::Emit { start, end } => &self.emitted[start..end],
        })
    }

    /// A copy of the bytes to write.
    pub fn to_vec(&self, inspected: &[u8]) -> Vec<u8> {
        self.slices(inspected).collect::<Vec<_>>().concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_stretches_become_one() {
        let mut output = Output::default();
        output.pass(0, 3);
        output.pass(3, 3);
        output.pass(3, 5);
        assert_eq!(output.only_pass(), Some((0, 5)));
        output.emit(|bytes| bytes.extend_from_slice(b"xy"));
        output.pass(7, 8);
        assert_eq!(output.only_pass(), None);
        assert_eq!(output.to_vec(b"abcdefgh"), b"abcdexyh");
    }

    #[test]
    fn what_is_put_out_can_be_overwritten_in_place() {
        const IN: &[u8] = b"abcdefghij";
        for (offset, expected) in [
            (0, &b"a12defghXYZj"[..]),
            (2, b"abc12fghXYZj"),
            (5, b"abcdef12XYZj"),
            (7, b"abcdefgh12Zj"),
            (8, b"abcdefghX12j"),
        ] {
            let mut output = Output::default();
            output.pass(0, 1);
            let mark = output.mark();
            output.pass(1, 8);
            output.emit(|bytes| bytes.extend_from_slice(b"XYZ"));
            output.overwrite(mark, offset, b"12");
            output.pass(9, 10);
            assert_eq!(output.to_vec(IN), expected, "at {offset}");
        }
        let mut output = Output::default();
        output.pass(0, 4);
        output.emit(|bytes| bytes.extend_from_slice(b"XY"));
        let mark = output.mark();
        output.emit(|bytes| bytes.extend_from_slice(b"Z"));
        output.overwrite(mark, 0, b"1");
        output.overwrite(mark, 1, b"2");
        assert_eq!(
            output.to_vec(IN),
            b"abcdXY1",
            "beyond the end there is nothing to overwrite"
        );
    }
}
