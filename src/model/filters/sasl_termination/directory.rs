//! Users that a directory service knows (LDAP).

use super::super::super::scope::Scope;
use super::super::super::tls;
use super::super::super::{HostPort, UpstreamTls, UpstreamTrust};
use super::DirectoryModel;
use super::stores::needed;
use crate::config::schema::CredentialStoreConfig;
use crate::config::{Spanned, quoted};
use crate::pki::Negotiation;
use crate::sasl::ldap::PLACE_OF_NAME;

pub(super) fn resolve(
    settings: &Spanned<CredentialStoreConfig>,
    scope: &mut Scope<'_>,
) -> Option<DirectoryModel> {
    let config = &settings.value;
    let url = needed(config.url.as_ref(), "url", settings, scope);
    let bind_dn = needed(config.bind_dn.as_ref(), "bindDn", settings, scope)?;
    if bind_dn.value.matches(PLACE_OF_NAME).count() != 1 {
        let why = format!("`bindDn` must have `{PLACE_OF_NAME}` once");
        scope.errors.push(bind_dn.at, why);
        return None;
    }
    let url = url?;
    let Some((begins_with_tls, address)) = directory_address(&url.value) else {
        let why = format!(
            "`url` {} is neither ldap://HOST:PORT nor ldaps://HOST:PORT",
            quoted(&url.value)
        );
        scope.errors.push(url.at, why);
        return None;
    };
    let tls = match &config.tls {
        Some(tls) => Some(tls::upstream(tls, scope)?),
        None => begins_with_tls.then(platform_tls),
    };
    if tls.is_none() {
        let why = || "passwords go to the directory service in clear: `ldaps` or `tls` protects them".into();
        scope.warnings.push(url.at, why);
    }
    Some(DirectoryModel {
        address,
        bind_dn: bind_dn.value.clone(),
        begins_with_tls,
        tls,
    })
}

fn directory_address(url: &str) -> Option<(bool, HostPort)> {
    let (begins_with_tls, rest, port) = match (url.strip_prefix("ldaps://"), url.strip_prefix("ldap://")) {
        (Some(rest), _) => (true, rest, 636),
        (_, Some(rest)) => (false, rest, 389),
        (None, None) => return None,
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.is_empty() || rest.contains(['/', '@', '?', ' ']) {
        return None;
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, digits)) if !host.ends_with(':') && !digits.ends_with(']') => {
            (host, digits.parse().ok().filter(|port| *port != 0)?)
        }
        _ => (rest, port),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    (!host.is_empty()).then_some((begins_with_tls, HostPort { host, port }))
}

fn platform_tls() -> UpstreamTls {
    UpstreamTls {
        trust: UpstreamTrust::Platform,
        identity: None,
        server_name: None,
        revoked: None,
        negotiation: Negotiation::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_a_directory_service_is_a_host_and_a_port() {
        let address = |url| {
            let (tls, address) = directory_address(url)?;
            Some((tls, format!("{}|{}", address.host, address.port)))
        };
        for (url, expected) in [
            ("ldap://ldap.example.com", (false, "ldap.example.com|389")),
            ("ldaps://ldap.example.com/", (true, "ldap.example.com|636")),
            ("ldaps://10.0.0.1:1636", (true, "10.0.0.1|1636")),
            ("ldap://[::1]:3389", (false, "::1|3389")),
            ("ldap://[::1]", (false, "::1|389")),
        ] {
            assert_eq!(address(url), Some((expected.0, expected.1.to_owned())), "{url}");
        }
        for wrong in [
            "",
            "ldap://",
            "http://a",
            "ldap://a/dc=x",
            "ldap://u@a",
            "ldap://a:0",
            "ldap://a:x",
        ] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }
}
