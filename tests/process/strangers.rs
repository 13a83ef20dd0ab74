//! What strangers cost: those who reach a port and have no credentials, and brokers that say what they like.
//!
//! 1. What comes from outside forges no log line and no field, in either format.
//! 2. Ends of sessions that repeat are summed up in the log and counted exactly in the metrics.
//! 3. A log that nobody reads holds up neither SIGTERM nor the second one.
//! 4. Node ids that clients invent have neither series nor entries of their own.
//! 5. A broker can name any number of nodes: those that a cluster cannot have are withheld and told once, and what full
//!    listings stop naming is forgotten.
//! 6. A broker that moves while its old address answers: sessions that lead there go on with the new address, once, and no other is disturbed.
//! 7. Counters are there before the first thing they count, with 0.

mod log;
mod moved;
mod nodes;
