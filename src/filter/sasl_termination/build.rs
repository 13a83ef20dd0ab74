//! From the settings of the filter to the filter.

use std::sync::Arc;

use aws_lc_rs::rand;

use super::password_threads::PasswordThreads;
use super::{DirectoryService, DirectoryTls, PasswordCheckers, SaslTermination, TerminationSettings};
use crate::model::{CredentialSource, DirectoryModel, PlainUsers, SaslTerminationModel, TerminatedMechanism};
use crate::sasl::CredentialSet;
use crate::sasl::server::{PlainSource, SaslRealm, VerifierSource};
use crate::tls::UpstreamContext;

/// Builds the filter of this name.
///
/// # Errors
/// What its TLS settings lack, or that this machine has no random numbers.
pub fn sasl_termination(name: &str, model: &SaslTerminationModel) -> Result<SaslTermination, String> {
    let mut realm = SaslRealm::new(phantom_secret(model)?);
    let mut directory = None;
    let mut plain_without_tls = false;
    for mechanism in &model.mechanisms {
        realm = match mechanism {
            TerminatedMechanism::Scram { hash, users } => realm.with_scram(*hash, source(users)),
            TerminatedMechanism::Plain { users, without_tls } => {
                plain_without_tls = *without_tls;
                match users {
                    PlainUsers::Credentials(users) => realm.with_plain(PlainSource::Verifiers(source(users))),
                    PlainUsers::Directory(settings) => {
                        directory = Some(Arc::new(service(settings)?));
                        realm.with_plain(PlainSource::Directory)
                    }
                }
            }
        };
    }
    let settings = TerminationSettings {
        max_time_before_reauth: model.max_time_before_reauth,
        failed_delay: model.failed_delay,
        plain_without_tls,
    };
    let checkers = PasswordCheckers {
        threads: PasswordThreads::of_process(),
        directory,
    };
    Ok(SaslTermination::new(
        name.to_owned(),
        Arc::new(realm),
        settings,
        checkers,
    ))
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
        } => None,
    });
    if let Some(secret) = stores.find_map(|store| CredentialSet::phantom_secret(store)) {
        return Ok(secret);
    }
    let mut secret = [0; 32];
    rand::fill(&mut secret).map_err(|_| "this machine has no random numbers")?;
    Ok(secret)
}
