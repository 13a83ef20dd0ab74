//! The exchange itself, over whatever carries a request to the broker and its answer back.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use data_encoding::BASE64URL_NOPAD;

use super::{LoggedIn, LoginAs, LoginContext, LoginError, unix_now};
use crate::sasl::client::{ClientExchange, ClientStep, ExchangeSeed, LoginSecret, ScramChallenge, ScramKeys};
use crate::session::probe::{self, ProbeError};
use crate::session::transport::Stream;
use crate::wire::api::{self, ApiKey};
use crate::wire::frame::SIZE_LEN;
use crate::wire::{api_versions, header, login};

/// Largest accepted answer within a login, in bytes. ApiVersions, the largest of them, has less than 4 KiB.
const MAX_ANSWER: u32 = 256 << 10;

/// Number of tokens that a client sends at most: SCRAM sends two, OAUTHBEARER two if it is refused.
const MAX_ROUNDS: usize = 4;

/// Longest part of a broker's message that is shown, in characters.
const MAX_MESSAGE: usize = 300;

/// Number of users whose keys are kept.
const MAX_KEYS: usize = 4096;

/// Error codes of Kafka.
const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
const UNSUPPORTED_VERSION: i16 = 35;

/// Way of a request to the broker, and of its answer back.
pub trait LoginLink: Send {
    /// Sends a whole frame and returns its answer without the size prefix. The answer carries the correlation id of the
    /// request.
    ///
    /// # Errors
    /// Why there is no answer.
    fn ask(
        &mut self,
        request: Vec<u8>,
        correlation_id: i32,
    ) -> impl Future<Output = Result<Vec<u8>, ProbeError>> + Send;
}

impl LoginLink for Stream {
    async fn ask(&mut self, request: Vec<u8>, correlation_id: i32) -> Result<Vec<u8>, ProbeError> {
        probe::ask(self, &request, correlation_id, MAX_ANSWER).await
    }
}

/// Keys of SCRAM by user, salt and number of iterations, so that only the first login of each costs milliseconds.
#[derive(Debug, Default)]
pub(super) struct ScramKeyCache(Mutex<HashMap<KeyOrigin, ScramKeys>>);

/// What keys are derived from, apart from the password.
type KeyOrigin = (String, Vec<u8>, NonZeroU32);

impl ScramKeyCache {
    fn get(&self, origin: &KeyOrigin) -> Option<ScramKeys> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.get(origin).cloned()
    }

    fn keep(&self, origin: KeyOrigin, derived: ScramKeys) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MAX_KEYS {
            keys.clear();
        }
        keys.insert(origin, derived);
    }
}

/// One login over one link.
struct LoginExchange<'l, L> {
    context: &'l LoginContext,
    link: &'l mut L,
    correlation_id: i32,
}

impl LoginContext {
    /// Authenticates a connection to the broker that advertises itself as `host`. `first_id` is the first correlation id
    /// that is used. `None`: there are no credentials for such a connection, and nothing was sent.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn log_in(
        &self,
        link: &mut impl LoginLink,
        login_as: LoginAs<'_>,
        host: &str,
        first_id: i32,
    ) -> Result<Option<LoggedIn>, LoginError> {
        let Some(secret) = self.secret(login_as, host).await? else {
            return Ok(None);
        };
        let mut login = LoginExchange {
            context: self,
            link,
            correlation_id: first_id,
        };
        let done = login.perform(&secret, host).await;
        if matches!(done, Err(LoginError::Broken(_))) {
            // Perhaps because the brokers are older than they were.
            self.version.store(-1, Ordering::Relaxed);
        }
        done.map(Some)
    }

    /// Notes what the answer to ApiVersions in `version`, without its size prefix, says about the versions of
    /// SaslAuthenticate.
    fn note_versions(&self, version: i16, answer: &[u8]) {
        let body = answer.get(4..).unwrap_or_default();
        // A version that the broker does not know is answered in the layout of version 0.
        let version = match header::error_code_at_start(body) {
            Some(UNSUPPORTED_VERSION) => 0,
            _ => version,
        };
        if let Some((_, newest)) = api_versions::version_range(body, version, ApiKey::SASL_AUTHENTICATE) {
            self.note_version(newest);
        }
    }

    /// Notes the newest version of SaslAuthenticate that the brokers know.
    pub fn note_version(&self, newest: i16) {
        let ours = login::AUTHENTICATE_VERSIONS;
        self.version
            .store(newest.clamp(*ours.start(), *ours.end()), Ordering::Relaxed);
    }
}

