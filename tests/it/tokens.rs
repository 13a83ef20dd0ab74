//! Who clients are that authenticate to the broker: `OauthBearerValidation` and `SaslInspection`, with an issuer of the
//! test's own. The brokers take every bearer token, so what is refused here is refused by kproxy.
//!
//! 1. A token is refused that is signed by an unknown key, says no key, is for another audience, from another issuer, or has
//!    expired; the broker sees none of them, and the connection ends behind the answer.
//! 2. Every authentication of a connection is checked, and a valid token reaches the broker as it is.
//! 3. A token of a new key is accepted at once. While the issuer is down, known keys stay in use, and a reload that keeps the
//!    address is applied; one with an address that does not answer is rejected, and everything goes on.
//! 4. Inspection: clients of an enabled mechanism authenticate, again as well, and others get the list of those that are enabled,
//!    without the broker.
//! 5. The subject is there for the first request behind the authentication, and where a client has to authenticate, nothing passes
//!    before.

use std::sync::{Arc, Once};
use std::time::Duration;

use kafka_protocol::messages::{
    HeartbeatRequest, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse,
};
use kafka_protocol::protocol::StrBytes;
use kproxy::config::{CustomFault, CustomFilterType, CustomSettings};
use kproxy::filter::{
    BuildingFilter, ClientSession, CustomDefinition, Filter, FilterFactory, FilterStep, Interest, Level,
    OnRequest, Request, register,
};
use kproxy::model::{
    FilterKind, FilterMode, FilterModel, KeySetModel, KeySetOrigin, KeysOnStart, OauthBearerValidationModel,
    SaslInspectionModel, SaslSubjectBuilder, UpstreamTls, UpstreamTrust,
};
use kproxy::pki::Negotiation;
use kproxy::reload::Outcome;
use kproxy::sasl::jwt::TokenRules;
use kproxy::session::cause::CloseCause;
use serde_json::json;

use testkit::client::Client;
use testkit::cluster::{Cluster, METADATA, PLAIN_TOKEN, SASL_AUTHENTICATE, SASL_HANDSHAKE};
use testkit::frames::{self, HEARTBEAT, heartbeat};
use testkit::oidc::{AUDIENCE, Health, Issuer};
use testkit::proxy::{Setup, TestProxy};
use testkit::tokens::SigningKey;

fn model(name: &str, kind: FilterKind) -> Arc<FilterModel> {
    Arc::new(FilterModel {
        name: name.into(),
        kind,
        mode: FilterMode::Enforce,
        when: None,
        on_error: Default::default(),
    })
}

pub(crate) fn keys(url: &str) -> KeySetModel {
    KeySetModel {
        origin: KeySetOrigin::Web {
            url: url.into(),
            tls: UpstreamTls {
                trust: UpstreamTrust::Platform,
                identity: None,
                server_name: None,
                revoked: None,
                negotiation: Negotiation::default(),
            },
        },
        refresh: Duration::from_secs(3600),
        retry: Duration::from_millis(10),
        retry_max: Duration::from_millis(100),
        on_start: KeysOnStart::Require,
    }
}

fn validation(issuer: &Issuer) -> OauthBearerValidationModel {
    OauthBearerValidationModel {
        keys: keys(&issuer.jwks_url()),
        rules: TokenRules {
            audiences: vec![AUDIENCE.into()],
            issuer: Some(issuer.url().into()),
            ..TokenRules::default()
        },
        remembered_for: Duration::from_secs(60),
        remembered: 100,
    }
}

fn checking(model_of: OauthBearerValidationModel) -> Arc<FilterModel> {
    model("tokens", FilterKind::OauthBearerValidation(model_of))
}

fn inspecting(mechanisms: Vec<&'static str>, require_authentication: bool) -> Arc<FilterModel> {
    let inspection = SaslInspectionModel {
        mechanisms,
        subject_builder: SaslSubjectBuilder::default(),
        require_authentication,
    };
    model("who", FilterKind::SaslInspection(inspection))
}

fn setup(cluster: &Cluster, filters: Vec<Arc<FilterModel>>) -> Setup {
    Setup::to(&[cluster.address(0)]).cluster(|cluster| cluster.filters = filters)
}

/// A proxy in front of a cluster that wants SASL.
fn start(filters: Vec<Arc<FilterModel>>) -> (Cluster, TestProxy) {
    let cluster = Cluster::with_sasl([0]);
    let proxy = setup(&cluster, filters).start();
    (cluster, proxy)
}

