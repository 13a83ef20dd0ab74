//! Clients that authenticate at kproxy with the token of an issuer (OAUTHBEARER, RFC 7628).

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use kafka_protocol::messages::SaslAuthenticateResponse;
use kproxy::model::{
    BearerModel, BrokerLogin, BrokerMechanism, ClientLogins, FilterModel, KeysOnStart, SaslSubjectBuilder,
    SaslTerminationModel, TerminatedMechanism,
};
use kproxy::reload::Outcome;
use kproxy::sasl::jwt::{MAX_TOKEN_LEN, TokenRules};
use kproxy::session::cause::CloseCause;
use serde_json::json;
use testkit::client::Client;
use testkit::cluster::{Cluster, SASL_AUTHENTICATE, SASL_HANDSHAKE};
use testkit::oidc::{AUDIENCE, Health, Issuer};
use testkit::proxy::{Setup, TestProxy};
use testkit::sasl_broker::{Rules, SaslBroker};
use testkit::tokens::SigningKey;

use super::{DELAY, NOBODY, authenticate, expect_served, handshake, with};
use crate::tokens::{keys, named, naming};

/// Longer than clients have to wait between two authentications.
const BETWEEN: Duration = Duration::from_millis(1050);

/// What a client with a token that is not accepted gets first (RFC 7628 §3.2.2).
const REFUSAL: &[u8] = br#"{"status":"invalid_token"}"#;

fn bearer(issuer: &Issuer) -> BearerModel {
    BearerModel {
        keys: keys(&issuer.jwks_url()),
        rules: TokenRules {
            audiences: vec![AUDIENCE.into()],
            issuer: Some(issuer.url().into()),
            ..TokenRules::default()
        },
        max_bytes: MAX_TOKEN_LEN,
    }
}

fn settings(bearer: BearerModel) -> SaslTerminationModel {
    SaslTerminationModel {
        mechanisms: vec![TerminatedMechanism::OauthBearer(bearer)],
        max_time_before_reauth: None,
        failed_delay: DELAY,
        subject_builder: SaslSubjectBuilder::default(),
    }
}

fn setup(cluster: &Cluster, bearer: BearerModel) -> Setup {
    with(Setup::to(&[cluster.address(0)]), settings(bearer))
}

fn start(issuer: &Issuer) -> (Cluster, TestProxy) {
    let cluster = Cluster::start([0]);
    let proxy = setup(&cluster, bearer(issuer)).start();
    (cluster, proxy)
}

/// The answer to the token.
#[track_caller]
fn show(client: &mut Client, token: &str) -> SaslAuthenticateResponse {
    assert_eq!(handshake(client, 1, "OAUTHBEARER").error_code, 0);
    authenticate(
        client,
        format!("n,,\u{1}auth=Bearer {token}\u{1}\u{1}").as_bytes(),
    )
}

/// The lifetime that the client is told.
#[track_caller]
fn accepted(client: &mut Client, token: &str) -> Duration {
    let answer = show(client, token);
    assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
    assert_eq!(answer.auth_bytes.len(), 0);
    Duration::from_millis(answer.session_lifetime_ms.try_into().unwrap())
}

#[track_caller]
fn refused(client: &mut Client, token: &str, what: &str) {
    let began = Instant::now();
    let answer = show(client, token);
    assert_eq!((answer.error_code, &*answer.auth_bytes), (0, REFUSAL), "{what}");
    let last = authenticate(client, &[1]);
    assert_eq!((last.error_code, last.auth_bytes.len()), (58, 0), "{what}");
    let text = last.error_message.unwrap();
    assert!(
        text.ends_with("invalid credentials with SASL mechanism OAUTHBEARER"),
        "{text}"
    );
    assert!(began.elapsed() >= DELAY, "{what}");
    client.expect_fin();
}

/// The client is asked to leave.
#[track_caller]
fn expect_expired(client: &mut Client) {
    client.send(&testkit::frames::heartbeat(3));
    let (bytes, _) = client.rest();
    assert_eq!(bytes.len(), 0, "closed without an answer, as a broker does");
}