/// Sends an ApiVersions request, a whole frame of a client, and returns its answer without the size prefix. `context` takes
/// in what the answer says of SASL.
///
/// # Errors
/// [`LoginError::Broken`].
pub(in crate::session::upstream) async fn ask_first(
    link: &mut impl LoginLink,
    request: &[u8],
    context: Option<&LoginContext>,
) -> Result<Vec<u8>, LoginError> {
    let content = request.get(SIZE_LEN..).unwrap_or_default();
    let head = header::request_head(content).ok_or_else(|| {
        let why = "the first request has no header".to_owned();
        LoginError::Broken(ProbeError::Unusable(why))
    })?;
    let answer = link.ask(request.to_vec(), head.correlation_id).await;
    let answer = answer.map_err(LoginError::Broken)?;
    if let Some(context) = context {
        context.note_versions(head.api_version, &answer);
    }
    Ok(answer)
}

impl<L: LoginLink> LoginExchange<'_, L> {
    async fn perform(&mut self, secret: &LoginSecret, host: &str) -> Result<LoggedIn, LoginError> {
        let version = match self.context.version() {
            Some(version) => version,
            None => self.ask_version().await?,
        };
        self.handshake(secret.mechanism()).await?;
        let nonce = nonce()?;
        let seed = ExchangeSeed {
            nonce: &nonce,
            host,
            now: unix_now(),
        };
        let (mut exchange, mut token) = ClientExchange::begin(secret, seed);
        let mut derived = None;
        for _ in 0..MAX_ROUNDS {
            let (answer, lifetime_ms) = self.authenticate(version, &token, &exchange).await?;
            match exchange.answered(&answer).map_err(LoginError::Refused)? {
                ClientStep::Send(next) => token = next,
                ClientStep::Derive(challenge) => {
                    let (origin, keys) = self.keys(secret, &challenge).await?;
                    token = exchange.proven(&challenge, &keys);
                    derived = Some((origin, keys));
                }
                ClientStep::Done => {
                    if let Some((origin, keys)) = derived {
                        self.context.scram_keys.keep(origin, keys);
                    }
                    return Ok(LoggedIn {
                        at: Instant::now(),
                        lifetime: u64::try_from(lifetime_ms)
                            .ok()
                            .filter(|millis| *millis > 0)
                            .map(Duration::from_millis),
                    });
                }
            }
        }
        Err(LoginError::Refused(
            "the broker asks for more than the mechanism has".to_owned(),
        ))
    }

    /// Asks which versions of SaslAuthenticate the broker knows. A broker answers that once before SASL.
    async fn ask_version(&mut self) -> Result<i16, LoginError> {
        let id = self.next_id();
        let mut request = Vec::new();
        crate::wire::probe::api_versions_request(id, &mut request);
        let answer = self.link.ask(request, id).await.map_err(LoginError::Broken)?;
        self.context.note_versions(0, &answer);
        self.context.version().ok_or_else(|| {
            LoginError::Refused(
                "the broker does not offer SaslAuthenticate (Kafka 1.0 and later do)".to_owned(),
            )
        })
    }

    async fn handshake(&mut self, mechanism: &str) -> Result<(), LoginError> {
        let id = self.next_id();
        let mut request = Vec::new();
        login::handshake_request(mechanism, id, &mut request);
        let answer = self.link.ask(request, id).await.map_err(LoginError::Broken)?;
        let body = body(&answer, ApiKey::SASL_HANDSHAKE, login::HANDSHAKE_VERSION)?;
        let read = login::read_handshake(body).map_err(|bad| LoginError::Broken(bad.into()))?;
        match read.error {
            0 => Ok(()),
            UNSUPPORTED_SASL_MECHANISM => {
                let offered: Vec<String> = read.mechanisms.iter().map(|name| shown(name)).collect();
                let offered = offered.join(", ");
                let why = format!("the broker does not accept {mechanism}, but {offered}");
                Err(LoginError::Refused(why))
            }
            login::ILLEGAL_SASL_STATE => Err(LoginError::Refused(
                "the broker's listener has no SASL (error 34)".to_owned(),
            )),
            error => Err(LoginError::Refused(format!(
                "the broker refuses the handshake for {mechanism} (error {error})"
            ))),
        }
    }

    /// Sends a token. Returns the broker's, and the lifetime that it names.
    async fn authenticate(
        &mut self,
        version: i16,
        token: &[u8],
        exchange: &ClientExchange,
    ) -> Result<(Vec<u8>, i64), LoginError> {
        let id = self.next_id();
        let mut request = Vec::new();
        login::authenticate_request(version, token, id, &mut request);
        let answer = self.link.ask(request, id).await.map_err(LoginError::Broken)?;
        let body = body(&answer, ApiKey::SASL_AUTHENTICATE, version)?;
        let read = login::read_authenticate(version, body).map_err(|bad| LoginError::Broken(bad.into()))?;
        if read.error == 0 {
            return Ok((read.token.to_vec(), read.lifetime_ms));
        }
        let message = shown(read.message);
        let reason = exchange
            .reason()
            .map(|reason| format!("{}, ", shown(reason.as_bytes())));
        Err(LoginError::Refused(format!(
            "the broker refuses the credentials: {}{message} (error {})",
            reason.unwrap_or_default(),
            read.error
        )))
    }

    /// The keys for a challenge: known ones, or new ones, which another thread derives.
    async fn keys(
        &self,
        secret: &LoginSecret,
        challenge: &ScramChallenge,
    ) -> Result<(KeyOrigin, ScramKeys), LoginError> {
        let LoginSecret::Scram {
            hash,
            username,
            password,
        } = secret
        else {
            return Err(LoginError::Refused("the broker speaks SCRAM".to_owned()));
        };
        let origin = (username.clone(), challenge.salt.clone(), challenge.iterations);
        if let Some(keys) = self.context.scram_keys.get(&origin) {
            return Ok((origin, keys));
        }
        let (hash, password) = (*hash, password.clone());
        let (salt, iterations) = (challenge.salt.clone(), challenge.iterations);
        let derive = move || ScramKeys::derive(hash, password.reveal(), &salt, iterations);
        match tokio::task::spawn_blocking(derive).await {
            Ok(keys) => Ok((origin, keys)),
            Err(error) => Err(LoginError::Broken(ProbeError::Io(error.to_string()))),
        }
    }

    fn next_id(&mut self) -> i32 {
        let id = self.correlation_id;
        self.correlation_id += 1;
        id
    }
}

/// The body of an answer.
fn body(answer: &[u8], key: i16, version: i16) -> Result<&[u8], LoginError> {
    let start = api::api(key).and_then(|api| header::response_body(answer, api, version).ok()?);
    let body = start.and_then(|start| answer.get(start..));
    body.ok_or_else(|| {
        let why = "an answer that ends within its header".to_owned();
        LoginError::Broken(ProbeError::Unusable(why))
    })
}

/// A broker's text, short enough for a line and harmless for a terminal.
fn shown(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let text = text.chars().take(MAX_MESSAGE);
    text.map(|found| if found.is_control() { '\u{fffd}' } else { found })
        .collect()
}

/// A text that nobody can guess.
fn nonce() -> Result<String, LoginError> {
    let mut bytes = [0; 18];
    let filled = rand::fill(&mut bytes);
    filled.map_err(|_| LoginError::NoCredentials("this machine has no random numbers".to_owned()))?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}
