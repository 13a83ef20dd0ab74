//! Requests and answers as filters see them.

use std::borrow::Cow;

use crate::wire::api::Api;
use crate::wire::header::{self, RequestHead};

/// A request, as far as it has arrived.
pub type Request<'a> = FilteredFrame<'a, FromClient>;

/// An answer of the broker, as far as it has arrived.
pub type Response<'a> = FilteredFrame<'a, FromBroker>;

/// What only a request has.
#[derive(Debug, Clone, Copy)]
pub struct FromClient {
    correlation_id: i32,
}

/// What only an answer has: nothing.
#[derive(Debug, Clone, Copy)]
pub struct FromBroker;

/// A [`Request`] or a [`Response`], as far as it has arrived.
#[derive(Debug)]
pub struct FilteredFrame<'a, Sender> {
    api: &'static Api,
    version: i16,
    sender: Sender,
    /// Everything behind the size prefix that has arrived.
    content: Cow<'a, [u8]>,
    /// Position of the body in `content`.
    body_at: usize,
    complete: bool,
    changed: bool,
}

impl<'a> Request<'a> {
    /// The request that begins with `content`, whose body begins at `body_at`. `complete`: all of it has arrived.
    pub fn new(
        api: &'static Api,
        head: RequestHead,
        content: Cow<'a, [u8]>,
        body_at: usize,
        complete: bool,
    ) -> Self {
        let correlation_id = head.correlation_id;
        Self {
            api,
            version: head.api_version,
            sender: FromClient { correlation_id },
            content,
            body_at,
            complete,
            changed: false,
        }
    }

    /// The number that its answer carries.
    pub fn correlation_id(&self) -> i32 {
        self.sender.correlation_id
    }

    /// The client id of its header; `None` if it is null or no text.
    pub fn client_id(&self) -> Option<&str> {
        let client_id = header::client_id(&self.content).ok()???;
        std::str::from_utf8(client_id).ok()
    }
}

impl<'a> Response<'a> {
    /// The answer of this version that begins with `content`, whose body begins at `body_at`. `complete`: all of it has
    /// arrived.
    pub fn new(
        api: &'static Api,
        version: i16,
        content: Cow<'a, [u8]>,
        body_at: usize,
        complete: bool,
    ) -> Self {
        Self {
            api,
            version,
            sender: FromBroker,
            content,
            body_at,
            complete,
            changed: false,
        }
    }
}

impl<'a, Sender> FilteredFrame<'a, Sender> {
    /// Marks it as changed by a filter that decided before it had to wait.
    #[must_use]
    pub fn already_changed(self, changed: bool) -> Self {
        Self { changed, ..self }
    }

    /// The API.
    pub fn api(&self) -> &'static Api {
        self.api
    }

    /// Number of the API.
    pub fn api_key(&self) -> i16 {
        self.api.key
    }

    /// Version of the request and of its answer.
    pub fn version(&self) -> i16 {
        self.version
    }

    /// What has arrived of its body.
    pub fn body(&self) -> &[u8] {
        &self.content[self.body_at..]
    }

    /// Whether all of it has arrived.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Replaces as many bytes as `bytes` has, from position `at` of the body on. False: they have not all arrived, and
    /// nothing is changed.
    #[must_use]
    pub fn patch(&mut self, at: usize, bytes: &[u8]) -> bool {
        let end = (self.body_at + at).checked_add(bytes.len());
        let Some(end) = end.filter(|end| *end <= self.content.len()) else {
            return false;
        };
        self.content.to_mut()[self.body_at + at..end].copy_from_slice(bytes);
        self.changed = true;
        true
    }

    /// Replaces the body of a complete frame. False: it is not complete, and nothing is changed.
    #[must_use]
    pub fn replace_body(&mut self, body: &[u8]) -> bool {
        if !self.complete {
            return false;
        }
        let content = self.content.to_mut();
        content.truncate(self.body_at);
        content.extend_from_slice(body);
        self.changed = true;
        true
    }

    /// Whether a filter has changed it.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// Everything behind the size prefix that has arrived, with all changes.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// See [`Self::content`].
    pub fn into_content(self) -> Cow<'a, [u8]> {
        self.content
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::api::{self, ApiKey};

    fn request(complete: bool) -> Request<'static> {
        let content = b"\0\x03\0\x01\0\0\0\x07\0\x02ab\0\0\0\x01".as_slice();
        let head = header::request_head(content).unwrap();
        Request::new(
            api::api(ApiKey::METADATA).unwrap(),
            head,
            content.into(),
            12,
            complete,
        )
    }

    #[test]
    fn a_request_shows_its_header_and_its_body() {
        let request = request(true);
        assert_eq!((request.api().name, request.version()), ("Metadata", 1));
        assert_eq!((request.correlation_id(), request.client_id()), (7, Some("ab")));
        assert_eq!(request.body(), [0, 0, 0, 1]);
        assert!(request.is_complete() && !request.is_changed());
    }

    #[test]
    fn a_body_is_patched_where_it_has_arrived_and_replaced_where_it_is_complete() {
        let mut partial = request(false);
        assert!(!partial.replace_body(b"x") && !partial.patch(2, b"abc") && !partial.is_changed());
        assert!(partial.patch(2, b"ab") && partial.is_changed());
        assert_eq!(partial.body(), b"\0\0ab");
        let mut complete = request(true);
        assert!(complete.replace_body(b"longer than it was"));
        assert_eq!(complete.body(), b"longer than it was");
        assert_eq!(complete.client_id(), Some("ab"));
    }
}
