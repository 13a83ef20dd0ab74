//! The filters of a cluster. A filter goes on if one of its type stands in both lists; a definition with another name is no
//! change.

use std::sync::Arc;

use super::super::change::{ChangeResult, ChangedKey};
use super::super::effect::Effect::{self, RecheckLogins, RenewFilters, RenewOffer, ReplaceIdentity};
use super::{ChangeDetector, ConfigurationChangeContext};
use crate::model::{
    ApiFilterModel, ApiRules, AuditModel, AuthorizationModel, ConnectionExpirationModel, CustomSettings,
    FilterKind, FilterMode, FilterModel, KeySetModel, KeySetOrigin, OauthBearerValidationModel,
    ProtocolLoggerModel, SaslInspectionModel, SaslTerminationModel,
};
use crate::sasl::jwt::TokenRules;

/// Which filters a cluster has, and what each of them does.
pub(super) struct Filters;

/// Takes a changed key with its effect.
type NoteKey<'n> = &'n mut dyn FnMut(&'static str, Effect);

/// Whether a new filter goes on from an old one.
type GoesOn<'r> = &'r dyn Fn(&FilterModel, &FilterModel) -> bool;

impl ChangeDetector for Filters {
    fn detect(&self, context: &ConfigurationChangeContext<'_>, result: &mut ChangeResult) {
        for (old, new) in &context.changed {
            let mut note = |path, effect| result.modify(&old.name, ChangedKey::new(path, effect));
            compare(&old.filters, &new.filters, &mut note);
        }
    }
}

fn compare(old: &[Arc<FilterModel>], new: &[Arc<FilterModel>], note: NoteKey<'_>) {
    let mut changes = Vec::new();
    let list = "virtualClusters[].filters";
    let pairs = pair_filters(old, new);
    let stay = |index: &usize| pairs.iter().flatten().any(|before| before == index);
    for removed in (0..old.len())
        .filter(|index| !stay(index))
        .map(|index| &old[index])
    {
        let effect = if removed.kind.is_sasl() {
            ReplaceIdentity
        } else {
            RenewFilters
        };
        changes.push((list, effect));
    }
    for (added, _) in new.iter().zip(&pairs).filter(|(_, before)| before.is_none()) {
        changes.push((list, effect_of_adding(added)));
    }
    if !pairs.iter().flatten().is_sorted() {
        changes.push((list, RenewFilters));
    }
    for (filter, before) in new.iter().zip(&pairs) {
        let before = before.and_then(|index| old.get(index));
        if let Some(before) = before.filter(|before| !Arc::ptr_eq(before, filter)) {
            compare_filter(before, filter, &mut |path, effect| changes.push((path, effect)));
        }
    }
    changes.sort_unstable();
    changes.dedup();
    changes.into_iter().for_each(|(path, effect)| note(path, effect));
}

fn effect_of_adding(filter: &FilterModel) -> Effect {
    match &filter.kind {
        FilterKind::ApiFilter(settings) if settings.strict && filter.mode == FilterMode::Enforce => {
            RenewOffer
        }
        kind if kind.is_sasl() => ReplaceIdentity,
        _ => RenewFilters,
    }
}

/// For each new filter the index of the old one that it goes on from: the same one, else one of its type and name, else one
/// of its type.
pub fn pair_filters(old: &[Arc<FilterModel>], new: &[Arc<FilterModel>]) -> Vec<Option<usize>> {
    let mut pairs: Vec<Option<usize>> = vec![None; new.len()];
    let same = |old: &FilterModel, new: &FilterModel| old == new;
    let named = |old: &FilterModel, new: &FilterModel| {
        old.kind.type_name() == new.kind.type_name() && old.name == new.name
    };
    let typed = |old: &FilterModel, new: &FilterModel| old.kind.type_name() == new.kind.type_name();
    let rules: [GoesOn<'_>; 3] = [&same, &named, &typed];
    for goes_on in rules {
        for (index, filter) in new.iter().enumerate() {
            if pairs[index].is_some() {
                continue;
            }
            let free = |before: &usize| !pairs.contains(&Some(*before));
            let found = (0..old.len())
                .filter(free)
                .find(|before| goes_on(&old[*before], filter));
            pairs[index] = found;
        }
    }
    pairs
}

fn compare_filter(old: &FilterModel, new: &FilterModel, note: NoteKey<'_>) {
    let FilterModel {
        name: _,
        kind,
        mode,
        when,
        on_error,
    } = old;
    if *mode != new.mode {
        note("filterDefinitions[].mode", RenewFilters);
    }
    if *when != new.when {
        note("filterDefinitions[].when", RenewFilters);
    }
    if *on_error != new.on_error {
        note("filterDefinitions[].onError", RenewFilters);
    }
    match (kind, &new.kind) {
        (FilterKind::ApiFilter(old), FilterKind::ApiFilter(new)) => api_filter(old, new, note),
        (FilterKind::ConnectionExpiration(old), FilterKind::ConnectionExpiration(new)) => {
            connection_expiration(old, new, note);
        }
        (FilterKind::Audit(old), FilterKind::Audit(new)) => audit(old, new, note),
        (FilterKind::ProtocolLogger(old), FilterKind::ProtocolLogger(new)) => protocol_logger(old, new, note),
        (FilterKind::Authorization(old), FilterKind::Authorization(new)) => authorization(old, new, note),
        (FilterKind::OauthBearerValidation(old), FilterKind::OauthBearerValidation(new)) => {
            oauth_bearer_validation(old, new, note);
        }
        (FilterKind::SaslInspection(old), FilterKind::SaslInspection(new)) => sasl_inspection(old, new, note),
        (FilterKind::SaslTermination(old), FilterKind::SaslTermination(new)) => {
            sasl_termination(old, new, note)
        }
        (FilterKind::Custom(old), FilterKind::Custom(new)) => custom(old, new, note),
        // Filters of different types never go on from each other.
        (
            FilterKind::ApiFilter(_)
            | FilterKind::ConnectionExpiration(_)
            | FilterKind::Audit(_)
            | FilterKind::ProtocolLogger(_)
            | FilterKind::Authorization(_)
            | FilterKind::OauthBearerValidation(_)
            | FilterKind::SaslInspection(_)
            | FilterKind::SaslTermination(_)
            | FilterKind::Custom(_),
            _,
        ) => {}
    }
}

fn authorization(old: &AuthorizationModel, new: &AuthorizationModel, note: NoteKey<'_>) {
    let AuthorizationModel {
        rules,
        in_file,
        unanswered,
    } = old;
    if *rules != new.rules || *in_file != new.in_file {
        let key = match new.in_file {
            true => "filterDefinitions[].config(Authorization).authorizerConfig.aclFile",
            false => "filterDefinitions[].config(Authorization).rules",
        };
        note(key, RenewFilters);
    }
    if *unanswered != new.unanswered {
        note("filterDefinitions[].config(Authorization).acks0", RenewFilters);
    }
}

fn api_filter(old: &ApiFilterModel, new: &ApiFilterModel, note: NoteKey<'_>) {
    let ApiFilterModel {
        rules,
        on_denied,
        strict,
        principals,
        client_ids,
    } = old;
    if *rules != new.rules {
        let key = match new.rules {
            ApiRules::Denied(_) => "filterDefinitions[].config(ApiFilter).denied",
            ApiRules::Allowed(_) => "filterDefinitions[].config(ApiFilter).allowed",
        };
        let drains = new.strict && old.offers_more_than(new);
        note(key, if drains { RenewOffer } else { RenewFilters });
    }
    if *on_denied != new.on_denied {
        note("filterDefinitions[].config(ApiFilter).onDenied", RenewFilters);
    }
    if *strict != new.strict {
        note("filterDefinitions[].config(ApiFilter).strict", RenewFilters);
    }
    if *principals != new.principals {
        note("filterDefinitions[].config(ApiFilter).principals", RenewFilters);
    }
    if *client_ids != new.client_ids {
        note("filterDefinitions[].config(ApiFilter).clientIds", RenewFilters);
    }
}

fn connection_expiration(
    old: &ConnectionExpirationModel,
    new: &ConnectionExpirationModel,
    note: NoteKey<'_>,
) {
    let ConnectionExpirationModel { max_age, jitter } = old;
    if *max_age != new.max_age {
        note(
            "filterDefinitions[].config(ConnectionExpiration).maxAge",
            RenewFilters,
        );
    }
    if *jitter != new.jitter {
        note(
            "filterDefinitions[].config(ConnectionExpiration).jitter",
            RenewFilters,
        );
    }
}

fn audit(old: &AuditModel, new: &AuditModel, note: NoteKey<'_>) {
    let AuditModel {
        target,
        auth,
        denied,
        admin,
        connect,
        sample,
    } = old;
    if *target != new.target {
        note("filterDefinitions[].config(Audit).file", RenewFilters);
    }
    if (auth, denied, admin, connect) != (&new.auth, &new.denied, &new.admin, &new.connect) {
        note("filterDefinitions[].config(Audit).events", RenewFilters);
    }
    if *sample != new.sample {
        note("filterDefinitions[].config(Audit).sample", RenewFilters);
    }
}

fn protocol_logger(old: &ProtocolLoggerModel, new: &ProtocolLoggerModel, note: NoteKey<'_>) {
    let ProtocolLoggerModel { apis, level, logger } = old;
    if *apis != new.apis {
        note(
            "filterDefinitions[].config(ProtocolLogger).apiKeyNames",
            RenewFilters,
        );
    }
    if *level != new.level {
        note(
            "filterDefinitions[].config(ProtocolLogger).logLevel",
            RenewFilters,
        );
    }
    if *logger != new.logger {
        note(
            "filterDefinitions[].config(ProtocolLogger).loggerName",
            RenewFilters,
        );
    }
}

fn oauth_bearer_validation(
    old: &OauthBearerValidationModel,
    new: &OauthBearerValidationModel,
    note: NoteKey<'_>,
) {
    macro_rules! key {
        ($name:literal) => {
            concat!("filterDefinitions[].config(OauthBearerValidation).", $name)
        };
    }
    let OauthBearerValidationModel {
        keys,
        rules,
        remembered_for,
        remembered,
    } = old;
    let KeySetModel {
        origin,
        refresh,
        retry,
        retry_max,
        on_start,
    } = keys;
    let TokenRules {
        audiences,
        issuer,
        scope_claim,
        subject_claim,
        clock_skew: _,
    } = rules;
    let (new_keys, new_rules) = (&new.keys, &new.rules);
    let mut compare = |differs: bool, path| {
        if differs {
            note(path, RenewFilters);
        }
    };
    compare(!same_place(origin, &new_keys.origin), key!("jwksEndpointUrl"));
    compare(!same_trust(origin, &new_keys.origin), key!("jwksTrustFile"));
    compare(*refresh != new_keys.refresh, key!("jwksEndpointRefreshMs"));
    compare(*retry != new_keys.retry, key!("jwksEndpointRetryBackoffMs"));
    compare(
        *retry_max != new_keys.retry_max,
        key!("jwksEndpointRetryBackoffMaxMs"),
    );
    compare(*on_start != new_keys.on_start, key!("onStart"));
    compare(*audiences != new_rules.audiences, key!("expectedAudience"));
    compare(*issuer != new_rules.issuer, key!("expectedIssuer"));
    compare(*scope_claim != new_rules.scope_claim, key!("scopeClaimName"));
    compare(*subject_claim != new_rules.subject_claim, key!("subClaimName"));
    compare(
        *remembered_for != new.remembered_for,
        key!("authenticateBackOffMaxMs"),
    );
    compare(*remembered != new.remembered, key!("authenticateCacheMaxSize"));
}

/// Whether keys come from the same address, or from files of the same content.
fn same_place(old: &KeySetOrigin, new: &KeySetOrigin) -> bool {
    match (old, new) {
        (KeySetOrigin::Web { url: old, .. }, KeySetOrigin::Web { url: new, .. }) => old == new,
        (KeySetOrigin::File(old), KeySetOrigin::File(new)) => old == new,
        (KeySetOrigin::Web { .. }, KeySetOrigin::File(_))
        | (KeySetOrigin::File(_), KeySetOrigin::Web { .. }) => false,
    }
}

/// Whether issuers are trusted by the same rules, where both are asked over the web.
fn same_trust(old: &KeySetOrigin, new: &KeySetOrigin) -> bool {
    match (old, new) {
        (KeySetOrigin::Web { tls: old, .. }, KeySetOrigin::Web { tls: new, .. }) => old == new,
        _ => true,
    }
}

fn sasl_inspection(old: &SaslInspectionModel, new: &SaslInspectionModel, note: NoteKey<'_>) {
    let SaslInspectionModel {
        mechanisms,
        subject_builder,
        require_authentication,
    } = old;
    if *mechanisms != new.mechanisms {
        note(
            "filterDefinitions[].config(SaslInspection).enabledMechanisms",
            RenewFilters,
        );
    }
    if *subject_builder != new.subject_builder {
        note(
            "filterDefinitions[].config(SaslInspection).subjectBuilder",
            RenewFilters,
        );
    }
    if *require_authentication != new.require_authentication {
        note(
            "filterDefinitions[].config(SaslInspection).requireAuthentication",
            RenewFilters,
        );
    }
}

/// Sessions whose user or mechanism is gone leave; the others stay.
fn sasl_termination(old: &SaslTerminationModel, new: &SaslTerminationModel, note: NoteKey<'_>) {
    let SaslTerminationModel {
        mechanisms,
        max_time_before_reauth,
        failed_delay,
        subject_builder,
    } = old;
    if *subject_builder != new.subject_builder {
        note(
            "filterDefinitions[].config(SaslTermination).subjectBuilder",
            RenewFilters,
        );
    }
    if *mechanisms != new.mechanisms {
        let effect = match new.may_refuse_clients_of(old) {
            true => RecheckLogins,
            false => RenewFilters,
        };
        note("filterDefinitions[].config(SaslTermination).mechanisms", effect);
    }
    if *max_time_before_reauth != new.max_time_before_reauth {
        note(
            "filterDefinitions[].config(SaslTermination).maxTimeBeforeReauth",
            RenewFilters,
        );
    }
    if *failed_delay != new.failed_delay {
        note(
            "filterDefinitions[].config(SaslTermination).fixedAuthDelay",
            RenewFilters,
        );
    }
}

fn custom(old: &CustomSettings, new: &CustomSettings, note: NoteKey<'_>) {
    let CustomSettings {
        filter_type: _,
        config,
        files,
    } = old;
    if *config != new.config || *files != new.files {
        note("filterDefinitions[].config", RenewFilters);
    }
}
