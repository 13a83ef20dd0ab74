//! What there is to ask for: paths, where they are served, and their methods.

use hyper::Method;

use super::Entrance;
use crate::admin::answer::Refusal;

/// What there is to ask for. A new variant needs a path, a method and an answer, or it does not compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    Livez,
    Readyz,
    Status,
    Connections,
    Metrics,
    Page,
    Overview,
    History,
    Generation,
    Listeners,
    Wait,
    Plan,
    Events,
    Staged,
    Approve,
    Stats,
    Confirm,
    Reload,
    Rollback,
    Drain,
    Resume,
    Fence,
    Unfence,
    Pause,
    Close,
    Log,
    Bench,
}

impl Resource {
    /// The resource at `path`; some are served on the control socket only.
    pub(super) fn find(path: &str, entrance: &Entrance) -> Option<Self> {
        let on_socket = matches!(entrance, Entrance::Socket);
        Some(match path {
            "/livez" => Self::Livez,
            "/readyz" => Self::Readyz,
            "/status" => Self::Status,
            "/connections" => Self::Connections,
            "/metrics" => Self::Metrics,
            "/" => Self::Page,
            "/overview" => Self::Overview,
            "/history" => Self::History,
            "/generation" => Self::Generation,
            "/stats" => Self::Stats,
            "/reload" => Self::Reload,
            "/rollback" => Self::Rollback,
            "/drain" => Self::Drain,
            "/resume" => Self::Resume,
            "/pause" => Self::Pause,
            "/fence" => Self::Fence,
            "/unfence" => Self::Unfence,
            "/close" => Self::Close,
            "/log" => Self::Log,
            "/listeners" if on_socket => Self::Listeners,
            "/bench/reload" if on_socket => Self::Bench,
            "/wait" if on_socket => Self::Wait,
            "/staged" => Self::Staged,
            "/approve" => Self::Approve,
            "/confirm" => Self::Confirm,
            "/plan" if on_socket => Self::Plan,
            "/events" if on_socket => Self::Events,
            _ => return None,
        })
    }

    /// The value of `Allow`.
    fn allowed(self) -> &'static str {
        match self {
            Self::Reload
            | Self::Rollback
            | Self::Approve
            | Self::Confirm
            | Self::Drain
            | Self::Resume
            | Self::Pause
            | Self::Fence
            | Self::Unfence
            | Self::Close
            | Self::Log
            | Self::Bench => "POST",
            Self::Livez
            | Self::Readyz
            | Self::Status
            | Self::Connections
            | Self::Metrics
            | Self::Page
            | Self::Stats
            | Self::Overview
            | Self::History
            | Self::Generation
            | Self::Listeners
            | Self::Wait
            | Self::Staged
            | Self::Plan => "GET, HEAD",
            // An answer without an end has no head alone.
            Self::Events => "GET",
        }
    }

    pub(super) fn check(self, method: &Method) -> Result<(), Refusal> {
        let allowed = self.allowed();
        let mut methods = allowed.split(", ");
        if methods.any(|name| name == method.as_str()) {
            Ok(())
        } else {
            Err(Refusal::Method(allowed))
        }
    }
}