#[test]
fn who_has_a_token_of_the_issuer_is_let_in_and_the_broker_sees_none() {
    let issuer = Issuer::start();
    let (cluster, proxy) = start(&issuer);
    let mut client = proxy.client();
    let lifetime = accepted(&mut client, &issuer.token("billing"));
    let hour = Duration::from_secs(3600);
    assert!(
        lifetime <= hour && lifetime > hour - Duration::from_secs(60),
        "{lifetime:?}"
    );
    expect_served(&mut client);
    assert_eq!(cluster.asked(SASL_HANDSHAKE), NOBODY);
    assert_eq!(cluster.asked(SASL_AUTHENTICATE), NOBODY);
}

#[test]
fn a_token_that_breaks_a_rule_is_refused_as_rfc_7628_has_it() {
    let issuer = Issuer::start();
    issuer.add_key();
    let (cluster, proxy) = start(&issuer);
    let unknown = SigningKey::generate("ES256", "nobody's");
    let claims =
        json!({"iss": issuer.url(), "aud": AUDIENCE, "sub": "a", "exp": testkit::tokens::now() + 60});
    let with = |claims: serde_json::Value| issuer.token_with("billing", &claims);
    let cases = [
        ("signed by an unknown key", unknown.token(&claims)),
        (
            "with no key id",
            unknown.token_with_header(&json!({"alg": "ES256"}), &claims),
        ),
        ("with another audience", with(json!({"aud": "other"}))),
        ("with another issuer", with(json!({"iss": "other"}))),
        ("expired", with(json!({"exp": 1000}))),
        ("without an end", with(json!({"exp": null}))),
        ("without a name", with(json!({"sub": null}))),
        ("unsigned", "eyJhbGciOiJub25lIn0.e30.".to_owned()),
        ("opaque", "c4nary".to_owned()),
    ];
    let count = cases.len() as u64;
    for (what, token) in cases {
        refused(&mut proxy.client(), &token, what);
    }
    proxy.expect_closes(CloseCause::AuthenticationFailed, count);
    assert_eq!(
        cluster.connections(0),
        0,
        "no broker is connected to for a stranger"
    );
}

#[test]
fn a_message_that_is_none_of_oauthbearer_is_refused() {
    let issuer = Issuer::start();
    let (_cluster, proxy) = start(&issuer);
    for message in [&b"\0alice\0pencil"[..], b"", b"n,,\x01\x01", b"\x01"] {
        let mut client = proxy.client();
        assert_eq!(handshake(&mut client, 1, "OAUTHBEARER").error_code, 0);
        let answer = authenticate(&mut client, message);
        // Some of them are told why by JSON first.
        let last = match answer.error_code {
            0 => authenticate(&mut client, &[1]),
            _ => answer,
        };
        assert_eq!(last.error_code, 58);
        client.expect_fin();
    }
    // Whatever follows the refusal of a token ends the exchange.
    let mut client = proxy.client();
    assert_eq!(&*show(&mut client, "c4nary").auth_bytes, REFUSAL);
    let second = format!("n,,\u{1}auth=Bearer {}\u{1}\u{1}", issuer.token("billing"));
    assert_eq!(authenticate(&mut client, second.as_bytes()).error_code, 58);
    client.expect_fin();
}

#[test]
fn a_name_that_the_client_asks_for_has_to_be_that_of_its_token() {
    let issuer = Issuer::start();
    let (_cluster, proxy) = start(&issuer);
    for (name, code) in [("billing", 0), ("admin", 58)] {
        let mut client = proxy.client();
        assert_eq!(handshake(&mut client, 1, "OAUTHBEARER").error_code, 0);
        let message = format!(
            "n,a={name},\u{1}auth=Bearer {}\u{1}\u{1}",
            issuer.token("billing")
        );
        let mut answer = authenticate(&mut client, message.as_bytes());
        if answer.error_code == 0 && !answer.auth_bytes.is_empty() {
            answer = authenticate(&mut client, &[1]);
        }
        assert_eq!(answer.error_code, code, "{name}");
    }
}

