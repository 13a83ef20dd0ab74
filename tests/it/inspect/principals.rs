//! Promise 9: who a client authenticates as is known once the broker has accepted it, however the bytes arrive.

use kproxy::session::inspect::Inspect as _;
use kproxy::wire::api::ApiKey as Key;

use super::exchanges::{answer_head, request, sized};
use super::{KNOWN_BROKERS, give};
use crate::fuzz_targets::frame::session::{Session, Settings, Side};

const PIECES: [usize; 4] = [1, 3, 11, usize::MAX];
const REFUSED: i16 = 58;

/// A client and a broker that authenticate over one session, in pieces.
struct Exchange {
    session: Session,
    piece: usize,
    version: i16,
}

impl Exchange {
    fn new(piece: usize, version: i16) -> Self {
        Self {
            session: Session::new(Settings::from_bits(KNOWN_BROKERS)),
            piece,
            version,
        }
    }

    fn client(&mut self, bytes: &[u8]) {
        give(&mut self.session, Side::Client, bytes, self.piece);
        assert_eq!(self.session.fault, None);
    }

    fn broker(&mut self, bytes: &[u8]) {
        give(&mut self.session, Side::Broker, bytes, self.piece);
        assert_eq!(self.session.fault, None);
    }

    fn ask_mechanism(&mut self, version: i16, mechanism: &str) {
        let body = [&(mechanism.len() as i16).to_be_bytes(), mechanism.as_bytes()].concat();
        self.client(&request(Key::SASL_HANDSHAKE, version, 1, &body));
    }

    fn answer_mechanism(&mut self, version: i16, error: i16) {
        let body = [&error.to_be_bytes(), &[0; 4][..]].concat();
        let head = answer_head(Key::SASL_HANDSHAKE, version, 1);
        self.broker(&sized(&[head, body].concat()));
    }

    fn begin(&mut self, mechanism: &str) {
        self.ask_mechanism(1, mechanism);
        self.answer_mechanism(1, 0);
    }

    fn ask(&mut self, token: &[u8]) {
        let length = match self.version {
            2 => uvarint(token.len() + 1),
            _ => (token.len() as i32).to_be_bytes().to_vec(),
        };
        let end: &[u8] = if self.version == 2 { &[0] } else { &[] };
        let body = [&length, token, end].concat();
        self.client(&request(Key::SASL_AUTHENTICATE, self.version, 2, &body));
    }

    fn answer(&mut self, error: i16, token: &[u8]) {
        let error = error.to_be_bytes();
        let length = (token.len() as i32).to_be_bytes();
        let body = match self.version {
            2 => [&error, &[0][..], &uvarint(token.len() + 1), token, &[0; 9]].concat(),
            1 => [&error, &[0xff, 0xff][..], &length, token, &[0; 8]].concat(),
            _ => [&error, &[0xff, 0xff][..], &length, token].concat(),
        };
        let head = answer_head(Key::SASL_AUTHENTICATE, self.version, 2);
        self.broker(&sized(&[head, body].concat()));
    }

    /// Mechanism and principal, once accepted.
    fn known(&self) -> Option<(String, Option<String>)> {
        let sasl = self.session.handle().facts.sasl()?;
        let principal = sasl.principal.as_deref().map(str::to_owned);
        Some((sasl.mechanism.to_string(), principal))
    }

    #[track_caller]
    fn expect(&self, mechanism: &str, principal: Option<&str>) {
        assert_eq!(self.known(), Some((mechanism.into(), principal.map(Into::into))));
        // Everything has passed as it came.
        assert_eq!(self.session.up.output, self.session.up.input);
        assert_eq!(self.session.down.output, self.session.down.input);
    }
}

fn uvarint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

fn everywhere(check: impl Fn(Exchange)) {
    for version in 0..=2 {
        for piece in PIECES {
            check(Exchange::new(piece, version));
        }
    }
}

#[test]
fn plain_is_known_once_it_is_accepted() {
    everywhere(|mut exchange| {
        exchange.begin("PLAIN");
        exchange.ask(b"\0alice\0secret");
        assert_eq!(exchange.known(), None, "nobody has accepted it");
        exchange.answer(0, b"");
        exchange.expect("PLAIN", Some("alice"));
    });
}

#[test]
fn scram_is_known_after_its_second_round() {
    everywhere(|mut exchange| {
        exchange.begin("SCRAM-SHA-512");
        exchange.ask(b"n,,n=a=2Cb,r=nonce");
        exchange.answer(0, b"r=nonce,s=salt,i=4096");
        assert_eq!(exchange.known(), None, "nothing is proven yet");
        exchange.ask(b"c=biws,r=nonce,p=proof");
        exchange.answer(0, b"v=signature");
        exchange.expect("SCRAM-SHA-512", Some("a,b"));
    });
}

/// `{"sub":"billing"}` between two parts that are of no interest.
const BEARER: &[u8] = b"n,,\x01auth=Bearer e30.eyJzdWIiOiJiaWxsaW5nIn0.c2ln\x01\x01";

#[test]
fn a_bearer_token_is_known_unless_the_broker_complains_in_a_token() {
    everywhere(|mut exchange| {
        exchange.begin("OAUTHBEARER");
        exchange.ask(BEARER);
        exchange.answer(0, b"{\"status\":\"invalid_token\"}");
        exchange.ask(b"\x01");
        exchange.answer(REFUSED, b"");
        assert_eq!(exchange.known(), None);
        exchange.begin("OAUTHBEARER");
        exchange.ask(BEARER);
        exchange.answer(0, b"");
        exchange.expect("OAUTHBEARER", Some("billing"));
    });
}