#[track_caller]
fn handshake(client: &mut Client, mechanism: &'static str) -> SaslHandshakeResponse {
    let asked = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
    client.call(1, 1, &asked)
}

#[track_caller]
fn send_token(client: &mut Client, token: &str) -> SaslAuthenticateResponse {
    assert_eq!(handshake(client, "OAUTHBEARER").error_code, 0);
    let message = format!("n,,\u{1}auth=Bearer {token}\u{1}\u{1}");
    let asked = SaslAuthenticateRequest::default().with_auth_bytes(message.into_bytes().into());
    client.call(2, 2, &asked)
}

#[track_caller]
fn accepted(client: &mut Client, token: &str) {
    let answer = send_token(client, token);
    assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
}

#[track_caller]
fn refused(client: &mut Client, token: &str) -> String {
    let answer = send_token(client, token);
    assert_eq!(answer.error_code, 58);
    client.expect_fin();
    answer
        .error_message
        .map(|text| text.to_string())
        .unwrap_or_default()
}

fn asked(cluster: &Cluster, api_key: i16) -> usize {
    cluster
        .log()
        .iter()
        .filter(|logged| logged.api_key == api_key && !logged.own)
        .count()
}

/// The node that answers: the client is through.
#[track_caller]
fn beat(client: &mut Client) {
    assert_eq!(frames::correlation_id(&client.ask(&heartbeat(77))), 77);
}

#[test]
fn a_token_that_breaks_a_rule_is_refused_and_the_broker_never_sees_it() {
    let issuer = Issuer::start();
    issuer.add_key();
    let (cluster, proxy) = start(vec![checking(validation(&issuer))]);
    let unknown = SigningKey::generate("ES256", "nobody's");
    let claims =
        json!({"iss": issuer.url(), "aud": AUDIENCE, "sub": "a", "exp": testkit::tokens::now() + 60});
    let with = |claims: serde_json::Value| issuer.token_with("billing", &claims);
    let cases = [
        ("signed by an unknown key", unknown.token(&claims), "signature"),
        (
            "with no key id",
            unknown.token_with_header(&json!({"alg": "ES256"}), &claims),
            "signature",
        ),
        ("with another audience", with(json!({"aud": "other"})), "audience"),
        ("with another issuer", with(json!({"iss": "other"})), "issuer"),
        ("expired", with(json!({"exp": 1000})), "expired"),
        ("unsigned", "eyJhbGciOiJub25lIn0.e30.".to_owned(), "algorithm"),
        ("opaque", "c4nary".to_owned(), "JSON Web Token"),
    ];
    let count = cases.len() as u64;
    for (what, token, said) in cases {
        let text = refused(&mut proxy.client(), &token);
        assert!(
            text.starts_with("invalid_token: ") && text.contains(said),
            "{what}: {text}"
        );
    }
    assert_eq!(asked(&cluster, SASL_AUTHENTICATE), 0);
    proxy.expect_closes(CloseCause::AuthenticationFailed, count);
}

#[test]
fn every_authentication_of_a_connection_is_checked() {
    let issuer = Issuer::start();
    let (cluster, proxy) = start(vec![checking(validation(&issuer))]);
    let mut client = proxy.client();
    for _ in 0..3 {
        accepted(&mut client, &issuer.token("billing"));
        beat(&mut client);
    }
    assert_eq!(asked(&cluster, SASL_AUTHENTICATE), 3);
    let text = refused(&mut client, &issuer.token_with("billing", &json!({"exp": 1000})));
    assert_eq!(text, "invalid_token: the token has expired");
    assert_eq!(asked(&cluster, SASL_AUTHENTICATE), 3);
}

