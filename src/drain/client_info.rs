//! Facts about a session's client that become known while the session is opened: TLS, PROXY header, SASL.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{Principal, TerminatedProof};
use crate::tls::NegotiatedTls;
use crate::wire::proxy_protocol::ProxyHeader;

/// Facts about one client. The session's own task writes them, a few times at most; any thread may read. A session
/// without any of them pays two words.
#[derive(Debug, Default)]
pub struct ClientInfo(Mutex<Option<Box<ClientInfoFields>>>);

#[derive(Debug, Default)]
struct ClientInfoFields {
    tls: Option<Arc<TlsFacts>>,
    proxied: Option<Arc<ProxiedFacts>>,
    sasl: Option<Arc<SaslFacts>>,
    login: Option<Arc<TerminatedProof>>,
}

/// The TLS session between client and kproxy, known once its handshake is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFacts {
    /// The host name that the client asked for (RFC 6066 §3).
    pub sni: Option<Arc<str>>,
    /// Protocol version: `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// Name of the cipher suite (RFC 8446 §B.4, RFC 5246).
    pub cipher: &'static str,
    /// Whether the handshake resumed an earlier TLS session.
    pub resumed: bool,
    /// Subject of the client's certificate, if it sent one (RFC 4514).
    pub client_subject: Option<Arc<str>>,
    /// Users that the subject builder of the virtual cluster makes of that certificate.
    pub principals: Arc<[Principal]>,
    /// The complete result of the handshake, kept so that it can be checked again when the rules change.
    pub negotiated: Arc<NegotiatedTls>,
}

/// Contents of a PROXY protocol header other than the client's address, which the session already has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxiedFacts {
    /// Address of the client as the load balancer reports it; `None` for a LOCAL header.
    pub client: Option<SocketAddr>,
    /// Address of the sender of the header: the load balancer.
    pub peer: SocketAddr,
    /// Host name that the client asked the load balancer for (`PP2_TYPE_AUTHORITY`).
    pub authority: Option<Box<str>>,
    /// Common name of the client's certificate, if the load balancer verified that certificate.
    pub common_name: Option<Box<str>>,
}

/// An authentication that the broker accepted. For a mechanism with an unknown number of rounds: its first round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaslFacts {
    /// Mechanism name from the IANA registry, such as `PLAIN` or `SCRAM-SHA-512`.
    pub mechanism: Box<str>,
    /// Authenticated name, where the exchange shows it: PLAIN, SCRAM and OAUTHBEARER.
    pub principal: Option<Box<str>>,
}

impl ProxiedFacts {
    /// Facts from a header that `peer` sent.
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
    /// Stores the result of the TLS handshake. A second call changes nothing.
    pub fn note_tls(&self, tls: TlsFacts) {
        self.note(|known| {
            known.tls.get_or_insert_with(|| Arc::new(tls));
        });
    }

    /// The result of the TLS handshake, if there was one.
    pub fn tls(&self) -> Option<Arc<TlsFacts>> {
        self.lock().as_ref()?.tls.clone()
    }

    /// Stores the contents of the PROXY header. A second call changes nothing.
    pub fn note_proxied(&self, proxied: ProxiedFacts) {
        self.note(|known| {
            known.proxied.get_or_insert_with(|| Arc::new(proxied));
        });
    }

    /// The contents of the PROXY header, if there was one.
    pub fn proxied(&self) -> Option<Arc<ProxiedFacts>> {
        self.lock().as_ref()?.proxied.clone()
    }

    /// Stores an authentication in place of an earlier one: clients authenticate again before their credentials
    /// expire (KIP-368).
    pub fn note_sasl(&self, sasl: SaslFacts) {
        self.note(|known| known.sasl = Some(Arc::new(sasl)));
    }

    /// The newest accepted authentication, if there was one.
    pub fn sasl(&self) -> Option<Arc<SaslFacts>> {
        self.lock().as_ref()?.sasl.clone()
    }

    /// Stores an authentication at kproxy itself, kept so that it can be checked again when users change.
    pub fn note_login(&self, login: Arc<TerminatedProof>) {
        self.note(|known| known.login = Some(login));
    }

    /// The newest authentication at kproxy itself, if there was one.
    pub fn login(&self) -> Option<Arc<TerminatedProof>> {
        self.lock().as_ref()?.login.clone()
    }

    /// The name of the client: the one that SASL has shown, else the first user of its certificate.
    pub fn user_name(&self) -> Option<Arc<str>> {
        let known = self.lock();
        let known = known.as_ref()?;
        match &known.sasl {
            Some(sasl) => sasl.principal.as_deref().map(Arc::from),
            None => Some(Arc::clone(&known.tls.as_ref()?.principals.first()?.name)),
        }
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
                principals: [].into(),
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
