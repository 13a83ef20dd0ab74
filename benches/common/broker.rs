//! The stub broker: answers every request with the bytes a real one could send, and as little work as possible.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::task::Poll;

use kafka_protocol::messages::{FetchRequest, MetadataRequest, SyncGroupRequest};
use kafka_protocol::protocol::Request;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::frames;
use super::outbox::{Outbox, Template};
use super::scan::FrameScanner;
use super::wire::Wire;

/// Enough of a request to know its answer: the header and the fixed fields a Fetch body begins with.
const HEAD: usize = 64;
/// Answers waiting for one client before the broker stops reading from it.
const BACKLOG: usize = 256;
/// Partitions of each topic in a Metadata answer.
const PARTITIONS: i32 = 100;

/// Serves until the process is killed. The address is the first line on stdout.
///
/// Metadata lists `topics` topics of 100 partitions each.
pub(crate) fn run(topics: usize) -> io::Result<()> {
    super::process::run_local(async {
        let listener = listen()?;
        writeln!(io::stdout(), "{}", listener.local_addr()?)?;
        accept(listener, topics, async |stream| Ok(stream)).await
    })?
}

/// A port of its own, where as many may wait to be accepted as the system allows: a broker that yields to others shall
/// not be the one that drops connections.
pub(crate) fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
    socket.listen(u16::MAX.into())
}

/// Serves what `listener` accepts, each connection once `ready` has made of it what answers are sent over.
pub(crate) async fn accept<W: Wire + 'static>(
    listener: TcpListener,
    topics: usize,
    ready: impl AsyncFn(TcpStream) -> io::Result<W> + 'static,
) -> io::Result<()> {
    let ready = Rc::new(ready);
    let known = Rc::new(RefCell::new(HashMap::new()));
    let port = listener.local_addr()?.port();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answers = Answers {
            port,
            topics,
            known: Rc::clone(&known),
            last: None,
        };
        let ready = Rc::clone(&ready);
        // A client that goes away ends its connection and nothing else.
        tokio::task::spawn_local(async move { serve(ready(stream).await?, answers).await });
    }
}

async fn serve(mut stream: impl Wire, mut answers: Answers) -> io::Result<()> {
    let mut scanner = FrameScanner::<HEAD>::new();
    let mut outbox = Outbox::default();
    poll_fn(|cx| {
        loop {
            let flushed = outbox.poll_flush(&mut stream, cx)?;
            if flushed.is_pending() && outbox.waiting() >= BACKLOG {
                return Poll::Pending;
            }
            let mut unknown = None;
            let read = stream.poll_chunk(cx, |bytes| {
                scanner.feed(bytes, |head, frame_len| match answers.to(head, frame_len) {
                    Ok((template, correlation_id)) => outbox.push(template, correlation_id),
                    Err(error) => unknown = Some(error),
                });
            });
            match (unknown, read) {
                (Some(error), _) => return Poll::Ready(Err(error)),
                (None, Poll::Ready(Ok(0))) => return Poll::Ready(Ok(())),
                (None, Poll::Ready(Ok(_))) => {}
                (None, Poll::Ready(Err(error))) => return Poll::Ready(Err(error)),
                (None, Poll::Pending) => return Poll::Pending,
            }
        }
    })
    .await
}

/// What decides an answer: api key, version, size.
type Question = (i16, i16, usize);

/// The answers that were needed so far, and the one this connection needed last: nearly always the next one too.
struct Answers {
    port: u16,
    topics: usize,
    known: Rc<RefCell<HashMap<Question, Template>>>,
    last: Option<(Question, Template)>,
}

impl Answers {
    fn to(&mut self, head: &[u8], frame_len: usize) -> io::Result<(&Template, i32)> {
        let [_, _, _, _, k0, k1, v0, v1, c0, c1, c2, c3, ..] = *head else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a request without a header",
            ));
        };
        let (api_key, version) = (i16::from_be_bytes([k0, k1]), i16::from_be_bytes([v0, v1]));
        let size = match api_key {
            FetchRequest::KEY => frames::fetch_max_bytes(version, head).unwrap_or(0),
            SyncGroupRequest::KEY => frame_len,
            _ => 0,
        };
        let question = (api_key, version, size);
        if self.last.as_ref().is_none_or(|(last, _)| *last != question) {
            self.last = Some((question, self.template(question)?));
        }
        match &self.last {
            Some((_, template)) => Ok((template, i32::from_be_bytes([c0, c1, c2, c3]))),
            None => Err(io::Error::other("no answer")),
        }
    }

    fn template(&self, question: Question) -> io::Result<Template> {
        let mut known = self.known.borrow_mut();
        if let Some(template) = known.get(&question) {
            return Ok(template.clone());
        }
        let (api_key, version, size) = question;
        let frame = match api_key {
            MetadataRequest::KEY => {
                frames::metadata_response(version, &[self.port], self.topics, PARTITIONS)?
            }
            _ => frames::answer(api_key, version, size, self.port)?,
        };
        let template = Template::response(frame);
        known.insert(question, template.clone());
        Ok(template)
    }
}
