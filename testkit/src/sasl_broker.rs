//! One broker that wants SASL as Kafka does: nothing but ApiVersions before it, nothing within it, and again before its
//! lifetime is over (KIP-368). What breaks these rules is remembered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use data_encoding::BASE64;
use kafka_protocol::messages::{
    MetadataResponse, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse,
};
use kafka_protocol::protocol::StrBytes;
use kproxy::sasl::ScramHash;

use super::broker::{Asked, Broker, Connection};
use super::cluster::{self, API_VERSIONS, METADATA, SASL_AUTHENTICATE, SASL_HANDSHAKE, api_versions, body};
use super::frames;

/// What a broker does that none should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trick {
    /// It is a good one.
    None,
    /// It never answers a token.
    Silent,
    /// It answers a token with more bytes than anybody would keep.
    Huge,
    /// It ends with a signature that shows nothing.
    WrongSignature,
    /// It asks for one token more.
    OneMore,
    /// It asks for fewer iterations than Kafka has.
    FewIterations,
    /// It closes at the first token.
    Close,
    /// Its listener has no SASL.
    NoSasl,
}

/// The rules of a broker.
#[derive(Debug, Clone)]
pub struct Rules {
    pub mechanism: &'static str,
    /// Passwords by user; with OAUTHBEARER the tokens are the keys.
    pub users: BTreeMap<String, String>,
    /// How long an authentication lasts; zero is for ever.
    pub lifetime: Duration,
    pub trick: Trick,
}

/// What a broker has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A login, on this connection, of this user.
    Login {
        connection: usize,
        user: String,
        again: bool,
    },
    /// A refused login on this connection.
    Refused { connection: usize },
    /// A request on this connection, with its correlation id.
    Request {
        connection: usize,
        api_key: i16,
        correlation_id: i32,
    },
    /// Something that no client may do.
    Violation(String),
}

struct Shared {
    rules: Mutex<Rules>,
    seen: Mutex<Vec<Seen>>,
    address: Mutex<Option<SocketAddr>>,
}

/// The broker. Dropping it closes everything.
pub struct SaslBroker {
    pub broker: Broker,
    shared: Arc<Shared>,
}

impl Rules {
    /// A good broker that knows one user.
    pub fn of(mechanism: &'static str, user: &str, password: &str) -> Self {
        Self {
            mechanism,
            users: [(user.to_owned(), password.to_owned())].into(),
            lifetime: Duration::ZERO,
            trick: Trick::None,
        }
    }

    #[must_use]
    pub fn lasting(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    #[must_use]
    pub fn with(mut self, trick: Trick) -> Self {
        self.trick = trick;
        self
    }
}

impl SaslBroker {
    pub fn start(rules: Rules) -> Self {
        let shared = Arc::new(Shared {
            rules: Mutex::new(rules),
            seen: Mutex::default(),
            address: Mutex::default(),
        });
        let broker = Broker::start({
            let shared = Arc::clone(&shared);
            move |connection| Session::new(&shared, connection).serve()
        });
        *shared.address.lock().unwrap() = Some(broker.address);
        Self { broker, shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.broker.address
    }

    /// Changes the rules, for the next exchanges.
    pub fn change(&self, change: impl FnOnce(&mut Rules)) {
        change(&mut self.shared.rules.lock().unwrap());
    }

    /// Everything that was seen, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// The users that have logged in, in order; `again`: only those that have done so again.
    pub fn logins(&self, again: bool) -> Vec<String> {
        let of = |seen: Seen| match seen {
            Seen::Login {
                user,
                again: is_again,
                ..
            } if is_again == again => Some(user),
            _ => None,
        };
        self.seen().into_iter().filter_map(of).collect()
    }

    /// The connections on which a login was refused.
    pub fn refused(&self) -> usize {
        self.seen()
            .iter()
            .filter(|seen| matches!(seen, Seen::Refused { .. }))
            .count()
    }

    /// Fails the test if a client has done what none may do.
    #[track_caller]
    pub fn expect_no_violation(&self) {
        let seen = self.seen();
        let found: Vec<_> = seen
            .iter()
            .filter(|seen| matches!(seen, Seen::Violation(_)))
            .collect();
        assert!(found.is_empty(), "{found:?}");
    }
}

/// Where the exchange on a connection stands.
enum Stage {
    /// A handshake may come.
    Nothing,
    /// Tokens come.
    Tokens,
    /// SCRAM has begun: hash, user, and what both sides have said.
    Scram {
        hash: ScramHash,
        user: String,
        said: String,
        password: String,
    },
    /// OAUTHBEARER was refused; the client gives up.
    GivingUp,
    /// There was one token more.
    Extra,
}

struct Session<'s> {
    shared: &'s Shared,
    connection: Connection,
    stage: Stage,
    user: Option<String>,
    /// The lifetime of the newest login ends.
    ends: Option<Instant>,
    began: Option<Instant>,
}

impl<'s> Session<'s> {
    fn new(shared: &'s Shared, connection: Connection) -> Self {
        Self {
            shared,
            connection,
            stage: Stage::Nothing,
            user: None,
            ends: None,
            began: None,
        }
    }

