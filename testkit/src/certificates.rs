//! Certificates, made when a test needs them: authorities, what they issue, what they take back.

use std::{
    fs::{self, Permissions},
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
    RevocationReason, RevokedCertParams, SanType, SerialNumber,
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// What a key is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyKind {
    #[default]
    P256,
    Rsa2048,
}

impl KeyKind {
    fn generate(self) -> KeyPair {
        KeyPair::generate_for(match self {
            Self::P256 => &PKCS_ECDSA_P256_SHA256,
            Self::Rsa2048 => &PKCS_RSA_SHA256,
        })
        .unwrap()
    }
}

/// What a certificate is to say. It is valid from yesterday to the day after tomorrow unless it says otherwise.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The subject's common name.
    pub subject: String,
    pub names: Vec<String>,
    pub ips: Vec<IpAddr>,
    pub server: bool,
    pub client: bool,
    pub not_before: SystemTime,
    pub not_after: SystemTime,
    pub key: KeyKind,
}

impl Leaf {
    fn new(subject: &str) -> Self {
        let now = SystemTime::now();
        Self {
            subject: subject.to_owned(),
            names: Vec::new(),
            ips: Vec::new(),
            server: false,
            client: false,
            not_before: now - DAY,
            not_after: now + 2 * DAY,
            key: KeyKind::P256,
        }
    }

    /// For a server with these names; wildcards as they stand. The first is also its subject.
    pub fn server(names: &[&str]) -> Self {
        Self {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            server: true,
            ..Self::new(names.first().unwrap_or(&"server"))
        }
    }

    /// For a client of this name.
    pub fn client(subject: &str) -> Self {
        Self {
            client: true,
            ..Self::new(subject)
        }
    }

    /// Also for servers at 127.0.0.1.
    pub fn on_loopback(mut self) -> Self {
        self.ips.push(Ipv4Addr::LOCALHOST.into());
        self
    }

    pub fn key(mut self, kind: KeyKind) -> Self {
        self.key = kind;
        self
    }

    /// Valid until yesterday.
    pub fn expired(mut self) -> Self {
        let now = SystemTime::now();
        (self.not_before, self.not_after) = (now - 3 * DAY, now - DAY);
        self
    }

    /// Valid for so long from now on.
    pub fn lasting(mut self, time: Duration) -> Self {
        self.not_after = SystemTime::now() + time;
        self
    }

    /// Valid from tomorrow.
    pub fn not_yet_valid(mut self) -> Self {
        let now = SystemTime::now();
        (self.not_before, self.not_after) = (now + DAY, now + 3 * DAY);
        self
    }

    fn params(&self, serial: u64) -> CertificateParams {
        let mut params = CertificateParams::new(self.names.clone()).unwrap();
        let ips = self.ips.iter().copied().map(SanType::IpAddress);
        params.subject_alt_names.extend(ips);
        params
            .distinguished_name
            .push(DnType::CommonName, self.subject.as_str());
        params.not_before = self.not_before.into();
        params.not_after = self.not_after.into();
        params.serial_number = Some(SerialNumber::from(serial));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        if self.key == KeyKind::Rsa2048 {
            params.key_usages.push(KeyUsagePurpose::KeyEncipherment);
        }
        let usages = [
            (self.server, ExtendedKeyUsagePurpose::ServerAuth),
            (self.client, ExtendedKeyUsagePurpose::ClientAuth),
        ];
        let usages = usages.into_iter().filter(|(wanted, _)| *wanted);
        params.extended_key_usages = usages.map(|(_, usage)| usage).collect();
        params.use_authority_key_identifier_extension = true;
        params
    }

    /// A certificate that only its own key vouches for.
    pub fn self_signed(&self) -> Identity {
        let (serial, key) = (serial(), self.key.generate());
        let mut params = self.params(serial);
        params.use_authority_key_identifier_extension = false;
        Identity {
            chain: params.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
            serial,
        }
    }
}

/// Never the same twice in a process, hardly ever in two.
fn serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    (since_1970.as_micros() as u64) << 12 | (NEXT.fetch_add(1, Ordering::Relaxed) & 0xfff)
}

/// One that issues certificates.
#[derive(Debug)]
pub struct Authority {
    /// Its own certificate: what others trust. PEM.
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
    /// Certificates between this one and the root, which go with everything it issues. PEM.
    above: String,
    crls: AtomicU64,
}

impl Authority {
    /// A root.
    pub fn new(name: &str) -> Self {
        let (params, key) = (authority_params(name), KeyKind::P256.generate());
        Self {
            pem: params.self_signed(&key).unwrap().pem(),
            issuer: Issuer::new(params, key),
            above: String::new(),
            crls: AtomicU64::new(1),
        }
    }

    /// One below it.
    pub fn intermediate(&self, name: &str) -> Self {
        let (mut params, key) = (authority_params(name), KeyKind::P256.generate());
        params.use_authority_key_identifier_extension = true;
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Self {
            above: format!("{pem}{}", self.above),
            pem,
            issuer: Issuer::new(params, key),
            crls: AtomicU64::new(1),
        }
    }

    pub fn issue(&self, leaf: &Leaf) -> Identity {
        let (serial, key) = (serial(), leaf.key.generate());
        let certificate = leaf.params(serial).signed_by(&key, &self.issuer).unwrap();
        Identity {
            chain: format!("{}{}", certificate.pem(), self.above),
            key: key.serialize_pem(),
            serial,
        }
    }

    /// The list of what it has taken back, in PEM. A later list has a higher number.
    pub fn revoke(&self, serials: &[u64]) -> String {
        let now = SystemTime::now();
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: (now - DAY).into(),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        });
        CertificateRevocationListParams {
            this_update: (now - DAY).into(),
            next_update: (now + DAY).into(),
            crl_number: SerialNumber::from(self.crls.fetch_add(1, Ordering::Relaxed)),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(&self.issuer)
        .unwrap()
        .pem()
        .unwrap()
    }
}

fn authority_params(name: &str) -> CertificateParams {
    let now = SystemTime::now();
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_before = (now - 10 * DAY).into();
    params.not_after = (now + 10 * DAY).into();
    params.serial_number = Some(SerialNumber::from(serial()));
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params
}

/// A certificate with its key, both PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate first, then what leads towards the root, without it.
    pub chain: String,
    /// PKCS#8.
    pub key: String,
    pub serial: u64,
}

impl Identity {
    /// Writes `NAME.crt`, `NAME.key` and, for those who want both in one file, `NAME.pem`. Keys are for their owner
    /// only.
    pub fn write(&self, directory: &Path, name: &str) -> Files {
        let file = |extension: &str, text: &str, mode: u32| {
            let path = write(directory, &format!("{name}.{extension}"), text);
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path
        };
        Files {
            certificate: file("crt", &self.chain, 0o644),
            key: file("key", &self.key, 0o600),
            both: file("pem", &format!("{}{}", self.key, self.chain), 0o600),
        }
    }
}

/// Where [`Identity::write`] put it.
#[derive(Clone, Debug)]
pub struct Files {
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub both: PathBuf,
}

/// Writes `text` to `NAME` in `directory`.
pub fn write(directory: &Path, name: &str, text: &str) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    path
}
