//! A Kafka client of one connection that does exactly what it is told: no retries, no Metadata, no second
//! connection.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use kafka_protocol::{
    messages::{ApiKey, RequestHeader, ResponseHeader},
    protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes},
};

/// Longest wait for bytes of an answer, far above what a busy machine takes.
const TIMEOUT: Duration = Duration::from_secs(120);

/// One connection and the next correlation id.
pub struct Raw {
    stream: TcpStream,
    correlation_id: i32,
}

impl Raw {
    /// Connects without sending anything.
    pub fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            correlation_id: 1000,
        })
    }

    /// Sends `request` and decodes its answer.
    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> io::Result<R::Response> {
        let frame = self.call_frame(version, request)?;
        decode_response::<R>(version, &frame)
    }

    /// Sends `request` and returns the frame of its answer, after the size prefix.
    pub fn call_frame<R: Request>(&mut self, version: i16, request: &R) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        request.encode(&mut body, version).map_err(invalid)?;
        self.call_body(R::KEY, version, &body)
    }

    /// [`Raw::call_frame`] with a body of the caller's own: for versions that the oracle does not know.
    pub fn call_body(&mut self, api_key: i16, version: i16, body: &[u8]) -> io::Result<Vec<u8>> {
        self.send_body(api_key, version, body)?;
        let frame = self.read_frame()?;
        let correlation_id = frame
            .get(..4)
            .and_then(|id| id.try_into().ok())
            .map(i32::from_be_bytes);
        if correlation_id != Some(self.correlation_id) {
            return Err(invalid(format!(
                "answer to {correlation_id:?}, not {}",
                self.correlation_id
            )));
        }
        Ok(frame)
    }

    fn send_body(&mut self, api_key: i16, version: i16, body: &[u8]) -> io::Result<()> {
        self.correlation_id += 1;
        let header = RequestHeader::default()
            .with_request_api_key(api_key)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation_id)
            .with_client_id(Some(StrBytes::from_static_str("kproxy-test")));
        let api = ApiKey::try_from(api_key).map_err(|()| invalid("unknown API".to_owned()))?;
        let mut frame = Vec::new();
        header
            .encode(&mut frame, api.request_header_version(version))
            .map_err(invalid)?;
        frame.extend_from_slice(body);
        self.send_frame(&frame)
    }

    /// Sends any bytes behind a size prefix: a request, or a bare SASL token.
    pub fn send_frame(&mut self, frame: &[u8]) -> io::Result<()> {
        let size = i32::try_from(frame.len()).map_err(invalid)?;
        let bytes = [&size.to_be_bytes(), frame].concat();
        self.stream.write_all(&bytes)
    }

    /// Reads one size prefix and the bytes behind it.
    pub fn read_frame(&mut self) -> io::Result<Vec<u8>> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(size)).map_err(invalid)?];
        self.stream.read_exact(&mut frame)?;
        Ok(frame)
    }

    /// The transport, for tests that close or reset it.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }
}

/// Decodes the frame of an answer to `R`; bytes left over are an error.
pub fn decode_response<R: Request>(version: i16, frame: &[u8]) -> io::Result<R::Response> {
    let mut rest = frame;
    ResponseHeader::decode(&mut rest, <R::Response as HeaderVersion>::header_version(version))
        .map_err(invalid)?;
    let response = R::Response::decode(&mut rest, version).map_err(invalid)?;
    if !rest.is_empty() {
        return Err(invalid(format!("{} bytes after the answer", rest.len())));
    }
    Ok(response)
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
