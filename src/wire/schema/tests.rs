//! The tables against another implementation of the protocol, and the tools on bodies of every API and version.

mod arriving;
mod edits;
mod hostile;
mod oracle;
mod random;
mod reading;
mod second;
mod since;
mod walkers;
