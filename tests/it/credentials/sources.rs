//! Where credentials come from: files, a token endpoint; and the rules for the keys.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use kproxy::config::Secret;
use kproxy::model::{BrokerMechanism, LoginSource, TokenGrant, UserLogin};
use kproxy::session::cause::CloseCause;

use super::{expect_refused, expect_served, setup, shared};
use testkit::sasl_broker::{Rules, SaslBroker};

const SECRET: &str = "hunter2";

/// An endpoint that gives one token to a client with the right secret.
struct Endpoint {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    seen: Arc<Mutex<String>>,
}

impl Endpoint {
    fn start(status: &'static str, answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, seen) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<String>>::default());
        std::thread::spawn({
            let (asked, seen) = (Arc::clone(&asked), Arc::clone(&seen));
            move || {
                while let Ok((mut stream, _)) = listener.accept() {
                    asked.fetch_add(1, Ordering::SeqCst);
                    let mut request = Vec::new();
                    let mut chunk = [0; 4096];
                    while !String::from_utf8_lossy(&request).contains("grant_type") {
                        let read = stream.read(&mut chunk).unwrap();
                        request.extend_from_slice(&chunk[..read]);
                    }
                    *seen.lock().unwrap() = String::from_utf8(request).unwrap();
                    let answer = format!(
                        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{answer}",
                        answer.len()
                    );
                    stream.write_all(answer.as_bytes()).unwrap();
                }
            }
        });
        Self { address, asked, seen }
    }

    fn grant(&self) -> LoginSource {
        LoginSource::Grant(TokenGrant {
            endpoint: format!("http://{}/token", self.address),
            client: UserLogin {
                username: "kproxy".to_owned(),
                password: Secret::new(SECRET),
            },
            scope: Some("kafka read".to_owned()),
            authorities: None,
        })
    }
}

/// A broker that takes the token `good`.
fn broker() -> SaslBroker {
    SaslBroker::start(Rules::of("OAUTHBEARER", "good", "svc"))
}

fn token(token: &str) -> LoginSource {
    LoginSource::Token {
        token: Secret::new(token),
        subject: None,
    }
}

#[test]
fn a_token_of_a_file_is_shown_to_the_broker() {
    let broker = broker();
    let proxy = setup(&broker, shared(BrokerMechanism::OauthBearer, token("good"))).start();
    expect_served(&mut proxy.client(), 1);
    assert_eq!(broker.logins(false), ["svc"]);
}

#[test]
fn a_token_that_the_broker_does_not_take_is_a_refusal_with_its_reason() {
    let broker = broker();
    let proxy = setup(&broker, shared(BrokerMechanism::OauthBearer, token("bad"))).start();
    expect_refused(&proxy, CloseCause::UpstreamLoginRefused);
    let status = format!("{:?}", proxy.proxy.status().unwrap());
    assert!(status.contains("invalid_token"), "{status}");
}

#[test]
fn a_token_is_fetched_once_for_all_sessions() {
    let endpoint = Endpoint::start(
        "200 OK",
        r#"{"access_token":"good","token_type":"Bearer","expires_in":3600}"#,
    );
    let broker = broker();
    let proxy = setup(&broker, shared(BrokerMechanism::OauthBearer, endpoint.grant())).start();
    for id in 1..5 {
        expect_served(&mut proxy.client(), id);
    }
    assert_eq!(endpoint.asked.load(Ordering::SeqCst), 1);
    let seen = endpoint.seen.lock().unwrap().clone();
    let seen = seen.to_ascii_lowercase();
    assert!(seen.starts_with("post /token http/1.1\r\n"), "{seen}");
    assert!(
        seen.contains("grant_type=client_credentials&scope=kafka+read"),
        "{seen}"
    );
    let basic = data_encoding::BASE64
        .encode(b"kproxy:hunter2")
        .to_ascii_lowercase();
    assert!(seen.contains(&format!("authorization: basic {basic}")), "{seen}");
}

