//! Host names looked up, for the whole process.
//!
//! Every name of a broker is looked up here, with the C library's `getaddrinfo`, so that `/etc/hosts`, `nsswitch.conf`
//! and the search list hold as they do for every other program. That call blocks and cannot be taken back: a name
//! server that is silent keeps it for 5 s and more. Therefore:
//!
//! - A name is looked up once at a time; everyone who wants it meanwhile waits for the same answer.
//! - The number of threads is bounded, and names that are known to be slow get a part of them only (`pool`).
//! - An answer is kept for [`FRESH`]. While the name server is slow or out of order, the last answer is used for up to
//!   [`STALE`].

mod names;
mod pool;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use names::Kept;
use pool::Pool;

pub use pool::THREADS;

/// For how long an answer is used without asking again. Name servers state a time of their own, but `getaddrinfo`
/// does not tell it.
pub const FRESH: Duration = Duration::from_secs(2);

/// For how long an answer may stand in for one that the name server does not give.
pub const STALE: Duration = Duration::from_secs(60 * 60);

/// For how long a new answer is waited for where an old one could stand in.
const PATIENCE: Duration = Duration::from_millis(250);

/// The addresses of a name, in the order of `getaddrinfo` (RFC 6724 §6). The ports are 0.
pub type Addresses = Arc<[SocketAddr]>;

/// Why a name has no addresses.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LookupError {
    /// The name does not exist, or has no addresses: the name server says so.
    #[error("{0}")]
    Unknown(String),
    /// The name server could not be asked, or could not say.
    #[error("{0}")]
    Failed(String),
}

/// Looks names up.
#[derive(Debug)]
pub struct Resolver {
    pool: Arc<Pool>,
}

/// That of the operating system, one for the process: the bounds are those of the process.
pub fn system() -> &'static Resolver {
    static SYSTEM: LazyLock<Resolver> = LazyLock::new(|| Resolver::new(Box::new(ask_system)));
    &SYSTEM
}

impl Resolver {
    /// `ask` looks one name up and may block.
    fn new(ask: Box<pool::Ask>) -> Self {
        Self {
            pool: Arc::new(Pool::new(ask)),
        }
    }

    /// The addresses of `host`, a name or a literal address. Waits as long as the name server takes if no earlier
    /// answer can stand in; the caller sets the limit. A caller that stops waiting leaves nothing behind but the look-up.
    ///
    /// # Errors
    /// When there is no address.
    pub async fn lookup(&self, host: &str) -> Result<Addresses, LookupError> {
        if let Some(literal) = literal(host) {
            return Ok(literal);
        }
        let (asked, stale) = match self.pool.kept(host) {
            Kept::Fresh(addresses) => return Ok(addresses),
            Kept::Asked { answer, stale } => (answer, stale),
        };
        let Some(stale) = stale else {
            return asked.wait().await;
        };
        if stale.overdue {
            return Ok(stale.addresses);
        }
        match tokio::time::timeout(PATIENCE, asked.wait()).await {
            Ok(Err(LookupError::Failed(_))) | Err(_) => Ok(stale.addresses),
            Ok(answered) => answered,
        }
    }

    /// As [`Resolver::lookup`], but what the name server says now: no earlier answer stands in.
    ///
    /// # Errors
    /// When there is no address.
    pub async fn ask(&self, host: &str) -> Result<Addresses, LookupError> {
        match literal(host) {
            Some(literal) => Ok(literal),
            None => self.pool.ask(host).wait().await,
        }
    }

    /// Has the next look-up of `host` ask again: nobody answers where it was said to be.
    pub fn doubt(&self, host: &str) {
        self.pool.doubt(host);
    }
}

fn literal(host: &str) -> Option<Addresses> {
    let ip: IpAddr = host.parse().ok()?;
    Some(Arc::new([SocketAddr::new(ip, 0)]))
}

fn ask_system(host: &str) -> Result<Vec<SocketAddr>, LookupError> {
    use std::net::ToSocketAddrs as _;
    let found = (host, 0).to_socket_addrs().map_err(|error| said(&error))?;
    let found: Vec<SocketAddr> = found.collect();
    if found.is_empty() {
        return Err(LookupError::Unknown("the name has no addresses".into()));
    }
    Ok(found)
}

/// The C library has codes for this, the standard library hands on only its words: those of glibc and musl for a name
/// that does not exist. Any other failure, EAI_AGAIN above all, may pass.
fn said(error: &io::Error) -> LookupError {
    const UNKNOWN: [&str; 4] = [
        "Name or service not known",
        "No address associated with hostname",
        "Name does not resolve",
        "Name has no usable address",
    ];
    let words = error.to_string();
    if UNKNOWN.iter().any(|unknown| words.contains(unknown)) {
        LookupError::Unknown(words)
    } else {
        LookupError::Failed(words)
    }
}

impl From<LookupError> for io::Error {
    fn from(error: LookupError) -> Self {
        let kind = match error {
            LookupError::Unknown(_) => io::ErrorKind::NotFound,
            LookupError::Failed(_) => io::ErrorKind::Other,
        };
        Self::new(kind, error.to_string())
    }
}

#[cfg(test)]
mod tests;
