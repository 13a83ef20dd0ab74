//! One connection of the walk: resolve, connect, PROXY header, TLS, ApiVersions, SASL.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::login::Login;
use super::messages::{self, Call, VersionRanges};
use super::steps::{StepAction, StepError, StepLog, StepSeen};
use super::tls::{ClientTls, ShownCertificate};
use crate::model::{ForwardProxy, HostPort, ProxyProtocolVersion};
use crate::resolver;
use crate::session::transport::Stream;
use crate::session::upstream::login::{LoginAs, LoginContext};
use crate::session::upstream::open_tunnel;
use crate::tls::Failure;
use crate::wire::api::ApiKey;
use crate::wire::frame::{self, MIN_RESPONSE, SIZE_LEN};
use crate::wire::{header, proxy_protocol};

/// Largest accepted answer in bytes: Metadata of ten thousand nodes, or the smallest Fetch with room.
const MAX_ANSWER: u32 = 2 << 20;

/// Number of correlation ids that a login uses at most.
const LOGIN_IDS: i32 = 16;

/// Number of addresses of a name that are tried.
const MAX_ADDRESSES: usize = 8;

/// How servers of one side are connected to.
#[derive(Debug, Clone, Default)]
pub struct LinkRoute {
    /// Forward proxy on the way, which resolves the names; `None` connects directly.
    pub via: Option<Arc<ForwardProxy>>,
    /// TLS; `None` is plaintext.
    pub tls: Option<ClientTls>,
    /// PROXY header in front of everything; `None` sends none.
    pub proxy_header: Option<ProxyProtocolVersion>,
    /// Credentials; `None` does not authenticate.
    pub login: Option<LinkLogin>,
}

/// Credentials of one side.
#[derive(Debug, Clone)]
pub enum LinkLogin {
    /// Credentials of a client, from the command line.
    Client(Login),
    /// Credentials of kproxy towards brokers, from the configuration.
    Proxy(Arc<LoginContext>),
}

/// A connection that has shown its versions and is authenticated, where there are credentials.
pub struct Link {
    stream: Stream,
    last_correlation_id: i32,
    /// Versions of the APIs.
    pub versions: VersionRanges,
}

impl LinkRoute {
    /// Opens a connection to the address of the log, each step of it recorded there. Returns `None` if a step failed.
    pub async fn open(&self, log: &mut StepLog) -> Option<Link> {
        let socket = match &self.via {
            Some(via) => connect_through(via, log).await?,
            None => connect_directly(log).await?,
        };
        let stream = self.secure(log, socket).await?;
        let mut link = Link {
            stream,
            last_correlation_id: 0,
            versions: VersionRanges::new(),
        };
        let versions = log.step(StepAction::ApiVersions, link.ask_versions(), |versions| {
            StepSeen::Versions(versions.clone())
        });
        link.versions = versions.await?;
        self.log_in(log, &mut link).await?;
        Some(link)
    }

    /// Sends the PROXY header, and performs the TLS handshake.
    async fn secure(&self, log: &mut StepLog, mut socket: TcpStream) -> Option<Stream> {
        let host = log.address.host.clone();
        let header = self
            .proxy_header
            .map(proxy_protocol::encode_local)
            .unwrap_or_default();
        let Some(tls) = &self.tls else {
            // It fits into the buffer of a new socket; a failure shows at the next step.
            drop(socket.write_all(&header).await);
            return Some(Stream::Plain(socket));
        };
        let work = async {
            socket.write_all(&header).await.map_err(|error| closed(&error))?;
            tls.secure(socket, &host).await
        };
        let seen = |(_, shown): &(Stream, ShownCertificate)| StepSeen::Secured(Box::new(shown.clone()));
        log.step(StepAction::Tls, work, seen)
            .await
            .map(|(stream, _)| stream)
    }

    async fn log_in(&self, log: &mut StepLog, link: &mut Link) -> Option<()> {
        let Some(login) = &self.login else {
            return Some(());
        };
        let mechanism = match login {
            LinkLogin::Client(login) => login.mechanism.name(),
            LinkLogin::Proxy(context) => context.model().mechanism.name(),
        };
        let logged_in = StepSeen::LoggedIn {
            mechanism,
            is_readable: self.tls.is_none() && mechanism == super::SaslMechanism::Plain.name(),
        };
        let host = log.address.host.clone();
        let work = async {
            match login {
                LinkLogin::Client(login) => login.perform(link).await,
                LinkLogin::Proxy(context) => link.log_in_as_proxy(context, &host).await,
            }
        };
        log.step(StepAction::Sasl, work, |_| logged_in).await
    }
}

