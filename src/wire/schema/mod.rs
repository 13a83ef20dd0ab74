//! Every request and answer by the schemas of Kafka itself: checked, searched, edited and built without decoding.
//!
//! The tables (`table.rs`) are written by `testkit/schemas` out of Kafka's own jars. They hold for every API that the
//! newest release has, in every version down to 0, so that brokers and clients of before Kafka 4.0 are understood too.
//!
//! * [`Message::read`] walks a whole body once and refuses it if a length, a count or a tagged field is wrong: the *shape
//!   walk*. It allocates nothing and is the bound that has to stand before any decoder.
//! * [`Message::names`] gives what names a topic, a group or a transaction, with its place.
//!   [`MarkedNames::arriving`] does so while the body is still arriving, without waiting for records.
//! * [`Message::root`] reads fields by their names in the schemas, in snake case (`throttle_time_ms`), with their places.
//! * [`Splice`] makes another body of a message: values replaced, elements of arrays removed or added. Everything else
//!   stays as it is, byte by byte.
//! * [`Draft`] builds a body of any API and version from values by name, with the schema's defaults for the rest.
//!
//! ```
//! use kproxy::wire::schema::{Direction, Draft, Message, Splice};
//!
//! let mut draft = Draft::new(3, Direction::Response, 12).unwrap();
//! draft.push("topics").set("name", "orders");
//! draft.push("topics").set("name", "secret").set("error_code", 0);
//! let body = draft.encode();
//!
//! let message = Message::read(3, Direction::Response, 12, &body).unwrap();
//! let mut splice = Splice::new(&message);
//! for topic in message.root().array("topics") {
//!     if topic.text("name") == Some("secret") {
//!         splice.set_int(&topic.field("error_code").unwrap(), 29);
//!     }
//! }
//! let body = splice.finish();
//! # let message = Message::read(3, Direction::Response, 12, &body).unwrap();
//! # assert_eq!(message.root().array("topics").nth(1).unwrap().int("error_code"), Some(29));
//! ```

mod draft;
mod editable;
mod fields;
mod kind;
mod marked;
mod row;
mod since;
mod splice;
#[rustfmt::skip]
mod table;
mod view;
mod walk;

pub use draft::{Draft, DraftValue};
pub use editable::Editable;
pub use fields::{PlainFields, structure_text};
pub use kind::NameKind;
pub use marked::{MarkedName, MarkedNames, NamesLeft};
pub use since::{first_flexible, first_with, first_with_host, first_without};
pub use splice::Splice;
pub use view::{Elements, FieldValue, Structure, Values};

use super::Malformed;
use row::{MessageRow, NO_VERSION};
use table::MESSAGES;
use walk::{Encoding, ShapeWalk};

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// From the client to the broker.
    Request,
    /// From the broker to the client.
    Response,
}

/// A body that has passed the shape walk: every length and count in it is true, and it ends where its schema says.
///
/// Texts are not checked for UTF-8, because brokers do not check it either: what reads a text says so itself.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    body: &'a [u8],
    row: &'static MessageRow,
    encoding: Encoding,
    decoded: usize,
}

impl<'a> Message<'a> {
    /// Walks the body of a frame: what is behind the header of the request or response.
    ///
    /// # Errors
    /// The tables do not know this API and version, or the body is not what they say.
    pub fn read(api_key: i16, direction: Direction, version: i16, body: &'a [u8]) -> Result<Self, Malformed> {
        let (row, encoding) =
            find(api_key, direction, version).ok_or(Malformed::new("message: its version is not known"))?;
        let mut walk = ShapeWalk::new(body, 0, encoding);
        walk.structure(row.root, &mut ())?;
        if walk.remaining() > 0 {
            return Err(Malformed::new("body: bytes after its end"));
        }
        Ok(Self {
            body,
            row,
            encoding,
            decoded: walk.decoded,
        })
    }

    /// The body itself.
    pub const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Number of the API.
    pub const fn api_key(&self) -> i16 {
        self.row.api
    }

    /// Which way it goes.
    pub const fn direction(&self) -> Direction {
        self.row.direction
    }

    /// Version of the API.
    pub const fn version(&self) -> i16 {
        self.encoding.version as i16
    }

    /// Whether lengths are compact and structures end in tagged fields (KIP-482).
    pub const fn is_flexible(&self) -> bool {
        self.encoding.flexible
    }

    /// Estimate of the memory that a decoder takes for it, in bytes, texts and records not counted: to be compared with a
    /// budget before decoding.
    pub const fn decoded_size(&self) -> usize {
        self.decoded
    }

    /// The fields of the body.
    pub const fn root(&self) -> Structure<'a> {
        Structure::root(self.body, self.row.root, self.encoding)
    }

    /// What in it names a topic, a group or a transaction, in the order of the wire.
    pub fn names(&self) -> MarkedNames<'a> {
        MarkedNames::new(self.body, self.row.root, self.encoding)
    }
}

/// Versions of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageVersions {
    /// The lowest one.
    pub first: i16,
    /// The highest one.
    pub last: i16,
    /// The first one with compact lengths and tagged fields (KIP-482); `None` if there is none.
    pub first_flexible: Option<i16>,
}

/// The versions of an API, by its requests; `None` if the tables do not know it. For constants too.
pub const fn request_versions(api_key: i16) -> Option<MessageVersions> {
    let mut found: Option<MessageVersions> = None;
    let mut at = 0;
    while at < MESSAGES.len() {
        let row = &MESSAGES[at];
        if row.api == api_key && matches!(row.direction, Direction::Request) {
            let first = match found {
                Some(versions) => versions.first,
                None => row.first as i16,
            };
            found = Some(MessageVersions {
                first,
                last: row.last as i16,
                first_flexible: if row.first_flexible == NO_VERSION {
                    None
                } else {
                    Some(row.first_flexible as i16)
                },
            });
        }
        at += 1;
    }
    found
}

/// Largest number of an API in the tables.
pub const HIGHEST_KEY: i16 = MESSAGES[MESSAGES.len() - 1].api;

/// Name of an API in Kafka's schemas.
pub fn name(api_key: i16) -> Option<&'static str> {
    Some(rows(api_key, Direction::Request).next()?.name)
}

/// Whether some version of a message has a place for a name of a topic, group or transaction, or for the id of a topic.
pub fn has_names(api_key: i16, direction: Direction) -> bool {
    rows(api_key, direction).any(|row| row.root.has_names)
}

/// Numbers of all APIs in the tables, ascending.
pub fn api_keys() -> impl Iterator<Item = i16> {
    let mut last = None;
    MESSAGES
        .iter()
        .map(|row| row.api)
        .filter(move |api| last.replace(*api) != Some(*api))
}

/// The rows of one message, lowest versions first: they are sorted by API and direction.
fn rows(api_key: i16, direction: Direction) -> impl Iterator<Item = &'static MessageRow> {
    let start = MESSAGES.partition_point(|row| (row.api, row.direction) < (api_key, direction));
    let rows = MESSAGES.get(start..).unwrap_or_default().iter();
    rows.take_while(move |row| (row.api, row.direction) == (api_key, direction))
}

/// The row of a message in one version.
fn find(api_key: i16, direction: Direction, version: i16) -> Option<(&'static MessageRow, Encoding)> {
    let version = u8::try_from(version).ok()?;
    let row = rows(api_key, direction).find(|row| row.first <= version && version <= row.last)?;
    let flexible = version >= row.first_flexible;
    Some((row, Encoding { version, flexible }))
}

#[cfg(test)]
mod tests;