#[test]
fn keys_rotate_by_one_fetch_for_a_crowd_and_stay_in_use_while_the_issuer_is_down() {
    let issuer = Issuer::start();
    let (cluster, proxy) = start(&issuer);
    issuer.rotate();
    let asked = issuer.jwks_requests();
    let crowd: Vec<_> = (0..8)
        .map(|_| {
            let (mut client, token) = (proxy.client(), issuer.token("billing"));
            thread::spawn(move || accepted(&mut client, &token))
        })
        .collect();
    for client in crowd {
        client.join().unwrap();
    }
    assert_eq!(issuer.jwks_requests(), asked + 1);
    for health in [Health::Failing, Health::Silent, Health::Garbled] {
        issuer.set_health(health);
        accepted(&mut proxy.client(), &issuer.token("billing"));
        let unknown = SigningKey::generate("ES256", "nobody's");
        let claims =
            json!({"iss": issuer.url(), "aud": AUDIENCE, "sub": "a", "exp": testkit::tokens::now() + 60});
        refused(
            &mut proxy.client(),
            &unknown.token(&claims),
            "by an unknown key in an outage",
        );
    }
    // An issuer elsewhere that does not answer changes nothing.
    let elsewhere = Issuer::start();
    elsewhere.set_health(Health::Failing);
    let report = proxy
        .proxy
        .reload(setup(&cluster, bearer(&elsewhere)).model())
        .unwrap();
    assert_eq!(report.outcome, Outcome::Rejected);
    let why = "virtual cluster `demo`: filter `login`: the keys of the issuer cannot be fetched: the server answers 503 \
               Service Unavailable";
    assert_eq!(report.errors, [why]);
    accepted(&mut proxy.client(), &issuer.token("billing"));
}

#[test]
fn a_filter_that_does_not_wait_for_keys_accepts_tokens_once_it_has_them() {
    let issuer = Issuer::start();
    issuer.set_health(Health::Failing);
    let cluster = Cluster::start([0]);
    let mut lazy = bearer(&issuer);
    lazy.keys.on_start = KeysOnStart::Lazy;
    let proxy = setup(&cluster, lazy).start();
    refused(&mut proxy.client(), &issuer.token("billing"), "without keys");
    issuer.set_health(Health::Up);
    testkit::wait::eventually("the keys are fetched", || {
        let answer = show(&mut proxy.client(), &issuer.token("billing"));
        answer.error_code == 0 && answer.auth_bytes.is_empty()
    });
}

#[test]
fn a_client_comes_back_with_a_new_token_before_the_old_one_ends_or_is_closed() {
    let issuer = Issuer::start();
    let (cluster, proxy) = start(&issuer);
    let short = || issuer.token_with("billing", &json!({"exp": testkit::tokens::now() + 3}));
    let (mut again, mut never) = (proxy.client(), proxy.client());
    for client in [&mut again, &mut never] {
        let lifetime = accepted(client, &short());
        assert!(lifetime <= Duration::from_secs(3), "{lifetime:?}");
        expect_served(client);
    }
    for _ in 0..3 {
        thread::sleep(BETWEEN);
        accepted(&mut again, &short());
        expect_served(&mut again);
    }
    expect_expired(&mut never);
    proxy.expect_closes(CloseCause::AuthenticationExpired, 1);
    thread::sleep(BETWEEN);
    // The token of another client.
    let answer = show(&mut again, &issuer.token("shop"));
    assert_eq!(answer.error_code, 58);
    again.expect_fin();
    assert_eq!(cluster.asked(SASL_AUTHENTICATE), NOBODY);
}

#[test]
fn the_shorter_of_the_token_and_the_longest_time_holds() {
    let issuer = Issuer::start();
    let cluster = Cluster::start([0]);
    let mut model = settings(bearer(&issuer));
    model.max_time_before_reauth = Some(Duration::from_secs(60));
    let proxy = with(Setup::to(&[cluster.address(0)]), model).start();
    let lifetime = accepted(&mut proxy.client(), &issuer.token("billing"));
    assert_eq!(lifetime, Duration::from_secs(60));
    let short = issuer.token_with("billing", &json!({"exp": testkit::tokens::now() + 30}));
    assert!(accepted(&mut proxy.client(), &short) <= Duration::from_secs(30));
}

#[test]
fn clients_whose_tokens_new_rules_refuse_leave_and_the_others_stay() {
    let issuer = Issuer::start();
    let cluster = Cluster::start([0]);
    let mut both = bearer(&issuer);
    both.rules.audiences.push("events".into());
    let proxy = setup(&cluster, both).start();
    let (mut stays, mut leaves) = (proxy.client(), proxy.client());
    accepted(&mut stays, &issuer.token("billing"));
    accepted(&mut leaves, &issuer.token_with("shop", &json!({"aud": "events"})));
    expect_served(&mut stays);
    expect_served(&mut leaves);
    let report = proxy.apply(&setup(&cluster, bearer(&issuer)));
    assert_eq!(report.outcome, Outcome::Applied);
    leaves.expect_fin();
    proxy.expect_closes(CloseCause::Drained, 1);
    expect_served(&mut stays);
    refused(
        &mut proxy.client(),
        &issuer.token_with("shop", &json!({"aud": "events"})),
        "of an audience that was removed",
    );
}

