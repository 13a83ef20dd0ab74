//! The part of DER (X.690) that is needed to decrypt a private key.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

/// Reader of a sequence of DER values.
#[derive(Clone, Copy)]
pub(super) struct DerReader<'d>(pub(super) &'d [u8]);

impl<'d> DerReader<'d> {
    /// The content of the next value if it has this tag; otherwise nothing is consumed.
    pub(super) fn take(&mut self, tag: u8) -> Option<&'d [u8]> {
        let (&found, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // Longer than any key, or of indefinite length, which DER does not have.
            0x80 | 0x84.. => return None,
            _ => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = bytes
                    .iter()
                    .fold(0_usize, |length, &byte| (length << 8) | usize::from(byte));
                (length, rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        if found != tag {
            return None;
        }
        self.0 = rest;
        Some(content)
    }

    pub(super) fn sequence(&mut self) -> Option<Self> {
        self.take(SEQUENCE).map(Self)
    }

    /// The next value as a non-negative number of 32 bits.
    pub(super) fn number(&mut self) -> Option<u32> {
        let bytes = self.take(INTEGER)?;
        if bytes.first().is_none_or(|first| first & 0x80 != 0) {
            return None;
        }
        let digits = bytes.strip_prefix(&[0]).unwrap_or(bytes);
        if digits.len() > 4 {
            return None;
        }
        Some(
            digits
                .iter()
                .fold(0, |number, &byte| (number << 8) | u32::from(byte)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_in_order_and_never_beyond_the_end() {
        let mut reader = DerReader(&[0x30, 0x04, 0x02, 0x02, 0x00, 0xff, 0x04, 0x81, 0x01, 0x07]);
        assert_eq!(reader.sequence().unwrap().number(), Some(255));
        assert_eq!(reader.take(INTEGER), None);
        assert_eq!(reader.take(OCTET_STRING), Some(&[7][..]));
        for broken in [
            &[0x30][..],
            &[0x30, 0x02, 1],
            &[0x30, 0x84, 0, 0, 0, 0],
            &[0x30, 0x80],
            &[],
        ] {
            assert!(DerReader(broken).sequence().is_none(), "{broken:?}");
        }
        for wrong in [&[0x02, 0][..], &[0x02, 1, 0x80], &[0x02, 5, 1, 0, 0, 0, 0]] {
            assert_eq!(DerReader(wrong).number(), None, "{wrong:?}");
        }
    }
}
