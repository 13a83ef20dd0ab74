//! A proxy with every kind of gateway, and a client at each of those who does nothing wrong.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::NAME;
use testkit::broker::Broker;
use testkit::certificates::{Authority, Identity, Leaf};
use testkit::client::Client;
use testkit::deployment::{Deployment, cluster};
use testkit::running::{ask, local};
use testkit::tls_client::Dialer;

/// The host of the gateway that shares its address.
pub(crate) const SHARED: &str = "one.kafka.test";

/// Gateways for clients that are refused.
pub(crate) struct Gateways {
    pub(crate) deployment: Deployment,
    pub(crate) servers: Authority,
    pub(crate) clients: Authority,
    pub(crate) revoked: Identity,
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    /// Demands certificates.
    pub(crate) mutual: SocketAddr,
    /// TLS 1.3 with one suite.
    pub(crate) strict: SocketAddr,
    pub(crate) shared: SocketAddr,
    _broker: Broker,
}

impl Gateways {
    pub(crate) fn start(head: &str) -> Self {
        let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
        let revoked = clients.issue(&Leaf::client("revoked"));
        let (broker, mut base) = (Broker::echoing(b"ok"), 0);
        let deployment = Deployment::start(head, |directory, port| {
            base = port;
            servers
                .issue(&Leaf::server(&[NAME, SHARED, "*.one.kafka.test"]))
                .write(directory, "s");
            fs::write(directory.join("trust.pem"), &clients.pem).unwrap();
            fs::write(directory.join("crl.pem"), clients.revoke(&[revoked.serial])).unwrap();
            let tls =
                |more: &str| format!("{{key: {{certificateFile: s.crt, privateKeyFile: s.key}}{more}}}");
            let cluster = |name, place: u16, more: Option<&str>| {
                let tls = more.map_or_else(String::new, tls);
                cluster(name, port + 2 * place, broker.address, "", &tls)
            };
            let mutual = ", trust: {storeFile: trust.pem}, crlFile: crl.pem";
            let strict =
                ", protocols: {allowed: [TLSv1.3]}, cipherSuites: {allowed: [TLS_AES_256_GCM_SHA384]}";
            [
                "virtualClusters:\n".to_owned(),
                cluster("plain", 0, None),
                cluster("tls", 1, Some("")),
                cluster("mutual", 2, Some(mutual)),
                cluster("strict", 3, Some(strict)),
                sharing("one", port + 8, broker.address),
            ]
            .concat()
        });
        let at = |place: u16| local(base + 2 * place);
        Self {
            deployment,
            servers,
            clients,
            revoked,
            plain: at(0),
            tls: at(1),
            mutual: at(2),
            strict: at(3),
            shared: at(4),
            _broker: broker,
        }
    }

    /// Trusts the proxy, shows nothing, remembers nothing.
    pub(crate) fn dialer(&self) -> Dialer {
        Dialer::trusting(&self.servers.pem).forgetful()
    }

    /// Somebody at every gateway, all the time.
    pub(crate) fn others(&self) -> Others {
        let mut others = Others::default();
        let (plain, dialer) = (self.plain, self.dialer());
        let mut client = Client::connect(plain);
        others.add(move || {
            ask(&mut client);
            ask(&mut Client::connect(plain));
        });
        let alice = Dialer::showing(&self.servers.pem, &self.clients.issue(&Leaf::client("alice")));
        for (dialer, address, name) in [
            (dialer.clone(), self.tls, NAME),
            (alice, self.mutual, NAME),
            (dialer.clone(), self.strict, NAME),
            (dialer, self.shared, SHARED),
        ] {
            let mut client = dialer.greet(address, name).unwrap();
            others.add(move || {
                client.ask().unwrap();
                dialer.greet(address, name).unwrap();
            });
        }
        others
    }
}

fn sharing(name: &str, port: u16, target: SocketAddr) -> String {
    format!(
        "  - name: {name}
    targetCluster: {{bootstrapServers: \"{target}\"}}
    gateways:
      - name: shared
        bindAddress: 127.0.0.1
        sniHostIdentifiesNode:
          bootstrapAddress: $(virtualClusterName).kafka.test:{port}
          advertisedBrokerAddressPattern: b$(nodeId).$(virtualClusterName).kafka.test
        tls: {{key: {{certificateFile: s.crt, privateKeyFile: s.key}}}}
"
    )
}

/// Clients that are to be served all the time.
#[derive(Default)]
pub(crate) struct Others {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<usize>>,
}

impl Others {
    fn add(&mut self, mut turn: impl FnMut() + Send + 'static) {
        let stop = Arc::clone(&self.stop);
        self.threads.push(std::thread::spawn(move || {
            let mut turns = 0;
            while !stop.load(Ordering::Relaxed) {
                turn();
                turns += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            turns
        }));
    }

    /// All were served, and more than once each.
    #[track_caller]
    pub(crate) fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            assert!(thread.join().unwrap() > 1);
        }
    }
}
