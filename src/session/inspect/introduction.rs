//! Who the client says it is: told once, at its first requests, for whoever looks at the sessions.

use super::kafka::KafkaInspector;
use crate::wire::api::{Api, ApiKey};
use crate::wire::header;

/// Longest client id that is kept, in bytes; the rest of a longer one is of no use to anybody.
const MAX_CLIENT_ID: usize = 255;

/// Longest name or version of a client's software that is kept.
const MAX_SOFTWARE: usize = 64;

/// Takes in what the request whose beginning is `here` (without its size) says about its sender.
#[cold]
pub(super) fn take(session: &mut KafkaInspector, api: &Api, version: i16, here: &[u8]) {
    let Ok(Some(client_id)) = header::client_id(here) else {
        return;
    };
    session.introduced = true;
    let handle = &session.handle;
    if let Some(client_id) = client_id {
        handle.activity.identify(&beginning(client_id, MAX_CLIENT_ID));
    }
    if api.key == ApiKey::API_VERSIONS
        && let Ok(Some(start)) = header::request_body(here, api, version)
        && let Ok(Some(software)) = header::software(&here[start..], version)
        && !software.name.is_empty()
    {
        let (name, version) = (
            beginning(software.name, MAX_SOFTWARE),
            beginning(software.version, MAX_SOFTWARE),
        );
        handle.activity.identify_software(&name, &version);
    }
}

fn beginning(bytes: &[u8], most: usize) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(most)]).into_owned()
}
