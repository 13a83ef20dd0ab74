//! What a TLS session costs while it says nothing, and how much of that is the library's.

use std::io;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::task::JoinSet;

use crate::Options;
use crate::common::contender::Kind;
use crate::common::frames::Exchange;
use crate::common::process::{Process, allow_descriptors, resident, run_local};
use crate::common::stats::Spread;
use crate::library;
use crate::material::{self, Version};
use crate::report::{self, Bound};
use crate::roles::TlsBroker;
use crate::secure::End;
use crate::setup::{Gateway, KINDS, Setup, Sides};

/// Sessions under way at a time, while they are opened and while they are asked something.
const TOGETHER: usize = 64;
/// The burst: this much each way.
const BURST: usize = 64 * 1024;
/// The goal: bytes per idle session, each side.
const GOAL: f64 = 25_000.0;

/// Bytes per session.
struct Figures {
    idle: f64,
    after_burst: f64,
}

/// Measures and prints every set-up, then the library alone, then the goals.
///
/// # Errors
/// When there is no broker to measure against.
pub(crate) fn run(options: &Options, directory: &Path) -> io::Result<()> {
    let wanted = options
        .sessions
        .unwrap_or_else(|| options.scaled(4_000, 1_000, 150));
    let limit = allow_descriptors(wanted as u64 * 2 + 1_000);
    let sessions = wanted.min((limit.saturating_sub(1_000) / 2) as usize);
    println!(
        "\nmemory: KB of the proxy's resident memory per idle session, {sessions} of them, after 100 B and"
    );
    println!("after {} KiB each way on every one", BURST / 1024);
    let mut figures = Vec::new();
    for sides in [Sides::Neither].into_iter().chain(Sides::ALL) {
        let wanted = match sides {
            Sides::Neither => !options.smoke,
            _ => options.wants_sides(sides),
        };
        if !wanted {
            continue;
        }
        for kind in KINDS {
            if options.without.iter().any(|name| name == kind.name()) {
                continue;
            }
            match run_local(measure(options, directory, sides, kind, sessions))? {
                Ok(measured) => {
                    print(&format!("{} {}", kind.name(), sides.name()), &measured);
                    if kind == Kind::Kproxy && sides != Sides::Neither {
                        figures.push((sides.name().to_owned(), one(measured.idle)));
                        figures.push((
                            format!("{} after a burst", sides.name()),
                            one(measured.after_burst),
                        ));
                    }
                }
                Err(error) => println!("  {:<28} {error}", format!("{} {}", kind.name(), sides.name())),
            }
        }
    }
    print_library(directory, sessions)?;
    println!("\ngoals");
    report::goal(
        "memory per idle TLS session ≤ 25 KB",
        Bound::AtMost(GOAL / 1e3),
        figures,
    );
    Ok(())
}

fn print(name: &str, figures: &Figures) {
    println!(
        "  {name:<28} {:>8.2} {:>8.2}",
        figures.idle / 1e3,
        figures.after_burst / 1e3
    );
}

fn one(bytes: f64) -> Option<Spread> {
    Spread::of([bytes / 1e3])
}

fn print_library(directory: &Path, sessions: usize) -> io::Result<()> {
    println!("rustls alone, a process that holds one end of {sessions} connections and nothing else:");
    for kept in library::KEPT {
        // A process of its own for either, because an allocator does not give back all that was freed.
        let of = |burst: usize| {
            let (directory, sessions) = (directory.to_string_lossy(), sessions.to_string());
            let arguments = ["library", &directory, kept, &sessions, &burst.to_string()];
            let (_process, line) = Process::role(&arguments, None)?;
            line.parse()
                .map_err(|_| io::Error::other("the library did not say"))
        };
        let (idle, after_burst) = (of(100)?, of(BURST)?);
        print(kept, &Figures { idle, after_burst });
    }
    Ok(())
}

async fn measure(
    options: &Options,
    directory: &Path,
    sides: Sides,
    kind: Kind,
    sessions: usize,
) -> io::Result<Figures> {
    let (_plain, plain_address) = Process::role(&["broker", "1"], None)?;
    let tls = TlsBroker::start(directory, Version::Tls13, true)?;
    let broker = if sides.up() { &tls.address } else { &plain_address };
    let setup = Setup {
        directory,
        threads: options.threads(),
        connections: sessions + 100,
    };
    let running = setup.start(kind, &[Gateway { sides, broker }])?;
    let config = sides
        .down()
        .then(|| material::client(Version::Tls13, true))
        .transpose()?;
    // For an allocator to give back what it only keeps for a moment.
    let settle = Duration::from_millis(options.scaled(1_000, 1_000, 100));
    // The first connections grow what all of them share.
    drop(open(&running.addresses[0], config.as_ref(), TOGETHER).await?);
    tokio::time::sleep(settle).await;
    let start = resident(running.pid)?;
    let mut ends = open(&running.addresses[0], config.as_ref(), sessions).await?;
    let mut growth = [0.0; 2];
    for (growth, size) in growth.iter_mut().zip([100, BURST]) {
        ends = ask_all(ends, Exchange::Echo { size }.request()?.into()).await?;
        tokio::time::sleep(settle).await;
        *growth = resident(running.pid)?.saturating_sub(start) as f64 / sessions as f64;
    }
    let [idle, after_burst] = growth;
    Ok(Figures { idle, after_burst })
}

async fn open(address: &str, config: Option<&Arc<ClientConfig>>, sessions: usize) -> io::Result<Vec<End>> {
    let mut ends = Vec::with_capacity(sessions);
    while ends.len() < sessions {
        let mut opening = JoinSet::new();
        for _ in 0..TOGETHER.min(sessions - ends.len()) {
            let (address, config) = (address.to_owned(), config.cloned());
            opening.spawn_local(async move { End::greeted(&address, config.as_ref()).await });
        }
        gather(opening, &mut ends).await?;
    }
    Ok(ends)
}

async fn ask_all(mut ends: Vec<End>, request: Rc<[u8]>) -> io::Result<Vec<End>> {
    let mut asked = Vec::with_capacity(ends.len());
    while !ends.is_empty() {
        let mut asking = JoinSet::new();
        for mut end in ends.drain(ends.len().saturating_sub(TOGETHER)..) {
            let request = Rc::clone(&request);
            asking.spawn_local(async move {
                end.ask(&request).await?;
                Ok(end)
            });
        }
        gather(asking, &mut asked).await?;
    }
    Ok(asked)
}

async fn gather(mut tasks: JoinSet<io::Result<End>>, ends: &mut Vec<End>) -> io::Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ends.push(ended.map_err(io::Error::other)??);
    }
    Ok(())
}
