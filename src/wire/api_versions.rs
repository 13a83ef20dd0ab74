//! Narrows a broker's ApiVersions answer to what kproxy understands.
//!
//! Body (`ApiVersionsResponse.json`): `err i16 | keys[key i16, min i16, max i16, tags] | throttle i32:1+ | tags`, flexible since version 3. Only
//! maxima are lowered and keys removed. What clients read from the rest, features above all (KIP-584), stays byte
//! for byte.

use super::Malformed;
use super::api::{Api, ApiKey, api, body_is_flexible, highest};
use super::cursor::{ReadError, Reader, Writer};
use super::schema::{self, Direction};

/// A broker that does not know the version asked for answers with this error in the layout of version 0 (KIP-511).
pub const UNSUPPORTED_VERSION: i16 = 35;

/// Smallest element: key, min, max.
const SMALLEST: usize = 2 + 2 + 2;

/// Outcome of [`clamp`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clamped {
    /// The broker's error code.
    pub error: i16,
    /// APIs whose maximum was lowered.
    pub lowered: u32,
    /// APIs removed: unknown to kproxy, not for clients, or with no version in common.
    pub removed: u32,
}

/// Appends the body of an ApiVersions response to `out`, with every range cut to what kproxy understands.
///
/// `version` is that of the request. A minimum stays as the broker gave it: brokers since 4.0 say that Produce
/// begins at 0 although they refuse 0 to 2, because librdkafka gives up compression otherwise (KAFKA-18659).
///
/// Lowering Produce below 12 while the feature `transaction.version` is 2 would break transactional producers
/// (KIP-890), so the feature would have to be removed too. The assertions below rule that out.
///
/// # Errors
/// The body is not what its version says it is; `out` is as it was before.
pub fn clamp(version: i16, body: &[u8], out: &mut Vec<u8>) -> Result<Clamped, Malformed> {
    clamp_to(version, body, &|api| Some((api.min, api.max)), out)
}

/// Appends the body as [`clamp`] does, with every range cut to what `offers` says of the API as well. `None` removes the
/// API. A minimum is raised only where `offers` raises it above what kproxy understands.
///
/// # Errors
/// The body is not what its version says it is; `out` is as it was before.
pub fn clamp_to(
    version: i16,
    body: &[u8],
    offers: &dyn Fn(&Api) -> Option<(i16, i16)>,
    out: &mut Vec<u8>,
) -> Result<Clamped, Malformed> {
    let answer = ApiVersionsAnswer::read(version, body)?;
    let mut clamped = Clamped {
        error: answer.error,
        ..Clamped::default()
    };
    let mut writer = Writer::new(out, answer.flexible);
    writer.i16(answer.error);
    let kept = answer
        .ranges()
        .filter(|range| range.common(offers).is_some())
        .count();
    writer.array_len(kept);
    for range in answer.ranges() {
        let Some((min, max)) = range.common(offers) else {
            continue;
        };
        clamped.lowered += u32::from(max < range.max);
        writer.i16(range.key);
        writer.i16(min);
        writer.i16(max);
        writer.raw(range.tags);
    }
    clamped.removed = (answer.count - kept) as u32;
    writer.raw(answer.suffix);
    Ok(clamped)
}

const _: () = {
    assert!(highest(ApiKey::PRODUCE) >= 12);
    assert!(highest(ApiKey::END_TXN) >= 5);
    assert!(highest(ApiKey::TXN_OFFSET_COMMIT) >= 5);
};

/// The range a broker gives for one API; `None` if it does not list it or the body is malformed.
pub fn version_range(body: &[u8], version: i16, key: i16) -> Option<(i16, i16)> {
    let answer = ApiVersionsAnswer::read(version, body).ok()?;
    answer
        .ranges()
        .find(|range| range.key == key)
        .map(|range| (range.min, range.max))
}

/// Whether a client that was promised one answer is wrong about a broker that gives the other: an API is missing there, or
/// has fewer versions. A body that does not parse is wrong.
pub fn is_narrower(version: i16, promised: &[u8], actual: &[u8]) -> bool {
    let (Ok(promised), Ok(actual)) = (
        ApiVersionsAnswer::read(version, promised),
        ApiVersionsAnswer::read(version, actual),
    ) else {
        return true;
    };
    promised.error != actual.error
        || promised.ranges().any(|promised| {
            let mut same = actual.ranges().filter(|range| range.key == promised.key);
            same.next()
                .is_none_or(|actual| actual.min > promised.min || actual.max < promised.max)
        })
}

