//! A start that is tried and taken back.

use std::io;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::control::runtime::reloader::{PrepareError, Reloader};
use crate::control::runtime::state::Remembered;
use crate::endpoint::{Bind, EndpointRegistry, Workers, raise_descriptor_limit};
use crate::model::ProxyModel;
use crate::reload::Plan;

/// Everything that stands against a start with `model`, found by the code that starts: ports are bound, TLS settings
/// are built. Nothing is left bound.
///
/// # Errors
/// When the system gives no threads.
pub fn trial(model: ProxyModel, binder: Arc<dyn Bind>) -> io::Result<Vec<PrepareError>> {
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let workers = Arc::new(Workers::start(1)?);
    let registry = EndpointRegistry::new(binder, workers, model.network.max_connections)?;
    let (requests, _nobody) = mpsc::channel(1);
    let reloader = Reloader::new(registry, requests, Remembered::default());
    let next = Arc::new(model);
    let plan = Plan::between(reloader.current(), &next);
    let prepared = runtime.block_on(reloader.prepare(plan, next));
    Ok(prepared.err().unwrap_or_default())
}
