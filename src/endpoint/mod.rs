//! Where clients arrive: ports, the threads behind them, and what each port means just now.

mod accept;
mod accept_errors;
mod bind;
mod limits;
mod priority;
mod registry;
mod workers;

pub use accept::Binding;
pub use accept_errors::AcceptErrors;
pub use bind::{Bind, BindAddr, SystemBind};
pub use limits::raise_descriptor_limit;
pub use priority::step_back;
pub use registry::{Activation, BindError, EndpointRegistry, ListenerKey, Meanings, Reserved, Wanted};
pub use workers::{RuntimeThread, Workers};
