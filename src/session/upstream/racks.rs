//! Racks of the bootstrap servers of a target, as its brokers tell them, for the strategy `nearest`.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::model::HostPort;

/// Longest name of a rack that is remembered, in bytes.
const MAX_RACK: usize = 255;

/// Racks by place in the list of bootstrap servers; `None` where no answer has told one.
type KnownRacks = Vec<Option<Box<str>>>;

/// What is known of the racks of one target.
#[derive(Debug)]
pub(super) struct Racks {
    known: ArcSwap<KnownRacks>,
}

/// One answer that may tell racks. Nothing is written before it is whole.
pub struct RackReader<'r> {
    racks: &'r Racks,
    servers: &'r [HostPort],
    known: Arc<KnownRacks>,
    /// What the answer says otherwise.
    news: Vec<(usize, Box<str>)>,
}

impl Racks {
    /// Racks of so many servers.
    pub(super) fn of(servers: usize) -> Self {
        Self {
            known: ArcSwap::from_pointee(vec![None; servers]),
        }
    }

    /// The rack of the server at `place`, if it is known.
    pub(super) fn rack(&self, place: usize) -> Option<Box<str>> {
        self.known.load().get(place)?.clone()
    }

    /// The places of the servers in `rack`, and those of all others, in order.
    pub(super) fn split(&self, rack: &str) -> (Vec<usize>, Vec<usize>) {
        let known = self.known.load();
        (0..known.len()).partition(|&place| known[place].as_deref() == Some(rack))
    }

    /// Reads an answer of a cluster with these bootstrap servers.
    pub(super) fn reader<'r>(&'r self, servers: &'r [HostPort]) -> RackReader<'r> {
        RackReader {
            racks: self,
            servers,
            known: self.known.load_full(),
            news: Vec::new(),
        }
    }
}

impl RackReader<'_> {
    /// Takes in what an answer says of one broker. One that names no rack is passed over: not every answer does.
    pub fn see(&mut self, host: &str, port: u16, rack: Option<&[u8]>) {
        let Some(rack) = rack.filter(|rack| !rack.is_empty() && rack.len() <= MAX_RACK) else {
            return;
        };
        let servers = self.servers.iter().enumerate();
        for (place, _) in servers.filter(|(_, server)| is_at(server, host, port)) {
            let known = self.known.get(place).and_then(Option::as_deref);
            if known.map(str::as_bytes) != Some(rack)
                && let Ok(rack) = std::str::from_utf8(rack)
            {
                self.news.push((place, rack.into()));
            }
        }
    }

    /// Keeps what the answer has said.
    pub fn keep(self) {
        if self.news.is_empty() {
            return;
        }
        self.racks.known.rcu(|known| {
            let mut known = KnownRacks::clone(known);
            for (place, rack) in &self.news {
                known[*place] = Some(rack.clone());
            }
            known
        });
    }
}

/// Whether a broker that is advertised at `host:port` is that server. Names are compared without regard to case.
fn is_at(server: &HostPort, host: &str, port: u16) -> bool {
    let without_dot = |name: &str| name.strip_suffix('.').unwrap_or(name).len();
    let (one, other) = (
        &server.host[..without_dot(&server.host)],
        &host[..without_dot(host)],
    );
    server.port == port && one.eq_ignore_ascii_case(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: &str, port: u16) -> HostPort {
        HostPort {
            host: host.into(),
            port,
        }
    }

    #[test]
    fn racks_are_those_of_the_brokers_at_the_same_addresses() {
        let servers = [server("b0.k", 1), server("b1.k", 1), server("lb.k", 1)];
        let racks = Racks::of(3);
        assert_eq!(racks.split("a"), (vec![], vec![0, 1, 2]), "nothing is known");
        let mut reader = racks.reader(&servers);
        reader.see("B0.K.", 1, Some(b"a"));
        reader.see("b1.k", 2, Some(b"a"));
        reader.see("b1.k", 1, Some(b"b"));
        reader.keep();
        assert_eq!(racks.split("a"), (vec![0], vec![1, 2]));
        assert_eq!(racks.split("b"), (vec![1], vec![0, 2]));
        assert_eq!(racks.rack(2), None);
    }

    #[test]
    fn an_answer_without_racks_changes_nothing_and_another_rack_does() {
        let servers = [server("b0.k", 1)];
        let racks = Racks::of(1);
        for (told, known) in [
            (Some(&b"a"[..]), "a"),
            (None, "a"),
            (Some(b""), "a"),
            (Some(&[b'x'; 256]), "a"),
            (Some(b"\xff"), "a"),
            (Some(b"b"), "b"),
        ] {
            let mut reader = racks.reader(&servers);
            reader.see("b0.k", 1, told);
            reader.keep();
            assert_eq!(racks.rack(0).as_deref(), Some(known));
        }
    }
}
