//! Promise 4.

use std::io::{BufRead as _, BufReader, Read as _, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection};
use serde_json::Value;
use testkit::binary::{Binary, configuration, program};
use testkit::broker::Broker;
use testkit::certificates::{Authority, Identity, Leaf};
use testkit::running::Running;
use testkit::wait::eventually;

use super::fixture::HEAD;

/// A request to a webhook.
#[derive(Debug, Clone)]
struct Posted {
    head: String,
    body: Value,
}

/// An HTTP server that answers each request with the next of these statuses, and the last one again and again.
struct Hook {
    address: SocketAddr,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl Hook {
    fn answering(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let posted = Arc::<Mutex<Vec<Posted>>>::default();
        std::thread::spawn({
            let posted = Arc::clone(&posted);
            move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    answer(stream, &posted, statuses);
                }
            }
        });
        Self { address, posted }
    }

    fn posted(&self) -> Vec<Posted> {
        self.posted.lock().unwrap().clone()
    }

    #[track_caller]
    fn expect(&self, count: usize) -> Vec<Posted> {
        eventually(&format!("{count} requests"), || self.posted().len() >= count);
        self.posted()
    }
}

fn answer(mut stream: TcpStream, posted: &Mutex<Vec<Posted>>, statuses: &[u16]) {
    let request = read_request(&mut stream);
    let mut posted = posted.lock().unwrap();
    let status = statuses[posted.len().min(statuses.len() - 1)];
    posted.push(request);
    // The other end may have given up.
    drop(write!(
        stream,
        "HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ));
}

fn read_request(stream: &mut impl std::io::Read) -> Posted {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.parse().unwrap())
    });
    let mut body = vec![0; length.unwrap()];
    reader.read_exact(&mut body).unwrap();
    let body = serde_json::from_slice(&body).unwrap();
    Posted { head, body }
}

fn told(hook: SocketAddr, more: &str) -> Running {
    let secret = "http://127.0.0.1:PORT/hooks/SECRET-PATH".replace("PORT", &hook.port().to_string());
    Running::with(&format!("{HEAD}notify: [{{url: \"{secret}\"{more}}}]\n"), &["a"])
}

/// How often something was delivered, failed, or was dropped, as the metrics have it.
fn outcome(running: &Running, name: &str) -> u64 {
    let metrics = super::fixture::get(running, "/metrics");
    let line = metrics
        .lines()
        .find(|line| line.starts_with(&format!("kproxy_notifications_total{{outcome=\"{name}\"}}")));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_rejected_reload_is_posted_as_the_json_of_the_audit_with_the_token_and_no_secret_is_logged() {
    let hook = Hook::answering(&[200]);
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, "SECRET-TOKEN\n").unwrap();
    let running = told(hook.address, &format!(", tokenFile: {}", token.display()));
    running.reload_with(running.text(&["a", "b"]));
    running.reload_with("nonsense");
    let posted = hook.expect(1);
    let Posted { head, body } = &posted[0];
    assert!(head.starts_with("POST /hooks/SECRET-PATH HTTP/1.1\r\n"), "{head}");
    let head = head.to_lowercase();
    for header in [
        "content-type: application/json\r\n",
        "authorization: bearer secret-token\r\n",
        "user-agent: kproxy/",
    ] {
        assert!(head.contains(header), "{head}");
    }
    assert_eq!(
        (&body["action"], &body["outcome"]),
        (&"reload".into(), &"rejected".into())
    );
    assert!(
        body["text"].as_str().unwrap().contains("generation 2 runs"),
        "{body}"
    );
    eventually("it is counted", || outcome(&running, "delivered") == 1);
    assert_eq!(hook.posted().len(), 1, "what is well is not posted");
    let log = running.binary.log();
    assert!(!log.contains("SECRET"), "{log}");
}

#[test]
fn only_events_that_are_listed_are_posted() {
    let hook = Hook::answering(&[200]);
    let running = told(hook.address, ", events: [failed, certificate_expiry]");
    running.reload_with("nonsense");
    running.reload_with(running.text(&["a"]));
    assert_eq!((hook.posted().len(), outcome(&running, "delivered")), (0, 0));
}

#[test]
fn a_server_in_trouble_is_asked_again_and_the_log_tells_of_it_once() {
    let hook = Hook::answering(&[500, 503, 200]);
    let running = told(hook.address, "");
    running.reload_with("nonsense");
    let posted = hook.expect(3);
    assert!(
        posted.iter().all(|post| post.body == posted[0].body),
        "the same each time"
    );
    running.binary.expect_log("the webhook takes notifications again");
    let log = running.binary.log();
    assert_eq!(
        log.matches("a webhook does not take notifications").count(),
        1,
        "{log}"
    );
    assert_eq!(
        (outcome(&running, "delivered"), outcome(&running, "failed")),
        (1, 0)
    );
}