#[test]
fn a_token_that_a_reload_overtakes_is_judged_by_the_new_rules() {
    let issuer = Issuer::start();
    let cluster = Cluster::start([0]);
    let mut both = bearer(&issuer);
    both.rules.audiences.push("events".into());
    let proxy = setup(&cluster, both).start();
    let events = issuer.token_with("billing", &json!({"aud": "events"}));
    let message = |token: &str| format!("n,,\u{1}auth=Bearer {token}\u{1}\u{1}").into_bytes();
    let (mut open, mut new, mut good) = (proxy.client(), proxy.client(), proxy.client());
    // This one stays: its first token is one that the new rules accept.
    accepted(&mut open, &issuer.token("billing"));
    expect_served(&mut open);
    thread::sleep(BETWEEN);
    for client in [&mut open, &mut new, &mut good] {
        assert_eq!(handshake(client, 1, "OAUTHBEARER").error_code, 0);
    }
    proxy.apply(&setup(&cluster, bearer(&issuer)));
    for client in [&mut open, &mut new] {
        let answer = authenticate(client, &message(&events));
        assert_eq!((answer.error_code, &*answer.auth_bytes), (0, REFUSAL));
        assert_eq!(authenticate(client, &[1]).error_code, 58);
        client.expect_fin();
    }
    assert_eq!(
        authenticate(&mut good, &message(&issuer.token("billing"))).error_code,
        0
    );
    expect_served(&mut good);
    proxy.expect_closes(CloseCause::AuthenticationFailed, 2);
}

#[test]
fn the_token_of_the_client_is_passed_on_and_the_newest_one_when_the_broker_wants_it_again() {
    let issuer = Issuer::start();
    let first = issuer.token("billing");
    let second = issuer.token_with("billing", &json!({"scope": "other"}));
    let lifetime = Duration::from_secs(3);
    let rules = Rules::of("OAUTHBEARER", &first, "billing").lasting(lifetime);
    let broker = SaslBroker::start(rules);
    let login = BrokerLogin {
        mechanism: BrokerMechanism::OauthBearer,
        own: None,
        clients: ClientLogins::PassToken,
    };
    let setup =
        Setup::to(&[broker.address()]).cluster(|cluster| cluster.target.login = Some(Arc::new(login)));
    let proxy = with(setup, settings(bearer(&issuer))).start();
    let mut client = proxy.client();
    accepted(&mut client, &first);
    expect_served(&mut client);
    assert_eq!(broker.logins(false), ["billing"]);
    // From now on the broker takes the second token alone.
    broker.change(|rules| rules.users = [(second.clone(), "billing".to_owned())].into());
    thread::sleep(BETWEEN);
    accepted(&mut client, &second);
    expect_served(&mut client);
    assert_eq!(
        broker.logins(true),
        Vec::<String>::new(),
        "the broker has not asked yet"
    );
    assert!(client.is_silent_for(lifetime - BETWEEN));
    expect_served(&mut client);
    assert_eq!(broker.logins(true), ["billing"]);
    assert_eq!(broker.refused(), 0);
    broker.expect_no_violation();
}

/// The filters of this file's only virtual cluster.
fn filters(yaml: &str) -> Vec<Arc<FilterModel>> {
    let text = format!(
        "{yaml}defaultFilters: [login]
virtualClusters:
  - name: a
    targetCluster: {{bootstrapServers: 'k:1'}}
    gateways: [{{name: g, portIdentifiesNode: {{bootstrapAddress: 'localhost:1000'}}}}]
"
    );
    let model = kproxy::model::parse(text.as_bytes(), "f.yaml").unwrap();
    model.clusters["a"].filters.clone()
}

