//! Certificates, keys, trust and revocation lists that are replaced while clients are connected: with the binary and
//! files as its users have them.
//!
//! 1. A renewal disturbs nobody, however often and however it comes: no session ends, no handshake fails, and new
//!    handshakes see the new certificate within a second of certificate and key being a pair.
//! 2. What cannot be used (a certificate without its key, garbage, a file that is not there) keeps the old in use, and
//!    log, status and metrics say so until it can.
//! 3. What kproxy shows to brokers and what it believes of them is renewed in the same way: new connections have the
//!    new, resume nothing of the old, and old ones stay. Other files with something else in them are another way to the
//!    brokers: then old ones leave between requests.
//! 4. A client that is no longer accepted, because revoked, because the issuer, a version or the lack of a certificate is not
//!    accepted any more, is asked to leave between requests, does not resume, and is refused. Nobody else notices.
//! 5. A renewal of kproxy's own certificate takes no ticket from anybody.
//! 6. All of this goes on whatever stands in the configuration file: beside a typo, a key that needs a restart or nothing
//!    at all, what the running configuration references is followed; the file stays rejected, and status and metrics
//!    go on saying so.
//! 7. A client whose certificate has expired is not let in, with a ticket or without. Its session stays, or is drained
//!    where `endSessionsOnExpiry` says so.

mod beside;
mod broken;
mod brokers;
mod expiry;
mod no_longer;
mod under_load;

/// What every certificate here is for.
const NAME: &str = "kafka.test";
