//! Reads the configuration from disk: the only place that does.

use std::fs::{File, FileType};
use std::io::{self, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};

use super::diagnostic::{Errors, Pos};
use super::{Parsed, parse_in};

/// Largest configuration file, in bytes.
pub const MAX_FILE_SIZE: u64 = 32 * 1024 * 1024;

/// Reads and parses the file at `path`. Never blocks on what is not a regular file, and never reads more than
/// [`MAX_FILE_SIZE`], whatever the file system says of its size.
pub fn load(path: &Path) -> Parsed {
    let name: Arc<str> = Arc::from(path.to_string_lossy());
    match read(path) {
        Ok(bytes) => parse_in(&bytes, name, path.parent().unwrap_or_else(|| Path::new(""))),
        Err(why) => {
            let mut errors = Errors::new();
            errors.push(Pos::START, why);
            Parsed {
                config: None,
                diagnostics: errors.into_diagnostics(&name),
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: io::Error| format!("cannot read the file: {}", reason(&error));
    // Opening a named pipe for reading would otherwise wait for a writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file =
        File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|error| cannot(error.into()))?);
    let metadata = file.metadata().map_err(cannot)?;
    if let Some(kind) = not_a_file(metadata.file_type()) {
        return Err(format!("{kind}, not a file"));
    }
    let too_large = || format!("the file is larger than {} MiB", MAX_FILE_SIZE / (1024 * 1024));
    if metadata.len() > MAX_FILE_SIZE {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_SIZE + 1)
        .read_to_end(&mut bytes)
        .map_err(cannot)?;
    if bytes.len() as u64 > MAX_FILE_SIZE {
        return Err(too_large());
    }
    Ok(bytes)
}

/// What stands where a file was expected.
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

/// The system's words without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
