//! The service manager that has started the process, as systemd(1) is one: what it is told, and the sockets it holds.
//!
//! Without `NOTIFY_SOCKET` and `LISTEN_FDS` in the environment there is no service manager, and nothing here does
//! anything.

mod held_sockets;
mod inherited;
mod notifier;
mod service_state;
mod socket_store;

pub use held_sockets::HeldSockets;
pub use inherited::InheritedSockets;
pub use notifier::ServiceNotifier;
