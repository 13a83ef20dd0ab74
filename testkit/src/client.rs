//! A client that knows frames and nothing else, on a blocking socket.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use kafka_protocol::protocol::{Decodable, HeaderVersion, Request};
use socket2::SockRef;

use super::frames;
use super::wait::PATIENCE;

/// How the other side ended the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Fin,
    Reset,
}

/// One connection. Reading fails the test after [`PATIENCE`].
#[derive(Debug)]
pub struct Client {
    pub stream: TcpStream,
}

impl Client {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect_timeout(&address, PATIENCE).unwrap())
    }

    pub fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream }
    }

    /// A client whose socket takes little, so that it stalls its peer soon.
    #[track_caller]
    pub fn with_small_window(address: SocketAddr) -> Self {
        let socket =
            socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.connect(&address.into()).unwrap();
        Self::over(socket.into())
    }

    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends, and does not mind when nobody listens any more.
    pub fn send_quietly(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes));
    }

    /// The address it is connected to.
    #[track_caller]
    pub fn address(&self) -> SocketAddr {
        self.stream.peer_addr().unwrap()
    }

    /// One write, and with it one segment, for every byte.
    #[track_caller]
    pub fn send_bytewise(&mut self, bytes: &[u8]) {
        bytes.chunks(1).for_each(|byte| self.send(byte));
    }

    /// Sends a request and returns the content of the answer.
    #[track_caller]
    pub fn ask(&mut self, request: &[u8]) -> Vec<u8> {
        self.send(request);
        self.frame()
    }

    /// Sends a typed request and returns its answer, which must carry its correlation id.
    #[track_caller]
    pub fn call<R>(&mut self, version: i16, correlation_id: i32, message: &R) -> R::Response
    where
        R: Request,
        R::Response: Decodable + HeaderVersion,
    {
        let answer = self.ask(&frames::request(version, correlation_id, message));
        let (got, answer) = frames::decode(version, &answer);
        assert_eq!(got, correlation_id);
        answer
    }

    /// The content of the next frame.
    #[track_caller]
    pub fn frame(&mut self) -> Vec<u8> {
        self.try_frame()
            .unwrap_or_else(|error| panic!("no frame: {error}"))
    }

    pub fn try_frame(&mut self) -> io::Result<Vec<u8>> {
        let mut prefix = [0; 4];
        self.stream.read_exact(&mut prefix)?;
        let mut content = vec![0; usize::try_from(i32::from_be_bytes(prefix)).unwrap()];
        self.stream.read_exact(&mut content)?;
        Ok(content)
    }

    /// Everything up to the end of the stream, and which end it is.
    #[track_caller]
    pub fn rest(&mut self) -> (Vec<u8>, End) {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Ok(_) => (bytes, End::Fin),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => (bytes, End::Reset),
            Err(error) => panic!("neither FIN nor RST after {} bytes: {error}", bytes.len()),
        }
    }

    /// The stream must end here and now, cleanly.
    #[track_caller]
    pub fn expect_fin(&mut self) {
        let (bytes, end) = self.rest();
        assert_eq!(
            (bytes.len(), end),
            (0, End::Fin),
            "bytes before the end, and the end"
        );
    }

    /// Whether nothing arrives for a moment. Only for what could not be observed otherwise.
    pub fn is_silent_for(&mut self, moment: Duration) -> bool {
        self.stream.set_read_timeout(Some(moment)).unwrap();
        let silent = match self.stream.peek(&mut [0]) {
            Ok(_) => false,
            Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        };
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        silent
    }

    /// Sends FIN; answers can still be read.
    #[track_caller]
    pub fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Sends RST.
    pub fn reset(self) {
        SockRef::from(&self.stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }
}
