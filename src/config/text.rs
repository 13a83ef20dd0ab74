//! Decoding of bytes as UTF-8. Files of Windows may begin with a byte-order mark, or be UTF-16.

use super::diagnostic::{Errors, FileId, Pos};

const MARK: &[u8] = b"\xef\xbb\xbf";

/// Returns the bytes without the byte-order mark (RFC 3629 §6).
///
/// # Errors
/// The reason, if the bytes begin with a mark of UTF-16.
pub(super) fn without_mark(bytes: &[u8]) -> Result<&[u8], &'static str> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("the file is UTF-16; save it as UTF-8");
    }
    Ok(bytes.strip_prefix(MARK).unwrap_or(bytes))
}

/// Returns the bytes as text without the byte-order mark, or reports why they are not UTF-8.
pub(super) fn read<'b>(bytes: &'b [u8], file: FileId, errors: &mut Errors) -> Option<&'b str> {
    let bytes = without_mark(bytes)
        .map_err(|why| errors.push(file.start(), why))
        .ok()?;
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
            errors.push(end_of(&valid, file), "invalid UTF-8");
            None
        }
    }
}

/// Returns the position after the end of `text`.
fn end_of(text: &str, file: FileId) -> Pos {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
    let last_line = text.rsplit_once('\n').map_or(text, |(_, last)| last);
    Pos {
        file,
        line: count(text.matches('\n').count()),
        col: count(last_line.chars().count()),
    }
}
