//! An issuer of tokens as OpenID Connect has them: discovery, keys, and a token endpoint with client credentials. Its keys
//! change, and it fails, when a test says so.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use data_encoding::BASE64;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use crate::certificates::Identity;
use crate::tokens::{SigningKey, key_set, now};

/// The client that [`Issuer::start`] knows, and its secret.
pub const CLIENT: &str = "billing";
pub const CLIENT_SECRET: &str = "billing-secret";

/// `aud` of the issuer's tokens.
pub const AUDIENCE: &str = "kafka";

/// An issuer on 127.0.0.1, until it is dropped.
pub struct Issuer {
    shared: Arc<Shared>,
    address: SocketAddr,
    scheme: &'static str,
}

struct Shared {
    keys: Mutex<Vec<SigningKey>>,
    clients: Mutex<Vec<(String, String)>>,
    lifetime: AtomicU64,
    health: Mutex<Health>,
    stopped: AtomicBool,
    jwks_requests: AtomicU64,
    token_requests: AtomicU64,
    tls: Option<Arc<ServerConfig>>,
    url: String,
}

/// How an issuer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// The right answer.
    Up,
    /// Status 503.
    Failing,
    /// Silence: connections stay open.
    Silent,
    /// A page that has no keys and no token.
    Garbled,
    /// An answer that does not end.
    Endless,
}

impl Issuer {
    /// An issuer over plain HTTP with one ES256 key, tokens of an hour, and [`CLIENT`].
    pub fn start() -> Self {
        Self::launch("ES256", None)
    }

    /// An issuer like [`Self::start`]'s with keys for another algorithm.
    pub fn with_algorithm(algorithm: &'static str) -> Self {
        Self::launch(algorithm, None)
    }

