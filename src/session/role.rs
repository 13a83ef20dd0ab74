//! What an endpoint stands for.

/// The broker an endpoint leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeRole {
    /// Any bootstrap server.
    Bootstrap,
    /// Exactly this node and no other.
    Node(i32),
}

impl NodeRole {
    /// The node id, where it is one node's.
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
