//! Filters of virtual clusters: one struct for each type, and the chain of each cluster.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use super::names::{Unique, check_name};
use super::scope::Scope;
use crate::config::schema::{EnforcementMode, FilterConfig, FilterDefinition};
use crate::config::{Config, CustomSettings, List, Spanned, quoted, suggestion};

mod api_filter;
mod audit;
mod authorization;
mod condition;
mod connection_expiration;
mod custom;
mod key_set;
mod name_pattern;
mod named_file;
mod oauth_bearer_validation;
mod on_error;
mod protocol_logger;
mod sasl_inspection;
mod sasl_termination;

pub use api_filter::{ApiFilterModel, ApiRules, ApiSet, DenialResponse};
pub use audit::{AuditModel, AuditTarget};
pub use authorization::{AuthorizationModel, UnansweredDenial};
pub use condition::{FilterCondition, RequestFacts};
pub use connection_expiration::ConnectionExpirationModel;
pub use key_set::{KeySetModel, KeySetOrigin, KeysOnStart};
pub use name_pattern::NamePattern;
pub use oauth_bearer_validation::OauthBearerValidationModel;
pub use on_error::FailurePolicy;
pub use protocol_logger::ProtocolLoggerModel;
pub use sasl_inspection::SaslInspectionModel;
pub use sasl_termination::{
    BearerModel, CredentialSource, DirectoryModel, PlainUsers, SaslTerminationModel, TerminatedMechanism,
    TerminatedProof,
};

/// A filter of a virtual cluster. Two filters are equal if they do the same, whatever their names are.
#[derive(Clone)]
pub struct FilterModel {
    /// Name of its definition, for logs and metrics.
    pub name: String,
    /// What it does.
    pub kind: FilterKind,
    /// What becomes of its verdicts.
    pub mode: FilterMode,
    /// Condition on requests; `None` is every request.
    pub when: Option<FilterCondition>,
    /// What becomes of frames about which it cannot decide.
    pub on_error: FailurePolicy,
}

/// What a filter does, by its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilterKind {
    /// Switches APIs off.
    ApiFilter(ApiFilterModel),
    /// Ends sessions that are older than a limit.
    ConnectionExpiration(ConnectionExpirationModel),
    /// Records who did what.
    Audit(AuditModel),
    /// Logs requests and responses.
    ProtocolLogger(ProtocolLoggerModel),
    /// Decides what each client may do.
    Authorization(AuthorizationModel),
    /// Checks the tokens of clients.
    OauthBearerValidation(OauthBearerValidationModel),
    /// Learns who clients are.
    SaslInspection(SaslInspectionModel),
    /// Has clients authenticate at kproxy.
    SaslTermination(SaslTerminationModel),
    /// A type that a program made on the library adds.
    Custom(CustomSettings),
}

/// What becomes of the verdicts of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FilterMode {
    /// They are carried out.
    #[default]
    Enforce,
    /// They are only counted.
    Shadow,
}

impl FilterKind {
    /// Returns the simple name of the type, as in `type`.
    pub fn type_name(&self) -> &str {
        match self {
            Self::ApiFilter(_) => "ApiFilter",
            Self::ConnectionExpiration(_) => "ConnectionExpiration",
            Self::Audit(_) => "Audit",
            Self::ProtocolLogger(_) => "ProtocolLogger",
            Self::Authorization(_) => "Authorization",
            Self::OauthBearerValidation(_) => "OauthBearerValidation",
            Self::SaslInspection(_) => "SaslInspection",
            Self::SaslTermination(_) => "SaslTermination",
            Self::Custom(settings) => &settings.filter_type,
        }
    }

    /// Whether it settles who the client is. Such a filter may only be the first of a cluster.
    pub fn is_sasl(&self) -> bool {
        match self {
            Self::SaslInspection(_) | Self::SaslTermination(_) => true,
            Self::ApiFilter(_)
            | Self::ConnectionExpiration(_)
            | Self::Audit(_)
            | Self::ProtocolLogger(_)
            | Self::Authorization(_)
            | Self::OauthBearerValidation(_)
            | Self::Custom(_) => false,
        }
    }

