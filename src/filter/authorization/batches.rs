//! Whether records of a Produce request are part of a transaction.

/// Offsets in a batch: its length, what precedes that; its format; its attributes.
const LENGTH_AT: usize = 8;
const LENGTH_END: usize = LENGTH_AT + 4;
const FORMAT_AT: usize = 16;
const ATTRIBUTES_AT: usize = 21;

/// First format with transactions.
const TRANSACTIONAL_FORMAT: u8 = 2;

/// Flag in the attributes of a batch of a transaction.
const IS_TRANSACTIONAL: u8 = 0x10;

/// Whether any batch is part of a transaction; `unread` where what is no batch comes first. Brokers look at the first batch
/// alone and refuse several.
pub(super) fn are_transactional(mut records: &[u8], unread: bool) -> bool {
    while !records.is_empty() {
        let Some((batch, rest)) = first_batch(records) else {
            return unread;
        };
        if batch[FORMAT_AT] >= TRANSACTIONAL_FORMAT && batch[ATTRIBUTES_AT + 1] & IS_TRANSACTIONAL != 0 {
            return true;
        }
        records = rest;
    }
    false
}

/// The first batch and what is behind it. `None`: there is no batch with all its attributes.
fn first_batch(records: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = records
        .get(LENGTH_AT..)?
        .first_chunk()
        .map(|length| i32::from_be_bytes(*length))?;
    let end = LENGTH_END.checked_add(usize::try_from(length).ok()?)?;
    let (batch, rest) = records.split_at_checked(end)?;
    (batch.len() > ATTRIBUTES_AT + 1).then_some((batch, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch of this format with these attributes.
    fn batch(format: u8, attributes: u8) -> Vec<u8> {
        let mut batch = vec![0; 61];
        batch[LENGTH_END - 1] = 61 - LENGTH_END as u8;
        batch[FORMAT_AT] = format;
        batch[ATTRIBUTES_AT + 1] = attributes;
        batch
    }

    fn certainly(records: &[u8]) -> bool {
        let read = are_transactional(records, false);
        assert_eq!(read, are_transactional(records, true));
        read
    }

    #[test]
    fn records_are_of_a_transaction_where_any_batch_says_so() {
        let (plain, transactional) = (batch(2, 0x0f), batch(2, 0x10));
        assert!(!certainly(&[]));
        assert!(!certainly(&plain));
        assert!(!certainly(&[&plain[..], &plain].concat()));
        assert!(certainly(&transactional));
        assert!(certainly(&[&plain[..], &transactional].concat()));
    }

    #[test]
    fn a_format_without_transactions_has_no_such_attribute() {
        assert!(!certainly(&batch(1, 0x10)));
    }

    #[test]
    fn what_is_no_batch_is_what_the_caller_takes_it_for() {
        let plain = batch(2, 0);
        let mut unreadable: Vec<_> = (1..plain.len()).map(|length| plain[..length].to_vec()).collect();
        for length in [-1_i32, i32::MAX, 0, 10] {
            let mut broken = plain.clone();
            broken[LENGTH_AT..LENGTH_END].copy_from_slice(&length.to_be_bytes());
            unreadable.push(broken);
        }
        for records in unreadable {
            assert!(!are_transactional(&records, false), "{records:?}");
            assert!(are_transactional(&records, true), "{records:?}");
        }
    }
}
