//! What saving the configuration file promises, with the binary and a file as its users have them.
//!
//! 1. However it is saved, what was saved is applied: in place, by a temporary file and a rename, as vim does, deleted
//!    and created again, through every kind of link and directory on the way to it, and, where no event tells of a
//!    change, by polling.
//! 2. What somebody is still writing is not applied, even where it is a configuration by itself, and not by SIGHUP
//!    either.
//! 3. Touching it and writing the same bytes are nothing; text that means the same is `unchanged`.
//! 4. Files that it includes and references are followed like itself, those that appear in an included directory too.
//! 5. Of many changes in a row the last one wins.
//! 6. Whatever takes the file's place is rejected with a reason, and clients are served meanwhile.
//! 7. With `watch: false` nothing happens until somebody asks.
//! 8. Time that the process does not get to run is no reason to close anything on which something has arrived.
//! 9. What is odd about a configuration is told when it comes to run, and not on every look at it.

mod emptied;
mod following;
mod hostile;
mod loopback;
mod nothing;
mod saving;
mod stopped;
mod warned;
