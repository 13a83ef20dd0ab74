//! Filters: their definitions, and the keys of each type.
//!
//! `config` is decoded by the record of the `type` beside it. A type is one line of [`filter_types!`] and one file with its
//! record; `model::filters` checks its rules.

use std::path::PathBuf;

use super::super::decode::{Decode, Field, Fields, choice, record};
use super::super::describe::{Schema, TypedSchema};
use super::super::diagnostic::{Errors, Pos};
use super::super::yaml::{self, Node};
use super::super::{CustomConfig, FilterTypeName, Spanned};

mod api_filter;
mod audit;
mod authorization;
mod connection_expiration;
mod oauth_bearer_validation;
mod protocol_logger;
mod sasl_inspection;
mod sasl_termination;

pub use api_filter::*;
pub use audit::*;
pub use authorization::*;
pub use connection_expiration::*;
pub use oauth_bearer_validation::*;
pub use protocol_logger::*;
pub use sasl_inspection::*;
pub use sasl_termination::*;

record! {
    /// A filter, which virtual clusters refer to by name.
    pub struct FilterDefinition {
        /// Name of the filter, unique in the file. It appears in logs and metrics.
        "name" name: Spanned<String>,
        /// Type of the filter, by its simple name (`ApiFilter`) or by its class name in Kroxylicious
        /// (`io.kroxylicious.filter.authorization.Authorization`).
        "type" filter_type: Spanned<FilterTypeName>,
        /// Settings of the filter, whose keys depend on `type`. Absent: every key of the type has its default.
        "config" config: FilterSettings,
        /// Condition, an expression in CEL: requests for which it is false pass the filter by. Absent: the filter sees every
        /// request.
        "when" when: Option<Spanned<String>>,
        /// What becomes of the verdicts of a filter that decides: `enforce` carries them out, `shadow` only counts them.
        "mode" mode: Option<Spanned<EnforcementMode>> = "enforce",
        /// What becomes of a request, or an answer, about which the filter cannot decide: `answer` answers the client with an
        /// error, `fail` ends the session, `pass` lets it pass as if the filter were not there. Filters for SASL and
        /// `Authorization` do not take `pass`.
        "onError" on_error: Option<Spanned<OnErrorChoice>> = "answer",
    }
}

choice! {
    /// What becomes of a request about which a filter cannot decide.
    pub enum OnErrorChoice {
        /// The session ends.
        Fail = "fail",
        /// The client is answered with an error.
        Answer = "answer",
        /// It passes as if the filter were not there.
        Pass = "pass",
    }
}

choice! {
    /// What becomes of the verdicts of a filter.
    pub enum EnforcementMode {
        /// They are carried out.
        Enforce = "enforce",
        /// They are only counted.
        Shadow = "shadow",
    }
}

/// The files that the settings of a filter name, which are read with the configuration.
pub(crate) trait NamedFiles {
    /// Returns the keys that name a file. They are taken to be usable only together.
    fn files(&self) -> Vec<&Spanned<PathBuf>> {
        Vec::new()
    }
}

/// Declares the types of filters, each with the record of its `config`. The documentation follows the same order.
macro_rules! filter_types {
    ($( $(#[doc = $meaning:literal])+ $type:ident($record:ident), )+) => {
        /// Settings of a filter by its type.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum FilterConfig {
            $( $(#[doc = $meaning])+ $type($record), )+
            /// A type that a program made on the library adds.
            Custom(CustomConfig),
        }

        /// The types of filters that are built in, by their simple names.
        pub const FILTER_TYPES: &[&str] = &[$(stringify!($type)),+];

        /// The keys of `config` by type.
        const CONFIG_BY_TYPE: &[TypedSchema] = &[$((stringify!($type), <$record as Decode>::schema)),+];

        impl FilterConfig {
            fn decode(filter_type: &str, node: Node<'_>, errors: &mut Errors) -> Option<Self> {
                match filter_type {
                    $( stringify!($type) => $record::decode(node, errors).map(Self::$type), )+
                    custom => CustomConfig::decode(custom, node, errors).map(Self::Custom),
                }
            }
        }

        impl NamedFiles for FilterConfig {
            fn files(&self) -> Vec<&Spanned<PathBuf>> {
                match self {
                    $( Self::$type(config) => config.files(), )+
                    Self::Custom(config) => config.files(),
                }
            }
        }
    };
}

filter_types! {
    /// Switches APIs off.
    ApiFilter(ApiFilterConfig),
    /// Ends sessions that are older than a limit.
    ConnectionExpiration(ConnectionExpirationConfig),
    /// Records who did what.
    Audit(AuditConfig),
    /// Logs requests and responses.
    ProtocolLogger(ProtocolLoggerConfig),
    /// Decides what each client may do.
    Authorization(AuthorizationConfig),
    /// Checks the tokens of clients.
    OauthBearerValidation(OauthBearerValidationConfig),
    /// Learns who clients are while they authenticate to the broker.
    SaslInspection(SaslInspectionConfig),
    /// Has clients authenticate at kproxy.
    SaslTermination(SaslTerminationConfig),
}

/// Types of filters that Kroxylicious has and kproxy does not.
pub(crate) const FOREIGN_FILTER_TYPES: &[&str] = &[
    "EntityIsolation",
    "EnvelopeEncryption",
    "FetchResponseTransformation",
    "FetchResponseTransformationFilterFactory",
    "MultiTenant",
    "MultiTenantTransformationFilterFactory",
    "ProduceRequestTransformation",
    "ProduceRequestTransformationFilterFactory",
    "ProduceValidationFilterFactory",
    "RecordEncryption",
    "RecordValidation",
    "ResourceIsolation",
    "UserNamespace",
];

/// `config` of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterSettings {
    /// The decoded settings; `None` where they could not be decoded, or the type is unknown, which has been reported.
    pub value: Option<FilterConfig>,
    /// Position of the settings; that of the definition if there are none.
    pub at: Pos,
}

impl Field for FilterSettings {
    const REQUIRED: bool = false;

    fn schema() -> Schema {
        Schema::ByType(CONFIG_BY_TYPE)
    }

    fn take(fields: &mut Fields<'_>, key: &'static str, errors: &mut Errors) -> Option<Self> {
        let filter_type = fields.peek("type").and_then(FilterTypeName::of);
        let written = fields.claim(key).filter(|(_, node)| !node.is_null());
        let at = written.map_or_else(|| fields.at(), |(_, node)| node.at());
        // What is wrong with the type is reported there.
        let value = filter_type.and_then(|filter_type| match written {
            Some((_, node)) => FilterConfig::decode(filter_type.as_str(), node, errors),
            None => without_config(filter_type.as_str(), at, errors),
        });
        if value.is_none() {
            fields.lose();
        }
        Some(Self { value, at })
    }
}

/// The settings of a filter that has no `config`: an empty one, if its type takes that.
fn without_config(filter_type: &str, at: Pos, errors: &mut Errors) -> Option<FilterConfig> {
    let nothing = yaml::Tree::nothing(at.file);
    let mut missing = Errors::new();
    let config = FilterConfig::decode(filter_type, nothing.root(), &mut missing);
    if config.is_none() || !missing.is_empty() {
        errors.push(at, format!("a filter of type `{filter_type}` needs `config`"));
        return None;
    }
    config
}
