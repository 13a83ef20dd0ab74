//! Configurations of topics and groups. Those of brokers and of the cluster pass to the broker.

use super::access::Access;
use super::verdict::{AskedRequest, Verdict};
use crate::model::acl::AclOperation::{self, AlterConfigs, DescribeConfigs};
use crate::wire::error_code::ErrorCode;

/// Numbers of kinds of configurations (`ConfigResource.Type`).
const TOPIC: i64 = 2;
const GROUP: i64 = 32;

pub(super) fn describe(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    decide(access, asked, DescribeConfigs, "results")
}

pub(super) fn alter(access: &mut Access<'_>, asked: &mut AskedRequest<'_, '_>) -> Verdict {
    decide(access, asked, AlterConfigs, "responses")
}

/// The error for a configuration that the client may not use so; `None` if it may.
fn refuses(access: &mut Access<'_>, kind: i64, name: &str, operation: AclOperation) -> Option<i16> {
    match kind {
        TOPIC if !access.topic(operation, name) => Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED),
        GROUP if !access.group(operation, name) => Some(ErrorCode::GROUP_AUTHORIZATION_FAILED),
        _ => None,
    }
}

fn decide(
    access: &mut Access<'_>,
    asked: &mut AskedRequest<'_, '_>,
    operation: AclOperation,
    answers: &'static str,
) -> Verdict {
    let answer = asked.answer();
    let taken = asked.take_out("resources", |resource| {
        let kind = resource.int("resource_type");
        let name = resource.text("resource_name").unwrap_or_default();
        let error = refuses(access, kind, name, operation)?;
        let mut result = answer.element(answers);
        result.set_int("error_code", error.into());
        result.set_text("error_message", ErrorCode::text_of(error));
        result.set_int("resource_type", kind);
        result.set_text("resource_name", Some(name));
        Some(result)
    });
    taken.verdict(answer, answers)
}

/// ListConfigResources: topics and groups whose configuration the client may not see are left out.
pub(super) fn list(_: &mut Access<'_>, _: &mut AskedRequest<'_, '_>) -> Verdict {
    Verdict::Look(Box::new(|access, answer| {
        if let Some(resources) = answer.list("config_resources") {
            resources.retain(|resource| {
                let name = resource.text("resource_name").unwrap_or_default();
                match if resource.has("resource_type") {
                    resource.int("resource_type")
                } else {
                    0
                } {
                    TOPIC => access.sees(DescribeConfigs, name),
                    GROUP => access.sees_group(DescribeConfigs, name),
                    _ => true,
                }
            });
        }
    }))
}
