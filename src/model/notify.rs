//! Webhooks (`notify`).

use hyper::http::Uri;

use super::operation::token;
use crate::config::schema;
use crate::config::{Config, Errors, List, Secret, Spanned, quoted};
use crate::names::names;

/// Most webhooks of one configuration: each has a queue and a task of its own.
const MAX_WEBHOOKS: usize = 16;

/// An HTTP address that is told of events (`notify`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Address of the requests, `http` or `https`.
    pub url: String,
    /// Events that it is told of, each once.
    pub events: Vec<WebhookEvent>,
    /// The content of `tokenFile`, which requests send as `Authorization: Bearer`.
    pub token: Option<Secret>,
}

names! {
    /// Event that a webhook is told of; see [`schema::WebhookEvent`](crate::config::schema::WebhookEvent).
    pub enum WebhookEvent {
        /// A reload was rejected.
        Rejected = "rejected",
        /// A reload was taken back.
        RolledBack = "rolled_back",
        /// A reload failed, or a virtual cluster is `failed`.
        Failed = "failed",
        /// A certificate expires soon, or has expired.
        CertificateExpiry = "certificate_expiry",
    }
}

pub(super) fn webhooks(config: &Config, errors: &mut Errors) -> Vec<Webhook> {
    let Some(written) = &config.root.notify else {
        return Vec::new();
    };
    if written.value.items.len() > MAX_WEBHOOKS {
        errors.push(written.at, format!("`notify` has at most {MAX_WEBHOOKS} entries"));
    }
    let mut webhook = |written: &Spanned<schema::Webhook>| {
        let written = &written.value;
        if let Err(why) = check_url(&written.url.value) {
            let url = quoted(&written.url.value);
            errors.push(written.url.at, format!("`url`: {url} {why}"));
        }
        let token_file = written.token_file.as_ref();
        Webhook {
            url: written.url.value.clone(),
            events: events(written.events.as_ref()),
            token: token_file.and_then(|file| token(config, file, errors)),
        }
    };
    written.value.items.iter().map(&mut webhook).collect()
}

fn check_url(url: &str) -> Result<(), &'static str> {
    let parsed: Uri = url.parse().map_err(|_| "is not a URL")?;
    if !matches!(parsed.scheme_str(), Some("http" | "https")) {
        return Err("does not begin with http:// or https://");
    }
    match parsed.authority() {
        Some(authority) if authority.as_str().contains('@') => {
            Err("names a user: a token belongs into the file of tokenFile")
        }
        Some(authority) if !authority.host().is_empty() => Ok(()),
        _ => Err("names no host"),
    }
}

fn events(written: Option<&Spanned<List<schema::WebhookEvent>>>) -> Vec<WebhookEvent> {
    let Some(written) = written else {
        return WebhookEvent::ALL.to_vec();
    };
    let listed = |event: &WebhookEvent| written.value.items.iter().any(|item| of(item.value) == *event);
    WebhookEvent::ALL.into_iter().filter(listed).collect()
}

fn of(written: schema::WebhookEvent) -> WebhookEvent {
    match written {
        schema::WebhookEvent::Rejected => WebhookEvent::Rejected,
        schema::WebhookEvent::RolledBack => WebhookEvent::RolledBack,
        schema::WebhookEvent::Failed => WebhookEvent::Failed,
        schema::WebhookEvent::CertificateExpiry => WebhookEvent::CertificateExpiry,
    }
}

#[cfg(test)]
mod tests {
    use super::check_url;

    #[test]
    fn a_url_leads_to_a_host_over_http() {
        for fine in [
            "http://localhost:9/x",
            "https://hooks.example.com/a?b=c",
            "http://[::1]/",
        ] {
            assert_eq!(check_url(fine), Ok(()), "{fine}");
        }
        for wrong in [
            "",
            "localhost",
            "/hook",
            "ftp://a/",
            "https://",
            "http://u:p@a/",
            "http://a b/",
        ] {
            assert!(check_url(wrong).is_err(), "{wrong}");
        }
    }
}