/// The cluster and the node that a client expects, from the body of an ApiVersions request (KIP-1242); null and −1 if it does
/// not say.
///
/// # Errors
/// The body is not what its version says it is.
pub fn expected_place(version: i16, body: &[u8]) -> Result<(Option<&[u8]>, i32), Malformed> {
    const FIRST_WITH_NODE: i16 = schema::first_with(ApiKey::API_VERSIONS, Direction::Request, &["node_id"]);
    if version < FIRST_WITH_NODE {
        return Ok((None, -1));
    }
    let mut reader = Reader::new(body, true);
    let mut read = || -> Result<_, ReadError> {
        reader.string()?;
        reader.string()?;
        Ok((reader.nullable_string()?, reader.i32()?))
    };
    Ok(read()?)
}

/// The body of an answer to ApiVersions that says nothing but this error.
pub fn error_body(version: i16, error: i16) -> Vec<u8> {
    let mut body = Vec::new();
    let mut writer = Writer::new(&mut body, body_is_flexible(ApiKey::API_VERSIONS, version));
    writer.i16(error);
    writer.array_len(0);
    if version >= 1 {
        writer.i32(0);
    }
    writer.no_tags();
    body
}

/// Appends a whole frame that answers an ApiVersions request of a version that kproxy does not know, as a broker does
/// (KIP-511): the client asks again on the same connection, with a version it may use.
pub fn local_unsupported(correlation_id: i32, out: &mut Vec<u8>) {
    const LEN: i32 = 4 + 2 + 4 + SMALLEST as i32;
    let mut writer = Writer::new(out, false);
    writer.i32(LEN);
    writer.i32(correlation_id);
    writer.i16(UNSUPPORTED_VERSION);
    writer.array_len(1);
    writer.i16(ApiKey::API_VERSIONS);
    writer.i16(0);
    writer.i16(const { highest(ApiKey::API_VERSIONS) });
}

/// The fields of an answer's body.
struct ApiVersionsAnswer<'a> {
    error: i16,
    flexible: bool,
    count: usize,
    ranges: &'a [u8],
    suffix: &'a [u8],
}

struct Range<'a> {
    key: i16,
    min: i16,
    max: i16,
    tags: &'a [u8],
}

impl<'a> ApiVersionsAnswer<'a> {
    fn read(version: i16, body: &'a [u8]) -> Result<Self, Malformed> {
        let error = Reader::new(body, false).i16()?;
        let flexible = body_is_flexible(ApiKey::API_VERSIONS, version) && error != UNSUPPORTED_VERSION;
        let mut reader = Reader::new(body, flexible);
        reader.skip(2)?;
        let count = reader.array_len(SMALLEST)?;
        let start = reader.position();
        for _ in 0..count {
            Range::read(&mut reader)?;
        }
        Ok(Self {
            error,
            flexible,
            count,
            ranges: reader.since(start),
            suffix: reader.rest(),
        })
    }

    fn ranges(&self) -> impl Iterator<Item = Range<'a>> + use<'a> {
        let mut reader = Reader::new(self.ranges, self.flexible);
        (0..self.count).map_while(move |_| Range::read(&mut reader).ok())
    }
}

impl<'a> Range<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, ReadError> {
        let (key, min, max) = (reader.i16()?, reader.i16()?, reader.i16()?);
        let start = reader.position();
        reader.tags()?;
        Ok(Self {
            key,
            min,
            max,
            tags: reader.since(start),
        })
    }

    /// The lowest and the highest version to tell the client; `None` if both sides know none in common.
    fn common(&self, offers: &dyn Fn(&Api) -> Option<(i16, i16)>) -> Option<(i16, i16)> {
        let known = api(self.key)?;
        let (lowest, highest) = offers(known)?;
        let max = self.max.min(known.max).min(highest);
        let raised = lowest > known.min;
        let min = if raised { self.min.max(lowest) } else { self.min };
        (self.min.max(known.min).max(lowest) <= max).then_some((min, max))
    }
}
