//! Permits of a cluster that becomes known only after the accept.

use socket2::SockRef;
use tokio::net::TcpStream;

use super::first_request::silence;
use crate::drain::SessionHandle;
use crate::session::cause::{CloseCause, Fault};
use crate::session::context::EndpointBinding;
use crate::session::permits::ConnectionPermits;

/// Refuses a client of a virtual cluster that somebody has drained. Called after the session has joined its tracker: a drain
/// stops the intake first, so that every session finds the stop or is asked to leave.
pub(super) fn check_intake(binding: &EndpointBinding) -> Result<(), Fault> {
    match binding.cluster.intake.is_stopped() {
        true => Err(Fault::new(
            CloseCause::ClusterDrained,
            "the virtual cluster is drained and takes no new sessions",
        )),
        false => Ok(()),
    }
}

/// Takes a permit of the cluster and waits for one if necessary. A waiting connection gives its permit of the process
/// back, so that a full cluster does not block the others.
pub(super) async fn acquire_cluster_permit(
    socket: &TcpStream,
    binding: &EndpointBinding,
    handle: &SessionHandle,
    permits: &mut ConnectionPermits,
) -> Result<(), Fault> {
    let cluster = &binding.cluster;
    if let Some(permit) = cluster.limit.try_acquire() {
        permits.cluster = Some(permit);
        return Ok(());
    }
    let Ok(_seat) = cluster.process.waiting.try_acquire() else {
        cluster.limit.mark().record_hit();
        let why = "the virtual cluster has `maxConnections` connections, and too many others already wait";
        return Err(Fault::new(CloseCause::ConnectionLimit, why));
    };
    let process = permits.process.take().map(|permit| permit.limit().clone());
    let both = async {
        let permit = cluster.limit.acquire().await;
        let process = match process {
            Some(process) => Some(process.acquire().await),
            None => None,
        };
        (permit, process)
    };
    tokio::select! {
        biased;
        (permit, process) = both => {
            permits.cluster = Some(permit);
            permits.process = process;
            Ok(())
        }
        fault = silence(binding, handle, handle.since, false) => Err(fault),
        () = gone(socket) => Err(Fault::new(CloseCause::ClientClosed, "")),
    }
}

/// Resolves when the client has closed. A client with unread bytes cannot be distinguished from one that stays.
async fn gone(socket: &TcpStream) {
    if socket.readable().await.is_err() || is_gone(socket) {
        return;
    }
    std::future::pending().await
}

/// Whether the client has closed and left nothing unread.
pub(super) fn is_gone(socket: &TcpStream) -> bool {
    let mut byte = [std::mem::MaybeUninit::uninit()];
    matches!(SockRef::from(socket).peek(&mut byte), Ok(0))
}
