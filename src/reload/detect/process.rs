//! What concerns the process as a whole.

use super::super::change::{ChangeResult, ChangedKey};
use super::super::effect::Effect::{self, Apply, Restart};
use super::{ChangeDetector, ConfigurationChangeContext};
use crate::model::{
    FilterLimits, Logging, Management, Network, ProxyModel, ReloadSettings, RollbackSettings,
};

pub(super) struct Process;

impl ChangeDetector for Process {
    fn detect(&self, context: &ConfigurationChangeContext<'_>, result: &mut ChangeResult) {
        let new = context.new;
        let ProxyModel {
            network,
            logging,
            state_directory,
            audit_file,
            notify,
            management,
            control_socket,
            reload,
            rollback,
            clusters: _,
        } = context.old;
        let mut note = |same: bool, path: &'static str, effect: Effect| {
            if !same {
                result.change_process(ChangedKey::new(path, effect));
            }
        };
        compare_network(network, &new.network, &mut note);
        compare_logging(logging, &new.logging, &mut note);
        note(*state_directory == new.state_directory, "stateDirectory", Restart);
        note(*audit_file == new.audit_file, "audit.file", Apply);
        note(*notify == new.notify, "notify", Apply);
        compare_management(management.as_ref(), new.management.as_ref(), &mut note);
        note(*control_socket == new.control_socket, "control.socket", Restart);
        compare_reload(reload, &new.reload, &mut note);
        compare_rollback(rollback, &new.rollback, &mut note);
    }
}

fn compare_network(old: &Network, new: &Network, note: &mut impl FnMut(bool, &'static str, Effect)) {
    let Network {
        worker_threads,
        shutdown_timeout,
        shutdown_delay,
        unauthenticated_idle_timeout,
        authenticated_idle_timeout,
        connect_timeout,
        max_frame_size,
        max_connections,
        max_connections_per_client,
        filters,
    } = old;
    note(
        *worker_threads == new.worker_threads,
        "network.proxy.workerThreadCount",
        Restart,
    );
    note(
        *shutdown_timeout == new.shutdown_timeout,
        "network.proxy.shutdownTimeout",
        Apply,
    );
    note(
        *shutdown_delay == new.shutdown_delay,
        "network.proxy.shutdownDelay",
        Apply,
    );
    note(
        *unauthenticated_idle_timeout == new.unauthenticated_idle_timeout,
        "network.proxy.unauthenticatedIdleTimeout",
        Apply,
    );
    note(
        *authenticated_idle_timeout == new.authenticated_idle_timeout,
        "network.proxy.authenticatedIdleTimeout",
        Apply,
    );
    note(
        *connect_timeout == new.connect_timeout,
        "network.proxy.connectTimeout",
        Apply,
    );
    note(
        *max_frame_size == new.max_frame_size,
        "network.proxy.maxFrameSize",
        Apply,
    );
    note(
        *max_connections == new.max_connections,
        "network.proxy.maxConnections",
        Apply,
    );
    note(
        *max_connections_per_client == new.max_connections_per_client,
        "network.proxy.maxConnectionsPerClient",
        Apply,
    );
    let FilterLimits {
        max_frame_size,
        memory_limit,
    } = filters;
    note(
        *max_frame_size == new.filters.max_frame_size,
        "network.filters.maxFrameSize",
        Apply,
    );
    note(
        *memory_limit == new.filters.memory_limit,
        "network.filters.memoryLimit",
        Apply,
    );
}

fn compare_logging(old: &Logging, new: &Logging, note: &mut impl FnMut(bool, &'static str, Effect)) {
    let Logging { level, format } = old;
    note(*level == new.level, "logging.level", Apply);
    note(*format == new.format, "logging.format", Restart);
}

fn compare_management(
    old: Option<&Management>,
    new: Option<&Management>,
    note: &mut impl FnMut(bool, &'static str, Effect),
) {
    let (Some(old), Some(new)) = (old, new) else {
        return note(old.is_none() && new.is_none(), "management", Restart);
    };
    let Management { address, token } = old;
    note(
        address.ip() == new.address.ip(),
        "management.bindAddress",
        Restart,
    );
    note(address.port() == new.address.port(), "management.port", Restart);
    note(*token == new.token, "management.tokenFile", Apply);
}

fn compare_reload(
    old: &ReloadSettings,
    new: &ReloadSettings,
    note: &mut impl FnMut(bool, &'static str, Effect),
) {
    let ReloadSettings {
        watch,
        debounce,
        poll_interval,
        max_removed_percent,
        checks,
        require_approval,
        target,
    } = old;
    note(*watch == new.watch, "reload.watch", Apply);
    note(*debounce == new.debounce, "reload.debounce", Apply);
    note(*poll_interval == new.poll_interval, "reload.pollInterval", Apply);
    note(
        *max_removed_percent == new.max_removed_percent,
        "reload.maxRemovedPercent",
        Apply,
    );
    note(*checks == new.checks, "reload.checks", Apply);
    note(
        *require_approval == new.require_approval,
        "reload.requireApproval",
        Apply,
    );
    note(*target == new.target, "reload.target", Apply);
}

fn compare_rollback(
    old: &RollbackSettings,
    new: &RollbackSettings,
    note: &mut impl FnMut(bool, &'static str, Effect),
) {
    let RollbackSettings {
        entries,
        age,
        auto,
        window,
        error_rate,
        connect_failures,
        latency_increase,
    } = old;
    note(*entries == new.entries, "rollback.history.entries", Apply);
    note(*age == new.age, "rollback.history.age", Apply);
    note(*auto == new.auto, "rollback.auto", Apply);
    note(*window == new.window, "rollback.window", Apply);
    note(*error_rate == new.error_rate, "rollback.errorRate", Apply);
    note(
        *connect_failures == new.connect_failures,
        "rollback.connectFailures",
        Apply,
    );
    note(
        *latency_increase == new.latency_increase,
        "rollback.latencyIncrease",
        Apply,
    );
}
