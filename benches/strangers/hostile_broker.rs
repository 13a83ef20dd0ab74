//! A broker that names thousands of nodes and gives huge answers, to anybody who asks.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// Nodes that its Metadata answer names.
const NODES: i32 = 20_000;
/// Coordinators that one FindCoordinator answer names, with keys of [`KEY`] bytes: 15 MB, which a proxy that rewrites
/// addresses holds whole.
const COORDINATORS: usize = 480;
const KEY: usize = 32_000;

const METADATA: i16 = 3;
const FIND_COORDINATOR: i16 = 10;
const API_VERSIONS: i16 = 18;

/// Serves for the rest of the process's life.
///
/// # Errors
/// When no port can be bound.
pub(crate) fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let answers = Arc::new(Answers {
        metadata: metadata(),
        coordinators: coordinators(address.port()),
    });
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let answers = Arc::clone(&answers);
            // A client that goes ends its connection and nothing else.
            thread::spawn(move || serve(stream, &answers).ok());
        }
    });
    Ok(address)
}

/// Bodies behind the correlation id.
struct Answers {
    metadata: Vec<u8>,
    coordinators: Vec<u8>,
}

fn serve(mut stream: TcpStream, answers: &Answers) -> io::Result<()> {
    loop {
        let mut size = [0; 4];
        stream.read_exact(&mut size)?;
        let mut request = vec![0; u32::from_be_bytes(size) as usize];
        stream.read_exact(&mut request)?;
        let (key, id) = (i16::from_be_bytes([request[0], request[1]]), &request[4..8]);
        let nothing = [0; 2];
        let body = match key {
            METADATA => &answers.metadata[..],
            FIND_COORDINATOR => &answers.coordinators[..],
            API_VERSIONS => &[0, 0, 0, 0, 0, 0][..],
            _ => &nothing[..],
        };
        stream.write_all(&((body.len() + 4) as u32).to_be_bytes())?;
        stream.write_all(id)?;
        stream.write_all(body)?;
    }
}

/// Metadata v1: brokers, controller, no topics. Every node is said to be at an address of its own.
fn metadata() -> Vec<u8> {
    let mut body = NODES.to_be_bytes().to_vec();
    for id in 0..NODES {
        body.extend(id.to_be_bytes());
        let host = format!("127.{}.{}.1", 1 + id / 256, id % 256);
        body.extend((host.len() as u16).to_be_bytes());
        body.extend(host.as_bytes());
        body.extend(9092_i32.to_be_bytes());
        // No rack.
        body.extend((-1_i16).to_be_bytes());
    }
    body.extend(0_i32.to_be_bytes());
    body.extend(0_i32.to_be_bytes());
    body
}

/// FindCoordinator v4.
fn coordinators(port: u16) -> Vec<u8> {
    // Header tags, throttle time.
    let mut body = vec![0, 0, 0, 0, 0];
    varint(&mut body, COORDINATORS + 1);
    for _ in 0..COORDINATORS {
        varint(&mut body, KEY + 1);
        body.resize(body.len() + KEY, b'k');
        body.extend(0_i32.to_be_bytes());
        body.extend(b"\x0a127.0.0.1");
        body.extend(i32::from(port).to_be_bytes());
        // No error, no message, no tags.
        body.extend([0, 0, 0, 0]);
    }
    body.push(0);
    body
}

fn varint(body: &mut Vec<u8>, mut value: usize) {
    while value > 127 {
        body.push((value & 127) as u8 | 128);
        value >>= 7;
    }
    body.push(value as u8);
}
