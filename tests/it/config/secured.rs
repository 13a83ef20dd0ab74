//! Point 10, and files with certificates for the other points.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use kproxy::model::{
    self, BindIp, ClientAuth, Gateway, IdentifiedBy, Loaded, ProxyModel, ProxyProtocolMode,
    ProxyProtocolVersion, UpstreamTrust,
};
use kproxy::pki::{Identity, Negotiation};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa,
    KeyIdMethod, KeyPair, SerialNumber, date_time_ymd,
};
use tempfile::TempDir;

use super::text;

/// 2026-01-01, between the dates of everything here that is valid.
pub(crate) const NOW: i64 = 1_767_225_600;

/// A directory with `proxy.yaml`, and a CA that certifies into it.
pub(crate) struct Fixture {
    pub(crate) directory: TempDir,
    ca: CertifiedIssuer<'static, KeyPair>,
}

impl Fixture {
    /// With `ca.pem`, `tls.crt` and `tls.key` for `*.k.example.com`, and an empty `crl.pem`.
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "ca");
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let fixture = Self {
            directory: tempfile::tempdir().unwrap(),
            ca,
        };
        fixture.write("ca.pem", fixture.ca.pem());
        fixture.certify("tls", &["*.k.example.com", "localhost"], (2020, 2040));
        fixture.write("crl.pem", fixture.revocation_list(2040));
        fixture
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
        self.allow(name, 0o600);
    }

    pub(crate) fn allow(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        String::from_utf8(fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// `NAME.crt` and `NAME.key`, valid from one year to another.
    pub(crate) fn certify(&self, name: &str, hosts: &[&str], (from, to): (i32, i32)) {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).unwrap();
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(to, 1, 1);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.ca).unwrap();
        self.write(&format!("{name}.crt"), certificate.pem());
        self.write(&format!("{name}.key"), key.serialize_pem());
    }

    pub(crate) fn revocation_list(&self, next: i32) -> String {
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(next, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.ca).unwrap().pem().unwrap()
    }

    pub(crate) fn load(&self, yaml: &str) -> Loaded {
        self.write("proxy.yaml", yaml);
        model::load_all(&self.path("proxy.yaml"))
    }

    pub(crate) fn model(&self, yaml: &str) -> ProxyModel {
        let model = self.load(yaml).model;
        model.unwrap_or_else(|diagnostics| panic!("{}", text(&diagnostics)))
    }

    /// The violations, with paths relative to the directory.
    pub(crate) fn errors(&self, yaml: &str) -> String {
        self.relative(&text(&self.load(yaml).model.expect_err("accepted")))
    }

    pub(crate) fn warnings(&self, yaml: &str, now: i64) -> String {
        let loaded = self.load(yaml);
        loaded
            .model
            .unwrap_or_else(|diagnostics| panic!("{}", text(&diagnostics)));
        self.relative(&text(&loaded.warnings.at(now)))
    }

    fn relative(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.directory.path().display()), "")
    }
}

/// One cluster `orders` with these gateways, one to a line from line 5 on.
pub(crate) fn gateways(gateways: &[&str]) -> String {
    let mut yaml =
        "virtualClusters:\n  - name: Orders\n    targetCluster: {bootstrapServers: \"127.0.0.1:1\"}\n    gateways:\n"
            .to_owned();
    for gateway in gateways {
        yaml.push_str(&format!("      - {{{gateway}}}\n"));
    }
    yaml
}

/// A port gateway with this TLS.
pub(crate) fn with_tls(tls: &str) -> String {
    gateways(&[&format!(
        "name: g, portIdentifiesNode: {{bootstrapAddress: \"localhost:9192\"}}, tls: {{{tls}}}"
    )])
}

pub(crate) const KEY: &str = "key: {certificateFile: tls.crt, privateKeyFile: tls.key}";

fn gateway(model: &ProxyModel, index: usize) -> &Gateway {
    &model.clusters["Orders"].gateways[index]
}

fn sni(name: &str, bootstrap: &str, pattern: &str, more: &str) -> String {
    format!(
        "name: {name}, sniHostIdentifiesNode: {{bootstrapAddress: \"{bootstrap}\", advertisedBrokerAddressPattern: \
         \"{pattern}\"}}, tls: {{{KEY}}}{more}"
    )
}

