//! `fence` of a virtual cluster.

use std::time::Duration;

use super::super::decode::{choice, record};
use super::super::{List, Spanned};

record! {
    /// Which requests for which topics do not reach the brokers. A command (`kproxy fence`) may set another fence in its place.
    pub struct Fence {
        /// Topics that it is about: a name, or the beginning of names (`orders-*`); `*` is every topic. At least one.
        "topics" topics: Spanned<List<String>>,
        /// Which requests about these topics.
        "operations" operations: Option<Spanned<List<StoppedOperation>>> = "[produce]",
        /// What becomes of requests that write records. Others are answered at once.
        "answer" answer: Option<Spanned<FencedWrites>> = "retriable",
        /// How long a request is held at most with `answer: hold`, from 1s to 30s; after it the answer is the one of `retriable`.
        "holdFor" hold_for: Option<Spanned<Duration>> = "20s",
    }
}

choice! {
    /// Requests that a fence is about.
    pub enum StoppedOperation {
        /// Produce, and what else producers write: transactions, and the deletion of records.
        Produce = "produce",
        /// Fetch: records are not delivered.
        Fetch = "fetch",
        /// Both, administration of the topics, and offsets that groups commit.
        All = "all",
    }
}

choice! {
    /// What becomes of a fenced request that writes records.
    pub enum FencedWrites {
        /// It is answered at once with an error after which clients try again.
        Retriable = "retriable",
        /// It waits in its place until the fence is lifted, or `holdFor` is over.
        Hold = "hold",
    }
}
