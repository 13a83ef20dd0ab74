//! Builders of subjects from their keys.

use super::builder::{PrincipalAdder, is_user_factory};
use super::{
    CertificateField, MappingRule, NameMapping, SaslAuthorizedId, SaslSubjectBuilder,
    TransportSubjectBuilder, principal_mapping_rules, replace_match,
};
use crate::config::schema::{AddedPrincipal, ElseRule, NameRule, SubjectBuilder, SubjectBuilderConfig};
use crate::config::{Errors, List, Spanned, quoted, suggestion};

/// Package of Kroxylicious' own builders.
const PACKAGE: &str = "io.kroxylicious.proxy.internal.subject.";

/// Builder with Kroxylicious' keys.
const TRANSPORT: &str = "DefaultTransportSubjectBuilderService";

/// Builder of names that SASL has authorized, with Kroxylicious' keys.
const SASL: &str = "DefaultSaslSubjectBuilderService";

/// Builder with the rules of a broker.
const SSL_RULES: &str = "SslPrincipalMapper";

/// Returns the builder for client certificates; `None` where something was wrong and has been reported.
pub(in crate::model) fn transport(
    written: &Spanned<SubjectBuilder>,
    errors: &mut Errors,
) -> Option<TransportSubjectBuilder> {
    let builder = &written.value;
    let kind = builder.kind.value.as_str();
    let config = builder.config.as_ref();
    let Some(config) = config else {
        errors.push(written.at, format!("{} needs `config`", quoted(kind)));
        return None;
    };
    match kind.strip_prefix(PACKAGE).unwrap_or(kind) {
        TRANSPORT => Some(TransportSubjectBuilder {
            adders: adders(&config.value, config, certificate_field, errors)?,
        }),
        SSL_RULES => {
            if let Some(add) = &config.value.add_principals {
                errors.push(add.key, format!("`{SSL_RULES}` has `rules`, not `addPrincipals`"));
            }
            let Some(rules) = &config.value.rules else {
                errors.push(config.at, "missing key `rules`");
                return None;
            };
            match principal_mapping_rules(&rules.value) {
                Ok(mapping) => Some(TransportSubjectBuilder::of_rules(mapping)),
                Err(why) => {
                    errors.push(rules.at, why);
                    None
                }
            }
        }
        _ => {
            let near = suggestion(kind, [TRANSPORT, SSL_RULES]);
            errors.push(
                builder.kind.at,
                format!("unknown builder of subjects {}{near}", quoted(kind)),
            );
            None
        }
    }
}

/// Returns the builder for names that SASL has authorized, by the keys `subjectBuilder` and `subjectBuilderConfig`; `None`
/// where something was wrong and has been reported.
pub(in crate::model) fn sasl(
    kind: Option<&Spanned<String>>,
    config: Option<&Spanned<SubjectBuilderConfig>>,
    errors: &mut Errors,
) -> Option<SaslSubjectBuilder> {
    let (kind, config) = match (kind, config) {
        (None, None) => return Some(SaslSubjectBuilder::default()),
        (Some(kind), Some(config)) => (kind, config),
        (Some(kind), None) => {
            errors.push(kind.at, "`subjectBuilder` needs `subjectBuilderConfig`");
            return None;
        }
        (None, Some(config)) => {
            errors.push(config.key, "`subjectBuilderConfig` needs `subjectBuilder`");
            return None;
        }
    };
    if kind.value.rsplit('.').next() != Some(SASL) {
        let (found, near) = (quoted(&kind.value), suggestion(&kind.value, [SASL]));
        errors.push(kind.at, format!("unknown builder of subjects {found}{near}"));
        return None;
    }
    let authorized_id = |from: &str| match from {
        "saslAuthorizedId" => Ok(SaslAuthorizedId),
        _ => Err(vec!["saslAuthorizedId"]),
    };
    Some(SaslSubjectBuilder {
        adders: adders(&config.value, config, authorized_id, errors)?,
    })
}

/// Reads `from`; the error is the list of what it may be.
type ReadSource<F> = fn(&str) -> Result<F, Vec<&'static str>>;

fn certificate_field(from: &str) -> Result<CertificateField, Vec<&'static str>> {
    CertificateField::from_name(from).ok_or_else(|| CertificateField::ALL.map(CertificateField::name).into())
}

fn adders<F, T>(
    config: &SubjectBuilderConfig,
    at: &Spanned<T>,
    source: ReadSource<F>,
    errors: &mut Errors,
) -> Option<Vec<PrincipalAdder<F>>> {
    if let Some(rules) = &config.rules {
        errors.push(rules.key, format!("`rules` belongs to `{SSL_RULES}`"));
        return None;
    }
    let Some(list) = &config.add_principals else {
        errors.push(at.at, "missing key `addPrincipals`");
        return None;
    };
    let mut found = Vec::with_capacity(list.value.items.len());
    for item in &list.value.items {
        found.push(adder(&item.value, source, errors));
    }
    found.into_iter().collect()
}

fn adder<F>(
    written: &AddedPrincipal,
    source: ReadSource<F>,
    errors: &mut Errors,
) -> Option<PrincipalAdder<F>> {
    let from = match source(&written.from.value) {
        Ok(from) => Some(from),
        Err(valid) => {
            let near = suggestion(&written.from.value, valid);
            let why = format!("unknown source of names {}{near}", quoted(&written.from.value));
            errors.push(written.from.at, why);
            None
        }
    };
    if let Some(factory) = &written.principal_factory
        && !is_user_factory(&factory.value)
    {
        let near = suggestion(&factory.value, ["UserFactory"]);
        errors.push(
            factory.at,
            format!("unknown factory of principals {}{near}", quoted(&factory.value)),
        );
    }
    let mapping = match &written.map {
        Some(map) => mapping(&map.value, errors)?,
        None => NameMapping::identity(),
    };
    Some(PrincipalAdder { from: from?, mapping })
}

fn mapping(list: &List<NameRule>, errors: &mut Errors) -> Option<NameMapping> {
    let mut rules = Vec::with_capacity(list.items.len());
    let last = list.items.len().saturating_sub(1);
    for (index, item) in list.items.iter().enumerate() {
        let rule = match (&item.value.replace_match, &item.value.otherwise) {
            (Some(written), None) => replace_match(&written.value).map_err(|why| (written.at, why)),
            (None, Some(otherwise)) if index == last => Ok(match otherwise.value {
                ElseRule::Identity => MappingRule::Identity,
                ElseRule::Anonymous => MappingRule::Anonymous,
            }),
            (None, Some(otherwise)) => Err((otherwise.key, "`else` stands in the last rule".to_owned())),
            _ => Err((
                item.at,
                "a rule has exactly one of `replaceMatch` and `else`".to_owned(),
            )),
        };
        rules.push(rule.map_err(|(at, why)| errors.push(at, why)).ok());
    }
    rules.into_iter().collect::<Option<_>>().map(NameMapping::new)
}