    /// Whether requests may pass it by where it fails (`onError: pass`).
    pub fn may_be_passed_by(&self) -> bool {
        !self.is_sasl() && !matches!(self, Self::Authorization(_) | Self::OauthBearerValidation(_))
    }

    /// Whether its work is about single requests, so that `when` means something.
    pub fn takes_conditions(&self) -> bool {
        !self.is_sasl() && !matches!(self, Self::ConnectionExpiration(_))
    }

    /// Whether it decides what clients may do, so that `mode: shadow` means something.
    pub fn decides(&self) -> bool {
        match self {
            Self::ApiFilter(_) | Self::Authorization(_) => true,
            Self::ConnectionExpiration(_)
            | Self::Audit(_)
            | Self::ProtocolLogger(_)
            | Self::OauthBearerValidation(_)
            | Self::SaslInspection(_)
            | Self::SaslTermination(_) => false,
            Self::Custom(settings) => custom::decides(&settings.filter_type),
        }
    }
}

impl FilterMode {
    /// Returns the name, as in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
        }
    }
}

impl PartialEq for FilterModel {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            name: _,
            kind,
            mode,
            when,
            on_error,
        } = self;
        *kind == other.kind && *mode == other.mode && *when == other.when && *on_error == other.on_error
    }
}

impl Eq for FilterModel {}

/// Shows neither the content of files nor passwords.
impl fmt::Debug for FilterModel {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("FilterModel")
            .field("name", &self.name)
            .field("type", &self.kind.type_name())
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

/// Checks every definition, and the list of default filters.
pub(super) fn define(config: &Config, scope: &mut Scope<'_>) -> FilterDefinitions {
    let root = &config.root;
    let list = root.filter_definitions.as_ref().map(|list| &list.value);
    let mut definitions = FilterDefinitions {
        complete: root.shape.is_sound() && list.is_none_or(|list| list.complete),
        ..FilterDefinitions::default()
    };
    let mut unique = Unique::new("filter");
    for definition in list.into_iter().flat_map(|list| &list.items) {
        let name = &definition.value.name;
        check_name(name, &mut scope.errors);
        unique.check(&name.value, name.at, &mut scope.errors);
        let filter = resolve(definition, scope).map(Arc::new);
        definitions.filters.entry(name.value.clone()).or_insert(filter);
    }
    if let Some(names) = &root.default_filters {
        definitions.default_chain = definitions.chain(&names.value, scope);
    }
    definitions
}

/// Names that the lists of the file and of its clusters have. Where no cluster is without a list, the names in
/// `defaultFilters` count all the same.
pub(super) fn used_filters(config: &Config) -> BTreeSet<&str> {
    let clusters = config.virtual_clusters().flat_map(|list| &list.value.items);
    let lists = clusters.filter_map(|cluster| cluster.value.filters.as_ref());
    let lists = lists.chain(&config.root.default_filters);
    lists
        .flat_map(|list| &list.value.items)
        .map(|name| name.value.as_str())
        .collect()
}

/// Names of definitions that no list has.
pub(super) fn unused_filters(config: &Config) -> impl Iterator<Item = &Spanned<String>> {
    let used = used_filters(config);
    let definitions = config.root.filter_definitions.iter();
    let names = definitions
        .flat_map(|list| &list.value.items)
        .map(|filter| &filter.value.name);
    names.filter(move |name| !used.contains(name.value.as_str()))
}

/// Filters by their names.
#[derive(Default)]
pub(super) struct FilterDefinitions {
    /// `None`: it is broken, which has been reported.
    filters: BTreeMap<String, Option<Arc<FilterModel>>>,
    /// Whether every definition was readable. If not, an unknown name may be right and is not reported.
    complete: bool,
    default_chain: Vec<Arc<FilterModel>>,
}

impl FilterDefinitions {
    /// The filters of a cluster that lists these names.
    pub(super) fn chain_of(
        &self,
        names: Option<&Spanned<List<String>>>,
        scope: &mut Scope<'_>,
    ) -> Vec<Arc<FilterModel>> {
        match names {
            Some(names) => self.chain(&names.value, scope),
            None => self.default_chain.clone(),
        }
    }

