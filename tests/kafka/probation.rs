//! Promise 12: a target that is really wrong is taken back by itself; the clients of other clusters see nothing, those of
//! the changed one are served again within the window.

#![expect(
    clippy::print_stdout,
    reason = "`--nocapture` shows the values that are recommended"
)]

use std::{
    fmt::Write,
    net::{SocketAddr, TcpListener},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use kafka_protocol::messages::ApiVersionsResponse;
use rustix::process::Signal;

use crate::sasl::PLAIN;
use testkit::{
    binary::program,
    broker::Broker,
    certificates::Authority,
    deployment::Deployment,
    kafka::{KafkaCluster, Listener, Options, USER, wait_for},
    maven::{Install, KafkaVersion, require},
    running::local,
    tool::{Running, Tool},
    topics,
};
use testkit_clients::TestProducer;

const WINDOW: Duration = Duration::from_secs(60);

/// The topic that everybody writes to.
const TOPIC: &str = "probation";

/// Longest time until a client of a busy machine goes on.
const SETTLE: Duration = Duration::from_secs(60);

/// Virtual clusters in the order of their ports.
const CLUSTERS: [&str; 3] = ["other", "orders", "secured"];

/// The target of each virtual cluster, as the file has it.
type Targets = [String; 3];

fn plain(address: SocketAddr) -> String {
    format!("{{bootstrapServers: \"{address}\"}}")
}

fn document(port: u16, targets: &Targets) -> String {
    let mut text = "virtualClusters:\n".to_owned();
    for (index, (name, target)) in (0..).zip(CLUSTERS.iter().zip(targets)) {
        let port = port + 2 * index;
        writeln!(
            text,
            "  - name: {name}
    targetCluster: {target}
    drain: {{timeout: 5s, hardTimeout: 10s}}
    gateways:
      - name: main
        portIdentifiesNode:
          bootstrapAddress: 127.0.0.1:{port}
          nodeIdRanges: [{{name: brokers, start: 1, end: 1}}]"
        )
        .unwrap();
    }
    text
}

/// Producers of one virtual cluster, each at its own pace, until this is dropped.
struct Writers {
    producers: Vec<Arc<TestProducer>>,
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Writers {
    fn start(address: SocketAddr, count: usize, more: &[(&str, &str)]) -> Self {
        let settings = [
            &[
                ("enable.idempotence", "false"),
                ("reconnect.backoff.max.ms", "2000"),
            ],
            more,
        ]
        .concat();
        let stop = Arc::<AtomicBool>::default();
        let producers: Vec<_> = (0..count)
            .map(|_| Arc::new(TestProducer::new(&address.to_string(), &settings)))
            .collect();
        let write = |producer: &Arc<TestProducer>| {
            let (producer, stop) = (Arc::clone(producer), Arc::clone(&stop));
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    producer.send(TOPIC, b"value");
                    thread::sleep(Duration::from_millis(10));
                }
            })
        };
        let threads = producers.iter().map(write).collect();
        Self {
            producers,
            stop,
            threads,
        }
    }

    /// Waits until each of them has had so many more messages acknowledged.
    fn expect_more(&self, more: usize) {
        for producer in &self.producers {
            let target = producer.deliveries.delivered() + more;
            wait_for("deliveries go on", SETTLE, || {
                producer.deliveries.delivered() >= target
            });
            producer.deliveries.assert_none_failed();
        }
    }
}

impl Drop for Writers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

/// A deployment with its clients.
struct Scene {
    deployment: Deployment,
    right: Targets,
    port: u16,
    writers: [Writers; 3],
}

impl Scene {
    fn start(kafka: &KafkaCluster, head: &str) -> Self {
        let of = |listener| plain(kafka.address(1, listener));
        let right = [
            of(Listener::Plaintext),
            of(Listener::Plaintext),
            of(Listener::SaslPlaintext),
        ];
        let mut port = 0;
        let deployment = Deployment::start(head, |_, first| {
            port = first;
            document(port, &right)
        });
        let writers = [
            Writers::start(local(port), 1, &[]),
            Writers::start(local(port + 2), 4, &[]),
            Writers::start(local(port + 4), 2, &PLAIN),
        ];
        let scene = Self {
            deployment,
            right,
            port,
            writers,
        };
        scene.writers.iter().for_each(|writers| writers.expect_more(100));
        scene
    }

