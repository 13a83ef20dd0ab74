//! Finds where the tail of a response begins, while the response streams through.
//!
//! Layouts: `ProduceResponse.json`, `FetchResponse.json`, `ShareFetchResponse.json`, `ShareAcknowledgeResponse.json`.

use super::super::Malformed;
use super::super::api::{AddressLayout, ApiKey};
use super::super::schema::{self, Direction};
use super::super::skip::{Advance, Op, Skipper};
use super::fast_path::PRODUCE_FIRST_WITH_IDS;
use super::layout;

const UUID: Op = Op::Fixed(16);
/// Leader id and epoch, then tagged fields: `current_leader` of the share APIs.
const LEADER_IDS: u16 = 4 + 4;

const PRODUCE_RECORD_ERROR: &[Op] = &[Op::Fixed(4), Op::Compact, Op::Tags];
/// Index, error, base offset, append time and log start; record errors; message.
const PRODUCE_PARTITION: &[Op] = &[
    Op::Fixed(4 + 2 + 8 + 8 + 8),
    Op::Array(PRODUCE_RECORD_ERROR),
    Op::Compact,
    Op::Tags,
];
const PRODUCE_10: &[Op] = &[
    Op::Array(&[Op::Compact, Op::Array(PRODUCE_PARTITION), Op::Tags]),
    Op::Fixed(4),
];
const PRODUCE_13: &[Op] = &[
    Op::Array(&[UUID, Op::Array(PRODUCE_PARTITION), Op::Tags]),
    Op::Fixed(4),
];

/// A Produce answer of a flexible version (9 and up), to the end of its throttle time.
pub const fn produce_layout(version: i16) -> &'static [Op] {
    if version >= PRODUCE_FIRST_WITH_IDS {
        PRODUCE_13
    } else {
        PRODUCE_10
    }
}

const FETCH_ABORTED: &[Op] = &[Op::Fixed(8 + 8), Op::Tags];
/// Index, error, high watermark, last stable offset and log start; aborted transactions; preferred replica;
/// records.
const FETCH_PARTITION: &[Op] = &[
    Op::Fixed(4 + 2 + 8 + 8 + 8),
    Op::Array(FETCH_ABORTED),
    Op::Fixed(4),
    Op::Compact,
    Op::Tags,
];
/// Versions 16 to 18: throttle time, error and session id; topics by id.
const FETCH_16: &[Op] = &[
    Op::Fixed(4 + 2 + 4),
    Op::Array(&[UUID, Op::Array(FETCH_PARTITION), Op::Tags]),
];

const SHARE_ACQUIRED: &[Op] = &[Op::Fixed(8 + 8 + 2), Op::Tags];
/// Index, error, message; acknowledge error and message; leader; records; acquired records.
const SHARE_FETCH_PARTITION: &[Op] = &[
    Op::Fixed(4 + 2),
    Op::Compact,
    Op::Fixed(2),
    Op::Compact,
    Op::Fixed(LEADER_IDS),
    Op::Tags,
    Op::Compact,
    Op::Array(SHARE_ACQUIRED),
    Op::Tags,
];
const SHARE_FETCH_TOPICS: Op = Op::Array(&[UUID, Op::Array(SHARE_FETCH_PARTITION), Op::Tags]);
/// First versions with `acquisition_lock_timeout_ms` (KIP-1222).
const SHARE_FETCH_FIRST_WITH_TIMEOUT: i16 = schema::first_with(
    ApiKey::SHARE_FETCH,
    Direction::Response,
    &["acquisition_lock_timeout_ms"],
);
const SHARE_ACKNOWLEDGE_FIRST_WITH_TIMEOUT: i16 = schema::first_with(
    ApiKey::SHARE_ACKNOWLEDGE,
    Direction::Response,
    &["acquisition_lock_timeout_ms"],
);

const SHARE_FETCH_0: &[Op] = &[Op::Fixed(4 + 2), Op::Compact, SHARE_FETCH_TOPICS];
/// With the acquisition lock timeout.
const SHARE_FETCH_1: &[Op] = &[Op::Fixed(4 + 2), Op::Compact, Op::Fixed(4), SHARE_FETCH_TOPICS];

/// Index, error, message, leader.
const SHARE_ACKNOWLEDGE_PARTITION: &[Op] = &[
    Op::Fixed(4 + 2),
    Op::Compact,
    Op::Fixed(LEADER_IDS),
    Op::Tags,
    Op::Tags,
];
const SHARE_ACKNOWLEDGE_TOPICS: Op = Op::Array(&[UUID, Op::Array(SHARE_ACKNOWLEDGE_PARTITION), Op::Tags]);
const SHARE_ACKNOWLEDGE_0: &[Op] = &[Op::Fixed(4 + 2), Op::Compact, SHARE_ACKNOWLEDGE_TOPICS];
/// With the acquisition lock timeout.
const SHARE_ACKNOWLEDGE_2: &[Op] = &[
    Op::Fixed(4 + 2),
    Op::Compact,
    Op::Fixed(4),
    SHARE_ACKNOWLEDGE_TOPICS,
];

/// Follows a response body as it passes and stops where its tail begins: at the NodeEndpoints of ShareFetch and
/// ShareAcknowledge, at the tagged fields of Produce and Fetch. Everything before it carries no address.
#[derive(Clone, Debug)]
pub struct TailFinder {
    skipper: Skipper,
}

impl TailFinder {
    /// A finder for a body of `body_len` bytes (the frame without its response header); `None` if responses of
    /// this API and version have no tail to find, see `placement`.
    pub fn new(api_key: i16, version: i16, body_len: usize) -> Option<Self> {
        let before_tail = match layout(api_key, version)? {
            AddressLayout::Produce => produce_layout(version),
            AddressLayout::Fetch => FETCH_16,
            AddressLayout::ShareFetch if version < SHARE_FETCH_FIRST_WITH_TIMEOUT => SHARE_FETCH_0,
            AddressLayout::ShareFetch => SHARE_FETCH_1,
            AddressLayout::ShareAcknowledge if version < SHARE_ACKNOWLEDGE_FIRST_WITH_TIMEOUT => {
                SHARE_ACKNOWLEDGE_0
            }
            AddressLayout::ShareAcknowledge => SHARE_ACKNOWLEDGE_2,
            AddressLayout::Metadata
            | AddressLayout::FindCoordinator
            | AddressLayout::DescribeCluster
            | AddressLayout::DescribeQuorum => return None,
        };
        Some(Self {
            skipper: Skipper::new(before_tail, body_len),
        })
    }

    /// Takes the next bytes of the body, up to where the tail begins, see [`Skipper::advance`].
    ///
    /// # Errors
    /// The body is not what its version says it is.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Advance, Malformed> {
        self.skipper.advance(bytes)
    }

    /// Bytes of the body not taken yet; once done, the length of the tail.
    pub const fn left(&self) -> usize {
        self.skipper.left()
    }
}
