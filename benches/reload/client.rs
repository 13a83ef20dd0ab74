//! A client that waits for each answer, and can tell which broker it came from.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::common::frames;
use crate::common::process::Process;

/// What has not been answered by then is lost.
const PATIENCE: Duration = Duration::from_secs(5);
const METADATA: i16 = 9;

/// The two brokers a cluster may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    First = 0,
    Second = 1,
}

impl Target {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// Two stub brokers; the second has a topic more.
pub(crate) struct Brokers {
    _processes: [Process; 2],
    pub(crate) addresses: [String; 2],
    /// Metadata answers up to this size are the first one's.
    threshold: usize,
}

impl Brokers {
    /// # Errors
    /// When they do not start.
    pub(crate) fn start() -> io::Result<Self> {
        let (first, first_address) = Process::role(&["broker", "1"], None)?;
        let (second, second_address) = Process::role(&["broker", "2"], None)?;
        let mut size = 0;
        for address in [&first_address, &second_address] {
            let address = address.parse().map_err(io::Error::other)?;
            let mut client = Client::connect_to(address)?;
            size += client.ask(&frames::metadata_request(METADATA)?)?;
        }
        Ok(Self {
            _processes: [first, second],
            addresses: [first_address, second_address],
            threshold: size / 2,
        })
    }

    /// The port of the first.
    pub(crate) fn first(&self) -> io::Result<u16> {
        let address: SocketAddr = self.addresses[0].parse().map_err(io::Error::other)?;
        Ok(address.port())
    }

    /// Where `client` is led to.
    pub(crate) fn behind(&self, client: &mut Client) -> io::Result<Target> {
        let size = client.ask(&frames::metadata_request(METADATA)?)?;
        Ok(if size <= self.threshold {
            Target::First
        } else {
            Target::Second
        })
    }

    /// Where a new connection is led to.
    pub(crate) fn reached_at(&self, port: u16) -> io::Result<Target> {
        self.behind(&mut Client::connect(port)?)
    }
}

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Client {
    /// Connects to 127.0.0.1:`port` and exchanges ApiVersions.
    pub(crate) fn connect(port: u16) -> io::Result<Self> {
        Self::connect_to(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    fn connect_to(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut client = Self {
            stream,
            answer: Vec::new(),
        };
        client.ask(&frames::api_versions_request()?)?;
        Ok(client)
    }

    /// Sends a request and returns the size of its answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> io::Result<usize> {
        self.stream.write_all(request)?;
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        self.answer.resize(u32::from_be_bytes(size) as usize, 0);
        self.stream.read_exact(&mut self.answer)?;
        Ok(self.answer.len())
    }
}
