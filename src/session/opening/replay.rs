//! The ApiVersions request of a client that was answered before there was a broker, put to the broker: it learns of the
//! client's software (KIP-511) and checks the client's idea of the cluster (KIP-1242), and kproxy learns whether it promised
//! too much.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::drain::Activity;
use crate::filter::Chain;
use crate::session::cause::{CloseCause, Fault};
use crate::session::context::EndpointBinding;
use crate::session::transport::Stream;
use crate::session::upstream::{Promise, Upstream};
use crate::wire::api::{Api, ApiKey};
use crate::wire::error_code::ErrorCode;
use crate::wire::frame::{self, MIN_RESPONSE, SIZE_LEN};
use crate::wire::header::{self, RequestHead};
use crate::wire::{api_versions, probe};

/// Largest answer that is read, in bytes.
const MAX_ANSWER: u32 = 1 << 20;

/// The correlation id of a request that is put to a broker again. No client uses it: they count from 0 upwards.
const AGAIN_CORRELATION_ID: i32 = i32::MIN;

/// An ApiVersions request and what kproxy has answered.
#[derive(Debug)]
pub(in crate::session) struct Introduction {
    frame: Vec<u8>,
    head: RequestHead,
    /// The cluster id that the client expects.
    cluster: Option<Vec<u8>>,
    /// The answer.
    promised: Arc<Promise>,
}

impl Introduction {
    /// The request whose frame, without its size, is `content`.
    pub(super) fn new(
        content: &[u8],
        head: RequestHead,
        cluster: Option<Vec<u8>>,
        promised: Arc<Promise>,
    ) -> Self {
        let size = (content.len() as u32).to_be_bytes();
        Self {
            frame: [&size, content].concat(),
            head,
            cluster,
            promised,
        }
    }

    /// The request of a client that has been promised something and is to say again who it is.
    pub(in crate::session) fn again(promise: Arc<Promise>, activity: &Activity) -> Self {
        let head = RequestHead {
            api_key: ApiKey::API_VERSIONS,
            api_version: promise.version,
            correlation_id: AGAIN_CORRELATION_ID,
        };
        let software = activity.software().and_then(|software| software.split_once(' '));
        let software = software.unwrap_or((probe::CLIENT_ID, env!("CARGO_PKG_VERSION")));
        let client_id = activity.client_id().unwrap_or_default();
        let mut frame = Vec::new();
        probe::introduction(
            client_id,
            software,
            head.api_version,
            head.correlation_id,
            &mut frame,
        );
        Self {
            frame,
            head,
            cluster: None,
            promised: promise,
        }
    }

    /// What the client was answered.
    pub(super) fn promise(&self) -> Arc<Promise> {
        Arc::clone(&self.promised)
    }

    /// The whole request.
    pub(in crate::session) fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Compares what the broker answers to the request with what was promised. Puts the request to it if that has not been
    /// done: `answer`, without its size, is empty then.
    ///
    /// # Errors
    /// Why the session cannot go on: the broker offers less than it was promised to.
    pub(in crate::session) async fn check(
        &self,
        upstream: &mut Upstream,
        binding: &EndpointBinding,
        chain: Option<&Chain>,
        timeout: Duration,
    ) -> Result<(), Fault> {
        let answer = match std::mem::take(&mut upstream.first_answer) {
            answer if answer.is_empty() => {
                let asked = tokio::time::timeout(timeout, self.ask(&mut upstream.stream)).await;
                asked.unwrap_or_else(|_| {
                    let why = "no answer to ApiVersions in time";
                    Err(Fault::new(CloseCause::UpstreamUnreachable, why))
                })?
            }
            answer => answer,
        };
        if header::response_correlation_id(&answer) != Some(self.head.correlation_id) {
            let why = "the answer to ApiVersions carries another correlation id";
            return Err(Fault::new(CloseCause::CorrelationMismatch, why));
        }
        // Its header has no tagged fields in any version (KIP-511).
        self.compare(&answer[4..], binding, chain)
    }

    fn compare(&self, body: &[u8], binding: &EndpointBinding, chain: Option<&Chain>) -> Result<(), Fault> {
        let version = self.head.api_version;
        let offers = &binding.cluster.target.offers;
        let error = header::error_code_at_start(body).unwrap_or_default();
        if let Some(cluster) = &self.cluster
            && matches!(error, 0 | ErrorCode::REBOOTSTRAP_REQUIRED)
        {
            offers.learn_cluster(cluster, error == 0);
        }
        if error == ErrorCode::REBOOTSTRAP_REQUIRED {
            let why = "the broker belongs to another cluster or node than the client expects";
            return Err(Fault::new(CloseCause::ApiVersionsNarrowed, why));
        }
        offers.learn(binding.node, version, body.into());
        let mut actual = Vec::new();
        let offered = |api: &Api| chain.map_or(Some((api.min, api.max)), |chain| chain.offers(api));
        api_versions::clamp_to(version, body, &offered, &mut actual).map_err(Fault::malformed_response)?;
        match api_versions::is_narrower(version, &self.promised.body, &actual) {
            true => Err(Fault::new(
                CloseCause::ApiVersionsNarrowed,
                "the broker offers less than it did when the client asked; the client comes back",
            )),
            false => Ok(()),
        }
    }

    async fn ask(&self, broker: &mut Stream) -> Result<Vec<u8>, Fault> {
        let broken = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                Fault::new(CloseCause::UpstreamClosedEarly, "no answer to ApiVersions")
            }
            _ => Fault::broken(CloseCause::UpstreamReset, &error),
        };
        broker.write_all(&self.frame).await.map_err(broken)?;
        broker.flush().await.map_err(broken)?;
        let mut prefix = [0; SIZE_LEN];
        broker.read_exact(&mut prefix).await.map_err(broken)?;
        let size = frame::size(prefix, MIN_RESPONSE, MAX_ANSWER).map_err(Fault::response_size)?;
        let mut answer = Vec::new();
        broker
            .take(size.into())
            .read_to_end(&mut answer)
            .await
            .map_err(broken)?;
        Ok(answer)
    }
}
