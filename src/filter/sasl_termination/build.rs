//! From the settings of the filter to the filter.

use std::sync::Arc;

use aws_lc_rs::rand;

use super::super::FilterError;
use super::super::jwks::{IssuerJudge, KeySource};
use super::password_threads::PasswordThreads;
use super::{DirectoryService, DirectoryTls, PasswordCheckers, SaslTermination};
use crate::model::{
    BearerModel, CredentialSource, DirectoryModel, FilterModel, PlainUsers, SaslTerminationModel,
    TerminatedMechanism,
};
use crate::sasl::CredentialSet;
use crate::sasl::server::{BearerSource, PlainSource, SaslRealm, VerifierSource};
use crate::tls::UpstreamContext;

/// Builds the filter, which takes over the keys of the issuer from `previous` where they are to be the same. Waits for the keys
/// of a new issuer at most five seconds.
///
/// # Errors
/// What its TLS settings lack, that this machine has no random numbers, or why the keys have not come.
pub async fn sasl_termination(
    filter: &FilterModel,
    model: &SaslTerminationModel,
    previous: Option<&SaslTermination>,
) -> Result<SaslTermination, FilterError> {
    let wrong = |why| FilterError::new(filter, why);
    let mut realm = SaslRealm::new(phantom_secret(model).map_err(wrong)?);
    let mut directory = None;
    let mut plain_without_tls = false;
    let mut issuer = None;
    for mechanism in &model.mechanisms {
        realm = match mechanism {
            TerminatedMechanism::Scram { hash, users } => realm.with_scram(*hash, source(users)),
            TerminatedMechanism::Plain { users, without_tls } => {
                plain_without_tls = *without_tls;
                match users {
                    PlainUsers::Credentials(users) => realm.with_plain(PlainSource::Verifiers(source(users))),
                    PlainUsers::Directory(settings) => {
                        directory = Some(Arc::new(service(settings).map_err(wrong)?));
                        realm.with_plain(PlainSource::Directory)
                    }
                }
            }
            TerminatedMechanism::OauthBearer(bearer) => {
                let previous = previous.and_then(|previous| previous.issuer.as_ref());
                let judge = judge(bearer, previous).await.map_err(|why| {
                    let why = format!("the keys of the issuer cannot be fetched: {why}");
                    FilterError::passing(filter, why)
                })?;
                issuer = Some(Arc::clone(&judge));
                realm.with_bearer(BearerSource {
                    judge,
                    scope: None,
                    max_bytes: bearer.max_bytes,
                })
            }
        };
    }
    let checkers = PasswordCheckers {
        threads: PasswordThreads::of_process(),
        directory,
    };
    Ok(SaslTermination {
        name: filter.name.clone(),
        realm: Arc::new(realm),
        model: Arc::new(model.clone()),
        plain_without_tls,
        passwords: checkers,
        issuer,
        tally: previous
            .map(|previous| Arc::clone(&previous.tally))
            .unwrap_or_default(),
    })
}

/// The judge of tokens: the one before, if it judges by the same keys and rules.
async fn judge(model: &BearerModel, previous: Option<&Arc<IssuerJudge>>) -> Result<Arc<IssuerJudge>, String> {
    let keys = KeySource::open(&model.keys, previous.map(|previous| previous.keys())).await?;
    let tally = match previous {
        Some(previous) if previous.is_by(&keys, &model.rules) => return Ok(Arc::clone(previous)),
        Some(previous) => Arc::clone(previous.tally()),
        None => Arc::default(),
    };
    Ok(Arc::new(IssuerJudge::new(keys, model.rules.clone(), tally)))
}

fn source(users: &CredentialSource) -> VerifierSource {
    VerifierSource::new(Arc::clone(&users.credentials), users.phantom_iterations)
}

fn service(settings: &DirectoryModel) -> Result<DirectoryService, String> {
    let context = settings.tls.as_ref().map(UpstreamContext::new).transpose();
    let tls = match (
        context.map_err(|error| error.to_string())?,
        settings.begins_with_tls,
    ) {
        (None, _) => DirectoryTls::None,
        (Some(context), true) => DirectoryTls::FromStart(Arc::new(context)),
        (Some(context), false) => DirectoryTls::AfterRequest(Arc::new(context)),
    };
    Ok(DirectoryService::new(
        settings.address.clone(),
        tls,
        settings.bind_dn.clone(),
    ))
}

/// The secret from which the salts of users that do not exist follow. It is the same after a restart and in every
/// instance with the same users: a salt that changes would tell that there is no such user.
fn phantom_secret(model: &SaslTerminationModel) -> Result<[u8; 32], String> {
    let mut stores = model.mechanisms.iter().filter_map(|mechanism| match mechanism {
        TerminatedMechanism::Scram { users, .. }
        | TerminatedMechanism::Plain {
            users: PlainUsers::Credentials(users),
            ..
        } => Some(&users.credentials),
        TerminatedMechanism::Plain {
            users: PlainUsers::Directory(_),
            ..
        }
        | TerminatedMechanism::OauthBearer(_) => None,
    });
    if let Some(secret) = stores.find_map(|store| CredentialSet::phantom_secret(store)) {
        return Ok(secret);
    }
    let mut secret = [0; 32];
    rand::fill(&mut secret).map_err(|_| "this machine has no random numbers")?;
    Ok(secret)
}
