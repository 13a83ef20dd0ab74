//! Keys of AWS that surround the process: its environment, the endpoint of its container (ECS, EKS pod identity), or that
//! of its EC2 instance (IMDSv2), in this order.

use std::io::Read as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use tokio::sync::Semaphore;

use super::LoginError;
use crate::config::Secret;
use crate::http_client::HttpTarget;
use crate::sasl::client::AwsCredential;
use crate::time::parse_rfc3339;

/// Time limit for all requests of one look.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for which keys, or a failure, are believed without another look.
const BELIEVED: Duration = Duration::from_secs(60);
const FAILURE_BELIEVED: Duration = Duration::from_secs(2);

/// Time before the end of temporary keys at which they are renewed.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// Largest accepted answer, in bytes.
const MAX_ANSWER: usize = 64 << 10;

/// The keys, as they were last found.
#[derive(Debug)]
pub(super) struct AmbientKeys {
    /// Permit to look.
    turn: Semaphore,
    found: Mutex<Option<(Instant, Result<AwsCredential, LoginError>)>>,
}

impl Default for AmbientKeys {
    fn default() -> Self {
        Self {
            turn: Semaphore::new(1),
            found: Mutex::default(),
        }
    }
}

impl AmbientKeys {
    /// The keys.
    ///
    /// # Errors
    /// [`LoginError::NoCredentials`] if there are none.
    pub(super) async fn get(&self) -> Result<AwsCredential, LoginError> {
        if let Some(known) = self.known() {
            return known;
        }
        let _turn = self.turn.acquire().await;
        if let Some(known) = self.known() {
            return known;
        }
        let looked = tokio::time::timeout(FETCH_TIMEOUT, look()).await;
        let looked = looked.unwrap_or_else(|_| Err(format!("no answer within {FETCH_TIMEOUT:?}")));
        let (until, result) = match looked {
            Ok((credential, until)) => (until, Ok(credential)),
            Err(why) => {
                let why = format!("no keys of AWS were found: {why}");
                (
                    Instant::now() + FAILURE_BELIEVED,
                    Err(LoginError::NoCredentials(why)),
                )
            }
        };
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        *found = Some((until, result.clone()));
        result
    }

    fn known(&self) -> Option<Result<AwsCredential, LoginError>> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let (until, result) = found.as_ref()?;
        (Instant::now() < *until).then(|| result.clone())
    }
}

/// Keys, and until when they are believed.
type FoundKeys = (AwsCredential, Instant);

async fn look() -> Result<FoundKeys, String> {
    if let Some(credential) = of_environment(&variable) {
        return Ok((credential, Instant::now() + BELIEVED));
    }
    if let Some(url) = container_url(&variable) {
        return of_container(&url).await;
    }
    of_instance().await
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn of_environment(variable: &dyn Fn(&str) -> Option<String>) -> Option<AwsCredential> {
    Some(AwsCredential {
        access_key_id: variable("AWS_ACCESS_KEY_ID")?,
        secret_access_key: Secret::new(variable("AWS_SECRET_ACCESS_KEY")?),
        session_token: variable("AWS_SESSION_TOKEN").map(Secret::new),
    })
}

fn container_url(variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    let relative = relative.map(|path| format!("http://169.254.170.2{path}"));
    relative.or_else(|| variable("AWS_CONTAINER_CREDENTIALS_FULL_URI"))
}

async fn of_container(url: &str) -> Result<FoundKeys, String> {
    let mut headers = HeaderMap::new();
    if let Some(token) = container_token().await? {
        let mut token = HeaderValue::try_from(token.trim()).map_err(|error| error.to_string())?;
        token.set_sensitive(true);
        headers.insert(AUTHORIZATION, token);
    }
    let answer = get(url, &headers).await?;
    read_keys(&answer)
}

/// The token for the endpoint of the container, from its file or from the environment.
async fn container_token() -> Result<Option<String>, String> {
    match variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(file) => {
            let path = file.clone();
            let read = tokio::task::spawn_blocking(move || read_text(&path)).await;
            let read = read.map_err(|error| error.to_string())?;
            read.map(Some).map_err(|error| format!("{file}: {error}"))
        }
        None => Ok(variable("AWS_CONTAINER_AUTHORIZATION_TOKEN")),
    }
}

