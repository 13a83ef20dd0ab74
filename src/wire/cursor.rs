//! Bounds-checked reading of Kafka's primitive types, and their appending counterparts.
//!
//! Both sides know two encodings (<https://kafka.apache.org/protocol#protocol_types>). *Classic*: strings have an `i16` length and arrays an `i32` count; −1 is
//! null, and so is every other negative one, because Apache Kafka reads them so (`if (length < 0)` in the code that is
//! generated from its schemas). *Compact* (KIP-482, "flexible" versions): both have an unsigned varint of length + 1, 0 is
//! null, and structures end in a section of tagged fields.

use super::Malformed;

/// Why a value could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The bytes end before the value does. Where the rest may still arrive, the caller waits; where the frame is
    /// complete it is as bad as [`ReadError::Malformed`], and converts to that.
    End,
    /// No further bytes can make this valid.
    Malformed(Malformed),
}

impl From<ReadError> for Malformed {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::End => Self::new("frame: it ends too early"),
            ReadError::Malformed(malformed) => malformed,
        }
    }
}

/// Turns [`ReadError::End`] into `None`, for callers that can wait for more bytes.
///
/// # Errors
/// [`ReadError::Malformed`]: waiting does not help.
pub fn unless_incomplete<T>(result: Result<T, ReadError>) -> Result<Option<T>, Malformed> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(ReadError::End) => Ok(None),
        Err(ReadError::Malformed(malformed)) => Err(malformed),
    }
}

const fn malformed(what: &'static str) -> ReadError {
    ReadError::Malformed(Malformed::new(what))
}

/// Kafka's own limit on a string, in bytes; compact lengths could say more and are refused.
const MAX_STRING: usize = i16::MAX as usize;

/// Decodes an unsigned varint of at most five bytes at the start of `bytes`: the value and its length.
///
/// Encodings longer than necessary are accepted, as every client accepts them.
#[inline]
pub fn uvarint(bytes: &[u8]) -> Result<(u32, usize), ReadError> {
    let mut value = 0u32;
    for (at, &byte) in bytes.iter().take(5).enumerate() {
        if at == 4 && byte > 0x0f {
            return Err(malformed("varint"));
        }
        value |= u32::from(byte & 0x7f) << (7 * at);
        if byte < 0x80 {
            return Ok((value, at + 1));
        }
    }
    Err(ReadError::End)
}

/// Length in bytes of the shortest encoding of `value` as an unsigned varint.
pub const fn uvarint_len(value: u32) -> usize {
    let bits = (u32::BITS - value.leading_zeros()) as usize;
    if bits == 0 { 1 } else { bits.div_ceil(7) }
}

