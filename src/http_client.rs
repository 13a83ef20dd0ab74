//! HTTP requests that kproxy makes to others: each on a connection of its own, over HTTP/1.1, with TLS for `https`.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap, HeaderValue, USER_AGENT};
use hyper::http::Uri;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::model::{HostPort, UpstreamTls, UpstreamTrust};
use crate::pki::Negotiation;
use crate::resolver;
use crate::tls::UpstreamContext;

/// Time limit of the connection to one address.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

const AGENT: &str = concat!("kproxy/", env!("CARGO_PKG_VERSION"));

/// Address that requests are sent to.
pub struct HttpTarget {
    uri: Uri,
    server: HostPort,
    /// Scheme and address, for the log: the rest of the URL may be a secret.
    name: String,
    trust: UpstreamTls,
    /// Made for the first request with TLS.
    tls: Option<Arc<UpstreamContext>>,
}

/// An answer with its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedAnswer {
    /// Status of the answer.
    pub status: StatusCode,
    /// Its body.
    pub body: Vec<u8>,
}

impl HttpTarget {
    /// The target at `url`, whose scheme is `http` or `https`, with the roots of the platform for `https`.
    pub fn new(url: &str) -> Self {
        Self::with_tls(
            url,
            UpstreamTls {
                trust: UpstreamTrust::Platform,
                identity: None,
                server_name: None,
                revoked: None,
                negotiation: Negotiation::default(),
            },
        )
    }

    /// The target at `url`, whose scheme is `http` or `https`, with these rules for `https`.
    pub fn with_tls(url: &str, trust: UpstreamTls) -> Self {
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
            trust,
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
        let request = self.request(Method::POST, headers, body)?;
        Ok(self.send(request, None).await?.status)
    }

    /// Sends a request and returns the answer with a body of at most `most` bytes. Takes as long as the other end likes:
    /// callers limit the time.
    ///
    /// # Errors
    /// What failed, in words: name, connection, TLS, HTTP, or an answer that is too large.
    pub async fn ask(
        &mut self,
        method: Method,
        headers: &HeaderMap,
        body: Vec<u8>,
        most: usize,
    ) -> Result<FetchedAnswer, String> {
        let request = self.request(method, headers, body)?;
        self.send(request, Some(most)).await
    }

    async fn send(
        &mut self,
        request: Request<RequestBytes>,
        most: Option<usize>,
    ) -> Result<FetchedAnswer, String> {
        let socket = self.connect().await.map_err(|error| error.to_string())?;
        if self.uri.scheme_str() != Some("https") {
            return exchange(socket, request, most).await;
        }
        let (config, name) = self.tls().await?;
        let secured = TlsConnector::from(config).connect(name, socket).await;
        exchange(secured.map_err(|error| error.to_string())?, request, most).await
    }

