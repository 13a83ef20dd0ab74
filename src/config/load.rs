//! Reads the configuration from disk: the only place that does.

use std::fmt;
use std::fs::{self, File, FileType};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use glob::MatchOptions;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::diagnostic::{Diagnostic, Errors, FileId};
use super::environment::Environment;
use super::references::References;
use super::schema::{Control, Root};
use super::sources::Sources;
use super::{Config, ConfigFile, Included, ParsedConfig, Spanned, decode_main, include};

/// Maximum size of a file of a configuration, in bytes: the main one, an included one, or one that is referenced.
pub const MAX_FILE_SIZE: u64 = 32 * 1024 * 1024;

/// Reads and parses the file at `path` and everything it includes and references. Never blocks on what is not a
/// regular file, and never reads more than [`MAX_FILE_SIZE`] of any, whatever the file system says of its size.
pub fn load(path: &Path) -> (ParsedConfig, Sources) {
    understand(ConfigFile::at(path), path, &read(path))
}

/// Loads like [`load`], and takes what can be read only once as well: standard input where `path` is `-`, a pipe, a device. Relative paths
/// in it are relative to the current directory. Waits for the end of what it reads.
pub fn load_once(path: &Path) -> (ParsedConfig, Sources) {
    let content = match is_stream(path) {
        true => read_stream(path),
        false => return load(path),
    };
    let main = ConfigFile {
        directory: PathBuf::new(),
        ..ConfigFile::at(path)
    };
    understand(main, path, &content)
}

/// Returns the path of the control socket that the file at `path` names, if it does. The rest of the file may be wrong, as
/// long as it is YAML.
///
/// # Errors
/// Violations that hide the path.
pub fn control_socket(path: &Path) -> Result<Option<PathBuf>, Vec<Diagnostic>> {
    let main = ConfigFile::at(path);
    let mut errors = Errors::new();
    let file = errors.add_file(Arc::clone(&main.name));
    let root = match read(path) {
        Ok(content) => decode_main(&content.bytes, file, Environment::PROCESS, &mut errors),
        Err(why) => {
            errors.push(file.start(), why.as_str());
            None
        }
    };
    let Some((root, _)) = root else {
        return Err(errors.into_diagnostics());
    };
    // A value that names a variable of another environment.
    let unread = |control: &Spanned<Control>| control.value.shape.bad_values;
    if root.control.as_ref().is_some_and(unread) {
        return Err(errors.into_diagnostics());
    }
    let socket = root.control.and_then(|control| control.value.socket);
    Ok(socket.map(|socket| main.directory.join(socket.value)))
}

/// Returns the state directory that the file at `path` names, as far as the file can be understood.
pub fn state_directory(path: &Path) -> Option<PathBuf> {
    let main = ConfigFile::at(path);
    let mut errors = Errors::new();
    let file = errors.add_file(Arc::clone(&main.name));
    let content = read(path).ok()?;
    let (root, _) = decode_main(&content.bytes, file, Environment::PROCESS, &mut errors)?;
    let directory = root.state_directory?;
    Some(main.directory.join(directory.value))
}

/// Decodes the text that `kept` holds together with the current content of the files that it references, whatever the
/// files of the text hold now.
pub fn load_again(kept: &Sources) -> (ParsedConfig, Sources) {
    let mut errors = Errors::new();
    let (path, text) = kept.main_text();
    let main = ConfigFile::at(path);
    let file = errors.add_file(Arc::clone(&main.name));
    let mut sources = kept.without_references();
    let root = decode_main(text, file, Environment::PROCESS, &mut errors);
    let config = root.map(|root| {
        let mut files = vec![main];
        let included = include::read_again(kept, &mut files, &mut errors);
        complete(root, files, (included, true), &mut sources)
    });
    let parsed = ParsedConfig {
        config,
        notes: errors.take_notes(),
        diagnostics: errors.into_diagnostics(),
    };
    (parsed, sources)
}

/// Decodes the content of the main file, with all files that it names.
pub(super) fn understand(
    main: ConfigFile,
    path: &Path,
    content: &Result<Content, Unreadable>,
) -> (ParsedConfig, Sources) {
    let mut errors = Errors::new();
    let file = errors.add_file(Arc::clone(&main.name));
    let mut sources = Sources::of(path, content);
    let config = match content {
        Ok(content) => decode(main, file, content, &mut sources, &mut errors),
        Err(why) => {
            errors.push(file.start(), why.as_str());
            None
        }
    };
    let parsed = ParsedConfig {
        config,
        notes: errors.take_notes(),
        diagnostics: errors.into_diagnostics(),
    };
    (parsed, sources)
}

/// Decodes the main file and all files that it names.
fn decode(
    main: ConfigFile,
    file: FileId,
    content: &Content,
    sources: &mut Sources,
    errors: &mut Errors,
) -> Option<Config> {
    let (root, emptied) = decode_main(&content.bytes, file, Environment::PROCESS, errors)?;
    let mut files = vec![main];
    let included = include::read(&root, content, &mut files, sources, errors);
    Some(complete((root, emptied), files, included, sources))
}

