//! Listeners: bound ports, the threads behind them, and the current target of each port.

mod accept;
mod accept_errors;
mod addresses;
mod bind;
mod limits;
mod priority;
mod registry;
mod workers;

pub use accept::ListenerBinding;
pub use accept_errors::AcceptErrors;
pub use addresses::ListenerAddresses;
pub use bind::{BACKLOG, Bind, BindAddr, SystemBind};
pub use limits::{connections_within, raise_descriptor_limit};
pub use priority::{ADMIN_NICENESS, CONTROL_NICENESS, FILE_READER_NICENESS, lower_priority};
pub use registry::{
    Activation, BindError, EndpointRegistry, EndpointSpec, ListenerKey, Reserved, RouteUpdates,
};
pub use workers::{RuntimeThread, Workers};
