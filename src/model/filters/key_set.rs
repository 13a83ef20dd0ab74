//! Where the keys of an issuer of tokens come from.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::super::scope::Scope;
use super::super::{UpstreamTls, UpstreamTrust};
use super::named_file;
use crate::config::schema::KeysAtStart;
use crate::config::{KeySetUrl, Spanned};
use crate::pki::{Negotiation, TrustStore};
use crate::sasl::jwt::{TokenRules, VerificationKeys};

/// The keys of an issuer, and how they are kept up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySetModel {
    /// Where they come from.
    pub origin: KeySetOrigin,
    /// Time after which they are fetched again; 0 is never without need.
    pub refresh: Duration,
    /// Pause after the first attempt that failed. It doubles with each further one.
    pub retry: Duration,
    /// Longest pause.
    pub retry_max: Duration,
    /// Whether a filter starts without them.
    pub on_start: KeysOnStart,
}

/// Where keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySetOrigin {
    /// They are fetched.
    Web {
        /// Address of the set, `http` or `https`.
        url: Arc<str>,
        /// Rules for `https`.
        tls: UpstreamTls,
    },
    /// They are those of a file, which is followed like every file that the configuration names.
    File(Arc<VerificationKeys>),
}

/// Whether a new filter waits for the first keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeysOnStart {
    /// Without keys the filter does not start, and the reload is rejected.
    #[default]
    Require,
    /// The filter starts, and rejects tokens until it has keys.
    Lazy,
}

/// Keys of the configuration that say where the keys of an issuer come from.
pub(super) struct KeySetSettings<'w> {
    pub(super) url: &'w Spanned<KeySetUrl>,
    pub(super) trust_file: Option<&'w Spanned<PathBuf>>,
    pub(super) refresh: Option<Duration>,
    pub(super) retry: Option<Duration>,
    pub(super) retry_max: Option<Duration>,
    pub(super) on_start: Option<KeysAtStart>,
}

/// Resolves where keys come from; `None` after an error that was reported.
pub(super) fn resolve(settings: &KeySetSettings<'_>, scope: &mut Scope<'_>) -> Option<KeySetModel> {
    let trust = trust(settings.trust_file, scope);
    let origin = match &settings.url.value {
        KeySetUrl::Web(url) => {
            if url.starts_with("http://") && !is_local(url) {
                scope.warnings.push(settings.url.at, || {
                    "keys are fetched without TLS: others on the way can replace them".to_owned()
                });
            }
            Some(KeySetOrigin::Web {
                url: url.as_str().into(),
                tls: trust?,
            })
        }
        KeySetUrl::File(file) => {
            let keys = named_file::parse(file, scope, |content, faults| {
                let keys = VerificationKeys::from_json(content);
                keys.map_err(|fault| faults.push(1, 1, fault.to_string())).ok()
            });
            keys.map(|keys| KeySetOrigin::File(Arc::new(keys)))
        }
    };
    Some(KeySetModel {
        origin: origin?,
        refresh: settings.refresh.unwrap_or(Duration::from_secs(3600)),
        retry: settings.retry.unwrap_or(Duration::from_millis(100)),
        retry_max: settings.retry_max.unwrap_or(Duration::from_secs(10)),
        on_start: match settings.on_start {
            None | Some(KeysAtStart::Require) => KeysOnStart::Require,
            Some(KeysAtStart::Lazy) => KeysOnStart::Lazy,
        },
    })
}

/// The rules for an issuer over `https`.
fn trust(file: Option<&Spanned<PathBuf>>, scope: &mut Scope<'_>) -> Option<UpstreamTls> {
    let trust = match file {
        None => UpstreamTrust::Platform,
        Some(file) => UpstreamTrust::Store(named_file::parse(file, scope, |content, faults| {
            let store = TrustStore::from_pem(content);
            let store = store.map_err(|fault| faults.push(1, 1, fault.to_string()));
            store.ok().map(Arc::new)
        })?),
    };
    Some(UpstreamTls {
        trust,
        identity: None,
        server_name: None,
        revoked: None,
        negotiation: Negotiation::default(),
    })
}

/// Whether a URL leads to this machine.
fn is_local(url: &str) -> bool {
    let host = url.trim_start_matches("http://");
    ["localhost", "127.", "[::1]"]
        .iter()
        .any(|local| host.starts_with(local))
}

/// Resolves the rules for tokens. Audiences are separated by commas, and an empty text is like none, as in Kroxylicious.
pub(super) fn token_rules(
    audiences: Option<&str>,
    issuer: Option<&str>,
    scope_claim: Option<&str>,
    subject_claim: Option<&str>,
) -> TokenRules {
    let default = TokenRules::default();
    let given = |text: Option<&str>| text.filter(|text| !text.trim().is_empty()).map(Box::from);
    let mut audiences: Vec<Box<str>> = audiences
        .into_iter()
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(Into::into)
        .collect();
    audiences.sort_unstable();
    audiences.dedup();
    TokenRules {
        audiences,
        issuer: given(issuer),
        scope_claim: given(scope_claim).unwrap_or(default.scope_claim),
        subject_claim: given(subject_claim).unwrap_or(default.subject_claim),
        clock_skew: default.clock_skew,
    }
}
