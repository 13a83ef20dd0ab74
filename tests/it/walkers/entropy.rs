//! Builds arbitrary values out of a string of bytes, so that proptest can shrink whole messages by shrinking it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::str::FromStr;

use kafka_protocol::messages::{BrokerId, TopicName};
use kafka_protocol::protocol::StrBytes;

/// A source of values; all zero, empty or null once its bytes are used up.
pub(crate) struct Entropy<'a> {
    bytes: &'a [u8],
}

impl<'a> Entropy<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) fn u8(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else {
            return 0;
        };
        self.bytes = rest;
        *first
    }

    /// At most `max`.
    pub(crate) fn up_to(&mut self, max: usize) -> usize {
        usize::from(self.u8()) % (max + 1)
    }

    pub(crate) fn flag(&mut self) -> bool {
        self.u8() & 1 == 1
    }

    pub(crate) fn i16(&mut self) -> i16 {
        i16::from_be_bytes([self.u8(), self.u8()])
    }

    pub(crate) fn i32(&mut self) -> i32 {
        i32::from_be_bytes(std::array::from_fn(|_| self.u8()))
    }

    pub(crate) fn i64(&mut self) -> i64 {
        i64::from_be_bytes(std::array::from_fn(|_| self.u8()))
    }

    pub(crate) fn error(&mut self) -> i16 {
        [0, 0, 6, 15, 74, -1][self.up_to(5)]
    }

    /// Mostly ids that have an address of ours, some that are withheld, some odd ones.
    pub(crate) fn node_id(&mut self) -> BrokerId {
        let byte = self.u8();
        BrokerId(match byte {
            250 => -1,
            251 => i32::MIN,
            252 => i32::MAX,
            _ => i32::from(byte % 12),
        })
    }

    /// A string from empty to longer than one varint byte can count.
    pub(crate) fn string(&mut self) -> StrBytes {
        let length = match self.u8() {
            byte @ 0..=200 => usize::from(byte % 16),
            byte => usize::from(byte) + 40,
        };
        let letter = char::from(b'a' + self.u8() % 26);
        StrBytes::from_string(std::iter::repeat_n(letter, length).collect())
    }

    pub(crate) fn nullable_string(&mut self) -> Option<StrBytes> {
        self.flag().then(|| self.string())
    }

    pub(crate) fn topic(&mut self) -> TopicName {
        self.string().into()
    }

    pub(crate) fn list<T>(&mut self, max: usize, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.up_to(max)).map(|_| item(self)).collect()
    }

    /// A record set: null, empty, or up to some 20 kB.
    pub(crate) fn records<B: From<Vec<u8>>>(&mut self) -> Option<B> {
        match self.up_to(5) {
            0 => None,
            1 => Some(Vec::new().into()),
            2 => Some(vec![self.u8(); usize::from(self.u8()) * 80].into()),
            _ => Some(vec![self.u8(); self.up_to(200)].into()),
        }
    }

    pub(crate) fn uuid<U: FromStr<Err: Debug>>(&mut self) -> U {
        format!("{:02x}", self.u8()).repeat(16).parse().unwrap()
    }

    /// Tagged fields that no schema has; none in a classic version.
    pub(crate) fn tags<B: From<Vec<u8>>>(&mut self, flexible: bool) -> BTreeMap<i32, B> {
        if !flexible {
            return BTreeMap::new();
        }
        let count = self.up_to(10).saturating_sub(7);
        (0..count)
            .map(|at| (self.tag(at), vec![self.u8(); self.up_to(140)].into()))
            .collect()
    }

    fn tag(&mut self, at: usize) -> i32 {
        [9, 126, 127, 128, 300, 100_000][self.up_to(5)] + at as i32
    }
}
