//! HTTP requests that kproxy makes to others: one `POST` on a connection of its own, over HTTP/1.1, with TLS and the roots
//! of the platform for `https`.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap, HeaderValue, USER_AGENT};
use hyper::http::Uri;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::model::{HostPort, UpstreamTls, UpstreamTrust};
use crate::pki::Negotiation;
use crate::resolver;
use crate::tls::{TlsError, UpstreamContext};

/// Time limit of the connection to one address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

const AGENT: &str = concat!("kproxy/", env!("CARGO_PKG_VERSION"));

/// Address that requests are posted to.
pub struct PostTarget {
    uri: Uri,
    server: HostPort,
    /// Scheme and address, for the log: the rest of the URL may be a secret.
    name: String,
    /// Made for the first request with TLS.
    tls: Option<UpstreamContext>,
}

impl PostTarget {
    /// The target at `url`, whose scheme is `http` or `https`.
    pub fn new(url: &str) -> Self {
        // Those of a configuration have been checked.
        let uri: Uri = url.parse().unwrap_or_default();
        let is_secure = uri.scheme_str() == Some("https");
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let server = HostPort { host, port };
        Self {
            name: format!("{}://{server}", if is_secure { "https" } else { "http" }),
            uri,
            server,
            tls: None,
        }
    }

    /// Returns scheme and address, without the rest of the URL.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Posts `body` and returns the status of the answer, whose body is not read. Takes as long as the other end likes:
    /// callers limit the time.
    ///
    /// # Errors
    /// What failed, in words: name, connection, TLS, or HTTP.
    pub async fn post(&mut self, headers: &HeaderMap, body: Vec<u8>) -> Result<StatusCode, String> {
        let request = self.request(headers, body)?;
        let socket = self.connect().await.map_err(|error| error.to_string())?;
        if self.uri.scheme_str() != Some("https") {
            return exchange(socket, request).await;
        }
        let (config, name) = self.tls().map_err(|error| error.to_string())?;
        let secured = TlsConnector::from(config).connect(name, socket).await;
        exchange(secured.map_err(|error| error.to_string())?, request).await
    }

    fn request(&self, headers: &HeaderMap, body: Vec<u8>) -> Result<Request<PostBody>, String> {
        let target = self.uri.path_and_query().map_or("/", |target| target.as_str());
        let host = self.uri.authority().map_or("", |authority| authority.as_str());
        let host = HeaderValue::try_from(host).map_err(|error| error.to_string())?;
        let request = Request::post(target).body(PostBody::new(body));
        let mut request = request.map_err(|error| error.to_string())?;
        request.headers_mut().extend(headers.clone());
        request.headers_mut().insert(HOST, host);
        request
            .headers_mut()
            .insert(USER_AGENT, HeaderValue::from_static(AGENT));
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
                    failed = io::Error::new(io::ErrorKind::TimedOut, format!("no answer from {address}"));
                }
            }
        }
        Err(failed)
    }

    /// Settings for TLS with the roots of the platform, and the name that the certificate must have.
    fn tls(&mut self) -> Result<(Arc<ClientConfig>, ServerName<'static>), TlsError> {
        let context = match self.tls.take() {
            Some(context) => context,
            None => UpstreamContext::new(&UpstreamTls {
                trust: UpstreamTrust::Platform,
                identity: None,
                server_name: None,
                revoked: None,
                negotiation: Negotiation::default(),
            })?,
        };
        let settings = context.towards(&self.server);
        self.tls = Some(context);
        settings
    }
}

/// A body that is sent at once.
struct PostBody(Option<Bytes>);

impl PostBody {
    fn new(bytes: Vec<u8>) -> Self {
        Self(Some(bytes.into()).filter(|bytes: &Bytes| !bytes.is_empty()))
    }
}

impl Body for PostBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// Sends the request and returns the status of the answer, whose body is not read.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<PostBody>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_names_the_server_and_not_the_secret_behind_it() {
        let named = |url: &str| PostTarget::new(url).name().to_owned();
        assert_eq!(
            named("https://hooks.example.com/services/SECRET"),
            "https://hooks.example.com:443"
        );
        assert_eq!(named("http://[::1]:8080/?key=SECRET"), "http://[::1]:8080");
    }
}