/// Reads the files that are referenced. `emptied`: the main file is empty; `included`: the included files, and whether
/// none was left out.
fn complete(
    (root, emptied): (Root, bool),
    files: Vec<ConfigFile>,
    (included, included_complete): (Vec<Included>, bool),
    sources: &mut Sources,
) -> Config {
    let mut config = Config {
        files,
        root,
        emptied,
        included,
        included_complete,
        references: References::default(),
    };
    config.references = References::read(&config, sources);
    config
}

/// Why a file could not be read.
#[derive(Debug, Clone)]
pub(super) struct Unreadable {
    why: String,
    /// Whether it may pass without a change of the content: descriptors are short, the server of a network file system is
    /// away, permissions are missing.
    pub(super) may_pass: bool,
}

impl Unreadable {
    fn because(error: &io::Error) -> Self {
        const PASSING: [Errno; 11] = [
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOMEM,
            Errno::NOBUFS,
            Errno::AGAIN,
            Errno::IO,
            Errno::STALE,
            Errno::TIMEDOUT,
            Errno::HOSTDOWN,
            Errno::ACCESS,
            Errno::PERM,
        ];
        let code = error.raw_os_error();
        Self {
            why: format!("cannot read the file: {}", reason(error)),
            may_pass: PASSING.iter().any(|errno| code == Some(errno.raw_os_error())),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.why
    }
}

/// An error in the file itself.
impl From<String> for Unreadable {
    fn from(why: String) -> Self {
        Self { why, may_pass: false }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// Content of a file.
#[derive(Clone)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    /// Device and inode: the same under every name of a file.
    pub(super) identity: (u64, u64),
    /// Permission bits.
    pub(super) mode: u32,
}

/// Reads the file at `path`. A file that is being written may be read in part: a reload reads twice, and compares digests.
pub(super) fn read(path: &Path) -> Result<Content, Unreadable> {
    let cannot = |error| Unreadable::because(&error);
    // Opening a named pipe for reading would otherwise wait for a writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| cannot(error.into()))?;
    let file = File::from(file);
    let metadata = file.metadata().map_err(cannot)?;
    if let Some(kind) = not_a_file(metadata.file_type()) {
        return Err(format!("{kind}, not a file").into());
    }
    if metadata.len() > MAX_FILE_SIZE {
        return Err(too_large().into());
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or_default() + 1);
    file.take(MAX_FILE_SIZE + 1)
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    if bytes.len() as u64 > MAX_FILE_SIZE {
        return Err(too_large().into());
    }
    Ok(Content {
        bytes,
        identity: (metadata.dev(), metadata.ino()),
        mode: metadata.mode() & 0o7777,
    })
}

/// Path that names standard input.
const STANDARD_INPUT: &str = "-";

fn is_stream(path: &Path) -> bool {
    let kind = || fs::metadata(path).map(|metadata| metadata.file_type());
    path == Path::new(STANDARD_INPUT) || kind().is_ok_and(|kind| kind.is_fifo() || kind.is_char_device())
}

fn read_stream(path: &Path) -> Result<Content, Unreadable> {
    let mut bytes = Vec::new();
    let mut read = |stream: &mut dyn Read| stream.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes);
    let read = match path == Path::new(STANDARD_INPUT) {
        true => read(&mut io::stdin().lock()),
        false => File::open(path).and_then(|mut file| read(&mut file)),
    };
    read.map_err(|error| Unreadable::because(&error))?;
    if bytes.len() as u64 > MAX_FILE_SIZE {
        return Err(too_large().into());
    }
    Ok(Content {
        bytes,
        // No file that is included has it.
        identity: (u64::MAX, u64::MAX),
        mode: 0,
    })
}

fn too_large() -> String {
    format!("the file is larger than {} MiB", MAX_FILE_SIZE / (1024 * 1024))
}

/// Describes what is not a regular file.
fn not_a_file(kind: FileType) -> Option<&'static str> {
    if kind.is_dir() {
        Some("this is a directory")
    } else if kind.is_fifo() {
        Some("this is a named pipe")
    } else if kind.is_socket() {
        Some("this is a socket")
    } else if kind.is_char_device() || kind.is_block_device() {
        Some("this is a device")
    } else {
        None
    }
}

/// Returns the message of an error without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// Returns the paths that match, ascending, at most `limit` and one more. As in a shell, names that begin with a dot only
/// match a dot: editors and Kubernetes keep their own files beside ours.
pub(super) fn expand(pattern: &str, limit: usize) -> Result<Vec<PathBuf>, String> {
    let options = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let matches =
        glob::glob_with(pattern, options).map_err(|error| format!("not a pattern: {}", error.msg))?;
    let cannot = |error: glob::GlobError| {
        let why = reason(error.error());
        format!("cannot look into `{}`: {why}", error.path().display())
    };
    let found: Result<Vec<PathBuf>, String> =
        matches.take(limit + 1).map(|path| path.map_err(cannot)).collect();
    let mut found = found?;
    found.sort();
    Ok(found)
}

pub(super) fn is_directory(path: &Path) -> bool {
    path.is_dir()
}
