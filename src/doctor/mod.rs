//! `kproxy doctor`: walks a virtual cluster as a client would, or examines the process and its machine.
//!
//! Observing and judging are apart. `client` and `walk` connect and ask, `machine` looks at the machine; both write down
//! what they saw. `judge` is pure: from what was seen it tells the findings.

pub mod client;
mod finding;
pub mod judge;
pub mod machine;
pub mod report;
pub mod walk;

pub use finding::{DoctorFinding, FindingKind, FindingLevel};
