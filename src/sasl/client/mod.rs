//! The client's side of the mechanisms: what kproxy says to a broker, and how it judges what the broker answers. Pure: time,
//! random numbers and derived keys are given.

mod bearer;
mod exchange;
mod msk_iam;
mod scram;
mod sigv4;

pub use bearer::{BearerToken, subject_of};
pub use exchange::{ClientExchange, ClientStep, ExchangeSeed, LoginSecret};
pub use msk_iam::{AwsCredential, MskLogin, read_credentials, region_of};
pub use scram::{ScramChallenge, ScramClient, ScramKeys, ScramProof};
pub use sigv4::{AwsTime, PresignedQuery, presign};
