//! Entries of the journal, as data: what `/history` answers, and what is written.

use std::path::PathBuf;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::config::{KnownSecrets, Sources, mask, unmask};
use crate::control::reload::report::ReloadReport;
use crate::reload::Outcome;
use crate::time::as_rfc3339;

/// Most names of virtual clusters of each kind that an entry lists.
const MAX_NAMES: usize = 1000;

/// Most reasons that an entry lists.
const MAX_ERRORS: usize = 100;

/// One start or reload: what asked for it, what came of it, and whether its configuration is kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct HistoryEntry {
    /// Number of the entry. Ascending; never used twice in a state directory.
    pub id: u64,
    /// The reload. Lists of names and reasons are cut off after the first hundreds.
    #[serde(flatten)]
    pub report: ReloadReport,
    /// Numbers of virtual clusters that it added, modified and removed.
    pub counts: ChangeCounts,
    /// Hash of all files that the configuration that ran after it was read from, as in the status; empty for other ones.
    pub hash: String,
    /// Hash of the text alone: the main file and those that it includes.
    pub text_hash: String,
    /// Whether the text is kept, and can be shown and brought back.
    pub kept: bool,
    /// The process.
    pub process: ProcessRun,
}

/// Numbers of virtual clusters that a reload changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChangeCounts {
    /// Virtual clusters that are new.
    pub added: usize,
    /// Virtual clusters that changed.
    pub modified: usize,
    /// Virtual clusters that are gone.
    pub removed: usize,
}

/// A run of the process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessRun {
    /// Process id.
    pub pid: u32,
    /// Version of kproxy.
    pub version: String,
    /// When it started.
    #[serde(with = "as_rfc3339")]
    pub started: SystemTime,
}

impl Default for ProcessRun {
    fn default() -> Self {
        Self {
            pid: 0,
            version: String::new(),
            started: SystemTime::UNIX_EPOCH,
        }
    }
}

impl HistoryEntry {
    /// The entry of a reload.
    pub(in crate::control) fn of(id: u64, mut report: ReloadReport, process: &ProcessRun) -> Self {
        let counts = ChangeCounts {
            added: report.added.len(),
            modified: report.modified.len(),
            removed: report.removed.len(),
        };
        for names in [&mut report.added, &mut report.modified, &mut report.removed] {
            names.truncate(MAX_NAMES);
        }
        report.errors.truncate(MAX_ERRORS);
        Self {
            id,
            report,
            counts,
            process: process.clone(),
            ..Self::default()
        }
    }

    /// Whether its configuration came to run, as the generation of the report.
    pub fn has_run(&self) -> bool {
        self.report.outcome == Outcome::Applied
    }
}

/// The configuration of an entry. Passwords in the text are masked; of files that it references the names are kept, and
/// digests of those that are too long to be a password.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptConfiguration {
    /// The main file, and behind it those that it includes.
    pub files: Vec<KeptFile>,
    /// Files that it references: certificates, keys, tokens.
    pub references: Vec<KeptReference>,
}

/// A file of a configuration, with its text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptFile {
    /// Path of the file.
    pub path: String,
    /// The text, with `"***"` in place of each password.
    pub text: String,
}

/// A file that a configuration references.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeptReference {
    /// Path of the file.
    pub path: String,
    /// Digest of its content; absent for short ones, from which a password could be guessed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

impl KeptConfiguration {
    /// What is kept of `sources`; `None` where it cannot be told which parts are passwords.
    pub(in crate::control) fn of(sources: &Sources) -> Option<Self> {
        let (main, text) = sources.main_text();
        let included = sources.included_texts().map(|(path, text)| (path, text, false));
        let files = std::iter::once((main, text, true)).chain(included);
        let files: Option<Vec<KeptFile>> = files
            .map(|(path, text, is_main)| {
                Some(KeptFile {
                    path: path.to_string_lossy().into_owned(),
                    text: String::from_utf8(mask(text, is_main)?).ok()?,
                })
            })
            .collect();
        let references = sources.reference_digests().map(|(path, digest)| KeptReference {
            path: path.to_string_lossy().into_owned(),
            digest: digest.map(|digest| digest.to_string()),
        });
        Some(Self {
            files: files?,
            references: references.collect(),
        })
    }

    /// The text with the `known` passwords in their places, to be loaded.
    ///
    /// # Errors
    /// The reason, if a password is not known any more.
    pub(in crate::control) fn restore(&self, known: &KnownSecrets) -> Result<Sources, String> {
        let restored = |(index, file): (usize, &KeptFile)| {
            unmask(file.text.as_bytes(), index == 0, known).map(|text| (PathBuf::from(&file.path), text))
        };
        let files: Result<Vec<_>, Vec<String>> = self.files.iter().enumerate().map(restored).collect();
        let files = files.map_err(|missing| {
            format!(
                "passwords are not kept in the history, and the one at `{}` is not in the running configuration or the \
                 file either; write `passwordFile` or `${{env:NAME}}` to make it independent of the history",
                missing.join("`, `")
            )
        })?;
        let mut files = files.into_iter();
        let main = files.next().ok_or("the entry of the history has no text")?;
        Ok(Sources::restored(main, files))
    }
}