    fn see(&self, seen: Seen) {
        self.shared.seen.lock().unwrap().push(seen);
    }

    fn violation(&self, why: &str) {
        let why = format!("connection {}: {why}", self.connection.index);
        self.see(Seen::Violation(why));
    }

    fn rules(&self) -> Rules {
        self.shared.rules.lock().unwrap().clone()
    }

    fn serve(mut self) {
        while let Some(asked) = self.connection.request() {
            let goes_on = match asked.api_key {
                SASL_HANDSHAKE => self.handshake(&asked),
                SASL_AUTHENTICATE => self.token(&asked),
                key => self.other(&asked, key),
            };
            if !goes_on {
                return;
            }
        }
    }

    fn handshake(&mut self, asked: &Asked) -> bool {
        let rules = self.rules();
        if rules.trick == Trick::NoSasl {
            let answer = SaslHandshakeResponse::default().with_error_code(34);
            self.connection.answer(asked, &answer);
            return true;
        }
        if !matches!(self.stage, Stage::Nothing) {
            self.violation("a handshake within an exchange");
            return false;
        }
        if self
            .began
            .is_some_and(|began| began.elapsed() < Duration::from_secs(1))
        {
            self.violation("authenticated again within a second");
        }
        let request: SaslHandshakeRequest = body(asked);
        let mechanisms = vec![StrBytes::from_static_str(rules.mechanism)];
        let is_it = request.mechanism.as_str() == rules.mechanism;
        let answer = SaslHandshakeResponse::default()
            .with_error_code(if is_it { 0 } else { 33 })
            .with_mechanisms(mechanisms);
        self.connection.answer(asked, &answer);
        self.began = Some(Instant::now());
        self.stage = Stage::Tokens;
        is_it
    }

    fn token(&mut self, asked: &Asked) -> bool {
        let rules = self.rules();
        let request: SaslAuthenticateRequest = body(asked);
        let token = request.auth_bytes.to_vec();
        match rules.trick {
            Trick::Silent => return true,
            Trick::Close => return false,
            Trick::Huge => {
                let answer = SaslAuthenticateResponse::default().with_auth_bytes(vec![0; 1 << 20].into());
                self.connection.answer(asked, &answer);
                return true;
            }
            _ => {}
        }
        match std::mem::replace(&mut self.stage, Stage::Nothing) {
            Stage::Nothing => {
                self.violation("a token without a handshake");
                false
            }
            Stage::Tokens if rules.mechanism == "PLAIN" => self.plain(asked, &rules, &token),
            Stage::Tokens if rules.mechanism == "OAUTHBEARER" => self.bearer(asked, &rules, &token),
            Stage::Tokens => self.scram_first(asked, &rules, &token),
            Stage::Scram {
                hash,
                user,
                said,
                password,
            } => self.scram_last(asked, &rules, &token, (hash, &user, &said, &password)),
            Stage::GivingUp => {
                assert_eq!(token, b"\x01");
                self.refuse(asked)
            }
            Stage::Extra => self.refuse(asked),
        }
    }

    fn plain(&mut self, asked: &Asked, rules: &Rules, token: &[u8]) -> bool {
        let text = String::from_utf8(token.to_vec()).unwrap();
        let parts: Vec<&str> = text.split('\0').collect();
        let [_, user, password] = parts[..] else {
            panic!("{text:?}")
        };
        if rules.users.get(user).map(String::as_str) == Some(password) {
            self.accept(asked, rules, user, b"")
        } else {
            self.refuse(asked)
        }
    }

