//! What an inspector makes of the bytes of one read: stretches that pass as they are, and bytes of its own.

/// The order of bytes to write. Reused from read to read, so that nothing is allocated per frame.
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

/// What `emitted` may keep between reads.
const KEPT: usize = 256 * 1024;

impl Output {
    pub fn clear(&mut self) {
        self.segments.clear();
        self.emitted.clear();
        self.emitted.shrink_to(KEPT);
    }

    /// Lets `start..end` of the inspected bytes pass. Neighbouring stretches become one.
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

    /// Puts the bytes that `write` appends in this place.
    pub fn emit<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let start = self.emitted.len();
        let result = write(&mut self.emitted);
        let end = self.emitted.len();
        if end > start {
            self.segments.push(Segment::Emit { start, end });
        }
        result
    }

    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// The one stretch that passes, where that is all there is: the cut-through path.
    #[inline]
    pub fn only_pass(&self) -> Option<(usize, usize)> {
        match self.segments[..] {
            [Segment::Pass { start, end }] => Some((start, end)),
            _ => None,
        }
    }

    /// Everything in order, as slices of `inspected` and of the bytes put in.
    pub fn slices<'a>(&'a self, inspected: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.segments.iter().map(move |segment| match *segment {
            Segment::Pass { start, end } => &inspected[start..end],
            Segment::Emit { start, end } => &self.emitted[start..end],
        })
    }

    /// Everything in order, copied.
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
}