    /// An issuer like [`Self::start`]'s over HTTPS.
    pub fn with_tls(identity: &Identity) -> Self {
        let chain = CertificateDer::pem_slice_iter(identity.chain.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(kproxy::pki::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain.map(Result::unwrap).collect(), key)
            .unwrap();
        Self::launch("ES256", Some(Arc::new(config)))
    }

    fn launch(algorithm: &'static str, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shared = Arc::new(Shared {
            keys: Mutex::new(vec![SigningKey::generate(algorithm, "key-1")]),
            clients: Mutex::new(vec![(CLIENT.to_owned(), CLIENT_SECRET.to_owned())]),
            lifetime: AtomicU64::new(3600),
            health: Mutex::new(Health::Up),
            stopped: AtomicBool::new(false),
            jwks_requests: AtomicU64::new(0),
            token_requests: AtomicU64::new(0),
            tls,
            url: format!("{scheme}://{address}"),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if serving.stopped.load(Ordering::Acquire) {
                    break;
                }
                let serving = Arc::clone(&serving);
                std::thread::spawn(move || serving.connection(stream));
            }
        });
        Self {
            shared,
            address,
            scheme,
        }
    }

    /// `iss` of its tokens.
    pub fn url(&self) -> String {
        self.shared.url.clone()
    }

    /// Where its keys are.
    pub fn jwks_url(&self) -> String {
        format!("{}://{}/jwks", self.scheme, self.address)
    }

    /// Where a client gets tokens.
    pub fn token_url(&self) -> String {
        format!("{}://{}/token", self.scheme, self.address)
    }

    /// Its key set, as it gives it out.
    pub fn key_set(&self) -> Value {
        key_set(&*self.shared.keys.lock().unwrap())
    }

    /// Replaces its keys by a new one, as an issuer does whose key was stolen.
    pub fn rotate(&self) {
        let mut keys = self.shared.keys.lock().unwrap();
        let newest = keys.last().unwrap();
        let next = SigningKey::generate(newest.algorithm, &format!("key-{}", now_nanos()));
        *keys = vec![next];
    }

    /// Adds a key, which signs from now on; the others stay in the set.
    pub fn add_key(&self) {
        let mut keys = self.shared.keys.lock().unwrap();
        let algorithm = keys.last().unwrap().algorithm;
        keys.push(SigningKey::generate(algorithm, &format!("key-{}", now_nanos())));
    }

    /// Makes it fail, or work again.
    pub fn set_health(&self, health: Health) {
        *self.shared.health.lock().unwrap() = health;
    }

    /// Sets the life of the tokens that it gives out.
    pub fn set_lifetime(&self, lifetime: Duration) {
        self.shared.lifetime.store(lifetime.as_secs(), Ordering::Release);
    }

    /// Adds a client that may get tokens.
    pub fn add_client(&self, id: &str, secret: &str) {
        let client = (id.to_owned(), secret.to_owned());
        self.shared.clients.lock().unwrap().push(client);
    }

    /// A token for `subject`, as the token endpoint gives it out.
    pub fn token(&self, subject: &str) -> String {
        self.shared.token(subject, "kafka")
    }

    /// A token with the usual claims for `subject`, and these in place of them or besides; `null` leaves one out.
    pub fn token_with(&self, subject: &str, claims: &Value) -> String {
        let mut all = self.shared.claims(subject, "kafka");
        for (name, value) in claims.as_object().unwrap() {
            match value {
                Value::Null => drop(all.as_object_mut().unwrap().remove(name)),
                value => all[name] = value.clone(),
            }
        }
        self.shared.keys.lock().unwrap().last().unwrap().token(&all)
    }

    /// How often the keys were asked for.
    pub fn jwks_requests(&self) -> u64 {
        self.shared.jwks_requests.load(Ordering::Acquire)
    }

    /// How often a token was asked for.
    pub fn token_requests(&self) -> u64 {
        self.shared.token_requests.load(Ordering::Acquire)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn connection(&self, stream: TcpStream) {
        // Ends a thread whose peer has gone away without a word.
        drop(stream.set_read_timeout(Some(Duration::from_secs(60))));
        drop(stream.set_write_timeout(Some(Duration::from_secs(60))));
        match &self.tls {
            None => self.serve(stream),
            Some(config) => {
                let tls = ServerConnection::new(Arc::clone(config)).unwrap();
                let mut stream = StreamOwned::new(tls, stream);
                self.serve(&mut stream);
                stream.conn.send_close_notify();
                drop(stream.flush());
            }
        }
    }

    /// Answers one request, if it is whole.
    fn serve(&self, stream: impl Read + Write) {
        let mut stream = BufReader::new(stream);
        let Some(request) = read_request(&mut stream) else {
            return;
        };
        match request.path() {
            "/jwks" => self.jwks_requests.fetch_add(1, Ordering::AcqRel),
            "/token" => self.token_requests.fetch_add(1, Ordering::AcqRel),
            _ => 0,
        };
        let health = *self.health.lock().unwrap();
        let (status, body) = match health {
            Health::Up => self.answer(&request),
            Health::Failing => (503, "no".to_owned()),
            Health::Garbled => (200, "<html>sign in</html>".to_owned()),
            Health::Silent => {
                while *self.health.lock().unwrap() == Health::Silent && !self.stopped.load(Ordering::Acquire)
                {
                    std::thread::sleep(Duration::from_millis(20));
                }
                return;
            }
            Health::Endless => {
                let stream = stream.get_mut();
                let begin = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"keys\":[";
                let mut sent = stream.write_all(begin);
                while sent.is_ok() && !self.stopped.load(Ordering::Acquire) {
                    sent = stream.write_all(&[b' '; 4096]);
                }
                return;
            }
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        drop(stream.get_mut().write_all((head + &body).as_bytes()));
        drop(stream.get_mut().flush());
    }

    fn answer(&self, request: &HttpRequest) -> (u16, String) {
        match request.path() {
            "/jwks" => (200, key_set(&*self.keys.lock().unwrap()).to_string()),
            "/.well-known/openid-configuration" => {
                let url = &self.url;
                let discovery = json!({
                    "issuer": url,
                    "jwks_uri": format!("{url}/jwks"),
                    "token_endpoint": format!("{url}/token"),
                    "grant_types_supported": ["client_credentials"],
                });
                (200, discovery.to_string())
            }
            "/token" => self.grant(request),
            _ => (404, "{}".to_owned()),
        }
    }

    /// Client credentials (RFC 6749 §4.4), in the header or in the form.
    fn grant(&self, request: &HttpRequest) -> (u16, String) {
        let form = |name: &str| {
            let mut pairs = request.body.split('&').filter_map(|pair| pair.split_once('='));
            let found = pairs.find(|(key, _)| *key == name);
            found.map(|(_, value)| unescape(value))
        };
        if form("grant_type").as_deref() != Some("client_credentials") {
            return (400, json!({"error": "unsupported_grant_type"}).to_string());
        }
        let client = request
            .basic
            .clone()
            .or_else(|| Some((form("client_id")?, form("client_secret")?)));
        let Some((id, secret)) = client else {
            return (401, json!({"error": "invalid_client"}).to_string());
        };
        if !self.clients.lock().unwrap().contains(&(id.clone(), secret)) {
            return (401, json!({"error": "invalid_client"}).to_string());
        }
        let scope = form("scope").unwrap_or_else(|| "kafka".to_owned());
        let answer = json!({
            "access_token": self.token(&id, &scope),
            "token_type": "Bearer",
            "expires_in": self.lifetime.load(Ordering::Acquire),
            "scope": scope,
        });
        (200, answer.to_string())
    }

    fn claims(&self, subject: &str, scope: &str) -> Value {
        let now = now();
        json!({
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": subject,
            "scope": scope,
            "iat": now,
            "nbf": now,
            "exp": now + self.lifetime.load(Ordering::Acquire),
            "jti": now_nanos().to_string(),
        })
    }

    fn token(&self, subject: &str, scope: &str) -> String {
        let claims = self.claims(subject, scope);
        self.keys.lock().unwrap().last().unwrap().token(&claims)
    }
}

struct HttpRequest {
    target: String,
    basic: Option<(String, String)>,
    body: String,
}

impl HttpRequest {
    fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }
}

fn read_request(stream: &mut impl std::io::BufRead) -> Option<HttpRequest> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let target = line.split(' ').nth(1)?.to_owned();
    let (mut length, mut basic) = (0, None);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        match (name.to_ascii_lowercase().as_str(), value.trim()) {
            ("content-length", value) => length = value.parse().ok()?,
            ("authorization", value) => basic = credentials(value),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    Some(HttpRequest { target, basic, body })
}

/// Id and secret in a header of HTTP Basic, which are escaped (RFC 6749 §2.3.1).
fn credentials(value: &str) -> Option<(String, String)> {
    let decoded = BASE64.decode(value.strip_prefix("Basic ")?.as_bytes()).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((unescape(id), unescape(secret)))
}

/// Decodes `application/x-www-form-urlencoded`.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().unwrap_or(b'0'), rest.next().unwrap_or(b'0')];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap_or("0"), 16).unwrap_or(b'?')
            }
            other => other,
        };
        bytes.push(byte);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn now_nanos() -> u128 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_nanos()
}
