//! Filters of types that a program made on the library adds.

use std::collections::BTreeMap;

use super::super::scope::Scope;
use super::named_file::{self, FileFaults};
use crate::config::{CustomConfig, CustomFault, CustomSettings, custom_filter_type};

/// Whether filters of the type decide what clients may do.
pub(super) fn decides(filter_type: &str) -> bool {
    custom_filter_type(filter_type).is_some_and(|known| known.decides())
}

pub(super) fn resolve(config: &CustomConfig, scope: &mut Scope<'_>) -> Option<CustomSettings> {
    let known = custom_filter_type(&config.filter_type)?;
    let mut files = BTreeMap::new();
    for (pointer, file) in &config.named_files {
        let content = named_file::parse(file, scope, |content, _| Some(content.to_owned()));
        files.extend(content.map(|content| (pointer.clone(), content)));
    }
    if files.len() < config.named_files.len() {
        return None;
    }
    let settings = CustomSettings {
        filter_type: config.filter_type.clone(),
        config: config.value.clone(),
        files,
    };
    match known.check(&settings) {
        Ok(()) => Some(settings),
        Err(faults) => {
            faults.into_iter().for_each(|fault| report(fault, config, scope));
            None
        }
    }
}

fn report(fault: CustomFault, config: &CustomConfig, scope: &mut Scope<'_>) {
    let mut named = config.named_files.iter();
    let file = named.find(|(pointer, _)| *pointer == fault.pointer);
    match (fault.in_file, file) {
        (Some((line, col)), Some((_, file))) => {
            let mut faults = FileFaults::default();
            faults.push(line, col, fault.message);
            named_file::report(file, faults, scope);
        }
        _ => scope.errors.push(config.place(&fault.pointer), fault.message),
    }
}
