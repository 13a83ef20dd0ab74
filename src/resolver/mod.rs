//! Look-ups of host names for the whole process.
//!
//! Every broker name is looked up here with `getaddrinfo` of the C library, so `/etc/hosts`, `nsswitch.conf` and the
//! search list apply as for every other program. That call blocks and cannot be cancelled: a silent name server
//! blocks it for 5 s and more. Therefore:
//!
//! - One look-up runs per name; concurrent callers share its answer.
//! - The number of threads is limited, and names known to be slow get only some of them (`pool`).
//! - An answer is used for [`FRESH`]. While the name server is slow or down, the last answer is used for up to
//!   [`STALE`].

mod names;
mod pool;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use names::CachedLookup;
use pool::LookupPool;

pub use pool::THREADS;

/// Time for which an answer is used without a new look-up. Name servers give a time of their own, but `getaddrinfo`
/// does not report it.
pub const FRESH: Duration = Duration::from_secs(2);

/// Time for which an old answer is used while the name server gives none.
pub const STALE: Duration = Duration::from_secs(60 * 60);

/// Time to wait for a new answer when an old one exists.
const PATIENCE: Duration = Duration::from_millis(250);

/// Addresses of a name, in the order of `getaddrinfo` (RFC 6724 §6). Ports are 0.
pub type ResolvedAddresses = Arc<[SocketAddr]>;

/// Reason why a name has no addresses.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LookupError {
    /// The name server says that the name does not exist or has no addresses.
    #[error("{0}")]
    Unknown(String),
    /// The name server could not be reached or could not answer.
    #[error("{0}")]
    Failed(String),
}

/// Looks up host names and caches the answers.
#[derive(Debug)]
pub struct Resolver {
    pool: Arc<LookupPool>,
}

/// The resolver of the process, which uses the operating system. Its limits are those of the process.
pub fn system() -> &'static Resolver {
    static SYSTEM: LazyLock<Resolver> = LazyLock::new(|| Resolver::new(Box::new(ask_system)));
    &SYSTEM
}

impl Resolver {
    /// A resolver that uses `ask`, which looks up one name and may block.
    fn new(ask: Box<pool::Ask>) -> Self {
        Self {
            pool: Arc::new(LookupPool::new(ask)),
        }
    }

    /// The addresses of `host`, a name or a literal address. Waits as long as the name server takes if there is no
    /// earlier answer; the caller sets a time limit. A caller that stops waiting leaves only the look-up behind.
    ///
    /// # Errors
    /// [`LookupError`] if there is no address.
    pub async fn lookup(&self, host: &str) -> Result<ResolvedAddresses, LookupError> {
        if let Some(literal) = literal(host) {
            return Ok(literal);
        }
        let (asked, stale) = match self.pool.kept(host) {
            CachedLookup::Fresh(addresses) => return Ok(addresses),
            CachedLookup::Asked { answer, stale } => (answer, stale),
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

    /// The addresses of `host` as the name server reports them now; earlier answers are not used.
    ///
    /// # Errors
    /// [`LookupError`] if there is no address.
    pub async fn ask(&self, host: &str) -> Result<ResolvedAddresses, LookupError> {
        match literal(host) {
            Some(literal) => Ok(literal),
            None => self.pool.ask(host).wait().await,
        }
    }

    /// Makes the next look-up of `host` ask the name server again, because a connection to its address failed.
    pub fn doubt(&self, host: &str) {
        self.pool.doubt(host);
    }
}

fn literal(host: &str) -> Option<ResolvedAddresses> {
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

/// The error of a look-up. The C library has codes, but the standard library reports only texts: those of glibc and
/// musl for a name that does not exist. Other failures, such as EAI_AGAIN, may be temporary.
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