    fn bearer(&mut self, asked: &Asked, rules: &Rules, token: &[u8]) -> bool {
        let text = String::from_utf8(token.to_vec()).unwrap();
        let token = text.strip_prefix("n,,\x01auth=Bearer ").unwrap();
        let token = token.strip_suffix("\x01\x01").unwrap();
        if let Some(user) = rules.users.get(token) {
            return self.accept(asked, rules, user, b"");
        }
        self.stage = Stage::GivingUp;
        let answer =
            SaslAuthenticateResponse::default().with_auth_bytes(br#"{"status":"invalid_token"}"#[..].into());
        self.connection.answer(asked, &answer);
        true
    }

    fn scram_first(&mut self, asked: &Asked, rules: &Rules, token: &[u8]) -> bool {
        let hash = ScramHash::of_mechanism(rules.mechanism).unwrap();
        let first = String::from_utf8(token.to_vec()).unwrap();
        let bare = first.strip_prefix("n,,").unwrap();
        let (name, nonce) = bare.split_once(",r=").unwrap();
        let user = name.strip_prefix("n=").unwrap().to_owned();
        let Some(password) = rules.users.get(&user).cloned() else {
            return self.refuse(asked);
        };
        let iterations = if rules.trick == Trick::FewIterations {
            1
        } else {
            4096
        };
        let server = format!("r={nonce}server,s={},i={iterations}", BASE64.encode(b"salt"));
        let said = format!("{bare},{server}");
        self.stage = Stage::Scram {
            hash,
            user,
            said,
            password,
        };
        let answer = SaslAuthenticateResponse::default().with_auth_bytes(server.into_bytes().into());
        self.connection.answer(asked, &answer);
        true
    }

    fn scram_last(
        &mut self,
        asked: &Asked,
        rules: &Rules,
        token: &[u8],
        (hash, user, said, password): (ScramHash, &str, &str, &str),
    ) -> bool {
        let last = String::from_utf8(token.to_vec()).unwrap();
        let (without_proof, proof) = last.split_once(",p=").unwrap();
        let said = format!("{said},{without_proof}");
        let salted = hash.salted(password.as_bytes(), b"salt", NonZeroU32::new(4096).unwrap());
        let client_key = hash.hmac(&salted, b"Client Key");
        let signature = hash.hmac(&hash.digest(&client_key), said.as_bytes());
        let expected: Vec<u8> = client_key.iter().zip(&signature).map(|(a, b)| a ^ b).collect();
        if BASE64.decode(proof.as_bytes()).unwrap() != expected {
            return self.refuse(asked);
        }
        let mut shown = hash.hmac(&hash.hmac(&salted, b"Server Key"), said.as_bytes());
        if rules.trick == Trick::WrongSignature {
            shown[0] ^= 1;
        }
        let shown = format!("v={}", BASE64.encode(&shown));
        self.accept(asked, rules, user, shown.as_bytes())
    }

    fn accept(&mut self, asked: &Asked, rules: &Rules, user: &str, token: &[u8]) -> bool {
        if rules.trick == Trick::OneMore {
            self.stage = Stage::Extra;
            let answer = SaslAuthenticateResponse::default().with_auth_bytes(b"more"[..].into());
            self.connection.answer(asked, &answer);
            return true;
        }
        if self.user.as_deref().is_some_and(|before| before != user) {
            self.violation("authenticated again as another user");
            return false;
        }
        self.see(Seen::Login {
            connection: self.connection.index,
            user: user.to_owned(),
            again: self.user.is_some(),
        });
        self.user = Some(user.to_owned());
        let millis = i64::try_from(rules.lifetime.as_millis()).unwrap();
        self.ends = (millis > 0).then(|| Instant::now() + rules.lifetime);
        let answer = SaslAuthenticateResponse::default()
            .with_auth_bytes(token.to_vec().into())
            .with_session_lifetime_ms(if asked.api_version >= 1 { millis } else { 0 });
        self.connection.answer(asked, &answer);
        true
    }

    /// Refuses the login and closes, as a broker does.
    fn refuse(&mut self, asked: &Asked) -> bool {
        self.see(Seen::Refused {
            connection: self.connection.index,
        });
        let answer = SaslAuthenticateResponse::default()
            .with_error_code(58)
            .with_error_message(Some(StrBytes::from_static_str(
                "Authentication failed: invalid credentials",
            )));
        self.connection.answer(asked, &answer);
        false
    }

    fn other(&mut self, asked: &Asked, key: i16) -> bool {
        let is_within = !matches!(self.stage, Stage::Nothing);
        if self.rules().trick == Trick::NoSasl {
            // Everybody may ask everything.
        } else if key == API_VERSIONS && self.user.is_none() && !is_within {
            self.connection.answer(asked, &api_versions());
            return true;
        } else if is_within {
            self.violation(&format!("API {key} within an exchange"));
            return false;
        } else if self.user.is_none() {
            return false;
        } else if self.ends.is_some_and(|end| Instant::now() > end) {
            self.violation(&format!("API {key} after the lifetime of the login"));
            return false;
        }
        self.see(Seen::Request {
            connection: self.connection.index,
            api_key: key,
            correlation_id: asked.correlation_id,
        });
        match key {
            API_VERSIONS => self.connection.answer(asked, &api_versions()),
            METADATA => {
                let address = self.shared.address.lock().unwrap().unwrap();
                let answer = MetadataResponse::default().with_brokers(vec![cluster::broker(0, address)]);
                self.connection.answer(asked, &answer);
            }
            _ => self
                .connection
                .send(&frames::raw_response(asked.correlation_id, &0_i32.to_be_bytes())),
        }
        true
    }
}
