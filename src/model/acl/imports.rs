//! Names that a text of rules gives to classes of Kroxylicious.

use std::collections::BTreeMap;

use super::lexer::Lexeme;
use super::{AclFault, AclResource};
use crate::config::{quoted, suggestion};

/// Package of the types of resources.
const RESOURCES: &str = "io.kroxylicious.filter.authorization";

/// Package of the types of principals.
const PRINCIPALS: &str = "io.kroxylicious.proxy.authentication";

/// The type of principal, which need not be imported.
const USER: &str = "User";

/// A class that a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Imported {
    User,
    Resource(AclResource),
}

/// The classes that were imported, by their local names.
#[derive(Debug, Default)]
pub(super) struct Imports {
    known: BTreeMap<String, Imported>,
    /// Position of the first import of each type of resource.
    places: BTreeMap<AclResource, (u32, u32)>,
}

impl Imports {
    /// Adds a class of `package` under a local name.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub(super) fn add<'t>(
        &mut self,
        package: &str,
        (class_at, class): (Lexeme<'t>, &str),
        (local_at, local): (Lexeme<'t>, &str),
    ) -> Result<(), (Lexeme<'t>, String)> {
        let imported = find(package, class).map_err(|message| (class_at, message))?;
        if let Imported::Resource(resource) = imported {
            let place = (class_at.line, class_at.col);
            self.places.entry(resource).or_insert(place);
        }
        if self.known.insert(local.to_owned(), imported).is_some() {
            return Err((
                local_at,
                format!("the name {} is already used by another import", quoted(local)),
            ));
        }
        Ok(())
    }

    /// Checks that a name stands for the type of users.
    pub(super) fn principal(&self, local: &str) -> Result<(), String> {
        match self.known.get(local) {
            Some(Imported::User) => Ok(()),
            None if local == USER => Ok(()),
            Some(Imported::Resource(_)) => Err(format!(
                "{} is a type of resource, not of principals",
                quoted(local)
            )),
            None => Err(format!(
                "unknown type of principal {}{}",
                quoted(local),
                suggestion(local, [USER])
            )),
        }
    }

    /// Returns the type of resource that a name stands for.
    pub(super) fn resource(&self, local: &str) -> Result<AclResource, String> {
        match self.known.get(local) {
            Some(Imported::Resource(resource)) => Ok(*resource),
            Some(Imported::User) => Err(format!(
                "{} is a type of principal, not of resources",
                quoted(local)
            )),
            None => Err(self.not_imported(local)),
        }
    }

    fn not_imported(&self, local: &str) -> String {
        let mut here = AclResource::ALL.into_iter();
        if let Some(resource) = here.find(|resource| [resource.name(), resource.class()].contains(&local)) {
            let (class, name) = (resource.class(), resource.name());
            return format!(
                "{} is not imported: add `from {RESOURCES} import {class} as {name};`",
                quoted(local)
            );
        }
        let names = self.known.iter().filter(|(_, class)| **class != Imported::User);
        let near = suggestion(local, names.map(|(name, _)| name.as_str()));
        format!("the type of resource {} is not imported{near}", quoted(local))
    }

    /// The types of resources that the rules govern.
    pub(super) fn governed(&self) -> Vec<AclResource> {
        self.places.keys().copied().collect()
    }

    /// Warnings about types of resources for which everything is allowed or denied.
    pub(super) fn warnings(&self, used: impl Fn(AclResource) -> bool) -> Vec<AclFault> {
        let fault = |(line, col), message| AclFault { line, col, message };
        let mut found = Vec::new();
        let free: Vec<_> = AclResource::ALL
            .into_iter()
            .filter(|resource| !self.places.contains_key(resource))
            .map(|resource| format!("`{}`", resource.class()))
            .collect();
        if !free.is_empty() {
            let free = free.join(" and ");
            let message = format!("{free} not imported: every client may do everything with such resources");
            found.push(fault((1, 1), message));
        }
        for (resource, place) in self.places.iter().filter(|(resource, _)| !used(**resource)) {
            let class = resource.class();
            let message = format!("no rule is about `{class}`: everything with such resources is denied");
            found.push(fault(*place, message));
        }
        found
    }
}

fn find(package: &str, class: &str) -> Result<Imported, String> {
    let resource = AclResource::ALL
        .into_iter()
        .find(|resource| resource.class() == class);
    match (package, class, resource) {
        (RESOURCES, _, Some(resource)) => Ok(Imported::Resource(resource)),
        (PRINCIPALS, USER, _) => Ok(Imported::User),
        (RESOURCES, ..) => {
            let near = suggestion(class, AclResource::ALL.map(AclResource::class));
            Err(format!("unknown type of resource {}{near}", quoted(class)))
        }
        (PRINCIPALS, ..) => Err(format!(
            "unknown type of principal {}{}",
            quoted(class),
            suggestion(class, [USER])
        )),
        _ => {
            let near = suggestion(package, [RESOURCES, PRINCIPALS]);
            Err(format!("unknown package {}{near}", quoted(package)))
        }
    }
}
