//! A broker made of a closure per connection: every byte, pause and close is the test's to decide.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use kafka_protocol::protocol::{Encodable, HeaderVersion, Message};
use socket2::SockRef;

use super::frames;
use super::wait::PATIENCE;

/// Listens on a port of its own and runs the script on a thread per connection. Dropping it closes everything.
pub struct Broker {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    accepted: Arc<Mutex<Vec<Weak<TcpStream>>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// One connection of kproxy's, in the hands of a script.
pub struct Connection {
    pub stream: Arc<TcpStream>,
    /// Counts from 0 in order of arrival.
    pub index: usize,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Asked {
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
    /// Header and body, without the size.
    pub content: Vec<u8>,
}

impl Asked {
    fn of(content: Vec<u8>) -> Self {
        let field = |at: usize| i16::from_be_bytes([content[at], content[at + 1]]);
        Self {
            api_key: field(0),
            api_version: field(2),
            correlation_id: frames::correlation_id(&content[4..]),
            content,
        }
    }
}

impl Broker {
    pub fn start(script: impl Fn(Connection) + Send + Sync + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), script)
    }

    /// On a socket that somebody else has bound.
    pub fn on(listener: TcpListener, script: impl Fn(Connection) + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let (connections, accepted) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<_>>>::default());
        let stop = Arc::<AtomicBool>::default();
        let thread = std::thread::spawn({
            let (connections, accepted, stop) =
                (Arc::clone(&connections), Arc::clone(&accepted), Arc::clone(&stop));
            let script = Arc::new(script);
            move || {
                while let Ok((stream, _)) = listener.accept() {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    stream.set_nodelay(true).unwrap();
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    stream.set_write_timeout(Some(PATIENCE)).unwrap();
                    let stream = Arc::new(stream);
                    accepted.lock().unwrap().push(Arc::downgrade(&stream));
                    let index = connections.fetch_add(1, Ordering::SeqCst);
                    let script = Arc::clone(&script);
                    std::thread::spawn(move || script(Connection { stream, index }));
                }
            }
        });
        Self {
            address,
            connections,
            accepted,
            stop,
            thread: Some(thread),
        }
    }

    /// Answers every request with an answer of the same API and version whose body is `body`.
    pub fn echoing(body: &'static [u8]) -> Self {
        Self::start(move |mut connection| {
            while let Some(asked) = connection.request() {
                connection.send(&frames::raw_response(asked.correlation_id, body));
            }
        })
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Closes the port; from now on connecting is refused. Connections that exist end too.
    pub fn stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.stop.store(true, Ordering::SeqCst);
            // Wakes the accept loop; when it has ended the port is closed.
            drop(TcpStream::connect(self.address));
            thread.join().unwrap();
            for stream in self
                .accepted
                .lock()
                .unwrap()
                .drain(..)
                .filter_map(|stream| stream.upgrade())
            {
                // The other side may have ended it already.
                drop(stream.shutdown(Shutdown::Both));
            }
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Connection {
    /// The next request; `None` at the end of the stream, however it comes.
    pub fn request(&mut self) -> Option<Asked> {
        self.content().map(Asked::of)
    }

    /// What is in the next frame, whatever it is.
    pub fn content(&mut self) -> Option<Vec<u8>> {
        let mut prefix = [0; 4];
        (&*self.stream).read_exact(&mut prefix).ok()?;
        let mut content = vec![0; usize::try_from(i32::from_be_bytes(prefix)).ok()?];
        (&*self.stream).read_exact(&mut content).ok()?;
        Some(content)
    }

    /// Everything until the other side closes.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // What has arrived counts, also before a reset.
        drop((&*self.stream).read_to_end(&mut bytes));
        bytes
    }

    /// Sends, and does not mind when nobody listens any more.
    pub fn send(&mut self, bytes: &[u8]) {
        drop((&*self.stream).write_all(bytes));
    }

    /// One write for each piece between the cuts, which are offsets in ascending order.
    pub fn send_cut(&mut self, bytes: &[u8], cuts: &[usize]) {
        let mut from = 0;
        for &to in cuts.iter().chain([&bytes.len()]) {
            self.send(&bytes[from..to]);
            from = to;
        }
    }

    pub fn send_bytewise(&mut self, bytes: &[u8]) {
        bytes.chunks(1).for_each(|byte| self.send(byte));
    }

    /// Answers with a typed message. A version that the codec does not know is answered by the layout of the highest one that
    /// it knows; that of ApiVersions 5, with which clients of Kafka 4.4 begin, is the one of version 4.
    pub fn answer<M: Encodable + HeaderVersion + Message>(&mut self, asked: &Asked, message: &M) {
        self.send(&frames::response(
            asked.api_version.min(M::VERSIONS.max),
            asked.correlation_id,
            message,
        ));
    }

    pub fn fin(&mut self) {
        drop(self.stream.shutdown(Shutdown::Write));
    }

    /// Ends with a FIN and reads what still comes: closing with unread bytes would send RST.
    pub fn close(mut self) {
        self.fin();
        self.rest();
    }

    /// Ends with RST.
    pub fn reset(self) {
        SockRef::from(&*self.stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
    }
}