#[test]
fn an_endpoint_that_gives_no_token_is_named_and_the_secret_is_not() {
    let endpoint = Endpoint::start("401 Unauthorized", r#"{"error":"invalid_client"}"#);
    let broker = broker();
    let proxy = setup(&broker, shared(BrokerMechanism::OauthBearer, endpoint.grant())).start();
    expect_refused(&proxy, CloseCause::UpstreamCredentialsMissing);
    assert_eq!(broker.logins(false).len() + broker.refused(), 0);
    let status = format!("{:?}", proxy.proxy.status().unwrap());
    assert!(
        status.contains("invalid_client") && !status.contains(SECRET),
        "{status}"
    );
}

/// The errors for a target with this `sasl`.
fn errors(sasl: &str) -> Vec<String> {
    let text = format!(
        "virtualClusters: [{{name: v, targetCluster: {{bootstrapServers: 'b:9092', sasl: {sasl}}}, \
         gateways: [{{name: g, portIdentifiesNode: {{bootstrapAddress: 'localhost:9192'}}}}]}}]\n"
    );
    match kproxy::model::parse(text.as_bytes(), "proxy.yaml") {
        Ok(_) => Vec::new(),
        Err(diagnostics) => diagnostics.into_iter().map(|it| it.message).collect(),
    }
}

#[test]
fn the_keys_have_to_fit_together() {
    for (sasl, expected) in [
        ("{mechanism: PLAIN, username: a, password: b}", ""),
        ("{mechanism: SCRAM-SHA-512, username: a, password: b}", ""),
        ("{mechanism: AWS_MSK_IAM}", ""),
        (
            "{mechanism: AWS_MSK_IAM, accessKeyId: a, secretAccessKey: b, region: eu-west-1}",
            "",
        ),
        (
            "{mechanism: OAUTHBEARER, tokenEndpointUrl: 'https://x/t', clientId: a, clientSecret: b}",
            "",
        ),
        ("{mechanism: OAUTHBEARER, credentials: passToken}", ""),
        ("{mechanism: PLAIN}", "`sasl` with `PLAIN` needs `username`"),
        (
            "{mechanism: PLAIN, username: a}",
            "`username` needs `password` or `passwordFile`",
        ),
        (
            "{mechanism: PLAIN, password: hunter2}",
            "the secret needs `username`",
        ),
        (
            "{mechanism: PLAIN, username: '', password: hunter2}",
            "`username` is not a name",
        ),
        (
            "{mechanism: PLAIN, username: a, password: ''}",
            "`password` is empty",
        ),
        (
            "{mechanism: PLAIN, username: a, password: hunter2, region: x}",
            "`region` has a meaning only with AWS_MSK_IAM",
        ),
        (
            "{mechanism: PLAIN, credentials: passToken, username: a, password: hunter2}",
            "`passToken` needs OAUTHBEARER",
        ),
        (
            "{mechanism: SCRAM-SHA-256, credentials: perClient}",
            "`credentials: perClient` needs `clientsFile`",
        ),
        (
            "{mechanism: OAUTHBEARER}",
            "`sasl` with `OAUTHBEARER` needs `tokenFile`, or `tokenEndpointUrl` with `clientId`",
        ),
        (
            "{mechanism: OAUTHBEARER, tokenEndpointUrl: 'ftp://x'}",
            "`tokenEndpointUrl` does not begin with http:// or https://",
        ),
        (
            "{mechanism: AWS_MSK_IAM, sessionToken: hunter2}",
            "`sessionToken` needs `accessKeyId`",
        ),
        ("{mechanism: GSSAPI}", "unknown value `GSSAPI`"),
    ] {
        let found = errors(sasl);
        assert!(!found.concat().contains(SECRET), "{found:?}");
        match expected {
            "" => assert!(found.is_empty(), "{sasl}: {found:?}"),
            expected => assert!(
                found.iter().any(|it| it.starts_with(expected)),
                "{sasl}: {found:?}"
            ),
        }
    }
}
