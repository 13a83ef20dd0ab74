//! The cells: which traffic is measured.

use std::time::Duration;

use crate::common::frames::Exchange;

/// One kind of traffic.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) exchange: Exchange,
    pub(crate) connections: usize,
    pub(crate) depth: usize,
    /// Part of `--quick`.
    pub(crate) quick: bool,
    /// One of the cells in which the goals against HAProxy were set: deep enough that a proxy is never idle.
    pub(crate) deep: bool,
    /// Measured without tracking too.
    pub(crate) untracked: bool,
}

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const SIZES: [usize; 5] = [100, KIB, 16 * KIB, 64 * KIB, MIB];
const CONNECTIONS: [usize; 3] = [1, 16, 256];
const DEPTHS: [usize; 2] = [1, 5];
/// Bytes in flight beyond which the kernel's buffers, not the contender, are what is measured.
const IN_FLIGHT: usize = 256 * MIB;

/// Bytes in flight from which on a cell is measured for longer.
const HEAVY: usize = 64 * MIB;

/// The versions measured throughout, and those whose answers a Kafka-aware proxy has to walk to their end,
/// because broker addresses may stand there (KIP-951).
const PRODUCE: i16 = 9;
const PRODUCE_WALKED: i16 = 11;
const FETCH: i16 = 12;
const FETCH_WALKED: i16 = 17;

impl Cell {
    const fn new(exchange: Exchange, connections: usize, depth: usize) -> Self {
        Self {
            exchange,
            connections,
            depth,
            quick: false,
            deep: false,
            untracked: false,
        }
    }

    /// Such as `produce-v9 1KiB c16 d5`: connections, then depth.
    pub(crate) fn name(&self) -> String {
        let api = match self.exchange {
            Exchange::Produce { version, .. } => format!("produce-v{version}"),
            Exchange::Fetch { version, .. } => format!("fetch-v{version}"),
            Exchange::Echo { .. } => "echo".to_owned(),
        };
        format!(
            "{api} {} c{} d{}",
            size(self.exchange.size()),
            self.connections,
            self.depth
        )
    }

    /// How long to measure this cell where most cells take `window`: with much in flight, each connection gets an
    /// answer only a few times a second.
    pub(crate) fn window(&self, window: Duration) -> Duration {
        if self.in_flight() >= HEAVY {
            window * 3
        } else {
            window
        }
    }

    const fn in_flight(&self) -> usize {
        let directions = if matches!(self.exchange, Exchange::Echo { .. }) {
            2
        } else {
            1
        };
        self.exchange.size() * directions * self.connections * self.depth
    }
}

/// `bytes` in the unit a reader expects.
pub(crate) fn size(bytes: usize) -> String {
    match bytes {
        MIB.. => format!("{}MiB", bytes / MIB),
        KIB.. => format!("{}KiB", bytes / KIB),
        _ => format!("{bytes}B"),
    }
}

/// Every cell of a full run.
pub(crate) fn all() -> Vec<Cell> {
    let mut cells = deep();
    cells.extend(grid(
        |size| Exchange::Produce {
            version: PRODUCE,
            size,
        },
        &SIZES,
    ));
    cells.extend(grid(|size| Exchange::Echo { size }, &SIZES[2..]));
    cells.extend(grid(|size| Exchange::Fetch { version: FETCH, size }, &SIZES[2..]));
    cells.extend(SIZES.map(|size| {
        Cell::new(
            Exchange::Produce {
                version: PRODUCE_WALKED,
                size,
            },
            16,
            5,
        )
    }));
    let walked = SIZES[2..].iter().map(|&size| Exchange::Fetch {
        version: FETCH_WALKED,
        size,
    });
    cells.extend(walked.map(|exchange| Cell::new(exchange, 16, 5)));
    for cell in &mut cells {
        cell.untracked |= matches!(
            cell.exchange,
            Exchange::Produce {
                version: PRODUCE_WALKED,
                ..
            } | Exchange::Fetch {
                version: FETCH_WALKED,
                ..
            }
        );
        cell.quick = QUICK.contains(&cell.name().as_str());
    }
    cells
}

const QUICK: [&str; 10] = [
    "produce-v9 100B c8 d32",
    "produce-v9 1KiB c8 d32",
    "produce-v9 16KiB c8 d8",
    "produce-v9 64KiB c8 d4",
    "produce-v9 1MiB c4 d2",
    "produce-v9 100B c1 d1",
    "echo 1MiB c16 d5",
    "fetch-v12 64KiB c16 d5",
    "fetch-v17 64KiB c16 d5",
    "produce-v11 1KiB c16 d5",
];

/// What the grid leaves out, for the reader of a report.
pub(crate) fn left_out() -> String {
    format!(
        "1MiB c256 d5, echo 1MiB c256 d1: with more than {} in flight the kernel's memory is what is measured",
        size(IN_FLIGHT)
    )
}

fn grid(exchange: impl Fn(usize) -> Exchange, sizes: &[usize]) -> Vec<Cell> {
    let mut cells = Vec::new();
    for &size in sizes {
        for connections in CONNECTIONS {
            for depth in DEPTHS {
                cells.push(Cell::new(exchange(size), connections, depth));
            }
        }
    }
    cells.retain(|cell| cell.in_flight() <= IN_FLIGHT);
    cells
}

fn deep() -> Vec<Cell> {
    let produce = |size| Exchange::Produce {
        version: PRODUCE,
        size,
    };
    let fetch = |size| Exchange::Fetch { version: FETCH, size };
    let mut cells = vec![
        Cell::new(produce(100), 8, 32),
        Cell::new(produce(KIB), 8, 32),
        Cell::new(produce(16 * KIB), 8, 8),
        Cell::new(produce(64 * KIB), 8, 4),
        Cell::new(produce(MIB), 4, 2),
        Cell::new(fetch(16 * KIB), 8, 8),
        Cell::new(fetch(64 * KIB), 8, 4),
        Cell::new(fetch(MIB), 4, 2),
    ];
    for cell in &mut cells {
        cell.deep = true;
        cell.untracked = true;
    }
    cells
}
