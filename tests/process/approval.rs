//! Reloads that wait for the approval of somebody else.
//!
//! 1. With `reload.requireApproval` an edit of the file changes nothing until it is approved. A command or a signal of an
//!    operator is applied at once, and so is the renewal of a file that the configuration refers to.
//! 2. `reload --stage` reads a file and changes nothing; what was read is what is applied, whatever the files hold then.
//! 3. Who staged a reload cannot approve it; the token counts as one more user, and so does every user id.
//! 4. What waits is dropped after its time, when a newer one is staged, and when it would do something else by now.
//! 5. Status, log, events and `approve` tell what waits, and what it would do.

mod fixture;
mod staged;
mod watched;
