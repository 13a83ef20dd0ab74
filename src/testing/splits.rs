//! Where the reads of a test end.

use std::fmt::Debug;

use super::{Bench, BenchBuilder};

/// A side of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BenchSide {
    /// The client.
    Client,
    /// The broker.
    Broker,
}

/// Where reads end besides where a message ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReadCut {
    /// Nowhere.
    #[default]
    None,
    /// Once, before this byte of all that the side sends.
    Before(BenchSide, usize),
    /// After so many bytes each, on both sides.
    Pieces(usize),
}

impl ReadCut {
    /// The lengths of the reads in which `length` bytes arrive, of a side that has sent `sent` bytes before.
    pub(super) fn pieces(self, side: BenchSide, sent: usize, length: usize) -> Vec<usize> {
        match self {
            Self::Before(cut, at) if cut == side && (sent + 1..sent + length).contains(&at) => {
                vec![at - sent, sent + length - at]
            }
            Self::Pieces(piece) => {
                let piece = piece.max(1);
                let mut pieces = vec![piece; length / piece];
                pieces.extend(Some(length % piece).filter(|rest| *rest > 0));
                pieces
            }
            Self::None | Self::Before(..) => vec![length],
        }
    }
}

/// Runs a scenario with whole messages, with a read that ends at each byte of the client and of the broker in turn, and byte by
/// byte. Returns what it came to.
///
/// # Panics
/// It does not come to the same each time.
pub fn at_every_split<T: PartialEq + Debug>(
    build: impl Fn() -> BenchBuilder,
    scenario: impl Fn(&mut Bench) -> T,
) -> T {
    let mut whole = build().start();
    let expected = scenario(&mut whole);
    let sides = [
        (BenchSide::Client, whole.driver().up.input.len()),
        (BenchSide::Broker, whole.driver().down.input.len()),
    ];
    let once = sides
        .into_iter()
        .flat_map(|(side, length)| (1..length).map(move |at| ReadCut::Before(side, at)));
    for cut in once.chain([ReadCut::Pieces(1)]) {
        let outcome = scenario(&mut build().cut(cut).start());
        assert_eq!(outcome, expected, "where a read ends: {cut:?}");
    }
    expected
}
