//! The roles this binary plays when it executes itself: a broker with TLS, a storm of clients, and a process that
//! does nothing but hold connections of the library.

use std::cell::Cell;
use std::io::{self, Write as _};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::common::process::{Process, run_local};
use crate::common::{broker, frames};
use crate::library;
use crate::material::{self, Version};
use crate::secure::End;

/// Plays the role this process was started for, if it is one of this benchmark's.
///
/// # Errors
/// Whatever made the role impossible.
pub(crate) fn played() -> io::Result<bool> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--role", "tls-broker", directory, version, resumes] => {
            run_local(serve(
                Path::new(directory),
                Version::named(version),
                *resumes == "resumes",
            ))??;
        }
        ["--role", "storm", address, count] => {
            rustix::process::nice(BACKGROUND)?;
            run_local(storm(address, count.parse().unwrap_or(0)))??;
        }
        ["--role", "library", directory, kept, count, burst] => {
            writeln!(
                io::stdout(),
                "{}",
                library::hold(
                    Path::new(directory),
                    kept,
                    count.parse().unwrap_or(0),
                    burst.parse().unwrap_or(0)
                )?
            )?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// The priority of what must not take time from the proxy.
pub(crate) const BACKGROUND: i32 = 19;

/// A broker with TLS.
pub(crate) struct TlsBroker {
    _process: Process,
    pub(crate) address: String,
    counts: String,
    pub(crate) pid: u32,
}

/// Handshakes a broker has seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) all: u64,
    pub(crate) resumed: u64,
}

impl TlsBroker {
    /// # Errors
    /// When it does not start.
    pub(crate) fn start(directory: &Path, version: Version, resumes: bool) -> io::Result<Self> {
        let (process, line) = Process::role(
            &[
                "tls-broker",
                &directory.to_string_lossy(),
                version.name(),
                if resumes { "resumes" } else { "forgets" },
            ],
            None,
        )?;
        let (address, counts) = line
            .split_once(' ')
            .ok_or_else(|| io::Error::other("the broker did not start"))?;
        Ok(Self {
            address: address.to_owned(),
            counts: counts.to_owned(),
            pid: process.id(),
            _process: process,
        })
    }

    /// Handshakes so far.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn counts(&self) -> io::Result<Counts> {
        use std::io::Read as _;
        let mut counts = [0; 16];
        std::net::TcpStream::connect(&self.counts)?.read_exact(&mut counts)?;
        let [all, resumed] = [0, 8].map(|at| {
            counts[at..]
                .first_chunk()
                .map_or(0, |count| u64::from_be_bytes(*count))
        });
        Ok(Counts { all, resumed })
    }
}

/// Serves until the process is killed. The first line on stdout is where, and where the handshakes' counts are told.
async fn serve(directory: &Path, version: Version, resumes: bool) -> io::Result<()> {
    let config = material::server(directory, "broker", version, resumes)?;
    let listener = broker::listen()?;
    let counts = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(
        io::stdout(),
        "{} {}",
        listener.local_addr()?,
        counts.local_addr()?
    )?;
    let seen = Rc::new(Cell::new(Counts::default()));
    tokio::task::spawn_local(tell(counts, Rc::clone(&seen)));
    broker::accept(listener, 1, async move |stream| {
        let end = End::accept(stream, &config).await?;
        let mut counts = seen.get();
        counts.all += 1;
        counts.resumed += u64::from(end.was_resumed());
        seen.set(counts);
        Ok(end)
    })
    .await
}

async fn tell(listener: TcpListener, seen: Rc<Cell<Counts>>) -> io::Result<()> {
    loop {
        let (mut stream, _): (TcpStream, _) = listener.accept().await?;
        let Counts { all, resumed } = seen.get();
        let counts = [all.to_be_bytes(), resumed.to_be_bytes()].concat();
        // Whoever asks and goes away needs no answer.
        let told: io::Result<()> = async {
            stream.write_all(&counts).await?;
            stream.shutdown().await
        }
        .await;
        drop(told);
    }
}

/// A storm connection that is not served by then has failed.
const STORM_PATIENCE: Duration = Duration::from_secs(60);

/// Connects `count` times at once, each with a full handshake and one request, and says how many were served, how
/// many were not, and how many microseconds that took; then holds them until the process is killed.
async fn storm(address: &str, count: usize) -> io::Result<()> {
    let config = material::client(Version::Tls13, false)?;
    let request: Rc<[u8]> = frames::api_versions_request()?.into();
    let mut arriving = JoinSet::new();
    let begun = Instant::now();
    for _ in 0..count {
        let (address, config) = (address.to_owned(), Arc::clone(&config));
        let request = Rc::clone(&request);
        arriving.spawn_local(tokio::time::timeout(STORM_PATIENCE, async move {
            let mut end = End::connect(&address, Some(&config)).await?;
            end.ask(&request).await?;
            Ok::<End, io::Error>(end)
        }));
    }
    let mut held = Vec::with_capacity(count);
    while let Some(arrived) = arriving.join_next().await {
        held.extend(arrived.ok().and_then(Result::ok).and_then(Result::ok));
    }
    let micros = begun.elapsed().as_micros();
    writeln!(io::stdout(), "{} {} {micros}", held.len(), count - held.len())?;
    std::future::pending().await
}
