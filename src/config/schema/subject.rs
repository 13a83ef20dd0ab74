//! How names of clients are made.

use super::super::decode::{choice, record};
use super::super::{List, Spanned};

record! {
    /// How a client with a certificate gets its name. Kroxylicious' keys, and Kafka's rules.
    pub struct SubjectBuilder {
        /// Kind of builder, by its simple or full class name: `DefaultTransportSubjectBuilderService`, whose `config` has
        /// `addPrincipals`, or `SslPrincipalMapper`, whose `config` has `rules`.
        "type" kind: Spanned<String>,
        /// Settings of the builder.
        "config" config: Option<Spanned<SubjectBuilderConfig>>,
    }
}

record! {
    /// Settings of a builder of names. Each kind has one of the keys.
    pub struct SubjectBuilderConfig {
        /// Names of which users are made, in order. Absent: see `rules`.
        "addPrincipals" add_principals: Option<Spanned<List<AddedPrincipal>>>,
        /// Rules for the subject of the certificate, as in `ssl.principal.mapping.rules` of a broker: `DEFAULT` or
        /// `RULE:EXPRESSION/REPLACEMENT/`, with `L` or `U` behind it, separated by commas. Absent: see `addPrincipals`.
        "rules" rules: Option<Spanned<String>>,
    }
}

record! {
    /// A name of the client, and the user that is made of it.
    pub struct AddedPrincipal {
        /// Field of the certificate: `clientTlsSubject`, `clientTlsSanDnsName`, `clientTlsSanUri`, `clientTlsSanRfc822Name`,
        /// `clientTlsSanDirName` or `clientTlsSanIpAddress`.
        "from" from: Spanned<String>,
        /// Rules of which the first that applies says what the user is called. Absent: as the field says.
        "map" map: Option<Spanned<List<NameRule>>>,
        /// What is made of the name. Only users can be made: `UserFactory`.
        "principalFactory" principal_factory: Option<Spanned<String>> = "UserFactory",
    }
}

record! {
    /// A rule for a name. It has exactly one of its keys.
    pub struct NameRule {
        /// `/EXPRESSION/REPLACEMENT/`, with `L` or `U` behind it for lower or upper case, and any character in place of the
        /// slash. It applies if the expression matches the whole name. Absent: see `else`.
        "replaceMatch" replace_match: Option<Spanned<String>>,
        /// What becomes of names that no rule before it applies to. Only in the last rule. Absent: see `replaceMatch`.
        "else" otherwise: Option<Spanned<ElseRule>>,
    }
}

choice! {
    /// What becomes of names that no rule applies to.
    pub enum ElseRule {
        /// They are names of users as they are.
        Identity = "identity",
        /// No user is made of them.
        Anonymous = "anonymous",
    }
}
