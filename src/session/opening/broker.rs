//! The broker connection of a new session, and the PROXY header sent on it.

use std::net::SocketAddr;
use std::sync::Arc;

use super::HandshakeInfo;
use crate::session::cause::Fault;
use crate::session::context::{EndpointBinding, NodeRole};
use crate::session::inspect::Learning;
use crate::session::limits::ran_out_of_descriptors;
use crate::session::upstream::login::ClientIdentity;
use crate::session::upstream::{ConnectError, NodeUpstream, ProxyPreamble, Upstream};
use crate::tls::NegotiatedTls;
use crate::wire::proxy_protocol::{self, Extras, TlsExtras};

/// Connects to the broker of the endpoint.
pub(in crate::session) async fn connect(
    binding: &EndpointBinding,
    preamble: &ProxyPreamble,
) -> Result<(Upstream, Option<Learning>), Fault> {
    let timeout = binding.cluster.process.network().connect_timeout;
    let target = &binding.cluster.target;
    let connected = match binding.node {
        NodeRole::Bootstrap => target
            .connect_bootstrap(timeout, preamble)
            .await
            .map(|upstream| (upstream, None)),
        NodeRole::Node(node) => target
            .connect_node(node, timeout, preamble)
            .await
            .map(|upstream| match upstream {
                NodeUpstream::Broker(upstream) => (upstream, None),
                NodeUpstream::LearnFrom(upstream) => {
                    let learning = Learning::over(upstream.address.clone());
                    (upstream, Some(learning))
                }
            }),
    };
    connected.map_err(|error| {
        if let ConnectError::Local(error) = &error {
            ran_out_of_descriptors(error);
        }
        Fault::new(error.cause(), error.to_string())
    })
}

impl HandshakeInfo {
    /// Address of the client: from the PROXY header where there is one, else of the socket's peer.
    pub(super) fn client(&self, peer: SocketAddr) -> SocketAddr {
        let addresses = self.header.as_ref().and_then(|header| header.addresses.as_ref());
        addresses.map_or(peer, |addresses| addresses.source)
    }

    /// The PROXY header for the broker, as the gateway's `proxyProtocol.upstream` asks for.
    pub(super) fn preamble(&self, binding: &EndpointBinding, client: SocketAddr) -> ProxyPreamble {
        let negotiated = self.negotiated.as_deref();
        // The target may get a login while the session lives.
        let principal = negotiated.and_then(NegotiatedTls::subject);
        let identity = Arc::new(ClientIdentity::certified(principal));
        let Some(version) = binding.gateway.proxy_protocol.upstream else {
            return ProxyPreamble {
                client: identity,
                ..ProxyPreamble::default()
            };
        };
        let header = self.header.as_ref();
        let told = header.and_then(|header| header.addresses.as_ref());
        let local = told
            .map(|addresses| addresses.destination)
            .or(self.local)
            .unwrap_or(client);
        let subject = self.negotiated.as_deref().and_then(NegotiatedTls::common_name);
        let authority = header.and_then(|header| header.authority.as_deref());
        let extras = Extras {
            authority: self.server_name.as_deref().or(authority),
            tls: self.negotiated.as_deref().map(|negotiated| TlsExtras {
                version: negotiated.version_name(),
                cipher: negotiated.suite_name(),
                common_name: subject.as_deref(),
                verified: negotiated.client_chain.is_some(),
                resumed: negotiated.resumed,
            }),
        };
        ProxyPreamble {
            session: proxy_protocol::encode(version, client, local, Some(&extras)),
            own: proxy_protocol::encode_local(version),
            client: identity,
            first_request: Vec::new(),
        }
    }
}
