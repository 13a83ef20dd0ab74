//! What runs: virtual clusters with their listeners, the drains behind commits, and what is known of brokers, limits and
//! sessions.

pub(in crate::control) mod brokers;
pub(in crate::control) mod certificates;
pub(in crate::control) mod connections;
pub(in crate::control) mod drains;
pub(in crate::control) mod ends;
pub(in crate::control) mod fences;
pub(in crate::control) mod limits;
pub(in crate::control) mod names;
pub(in crate::control) mod private_directory;
pub(in crate::control) mod recheck;
pub(in crate::control) mod reloader;
pub(in crate::control) mod remembered_topics;
pub(in crate::control) mod state;
pub(in crate::control) mod warnings;