/// Promise 10.
#[test]
fn a_gateway_by_host_names_knows_its_names_in_lower_case() {
    let fixture = Fixture::new();
    let model = fixture.model(&gateways(&[
        &sni(
            "a",
            "$(virtualClusterName).K.example.com:9443",
            "Broker-$(nodeId).$(virtualClusterName).k.example.com:443",
            "",
        ),
        &sni(
            "b",
            "second.k.example.com:9443",
            "second-$(nodeId).k.example.com",
            ", bindAddress: \"::\"",
        ),
    ]));
    let a = gateway(&model, 0);
    assert_eq!(a.bootstrap_host, "orders.k.example.com");
    assert_eq!(a.node_host_pattern, "broker-$(nodeId).orders.k.example.com");
    assert_eq!((a.bind, a.bootstrap_port), (BindIp::Any, 9443));
    let advertised_port = Some(443);
    assert_eq!(a.identified_by, IdentifiedBy::SniHost { advertised_port });
    assert!(a.nodes.is_empty() && a.dynamic_ports.is_none());
    let b = gateway(&model, 1);
    assert_eq!(
        b.identified_by,
        IdentifiedBy::SniHost {
            advertised_port: None
        }
    );
    let identity = |gateway: &Gateway| Arc::clone(&gateway.tls.as_ref().unwrap().identity);
    assert!(Arc::ptr_eq(&identity(a), &identity(b)), "parsed once");
}

/// Promise 10.
#[test]
fn a_shared_address_is_for_host_names_alone() {
    let fixture = Fixture::new();
    let one = sni("a", "a.k.example.com:9443", "a-$(nodeId).k.example.com", "");
    for (other, refused) in [
        (
            sni("b", "b.k.example.com:9443", "b-$(nodeId).k.example.com", ""),
            None,
        ),
        (
            sni(
                "b",
                "b.k.example.com:9443",
                "b-$(nodeId).k.example.com",
                ", bindAddress: 127.0.0.1",
            ),
            Some("port 9443 on 127.0.0.1 is already the port for host names of gateway `a`"),
        ),
        (
            "name: b, portIdentifiesNode: {bootstrapAddress: \"x.example:9441\"}".to_owned(),
            Some("port 9443 on every address is already"),
        ),
        (
            sni("b", "A.k.example.com:9443", "b-$(nodeId).k.example.com", ""),
            Some("bootstrap host `a.k.example.com` is already that of gateway `a`"),
        ),
        (
            sni("b", "a-0.k.example.com:9443", "b-$(nodeId).k.example.com", ""),
            Some("is the bootstrap host and matches the node pattern"),
        ),
        (
            sni(
                "b",
                "b.k.example.com:9443",
                "b-$(nodeId).k.example.com",
                ", proxyProtocol: {mode: required}",
            ),
            Some("`mode` and `trustedPeers` must be those of gateway `a`"),
        ),
        // What brokers are sent has nothing to do with what clients send.
        (
            sni(
                "b",
                "b.k.example.com:9443",
                "b-$(nodeId).k.example.com",
                ", proxyProtocol: {upstream: v2}",
            ),
            None,
        ),
        // On a port of its own every name is free.
        (
            sni("b", "a.k.example.com:9444", "a-$(nodeId).k.example.com", ""),
            None,
        ),
    ] {
        let yaml = gateways(&[&one, &other]);
        match (fixture.load(&yaml).model, refused) {
            (Ok(_), None) => {}
            (Err(found), Some(why)) => {
                let found = text(&found);
                assert!(found.contains(why) && found.contains("proxy.yaml:6:"), "{found}");
                assert!(found.contains("(line 5)"), "{found}");
            }
            (model, refused) => panic!("{refused:?} {model:?}"),
        }
    }
}

/// Promise 10.
#[test]
fn a_gateway_overrides_the_proxy_protocol_key_by_key() {
    let fixture = Fixture::new();
    let plain = |port: u16, more: &str| {
        format!("name: g{port}, portIdentifiesNode: {{bootstrapAddress: \"localhost:{port}\"}}{more}")
    };
    let yaml = gateways(&[
        &plain(1000, ""),
        &plain(2000, ", proxyProtocol: {mode: allowed, upstream: none}"),
    ]);
    let head =
        "proxyProtocol: {mode: required, trustedPeers: [10.1.2.3/8, 10.0.0.0/8, \"::1\"], upstream: v1}\n";
    let model = fixture.model(&format!("{head}{yaml}"));
    let (first, second) = (
        &gateway(&model, 0).proxy_protocol,
        &gateway(&model, 1).proxy_protocol,
    );
    assert_eq!(
        (first.mode, first.upstream),
        (ProxyProtocolMode::Required, Some(ProxyProtocolVersion::V1))
    );
    assert_eq!((second.mode, second.upstream), (ProxyProtocolMode::Allowed, None));
    let peers: Vec<String> = first.trusted_peers.iter().map(ToString::to_string).collect();
    assert_eq!(peers, ["10.0.0.0/8", "::1/128"]);
    assert_eq!(first.trusted_peers, second.trusted_peers);
}

