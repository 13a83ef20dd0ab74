//! A Kafka client that is just large enough for a walk. Everything that it reads and waits for is bounded: servers may be
//! anything.

mod link;
mod login;
pub mod messages;
mod records;
mod steps;
mod tls;

pub(super) use link::resolve;
pub use link::{Link, LinkLogin, LinkRoute};
pub use login::{Login, SaslMechanism};
pub use records::{RoundTripRecord, StoredBatch};
pub(super) use records::{fetch_request, read_offset, read_records};
pub use steps::{StepAction, StepError, StepLimits, StepLog, StepSeen, StepSubject, WalkStep};
pub use tls::{ClientTls, ServerTrust, ShownCertificate};
