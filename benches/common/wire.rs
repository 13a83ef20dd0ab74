//! What the load client and the stub broker talk over: plain TCP, or whatever a benchmark puts around it.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

const CHUNK: usize = 256 * 1024;

thread_local! {
    /// Every connection of a process reads into the same memory: nobody keeps what was read.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; CHUNK].into_boxed_slice());
}

/// One end of a connection.
pub(crate) trait Wire {
    /// Reads once and shows what came to `consume`, in as many pieces as it takes; 0 is the peer's end.
    fn poll_chunk(&mut self, cx: &mut Context<'_>, consume: impl FnMut(&[u8])) -> Poll<io::Result<usize>>;

    /// Takes some of `slices`; how many bytes.
    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Ready when all that was taken has gone to the kernel.
    fn poll_drained(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl Wire for TcpStream {
    fn poll_chunk(
        &mut self,
        cx: &mut Context<'_>,
        mut consume: impl FnMut(&[u8]),
    ) -> Poll<io::Result<usize>> {
        poll_read_once(self, cx, |bytes| {
            consume(bytes);
            Ok(bytes.len())
        })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match slices {
            [only] => Pin::new(self).poll_write(cx, only),
            _ => Pin::new(self).poll_write_vectored(cx, slices),
        }
    }

    fn poll_drained(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// One large read into the memory all connections share.
pub(crate) fn poll_read_once<T>(
    stream: &mut TcpStream,
    cx: &mut Context<'_>,
    consume: impl FnOnce(&[u8]) -> io::Result<T>,
) -> Poll<io::Result<T>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
        Poll::Ready(consume(buffer.filled()))
    })
}
