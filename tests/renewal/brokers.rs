//! Promise 3.

use std::fs;

use crate::NAME;
use crate::common::certificates::{Authority, Identity, Leaf};
use crate::common::client::Client;
use crate::common::replace::atomically;
use crate::running::{ask, local};
use crate::site::{Site, cluster};
use crate::tls_broker::{TlsBroker, settings};
use crate::tls_client::certificates;

/// A broker that demands certificates, behind a plaintext port.
struct Upstream {
    site: Site,
    kproxys: Authority,
    brokers: Authority,
    broker: TlsBroker,
    port: u16,
}

impl Upstream {
    fn start() -> Self {
        let (brokers, kproxys) = (Authority::new("brokers"), Authority::new("kproxys"));
        let own = brokers.issue(&Leaf::server(&[NAME]));
        let broker = TlsBroker::start(settings(&own, Some(&kproxys.pem)));
        let mut at = 0;
        let site = Site::start("", |directory, port| {
            at = port;
            kproxys.issue(&Leaf::client("kproxy")).write(directory, "c");
            fs::write(directory.join("trust.pem"), &brokers.pem).unwrap();
            let tls = format!(
                "{{serverName: {NAME}, trust: {{storeFile: trust.pem}}, \
                 key: {{certificateFile: c.crt, privateKeyFile: c.key}}}}"
            );
            let cluster = cluster("a", port, broker.broker.address, &tls, "");
            format!("virtualClusters:\n{cluster}")
        });
        Self {
            site,
            kproxys,
            brokers,
            broker,
            port: at,
        }
    }

    #[track_caller]
    fn client(&self) -> Client {
        let mut client = Client::connect(local(self.port));
        ask(&mut client);
        client
    }

    #[track_caller]
    fn applied(&self, mark: usize, change: &str) {
        self.site.line(mark, &["reload applied"]);
        self.site.line(mark, &[change]);
    }

    fn issue(&self) -> Identity {
        self.kproxys.issue(&Leaf::client("kproxy"))
    }
}

#[test]
fn what_kproxy_shows_to_brokers_is_renewed() {
    let upstream = Upstream::start();
    for round in 0..3 {
        let mut old = upstream.client();
        let renewed = upstream.issue();
        let mark = upstream.site.mark();
        atomically(&upstream.site.path("c.crt"), &renewed.chain);
        if round > 0 {
            upstream.site.line(mark, &["reload rejected: generation"]);
            ask(&mut old);
        }
        atomically(&upstream.site.path("c.key"), &renewed.key);
        upstream.applied(mark, "modify `a` (upstream): targetCluster.tls");
        upstream.client();
        let shown = upstream.broker.last_shown();
        assert_eq!(shown.as_ref(), certificates(&renewed.chain).first());
        old.expect_fin();
    }
}

#[test]
fn what_kproxy_believes_of_brokers_is_renewed() {
    let upstream = Upstream::start();
    let mut old = upstream.client();
    let mark = upstream.site.mark();
    let others = Authority::new("other brokers");
    atomically(&upstream.site.path("trust.pem"), &others.pem);
    upstream.applied(mark, "modify `a` (upstream): targetCluster.tls");
    // No session of those who were believed goes on with somebody who is not any more.
    Client::connect(local(upstream.port)).send(b"\0\0\0\x0e\0\x0c\0\0\0\0\0\x05\0\x04test");
    upstream
        .site
        .line(mark, &["cause=\"upstream_certificate_rejected\"", "not trusted"]);
    old.expect_fin();

    let mark = upstream.site.mark();
    let both = format!("{}{}", others.pem, upstream.brokers.pem);
    atomically(&upstream.site.path("trust.pem"), &both);
    upstream.applied(mark, "modify `a` (upstream): targetCluster.tls");
    upstream.client();
}