#[test]
fn keys_rotate_and_stay_in_use_while_the_issuer_is_down() {
    let issuer = Issuer::start();
    let mut rules = validation(&issuer);
    let (cluster, proxy) = start(vec![checking(rules.clone())]);
    issuer.rotate();
    accepted(&mut proxy.client(), &issuer.token("billing"));
    issuer.set_health(Health::Silent);
    let mut client = proxy.client();
    accepted(&mut client, &issuer.token("billing"));
    // The issuer is asked nothing by a reload that keeps its address.
    rules.rules.scope_claim = "scp".into();
    proxy.apply(&setup(&cluster, vec![checking(rules.clone())]));
    accepted(&mut client, &issuer.token("billing"));
    // Another address that does not answer changes nothing.
    let elsewhere = Issuer::start();
    elsewhere.set_health(Health::Failing);
    rules.keys = keys(&elsewhere.jwks_url());
    let report = proxy
        .proxy
        .reload(setup(&cluster, vec![checking(rules)]).model())
        .unwrap();
    assert_eq!(report.outcome, Outcome::Rejected);
    assert_eq!(
        report.errors,
        [
            "virtual cluster `demo`: filter `tokens`: the keys of the issuer cannot be fetched: the server answers 503 \
          Service Unavailable"
        ]
    );
    accepted(&mut client, &issuer.token("billing"));
    beat(&mut client);
}

#[test]
fn a_filter_that_arrives_under_a_live_session_checks_its_next_token() {
    let issuer = Issuer::start();
    let (cluster, proxy) = start(vec![]);
    let mut client = proxy.client();
    accepted(&mut client, "anything");
    beat(&mut client);
    proxy.apply(&setup(&cluster, vec![checking(validation(&issuer))]));
    beat(&mut client);
    accepted(&mut client, &issuer.token("billing"));
    refused(&mut client, "anything");
}

#[test]
fn clients_authenticate_with_a_mechanism_that_both_have_and_others_get_the_list() {
    let (cluster, proxy) = start(vec![inspecting(vec!["OAUTHBEARER", "PLAIN"], false)]);
    let mut client = proxy.client();
    for _ in 0..2 {
        assert_eq!(handshake(&mut client, "PLAIN").error_code, 0);
        let token = SaslAuthenticateRequest::default().with_auth_bytes(PLAIN_TOKEN.into());
        assert_eq!(client.call(2, 2, &token).error_code, 0);
        beat(&mut client);
    }
    let mut bearer = proxy.client();
    for _ in 0..2 {
        accepted(&mut bearer, "e30.eyJzdWIiOiJiaWxsaW5nIn0.c2ln");
        beat(&mut bearer);
    }
    let before = asked(&cluster, SASL_HANDSHAKE);
    let mut other = proxy.client();
    for mechanism in ["SCRAM-SHA-256", "GSSAPI"] {
        let answer = handshake(&mut other, mechanism);
        assert_eq!(answer.error_code, 33);
        let names: Vec<&str> = answer.mechanisms.iter().map(|name| name.as_str()).collect();
        assert_eq!(names, ["OAUTHBEARER", "PLAIN"]);
    }
    assert_eq!(asked(&cluster, SASL_HANDSHAKE), before, "the broker is not asked");
    accepted(&mut other, "e30.eyJzdWIiOiJiaWxsaW5nIn0.c2ln");
}

#[test]
fn nothing_passes_before_a_client_has_authenticated_where_it_has_to() {
    let open = Cluster::start([0]);
    let proxy = setup(&open, vec![inspecting(vec!["OAUTHBEARER"], true)]).start();
    let mut client = proxy.client();
    let answer = client.call(1, 1, &HeartbeatRequest::default());
    assert_eq!(answer.error_code, 58);
    client.expect_fin();
    assert_eq!(asked(&open, HEARTBEAT), 0);
    proxy.expect_closes(CloseCause::AuthenticationFailed, 1);
    let (cluster, proxy) = start(vec![inspecting(vec!["OAUTHBEARER"], true)]);
    let mut client = proxy.client();
    accepted(&mut client, "e30.eyJzdWIiOiJiaWxsaW5nIn0.c2ln");
    beat(&mut client);
    assert_eq!(asked(&cluster, METADATA), 0);
}

/// Answers every Heartbeat with the name of the client.
#[derive(Debug)]
struct Naming(String);

impl Filter for Naming {
    fn name(&self) -> &str {
        &self.0
    }

    fn interest(&self, interest: &mut Interest) {
        interest.requests(HEARTBEAT, 0..=i16::MAX, Level::Head);
    }

    fn request(&self, session: &mut ClientSession, _: &mut Request<'_>) -> FilterStep<OnRequest> {
        let subject = session.subject();
        let text = format!("{:?} {:?}", subject.user_name(), subject.scopes);
        FilterStep::Now(OnRequest::Answer(text.into_bytes()))
    }
}

struct NamingType;

impl CustomFilterType for NamingType {
    fn name(&self) -> &str {
        "Naming"
    }

