//! What concerns the process as a whole.

use super::super::change::ChangeResult;
use super::{ChangeDetector, ConfigurationChangeContext, key};
use crate::model::{Logging, Management, Network, ProxyModel, ReloadSettings};

pub(super) struct Process;

impl ChangeDetector for Process {
    fn detect(&self, context: &ConfigurationChangeContext<'_>, result: &mut ChangeResult) {
        let new = context.new;
        let ProxyModel {
            network,
            logging,
            state_directory,
            management,
            control_socket,
            reload,
            clusters: _,
        } = context.old;
        let mut note = |same: bool, path: &'static str| {
            if !same {
                result.change_process(key(path));
            }
        };
        compare_network(network, &new.network, &mut note);
        compare_logging(logging, &new.logging, &mut note);
        note(*state_directory == new.state_directory, "stateDirectory");
        compare_management(management.as_ref(), new.management.as_ref(), &mut note);
        note(*control_socket == new.control_socket, "control.socket");
        compare_reload(reload, &new.reload, &mut note);
    }
}

fn compare_network(old: &Network, new: &Network, note: &mut impl FnMut(bool, &'static str)) {
    let Network {
        worker_threads,
        shutdown_timeout,
        unauthenticated_idle_timeout,
        authenticated_idle_timeout,
        connect_timeout,
        max_frame_size,
        max_connections,
        max_connections_per_client,
    } = old;
    note(
        *worker_threads == new.worker_threads,
        "network.proxy.workerThreadCount",
    );
    note(
        *shutdown_timeout == new.shutdown_timeout,
        "network.proxy.shutdownTimeout",
    );
    note(
        *unauthenticated_idle_timeout == new.unauthenticated_idle_timeout,
        "network.proxy.unauthenticatedIdleTimeout",
    );
    note(
        *authenticated_idle_timeout == new.authenticated_idle_timeout,
        "network.proxy.authenticatedIdleTimeout",
    );
    note(
        *connect_timeout == new.connect_timeout,
        "network.proxy.connectTimeout",
    );
    note(
        *max_frame_size == new.max_frame_size,
        "network.proxy.maxFrameSize",
    );
    note(
        *max_connections == new.max_connections,
        "network.proxy.maxConnections",
    );
    note(
        *max_connections_per_client == new.max_connections_per_client,
        "network.proxy.maxConnectionsPerClient",
    );
}

fn compare_logging(old: &Logging, new: &Logging, note: &mut impl FnMut(bool, &'static str)) {
    let Logging { level, format } = old;
    note(*level == new.level, "logging.level");
    note(*format == new.format, "logging.format");
}

fn compare_management(
    old: Option<&Management>,
    new: Option<&Management>,
    note: &mut impl FnMut(bool, &'static str),
) {
    let (Some(old), Some(new)) = (old, new) else {
        return note(old.is_none() && new.is_none(), "management");
    };
    let Management { address, token } = old;
    note(address.ip() == new.address.ip(), "management.bindAddress");
    note(address.port() == new.address.port(), "management.port");
    note(*token == new.token, "management.tokenFile");
}

fn compare_reload(old: &ReloadSettings, new: &ReloadSettings, note: &mut impl FnMut(bool, &'static str)) {
    let ReloadSettings {
        watch,
        debounce,
        poll_interval,
        max_removed_percent,
    } = old;
    note(*watch == new.watch, "reload.watch");
    note(*debounce == new.debounce, "reload.debounce");
    note(*poll_interval == new.poll_interval, "reload.pollInterval");
    note(
        *max_removed_percent == new.max_removed_percent,
        "reload.maxRemovedPercent",
    );
}
