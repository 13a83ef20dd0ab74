//! The client's id and software, taken from its first requests for the list of sessions.

use crate::drain::SessionHandle;
use crate::wire::api::{Api, ApiKey};
use crate::wire::header;

/// Longest client id that is kept, in bytes; a longer one is cut.
const MAX_CLIENT_ID: usize = 255;

/// Longest name or version of a client's software that is kept, in bytes; a longer one is cut.
const MAX_SOFTWARE: usize = 64;

/// Notes in `handle` what the request whose beginning is `content` (without its size) says about its sender: the client
/// id, and name and version of the software in an ApiVersions request (KIP-511). Returns whether the client id has
/// arrived.
#[cold]
pub fn note(handle: &SessionHandle, api: &Api, version: i16, content: &[u8]) -> bool {
    let Ok(Some(client_id)) = header::client_id(content) else {
        return false;
    };
    if let Some(client_id) = client_id {
        handle.activity.identify(&beginning(client_id, MAX_CLIENT_ID));
    }
    if api.key == ApiKey::API_VERSIONS
        && let Ok(Some(start)) = header::request_body(content, api, version)
        && let Ok(Some(software)) = header::software(&content[start..], version)
        && !software.name.is_empty()
    {
        let (name, version) = (
            beginning(software.name, MAX_SOFTWARE),
            beginning(software.version, MAX_SOFTWARE),
        );
        handle.activity.identify_software(&name, &version);
    }
    true
}

fn beginning(bytes: &[u8], most: usize) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(most)]).into_owned()
}
