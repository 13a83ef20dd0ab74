//! Answers that name brokers at their end: Produce, Fetch, ShareFetch, ShareAcknowledge (KIP-951).
//!
//! One that has arrived whole is rewritten with its size. One that streams has a size that was sent before its
//! end is seen, so its end is made to fit: a rewritten end that is shorter is padded with an unknown tagged field,
//! and where an endpoint of ours may be longer than a broker's, the size is enlarged in advance.

use super::brokers::{count, look};
use super::frame::{Frame, malformed};
use super::{Fate, KafkaInspector, MAX_HELD, real_answer};
use crate::session::cause::Fault;
use crate::session::output::Output;
use crate::wire::Malformed;
use crate::wire::frame::SIZE_LEN;
use crate::wire::rewrite::{self, TailFinder};

/// The answer that streams just now.
#[derive(Debug)]
pub(super) struct StreamedTail {
    finder: TailFinder,
    api_key: i16,
    api_version: i16,
    /// Bytes by which the size was enlarged.
    slack: usize,
    /// Nothing but the end is left.
    found: bool,
}

#[inline]
pub(super) fn begin_tail(
    session: &mut KafkaInspector,
    frame: &Frame<'_>,
    out: &mut Output,
) -> Result<Fate, Fault> {
    let Some(start) = frame.body()? else {
        return Ok(Fate::Hold);
    };
    if frame.is_complete() {
        complete(session, frame, start, out)
    } else {
        stream(session, frame, start, out)
    }
}

/// The answer is here from beginning to end.
#[inline]
fn complete(
    session: &mut KafkaInspector,
    frame: &Frame<'_>,
    start: usize,
    out: &mut Output,
) -> Result<Fate, Fault> {
    let (key, version) = (frame.asked.api_key, frame.asked.api_version);
    let body = &frame.here()[start..];
    let mut finder = finder(key, version, body.len())?;
    let advance = finder.advance(body).map_err(malformed)?;
    if !advance.done {
        return Err(malformed(Malformed {
            what: "answer: it ends too early",
        }));
    }
    let tail = &body[advance.consumed..];
    if rewrite::tail_is_empty(key, version, tail) {
        real_answer(session);
        session.in_flight.pop();
        out.pass(frame.at, frame.at + frame.len());
        return Ok(Fate::Next { taken: frame.len() });
    }
    if let Some(nodes) = look(session, key, version, tail)? {
        return Ok(Fate::NeedEndpoints { nodes });
    }
    let table = session.directory();
    let head = &frame.here()[..start + advance.consumed];
    let mut tally = rewrite::Tally::default();
    super::frame::replace(out, head, 0, |bytes| {
        tally = rewrite::rewrite(key, version, tail, &*table, bytes)?;
        Ok(())
    })
    .map_err(malformed)?;
    count(session, tally, &table, key, version, tail);
    real_answer(session);
    session.in_flight.pop();
    Ok(Fate::Next { taken: frame.len() })
}

/// The answer has only begun: its size goes out now.
fn stream(
    session: &mut KafkaInspector,
    frame: &Frame<'_>,
    start: usize,
    out: &mut Output,
) -> Result<Fate, Fault> {
    let (api_key, api_version) = (frame.asked.api_key, frame.asked.api_version);
    let slack = slack(session).min(i32::MAX as usize - frame.size as usize);
    let head_end = frame.at + SIZE_LEN + start;
    if slack == 0 {
        out.pass(frame.at, head_end);
    } else {
        let size = (frame.size as usize + slack) as i32;
        out.emit(|bytes| bytes.extend_from_slice(&size.to_be_bytes()));
        out.pass(frame.at + SIZE_LEN, head_end);
    }
    let body_len = frame.size as usize - start;
    let finder = finder(api_key, api_version, body_len)?;
    session.response.left = body_len as u32;
    session.response.tail = Some(StreamedTail {
        finder,
        api_key,
        api_version,
        slack,
        found: false,
    });
    real_answer(session);
    session.in_flight.pop();
    Ok(Fate::Next {
        taken: SIZE_LEN + start,
    })
}

fn finder(key: i16, version: i16, body_len: usize) -> Result<TailFinder, Fault> {
    TailFinder::new(key, version, body_len).ok_or_else(|| {
        malformed(Malformed {
            what: "answer: no known layout",
        })
    })
}

/// Room for endpoints that are longer than the addresses they replace; none where no endpoint is, so that the
/// answer stays as long as it was.
fn slack(session: &KafkaInspector) -> usize {
    let table = session.directory();
    let brokers = session.binding.cluster.target.topology.snapshot();
    let ours = |id| {
        table
            .get(id)
            .map_or_else(|| table.longest_host(), |endpoint| endpoint.host.len())
    };
    let hosts = || brokers.iter().map(|(&id, broker)| (broker.host.len(), ours(id)));
    if hosts().all(|(theirs, ours)| ours <= theirs) {
        0
    } else {
        rewrite::tail_slack(hosts())
    }
}

/// More of the answer that streams.
pub(super) fn continue_tail(
    session: &mut KafkaInspector,
    bytes: &[u8],
    at: usize,
    out: &mut Output,
) -> Result<Fate, Fault> {
    let rest = &bytes[at..];
    let Some(streamed) = &mut session.response.tail else {
        return Ok(Fate::Hold);
    };
    if !streamed.found {
        let advance = streamed.finder.advance(rest).map_err(malformed)?;
        streamed.found = advance.done;
        session.response.left -= advance.consumed as u32;
        if advance.done && session.response.left == 0 {
            return Err(malformed(Malformed {
                what: "answer: it ends too early",
            }));
        }
        out.pass(at, at + advance.consumed);
        if advance.consumed == 0 && !advance.done {
            return Ok(Fate::Hold);
        }
        return Ok(Fate::Next {
            taken: advance.consumed,
        });
    }
    let left = session.response.left as usize;
    if left > MAX_HELD {
        return Err(malformed(Malformed {
            what: "answer: its end is too large",
        }));
    }
    let Some(tail) = rest.get(..left) else {
        return Ok(Fate::Hold);
    };
    end(session, tail, at, out)
}

/// The end of the answer that streams is here.
fn end(session: &mut KafkaInspector, tail: &[u8], at: usize, out: &mut Output) -> Result<Fate, Fault> {
    let Some(streamed) = &session.response.tail else {
        return Ok(Fate::Hold);
    };
    let (key, version, slack) = (streamed.api_key, streamed.api_version, streamed.slack);
    if slack == 0 && rewrite::tail_is_empty(key, version, tail) {
        out.pass(at, at + tail.len());
    } else {
        if let Some(nodes) = look(session, key, version, tail)? {
            return Ok(Fate::NeedEndpoints { nodes });
        }
        let table = session.directory();
        let length = tail.len() + slack;
        let fit = out
            .emit(|bytes| rewrite::fit_tail(key, version, tail, &*table, length, bytes))
            .map_err(malformed)?;
        count(session, fit.tally, &table, key, version, tail);
    }
    session.response.left = 0;
    session.response.tail = None;
    Ok(Fate::Next { taken: tail.len() })
}
