//! `SaslInspection`: how clients may authenticate to the broker.

use super::super::SaslSubjectBuilder;
use super::super::scope::Scope;
use super::super::subject::resolve as subject;
use crate::config::schema::{InspectedMechanism, SaslInspectionConfig};

/// Settings of a filter that learns who clients are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaslInspectionModel {
    /// Mechanisms that clients may use, in alphabetical order.
    pub mechanisms: Vec<&'static str>,
    /// What becomes of the name that a client has authenticated as.
    pub subject_builder: SaslSubjectBuilder,
    /// Whether clients have to authenticate.
    pub require_authentication: bool,
}

pub(super) fn resolve(config: &SaslInspectionConfig, scope: &mut Scope<'_>) -> Option<SaslInspectionModel> {
    let list = config.enabled_mechanisms.as_ref();
    if let Some(list) = list.filter(|list| list.value.items.is_empty() && list.value.complete) {
        scope.errors.push(
            list.at,
            "`enabledMechanisms` is empty: no client could authenticate",
        );
        return None;
    }
    let mut mechanisms: Vec<&'static str> = match list {
        Some(list) => list.value.items.iter().map(|item| name(item.value)).collect(),
        None => NOT_IN_THE_CLEAR.into_iter().map(name).collect(),
    };
    let (builder, settings) = (&config.subject_builder, &config.subject_builder_config);
    let subject_builder = subject::sasl(builder.as_ref(), settings.as_ref(), &mut scope.errors)?;
    mechanisms.sort_unstable();
    mechanisms.dedup();
    Some(SaslInspectionModel {
        mechanisms,
        subject_builder,
        require_authentication: config
            .require_authentication
            .as_ref()
            .is_some_and(|given| given.value),
    })
}

/// Mechanisms that send no password in the clear.
const NOT_IN_THE_CLEAR: [InspectedMechanism; 3] = [
    InspectedMechanism::OauthBearer,
    InspectedMechanism::ScramSha256,
    InspectedMechanism::ScramSha512,
];

/// The name of a mechanism in the IANA registry.
const fn name(mechanism: InspectedMechanism) -> &'static str {
    match mechanism {
        InspectedMechanism::OauthBearer => "OAUTHBEARER",
        InspectedMechanism::Plain => "PLAIN",
        InspectedMechanism::ScramSha256 => "SCRAM-SHA-256",
        InspectedMechanism::ScramSha512 => "SCRAM-SHA-512",
    }
}
