//! `config` of `Authorization`.

use std::path::PathBuf;

use super::super::super::Spanned;
use super::super::super::decode::{choice, record};
use super::NamedFiles;

record! {
    /// Settings of `Authorization`, which decides what each client may do with topics, groups and transactional ids. It has
    /// exactly one of `authorizerConfig` and `rules`.
    pub struct AuthorizationConfig {
        /// Kind of the rules. There is one, whose text is that of Kroxylicious' ACL files.
        "authorizer" authorizer: Option<Spanned<AuthorizerService>> = "AclAuthorizerService",
        /// Where the rules are.
        "authorizerConfig" authorizer_config: Option<Spanned<AuthorizerConfig>>,
        /// The rules themselves. Absent: see `authorizerConfig`.
        "rules" rules: Option<Spanned<String>>,
        /// What becomes of a denied Produce request with `acks=0`, which has no answer: `close` ends the session, as a
        /// broker does, `drop` drops the records of denied topics.
        "acks0" acks0: Option<Spanned<DeniedAcks0>> = "close",
    }
}

record! {
    /// Where the rules of `Authorization` are.
    pub struct AuthorizerConfig {
        /// File with the rules. It is read with the configuration: a change of it is a change of the configuration.
        "aclFile" acl_file: Spanned<PathBuf>,
    }
}

choice! {
    /// A kind of rules.
    pub enum AuthorizerService {
        /// Rules as Kroxylicious writes them.
        Acl = "AclAuthorizerService",
    }
}

choice! {
    /// What becomes of a denied request without an answer.
    pub enum DeniedAcks0 {
        /// The end of the session.
        Close = "close",
        /// Nothing: the records of denied topics are dropped.
        Drop = "drop",
    }
}

impl NamedFiles for AuthorizationConfig {
    fn files(&self) -> Vec<&Spanned<PathBuf>> {
        let config = self.authorizer_config.iter();
        config.map(|config| &config.value.acl_file).collect()
    }
}
