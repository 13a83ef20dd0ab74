//! Files that the configuration refers to, such as certificates, which are read with it.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;

use super::schema::{DownstreamTls, NamedFiles, TlsKey, UpstreamSasl, UpstreamTls};
use super::{Config, Diagnostic, Sources, Spanned, load, text};

/// Content of the referenced files. `Debug` shows their names only, because most hold secrets.
#[derive(Clone, Default)]
pub(crate) struct References {
    files: HashMap<PathBuf, Result<load::Content, load::Unreadable>>,
}

impl References {
    /// Reads every file that `config` refers to.
    pub(super) fn read(config: &Config, sources: &mut Sources) -> Self {
        let mut files = HashMap::new();
        for written in named(config) {
            let path = config.path(written);
            if files.contains_key(&path) {
                continue;
            }
            let content = load::read(&path);
            sources.add_referenced(&path, &content);
            files.insert(path, content);
        }
        Self { files }
    }

    /// Returns the content of a file without its byte-order mark, or the reason why it could not be read.
    pub(crate) fn get(&self, path: &PathBuf) -> Result<&[u8], &str> {
        match self.files.get(path) {
            Some(Ok(content)) => text::without_mark(&content.bytes),
            Some(Err(why)) => Err(why.as_str()),
            None => Err("cannot read the file: only the text of the configuration is known"),
        }
    }

    /// Returns the permission bits of a file, if it could be read.
    pub(crate) fn mode(&self, path: &PathBuf) -> Option<u32> {
        self.files.get(path)?.as_ref().ok().map(|content| content.mode)
    }
}

/// Keys that refer to files which can only be used together, such as certificate, key and password.
type Group<'c> = Vec<&'c Spanned<PathBuf>>;

/// Returns every key that refers to a file.
fn named(config: &Config) -> impl Iterator<Item = &Spanned<PathBuf>> {
    groups(config).into_iter().flatten()
}

fn groups(config: &Config) -> Vec<Group<'_>> {
    let management = config.root.management.as_ref();
    let token = management.and_then(|management| management.value.token_file.as_ref());
    let mut found = vec![Vec::from_iter(token)];
    let webhooks = config.root.notify.iter().flat_map(|list| &list.value.items);
    found.extend(webhooks.map(|webhook| Vec::from_iter(webhook.value.token_file.as_ref())));
    let filters = config
        .root
        .filter_definitions
        .iter()
        .flat_map(|list| &list.value.items);
    found.extend(filters.filter_map(|filter| Some(filter.value.config.value.as_ref()?.files())));
    for definition in config.cluster_definitions().flat_map(|list| &list.value.items) {
        found.extend(definition.value.tls.iter().flat_map(of_upstream));
        found.extend(definition.value.sasl.iter().map(of_login));
        found.push(Vec::from_iter(&definition.value.via_credentials_file));
    }
    for cluster in config.virtual_clusters().flat_map(|list| &list.value.items) {
        if let Some(target) = &cluster.value.target_cluster {
            found.extend(target.value.tls.iter().flat_map(of_upstream));
            found.extend(target.value.sasl.iter().map(of_login));
            found.push(Vec::from_iter(&target.value.via_credentials_file));
        }
        let gateways = cluster.value.gateways.iter().flat_map(|list| &list.value.items);
        found.extend(
            gateways
                .filter_map(|gateway| gateway.value.tls.as_ref())
                .flat_map(of_downstream),
        );
    }
    found
}

pub(super) fn of_upstream(tls: &Spanned<UpstreamTls>) -> [Group<'_>; 2] {
    let tls = &tls.value;
    let trust = tls.trust.as_ref().map(|trust| &trust.value);
    let store = trust.and_then(|trust| trust.store_file.as_ref());
    let rules = store.into_iter().chain(&tls.crl_file).collect();
    [rules, tls.key.iter().flat_map(of_key).collect()]
}

fn of_login(sasl: &Spanned<UpstreamSasl>) -> Group<'_> {
    let sasl = &sasl.value;
    let files = [
        &sasl.password_file,
        &sasl.clients_file,
        &sasl.token_file,
        &sasl.client_secret_file,
        &sasl.token_endpoint_ca_file,
        &sasl.secret_access_key_file,
        &sasl.credentials_file,
    ];
    files.into_iter().flatten().collect()
}

fn of_downstream(tls: &Spanned<DownstreamTls>) -> [Group<'_>; 2] {
    let tls = &tls.value;
    let trust = tls.trust.as_ref().map(|trust| &trust.value);
    let store = trust.and_then(|trust| trust.store_file.as_ref());
    let rules = store.into_iter().chain(&tls.crl_file).collect();
    [rules, tls.key.iter().flat_map(of_key).collect()]
}

fn of_key(key: &Spanned<TlsKey>) -> impl Iterator<Item = &Spanned<PathBuf>> {
    let key = &key.value;
    let passwords = key.key_password.iter().chain(&key.store_password);
    let passwords = passwords.filter_map(|password| password.value.password_file.as_ref());
    let files = key.certificate_file.iter().chain(&key.private_key_file);
    files.chain(&key.store_file).chain(passwords)
}

/// Restores the `kept` content of the files that `broken` blames, and of the files that can only be used with them. Returns
/// whether the content of any file changed.
pub(super) fn hold_back(
    config: &mut Config,
    broken: &[Diagnostic],
    kept: &Sources,
    sources: &mut Sources,
) -> bool {
    let blamed: HashSet<(&str, u32, u32)> = broken.iter().map(|it| (&*it.file, it.line, it.col)).collect();
    // Faults at places in the referenced file itself carry its name.
    let named: HashSet<&str> = broken.iter().map(|it| &*it.file).collect();
    let is_blamed = |written: &Spanned<PathBuf>| {
        if named.contains(&*config.path(written).to_string_lossy()) {
            return true;
        }
        let file = config.files.get(written.at.file.index());
        file.is_some_and(|file| blamed.contains(&(&*file.name, written.at.line, written.at.col)))
    };
    let groups = groups(config);
    // A file is blamed at the first key that refers to it.
    let at_fault: HashSet<PathBuf> = groups
        .iter()
        .flatten()
        .filter(|written| is_blamed(written))
        .map(|written| config.path(written))
        .collect();
    let with_them: HashSet<PathBuf> = groups
        .iter()
        .map(|group| {
            group
                .iter()
                .map(|written| config.path(written))
                .collect::<Vec<_>>()
        })
        .filter(|group| group.iter().any(|path| at_fault.contains(path)))
        .flatten()
        .collect();
    let mut held = false;
    for path in with_them {
        if let Some(content) = kept.content_of(&path)
            && sources.hold_back(&path, &content.bytes)
        {
            held = true;
            config.references.files.insert(path, Ok(content));
        }
    }
    held
}

impl fmt::Debug for References {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.files.keys()).finish()
    }
}
