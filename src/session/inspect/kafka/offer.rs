//! The APIs and versions that kproxy offers: requests for any other are not forwarded.

use crate::session::cause::{CloseCause, Fault};
use crate::wire::api::{self, ApiKey};
use crate::wire::frame::{REQUEST_HEAD_LEN, SIZE_LEN};
use crate::wire::header::{self, RequestHead};

/// Judges whether a first request that begins with `bytes` can be forwarded or answered at all, before a broker is
/// connected to. Its size has been judged already.
///
/// # Errors
/// [`CloseCause::UnsupportedApi`]: the API or its version is not one that kproxy offers.
pub fn judge_head(bytes: &[u8; REQUEST_HEAD_LEN]) -> Result<(), Fault> {
    match header::request_head(&bytes[SIZE_LEN..]) {
        Some(head) if !is_offered(head) => Err(unsupported(head)),
        _ => Ok(()),
    }
}

/// Whether a request is forwarded or answered by kproxy, as far as its API and version decide.
pub(super) fn is_offered(head: RequestHead) -> bool {
    api::api(head.api_key).is_some_and(|api| api.supports(head.api_version)) || is_answered_by_kproxy(head)
}

/// Whether kproxy answers a request of a version that it does not know: ApiVersions gets an answer in every version
/// (KIP-511).
pub(super) fn is_answered_by_kproxy(head: RequestHead) -> bool {
    head.api_key == ApiKey::API_VERSIONS && head.api_version >= 0
}

/// The fault of a request that is not offered.
#[cold]
pub(super) fn unsupported(head: RequestHead) -> Fault {
    let name = api::name_of(head.api_key).unwrap_or("an unknown API");
    Fault::new(
        CloseCause::UnsupportedApi,
        format!(
            "request for {name} (key {}) version {}",
            head.api_key, head.api_version
        ),
    )
}