impl Link {
    /// Sends a request and returns the body of the answer.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask(&mut self, call: Call, body: &[u8]) -> Result<Vec<u8>, StepError> {
        self.last_correlation_id += 1;
        let request = call.frame(self.last_correlation_id, body);
        let sent = async {
            self.stream.write_all(&request).await?;
            self.stream.flush().await?;
            self.read().await
        };
        let answer = sent.await.map_err(|error| closed(&error))??;
        if header::response_correlation_id(&answer) != Some(self.last_correlation_id) {
            return Err(StepError::NotKafka("it carries another correlation id".into()));
        }
        Ok(answer.get(4..).unwrap_or_default().to_vec())
    }

    /// Authenticates with the credentials of kproxy.
    async fn log_in_as_proxy(&mut self, context: &LoginContext, host: &str) -> Result<(), StepError> {
        if let Some((_, newest)) = self.versions.get(&ApiKey::SASL_AUTHENTICATE) {
            context.note_version(*newest);
        }
        let first_id = self.last_correlation_id + 1;
        let done = context
            .log_in(&mut self.stream, LoginAs::Proxy, host, first_id)
            .await;
        self.last_correlation_id += LOGIN_IDS;
        done.map(drop)
            .map_err(|error| StepError::NoOwnLogin(error.to_string()))
    }

    /// Sends a request, if the server has its version.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn ask_known(&mut self, call: Call, body: &[u8]) -> Result<Vec<u8>, StepError> {
        match StepError::missing(call, &self.versions) {
            Some(missing) => Err(missing),
            None => self.ask(call, body).await,
        }
    }

    async fn ask_versions(&mut self) -> Result<VersionRanges, StepError> {
        let answer = self.ask(Call::API_VERSIONS, &[]).await?;
        match messages::read_versions(&answer)? {
            (0, ranges) => Ok(ranges),
            (code, _) => Err(StepError::ErrorCode(messages::ServerError {
                code,
                message: String::new(),
            })),
        }
    }

    /// Reads one answer; memory grows with what arrives, not with what is announced.
    async fn read(&mut self) -> io::Result<Result<Vec<u8>, StepError>> {
        let mut prefix = [0; SIZE_LEN];
        self.stream.read_exact(&mut prefix).await?;
        let size = match frame::size(prefix, MIN_RESPONSE, MAX_ANSWER) {
            Ok(size) => size,
            Err(bad) => return Ok(Err(StepError::NotKafka(bad.to_string()))),
        };
        let mut answer = Vec::new();
        (&mut self.stream)
            .take(size.into())
            .read_to_end(&mut answer)
            .await?;
        if answer.len() < size as usize {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Ok(answer))
    }
}

/// Looks a name up; ports are those of the address.
pub(in crate::doctor) async fn resolve(address: &HostPort) -> Result<Vec<SocketAddr>, StepError> {
    let found = resolver::system().ask(&address.host).await;
    let found = found.map_err(|error| StepError::NameUnknown(error.to_string()))?;
    let mut addresses = Vec::new();
    for &(mut found) in found.iter() {
        found.set_port(address.port);
        if !addresses.contains(&found) && addresses.len() < MAX_ADDRESSES {
            addresses.push(found);
        }
    }
    Ok(addresses)
}

/// Looks the name of the log up and connects to it, in two steps.
async fn connect_directly(log: &mut StepLog) -> Option<TcpStream> {
    let address = log.address.clone();
    let addresses = log.step(StepAction::Resolve, resolve(&address), |found| {
        StepSeen::Addresses(found.clone())
    });
    let addresses = addresses.await?;
    let share = share_of(log.limits.next(), &addresses);
    let connect = log.step(StepAction::Connect, connect(&addresses, share), |(_, to)| {
        StepSeen::Connected(*to)
    });
    Some(connect.await?.0)
}

/// Connects to the address of the log through a forward proxy, in one step.
async fn connect_through(via: &ForwardProxy, log: &mut StepLog) -> Option<TcpStream> {
    let address = log.address.clone();
    let limit = log.limits.next();
    let work = async {
        let addresses = resolve(&via.address).await?;
        let (mut socket, to) = connect(&addresses, share_of(limit, &addresses)).await?;
        let opened = open_tunnel(&mut socket, via, &address).await;
        opened.map_err(StepError::NoConnection)?;
        Ok((socket, to))
    };
    let in_words = async {
        work.await.map_err(|error: StepError| match error {
            StepError::NameUnknown(why) | StepError::NoConnection(why) => {
                StepError::NoConnection(format!("forward proxy {via}: {why}"))
            }
            error => error,
        })
    };
    let connect = log.step(StepAction::Connect, in_words, |(_, to)| StepSeen::Connected(*to));
    Some(connect.await?.0)
}

/// The time that each of these addresses has.
fn share_of(limit: Duration, addresses: &[SocketAddr]) -> Duration {
    limit / u32::try_from(addresses.len()).unwrap_or(1).max(1)
}

/// Connects to the first address that answers; each has a share of the time.
async fn connect(addresses: &[SocketAddr], share: Duration) -> Result<(TcpStream, SocketAddr), StepError> {
    let mut why = String::from("the name has no addresses");
    for &address in addresses {
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(socket)) => match (socket.local_addr(), socket.set_nodelay(true)) {
                // TCP connected the socket to itself (RFC 9293 §3.5, simultaneous open): nobody listens there.
                (Ok(own), _) if own == address => why = format!("nobody listens at {address}"),
                (_, Ok(())) => return Ok((socket, address)),
                (_, Err(error)) => why = format!("{error}, at {address}"),
            },
            Ok(Err(error)) => why = format!("{error}, at {address}"),
            Err(_) => why = format!("no answer from {address} within {share:?}"),
        }
    }
    Err(StepError::NoConnection(why))
}

/// An error of a connection that was open.
fn closed(error: &io::Error) -> StepError {
    match Failure::within(error) {
        Some(failure) => StepError::NoTls {
            failure: failure.clone(),
            shown: None,
        },
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            StepError::ServerClosed("end of stream".into())
        }
        None => StepError::ServerClosed(error.to_string()),
    }
}