#[test]
fn a_server_that_refuses_is_not_asked_again() {
    let hook = Hook::answering(&[404]);
    let running = told(hook.address, "");
    running.reload_with("nonsense");
    running
        .binary
        .expect_log("a notification is given up; further ones are only counted");
    running.reload_with("other nonsense");
    eventually("both are counted", || outcome(&running, "failed") == 2);
    assert_eq!(hook.posted().len(), 2);
    let log = running.binary.log();
    assert_eq!(log.matches("a notification is given up").count(), 1, "{log}");
}

#[test]
fn a_server_that_hangs_delays_no_reload_and_a_stop_for_a_moment_only() {
    // Connections are taken by the kernel, and nobody ever reads.
    let hung = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut running = told(hung.local_addr().unwrap(), "");
    for number in 0..150 {
        running.reload_with(format!("nonsense {number}"));
    }
    eventually("what does not fit is dropped and counted", || {
        outcome(&running, "dropped") > 0
    });
    assert_eq!(running.reload_with(running.text(&["a", "b"])).outcome, "applied");
    running.client(1);
    let began = Instant::now();
    running.binary.signal(Signal::TERM);
    assert_eq!(running.binary.exit().0, Some(0));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn https_is_verified_and_the_end_of_a_certificate_in_use_is_posted_twice() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path();
    let authority = Authority::new("hooks");
    let roots = testkit::certificates::write(at, "roots.pem", &authority.pem);
    let hook = TlsHook::start(&authority.issue(&Leaf::server(&["localhost"])));
    let short = Leaf::server(&["localhost"]).lasting(Duration::from_secs(4));
    let files = authority.issue(&short).write(at, "short");
    let broker = Broker::echoing(b"ok");
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let gateway =
        format!("        tls: {{key: {{certificateFile: {certificate}, privateKeyFile: {key}}}}}\n");
    let text = format!(
        "notify: [{{url: \"https://localhost:{}/\", events: [certificate_expiry]}}]\n{}{gateway}",
        hook.address.port(),
        configuration(broker.address)
    );
    let config = testkit::certificates::write(at, "proxy.yaml", &text);
    let mut command = Command::new(program());
    command.env("SSL_CERT_FILE", roots);
    let binary = Binary::start(command, &config, None);
    eventually(&format!("two requests: {}", binary.log()), || {
        hook.posted.lock().unwrap().len() >= 2
    });
    let posted = hook.posted.lock().unwrap().clone();
    let outcomes: Vec<&str> = posted
        .iter()
        .map(|post| post.body["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["expires_soon", "expired"]);
    assert_eq!(posted[0].body["object"], files.certificate.to_str().unwrap());
}

#[test]
fn a_server_with_a_certificate_that_nobody_vouches_for_is_told_nothing() {
    let hook = TlsHook::start(&Leaf::server(&["localhost"]).self_signed());
    let url = format!("https://localhost:{}/", hook.address.port());
    let running = Running::with(&format!("{HEAD}notify: [{{url: \"{url}\"}}]\n"), &["a"]);
    running.reload_with("nonsense");
    running
        .binary
        .expect_log("a webhook does not take notifications; kproxy tries again");
    assert!(hook.posted.lock().unwrap().is_empty());
}

/// An HTTPS server that takes everything.
struct TlsHook {
    address: SocketAddr,
    posted: Arc<Mutex<Vec<Posted>>>,
}

impl TlsHook {
    fn start(identity: &Identity) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let posted = Arc::<Mutex<Vec<Posted>>>::default();
        let chain = CertificateDer::pem_slice_iter(identity.chain.as_bytes());
        let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let settings = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let settings = settings
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key);
        let settings = Arc::new(settings.unwrap());
        std::thread::spawn({
            let posted = Arc::clone(&posted);
            move || {
                for mut socket in listener.incoming().map_while(Result::ok) {
                    let mut tls = ServerConnection::new(Arc::clone(&settings)).unwrap();
                    if tls.complete_io(&mut socket).is_err() {
                        continue;
                    }
                    let mut stream = rustls::Stream::new(&mut tls, &mut socket);
                    posted.lock().unwrap().push(read_request(&mut stream));
                    drop(stream.write_all(b"HTTP/1.1 204 Fine\r\nConnection: close\r\n\r\n"));
                }
            }
        });
        Self { address, posted }
    }
}
