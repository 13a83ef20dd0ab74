//! What a marked field names, by the type that stands beside it where the schema alone does not say it.

use super::super::cursor::ReadError;
use super::row::NameMark;
use super::view::Structure;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NameKind {
    /// A topic by its name.
    TopicName,
    /// A topic by its id, 16 bytes.
    TopicId,
    /// A group of any type.
    GroupId,
    /// A transactional id.
    TransactionalId,
    /// A regular expression over names of topics.
    TopicRegex,
    /// A regular expression over transactional ids.
    TransactionalIdRegex,
    /// `group:topicId:partition`, by which the coordinator of a share group is asked for (KIP-932).
    ShareKey,
    /// A key in an answer of FindCoordinator. Its kind is that of the request's keys.
    CoordinatorKey,
    /// A resource of another type: a broker, a user, a cluster, a subscription to metrics, or a type that is any.
    OtherResource,
}

/// Kind of a name with this mark in this structure, and the resource type beside it; `None` for what is no name.
///
/// # Errors
/// The type beside it has not arrived.
pub(super) fn kind(
    mark: NameMark,
    owner: &Structure<'_>,
) -> Result<Option<(NameKind, Option<i8>)>, ReadError> {
    let plain = match mark {
        NameMark::None => return Ok(None),
        NameMark::TopicName => NameKind::TopicName,
        NameMark::TopicId => NameKind::TopicId,
        NameMark::GroupId => NameKind::GroupId,
        NameMark::TransactionalId => NameKind::TransactionalId,
        NameMark::TopicRegex => NameKind::TopicRegex,
        NameMark::TransactionalIdRegex => NameKind::TransactionalIdRegex,
        NameMark::CoordinatorKey => coordinator_key(owner)?,
        NameMark::ConfigResource => {
            let kind = beside(owner, &["resource_type"])?;
            return Ok(Some((config_resource(kind), kind)));
        }
        NameMark::AclResource => {
            let kind = beside(owner, &["resource_type", "resource_type_filter"])?;
            return Ok(Some((acl_resource(kind), kind)));
        }
    };
    Ok(Some((plain, None)))
}

/// A coordinator was asked for by a group before there was a type.
fn coordinator_key(owner: &Structure<'_>) -> Result<NameKind, ReadError> {
    if !owner.row.knows("key_type") {
        return Ok(NameKind::CoordinatorKey);
    }
    Ok(match beside(owner, &["key_type"])? {
        None | Some(0) => NameKind::GroupId,
        Some(1) => NameKind::TransactionalId,
        Some(2) => NameKind::ShareKey,
        Some(_) => NameKind::OtherResource,
    })
}

/// The value of the first of these fields that the structure has in some version; `None` if it is not in this one.
fn beside(owner: &Structure<'_>, names: &[&str]) -> Result<Option<i8>, ReadError> {
    let there = names.iter().find(|name| owner.row.knows(name));
    let Some(name) = there.filter(|name| owner.has(name)) else {
        return Ok(None);
    };
    let value = owner.int(name).ok_or(ReadError::End)?;
    Ok(i8::try_from(value).ok())
}

/// Kinds of configuration resources (`ConfigResource.Type`).
const fn config_resource(kind: Option<i8>) -> NameKind {
    match kind {
        Some(2) => NameKind::TopicName,
        Some(32) => NameKind::GroupId,
        _ => NameKind::OtherResource,
    }
}

/// Kinds of ACL resources (`ResourceType`).
const fn acl_resource(kind: Option<i8>) -> NameKind {
    match kind {
        Some(2) => NameKind::TopicName,
        Some(3) => NameKind::GroupId,
        Some(5) => NameKind::TransactionalId,
        _ => NameKind::OtherResource,
    }
}