/// Promise 10.
#[test]
fn client_certificates_are_required_once_there_is_trust() {
    let fixture = Fixture::new();
    let auth = |tls: &str| {
        let model = fixture.model(&with_tls(&format!("{KEY}{tls}")));
        gateway(&model, 0).tls.clone().unwrap()
    };
    assert_eq!(auth("").client_auth, ClientAuth::None);
    let trusting = auth(", trust: {storeFile: ca.pem}, crlFile: crl.pem");
    assert!(matches!(trusting.client_auth, ClientAuth::Required(_)));
    assert_eq!(trusting.revoked.unwrap().lists().len(), 1);
    let asking = auth(", trust: {storeFile: ca.pem, storeType: PEM, trustOptions: {clientAuth: REQUESTED}}");
    assert!(matches!(asking.client_auth, ClientAuth::Requested(_)));
    let nobody = auth(", trust: {storeFile: ca.pem, trustOptions: {clientAuth: NONE}}, crlFile: crl.pem");
    assert_eq!((nobody.client_auth, nobody.revoked), (ClientAuth::None, None));
}

/// Promise 10.
#[test]
fn the_order_of_allowed_suites_is_the_order_of_preference() {
    let fixture = Fixture::new();
    let negotiation = |tls: &str| {
        let model = fixture.model(&with_tls(&format!("{KEY}{tls}")));
        let negotiation = gateway(&model, 0).tls.clone().unwrap().negotiation;
        let suites = negotiation
            .suites
            .iter()
            .map(|suite| format!("{:?}", suite.suite()));
        (negotiation.versions.len(), suites.collect::<Vec<_>>())
    };
    let (versions, suites) = negotiation(
        ", protocols: {allowed: [TLSv1.2, TLSv1.3], denied: [TLSv1.1]}, cipherSuites: {allowed: \
         [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384], denied: \
         [TLS_AES_256_GCM_SHA384, TLS_RSA_WITH_AES_128_CBC_SHA]}",
    );
    assert_eq!(versions, 2);
    assert_eq!(
        suites,
        [
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            "TLS13_AES_128_GCM_SHA256"
        ]
    );
    // A version that nobody named goes with its last suite.
    let (versions, suites) = negotiation(", cipherSuites: {allowed: [TLS_AES_256_GCM_SHA384]}");
    assert_eq!((versions, suites.len()), (1, 1));
    let (versions, suites) = negotiation(", protocols: {denied: [TLSv1.2]}");
    assert!(
        versions == 1 && suites.iter().all(|suite| suite.starts_with("TLS13_")),
        "{suites:?}"
    );
    let written = ", protocols: {allowed: [TLSv1.3, TLSv1.2], denied: []}, cipherSuites: {allowed: []}";
    let model = fixture.model(&with_tls(&format!("{KEY}{written}")));
    assert_eq!(
        gateway(&model, 0).tls.as_ref().unwrap().negotiation,
        Negotiation::default()
    );
}

/// Promise 10.
#[test]
fn brokers_are_checked_against_the_platform_unless_the_file_says_otherwise() {
    let fixture = Fixture::new();
    let upstream = |tls: &str| {
        let yaml = with_tls(KEY).replace("\"127.0.0.1:1\"}", &format!("\"127.0.0.1:1\", tls: {{{tls}}}}}"));
        fixture.model(&yaml).clusters["Orders"]
            .target
            .tls
            .clone()
            .unwrap()
    };
    let platform = upstream("");
    assert_eq!(
        (platform.trust, platform.identity),
        (UpstreamTrust::Platform, None)
    );
    assert_eq!(upstream("trust: {insecure: true}").trust, UpstreamTrust::Insecure);
    let full = upstream(&format!(
        "trust: {{storeFile: ca.pem}}, {KEY}, serverName: broker, crlFile: crl.pem"
    ));
    assert!(matches!(full.trust, UpstreamTrust::Store(_)));
    assert!(full.identity.is_some() && full.revoked.is_some());
    assert_eq!(full.server_name.as_deref(), Some("broker"));
}

/// Promise 9: key material counts by what it is, wherever it is named, and is parsed once for all who name it.
#[test]
fn ten_thousand_gateways_share_one_certificate() {
    let fixture = Fixture::new();
    let all: Vec<String> = (0..10_000)
        .map(|n| {
            sni(
                &format!("g{n}"),
                &format!("c{n}.example.com:9443"),
                &format!("b-$(nodeId).c{n}.example.com"),
                "",
            )
        })
        .collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let started = std::time::Instant::now();
    let model = fixture.model(&gateways(&all));
    assert!(started.elapsed() < super::QUICKLY, "{:?}", started.elapsed());
    let identities: std::collections::HashSet<*const Identity> = model.clusters["Orders"]
        .gateways
        .iter()
        .map(|gateway| Arc::as_ptr(&gateway.tls.as_ref().unwrap().identity))
        .collect();
    assert_eq!(
        (model.clusters["Orders"].gateways.len(), identities.len()),
        (10_000, 1)
    );
}
