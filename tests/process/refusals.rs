//! What arrives where it does not belong, and is turned away for a reason that has a name: T29, T31, T38.
//!
//! 1. Whatever a client does wrong at a plaintext port, at a TLS port, or at an address that gateways share has a cause
//!    of its own in the metrics and a line in the log that says it in words, also where it never became known which
//!    cluster it was for. It is told so by an alert where TLS has one.
//! 2. So has whatever is wrong with TLS towards a broker, on a bootstrap port and on a node's.
//! 3. A client that stalls in the handshake is let go of after ten seconds; a thousand of them keep nobody waiting
//!    and cost little.
//! 4. Those who behave are served all the time.
//! 5. When a broker comes back, everybody comes back, and most handshakes with it resume sessions.

mod at_brokers;
mod at_ports;
mod crowd;
mod gateways;
mod stalled;

/// What every server's certificate here is for, unless it is for another.
const NAME: &str = "kafka.test";
