//! Resumption with client certificates: a ticket is worth no more than the client would be in a full handshake.
//!
//! A ticket vouches for a client whose certificate was verified when the TLS session began. Certificates expire, so
//! the certificate is verified again whenever a ticket comes back. If it fails, the ticket is ignored and the
//! handshake continues as a full one, in which the client may send a newer certificate and otherwise gets an alert.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ProducesTickets;
use rustls::server::danger::ClientCertVerifier;

/// Tickets of a gateway that verifies client certificates.
#[derive(Debug)]
pub(super) struct RecheckedTickets {
    pub(super) tickets: Arc<dyn ProducesTickets>,
    pub(super) verifier: Arc<dyn ClientCertVerifier>,
}

impl ProducesTickets for RecheckedTickets {
    fn enabled(&self) -> bool {
        self.tickets.enabled()
    }

    fn lifetime(&self) -> u32 {
        self.tickets.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.tickets.encrypt(plain)
    }

    /// Decrypts a ticket; `None` leads to a full handshake.
    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let plain = self.tickets.decrypt(ticket)?;
        self.holds(&plain, UnixTime::now()).then_some(plain)
    }
}

impl RecheckedTickets {
    fn holds(&self, plain: &[u8], now: UnixTime) -> bool {
        match TicketChain::of(plain) {
            TicketChain::Unknown => false,
            TicketChain::None => !self.verifier.client_auth_mandatory(),
            TicketChain::Shown(chain) => match chain.as_slice() {
                [own, intermediates @ ..] => {
                    self.verifier.verify_client_cert(own, intermediates, now).is_ok()
                }
                [] => false,
            },
        }
    }
}

/// Certificates that a client sent when the session of a ticket began.
#[derive(Debug, PartialEq, Eq)]
enum TicketChain<'a> {
    /// The ticket does not have the expected layout.
    Unknown,
    None,
    Shown(Vec<CertificateDer<'a>>),
}

impl<'a> TicketChain<'a> {
    /// Reads the inside of a rustls ticket (`ServerSessionValue`) up to the certificates: host name, version and
    /// suite, master secret and its kind. The layout belongs to rustls; a test compares it with the version in use,
    /// and with another layout no session is resumed.
    fn of(plain: &'a [u8]) -> Self {
        Self::read(plain).unwrap_or(Self::Unknown)
    }

    fn read(mut plain: &'a [u8]) -> Option<Self> {
        let plain = &mut plain;
        if flag(plain)? {
            sized::<1>(plain)?;
        }
        take(plain, 4)?;
        sized::<1>(plain)?;
        flag(plain)?;
        if !flag(plain)? {
            return Some(Self::None);
        }
        let mut list = sized::<3>(plain)?;
        let mut chain = Vec::new();
        while !list.is_empty() {
            chain.push(CertificateDer::from(sized::<3>(&mut list)?));
        }
        Some(Self::Shown(chain))
    }
}

fn take<'a>(from: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(taken)
}

fn flag(from: &mut &[u8]) -> Option<bool> {
    match take(from, 1)? {
        [0] => Some(false),
        [1] => Some(true),
        _ => None,
    }
}

/// A vector with a length prefix of `BYTES` bytes (RFC 8446 §3.4).
fn sized<'a, const BYTES: usize>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take(from, BYTES)?
        .iter()
        .fold(0, |length, byte| length << 8 | usize::from(*byte));
    take(from, length)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use rcgen::{CertificateParams, Issuer, KeyPair};
    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use rustls::server::WebPkiClientVerifier;
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

    use super::*;
    use crate::pki::provider;

    /// Keeps what it is to seal.
    #[derive(Debug, Default)]
    struct OpenedTicket(Mutex<Vec<Vec<u8>>>);

    impl ProducesTickets for OpenedTicket {
        fn enabled(&self) -> bool {
            true
        }

        fn lifetime(&self) -> u32 {
            60
        }

        fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
            self.0.lock().unwrap().push(plain.to_vec());
            Some(plain.to_vec())
        }

        fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
            Some(ticket.to_vec())
        }
    }

    struct World {
        server: ServerConfig,
        client: ClientConfig,
        shown: CertificateDer<'static>,
        tickets: Arc<OpenedTicket>,
        verifier: Arc<dyn ClientCertVerifier>,
        /// When the client's certificate expires, in seconds since 1970.
        until: u64,
    }

    fn world(version: &'static rustls::SupportedProtocolVersion, shows: bool) -> World {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap().der().clone();
        let issuer = Issuer::new(params, key);
        let own = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["kafka.test".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2040, 1, 1);
        let until = u64::try_from(params.not_after.unix_timestamp()).unwrap();
        let shown = params.signed_by(&own, &issuer).unwrap().der().clone();
        let private = || PrivateKeyDer::Pkcs8(own.serialize_der().into());
        let mut roots = RootCertStore::empty();
        roots.add(root).unwrap();
        let roots = Arc::new(roots);
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), provider())
            .allow_unauthenticated()
            .build()
            .unwrap();
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_client_cert_verifier(Arc::clone(&verifier))
            .with_single_cert(vec![shown.clone()], private())
            .unwrap();
        let tickets = Arc::new(OpenedTicket::default());
        server.ticketer = Arc::clone(&tickets) as Arc<dyn ProducesTickets>;
        let client = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        let client = match shows {
            true => client
                .with_client_auth_cert(vec![shown.clone()], private())
                .unwrap(),
            false => client.with_no_client_auth(),
        };
        World {
            server,
            client,
            shown,
            tickets,
            verifier,
            until,
        }
    }

    fn shake(client: &Arc<ClientConfig>, server: &Arc<ServerConfig>) {
        let name = ServerName::try_from("kafka.test").unwrap();
        let mut client = ClientConnection::new(Arc::clone(client), name).unwrap();
        let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
        while client.is_handshaking() || server.is_handshaking() || server.wants_write() {
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).unwrap();
            }
            server.read_tls(&mut wire.as_slice()).unwrap();
            server.process_new_packets().unwrap();
            wire.clear();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            client.read_tls(&mut wire.as_slice()).unwrap();
            client.process_new_packets().unwrap();
        }
    }

    /// What this version of rustls puts into a ticket is what is read here.
    #[test]
    fn the_certificates_are_found_where_rustls_puts_them() {
        for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
            for shows in [true, false] {
                for sni in [true, false] {
                    let World {
                        server,
                        mut client,
                        shown,
                        tickets,
                        ..
                    } = world(version, shows);
                    client.enable_sni = sni;
                    shake(&Arc::new(client), &Arc::new(server));
                    let plain = tickets.0.lock().unwrap().pop().expect("a ticket");
                    let expected = match shows {
                        true => TicketChain::Shown(vec![shown]),
                        false => TicketChain::None,
                    };
                    assert_eq!(TicketChain::of(&plain), expected, "{version:?} {sni}");
                }
            }
        }
    }

    #[test]
    fn a_ticket_holds_as_long_as_the_certificate_does() {
        for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
            let world = world(version, true);
            shake(&Arc::new(world.client), &Arc::new(world.server));
            let judged = RecheckedTickets {
                tickets: Arc::clone(&world.tickets) as Arc<dyn ProducesTickets>,
                verifier: world.verifier,
            };
            let at = |seconds| UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
            let plain = world.tickets.0.lock().unwrap().pop().expect("a ticket");
            assert!(judged.holds(&plain, at(world.until - 60)));
            assert!(!judged.holds(&plain, at(world.until + 60)));
            for cut in 0..plain.len().min(300) {
                assert!(!judged.holds(&plain[..cut], at(world.until - 60)), "cut at {cut}");
            }
        }
    }
}
