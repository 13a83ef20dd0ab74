//! The role of an endpoint: bootstrap or one node.

/// The broker that an endpoint stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeRole {
    /// Any bootstrap server.
    Bootstrap,
    /// This node and no other.
    Node(i32),
}

impl NodeRole {
    /// The node id; `None` for bootstrap.
    pub fn id(self) -> Option<i32> {
        match self {
            Self::Bootstrap => None,
            Self::Node(id) => Some(id),
        }
    }
}

impl std::fmt::Display for NodeRole {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bootstrap => out.write_str("bootstrap"),
            Self::Node(id) => write!(out, "{id}"),
        }
    }
}
