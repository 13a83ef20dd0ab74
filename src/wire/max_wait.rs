//! `MaxWaitMs`: how long a broker may keep a Fetch or ShareFetch that finds too little to answer with.

use super::Malformed;
use super::api::{Api, ApiKey};
use super::cursor::{ReadError, Reader, unless_incomplete};
use super::header;

/// Bytes of the field.
pub const MAX_WAIT_LEN: usize = 4;

/// Since this version a Fetch has the id of a replica that asks in a tagged field (KIP-903), before the wait until
/// then.
const FETCH_FIRST_WITHOUT_REPLICA: i16 = 15;

/// Whether requests of this API have the field.
pub const fn has_max_wait(api_key: i16) -> bool {
    matches!(api_key, ApiKey::FETCH | ApiKey::SHARE_FETCH)
}

/// Where the field is in a request, behind the size prefix, and its value in milliseconds; `None` if it has not
/// arrived.
///
/// # Errors
/// What precedes it is not what the version says it is.
pub fn max_wait(frame: &[u8], api: &Api, version: i16) -> Result<Option<(usize, i32)>, Malformed> {
    debug_assert!(has_max_wait(api.key));
    let Some(body) = header::request_body(frame, api, version)? else {
        return Ok(None);
    };
    let mut reader = Reader::new(&frame[body..], api.request_is_flexible(version));
    let found = skip_what_precedes(&mut reader, api.key, version)
        .and_then(|()| Ok((body + reader.position(), reader.i32()?)));
    unless_incomplete(found)
}

fn skip_what_precedes(reader: &mut Reader<'_>, api_key: i16, version: i16) -> Result<(), ReadError> {
    match api_key {
        ApiKey::FETCH if version >= FETCH_FIRST_WITHOUT_REPLICA => Ok(()),
        ApiKey::FETCH => reader.skip(4),
        _ => {
            // Group, member, and the epoch of the share session.
            reader.nullable_string()?;
            reader.nullable_string()?;
            reader.skip(4)
        }
    }
}
