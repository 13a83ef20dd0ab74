//! A Kafka session's inspector, driven as the data plane drives it but without sockets.
//!
//! An input is a list of events. Some are bytes as they are, from either side; others are well-formed frames around
//! a fuzzed body, so that the fuzzer need not guess sizes and correlation ids. Every event arrives in pieces of a
//! length that it names. The run is repeated with small pieces, mostly of one byte, and both must come to the same.

mod oracle;
pub(crate) mod session;

pub(crate) use oracle::assert_principal;

use std::collections::VecDeque;

use kproxy::wire::api::{self, ApiKey};
use kproxy::wire::header;

use session::{Event, Session, Settings, Side};

/// Settings, then events.
pub(crate) fn run(input: &[u8]) {
    let [settings, script @ ..] = input else { return };
    let settings = Settings::from_bits(*settings);
    let mut session = Session::new(settings);
    let mut writer = Writer {
        script,
        asked: VecDeque::new(),
        correlation_id: 0,
    };
    let mut events = Vec::new();
    while !session.is_over()
        && let Some(event) = writer.next(&session)
    {
        session.apply(&event);
        oracle::check(&session);
        events.push(event);
    }
    session.look_once_more();
    let mut slow = Session::new(settings);
    for event in events {
        slow.apply(&in_small_pieces(event));
    }
    slow.look_once_more();
    oracle::check(&slow);
    oracle::compare(&session, &slow);
}

/// The events of a script without drains. `session` has seen them.
pub(crate) fn events_of(script: &[u8], session: &mut Session) -> Vec<Event> {
    let mut writer = Writer {
        script,
        asked: VecDeque::new(),
        correlation_id: 0,
    };
    let mut events = Vec::new();
    while !session.is_over()
        && let Some(event) = writer.next(session)
    {
        if matches!(event, Event::Bytes { .. }) {
            session.apply(&event);
            events.push(event);
        }
    }
    events
}

fn in_small_pieces(event: Event) -> Event {
    match event {
        Event::Bytes { from, bytes, .. } => {
            // Of what is long only some places are tried: it is presented again with every piece.
            let piece = 1 + bytes.len() / 128;
            Event::Bytes { from, bytes, piece }
        }
        Event::BeginThrottling | Event::Acks0Only => event,
    }
}

/// A request that the broker's side of the script may answer.
struct Asked {
    key: i16,
    version: i16,
    correlation_id: i32,
}

/// Reads events from the input.
struct Writer<'a> {
    script: &'a [u8],
    asked: VecDeque<Asked>,
    correlation_id: i32,
}

impl Writer<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.script.split_first()?;
        self.script = rest;
        Some(*first)
    }

    /// As many bytes as a length of one or two bytes asks for, or as are left.
    fn bytes(&mut self, wide: bool) -> Option<Vec<u8>> {
        let high = if wide { self.byte()? % 16 } else { 0 };
        let length = usize::from(high) * 256 + usize::from(self.byte()?);
        let (bytes, rest) = self.script.split_at(length.min(self.script.len()));
        self.script = rest;
        Some(bytes.to_vec())
    }

    fn next(&mut self, session: &Session) -> Option<Event> {
        let op = self.byte()?;
        let piece = match usize::from(op >> 3) {
            0 => usize::MAX,
            piece => piece,
        };
        let (from, bytes) = match op & 7 {
            0 => (Side::Client, self.bytes(false)?),
            1 => (Side::Broker, self.bytes(false)?),
            2 | 3 => (Side::Client, self.request()?),
            4 | 5 => (Side::Broker, self.answer(session)?),
            6 => (Side::Client, self.token()?),
            _ if piece == 30 => return Some(Event::BeginThrottling),
            _ if piece == 31 => return Some(Event::Acks0Only),
            _ => (Side::Broker, self.token()?),
        };
        Some(Event::Bytes { from, bytes, piece })
    }

    /// A request with a valid header around a fuzzed body.
    fn request(&mut self) -> Option<Vec<u8>> {
        let (key, version) = (i16::from(self.byte()?), i16::from(self.byte()?));
        self.correlation_id += 1;
        let mut frame = [key.to_be_bytes(), version.to_be_bytes()].concat();
        frame.extend_from_slice(&self.correlation_id.to_be_bytes());
        frame.extend_from_slice(&[0, 1, b'c']);
        if api::api(key).is_some_and(|api| api.request_is_flexible(version)) {
            frame.push(0);
        }
        frame.extend_from_slice(&self.bytes(false)?);
        let local = key == ApiKey::API_VERSIONS && api::api(key).is_none_or(|api| !api.supports(version));
        let silent = key == ApiKey::PRODUCE && header::produce_acks(&frame, version) == Ok(Some(0));
        if !local && !silent {
            self.asked.push_back(Asked {
                key,
                version,
                correlation_id: self.correlation_id,
            });
        }
        Some(sized(&frame))
    }

    /// An answer with a valid header around a fuzzed body: to kproxy's own question if that is open, else to the
    /// oldest of the client's.
    fn answer(&mut self, session: &Session) -> Option<Vec<u8>> {
        let body = self.bytes(true)?;
        let asked = match session.own_question() {
            Some((version, correlation_id)) => Asked {
                key: ApiKey::METADATA,
                version,
                correlation_id,
            },
            None => self.asked.pop_front().unwrap_or(Asked {
                key: -1,
                version: 0,
                correlation_id: 0,
            }),
        };
        let mut frame = asked.correlation_id.to_be_bytes().to_vec();
        if api::api(asked.key).is_some_and(|api| api.response_header_is_flexible(asked.version)) {
            frame.push(0);
        }
        frame.extend_from_slice(&body);
        Some(sized(&frame))
    }

    fn token(&mut self) -> Option<Vec<u8>> {
        self.bytes(false).map(|token| sized(&token))
    }
}

fn sized(frame: &[u8]) -> Vec<u8> {
    let size = (frame.len() as i32).to_be_bytes();
    [&size, frame].concat()
}
