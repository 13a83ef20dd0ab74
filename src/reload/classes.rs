//! What a change to each key of the file does to live connections.

/// How much a change disturbs; the later, the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReloadClass {
    Live,
    Bind,
    Upstream,
    Drain,
    Restart,
}

impl ReloadClass {
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Bind => "bind",
            Self::Upstream => "upstream",
            Self::Drain => "drain",
            Self::Restart => "restart",
        }
    }
}

/// The class of the key at `path`; of the nearest key around it, where it has none of its own.
pub fn class_of(path: &str) -> ReloadClass {
    let class = |path: &str| {
        RELOAD_CLASSES
            .iter()
            .find(|(known, _)| *known == path)
            .map(|&(_, class)| class)
    };
    // Unknown keys cannot come here; if one did, the careful answer is to disturb nobody.
    class(path).unwrap_or(ReloadClass::Restart)
}

/// Every key of the file.
pub const RELOAD_CLASSES: &[(&str, ReloadClass)] =
    &[("network.proxy.workerThreadCount", ReloadClass::Restart)];
