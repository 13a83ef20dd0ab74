use std::time::Duration;

use testkit::certificates::{Authority, Leaf};
use testkit::oidc::{AUDIENCE, Health, Issuer};

use super::*;
use crate::model::{UpstreamTls, UpstreamTrust};
use crate::pki::{Negotiation, TrustStore};
use crate::sasl::jwt::{self, TokenFault, TokenRules};

fn tls(trust: UpstreamTrust) -> UpstreamTls {
    UpstreamTls {
        trust,
        identity: None,
        server_name: None,
        revoked: None,
        negotiation: Negotiation::default(),
    }
}

fn model(issuer: &Issuer, on_start: KeysOnStart) -> KeySetModel {
    KeySetModel {
        origin: KeySetOrigin::Web {
            url: issuer.jwks_url().into(),
            tls: tls(UpstreamTrust::Platform),
        },
        refresh: Duration::from_secs(3600),
        retry: Duration::from_millis(10),
        retry_max: Duration::from_millis(20),
        on_start,
    }
}

fn judged(source: &KeySource, token: &str) -> Result<(), TokenFault> {
    let rules = TokenRules {
        audiences: vec![AUDIENCE.into()],
        ..TokenRules::default()
    };
    let now = Duration::from_secs(testkit::tokens::now());
    jwt::validate(token, &source.keys(), &rules, now).map(drop)
}

/// Waits until `done` says so; what it waits for takes milliseconds.
async fn until(mut done: impl FnMut() -> bool) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_new_key_is_fetched_once_for_everybody_who_asks() {
    let issuer = Issuer::start();
    let source = KeySource::open(&model(&issuer, KeysOnStart::Require), None)
        .await
        .unwrap();
    assert_eq!(judged(&source, &issuer.token("a")), Ok(()));
    issuer.rotate();
    let token = issuer.token("a");
    assert!(matches!(judged(&source, &token), Err(TokenFault::UnknownKey(_))));
    let waits: Vec<_> = (0..100).map(|_| source.ask().unwrap()).collect();
    for wait in waits {
        wait.await;
    }
    assert_eq!(judged(&source, &token), Ok(()));
    assert_eq!(issuer.jwks_requests(), 2);
    // A moment later an unknown key causes nothing.
    issuer.rotate();
    assert!(source.ask().is_none());
    assert_eq!(
        source.figures(),
        KeySourceFigures {
            keys: 1,
            fetched: 2,
            failed: 0,
            unreachable: false,
        }
    );
}

#[tokio::test]
async fn known_keys_stay_in_use_while_the_issuer_is_down() {
    let issuer = Issuer::start();
    let mut model = model(&issuer, KeysOnStart::Require);
    model.refresh = Duration::from_millis(10);
    let source = KeySource::open(&model, None).await.unwrap();
    let token = issuer.token("a");
    for health in [Health::Failing, Health::Garbled] {
        issuer.set_health(health);
        let before = source.figures().failed;
        until(|| source.figures().failed > before + 3).await;
        assert_eq!(judged(&source, &token), Ok(()));
        assert!(source.failure().is_some());
    }
    issuer.rotate();
    issuer.set_health(Health::Up);
    until(|| judged(&source, &issuer.token("a")).is_ok()).await;
    assert_eq!(source.failure(), None);
    assert!(
        judged(&source, &token).is_err(),
        "a key that the issuer took back"
    );
}

#[tokio::test]
async fn a_source_that_has_to_have_keys_says_why_it_has_none() {
    let issuer = Issuer::start();
    issuer.set_health(Health::Failing);
    let why = KeySource::open(&model(&issuer, KeysOnStart::Require), None)
        .await
        .unwrap_err();
    assert_eq!(why, "the server answers 503 Service Unavailable");
    let lazy = KeySource::open(&model(&issuer, KeysOnStart::Lazy), None)
        .await
        .unwrap();
    assert_eq!(judged(&lazy, &issuer.token("a")), Err(TokenFault::NoKeys));
    issuer.set_health(Health::Up);
    until(|| judged(&lazy, &issuer.token("a")).is_ok()).await;
}

#[tokio::test]
async fn a_source_is_taken_over_if_it_is_the_same_and_ends_with_its_last_user() {
    let issuer = Issuer::start();
    let mut other = model(&issuer, KeysOnStart::Require);
    let source = KeySource::open(&other, None).await.unwrap();
    issuer.set_health(Health::Failing);
    let again = KeySource::open(&other, Some(&source)).await.unwrap();
    assert!(
        Arc::ptr_eq(&source, &again),
        "an issuer that is down rejects nothing that was running"
    );
    other.on_start = KeysOnStart::Lazy;
    let changed = KeySource::open(&other, Some(&source)).await.unwrap();
    assert!(!Arc::ptr_eq(&source, &changed) && changed.keys().is_empty());
    let task = source.task.clone().unwrap();
    drop((source, again));
    until(|| task.is_finished()).await;
}

#[tokio::test]
async fn keys_come_over_tls_from_an_issuer_that_is_trusted() {
    let authority = Authority::new("Issuers");
    let issuer = Issuer::with_tls(&authority.issue(&Leaf::server(&["localhost"]).on_loopback()));
    let mut model = model(&issuer, KeysOnStart::Require);
    let store = TrustStore::from_pem(authority.pem.as_bytes()).unwrap();
    model.origin = KeySetOrigin::Web {
        url: issuer.jwks_url().into(),
        tls: tls(UpstreamTrust::Store(Arc::new(store))),
    };
    let source = KeySource::open(&model, None).await.unwrap();
    assert_eq!(judged(&source, &issuer.token("a")), Ok(()));
}
