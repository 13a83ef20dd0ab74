//! A directory service that knows the passwords (LDAP, RFC 4511): a user that may bind with a password has it.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;

use crate::config::Secret;
use crate::model::HostPort;
use crate::resolver;
use crate::sasl::ldap::{self, DirectoryAnswer};
use crate::tls::UpstreamContext;

/// Number of binds at the same time.
const MOST_BINDS: usize = 16;

/// Connections that are kept for the next bind.
const MOST_IDLE: usize = 8;

/// Longest time for which a connection is kept without use. Firewalls forget connections that are older, and nobody answers on
/// them any more.
const LONGEST_IDLE: Duration = Duration::from_secs(30);

/// Time limit for one check, a connection and the wait for others included.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// How the connection is protected.
#[derive(Debug, Clone)]
pub enum DirectoryTls {
    /// It is not.
    None,
    /// By TLS from its first byte (`ldaps`).
    FromStart(Arc<UpstreamContext>),
    /// By TLS behind a first message (StartTLS).
    AfterRequest(Arc<UpstreamContext>),
}

/// A directory service.
#[derive(Debug)]
pub struct DirectoryService {
    address: HostPort,
    tls: DirectoryTls,
    /// Distinguished name of a user, with a place for the name.
    template: String,
    turn: Semaphore,
    idle: Mutex<Vec<IdleConnection>>,
}

/// Bytes in both directions.
trait ByteStream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> ByteStream for S {}

struct DirectoryConnection {
    stream: Box<dyn ByteStream>,
    /// Number of the last request.
    id: u8,
}

/// A connection that waits for the next bind.
#[derive(Debug)]
struct IdleConnection {
    connection: DirectoryConnection,
    since: Instant,
}

impl std::fmt::Debug for DirectoryConnection {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("DirectoryConnection").finish_non_exhaustive()
    }
}

impl DirectoryService {
    /// The service at this address, whose users have names as the template says.
    pub fn new(address: HostPort, tls: DirectoryTls, template: String) -> Self {
        Self {
            address,
            tls,
            template,
            turn: Semaphore::new(MOST_BINDS),
            idle: Mutex::default(),
        }
    }

    /// Whether this is the password of the user.
    ///
    /// # Errors
    /// Why nobody could say.
    pub async fn check(&self, name: &str, password: &Secret) -> Result<bool, String> {
        let checked = tokio::time::timeout(TIME_LIMIT, self.bind(name, password)).await;
        checked.unwrap_or_else(|_| {
            Err(format!(
                "the directory service {} does not answer in time",
                self.address
            ))
        })
    }

    async fn bind(&self, name: &str, password: &Secret) -> Result<bool, String> {
        // The semaphore is never closed.
        let _turn = self.turn.acquire().await;
        let dn = ldap::bind_dn(&self.template, name);
        // A connection that was kept may have been closed meanwhile, which only its use shows.
        if let Some(mut kept) = self.take_idle()
            && let Ok(answer) = kept.bind(&dn, password).await
        {
            return self.judge(answer, kept);
        }
        let failed = |error: io::Error| format!("the directory service {}: {error}", self.address);
        let mut connection = self.connect().await.map_err(failed)?;
        let answer = connection.bind(&dn, password).await.map_err(failed)?;
        self.judge(answer, connection)
    }

    fn judge(&self, answer: DirectoryAnswer, connection: DirectoryConnection) -> Result<bool, String> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MOST_IDLE {
            let since = Instant::now();
            idle.push(IdleConnection { connection, since });
        }
        match answer.code {
            ldap::SUCCESS => Ok(true),
            ldap::INVALID_CREDENTIALS | ldap::NO_SUCH_OBJECT => Ok(false),
            code => Err(format!(
                "the directory service {} answers with code {code}",
                self.address
            )),
        }
    }

    fn take_idle(&self) -> Option<DirectoryConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| kept.since.elapsed() < LONGEST_IDLE);
        idle.pop().map(|kept| kept.connection)
    }

    async fn connect(&self) -> io::Result<DirectoryConnection> {
        let addresses = resolver::system().lookup(&self.address.host).await?;
        let mut failed = io::Error::other("its name has no addresses");
        for address in addresses.iter() {
            let address = SocketAddr::new(address.ip(), self.address.port);
            match TcpStream::connect(address).await {
                Ok(socket) => return self.secure(socket).await,
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn secure(&self, socket: TcpStream) -> io::Result<DirectoryConnection> {
        socket.set_nodelay(true)?;
        let mut plain = DirectoryConnection {
            stream: Box::new(socket),
            id: 0,
        };
        let context = match &self.tls {
            DirectoryTls::None => return Ok(plain),
            DirectoryTls::FromStart(context) => context,
            DirectoryTls::AfterRequest(context) => {
                let id = plain.next_id();
                let answer = plain.ask(&ldap::start_tls_request(id)).await?;
                if answer.code != ldap::SUCCESS {
                    return Err(io::Error::other(format!(
                        "it refuses TLS with code {}",
                        answer.code
                    )));
                }
                context
            }
        };
        let (config, name) = context.towards(&self.address).map_err(io::Error::other)?;
        let stream = TlsConnector::from(config).connect(name, plain.stream).await?;
        Ok(DirectoryConnection {
            stream: Box::new(stream),
            id: plain.id,
        })
    }
}

impl DirectoryConnection {
    async fn bind(&mut self, dn: &str, password: &Secret) -> io::Result<DirectoryAnswer> {
        let id = self.next_id();
        self.ask(&ldap::bind_request(id, dn, password.reveal())).await
    }

    fn next_id(&mut self) -> u8 {
        self.id = self.id % 127 + 1;
        self.id
    }

    /// Sends a request and reads its answer.
    async fn ask(&mut self, request: &[u8]) -> io::Result<DirectoryAnswer> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        let mut bytes = Vec::new();
        loop {
            let answer = ldap::read_answer(&bytes).map_err(io::Error::other)?;
            if let Some(answer) = answer {
                // Anything else is a message that nobody asked for, such as a notice of disconnection.
                if answer.id != self.id || answer.length != bytes.len() {
                    return Err(io::Error::other("it answers another request"));
                }
                return Ok(answer);
            }
            if self.stream.read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Answers every bind with success, on the first connection only the first one.
    async fn forgetful(listener: TcpListener) {
        let success = |id: u8| [0x30, 0x0c, 2, 1, id, 0x61, 7, 0x0a, 1, 0, 4, 0, 4, 0];
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 256];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(&success(request[4])).await.unwrap();
            kept.push(stream);
        }
    }

    #[tokio::test]
    async fn a_connection_that_was_not_used_for_long_is_not_used_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = HostPort {
            host: "127.0.0.1".into(),
            port: listener.local_addr().unwrap().port(),
        };
        let serving = tokio::spawn(forgetful(listener));
        let service = DirectoryService::new(address, DirectoryTls::None, "uid=$(username)".into());
        let password = Secret::new("pencil");
        assert_eq!(service.check("alice", &password).await, Ok(true));
        for kept in service.idle.lock().unwrap().iter_mut() {
            kept.since = kept.since.checked_sub(LONGEST_IDLE).unwrap();
        }
        assert_eq!(service.check("alice", &password).await, Ok(true));
        assert_eq!(service.idle.lock().unwrap().len(), 1);
        serving.abort();
    }
}