    fn chain(&self, names: &List<String>, scope: &mut Scope<'_>) -> Vec<Arc<FilterModel>> {
        let mut seen = HashSet::new();
        let mut chain = Vec::with_capacity(names.items.len());
        for (index, name) in names.items.iter().enumerate() {
            if !seen.insert(&name.value) {
                let why = format!("filter {} stands in the list twice", quoted(&name.value));
                scope.errors.push(name.at, why);
                continue;
            }
            let Some(filter) = self.find(name, scope) else {
                continue;
            };
            if index > 0 && filter.kind.is_sasl() {
                let (name, kind) = (quoted(&name.value), filter.kind.type_name());
                let why = format!("filter {name} is a `{kind}`, which may only be the first of the list");
                scope.errors.push(names.items[index].at, why);
            }
            chain.push(filter);
        }
        chain
    }

    fn find(&self, name: &Spanned<String>, scope: &mut Scope<'_>) -> Option<Arc<FilterModel>> {
        match self.filters.get(&name.value) {
            Some(filter) => filter.clone(),
            None if !self.complete => None,
            None => {
                scope.errors.push_with(name.at, || {
                    let hint = suggestion(&name.value, self.filters.keys().map(String::as_str));
                    format!("no filter named {}{hint}", quoted(&name.value))
                });
                None
            }
        }
    }
}

/// Returns `None` where something was wrong and has been reported.
fn resolve(written: &Spanned<FilterDefinition>, scope: &mut Scope<'_>) -> Option<FilterModel> {
    let definition = &written.value;
    let kind = match definition.config.value.as_ref()? {
        FilterConfig::ApiFilter(config) => {
            FilterKind::ApiFilter(api_filter::resolve(config, definition.config.at, scope)?)
        }
        FilterConfig::ConnectionExpiration(config) => {
            FilterKind::ConnectionExpiration(connection_expiration::resolve(config, scope)?)
        }
        FilterConfig::Audit(config) => {
            FilterKind::Audit(audit::resolve(config, definition.config.at, scope)?)
        }
        FilterConfig::ProtocolLogger(config) => FilterKind::ProtocolLogger(protocol_logger::resolve(config)),
        FilterConfig::Authorization(config) => {
            FilterKind::Authorization(authorization::resolve(config, definition.config.at, scope)?)
        }
        FilterConfig::OauthBearerValidation(config) => {
            FilterKind::OauthBearerValidation(oauth_bearer_validation::resolve(config, scope)?)
        }
        FilterConfig::SaslInspection(config) => {
            FilterKind::SaslInspection(sasl_inspection::resolve(config, scope)?)
        }
        FilterConfig::SaslTermination(config) => {
            FilterKind::SaslTermination(sasl_termination::resolve(config, scope)?)
        }
        FilterConfig::Custom(config) => FilterKind::Custom(custom::resolve(config, scope)?),
    };
    let when = match &definition.when {
        Some(written) => Some(condition(written, &kind, scope)?),
        None => None,
    };
    Some(FilterModel {
        name: definition.name.value.clone(),
        mode: mode(definition, &kind, scope),
        on_error: on_error::resolve(definition.on_error.as_ref(), &kind, scope),
        kind,
        when,
    })
}

/// The condition, unless something is wrong with it, which is reported.
fn condition(written: &Spanned<String>, kind: &FilterKind, scope: &mut Scope<'_>) -> Option<FilterCondition> {
    if !kind.takes_conditions() {
        let why = format!(
            "a filter of type `{}` concerns whole sessions, it takes no `when`",
            kind.type_name()
        );
        scope.errors.push(written.key, why);
        return None;
    }
    FilterCondition::parse(&written.value)
        .map_err(|why| {
            scope
                .errors
                .push(written.at, format!("`when` is no condition: {why}"))
        })
        .ok()
}

fn mode(definition: &FilterDefinition, kind: &FilterKind, scope: &mut Scope<'_>) -> FilterMode {
    let Some(written) = &definition.mode else {
        return FilterMode::Enforce;
    };
    match written.value {
        EnforcementMode::Enforce => FilterMode::Enforce,
        EnforcementMode::Shadow => {
            if !kind.decides() {
                let why = format!(
                    "`mode: shadow` has no meaning for a filter of type `{}`, which decides nothing",
                    kind.type_name()
                );
                scope.errors.push(written.at, why);
            }
            FilterMode::Shadow
        }
    }
}
