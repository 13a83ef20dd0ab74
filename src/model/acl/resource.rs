//! What rules are about: kinds of resources, and operations on them.

use crate::names::names;

names! {
    /// A kind of resource that rules govern.
    #[derive(PartialOrd, Ord)]
    pub enum AclResource {
        /// Topics.
        Topic = "Topic",
        /// Consumer, share and Streams groups.
        Group = "Group",
        /// Transactional ids.
        TransactionalId = "TransactionalId",
    }
}

names! {
    /// An operation on a resource, with the meaning that it has in ACLs of Kafka.
    #[derive(PartialOrd, Ord)]
    pub enum AclOperation {
        /// Read records, or take part in a group.
        Read = "READ",
        /// Write records, or use a transactional id.
        Write = "WRITE",
        /// Create.
        Create = "CREATE",
        /// Delete.
        Delete = "DELETE",
        /// Alter, such as the number of partitions.
        Alter = "ALTER",
        /// See that it exists, and its state.
        Describe = "DESCRIBE",
        /// Read its configuration.
        DescribeConfigs = "DESCRIBE_CONFIGS",
        /// Change its configuration.
        AlterConfigs = "ALTER_CONFIGS",
        /// Use two-phase commit (KIP-939).
        TwoPhaseCommit = "TWO_PHASE_COMMIT",
    }
}

impl AclResource {
    /// Returns the class that stands for it in Kroxylicious' files.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Topic => "TopicResource",
            Self::Group => "GroupResource",
            Self::TransactionalId => "TransactionalIdResource",
        }
    }

    /// Returns the operations that exist for it.
    pub const fn operations(self) -> OperationSet {
        use AclOperation::*;
        match self {
            Self::Topic => OperationSet::of(&[
                Read,
                Write,
                Create,
                Delete,
                Alter,
                Describe,
                DescribeConfigs,
                AlterConfigs,
            ]),
            Self::Group => OperationSet::of(&[Read, Delete, Describe, DescribeConfigs, AlterConfigs]),
            Self::TransactionalId => OperationSet::of(&[Write, Describe, TwoPhaseCommit]),
        }
    }
}

impl AclOperation {
    /// Returns its code in Kafka (`AclOperation` of the clients library).
    pub const fn code(self) -> i8 {
        match self {
            Self::Read => 3,
            Self::Write => 4,
            Self::Create => 5,
            Self::Delete => 6,
            Self::Alter => 7,
            Self::Describe => 8,
            Self::DescribeConfigs => 10,
            Self::AlterConfigs => 11,
            Self::TwoPhaseCommit => 15,
        }
    }
}

/// A set of operations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct OperationSet(u16);

impl OperationSet {
    /// The set of no operation.
    pub const NONE: Self = Self(0);

    /// The set of these operations.
    pub const fn of(operations: &[AclOperation]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < operations.len() {
            bits |= 1 << operations[at] as u16;
            at += 1;
        }
        Self(bits)
    }

    /// Whether `operation` is in it.
    #[inline]
    pub const fn contains(self, operation: AclOperation) -> bool {
        self.0 & (1 << operation as u16) != 0
    }

    /// Whether it has no operation.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The operations of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Its operations that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The operations that are in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Its operations, in their order.
    pub fn iter(self) -> impl Iterator<Item = AclOperation> {
        AclOperation::ALL
            .into_iter()
            .filter(move |operation| self.contains(*operation))
    }

    /// These operations with those that follow from them: reading, writing, deleting and altering from describing it,
    /// altering its configuration from describing that.
    #[must_use]
    pub const fn with_implied(self) -> Self {
        use AclOperation::*;
        let mut all = self;
        if self.0 & Self::of(&[Read, Write, Delete, Alter]).0 != 0 {
            all = all.union(Self::of(&[Describe]));
        }
        if self.contains(AlterConfigs) {
            all = all.union(Self::of(&[DescribeConfigs]));
        }
        all
    }

    /// Their codes as Kafka reports them in `authorized_operations` (KIP-430): bit N stands for code N.
    pub fn bit_field(self) -> i32 {
        self.iter()
            .fold(0, |bits, operation| bits | 1 << operation.code())
    }
}
