//! `config` of `SaslInspection`.

use super::super::super::decode::{choice, record};
use super::super::super::{List, Spanned};
use super::super::SubjectBuilderConfig;
use super::NamedFiles;

record! {
    /// Settings of `SaslInspection`, which learns who clients are while they authenticate to the broker.
    pub struct SaslInspectionConfig {
        /// SASL mechanisms that clients may use. A client that asks for another gets this list, and the broker nothing. Absent:
        /// those that send no password in the clear, which are all but `PLAIN`.
        "enabledMechanisms" enabled_mechanisms: Option<Spanned<List<InspectedMechanism>>>,
        /// Kind of builder that makes names of clients, by its simple or full class name: `DefaultSaslSubjectBuilderService`.
        /// Absent: a client has the name that it authenticated as.
        "subjectBuilder" subject_builder: Option<Spanned<String>>,
        /// Settings of the builder: `addPrincipals`, where `from` is `saslAuthorizedId`. Absent: see `subjectBuilder`.
        "subjectBuilderConfig" subject_builder_config: Option<Spanned<SubjectBuilderConfig>>,
        /// Whether clients have to authenticate: any other request before is answered with error 58
        /// (`SASL_AUTHENTICATION_FAILED`), and the connection is closed.
        "requireAuthentication" require_authentication: Option<Spanned<bool>> = "false",
    }
}

choice! {
    /// SASL mechanism that shows who the client is.
    pub enum InspectedMechanism {
        /// OAUTHBEARER (RFC 7628).
        OauthBearer = "OAUTHBEARER",
        /// PLAIN (RFC 4616).
        Plain = "PLAIN",
        /// SCRAM-SHA-256 (RFC 7677).
        ScramSha256 = "SCRAM-SHA-256",
        /// SCRAM-SHA-512 (RFC 7677).
        ScramSha512 = "SCRAM-SHA-512",
    }
}

impl NamedFiles for SaslInspectionConfig {}
