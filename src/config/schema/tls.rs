//! TLS towards clients (downstream) and towards brokers (upstream).

use std::path::PathBuf;

use super::super::decode::{Decode, Field, Fields, choice, record};
use super::super::describe::{KeySchema, RecordSchema, Schema};
use super::super::foreign::ForeignKeys;
use super::super::yaml::Node;
use super::super::{Errors, List, RecordShape, Secret, Spanned};

record! {
    /// TLS towards clients.
    pub struct DownstreamTls {
        /// Certificate and private key of the gateway. Absent: an error.
        "key" key: Option<Spanned<TlsKey>>,
        /// Certificate authorities of client certificates. Absent: clients are not asked for a certificate.
        "trust" trust: Option<Spanned<DownstreamTrust>>,
        /// PEM file with the revocation lists of these authorities. Needs `trust`. Absent: no certificate is revoked.
        "crlFile" crl_file: Option<Spanned<PathBuf>>,
        /// TLS versions. Absent: TLSv1.3 and TLSv1.2.
        "protocols" protocols: Option<Spanned<AllowDeny>>,
        /// Cipher suites, by the names that Java uses. Absent: all that kproxy has.
        "cipherSuites" cipher_suites: Option<Spanned<AllowDeny>>,
        /// Whether a session is drained when the certificate of its client expires. By default it stays. Needs `trust`.
        "endSessionsOnExpiry" end_sessions_on_expiry: Option<Spanned<bool>> = "false",
    }
}

record! {
    /// TLS towards brokers.
    pub struct UpstreamTls {
        /// Certificate and private key that kproxy shows to brokers. Absent: none.
        "key" key: Option<Spanned<TlsKey>>,
        /// Certificate authorities of brokers. Absent: those of the platform.
        "trust" trust: Option<Spanned<UpstreamTrust>>,
        /// Host name that is sent as SNI and must be in the certificate of every broker, in place of the host name of each
        /// broker. Absent: the host name of each broker.
        "serverName" server_name: Option<Spanned<String>>,
        /// PEM file with the revocation lists of the authorities of brokers. Absent: no certificate is revoked.
        "crlFile" crl_file: Option<Spanned<PathBuf>>,
        /// TLS versions. Absent: TLSv1.3 and TLSv1.2.
        "protocols" protocols: Option<Spanned<AllowDeny>>,
        /// Cipher suites, by the names that Java uses. Absent: all that kproxy has.
        "cipherSuites" cipher_suites: Option<Spanned<AllowDeny>>,
    }
    not_supported { "credentialSupplier" }
}

record! {
    /// Certificate and private key: two PEM files, or one that holds both.
    pub struct TlsKey {
        /// PEM file with the certificate chain, the own certificate first. Absent: see `storeFile`.
        "certificateFile" certificate_file: Option<Spanned<PathBuf>>,
        /// PEM file with the private key: PKCS#8, PKCS#1 or SEC1. Absent: see `storeFile`.
        "privateKeyFile" private_key_file: Option<Spanned<PathBuf>>,
        /// Password of an encrypted private key. Absent: the key is not encrypted.
        "keyPassword" key_password: Option<Spanned<Password>>,
        /// PEM file with both, in place of `certificateFile` and `privateKeyFile`. Absent: those two files are used.
        "storeFile" store_file: Option<Spanned<PathBuf>>,
        /// Password of the private key in `storeFile`, if `keyPassword` is absent. Absent: see `keyPassword`.
        "storePassword" store_password: Option<Spanned<Password>>,
        /// Format of `storeFile`. `PKCS12` and `JKS` are rejected with the command that converts the file.
        "storeType" store_type: Option<Spanned<StoreType>> = "PEM",
    }
}

record! {
    /// Certificate authorities of client certificates.
    pub struct DownstreamTrust {
        /// PEM file with the certificates of the authorities. Absent: an error, unless `clientAuth` is `NONE`.
        "storeFile" store_file: Option<Spanned<PathBuf>>,
        /// Password of the store, a key of Kroxylicious. PEM files have none, so it has no effect. Absent: none.
        "storePassword" store_password: Option<Spanned<Password>>,
        /// Format of `storeFile`. `PKCS12` and `JKS` are rejected with the command that converts the file.
        "storeType" store_type: Option<Spanned<StoreType>> = "PEM",
        /// Whether clients must show a certificate.
        "trustOptions" trust_options: Option<Spanned<TrustOptions>>,
    }
}

