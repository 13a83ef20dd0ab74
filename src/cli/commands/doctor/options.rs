//! Options for TLS and SASL, and the settings that follow from them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::config::Secret;
use crate::doctor::client::{ClientTls, Login, SaslMechanism, ServerTrust};
use crate::pki::{Identity, Negotiation, TrustStore};

/// Options for TLS.
#[derive(Debug, Args)]
pub(super) struct TlsOptions {
    /// Connect with TLS [default: as the gateway of the file; plaintext without a file].
    #[arg(long)]
    pub(super) tls: bool,
    /// Trust certificates issued under those in this file (PEM) [default: with a file, the gateway's own certificate;
    /// without one, the roots of the platform].
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Show this certificate (PEM) to servers that ask for one.
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Private key of `--cert` (PEM).
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Accept every certificate; what clients would refuse is told all the same.
    #[arg(long, conflicts_with = "ca")]
    insecure: bool,
}

/// Options for SASL.
#[derive(Debug, Args)]
pub(super) struct LoginOptions {
    /// Log in with this mechanism.
    #[arg(long, value_name = "MECHANISM", value_parser = SaslMechanism::ALL.map(SaslMechanism::name), requires_all = ["username", "password_file"])]
    sasl: Option<String>,
    /// User of the login.
    #[arg(long, value_name = "NAME", requires = "sasl")]
    username: Option<String>,
    /// File with the password of the login; one line end at its end does not count.
    #[arg(long, value_name = "FILE", requires = "sasl")]
    password_file: Option<PathBuf>,
}

impl TlsOptions {
    /// The settings; `own` is what is trusted if no option says so.
    pub(super) fn settings(&self, own: ServerTrust) -> Result<ClientTls, String> {
        let trust = match &self.ca {
            _ if self.insecure => ServerTrust::Anything,
            None => own,
            Some(file) => {
                let store = TrustStore::from_pem(&read(file)?).map_err(|error| in_file(file, &error))?;
                ServerTrust::Store(Arc::new(store))
            }
        };
        let identity = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                let identity = Identity::from_pem(&read(cert)?, &read(key)?, None);
                Some(Arc::new(identity.map_err(|error| in_file(cert, &error))?))
            }
            _ => None,
        };
        ClientTls::new(trust, identity, None, Negotiation::default()).map_err(|error| error.to_string())
    }
}

impl LoginOptions {
    /// The login; `None` without `--sasl`.
    pub(super) fn login(&self) -> Result<Option<Login>, String> {
        let mechanism = self.sasl.as_deref().and_then(SaslMechanism::from_name);
        let (Some(mechanism), Some(username), Some(file)) = (mechanism, &self.username, &self.password_file) else {
            return Ok(None);
        };
        let content = read(file)?;
        let content = content.strip_suffix(b"\n").unwrap_or(&content);
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        let password = std::str::from_utf8(content).map_err(|_| in_file(file, &"the password is not UTF-8"))?;
        if password.is_empty() {
            return Err(in_file(file, &"the file is empty"));
        }
        Ok(Some(Login {
            mechanism,
            username: username.clone(),
            password: Arc::new(Secret::new(password)),
        }))
    }
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| in_file(file, &error))
}

fn in_file(file: &Path, why: &dyn std::fmt::Display) -> String {
    format!("{}: {why}", file.display())
}
