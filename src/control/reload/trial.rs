//! Start of a configuration that is tried and taken back, for `kproxy check`.

use std::io;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::control::runtime::reloader::{PrepareError, Reloader};
use crate::control::runtime::state::RememberedTopology;
use crate::endpoint::{Bind, EndpointRegistry, Workers, raise_descriptor_limit};
use crate::model::ProxyModel;
use crate::reload::Plan;

/// Prepares a start with `model`, by the code that starts: binds its ports and builds its TLS settings. Returns what fails.
/// Nothing stays bound.
///
/// # Errors
/// [`io::Error`] if a thread cannot be started.
pub fn try_start(model: ProxyModel, binder: Arc<dyn Bind>) -> io::Result<Vec<PrepareError>> {
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let workers = Arc::new(Workers::start(1)?);
    let registry = EndpointRegistry::new(binder, workers, model.network.max_connections)?;
    let (requests, _nobody) = mpsc::channel(1);
    let reloader = Reloader::new(registry, requests, RememberedTopology::default());
    let next = Arc::new(model);
    let plan = Plan::between(reloader.current(), &next);
    let prepared = runtime.block_on(reloader.prepare(plan, next));
    Ok(prepared.err().unwrap_or_default())
}