record! {
    /// Certificate authorities of brokers.
    pub struct UpstreamTrust {
        /// PEM file with the certificates of the authorities. Absent: those of the platform.
        "storeFile" store_file: Option<Spanned<PathBuf>>,
        /// Password of the store, a key of Kroxylicious. PEM files have none, so it has no effect. Absent: none.
        "storePassword" store_password: Option<Spanned<Password>>,
        /// Format of `storeFile`. `PKCS12` and `JKS` are rejected with the command that converts the file.
        "storeType" store_type: Option<Spanned<StoreType>> = "PEM",
        /// Whether every certificate is accepted, under any name. With `true` anyone between kproxy and the brokers can read and
        /// change everything.
        "insecure" insecure: Option<Spanned<bool>> = "false",
    }
}

record! {
    /// Whether clients must show a certificate.
    pub struct TrustOptions {
        /// `REQUIRED`: clients without a valid certificate are refused. `REQUESTED`: clients may connect without a certificate,
        /// but not with an invalid one. `NONE`: clients are not asked.
        "clientAuth" client_auth: Option<Spanned<ClientAuth>> = "REQUIRED",
    }
}

choice! {
    /// Whether clients must show a certificate.
    pub enum ClientAuth {
        /// Clients without a valid certificate are refused.
        Required = "REQUIRED",
        /// Clients may connect without a certificate, but not with an invalid one.
        Requested = "REQUESTED",
        /// Clients are not asked for a certificate.
        None = "NONE",
    }
}

choice! {
    /// Format of a file with certificates or keys.
    pub enum StoreType {
        /// PEM (RFC 7468).
        Pem = "PEM",
        /// PKCS#12, rejected with the command that converts it.
        Pkcs12 = "PKCS12",
        /// Java key store, rejected with the command that converts it.
        Jks = "JKS",
    }
}

record! {
    /// A choice among names: those that are allowed, without those that are denied.
    pub struct AllowDeny {
        /// The only names to use. Absent or empty: all that kproxy has.
        "allowed" allowed: Option<Spanned<List<String>>>,
        /// Names not to use.
        "denied" denied: Option<Spanned<List<String>>> = "[]",
    }
}

const FORMER: ForeignKeys = ForeignKeys {
    not_supported: &[],
    inert: &[],
    former: &[("filePath", "`passwordFile`")],
};

/// A password, or the file that holds it. No part of the mapping is repeated in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Password {
    /// The password itself.
    pub password: Option<Spanned<Secret>>,
    /// File whose first line is the password.
    pub password_file: Option<Spanned<PathBuf>>,
    /// Parts of the mapping that were lost in decoding.
    pub shape: RecordShape,
}

impl Decode for Password {
    fn schema() -> Schema {
        const SCHEMA: &RecordSchema = &RecordSchema {
            name: "Password",
            meaning: "A password, or the file that holds it.",
            keys: &[
                KeySchema {
                    name: "password",
                    meaning: "The password itself. Absent: see `passwordFile`.",
                    default: None,
                    required: false,
                    schema: <Option<Spanned<Secret>> as Field>::schema,
                },
                KeySchema {
                    name: "passwordFile",
                    meaning: "File whose first line is the password. Absent: see `password`.",
                    default: None,
                    required: false,
                    schema: <Option<Spanned<PathBuf>> as Field>::schema,
                },
            ],
            foreign: &FORMER,
        };
        Schema::Record(SCHEMA)
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        let mut fields = Fields::of(node, errors)?;
        let password = Field::take(&mut fields, "password", errors)?;
        let password_file = Field::take(&mut fields, "passwordFile", errors)?;
        let shape = fields.finish_hidden(&|key, value| FORMER.look_up(key, value), errors);
        Some(Self {
            password,
            password_file,
            shape,
        })
    }
}
