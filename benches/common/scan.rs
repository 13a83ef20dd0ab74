//! Finds Kafka frames in a stream of reads without keeping their bodies.

/// Yields the first `HEAD` bytes (size prefix included) and the length of every frame that passes by.
pub(crate) struct FrameScanner<const HEAD: usize> {
    head: [u8; HEAD],
    have: usize,
    frame_len: usize,
    left: usize,
}

const SIZE_LEN: usize = 4;

impl<const HEAD: usize> FrameScanner<HEAD> {
    pub(crate) const fn new() -> Self {
        Self {
            head: [0; HEAD],
            have: 0,
            frame_len: 0,
            left: 0,
        }
    }

    /// Walks `bytes`; calls `on_frame(head, frame_len)` as each frame ends. `frame_len` includes the prefix.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut on_frame: impl FnMut(&[u8], usize)) {
        while !bytes.is_empty() {
            if self.have < SIZE_LEN && !self.take(&mut bytes, SIZE_LEN) {
                return;
            }
            if self.frame_len == 0 {
                let size = u32::from_be_bytes([self.head[0], self.head[1], self.head[2], self.head[3]]);
                self.frame_len = SIZE_LEN + size as usize;
                self.left = self.frame_len - SIZE_LEN;
            }
            let head_len = HEAD.min(self.frame_len);
            if self.have < head_len {
                let before = self.have;
                let complete = self.take(&mut bytes, head_len);
                self.left -= self.have - before;
                if !complete {
                    return;
                }
            }
            let skipped = self.left.min(bytes.len());
            bytes = &bytes[skipped..];
            self.left -= skipped;
            if self.left == 0 {
                on_frame(&self.head[..head_len], self.frame_len);
                self.have = 0;
                self.frame_len = 0;
            }
        }
    }

    /// Fills the head up to `target` bytes; `false` when `bytes` ran out first.
    fn take(&mut self, bytes: &mut &[u8], target: usize) -> bool {
        let taken = (target - self.have).min(bytes.len());
        self.head[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
        self.have += taken;
        *bytes = &bytes[taken..];
        self.have == target
    }
}
