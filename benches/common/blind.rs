//! The two yardsticks, neither of which knows anything of Kafka: a relay that copies, and kproxy's own pump with an
//! inspector that lets everything pass.

use std::io::{self, Write as _};
use std::sync::Arc;

use kproxy::drain::ConnectionTracker;
use kproxy::session::inspect::Blind;
use kproxy::session::pump::{Limits, Pump};
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};

/// Relays to `upstream` until the process is killed. The address is the first line on stdout.
pub(crate) fn run<R, F>(upstream: &str, relay: R) -> io::Result<()>
where
    R: Fn(TcpStream, TcpStream) -> F + Copy + Send + 'static,
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        writeln!(io::stdout(), "{}", listener.local_addr()?)?;
        loop {
            let (client, _) = listener.accept().await?;
            let upstream = upstream.to_owned();
            tokio::spawn(async move {
                let broker = TcpStream::connect(upstream).await?;
                client.set_nodelay(true)?;
                broker.set_nodelay(true)?;
                // Either side going away ends this connection and nothing else.
                relay(client, broker).await
            });
        }
    })
}

/// tokio's copy, both ways in one task, through buffers of `buffer` bytes.
pub(crate) async fn copy(mut client: TcpStream, mut broker: TcpStream, buffer: usize) -> io::Result<()> {
    copy_bidirectional_with_sizes(&mut client, &mut broker, buffer, buffer).await?;
    Ok(())
}

/// kproxy's pump, blindfolded.
pub(crate) async fn pump(client: TcpStream, broker: TcpStream) -> io::Result<()> {
    let peer = client.peer_addr()?;
    let guard = Arc::new(ConnectionTracker::default()).register(0, peer, 0, None);
    let limits = Limits {
        unauthenticated_idle: None,
        authenticated_idle: None,
    };
    Pump::new(
        client,
        broker,
        Blind::default(),
        Vec::new(),
        Arc::clone(guard.handle()),
        limits,
    )
    .await;
    Ok(())
}