/// Reads values from the front of a slice.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    flexible: bool,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`, with the compact encoding if `flexible`.
    pub const fn new(bytes: &'a [u8], flexible: bool) -> Self {
        Self {
            bytes,
            position: 0,
            flexible,
        }
    }

    /// Bytes read so far.
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Bytes not read yet.
    pub const fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    /// The bytes from an earlier position up to here.
    pub fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.position).unwrap_or_default()
    }

    /// The bytes that are not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.position..).unwrap_or_default()
    }

    /// Checks that nothing is left over.
    ///
    /// # Errors
    /// Bytes are left over.
    pub fn finish(&self) -> Result<(), Malformed> {
        if self.remaining() == 0 {
            Ok(())
        } else {
            Err(Malformed::new("body: bytes after its end"))
        }
    }

    /// The next `length` bytes.
    #[inline]
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], ReadError> {
        let taken = self.rest().get(..length).ok_or(ReadError::End)?;
        self.position += length;
        Ok(taken)
    }

    /// Passes over `length` bytes.
    #[inline]
    pub fn skip(&mut self, length: usize) -> Result<(), ReadError> {
        self.take(length).map(drop)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let value = *self.rest().first_chunk::<N>().ok_or(ReadError::End)?;
        self.position += N;
        Ok(value)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, ReadError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A big-endian `i16`.
    pub fn i16(&mut self) -> Result<i16, ReadError> {
        self.array().map(i16::from_be_bytes)
    }

    /// A big-endian `u16`.
    pub fn u16(&mut self) -> Result<u16, ReadError> {
        self.array().map(u16::from_be_bytes)
    }

    /// A big-endian `i32`.
    pub fn i32(&mut self) -> Result<i32, ReadError> {
        self.array().map(i32::from_be_bytes)
    }

    /// A big-endian `i64`.
    pub fn i64(&mut self) -> Result<i64, ReadError> {
        self.array().map(i64::from_be_bytes)
    }

    /// An unsigned varint, see [`uvarint`].
    #[inline]
    pub fn uvarint(&mut self) -> Result<u32, ReadError> {
        let (value, length) = uvarint(self.rest())?;
        self.position += length;
        Ok(value)
    }

    /// A length or count of either encoding; `None` is null.
    fn length(
        &mut self,
        classic: impl FnOnce(&mut Self) -> Result<i32, ReadError>,
    ) -> Result<Option<usize>, ReadError> {
        if self.flexible {
            // In 32 bits with a sign, as Kafka counts.
            let length = self.uvarint()?.cast_signed().wrapping_sub(1);
            return Ok(usize::try_from(length).ok());
        }
        Ok(usize::try_from(classic(self)?).ok())
    }

    /// A string that may be null, as bytes: Kafka does not promise UTF-8.
    pub fn nullable_string(&mut self) -> Result<Option<&'a [u8]>, ReadError> {
        match self.length(|reader| reader.i16().map(i32::from))? {
            None => Ok(None),
            Some(length) if length > MAX_STRING => Err(malformed("string: it is too long")),
            Some(length) => self.take(length).map(Some),
        }
    }

    /// A string that may not be null.
    pub fn string(&mut self) -> Result<&'a [u8], ReadError> {
        self.nullable_string()?.ok_or(malformed("string: it is null"))
    }

    /// The count of an array that may not be null, whose elements take at least `smallest` bytes each.
    ///
    /// A count that cannot fit into the remaining bytes is [`ReadError::End`].
    pub fn array_len(&mut self, smallest: usize) -> Result<usize, ReadError> {
        let count = self.length(Self::i32)?.ok_or(malformed("array: it is null"))?;
        if count
            .checked_mul(smallest)
            .is_none_or(|least| least > self.remaining())
        {
            return Err(ReadError::End);
        }
        Ok(count)
    }

    /// Passes over a section of tagged fields; does nothing in the classic encoding.
    #[inline]
    pub fn tags(&mut self) -> Result<(), ReadError> {
        if !self.flexible {
            return Ok(());
        }
        for _ in 0..self.uvarint()? {
            self.tagged_field()?;
        }
        Ok(())
    }

    /// One tagged field: its number and its content.
    pub fn tagged_field(&mut self) -> Result<(u32, &'a [u8]), ReadError> {
        let tag = self.uvarint()?;
        let size = self.uvarint()?;
        Ok((tag, self.take(size as usize)?))
    }
}

/// Appends values to a vector.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    flexible: bool,
}

impl<'a> Writer<'a> {
    /// A writer that appends to `out`, with the compact encoding if `flexible`.
    pub const fn new(out: &'a mut Vec<u8>, flexible: bool) -> Self {
        Self { out, flexible }
    }

    /// Bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// A big-endian `i16`.
    pub fn i16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    /// A big-endian `u16`.
    pub fn u16(&mut self, value: u16) {
        self.raw(&value.to_be_bytes());
    }

    /// A big-endian `i32`.
    pub fn i32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    /// An unsigned varint in its shortest form.
    pub fn uvarint(&mut self, value: u32) {
        self.uvarint_of_len(value, uvarint_len(value));
    }

