//! An exchange of the filters of one virtual cluster under many live sessions: from the commit to the last session that
//! goes by the new ones, with no session closed.

use std::error::Error;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use crate::client::{Brokers, Client};
use crate::common::contender::KPROXY;
use crate::common::process::free_port;
use crate::figures::Figures;
use crate::fleet::Fleet;
use crate::proxy::{Proxy, until};

/// Gauge of the filter chains that are in use.
const GAUGE: &str = "kproxy_filter_generations_live{";
const GOAL: f64 = 50.0;

/// Opens `sessions` sessions and exchanges their filters `rounds` times.
pub(crate) fn measure(
    sessions: usize,
    rounds: usize,
    brokers: &Brokers,
    directory: &Path,
    figures: &mut Figures,
) -> Result<(), Box<dyn Error>> {
    let folder = directory.join("filters");
    std::fs::create_dir(&folder)?;
    let management = free_port()?;
    let preamble = |age: usize| {
        format!(
            "management: {{port: {management}}}\nreload: {{watch: false}}\nfilterDefinitions: [{{name: age, type: \
             ConnectionExpiration, config: {{maxAge: {age}h}}}}, {{name: apis, type: ApiFilter, config: {{denied: \
             [DELETE_TOPICS], clientIds: [\"nobody-{age}\"]}}}}]\ndefaultFilters: [age, apis]\n"
        )
    };
    let (mut fleet, _) = Fleet::new(1, 0)?;
    fleet.preamble = preamble(1);
    let proxy = Proxy::start_at(Path::new(KPROXY), &fleet, &brokers.addresses, &folder)?;
    let port = fleet.clusters[0].port();
    let mut clients = Vec::with_capacity(sessions);
    for _ in 0..sessions {
        clients.push(Client::connect(port)?);
    }
    for round in 0..rounds {
        fleet.preamble = preamble(round + 2);
        proxy.write(&fleet)?;
        let mut log = proxy.log();
        log.skip()?;
        let begun = proxy.signal()?;
        let applied = log.applied()?;
        let adopted = until(|| chains(management).is_ok_and(|chains| chains == 1))?;
        let took = adopted.duration_since(begun);
        figures.note(
            "filters exchanged: from the commit to the last session",
            "ms",
            Some(GOAL),
            milliseconds(took) - applied.milliseconds,
        );
        figures.note(
            "  from the signal to the commit",
            "ms",
            None,
            applied.milliseconds,
        );
    }
    let closed = clients
        .iter_mut()
        .filter_map(|client| brokers.behind(client).err())
        .count();
    figures.note("  sessions that were closed", "", Some(0.0), closed as f64);
    println!("filters: {sessions} sessions, {rounds} exchanges");
    Ok(())
}

/// Number of chains in use.
fn chains(management: u16) -> io::Result<u64> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, management))?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let line = text.lines().find(|line| line.starts_with(GAUGE));
    let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
    value.ok_or_else(|| io::Error::other("no gauge of chains"))
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
