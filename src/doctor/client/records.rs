//! The record of a round trip: one record in a batch of format 2 (`DefaultRecordBatch.java`), without compression.

use super::login::nonce;
use super::messages::{ServerError, text};
use super::steps::StepError;
use crate::wire::Malformed;
use crate::wire::cursor::{Reader, Writer};
use crate::wire::proxy_protocol::crc32c;

/// Bytes of a batch that precede its checksum: base offset, length, epoch, magic.
const BEFORE_CHECKSUM: usize = 8 + 4 + 4 + 1;

/// Bytes of a batch before its records.
const BATCH_HEAD: usize = 61;

/// Bytes that one Fetch may bring.
const FETCH_BYTES: i32 = 1 << 20;

/// The record that is written and read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundTripRecord {
    /// Value that nobody else writes.
    value: String,
    /// Time stamp in milliseconds since 1970.
    timestamp_millis: i64,
}

/// The batch that was read again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredBatch {
    /// Set if the time stamp is that of the broker's clock.
    pub broker_time_millis: Option<i64>,
}

impl RoundTripRecord {
    /// A record with this time stamp.
    ///
    /// # Errors
    /// This machine has no random numbers.
    pub fn new(timestamp_millis: i64) -> Result<Self, StepError> {
        Ok(Self {
            value: format!("kproxy doctor {}", nonce()?),
            timestamp_millis,
        })
    }

    /// Body of a Produce request to partition 0 of `topic`, with all replicas acknowledging.
    pub fn produce_request(&self, topic: &str, timeout_millis: i32) -> Vec<u8> {
        let mut body = Vec::new();
        let mut writer = Writer::new(&mut body, false);
        // No transactional id; acks from all replicas.
        writer.i16(-1);
        writer.i16(-1);
        writer.i32(timeout_millis);
        writer.array_len(1);
        writer.string(topic.as_bytes());
        writer.array_len(1);
        writer.i32(0);
        let batch = self.batch();
        writer.array_len(batch.len());
        writer.raw(&batch);
        body
    }

    fn batch(&self) -> Vec<u8> {
        let mut record = Vec::new();
        let mut writer = Writer::new(&mut record, false);
        // Attributes, differences of time stamp and offset; then key, value and the number of headers, zigzag encoded.
        writer.raw(&[0, 0, 0]);
        for bytes in [&b"kproxy doctor"[..], self.value.as_bytes()] {
            writer.uvarint(bytes.len() as u32 * 2);
            writer.raw(bytes);
        }
        writer.raw(&[0]);
        let mut checked = Vec::new();
        let mut writer = Writer::new(&mut checked, false);
        writer.i16(0);
        writer.i32(0);
        writer.raw(&self.timestamp_millis.to_be_bytes());
        writer.raw(&self.timestamp_millis.to_be_bytes());
        // No producer id, epoch and sequence.
        writer.raw(&[0xff; 8 + 2 + 4]);
        writer.i32(1);
        writer.uvarint(record.len() as u32 * 2);
        writer.raw(&record);
        let mut batch = Vec::new();
        let mut writer = Writer::new(&mut batch, false);
        writer.raw(&[0; 8]);
        writer.i32((4 + 1 + 4 + checked.len()) as i32);
        writer.i32(-1);
        writer.raw(&[2]);
        writer.raw(&crc32c([checked.as_slice()]).to_be_bytes());
        writer.raw(&checked);
        batch
    }

    /// Finds the record at `offset` in the records of a Fetch answer.
    ///
    /// # Errors
    /// Why what is there is not this record.
    pub fn find(&self, offset: i64, records: &[u8]) -> Result<StoredBatch, StepError> {
        let other = |why: &str| StepError::NoRoundTrip(format!("the record at offset {offset} {why}"));
        if records.is_empty() {
            return Err(other("is not there"));
        }
        let field = |at: usize| records.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        let base = field(0)
            .map(i64::from_be_bytes)
            .ok_or_else(|| other("is cut off"))?;
        let head = records
            .get(BEFORE_CHECKSUM + 4..BATCH_HEAD)
            .ok_or_else(|| other("is cut off"))?;
        let mut reader = Reader::new(head, false);
        let attributes = reader.i16().map_err(Malformed::from)?;
        let last = reader.i32().map_err(Malformed::from)?;
        if offset < base || offset > base.saturating_add(last.into()) {
            return Err(other("is another one"));
        }
        let is_compressed = attributes & 7 != 0;
        let is_ours = records
            .windows(self.value.len())
            .any(|part| part == self.value.as_bytes());
        if !is_compressed && !is_ours {
            return Err(other("has another value than the one that was written"));
        }
        let latest = field(BEFORE_CHECKSUM + 4 + 2 + 4 + 8).map(i64::from_be_bytes);
        Ok(StoredBatch {
            broker_time_millis: latest.filter(|_| attributes & 8 != 0),
        })
    }
}