    /// Leads the cluster at `place` to `target` and expects that it is taken back for one of `reasons`.
    fn expect_taken_back(&self, place: usize, target: &str, reasons: &[&str]) {
        let count = "kproxy_upstream_response_seconds_count";
        wait_for("there is something to compare with", SETTLE, || {
            self.deployment.metric(count, &[CLUSTERS[place]]) > 300.0
        });
        let mut targets = self.right.clone();
        target.clone_into(&mut targets[place]);
        let (mark, began) = (self.deployment.mark(), Instant::now());
        self.deployment.configure(&document(self.port, &targets));
        self.deployment
            .line(mark, &["reload applied", "trigger=\"watch\""]);
        wait_for("it is taken back", WINDOW, || {
            self.deployment.log(mark).contains("rollback applied: ")
        });
        let line = self
            .deployment
            .line(mark, &["a reload made things worse", CLUSTERS[place]]);
        let is_expected = |reason: &&str| line.contains(&format!("reason=\"{reason}\""));
        assert!(reasons.iter().any(is_expected), "{reasons:?}: {line}");
        let decided = began.elapsed();
        self.writers[place].expect_more(50);
        let served = began.elapsed();
        println!("{reasons:?}: decided after {decided:.1?}, served after {served:.1?}\n  {line}");
        assert!(served < WINDOW, "{served:?}");
        for (other, writers) in self
            .writers
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != place)
        {
            writers.expect_more(10);
            let label = format!("virtual_cluster=\"{}\"", CLUSTERS[other]);
            let errors = self
                .deployment
                .metric("kproxy_proxy_to_server_errors_total", &[&label]);
            assert!(other != 0 || errors == 0.0, "{label}");
        }
    }
}

impl Scene {
    /// Leads `orders` to the same brokers by another name, and expects that nothing is found wrong.
    fn expect_passed(&self) {
        let mut targets = self.right.clone();
        targets[1] = targets[1].replace("127.0.0.1", "localhost");
        let mark = self.deployment.mark();
        self.deployment.configure(&document(self.port, &targets));
        self.deployment
            .line(mark, &["reload applied", "trigger=\"watch\""]);
        wait_for("the probation ends", 2 * WINDOW, || {
            self.deployment.log(mark).contains("probation passed")
        });
        println!(
            "{}",
            self.deployment
                .line(mark, &["probation passed", "`orders` healthy"])
        );
        assert!(!self.deployment.log(mark).contains("made things worse"));
        self.writers.iter().for_each(|writers| writers.expect_more(10));
    }
}

impl Scene {
    /// Runs a command and returns what it prints.
    fn command(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(program());
        command.arg("--control").arg(self.deployment.path("control.sock"));
        Tool::of("kproxy", command).args(arguments).succeed()
    }

    /// Expects that the clients of `orders` fail with a closed port, until `back` has taken it back.
    fn expect_brought_back(&self, closed: SocketAddr, back: impl FnOnce(&str)) {
        let mut targets = self.right.clone();
        targets[1] = plain(closed);
        let text = document(self.port, &targets);
        let mark = self.deployment.mark();
        back(&text);
        self.deployment.line(mark, &["rollback applied: "]);
        self.writers.iter().for_each(|writers| writers.expect_more(50));
        for other in ["other", "secured"] {
            let label = format!("virtual_cluster=\"{other}\"");
            let errors = self
                .deployment
                .metric("kproxy_proxy_to_server_errors_total", &[&label]);
            assert!(errors.abs() < f64::EPSILON, "{label}: {errors}");
        }
    }

    /// Waits until sessions of `orders` find no broker.
    fn expect_unreachable(&self) {
        let labels = ["virtual_cluster=\"orders\"", "node_id=\"bootstrap\""];
        self.deployment.expect_metric("kproxy_upstream_up", &labels, 0.0);
    }
}

/// A certificate authority that did not issue what the brokers show.
fn untrusting(scene: &Scene, kafka: &KafkaCluster) -> String {
    std::fs::write(
        scene.deployment.path("stranger.pem"),
        &Authority::new("stranger").pem,
    )
    .unwrap();
    let address = kafka.address(1, Listener::Ssl);
    format!("{{bootstrapServers: \"{address}\", tls: {{trust: {{storeFile: stranger.pem}}}}}}")
}

/// Lets a node of a cluster run for a moment in each second only, until this is dropped.
struct Slowed<'k> {
    stop: &'k AtomicBool,
}

impl Drop for Slowed<'_> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn slow_down(kafka: &KafkaCluster, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        kafka.signal(1, Signal::STOP);
        thread::sleep(Duration::from_millis(900));
        kafka.signal(1, Signal::CONT);
        thread::sleep(Duration::from_millis(150));
    }
}

