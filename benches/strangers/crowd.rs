//! Connections that an attacker keeps open.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Between two looks at whether connections are still there.
const LOOK: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(1);

/// Keeps `count` connections open that have said `words` and read nothing, until `stop`. One that is closed is opened anew.
pub(crate) fn keep_open(address: SocketAddr, count: usize, words: &[u8], stop: &AtomicBool) {
    let mut crowd: Vec<TcpStream> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        crowd.retain(is_there);
        while crowd.len() < count && !stop.load(Ordering::Relaxed) {
            match opened(address, words) {
                Some(stream) => crowd.push(stream),
                None => break,
            }
        }
        thread::sleep(LOOK);
    }
}

fn opened(address: SocketAddr, words: &[u8]) -> Option<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    // What does not fit into the kernel's buffers is not sent; that is the attack.
    stream.write_all(words).ok();
    stream.set_nonblocking(true).ok()?;
    Some(stream)
}

/// Sees an end only where nothing unread stands before it.
fn is_there(stream: &TcpStream) -> bool {
    let mut byte = [0];
    match stream.peek(&mut byte) {
        Ok(read) => read > 0,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

/// Connects, says what `words` makes of a running number, waits for the end and comes again, until `stop`.
pub(crate) fn come_again(address: SocketAddr, words: impl Fn(u64) -> Vec<u8>, stop: &AtomicBool) {
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let Ok(mut stream) = TcpStream::connect_timeout(&address, PATIENCE) else {
            continue;
        };
        stream.set_read_timeout(Some(PATIENCE)).ok();
        // An alert, an end or a reset: all the same.
        let said = stream.write_all(&words(number));
        said.and_then(|()| stream.read(&mut [0; 64])).ok();
    }
}
