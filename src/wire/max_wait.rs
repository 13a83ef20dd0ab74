//! `max_wait_ms`: how long a broker may hold back the answer to a Fetch or ShareFetch that finds less than `min_bytes`
//! (`FetchRequest.json`, `ShareFetchRequest.json`).

use super::Malformed;
use super::api::{Api, ApiKey, MaxWaitPosition};
use super::cursor::{ReadError, Reader, unless_incomplete};
use super::header;
use super::schema::{self, Direction};

/// Bytes of the field.
pub const MAX_WAIT_LEN: usize = 4;

/// First version of Fetch without `replica_id` before the field: a replica sends its id in a tagged field (KIP-903).
const FETCH_FIRST_WITHOUT_REPLICA: i16 =
    schema::first_without(ApiKey::FETCH, Direction::Request, &["replica_id"]);

/// Position of the field in a request, behind the size prefix, and its value in milliseconds; `None` if it has not
/// arrived or the API has none.
///
/// # Errors
/// What precedes it is not what the version says it is.
pub fn max_wait(frame: &[u8], api: &Api, version: i16) -> Result<Option<(usize, i32)>, Malformed> {
    let (Some(position), Some(body)) = (api.max_wait, header::request_body(frame, api, version)?) else {
        return Ok(None);
    };
    let mut reader = Reader::new(&frame[body..], api.request_is_flexible(version));
    let found =
        skip_to(position, &mut reader, version).and_then(|()| Ok((body + reader.position(), reader.i32()?)));
    unless_incomplete(found)
}

fn skip_to(position: MaxWaitPosition, reader: &mut Reader<'_>, version: i16) -> Result<(), ReadError> {
    match position {
        MaxWaitPosition::AfterReplicaId if version >= FETCH_FIRST_WITHOUT_REPLICA => Ok(()),
        MaxWaitPosition::AfterReplicaId => reader.skip(4),
        MaxWaitPosition::AfterShareSession => {
            reader.nullable_string()?;
            reader.nullable_string()?;
            reader.skip(4)
        }
    }
}