    /// An unsigned varint of exactly `length` bytes (the shortest form's up to 5).
    pub fn uvarint_of_len(&mut self, value: u32, length: usize) {
        debug_assert!((uvarint_len(value)..=5).contains(&length));
        let mut left = value;
        for _ in 1..length {
            self.out.push(left as u8 | 0x80);
            left >>= 7;
        }
        self.out.push(left as u8 & 0x7f);
    }

    /// A string. One longer than Kafka allows (32 767 bytes) is cut there.
    pub fn string(&mut self, string: &[u8]) {
        let string = string.get(..MAX_STRING).unwrap_or(string);
        if self.flexible {
            self.uvarint(string.len() as u32 + 1);
        } else {
            self.i16(string.len() as i16);
        }
        self.raw(string);
    }

    /// The count of an array. It stems from an array that was read, so it fits.
    pub fn array_len(&mut self, count: usize) {
        if self.flexible {
            self.uvarint(count as u32 + 1);
        } else {
            self.i32(count as i32);
        }
    }

    /// An empty section of tagged fields; nothing in the classic encoding.
    pub fn no_tags(&mut self) {
        if self.flexible {
            self.out.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_in_every_length() {
        for value in [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            2_097_151,
            2_097_152,
            268_435_455,
            268_435_456,
            u32::MAX,
        ] {
            for length in uvarint_len(value)..=5 {
                let mut out = Vec::new();
                Writer::new(&mut out, true).uvarint_of_len(value, length);
                assert_eq!(out.len(), length);
                assert_eq!(uvarint(&out), Ok((value, length)));
                for cut in 0..length {
                    assert_eq!(uvarint(&out[..cut]), Err(ReadError::End));
                }
            }
        }
    }

    #[test]
    fn a_varint_beyond_32_bits_is_malformed() {
        assert_eq!(uvarint(&[0xff, 0xff, 0xff, 0xff, 0x1f]), Err(malformed("varint")));
        assert_eq!(
            uvarint(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00]),
            Err(malformed("varint"))
        );
    }

    #[test]
    fn counts_are_compared_with_the_bytes_that_are_there() {
        assert_eq!(
            Reader::new(&i32::MAX.to_be_bytes(), false).array_len(1),
            Err(ReadError::End)
        );
        assert_eq!(
            Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x07], true).array_len(1),
            Err(ReadError::End)
        );
        assert_eq!(
            Reader::new(&(-2i32).to_be_bytes(), false)
                .array_len(1)
                .map_err(Malformed::from)
                .unwrap_err()
                .what,
            "array: it is null"
        );
        assert_eq!(Reader::new(&[3, 0, 0], true).array_len(1), Ok(2));
        assert_eq!(Reader::new(&[3, 0, 0], true).array_len(2), Err(ReadError::End));
    }

    /// kproxy has to read lengths as brokers do, or a request could hide from it what it asks of them.
    #[test]
    fn every_negative_length_is_null() {
        for length in [-1i16, -2, -300, i16::MIN] {
            let bytes = [&length.to_be_bytes()[..], b"rest"].concat();
            let mut reader = Reader::new(&bytes, false);
            assert_eq!(
                (reader.nullable_string(), reader.rest()),
                (Ok(None), &b"rest"[..])
            );
            assert_eq!(
                Reader::new(&bytes, false).string(),
                Err(malformed("string: it is null"))
            );
        }
        for length in [0, 0x8000_0001, u32::MAX] {
            let mut bytes = Vec::new();
            Writer::new(&mut bytes, true).uvarint(length);
            assert_eq!(Reader::new(&bytes, true).nullable_string(), Ok(None), "{length}");
        }
    }

    #[test]
    fn a_compact_string_keeps_to_kafkas_limit() {
        let mut bytes = Vec::new();
        Writer::new(&mut bytes, true).uvarint(MAX_STRING as u32 + 2);
        bytes.resize(MAX_STRING + 10, b'x');
        assert_eq!(
            Reader::new(&bytes, true).string(),
            Err(malformed("string: it is too long"))
        );
    }
}
