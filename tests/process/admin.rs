//! The administration: HTTP and the control socket, in front of a control thread that is made up.
//!
//! 1. `/livez` and `/readyz` say whether the process lives and whether it wants new clients; `HEAD` says the same.
//! 2. `/status`, `/connections` and `/` show what the control thread says; nothing from outside becomes markup.
//! 3. `/metrics` is text that a strict reader takes, in the format that is asked for, and holds every name there is.
//! 4. A cluster that is gone leaves no series; ten thousand clusters are told in good time.
//! 5. HTTP changes something only with the token, and only if one is configured.
//! 6. Paths and methods that mean nothing, and requests that are too large, are refused as HTTP has it.
//! 7. Clients that say nothing, take nothing or come in floods do not keep others from an answer for long.
//! 8. The control socket is its owner's alone, replaces a dead one, leaves a live one alone, and goes with its owner.
//! 9. The commands print what is, and their exit codes say what came of it.
//! 10. `check` finds what a start would stumble over.
//! 11. `/overview` and `/` show one page of the virtual clusters and the sums over all, as large with ten thousand as with
//!     fifty; who has them already is not sent them again.
//! 12. Whatever happens to the administration, clients of the data plane do not feel it.

mod check;
pub(crate) mod commands;
mod environment;
mod fake;
pub(crate) mod http;
mod isolation;
mod metrics;
mod page;
mod socket;