/// Reads the answer to Produce: an error, or the offset.
///
/// # Errors
/// [`Malformed`] if it is not one.
pub(crate) fn read_offset(answer: &[u8]) -> Result<(ServerError, i64), Malformed> {
    let mut reader = Reader::new(answer, false);
    if reader.array_len(6)? == 0 {
        return Err(Malformed::new("Produce: it has no topics"));
    }
    reader.string()?;
    if reader.array_len(14)? == 0 {
        return Err(Malformed::new("Produce: it has no partitions"));
    }
    reader.i32()?;
    let error = ServerError {
        code: reader.i16()?,
        message: String::new(),
    };
    Ok((error, reader.i64()?))
}

/// Body of a Fetch request for partition 0 of `topic` from `offset` on.
pub(crate) fn fetch_request(topic: &str, offset: i64, wait_millis: i32) -> Vec<u8> {
    let mut body = Vec::new();
    let mut writer = Writer::new(&mut body, false);
    // From a consumer; at least one byte; uncommitted records too.
    writer.i32(-1);
    writer.i32(wait_millis);
    writer.i32(1);
    writer.i32(FETCH_BYTES);
    writer.raw(&[0]);
    writer.array_len(1);
    writer.string(topic.as_bytes());
    writer.array_len(1);
    writer.i32(0);
    writer.raw(&offset.to_be_bytes());
    writer.i32(FETCH_BYTES);
    body
}

/// Reads the answer to Fetch: an error, or records.
///
/// # Errors
/// [`Malformed`] if it is not one.
pub(crate) fn read_records(answer: &[u8]) -> Result<(ServerError, &[u8]), Malformed> {
    let mut reader = Reader::new(answer, false);
    reader.skip(4)?;
    if reader.array_len(6)? == 0 {
        return Err(Malformed::new("Fetch: it has no topics"));
    }
    text(reader.string()?);
    if reader.array_len(22)? == 0 {
        return Err(Malformed::new("Fetch: it has no partitions"));
    }
    reader.i32()?;
    let code = reader.i16()?;
    reader.skip(8 + 8)?;
    // Aborted transactions; −1 if there are none.
    let aborted = usize::try_from(reader.i32()?).unwrap_or_default();
    reader.skip(aborted.saturating_mul(16))?;
    let length = usize::try_from(reader.i32()?).unwrap_or_default();
    let error = ServerError {
        code,
        message: String::new(),
    };
    Ok((error, reader.take(length)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::{FetchRequest, ProduceRequest};
    use kafka_protocol::protocol::Decodable;
    use kafka_protocol::records::RecordBatchDecoder;

    #[test]
    fn the_oracle_reads_the_record() {
        let record = RoundTripRecord::new(1_700_000_000_000).unwrap();
        let body = record.produce_request("t", 5000);
        let mut bytes = body.as_slice();
        let request = ProduceRequest::decode(&mut bytes, 7).unwrap();
        assert_eq!((request.acks, request.timeout_ms), (-1, 5000));
        let mut batch = request.topic_data[0].partition_data[0].records.clone().unwrap();
        let stored = batch.clone();
        let decoded = RecordBatchDecoder::decode(&mut batch).unwrap();
        assert_eq!(decoded.records[0].value.as_deref(), Some(record.value.as_bytes()));
        assert_eq!(decoded.records[0].timestamp, 1_700_000_000_000);
        assert_eq!(
            record.find(0, &stored),
            Ok(StoredBatch {
                broker_time_millis: None
            })
        );
        assert!(record.find(1, &stored).is_err(), "another offset");
        let other = RoundTripRecord::new(0).unwrap();
        assert!(other.find(0, &stored).is_err(), "another value");
        for length in 0..stored.len() {
            drop(record.find(0, &stored[..length]));
        }
    }

    #[test]
    fn requests_and_hostile_answers() {
        let body = fetch_request("t", 7, 500);
        let mut bytes = body.as_slice();
        let request = FetchRequest::decode(&mut bytes, 4).unwrap();
        assert_eq!(request.topics[0].partitions[0].fetch_offset, 7);
        assert!(bytes.is_empty());
        for length in 0..80 {
            for byte in [0x00, 0x01, 0x7f, 0xff] {
                drop(read_offset(&vec![byte; length]));
                drop(read_records(&vec![byte; length]));
            }
        }
    }
}
