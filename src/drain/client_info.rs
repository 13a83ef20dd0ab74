//! What became known of a session's client, apart from what it does.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::tls::NegotiatedTls;
use crate::wire::proxy_protocol::ProxyHeader;

/// Written by the session's own task, a few times at most; read by whoever looks. A session of which nothing is known
/// pays two words.
#[derive(Debug, Default)]
pub struct ClientInfo(Mutex<Option<Box<ClientInfoFields>>>);

#[derive(Debug, Default)]
struct ClientInfoFields {
    tls: Option<Arc<TlsFacts>>,
    proxied: Option<Arc<ProxiedFacts>>,
    sasl: Option<Arc<SaslFacts>>,
}

/// The TLS between client and kproxy, once its handshake is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// The host name the client asked for (RFC 6066 §3).
    pub sni: Option<Arc<str>>,
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    pub cipher: &'static str,
    /// The handshake continued an earlier session.
    pub resumed: bool,
    /// Of the client's certificate, if it showed one (RFC 4514).
    pub client_subject: Option<Arc<str>>,
    /// All of it, to be judged again when the rules change.
    pub negotiated: Arc<NegotiatedTls>,
}

/// What a PROXY header said, beside the address that became the session's client address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxiedFacts {
    /// The client, where the load balancer says.
    pub client: Option<SocketAddr>,
    /// Who sent it: the load balancer.
    pub peer: SocketAddr,
    /// The host name the client asked the load balancer for.
    pub authority: Option<Box<str>>,
    /// Of the client's certificate, where the load balancer found it good.
    pub common_name: Option<Box<str>>,
}

/// An authentication that the broker accepted; of a mechanism that takes who knows how many rounds, the first of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaslFacts {
    /// As IANA lists them: `PLAIN`, `SCRAM-SHA-512`.
    pub mechanism: Box<str>,
    /// The name that was authenticated, where it can be seen passing: PLAIN, SCRAM and OAUTHBEARER.
    pub principal: Option<Box<str>>,
}

impl ProxiedFacts {
    /// Of a header that `peer` sent.
    pub fn of(peer: SocketAddr, header: &ProxyHeader) -> Self {
        let tls = header.tls.as_ref().filter(|tls| tls.verified);
        Self {
            client: header.addresses.as_ref().map(|addresses| addresses.source),
            peer,
            authority: header.authority.as_deref().map(Into::into),
            common_name: tls.and_then(|tls| tls.common_name.as_deref()).map(Into::into),
        }
    }
}

impl ClientInfo {
    /// Said once; what is said later does not count.
    pub fn note_tls(&self, tls: TlsFacts) {
        self.note(|known| {
            known.tls.get_or_insert_with(|| Arc::new(tls));
        });
    }

    pub fn tls(&self) -> Option<Arc<TlsFacts>> {
        self.lock().as_ref()?.tls.clone()
    }

    /// Said once; what is said later does not count.
    pub fn note_proxied(&self, proxied: ProxiedFacts) {
        self.note(|known| {
            known.proxied.get_or_insert_with(|| Arc::new(proxied));
        });
    }

    pub fn proxied(&self) -> Option<Arc<ProxiedFacts>> {
        self.lock().as_ref()?.proxied.clone()
    }

    /// Takes the place of an earlier one: clients authenticate anew before their credentials expire (KIP-368).
    pub fn note_sasl(&self, sasl: SaslFacts) {
        self.note(|known| known.sasl = Some(Arc::new(sasl)));
    }

    pub fn sasl(&self) -> Option<Arc<SaslFacts>> {
        self.lock().as_ref()?.sasl.clone()
    }

    fn note(&self, note: impl FnOnce(&mut ClientInfoFields)) {
        note(self.lock().get_or_insert_default());
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<ClientInfoFields>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::proxy_protocol::{ProxiedTls, Version};

    /// What a plaintext session pays for what others know.
    #[test]
    fn what_is_not_known_costs_next_to_nothing() {
        assert!(size_of::<ClientInfo>() <= 16, "{}", size_of::<ClientInfo>());
    }

    #[test]
    fn an_authentication_replaces_the_one_before_and_a_handshake_does_not() {
        let facts = ClientInfo::default();
        for (mechanism, version) in [("PLAIN", "TLSv1.3"), ("SCRAM-SHA-512", "TLSv1.2")] {
            facts.note_sasl(SaslFacts {
                mechanism: mechanism.into(),
                principal: None,
            });
            facts.note_tls(TlsFacts {
                sni: None,
                version,
                cipher: "TLS13_AES_256_GCM_SHA384",
                resumed: false,
                client_subject: None,
                negotiated: Arc::new(NegotiatedTls {
                    version: rustls::ProtocolVersion::TLSv1_3,
                    suite: rustls::CipherSuite::TLS13_AES_256_GCM_SHA384,
                    resumed: false,
                    client_chain: None,
                }),
            });
        }
        assert_eq!(&*facts.sasl().unwrap().mechanism, "SCRAM-SHA-512");
        assert_eq!(facts.tls().unwrap().version, "TLSv1.3");
    }

    #[test]
    fn a_name_that_the_load_balancer_did_not_verify_is_not_kept() {
        let header = |verified| ProxyHeader {
            version: Version::V2,
            addresses: None,
            authority: Some("a.example".into()),
            tls: Some(ProxiedTls {
                version: None,
                common_name: Some("billing".into()),
                verified,
            }),
            unique_id: None,
        };
        let peer = SocketAddr::from(([192, 0, 2, 1], 1));
        let facts = |verified| ProxiedFacts::of(peer, &header(verified));
        assert_eq!(facts(true).common_name.as_deref(), Some("billing"));
        assert_eq!(facts(false).common_name, None);
        assert_eq!(facts(false).authority.as_deref(), Some("a.example"));
    }
}