    fn check(&self, _: &CustomSettings) -> Result<(), Vec<CustomFault>> {
        Ok(())
    }
}

impl FilterFactory for NamingType {
    fn build<'f>(&'f self, definition: CustomDefinition<'f>) -> BuildingFilter<'f> {
        let name = definition.model.name.clone();
        Box::pin(async move { Ok(Arc::new(Naming(name)) as Arc<dyn Filter>) })
    }
}

pub(crate) fn naming() -> Arc<FilterModel> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| register(NamingType));
    let settings = CustomSettings {
        filter_type: "Naming".into(),
        config: serde_json::Value::Null,
        files: std::collections::BTreeMap::new(),
    };
    model("name", FilterKind::Custom(settings))
}

#[track_caller]
pub(crate) fn named(client: &mut Client) -> String {
    let answer = client.ask(&heartbeat(5));
    String::from_utf8(answer[4..].to_vec()).unwrap()
}

#[test]
fn the_subject_is_there_for_the_first_request_and_follows_every_authentication() {
    let issuer = Issuer::start();
    let inspection = inspecting(vec!["OAUTHBEARER", "PLAIN"], true);
    let (_cluster, proxy) = start(vec![inspection, checking(validation(&issuer)), naming()]);
    let mut plain = proxy.client();
    assert_eq!(handshake(&mut plain, "PLAIN").error_code, 0);
    let token = SaslAuthenticateRequest::default().with_auth_bytes(PLAIN_TOKEN.into());
    assert_eq!(plain.call(2, 2, &token).error_code, 0);
    assert_eq!(named(&mut plain), "Some(\"alice\") []");
    let mut bearer = proxy.client();
    accepted(
        &mut bearer,
        &issuer.token_with("billing", &json!({"scope": "read write"})),
    );
    assert_eq!(named(&mut bearer), "Some(\"billing\") [\"read\", \"write\"]");
    accepted(&mut bearer, &issuer.token("shop"));
    assert_eq!(named(&mut bearer), "Some(\"shop\") [\"kafka\"]");
}

#[test]
fn the_subject_contains_the_principal_that_the_builder_makes_of_the_name() {
    let issuer = Issuer::start();
    let yaml = "filterDefinitions:
  - name: who
    type: SaslInspection
    config:
      enabledMechanisms: [PLAIN, OAUTHBEARER]
      subjectBuilder: io.kroxylicious.proxy.internal.subject.DefaultSaslSubjectBuilderService
      subjectBuilderConfig:
        addPrincipals:
          - from: saslAuthorizedId
            map: [{replaceMatch: '/(.*)ice/$1/U'}, {replaceMatch: '/bill.*/the $0/'}, {else: anonymous}]
            principalFactory: UserFactory
defaultFilters: [who]
virtualClusters:
  - name: a
    targetCluster: {bootstrapServers: 'k:1'}
    gateways: [{name: g, portIdentifiesNode: {bootstrapAddress: 'localhost:1000'}}]
";
    let model = kproxy::model::parse(yaml.as_bytes(), "f.yaml").unwrap();
    let inspection = Arc::clone(&model.clusters["a"].filters[0]);
    let (cluster, proxy) = start(vec![inspection, checking(validation(&issuer)), naming()]);
    let mut plain = proxy.client();
    assert_eq!(handshake(&mut plain, "PLAIN").error_code, 0);
    let token = SaslAuthenticateRequest::default().with_auth_bytes(PLAIN_TOKEN.into());
    assert_eq!(plain.call(2, 2, &token).error_code, 0);
    assert_eq!(named(&mut plain), "Some(\"AL\") []");
    let mut bearer = proxy.client();
    accepted(&mut bearer, &issuer.token("billing"));
    assert_eq!(named(&mut bearer), "Some(\"the billing\") [\"kafka\"]");
    accepted(&mut bearer, &issuer.token("stranger"));
    assert_eq!(named(&mut bearer), "None [\"kafka\"]");
    // Another builder names live sessions anew.
    let by_default = inspecting(vec!["OAUTHBEARER", "PLAIN"], false);
    let filters = vec![by_default, checking(validation(&issuer)), naming()];
    proxy.apply(&setup(&cluster, filters));
    assert_eq!(named(&mut plain), "Some(\"alice\") []");
    assert_eq!(named(&mut bearer), "Some(\"stranger\") [\"kafka\"]");
}