/// The text of a small file.
fn read_text(path: &str) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(MAX_ANSWER as u64)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// Keys of the role of the EC2 instance, by IMDSv2.
async fn of_instance() -> Result<FoundKeys, String> {
    const TOKEN: &str = "/latest/api/token";
    const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
    if variable("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Err("the environment has none, and AWS_EC2_METADATA_DISABLED is set".to_owned());
    }
    let base = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    let base = base.unwrap_or_else(|| "http://169.254.169.254".to_owned());
    let base = base.trim_end_matches('/');
    let mut headers = HeaderMap::new();
    let lifetime = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
    headers.insert(lifetime, HeaderValue::from_static("300"));
    let mut target = HttpTarget::new(&format!("{base}{TOKEN}"));
    let given = target.ask(Method::PUT, &headers, Vec::new(), MAX_ANSWER).await?;
    if given.status != StatusCode::OK {
        let status = given.status.as_u16();
        return Err(format!("the metadata of the instance answers {status}"));
    }
    let mut token = HeaderValue::from_bytes(&given.body).map_err(|error| error.to_string())?;
    token.set_sensitive(true);
    let mut headers = HeaderMap::new();
    headers.insert(HeaderName::from_static("x-aws-ec2-metadata-token"), token);
    let roles = get(&format!("{base}{ROLES}"), &headers).await?;
    let roles = String::from_utf8_lossy(&roles);
    let role = roles.lines().next().unwrap_or_default();
    if role.is_empty() {
        return Err("the instance has no role".to_owned());
    }
    let answer = get(&format!("{base}{ROLES}{role}"), &headers).await?;
    read_keys(&answer)
}

async fn get(url: &str, headers: &HeaderMap) -> Result<Vec<u8>, String> {
    let mut target = HttpTarget::new(url);
    let answer = target.ask(Method::GET, headers, Vec::new(), MAX_ANSWER).await?;
    match answer.status {
        StatusCode::OK => Ok(answer.body),
        status => Err(format!("{} answers {}", target.name(), status.as_u16())),
    }
}

/// Reads keys as containers and instances are given them.
fn read_keys(answer: &[u8]) -> Result<FoundKeys, String> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct GivenKeys {
        access_key_id: String,
        secret_access_key: String,
        token: Option<String>,
        expiration: Option<String>,
    }
    let given: GivenKeys =
        serde_json::from_slice(answer).map_err(|_| "the answer has no complete key".to_owned())?;
    let end = given.expiration.as_deref().and_then(parse_expiration);
    let left = end.and_then(|end| end.duration_since(SystemTime::now()).ok());
    let believed = left.map_or(BELIEVED, |left| {
        left.saturating_sub(RENEW_BEFORE).max(BELIEVED.min(left))
    });
    let credential = AwsCredential {
        access_key_id: given.access_key_id,
        secret_access_key: Secret::new(given.secret_access_key),
        session_token: given.token.map(Secret::new),
    };
    Ok((credential, Instant::now() + believed))
}

/// Reads a point in time, which AWS writes without a fraction of a second.
fn parse_expiration(text: &str) -> Option<SystemTime> {
    parse_rfc3339(text).or_else(|| parse_rfc3339(&format!("{}.000Z", text.strip_suffix('Z')?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_where_the_keys_are() {
        let of = |set: &'static [(&'static str, &'static str)]| {
            move |name: &str| {
                let found = set.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            }
        };
        let keys = of(&[("AWS_ACCESS_KEY_ID", "A"), ("AWS_SECRET_ACCESS_KEY", "s")]);
        assert_eq!(of_environment(&keys).unwrap().access_key_id, "A");
        assert!(of_environment(&of(&[("AWS_ACCESS_KEY_ID", "A")])).is_none());
        let ecs = of(&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x")]);
        assert_eq!(container_url(&ecs).unwrap(), "http://169.254.170.2/v2/x");
        let eks = of(&[(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            "http://169.254.170.23/v1/credentials",
        )]);
        assert_eq!(
            container_url(&eks).unwrap(),
            "http://169.254.170.23/v1/credentials"
        );
    }

    #[test]
    fn keys_are_read_with_their_end() {
        let answer = br#"{"AccessKeyId":"A","SecretAccessKey":"s","Token":"t","Expiration":"2999-01-01T00:00:00Z","Code":"Success"}"#;
        let (credential, until) = read_keys(answer).unwrap();
        assert_eq!(credential.session_token, Some(Secret::new("t")));
        assert!(until > Instant::now() + Duration::from_secs(3600));
        let gone = br#"{"AccessKeyId":"A","SecretAccessKey":"s","Expiration":"2001-01-01T00:00:00Z"}"#;
        let (_, until) = read_keys(gone).unwrap();
        assert!(until <= Instant::now() + BELIEVED);
        assert!(read_keys(b"{}").is_err());
    }
}