    fn request(
        &self,
        method: Method,
        headers: &HeaderMap,
        body: Vec<u8>,
    ) -> Result<Request<RequestBytes>, String> {
        let target = self.uri.path_and_query().map_or("/", |target| target.as_str());
        let host = self.uri.authority().map_or("", |authority| authority.as_str());
        let host = HeaderValue::try_from(host).map_err(|error| error.to_string())?;
        let request = Request::builder().method(method).uri(target);
        let mut request = request
            .body(RequestBytes::new(body))
            .map_err(|error| error.to_string())?;
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

    /// Settings for TLS, and the name that the certificate must have. Trusted roots are read on another thread.
    async fn tls(&mut self) -> Result<(Arc<ClientConfig>, ServerName<'static>), String> {
        let context = match &self.tls {
            Some(context) => Arc::clone(context),
            None => {
                let trust = self.trust.clone();
                let built = tokio::task::spawn_blocking(move || UpstreamContext::new(&trust));
                let built = built.await.map_err(|error| error.to_string())?;
                let context = Arc::new(built.map_err(|error| error.to_string())?);
                self.tls = Some(Arc::clone(&context));
                context
            }
        };
        context.towards(&self.server).map_err(|error| error.to_string())
    }
}

/// A body that is sent at once.
struct RequestBytes(Option<Bytes>);

impl RequestBytes {
    fn new(bytes: Vec<u8>) -> Self {
        Self(Some(bytes.into()).filter(|bytes: &Bytes| !bytes.is_empty()))
    }
}

impl Body for RequestBytes {
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

/// Sends the request and returns the answer. Without `most` its body is not read.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<RequestBytes>,
    most: Option<usize>,
) -> Result<FetchedAnswer, String> {
    let words = |error: hyper::Error| error.to_string();
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut requests, connection) = handshake.map_err(words)?;
    let answer = async {
        let answer = requests.send_request(request).await.map_err(words)?;
        let status = answer.status();
        let body = match most {
            Some(most) => read_body(answer, most).await?,
            None => Vec::new(),
        };
        Ok(FetchedAnswer { status, body })
    };
    let (mut answer, mut connection) = (pin!(answer), pin!(connection));
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // The connection has ended; the answer is there or will never be.
        _ = &mut connection => answer.await,
    }
}

async fn read_body(answer: Response<Incoming>, most: usize) -> Result<Vec<u8>, String> {
    let mut body = answer.into_body();
    let mut read = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| error.to_string())?;
        let Some(data) = frame.data_ref() else { continue };
        if read.len() + data.len() > most {
            return Err(format!("the answer has more than {most} bytes"));
        }
        read.extend_from_slice(data);
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_names_the_server_and_not_the_secret_behind_it() {
        let named = |url: &str| HttpTarget::new(url).name().to_owned();
        assert_eq!(
            named("https://hooks.example.com/services/SECRET"),
            "https://hooks.example.com:443"
        );
        assert_eq!(named("http://[::1]:8080/?key=SECRET"), "http://[::1]:8080");
    }

    #[tokio::test]
    async fn an_answer_is_read_up_to_its_limit_and_no_further() {
        use testkit::oidc::{Health, Issuer};

        let issuer = Issuer::start();
        let (url, nothing) = (issuer.jwks_url(), HeaderMap::new());
        let ask = async |most| {
            let mut target = HttpTarget::new(&url);
            target.ask(Method::GET, &nothing, Vec::new(), most).await
        };
        let answer = ask(4096).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK);
        let keys: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(keys, issuer.key_set());
        assert_eq!(ask(9).await, Err("the answer has more than 9 bytes".into()));
        issuer.set_health(Health::Endless);
        assert_eq!(
            ask(65_536).await,
            Err("the answer has more than 65536 bytes".into())
        );
        issuer.set_health(Health::Failing);
        assert_eq!(ask(4096).await.unwrap().status, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn a_server_over_tls_has_to_be_trusted() {
        use crate::pki::TrustStore;
        use testkit::certificates::{Authority, Leaf};
        use testkit::oidc::Issuer;

        let authority = Authority::new("Issuers");
        let identity = authority.issue(&Leaf::server(&["localhost"]).on_loopback());
        let issuer = Issuer::with_tls(&identity);
        let ask = async |trust| {
            let rules = UpstreamTls {
                trust,
                identity: None,
                server_name: None,
                revoked: None,
                negotiation: Negotiation::default(),
            };
            let mut target = HttpTarget::with_tls(&issuer.jwks_url(), rules);
            target.ask(Method::GET, &HeaderMap::new(), Vec::new(), 4096).await
        };
        let of = |pem: &str| UpstreamTrust::Store(Arc::new(TrustStore::from_pem(pem.as_bytes()).unwrap()));
        let refused = ask(of(&Authority::new("Others").pem)).await.unwrap_err();
        assert!(refused.contains("certificate"), "{refused}");
        let answer = ask(of(&authority.pem)).await.unwrap();
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap(),
            issuer.key_set()
        );
    }
}
