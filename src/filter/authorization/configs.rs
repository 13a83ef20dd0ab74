//! Configurations of topics and groups. Those of brokers and of the cluster pass to the broker.

use super::access::Access;
use super::verdict::{AskedRequest, Verdict, append};
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
    let mut answer = asked.answer();
    let mut denied = Vec::new();
    let mut left = 0;
    if let Some(resources) = asked.body.list("resources") {
        resources.retain(|resource| {
            let kind = resource.int("resource_type");
            let name = resource.text("resource_name").unwrap_or_default();
            let Some(error) = refuses(access, kind, name, operation) else {
                return true;
            };
            let mut result = answer.element(answers);
            result.set_int("error_code", error.into());
            result.set_text("error_message", ErrorCode::text_of(error));
            result.set_int("resource_type", kind);
            result.set_text("resource_name", Some(name));
            denied.push(result);
            false
        });
        left = resources.len();
    }
    if denied.is_empty() {
        return Verdict::Allow;
    }
    if left == 0 {
        answer.set_list(answers, denied);
        return Verdict::Answer(answer);
    }
    Verdict::Part(append(answers, denied))
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
