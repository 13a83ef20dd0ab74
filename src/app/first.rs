//! The first configuration of the process: that of the file, or an earlier one in its place.

use std::path::{Path, PathBuf};

use crate::config::{self, Sources};
use crate::control::{EarlierConfiguration, EarlierStart, confirmed_instead_of, last_good};
use crate::model::{self, ProxyModel, Warnings};

/// Most errors of a file that are logged.
const MAX_ERRORS: usize = 20;

/// What the process starts with.
#[derive(Debug)]
pub struct FirstConfiguration {
    /// The meaning of the configuration.
    pub model: ProxyModel,
    /// What it was read from.
    pub sources: Sources,
    /// Warnings about it.
    pub warnings: Warnings,
    /// Whether it is that of the file.
    pub earlier: InPlaceOfFile,
}

/// What is to be told of a start with something else than the file.
#[derive(Debug)]
pub enum InPlaceOfFile {
    /// The file runs.
    Nothing,
    /// An earlier configuration does.
    Earlier(Box<EarlierStart>),
    /// The file was not confirmed and runs nevertheless, for this reason.
    Unusable(String),
}

impl FirstConfiguration {
    /// Loads the file; where it cannot be used, the last configuration that ran, if there is to be a `fallback`: a state
    /// directory, or an empty path.
    ///
    /// # Errors
    /// The violations, one in each line.
    pub fn load(config: &Path, fallback: Option<&Path>) -> Result<Self, String> {
        let loaded = model::load_all(config);
        let (warnings, read) = (loaded.warnings.clone(), loaded.sources.clone());
        let (model, sources) = match (loaded.for_start(), fallback) {
            (Ok(start), _) => start,
            (Err(broken), fallback) => {
                let broken: Vec<String> = broken.iter().map(ToString::to_string).collect();
                let lines = broken.iter().map(|line| format!("{line}\n")).collect::<String>();
                let Some(fallback) = fallback else {
                    return Err(lines);
                };
                let earlier = Self::fall_back(config, fallback, read, broken);
                return earlier.map_err(|why| format!("{lines}kproxy: error: there is no fallback: {why}\n"));
            }
        };
        let confirmed = model
            .state_directory
            .as_deref()
            .and_then(|state| confirmed_instead_of(state, &sources));
        let earlier = match confirmed {
            Some(Ok(earlier)) => return Ok(Self::from(earlier)),
            Some(Err(why)) => InPlaceOfFile::Unusable(why),
            None => InPlaceOfFile::Nothing,
        };
        Ok(Self {
            model,
            sources,
            warnings,
            earlier,
        })
    }

    fn fall_back(config: &Path, fallback: &Path, read: Sources, broken: Vec<String>) -> Result<Self, String> {
        let state = match fallback.as_os_str().is_empty() {
            false => Some(fallback.to_owned()),
            true => config::state_directory(config).or_else(of_systemd),
        };
        let state = state.ok_or(
            "the file names no `stateDirectory` that can be read, and $STATE_DIRECTORY is not set; write \
             `--fallback-to-last-good=DIR`",
        )?;
        last_good(&state, read, broken).map(Self::from)
    }
}

impl From<EarlierConfiguration> for FirstConfiguration {
    fn from(earlier: EarlierConfiguration) -> Self {
        let EarlierConfiguration {
            model,
            sources,
            warnings,
            start,
        } = earlier;
        Self {
            model,
            sources,
            warnings,
            earlier: InPlaceOfFile::Earlier(Box::new(start)),
        }
    }
}

/// The first directory that systemd has made for the state of a service.
fn of_systemd() -> Option<PathBuf> {
    let directories = std::env::var_os("STATE_DIRECTORY")?;
    let first = std::env::split_paths(&directories).next()?;
    first.is_absolute().then_some(first)
}

impl InPlaceOfFile {
    /// Logs it.
    pub fn tell(&self) {
        match self {
            Self::Nothing => {}
            Self::Earlier(earlier) => {
                let generation = earlier.generation;
                for reason in earlier.errors.iter().take(MAX_ERRORS) {
                    tracing::error!(reason, "the configuration file cannot be used");
                }
                if earlier.errors.is_empty() {
                    tracing::error!(
                        generation,
                        "the configuration file was not confirmed: kproxy starts with the confirmed configuration"
                    );
                } else {
                    tracing::error!(
                        generation,
                        "kproxy starts with the last good configuration in place of the configuration file"
                    );
                }
            }
            Self::Unusable(reason) => {
                tracing::error!(
                    reason,
                    "the configuration file was not confirmed, and runs: the confirmed configuration cannot be used"
                );
            }
        }
    }

    /// Returns what the engine is to know of it.
    pub fn into_start(self) -> Option<EarlierStart> {
        match self {
            Self::Earlier(earlier) => Some(*earlier),
            Self::Nothing | Self::Unusable(_) => None,
        }
    }
}
