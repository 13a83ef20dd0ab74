//! Answers without an end, read line by line.

use std::ops::ControlFlow;
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Method, Request, Response};

use super::{Client, ClientError, RequestTarget, SERVER_NAME, lost, poll_fn, understand};
use crate::admin::answer::JSON_LINES;
use crate::admin::event_stream::HEARTBEAT;

/// Time without a byte after which the process is taken for dead: it sends an empty line from time to time.
const SILENCE: Duration = HEARTBEAT.saturating_mul(6);

/// Size of the longest line.
const MAX_LINE: usize = 64 << 20;

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEnd {
    /// The process has ended it.
    Ended,
    /// The reader has had enough.
    Left,
}

impl Client {
    /// Asks for the stream at `target`, and gives each line to `on_line` until that says enough, or the stream ends. Empty
    /// lines are left out.
    ///
    /// # Errors
    /// [`ClientError`] as for [`Client::get`]; [`ClientError::TimedOut`] if the process is silent for too long.
    pub fn stream(
        &mut self,
        target: &RequestTarget,
        on_line: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<StreamEnd, ClientError> {
        let request = Request::builder()
            .method(Method::GET)
            .uri(target.as_str())
            .header(HOST, "localhost")
            .header(USER_AGENT, SERVER_NAME)
            .body(String::new())
            .map_err(|error| ClientError::Lost(error.to_string()))?;
        let requests = &mut self.requests;
        self.runtime.block_on(async {
            requests.ready().await.map_err(lost)?;
            let answer = requests.send_request(request);
            let answer = tokio::time::timeout(SILENCE, answer)
                .await
                .map_err(|_| ClientError::TimedOut)?
                .map_err(lost)?;
            if answer
                .headers()
                .get(CONTENT_TYPE)
                .is_none_or(|kind| kind != JSON_LINES)
            {
                return Err(not_a_stream(answer).await);
            }
            read_lines(answer.into_body(), on_line).await
        })
    }
}

/// The reason for an answer that is no stream.
async fn not_a_stream(answer: Response<Incoming>) -> ClientError {
    match understand(answer).await {
        Ok(_) => ClientError::Lost("the answer is no stream of events".into()),
        Err(error) => error,
    }
}

async fn read_lines(
    mut body: Incoming,
    mut on_line: impl FnMut(&str) -> ControlFlow<()>,
) -> Result<StreamEnd, ClientError> {
    let mut unread = Vec::new();
    loop {
        let frame = poll_fn(|context| std::pin::Pin::new(&mut body).poll_frame(context));
        let Some(frame) = tokio::time::timeout(SILENCE, frame)
            .await
            .map_err(|_| ClientError::TimedOut)?
        else {
            return Ok(StreamEnd::Ended);
        };
        let Ok(bytes) = frame.map_err(lost)?.into_data() else {
            continue;
        };
        unread.extend_from_slice(&bytes);
        while let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = unread.drain(..=end).collect();
            let line = String::from_utf8_lossy(line.trim_ascii());
            if !line.is_empty() && on_line(&line).is_break() {
                return Ok(StreamEnd::Left);
            }
        }
        if unread.len() > MAX_LINE {
            return Err(ClientError::Lost("a line of the answer is too long".into()));
        }
    }
}
