//! One request to a webhook, over HTTP/1.1, with TLS for `https`.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::http::Uri;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::model::{HostPort, UpstreamTls, UpstreamTrust, Webhook};
use crate::pki::Negotiation;
use crate::resolver;
use crate::tls::{TlsError, UpstreamContext};

/// Time limit of one attempt: name, connection, TLS, request and status.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time limit of the connection to one address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

const AGENT: &str = concat!("kproxy/", env!("CARGO_PKG_VERSION"));

/// Why a notification was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PostError {
    /// Another attempt may help.
    Passing(String),
    /// The server will not take it.
    Refused(String),
}

/// Sends notifications to one webhook.
pub(super) struct Poster {
    settings: Webhook,
    uri: Uri,
    server: HostPort,
    /// Scheme and address, for the log: the rest of the URL may be a secret.
    name: String,
    /// Made for the first request with TLS.
    tls: Option<UpstreamContext>,
}

impl Poster {
    pub(super) fn new(settings: Webhook) -> Self {
        // The configuration has been checked for it.
        let uri: Uri = settings.url.parse().unwrap_or_default();
        let is_secure = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let server = HostPort { host, port };
        Self {
            name: format!("{}://{server}", if is_secure { "https" } else { "http" }),
            settings,
            uri,
            server,
            tls: None,
        }
    }

    /// Scheme and address of the webhook.
    pub(super) fn server(&self) -> &str {
        &self.name
    }

    /// Makes one attempt, which takes a limited time.
    pub(super) async fn post(&mut self, body: &str) -> Result<(), PostError> {
        let attempt = tokio::time::timeout(ATTEMPT_TIMEOUT, self.attempt(body)).await;
        attempt.unwrap_or_else(|_| {
            Err(PostError::Passing(format!(
                "no answer within {ATTEMPT_TIMEOUT:?}"
            )))
        })
    }

    async fn attempt(&mut self, body: &str) -> Result<(), PostError> {
        let request = self.request(body)?;
        let socket = self
            .connect()
            .await
            .map_err(|error| PostError::Passing(error.to_string()))?;
        let status = if self.uri.scheme_str() == Some("https") {
            let (config, name) = self.tls()?;
            let secured = TlsConnector::from(config).connect(name, socket).await;
            exchange(
                secured.map_err(|error| PostError::Passing(error.to_string()))?,
                request,
            )
            .await
        } else {
            exchange(socket, request).await
        };
        judge(status.map_err(PostError::Passing)?)
    }

    fn request(&self, body: &str) -> Result<Request<String>, PostError> {
        let target = self.uri.path_and_query().map_or("/", |target| target.as_str());
        let host = self.uri.authority().map_or("", |authority| authority.as_str());
        let mut request = Request::post(target)
            .header(HOST, host)
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_owned())
            .map_err(|error| PostError::Refused(error.to_string()))?;
        if let Some(token) = &self.settings.token {
            let value = HeaderValue::try_from(format!("Bearer {}", token.reveal().trim()));
            let mut value = value.map_err(|_| {
                PostError::Refused(
                    "the content of `tokenFile` cannot be a token: it has control characters".into(),
                )
            })?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        Ok(request)
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let addresses = resolver::system().lookup(&self.server.host).await?;
        let mut failed = io::Error::from(io::ErrorKind::NotFound);
        for address in addresses.iter() {
            let address = SocketAddr::new(address.ip(), self.server.port);
            match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(socket)) => return Ok(socket),
                Ok(Err(error)) => failed = error,
                Err(_) => {
                    failed = io::Error::new(io::ErrorKind::TimedOut, format!("no answer from {address}"))
                }
            }
        }
        Err(failed)
    }

    /// Settings for TLS with the roots of the platform, and the name that the certificate must have.
    fn tls(&mut self) -> Result<(Arc<ClientConfig>, ServerName<'static>), PostError> {
        let passing = |error: TlsError| PostError::Passing(error.to_string());
        let context = match self.tls.take() {
            Some(context) => context,
            None => UpstreamContext::new(&UpstreamTls {
                trust: UpstreamTrust::Platform,
                identity: None,
                server_name: None,
                revoked: None,
                negotiation: Negotiation::default(),
            })
            .map_err(passing)?,
        };
        let settings = context.towards(&self.server).map_err(passing);
        self.tls = Some(context);
        settings
    }
}

/// Sends the request and returns the status of the answer, whose body is not read.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<String>,
) -> Result<StatusCode, String> {
    let words = |error: hyper::Error| error.to_string();
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut requests, connection) = handshake.map_err(words)?;
    let (mut answer, mut connection) = (pin!(requests.send_request(request)), pin!(connection));
    let answer = tokio::select! {
        biased;
        answer = &mut answer => answer,
        // The connection has ended; the answer is there or will never be.
        _ = &mut connection => answer.await,
    };
    Ok(answer.map_err(words)?.status())
}

fn judge(status: StatusCode) -> Result<(), PostError> {
    let said = format!("the server answers {status}");
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            Err(PostError::Passing(said))
        }
        status if status.is_server_error() => Err(PostError::Passing(said)),
        _ => Err(PostError::Refused(said)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_in_trouble_is_asked_again_and_one_that_refuses_is_not() {
        let judged = |status: u16| judge(StatusCode::from_u16(status).unwrap());
        assert_eq!([judged(200), judged(204)], [Ok(()), Ok(())]);
        for status in [408, 425, 429, 500, 502, 503] {
            assert!(matches!(judged(status), Err(PostError::Passing(_))), "{status}");
        }
        for status in [301, 307, 400, 401, 404] {
            assert!(matches!(judged(status), Err(PostError::Refused(_))), "{status}");
        }
    }

    #[test]
    fn the_log_names_the_server_and_not_the_secret_behind_it() {
        let named = |url: &str| {
            let settings = Webhook {
                url: url.into(),
                events: Vec::new(),
                token: None,
            };
            Poster::new(settings).server().to_owned()
        };
        assert_eq!(
            named("https://hooks.example.com/services/SECRET"),
            "https://hooks.example.com:443"
        );
        assert_eq!(named("http://[::1]:8080/?key=SECRET"), "http://[::1]:8080");
    }
}
