//! TLS towards clients (downstream) and towards brokers (upstream).

use std::path::PathBuf;

use super::super::decode::{Decode, Field, Fields, Schema, choice, record};
use super::super::foreign::ForeignKeys;
use super::super::yaml::Node;
use super::super::{Errors, List, Secret, Shape, Spanned};

record! {
    pub struct DownstreamTls {
        "key" key: Option<Spanned<TlsKey>>,
        "trust" trust: Option<Spanned<DownstreamTrust>>,
        "crlFile" crl_file: Option<Spanned<PathBuf>>,
        "protocols" protocols: Option<Spanned<AllowDeny>>,
        "cipherSuites" cipher_suites: Option<Spanned<AllowDeny>>,
        /// Drains a session when the certificate of its client expires. By default it stays.
        "endSessionsOnExpiry" end_sessions_on_expiry: Option<Spanned<bool>>,
    }
}

record! {
    /// `{}` checks the broker against the platform's roots.
    pub struct UpstreamTls {
        "key" key: Option<Spanned<TlsKey>>,
        "trust" trust: Option<Spanned<UpstreamTrust>>,
        /// Checked in place of the broker's host name.
        "serverName" server_name: Option<Spanned<String>>,
        "crlFile" crl_file: Option<Spanned<PathBuf>>,
        "protocols" protocols: Option<Spanned<AllowDeny>>,
        "cipherSuites" cipher_suites: Option<Spanned<AllowDeny>>,
    }
    not_supported { "credentialSupplier" }
}

record! {
    /// A PEM pair, or a store.
    pub struct TlsKey {
        "certificateFile" certificate_file: Option<Spanned<PathBuf>>,
        "privateKeyFile" private_key_file: Option<Spanned<PathBuf>>,
        "keyPassword" key_password: Option<Spanned<Password>>,
        "storeFile" store_file: Option<Spanned<PathBuf>>,
        "storePassword" store_password: Option<Spanned<Password>>,
        "storeType" store_type: Option<Spanned<StoreType>>,
    }
}

record! {
    pub struct DownstreamTrust {
        "storeFile" store_file: Option<Spanned<PathBuf>>,
        "storePassword" store_password: Option<Spanned<Password>>,
        "storeType" store_type: Option<Spanned<StoreType>>,
        "trustOptions" trust_options: Option<Spanned<TrustOptions>>,
    }
}

record! {
    pub struct UpstreamTrust {
        "storeFile" store_file: Option<Spanned<PathBuf>>,
        "storePassword" store_password: Option<Spanned<Password>>,
        "storeType" store_type: Option<Spanned<StoreType>>,
        "insecure" insecure: Option<Spanned<bool>>,
    }
}

record! {
    pub struct TrustOptions {
        "clientAuth" client_auth: Option<Spanned<ClientAuth>>,
    }
}

choice! {
    pub enum ClientAuth {
        Required = "REQUIRED",
        Requested = "REQUESTED",
        None = "NONE",
    }
}

choice! {
    pub enum StoreType {
        Pem = "PEM",
        Pkcs12 = "PKCS12",
        Jks = "JKS",
    }
}

record! {
    pub struct AllowDeny {
        "allowed" allowed: Option<Spanned<List<String>>>,
        "denied" denied: Option<Spanned<List<String>>>,
    }
}

const FORMER: ForeignKeys = ForeignKeys {
    not_supported: &[],
    inert: &[],
    former: &[("filePath", "`passwordFile`")],
};

/// Where a password comes from. Nothing that stands inside is ever repeated in a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Password {
    pub password: Option<Spanned<Secret>>,
    /// The password is its first line.
    pub password_file: Option<Spanned<PathBuf>>,
    pub shape: Shape,
}

impl Decode for Password {
    fn schema() -> Schema {
        Schema::Record(&[
            ("password", <Option<Spanned<Secret>> as Field>::schema),
            ("passwordFile", <Option<Spanned<PathBuf>> as Field>::schema),
        ])
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        let mut fields = Fields::of(node, errors)?;
        let password = Field::take(&mut fields, "password", errors)?;
        let password_file = Field::take(&mut fields, "passwordFile", errors)?;
        let shape = fields.finish_hidden(&|key, value| FORMER.judge(key, value), errors);
        Some(Self {
            password,
            password_file,
            shape,
        })
    }
}