#[test]
fn of_other_mechanisms_the_name_is_known() {
    everywhere(|mut exchange| {
        exchange.begin("GSSAPI");
        exchange.ask(&[0x60; 400]);
        exchange.answer(0, &[0x61; 90]);
        exchange.expect("GSSAPI", None);
    });
}

#[test]
fn what_is_refused_is_not_known() {
    everywhere(|mut exchange| {
        exchange.ask_mechanism(1, "PLAIN");
        exchange.answer_mechanism(1, 33);
        exchange.ask(b"\0alice\0secret");
        exchange.answer(0, b"");
        assert_eq!(exchange.known(), None, "the mechanism was refused");
        exchange.begin("PLAIN");
        exchange.ask(b"\0alice\0wrong");
        exchange.answer(REFUSED, b"");
        exchange.ask(b"\0alice\0secret");
        exchange.answer(0, b"");
        assert_eq!(
            exchange.known(),
            None,
            "what follows a refusal is another exchange"
        );
    });
}

/// KIP-368.
#[test]
fn a_reauthentication_takes_the_place_of_what_was_known() {
    everywhere(|mut exchange| {
        for (name, error) in [("alice", 0), ("bob", 0), ("carol", REFUSED)] {
            exchange.begin("PLAIN");
            exchange.ask(format!("\0{name}\0secret").as_bytes());
            exchange.answer(error, b"");
        }
        exchange.expect("PLAIN", Some("bob"));
    });
}

/// Otherwise the answer to one's own name could be had for another's.
#[test]
fn of_an_exchange_that_is_pipelined_nothing_is_known() {
    everywhere(|mut exchange| {
        exchange.begin("PLAIN");
        exchange.ask(b"\0alice\0secret");
        exchange.ask_mechanism(1, "PLAIN");
        exchange.ask(b"\0root\0guess");
        exchange.answer(0, b"");
        exchange.answer_mechanism(1, 0);
        exchange.answer(0, b"");
        assert_eq!(exchange.known(), None);
        exchange.begin("SCRAM-SHA-256");
        exchange.ask(b"n,,n=root,r=x");
        exchange.ask(b"n,,n=alice,r=x");
        exchange.answer(0, b"");
        exchange.answer(0, b"");
        assert_eq!(exchange.known(), None);
    });
}

#[test]
fn raw_tokens_name_their_principal_too() {
    for piece in PIECES {
        for (mechanism, tokens, principal) in [
            ("PLAIN", &[b"\0alice\0secret".as_slice()][..], Some("alice")),
            (
                "SCRAM-SHA-256",
                &[b"n,,n=alice,r=x", b"c=biws,r=x,p=y"],
                Some("alice"),
            ),
            ("OAUTHBEARER", &[BEARER], Some("billing")),
            ("GSSAPI", &[&[0x60; 300]], None),
        ] {
            let mut exchange = Exchange::new(piece, 0);
            exchange.ask_mechanism(0, mechanism);
            exchange.answer_mechanism(0, 0);
            for token in tokens {
                assert_eq!(exchange.known(), None);
                exchange.client(&sized(token));
                exchange.broker(&sized(b""));
            }
            exchange.expect(mechanism, principal);
        }
    }
}

#[test]
fn hostile_tokens_name_nobody_and_pass() {
    let long = [b"\0", [b'n'; 300].as_slice(), b"\0p"].concat();
    let large = [b"\0alice\0", [b'p'; 80_000].as_slice()].concat();
    for piece in [3, 1000, usize::MAX] {
        for token in [
            b"".as_slice(),
            b"\0",
            b"\0\xff\0p",
            b"\0a\x1b[2J\0p",
            &long,
            &large,
        ] {
            let mut exchange = Exchange::new(piece, 1);
            exchange.begin("PLAIN");
            exchange.ask(token);
            exchange.answer(0, b"");
            exchange.expect("PLAIN", None);
        }
    }
    // A length that is not there.
    let mut exchange = Exchange::new(usize::MAX, 1);
    exchange.begin("PLAIN");
    exchange.client(&request(
        Key::SASL_AUTHENTICATE,
        1,
        2,
        &[0x7f, 0xff, 0xff, 0xff, 0, b'a', 0],
    ));
    exchange.answer(0, b"");
    exchange.expect("PLAIN", None);
    // Names of mechanisms that are none.
    for mechanism in ["", "PLAIN\n", "é", &"M".repeat(65)] {
        let mut exchange = Exchange::new(usize::MAX, 1);
        exchange.begin(mechanism);
        exchange.ask(b"\0alice\0secret");
        exchange.answer(0, b"");
        assert_eq!(exchange.known(), None, "{mechanism:?}");
    }
    // A token that is never finished is not held for ever.
    let mut exchange = Exchange::new(usize::MAX, 1);
    exchange.begin("PLAIN");
    let claimed = [
        &(400_000_i32).to_be_bytes()[..],
        &request(Key::SASL_AUTHENTICATE, 1, 2, &[])[4..],
    ]
    .concat();
    exchange.client(&claimed);
    exchange.client(&[0; 100_000]);
    assert!(exchange.session.up.held == 0 && exchange.session.inspector.in_flight() == 1);
}
