//! Promises 4, 5 and 7.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use kafka_protocol::messages::MetadataResponse;

use testkit::broker::Broker;
use testkit::certificates::{Authority, Leaf};
use testkit::cluster::{API_VERSIONS, METADATA, api_versions, broker};
use testkit::deployment::Deployment;
use testkit::frames;
use testkit::running::local;
use testkit::tls_client::{Dialer, TlsClient};
use testkit::wait::eventually;

const NAME: &str = "kafka.test";

/// What kproxy keeps of one cluster at most.
const MOST: usize = 10_000;

/// A gateway whose nodes are told apart by name, in front of a broker that names as many nodes as `named` says: itself
/// as node 0, and others nobody ever reaches.
struct Names {
    deployment: Deployment,
    named: Arc<AtomicI32>,
    dialer: Dialer,
    address: SocketAddr,
    _broker: Broker,
}

impl Names {
    fn start() -> Self {
        let named = Arc::new(AtomicI32::new(1));
        let broker = {
            let named = Arc::clone(&named);
            Broker::start(move |mut connection| {
                let own = connection.stream.local_addr().unwrap();
                while let Some(asked) = connection.request() {
                    match asked.api_key {
                        API_VERSIONS => connection.answer(&asked, &api_versions()),
                        METADATA => {
                            let others = (1..named.load(Ordering::SeqCst)).map(|node| {
                                let place = node.to_be_bytes();
                                broker(node, ([127, 1, place[2], place[3]], 9092).into())
                            });
                            let brokers = std::iter::once(broker(0, own)).chain(others).collect();
                            connection.answer(&asked, &MetadataResponse::default().with_brokers(brokers));
                        }
                        _ => connection.send(&frames::raw_response(asked.correlation_id, b"")),
                    }
                }
            })
        };
        let authority = Authority::new("servers");
        let wildcard = format!("*.{NAME}");
        let mut address = local(1);
        let deployment = Deployment::start("", |directory, port| {
            address = local(port);
            authority
                .issue(&Leaf::server(&[NAME, &wildcard]))
                .write(directory, "s");
            let target = broker.address;
            format!(
                "virtualClusters:
  - name: a
    targetCluster: {{bootstrapServers: \"{target}\"}}
    gateways:
      - name: main
        bindAddress: 127.0.0.1
        sniHostIdentifiesNode: {{bootstrapAddress: \"{NAME}:{port}\", advertisedBrokerAddressPattern: \"b-$(nodeId).{NAME}\"}}
        tls: {{key: {{certificateFile: s.crt, privateKeyFile: s.key}}}}
"
            )
        });
        Self {
            deployment,
            named,
            dialer: Dialer::trusting(&authority.pem),
            address,
            _broker: broker,
        }
    }

    fn accepted(&self, node: &str) -> f64 {
        let labels = ["virtual_cluster=\"a\"", &format!("node_id=\"{node}\"")];
        self.deployment
            .metric("kproxy_client_to_proxy_connections_total", &labels)
    }

    /// How many nodes the cluster is said to have.
    fn nodes(&self) -> usize {
        let status = self.deployment.status();
        status["clusters"][0]["gateways"][0]["nodes"]
            .as_array()
            .unwrap()
            .len()
    }

    /// Asks for the brokers, of which there are now so many, and says how many are named.
    fn list(&self, client: &mut TlsClient, count: i32) -> usize {
        self.named.store(count, Ordering::SeqCst);
        let request = frames::request(1, 9, &kafka_protocol::messages::MetadataRequest::default());
        client.tls.write_all(&request).unwrap();
        let (_, answer) = frames::decode::<MetadataResponse>(1, &client.frame().unwrap());
        answer.brokers.len()
    }
}

#[test]
fn node_ids_that_clients_invent_have_no_series_of_their_own() {
    const INVENTED: i32 = 200;
    let names = Names::start();
    for node in 1000..1000 + INVENTED {
        let mut stream = TcpStream::connect(names.address).unwrap();
        let hello = names.dialer.hello(&format!("b-{node}.{NAME}"));
        stream.write_all(&hello).unwrap();
        // Its answer: by then the name is understood.
        assert!(stream.read(&mut [0; 64]).unwrap() > 0);
    }
    eventually("all are counted under one name", || {
        names.accepted("unknown") == f64::from(INVENTED)
    });
    assert_eq!(names.accepted("1000"), 0.0);
    // A client that comes for a node nobody has named yet is counted as that node's once its broker is found.
    let client = names.dialer.greet(names.address, &format!("b-0.{NAME}"));
    client.unwrap();
    assert_eq!(names.accepted("0"), 1.0);
    assert_eq!(names.accepted("unknown"), f64::from(INVENTED));
}

#[test]
fn counters_are_there_from_the_start() {
    let names = Names::start();
    let metrics = names.deployment.get("/metrics");
    for series in [
        "kproxy_client_to_proxy_connections_total{virtual_cluster=\"a\",node_id=\"bootstrap\"} 0",
        "kproxy_client_to_proxy_connections_total{virtual_cluster=\"a\",node_id=\"unknown\"} 0",
        "kproxy_proxy_to_server_errors_total{virtual_cluster=\"a\",node_id=\"bootstrap\",cause=\"upstream_unreachable\"} 0",
        "kproxy_reconfigure_total{outcome=\"rejected\",trigger=\"watch\"} 0",
        "kproxy_accept_errors_total{errno=\"EMFILE\"} 0",
        "kproxy_tls_handshake_errors_total{cause=\"client_certificate_rejected\"} 0",
        "kproxy_unrouted_disconnects_total{cause=\"unknown_server_name\"} 0",
    ] {
        assert!(metrics.contains(series), "no {series} in {metrics}");
    }
}

#[test]
fn nodes_beyond_what_a_cluster_can_have_are_withheld_and_those_that_vanish_forgotten() {
    let names = Names::start();
    let mut client = names.dialer.greet(names.address, NAME).unwrap();
    assert_eq!(names.list(&mut client, 20_000), MOST);
    assert_eq!(names.nodes(), MOST);
    assert_eq!(names.list(&mut client, 20_000), MOST);
    let told = names.deployment.line(0, &["more nodes than a cluster can have"]);
    assert!(told.contains("cluster=a"), "{told}");
    let log = names.deployment.log(0);
    assert_eq!(
        log.matches("more nodes than a cluster can have").count(),
        1,
        "{log}"
    );
    assert!(
        log.lines().all(|line| line.len() < 1000),
        "no line names them all"
    );

    assert_eq!(names.list(&mut client, 3), 3);
    assert_eq!(names.nodes(), 3);
}