#[test]
fn the_subject_has_the_name_that_the_builder_makes_and_follows_a_change_of_it() {
    let issuer = Issuer::start();
    let of = |builder: &str| {
        filters(&format!(
            "filterDefinitions:
  - name: login
    type: io.kroxylicious.filter.sasl.termination.SaslTermination
    config:
      mechanisms:
        - mechanism: OAUTHBEARER
          jwksEndpointUrl: {}
          expectedAudience: other,{AUDIENCE}
          expectedIssuer: {}
{builder}",
            issuer.jwks_url(),
            issuer.url()
        ))
    };
    let upper =
        "      subjectBuilder: io.kroxylicious.proxy.internal.subject.DefaultSaslSubjectBuilderService
      subjectBuilderConfig:
        addPrincipals:
          - from: saslAuthorizedId
            map: [{replaceMatch: '/bill(.*)/$1/U'}, {else: anonymous}]
            principalFactory: UserFactory
";
    let cluster = Cluster::start([0]);
    let setup = |mut filters: Vec<Arc<FilterModel>>| {
        filters.push(naming());
        Setup::to(&[cluster.address(0)]).cluster(|cluster| cluster.filters = filters)
    };
    let proxy = setup(of(upper)).start();
    let (mut client, mut stranger) = (proxy.client(), proxy.client());
    accepted(
        &mut client,
        &issuer.token_with("billing", &json!({"scope": "read write"})),
    );
    assert_eq!(named(&mut client), "Some(\"ING\") [\"read\", \"write\"]");
    accepted(&mut stranger, &issuer.token("stranger"));
    assert_eq!(named(&mut stranger), "None [\"kafka\"]");
    // Another builder names live sessions anew.
    proxy.apply(&setup(of("")));
    assert_eq!(named(&mut client), "Some(\"billing\") [\"read\", \"write\"]");
    assert_eq!(named(&mut stranger), "Some(\"stranger\") [\"kafka\"]");
    proxy.expect_closes(CloseCause::Drained, 0);
}

#[test]
fn settings_that_would_accept_no_token_or_every_token_are_refused() {
    let whole = [
        ("mechanism", "OAUTHBEARER"),
        ("jwksEndpointUrl", "https://issuer.example.com/keys"),
        ("expectedAudience", "kafka"),
        ("expectedIssuer", "https://issuer.example.com"),
    ];
    let errors = |without: &str, more: &[(&str, &str)]| {
        let given = whole
            .iter()
            .filter(|(key, _)| *key != without && more.iter().all(|(new, _)| new != key));
        let keys: Vec<_> = given
            .chain(more)
            .map(|(key, value)| format!("{key}: {value}"))
            .collect();
        let text = format!(
            "filterDefinitions: [{{name: login, type: SaslTermination, config: {{mechanisms: [{{{}}}]}}}}]
defaultFilters: [login]
virtualClusters: [{{name: v, targetCluster: {{bootstrapServers: 'b:9092'}}, \
             gateways: [{{name: g, portIdentifiesNode: {{bootstrapAddress: 'localhost:9192'}}}}]}}]
",
            keys.join(", ")
        );
        match kproxy::model::parse(text.as_bytes(), "proxy.yaml") {
            Ok(_) => Vec::new(),
            Err(found) => found.into_iter().map(|found| found.message).collect::<Vec<_>>(),
        }
    };
    assert_eq!(errors("", &[]), Vec::<String>::new());
    for key in ["jwksEndpointUrl", "expectedAudience", "expectedIssuer"] {
        assert_eq!(
            errors(key, &[]),
            [format!("mechanism `OAUTHBEARER` needs `{key}`")]
        );
    }
    for (key, value, why) in [
        ("expectedAudience", "' , '", "`expectedAudience` is empty"),
        ("expectedIssuer", "''", "`expectedIssuer` is empty"),
        ("maxAuthBytes", "131073", "`maxAuthBytes` must be at most 131072"),
        (
            "credentialStore",
            "FileCredentialStore",
            "`credentialStore` has no meaning for `OAUTHBEARER`",
        ),
        (
            "phantomIterations",
            "4096",
            "`phantomIterations` has no meaning for `OAUTHBEARER`",
        ),
        ("allowPlaintext", "true", "`allowPlaintext` belongs to `PLAIN`"),
    ] {
        assert_eq!(errors("", &[(key, value)]), [why]);
    }
    let scram = [("mechanism", "SCRAM-SHA-256")];
    let found = errors("", &scram);
    assert!(
        found.contains(&"`expectedIssuer` belongs to `OAUTHBEARER`".to_owned()),
        "{found:?}"
    );
}
