//! `Authorization`: the rules, read from their file.

use std::sync::Arc;

use super::super::acl::{AclFault, AclRules, parse_rules};
use super::super::scope::Scope;
use super::named_file::{self, FileFaults};
use crate::config::schema::{AuthorizationConfig, DeniedAcks0};
use crate::config::{Pos, Spanned};

/// Settings of a filter that decides what clients may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizationModel {
    /// The rules.
    pub rules: Arc<AclRules>,
    /// Whether the rules stand in a file of their own.
    pub in_file: bool,
    /// What becomes of a denied request without an answer.
    pub unanswered: UnansweredDenial,
}

/// What a Produce request without an answer gets when it is denied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UnansweredDenial {
    /// The session ends, as at a broker.
    #[default]
    Close,
    /// Nothing: the records of denied topics are dropped.
    Drop,
}

pub(super) fn resolve(
    config: &AuthorizationConfig,
    at: Pos,
    scope: &mut Scope<'_>,
) -> Option<AuthorizationModel> {
    let (rules, in_file) = match (&config.authorizer_config, &config.rules) {
        (Some(file), None) => {
            let rules = in_file(&file.value.acl_file, scope)?;
            warn(&rules, file.value.acl_file.at, scope);
            (rules, true)
        }
        (None, Some(text)) => {
            let rules = in_place(text, scope)?;
            warn(&rules, text.at, scope);
            (rules, false)
        }
        (Some(file), Some(text)) => {
            let second = file.key.max(text.key);
            scope
                .errors
                .push(second, "`authorizerConfig` and `rules` exclude each other");
            return None;
        }
        (None, None) => {
            if config.shape.is_sound() {
                scope.errors.push(at, "expected `authorizerConfig` or `rules`");
            }
            return None;
        }
    };
    Some(AuthorizationModel {
        rules: Arc::new(rules),
        in_file,
        unanswered: match config.acks0.as_ref().map(|acks0| acks0.value) {
            None | Some(DeniedAcks0::Close) => UnansweredDenial::Close,
            Some(DeniedAcks0::Drop) => UnansweredDenial::Drop,
        },
    })
}

fn in_file(file: &Spanned<std::path::PathBuf>, scope: &mut Scope<'_>) -> Option<AclRules> {
    named_file::parse(file, scope, |content, faults: &mut FileFaults| {
        let Ok(text) = std::str::from_utf8(content) else {
            faults.push(1, 1, "the file is not UTF-8");
            return None;
        };
        let mut add = |fault: AclFault| faults.push(fault.line, fault.col, fault.message);
        match compile(text) {
            Ok(rules) => Some(rules),
            Err(wrong) => {
                wrong.into_iter().for_each(&mut add);
                None
            }
        }
    })
}

/// Faults in rules that stand in the configuration are reported at their key, with their place within the text.
fn in_place(text: &Spanned<String>, scope: &mut Scope<'_>) -> Option<AclRules> {
    match compile(&text.value) {
        Ok(rules) => Some(rules),
        Err(wrong) => {
            for fault in wrong {
                let why = format!(
                    "line {}, column {} of the rules: {}",
                    fault.line, fault.col, fault.message
                );
                scope.errors.push(text.at, why);
            }
            None
        }
    }
}

/// Reports warnings about rules at the key that has them, with their place within the text.
fn warn(rules: &AclRules, at: Pos, scope: &mut Scope<'_>) {
    for fault in &rules.document().warnings {
        let AclFault { line, col, message } = fault;
        let why = || format!("line {line}, column {col} of the rules: {message}");
        scope.warnings.push(at, why);
    }
}

fn compile(text: &str) -> Result<AclRules, Vec<AclFault>> {
    AclRules::new(parse_rules(text)?).map_err(|message| {
        vec![AclFault {
            line: 1,
            col: 1,
            message,
        }]
    })
}