#[test]
fn a_target_that_is_really_wrong_is_taken_back_and_nobody_else_notices() {
    let Some(install) = require(KafkaVersion::V4_4) else {
        return;
    };
    let right = KafkaCluster::start(&install, 1, Options::default());
    let module = "org.apache.kafka.common.security.plain.PlainLoginModule";
    let login = format!(
        "{module} required username=\"admin\" password=\"x\" user_admin=\"x\" user_{USER}=\"another\";"
    );
    let wrong = KafkaCluster::start(
        &install,
        1,
        Options {
            properties: vec![(
                "listener.name.sasl_plaintext.plain.sasl.jaas.config".to_owned(),
                login,
            )],
            ..Options::default()
        },
    );
    for cluster in [&right, &wrong] {
        topics::create(cluster, TOPIC, &[&[1], &[1], &[1]]);
    }
    let head = format!("rollback: {{auto: true, window: {}s}}\n", WINDOW.as_secs());
    let scene = Scene::start(&right, &head);
    // Java's producers write to a cluster that does not change, and to one that does.
    let java = |place: u16| {
        let mut producer = java_producer(&install, local(scene.port + 2 * place));
        producer.wait_for_output("it writes", |out| out.contains("records sent"));
        producer
    };
    let [mut java_other, mut java_orders] = [java(0), java(1)];

    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    scene.expect_taken_back(1, &plain(closed), &["connect_failures"]);
    scene.expect_taken_back(1, &untrusting(&scene, &right), &["connect_failures"]);
    let secured = plain(wrong.address(1, Listener::SaslPlaintext));
    scene.expect_taken_back(2, &secured, &["authentication_failures"]);
    let errors = Broker::start(|mut connection| {
        while let Some(asked) = connection.request() {
            connection.answer(&asked, &ApiVersionsResponse::default().with_error_code(-1));
        }
    });
    // Sessions at the port of a node find no broker, those at the bootstrap address get no answer: whichever are more.
    scene.expect_taken_back(1, &plain(errors.address), &["connect_failures", "unanswered"]);
    scene.expect_passed();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _slowed = Slowed { stop: &stop };
        scope.spawn(|| slow_down(&wrong, &stop));
        let slow = plain(wrong.address(1, Listener::Plaintext));
        scene.expect_taken_back(1, &slow, &["latency"]);
    });
    let written = |out: &str| out.matches("records sent").count();
    let before = written(&java_orders.stdout());
    java_orders.wait_for_output("it goes on", |out| written(out) >= before + 2);
    assert!(java_other.is_running() && java_orders.is_running());
    let output = java_other.kill();
    assert!(
        !output.stderr.contains("Exception") && !output.stdout.contains("Exception"),
        "{output}"
    );
    java_orders.kill();
}

fn java_producer(install: &Install, bootstrap: SocketAddr) -> Running {
    Tool::new(install, "org.apache.kafka.tools.ProducerPerformance")
        .args([
            "--topic",
            TOPIC,
            "--num-records",
            "1000000",
            "--record-size",
            "100",
            "--throughput",
            "50",
        ])
        .args(["--bootstrap-server", &bootstrap.to_string()])
        .timeout(Duration::from_secs(600))
        .spawn()
}

#[test]
fn a_wrong_target_comes_back_without_a_confirmation_and_by_a_command_and_nobody_else_notices() {
    let Some(install) = require(KafkaVersion::V4_4) else {
        return;
    };
    let kafka = KafkaCluster::start(&install, 1, Options::default());
    topics::create(&kafka, TOPIC, &[&[1], &[1], &[1]]);
    let scene = Scene::start(&kafka, "stateDirectory: state\n");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();

    scene.expect_brought_back(closed, |text| {
        let next = scene.deployment.path("next.yaml");
        std::fs::write(&next, scene.deployment.with_head(text)).unwrap();
        let next = next.display().to_string();
        scene.command(&["reload", "-c", &next, "--confirm-within", "8s"]);
        scene.expect_unreachable();
    });
    scene.expect_brought_back(closed, |text| {
        let mark = scene.deployment.mark();
        scene.deployment.configure(text);
        scene
            .deployment
            .line(mark, &["reload applied", "trigger=\"watch\""]);
        scene.expect_unreachable();
        let told = scene.command(&["rollback"]);
        assert!(told.contains("applied: generation "), "{told}");
    });
    let history = scene.command(&["history"]);
    assert_eq!(history.matches("rollback").count(), 2, "{history}");
}
