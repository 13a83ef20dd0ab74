//! Credentials towards brokers: whether sessions are still the same users after a change.

use super::super::effect::Effect::{self, RenewBrokerLogin, ReplaceTarget};
use crate::model::{AwsKeys, AwsLogin, BrokerLogin, ClientLogins, LoginSource, TokenGrant, UserLogin};

const SASL: &str = "virtualClusters[].targetCluster.sasl";
const MECHANISM: &str = "virtualClusters[].targetCluster.sasl.mechanism";
const CREDENTIALS: &str = "virtualClusters[].targetCluster.sasl.credentials";
const USERNAME: &str = "virtualClusters[].targetCluster.sasl.username";
const PASSWORD: &str = "virtualClusters[].targetCluster.sasl.password";
const CLIENTS: &str = "virtualClusters[].targetCluster.sasl.clientsFile";
const TOKEN: &str = "virtualClusters[].targetCluster.sasl.tokenFile";
const ENDPOINT: &str = "virtualClusters[].targetCluster.sasl.tokenEndpointUrl";
const CLIENT_ID: &str = "virtualClusters[].targetCluster.sasl.clientId";
const CLIENT_SECRET: &str = "virtualClusters[].targetCluster.sasl.clientSecret";
const SCOPE: &str = "virtualClusters[].targetCluster.sasl.scope";
const AUTHORITIES: &str = "virtualClusters[].targetCluster.sasl.tokenEndpointCaFile";
const REGION: &str = "virtualClusters[].targetCluster.sasl.region";
const ACCESS_KEY: &str = "virtualClusters[].targetCluster.sasl.accessKeyId";

pub(super) fn compare(
    old: Option<&BrokerLogin>,
    new: Option<&BrokerLogin>,
    changed: &mut impl FnMut(&'static str, Effect),
) {
    let (old, new) = match (old, new) {
        (None, None) => return,
        (Some(old), Some(new)) => (old, new),
        _ => return changed(SASL, ReplaceTarget),
    };
    let BrokerLogin {
        mechanism,
        own,
        clients,
    } = old;
    if *mechanism != new.mechanism {
        return changed(MECHANISM, ReplaceTarget);
    }
    match (clients, &new.clients) {
        (ClientLogins::Shared, ClientLogins::Shared) => compare_own(own.as_ref(), new.own.as_ref(), changed),
        // The sessions have other credentials: those of kproxy itself apply to its next connections.
        (ClientLogins::PassToken, ClientLogins::PassToken) => {
            compare_own(own.as_ref(), new.own.as_ref(), &mut |path, _| {
                changed(path, RenewBrokerLogin)
            });
        }
        (ClientLogins::PerClient(old), ClientLogins::PerClient(new_clients)) => {
            compare_own(own.as_ref(), new.own.as_ref(), &mut |path, _| {
                changed(path, RenewBrokerLogin)
            });
            if old != new_clients {
                let stays = |(client, source): (&String, &LoginSource)| {
                    new_clients
                        .get(client)
                        .is_some_and(|now| is_same_user(source, now))
                };
                let effect = if old.iter().all(stays) {
                    RenewBrokerLogin
                } else {
                    ReplaceTarget
                };
                changed(CLIENTS, effect);
            }
        }
        _ => changed(CREDENTIALS, ReplaceTarget),
    }
}

/// Whether both are credentials of the same user.
fn is_same_user(old: &LoginSource, new: &LoginSource) -> bool {
    let mut is_same = true;
    compare_sources(old, new, &mut |_, effect| is_same &= effect == RenewBrokerLogin);
    is_same
}

fn compare_own(
    old: Option<&LoginSource>,
    new: Option<&LoginSource>,
    changed: &mut impl FnMut(&'static str, Effect),
) {
    match (old, new) {
        (None, None) => {}
        (Some(old), Some(new)) => compare_sources(old, new, changed),
        _ => changed(SASL, ReplaceTarget),
    }
}

fn compare_sources(old: &LoginSource, new: &LoginSource, changed: &mut impl FnMut(&'static str, Effect)) {
    match (old, new) {
        (LoginSource::User(old), LoginSource::User(new)) => {
            compare_users(old, new, (USERNAME, PASSWORD), changed);
        }
        (
            LoginSource::Token { token, subject },
            LoginSource::Token {
                token: new_token,
                subject: new_subject,
            },
        ) => {
            if token != new_token {
                // A token that does not say whose it is may be anybody's: it is taken for a newer one of the same user.
                let same = subject.is_none() || new_subject.is_none() || subject == new_subject;
                changed(TOKEN, if same { RenewBrokerLogin } else { ReplaceTarget });
            }
        }
        (LoginSource::Grant(old), LoginSource::Grant(new)) => compare_grants(old, new, changed),
        (LoginSource::Aws(old), LoginSource::Aws(new)) => {
            let AwsLogin { region, keys } = old;
            if *region != new.region {
                changed(REGION, ReplaceTarget);
            }
            match (keys, &new.keys) {
                (old, new) if old == new => {}
                // Keys of one user are renewed by other keys.
                (AwsKeys::Fixed(_), AwsKeys::Fixed(_)) => changed(ACCESS_KEY, RenewBrokerLogin),
                _ => changed(SASL, ReplaceTarget),
            }
        }
        _ => changed(SASL, ReplaceTarget),
    }
}

fn compare_users(
    old: &UserLogin,
    new: &UserLogin,
    (name, secret): (&'static str, &'static str),
    changed: &mut impl FnMut(&'static str, Effect),
) {
    let UserLogin { username, password } = old;
    if *username != new.username {
        changed(name, ReplaceTarget);
    } else if *password != new.password {
        changed(secret, RenewBrokerLogin);
    }
}

fn compare_grants(old: &TokenGrant, new: &TokenGrant, changed: &mut impl FnMut(&'static str, Effect)) {
    let TokenGrant {
        endpoint,
        client,
        scope,
        authorities,
    } = old;
    if *endpoint != new.endpoint {
        changed(ENDPOINT, ReplaceTarget);
    }
    compare_users(client, &new.client, (CLIENT_ID, CLIENT_SECRET), changed);
    if *scope != new.scope {
        changed(SCOPE, ReplaceTarget);
    }
    if *authorities != new.authorities {
        changed(AUTHORITIES, RenewBrokerLogin);
    }
}
