//! Live sessions, as data: the JSON of `/connections`, and what commands read it into.

use serde::{Deserialize, Serialize};

use crate::control::status::{ProxyStatus, ReportedAddress, Word};
use crate::control::steering::unknown_cluster;
use crate::drain::ClientInfo;

/// Sessions that a question is about; `None` means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionFilter {
    /// Name of the virtual cluster.
    pub cluster: Option<String>,
    /// Client id of the first request.
    pub client_id: Option<String>,
    /// Sessions that began with this generation of their cluster, or that a change which ended none of them has brought
    /// to it: what `status` shows beside the cluster.
    pub generation: Option<u64>,
}

impl ConnectionFilter {
    /// Whether the filter accepts a session that began with generation `began` of a cluster that has generation `now`.
    pub(in crate::control) fn has_generation(&self, began: u64, now: u64) -> bool {
        self.generation
            .is_none_or(|wanted| wanted == began || wanted == now)
    }

    /// Message for a cluster or generation that does not exist. `None` if both exist, and no session passes.
    pub fn unknown(&self, status: &ProxyStatus) -> Option<String> {
        let names: Vec<&str> = status
            .clusters
            .iter()
            .map(|cluster| cluster.name.as_str())
            .collect();
        if let Some(cluster) = self.cluster.as_deref().filter(|cluster| !names.contains(cluster)) {
            return Some(unknown_cluster(cluster, &names));
        }
        let running = status.generation;
        let wanted = self.generation.filter(|wanted| !(1..=running).contains(wanted))?;
        Some(format!(
            "there is no generation {wanted}; generation {running} runs"
        ))
    }
}

/// One live session, in the JSON of `/connections`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ConnectionInfo {
    /// Number of the session in the log.
    pub id: u64,
    /// Name of the virtual cluster.
    pub cluster: String,
    /// Name of the gateway.
    pub gateway: String,
    /// `bootstrap` or a node id.
    pub node: String,
    /// Address of the client: that of a PROXY header, where there was one.
    pub client: ReportedAddress,
    /// Client id of the first request; absent until there was one, and for clients that send none.
    pub client_id: Option<String>,
    /// Name and version, from ApiVersions v3 and later (KIP-511).
    pub software: Option<String>,
    /// Generation that had last changed the virtual cluster when the session began.
    pub generation: u64,
    /// Requests that await their response.
    pub in_flight: u64,
    /// Time since the client connected.
    pub age_seconds: f64,
    /// Bytes read from the client.
    pub client_bytes: u64,
    /// Bytes read from the broker.
    pub broker_bytes: u64,
    /// Requests so far.
    pub requests: u64,
    /// What is known of the client.
    #[serde(flatten)]
    pub known: ClientDetails,
    /// Name of the [`SessionState`](crate::drain::SessionState): `open`, `draining`, …
    pub state: Word,
}

/// What is known of a session's client. A field is absent until it is known, and for clients that do not send it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClientDetails {
    /// Host name in the TLS hello of the client.
    pub sni: Option<String>,
    /// The TLS session; `None`: plaintext.
    pub tls: Option<TlsDetails>,
    /// Distinguished name of the client's certificate.
    pub client_subject: Option<String>,
    /// Contents of the PROXY header, beside the client's address.
    pub proxied: Option<ProxiedDetails>,
    /// SASL mechanism that the client has chosen.
    pub sasl_mechanism: Option<String>,
    /// Name of the client: the one that SASL has shown, else the one that `subjectBuilder` makes of its certificate.
    pub principal: Option<String>,
}

/// What a TLS handshake agreed on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TlsDetails {
    /// Protocol version: `TLSv1.3`.
    pub version: Word,
    /// Cipher suite.
    pub cipher: Word,
    /// Whether the handshake resumed an earlier TLS session.
    pub resumed: bool,
}

/// What a PROXY header says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProxiedDetails {
    /// Address of the load balancer.
    pub peer: ReportedAddress,
    /// Host name that the client asked the load balancer for.
    pub authority: Option<String>,
    /// Common name of the client's certificate, which the load balancer has verified.
    pub common_name: Option<String>,
}

impl ClientDetails {
    pub(in crate::control) fn of(facts: &ClientInfo) -> Self {
        let (tls, sasl, proxied) = (facts.tls(), facts.sasl(), facts.proxied());
        let tls = tls.as_deref();
        Self {
            sni: tls.and_then(|tls| tls.sni.as_deref()).map(Into::into),
            tls: tls.map(|tls| TlsDetails {
                version: tls.version.into(),
                cipher: tls.cipher.into(),
                resumed: tls.resumed,
            }),
            client_subject: tls.and_then(|tls| tls.client_subject.as_deref()).map(Into::into),
            proxied: proxied.as_deref().map(|proxied| ProxiedDetails {
                peer: proxied.peer.into(),
                authority: proxied.authority.as_deref().map(Into::into),
                common_name: proxied.common_name.as_deref().map(Into::into),
            }),
            sasl_mechanism: sasl.as_deref().map(|sasl| sasl.mechanism.as_ref().into()),
            principal: facts.user_name().map(|name| (*name).to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drain::{ProxiedFacts, SaslFacts, TlsFacts};

    #[test]
    fn all_that_is_known_is_told() {
        let facts = ClientInfo::default();
        assert_eq!(ClientDetails::of(&facts), ClientDetails::default());
        facts.note_tls(TlsFacts {
            sni: Some("orders.example.com".into()),
            version: "TLSv1.3",
            cipher: "TLS13_AES_256_GCM_SHA384",
            resumed: true,
            client_subject: Some("CN=billing".into()),
            principals: [].into(),
            negotiated: std::sync::Arc::new(crate::tls::NegotiatedTls {
                version: rustls::ProtocolVersion::TLSv1_3,
                suite: rustls::CipherSuite::TLS13_AES_256_GCM_SHA384,
                resumed: false,
                client_chain: None,
            }),
        });
        facts.note_proxied(ProxiedFacts {
            client: None,
            peer: ([192, 0, 2, 1], 7).into(),
            authority: Some("outer.example.com".into()),
            common_name: None,
        });
        facts.note_sasl(SaslFacts {
            mechanism: "PLAIN".into(),
            principal: Some("alice".into()),
        });
        let told = serde_json::to_value(ClientDetails::of(&facts)).unwrap();
        let expected = serde_json::json!({
            "sni": "orders.example.com",
            "tls": {"version": "TLSv1.3", "cipher": "TLS13_AES_256_GCM_SHA384", "resumed": true},
            "client_subject": "CN=billing",
            "proxied": {"peer": "192.0.2.1:7", "authority": "outer.example.com", "common_name": null},
            "sasl_mechanism": "PLAIN",
            "principal": "alice",
        });
        assert_eq!(told, expected);
    }
}
