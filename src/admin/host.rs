//! Protection from DNS rebinding where management is served on a loopback address.
//!
//! A foreign web page may make its own host name resolve to 127.0.0.1, and then read what the browser gets from there as
//! if it came from the page's own server. Such a request has that name in `Host`. A name that public DNS can resolve has a
//! dot; addresses, `localhost` and names without a dot (that of the machine, or of a container network) cannot be used
//! like that.

use std::net::IpAddr;

use hyper::Request;
use hyper::header::HOST;
use hyper::http::uri::Authority;

/// Returns the first name in `request` that public DNS may have led here.
pub(super) fn strange<B>(request: &Request<B>) -> Option<String> {
    if let Some(host) = request.uri().host().filter(|host| !is_local(host)) {
        return Some(host.to_owned());
    }
    let named = request.headers().get_all(HOST).iter();
    named
        .map(|host| String::from_utf8_lossy(host.as_bytes()))
        .find(|host| !host.is_empty() && !is_local(host_of(host)))
        .map(String::from)
}

/// Returns the host without the port, or the whole value if it is not a host and port.
fn host_of(value: &str) -> &str {
    match value.parse::<Authority>() {
        Ok(read) => value.get(..read.host().len()).unwrap_or(value),
        Err(_) => value,
    }
}

fn is_local(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<IpAddr>().is_ok() {
        return true;
    }
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    let plain = host
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    // RFC 6761 §6.3: names under `localhost` never leave the machine.
    (plain && !host.is_empty()) || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(uri: &str, hosts: &[&str]) -> Option<String> {
        let mut request = Request::builder().uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        strange(&request.body(()).unwrap())
    }

    #[test]
    fn names_that_public_dns_can_lead_here_are_strange() {
        for host in [
            "evil.example",
            "evil.example:9190",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
            "evil.example.",
            "ai..",
            "user@evil.example",
            "127.1",
            "a b",
        ] {
            assert_eq!(asked("/status", &[host]).as_deref(), Some(host));
        }
        assert_eq!(
            asked("http://evil.example/status", &["localhost"]).as_deref(),
            Some("evil.example")
        );
        assert!(asked("/status", &["localhost", "evil.example"]).is_some());
    }

    #[test]
    fn names_of_this_machine_are_not() {
        for host in [
            "localhost",
            "LOCALHOST:9190",
            "localhost.",
            "grafana.localhost:1",
            "127.0.0.1",
            "127.0.0.1:9190",
            "[::1]:9190",
            "[::1]",
            "192.0.2.7:9190",
            "kproxy-0",
            "my_host:9190",
            "",
        ] {
            assert_eq!(asked("/status", &[host]), None, "{host}");
        }
        assert_eq!(asked("http://x/livez", &["x"]), None);
        assert_eq!(asked("/livez", &[]), None, "HTTP/1.0 needs none");
    }
}
