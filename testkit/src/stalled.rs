//! Clients that do not read, and a broker that gives them more than anybody's buffers take.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use socket2::{Domain, SockRef, Socket, Type};

use super::broker::{Broker, Connection};
use super::client::Client;
use super::frames;

/// Bytes of a large answer behind its size.
pub const BIG: usize = 4 << 20;

/// A broker that answers correlation id 1 with `alive`, and any other with [`BIG`] bytes.
pub fn generous(alive: &'static [u8]) -> Broker {
    Broker::start(move |mut connection: Connection| {
        // So that it is kproxy that holds what its client does not read, not the kernel.
        SockRef::from(&*connection.stream)
            .set_send_buffer_size(64 * 1024)
            .unwrap();
        while let Some(asked) = connection.request() {
            if asked.correlation_id == 1 {
                connection.send(&frames::raw_response(1, alive));
                continue;
            }
            let head = [(BIG as i32).to_be_bytes(), asked.correlation_id.to_be_bytes()].concat();
            connection.send(&head);
            connection.send(&vec![0; BIG - 4]);
        }
    })
}

/// An address of this machine that no connection has had. Of those that had some, Linux remembers how much went at once (`ip
/// tcp_metrics`), and the send buffer of the next one begins with megabytes.
fn unmeasured_address() -> SocketAddr {
    static USED: AtomicU32 = AtomicU32::new(0);
    let number = USED.fetch_add(1, Ordering::Relaxed);
    let [_, _, high, low] = (number % 60_000 + 1).to_be_bytes();
    let process = 64 + std::process::id() % 128;
    SocketAddr::from(([127, process as u8, high, low], 0))
}

/// A client that sends `request`, reads nothing, and makes the kernel hold as little as possible for it.
pub fn stalled(address: SocketAddr, request: &[u8]) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    // The send buffer at the other end begins as a multiple of the segment size.
    socket.set_tcp_mss(1024).unwrap();
    socket.bind(&unmeasured_address().into()).unwrap();
    socket.connect(&address.into()).unwrap();
    let mut client = Client::over(socket.into());
    client.send(request);
    client
}
