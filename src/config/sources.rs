//! What a configuration was read from.

use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};

use super::include::Expansion;
use super::load::{self, Content, Unreadable};

/// SHA-256. Displays as lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    fn of(hash: Context) -> Self {
        let mut digest = [0; 32];
        digest.copy_from_slice(hash.finish().as_ref());
        Self(digest)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Files that a configuration was read from, whether they exist or not: the main one, those that it includes, in the
/// order of their names, and those that any of these reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    main: Source,
    expansions: Vec<Expansion>,
    included: Vec<Source>,
    referenced: Vec<Source>,
}

/// A file, and the content that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    path: PathBuf,
    content: Digest,
    /// Whether it could not be read, for a reason that may pass.
    may_pass: bool,
    /// Content in use; `None` where the file could not be read, or was read under another name.
    text: Option<SourceText>,
}

/// The bytes of a file, which may hold secrets.
#[derive(Clone, PartialEq, Eq)]
struct SourceText(Arc<[u8]>);

impl fmt::Debug for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Source {
    fn of(path: &Path, content: &Result<Content, Unreadable>) -> Self {
        Self {
            path: path.to_owned(),
            content: digest(content),
            may_pass: content.as_ref().is_err_and(|why| why.may_pass),
            text: None,
        }
    }

    fn with_text(path: &Path, content: &Result<Content, Unreadable>) -> Self {
        let text = content
            .as_ref()
            .ok()
            .map(|content| SourceText(Arc::from(&*content.bytes)));
        Self {
            text,
            ..Self::of(path, content)
        }
    }

    fn text(&self) -> Option<&[u8]> {
        self.text.as_ref().map(|text| &*text.0)
    }

    fn is_current(&self) -> bool {
        digest(&load::read(&self.path)) == self.content
    }

    /// Adds name and content to a digest.
    fn enter(&self, hash: &mut Context) {
        let path = self.path.as_os_str().as_bytes();
        hash.update(&(path.len() as u64).to_le_bytes());
        hash.update(path);
        hash.update(&self.content.0);
    }
}

/// Length of a file from which on it holds no password but a certificate or a key, in bytes.
const LONGEST_PASSWORD: usize = 256;

/// Tags that keep the digest of a content apart from that of an error.
const PRESENT: u8 = 1;
const MISSING: u8 = 0;

/// Returns the digest of the content or of the error: a file that can be read again has changed.
fn digest(content: &Result<Content, Unreadable>) -> Digest {
    match content {
        Ok(content) => tagged(PRESENT, &content.bytes),
        Err(why) => tagged(MISSING, why.as_str().as_bytes()),
    }
}

fn tagged(tag: u8, bytes: &[u8]) -> Digest {
    let mut hash = Context::new(&SHA256);
    hash.update(&[tag]);
    hash.update(bytes);
    Digest::of(hash)
}

impl Sources {
    /// Reads what a load of the file at `path` would read now. A file that cannot be read is part of the result.
    pub fn read(path: &Path) -> Self {
        load::load(path).1
    }

    pub(super) fn of(path: &Path, content: &Result<Content, Unreadable>) -> Self {
        Self {
            main: Source::with_text(path, content),
            expansions: Vec::new(),
            included: Vec::new(),
            referenced: Vec::new(),
        }
    }

    /// The sources of a text that is not on the disk any more; what it references is not known.
    pub fn restored(
        (path, text): (PathBuf, Vec<u8>),
        included: impl Iterator<Item = (PathBuf, Vec<u8>)>,
    ) -> Self {
        let source = |path: &Path, bytes: Vec<u8>| {
            let content = Content {
                bytes,
                identity: (0, 0),
                mode: 0,
            };
            Source::with_text(path, &Ok(content))
        };
        Self {
            main: source(&path, text),
            expansions: Vec::new(),
            included: included.map(|(path, text)| source(&path, text)).collect(),
            referenced: Vec::new(),
        }
    }

    pub(super) fn add_expansion(&mut self, expansion: Expansion) {
        self.expansions.push(expansion);
    }

    /// Adds a file that is included. `is_new`: it has not been included under another name.
    pub(super) fn add_included(&mut self, path: &Path, content: &Result<Content, Unreadable>, is_new: bool) {
        self.included.push(match is_new {
            true => Source::with_text(path, content),
            false => Source::of(path, content),
        });
    }

    pub(super) fn add_referenced(&mut self, path: &Path, content: &Result<Content, Unreadable>) {
        self.referenced.push(Source::with_text(path, content));
    }

    /// Returns the content in use of a file that is referenced.
    pub(super) fn content_of(&self, path: &Path) -> Option<Content> {
        let source = self.referenced.iter().find(|source| source.path == path)?;
        Some(Content {
            bytes: source.text()?.to_vec(),
            identity: (0, 0),
            mode: 0,
        })
    }

    /// Sets the content in use of a file that is referenced, whatever the file holds. Returns whether that differs.
    pub(super) fn hold_back(&mut self, path: &Path, in_use: &[u8]) -> bool {
        let mut referenced = self.referenced.iter_mut();
        let Some(source) = referenced.find(|source| source.path == path) else {
            return false;
        };
        if source.text() == Some(in_use) {
            return false;
        }
        source.text = Some(SourceText(Arc::from(in_use)));
        true
    }

    /// Returns the path and the text of the main file; the text is empty where it could not be read.
    pub fn main_text(&self) -> (&Path, &[u8]) {
        (&self.main.path, self.main.text().unwrap_or_default())
    }

    /// Returns path and text of every file that is included, in order, each once.
    pub fn included_texts(&self) -> impl Iterator<Item = (&Path, &[u8])> {
        let included = self.included.iter();
        included.filter_map(|source| Some((source.path.as_path(), source.text()?)))
    }

    /// Whether nothing was included: apart from what it references, everything stands in the main file.
    pub(super) fn is_one_text(&self) -> bool {
        self.expansions.is_empty() && self.included.is_empty()
    }

    /// These sources with another text of the main file.
    pub(super) fn with_main(&self, content: &Result<Content, Unreadable>) -> Self {
        Self {
            main: Source::with_text(&self.main.path, content),
            ..self.clone()
        }
    }

    /// These sources with another path of the main file.
    pub(crate) fn at(mut self, path: &Path) -> Self {
        self.main.path = path.to_owned();
        self
    }

    pub(super) fn without_references(&self) -> Self {
        Self {
            referenced: Vec::new(),
            ..self.clone()
        }
    }

    /// Whether the text is the same: the main file and those that it includes, whatever they reference.
    pub fn has_text_of(&self, other: &Self) -> bool {
        self.main == other.main && self.included == other.included
    }

    /// Returns a digest of the text: names and contents of the main file and of those that it includes.
    pub fn text_digest(&self) -> Digest {
        let mut hash = Context::new(&SHA256);
        for source in std::iter::once(&self.main).chain(&self.included) {
            source.enter(&mut hash);
        }
        Digest::of(hash)
    }

    /// Returns the number of bytes of the text that are held in memory.
    pub fn text_size(&self) -> usize {
        let sources = std::iter::once(&self.main).chain(&self.included);
        sources.filter_map(Source::text).map(<[u8]>::len).sum()
    }

    /// Whether the files that are referenced hold what they held. Reads them, up to the first that differs.
    pub fn is_material_current(&self) -> bool {
        self.referenced.iter().all(Source::is_current)
    }

    /// Returns the files that are referenced, whether they exist or not.
    pub fn references(&self) -> impl Iterator<Item = &Path> {
        self.referenced.iter().map(|source| source.path.as_path())
    }

    /// Returns the files that are referenced, with the digests of those that are longer than any password.
    pub fn reference_digests(&self) -> impl Iterator<Item = (&Path, Option<Digest>)> {
        self.referenced.iter().map(|source| {
            let is_long = source.text().is_some_and(|text| text.len() > LONGEST_PASSWORD);
            (source.path.as_path(), is_long.then_some(source.content))
        })
    }

    /// Whether a file could not be read for a reason that may pass without a change of its content.
    pub fn may_be_readable_later(&self) -> bool {
        self.all().any(|source| source.may_pass)
    }

    fn all(&self) -> impl Iterator<Item = &Source> {
        std::iter::once(&self.main)
            .chain(&self.included)
            .chain(&self.referenced)
    }

    /// Whether a load would read the same now. Reads all files, without parsing any, up to the first that differs.
    pub fn is_current(&self) -> bool {
        self.all().all(Source::is_current) && self.expansions.iter().all(Expansion::is_current)
    }

    /// Returns a digest of the names and contents of all files; equal exactly if those are.
    pub fn digest(&self) -> Digest {
        let mut hash = Context::new(&SHA256);
        for source in self.all() {
            source.enter(&mut hash);
        }
        for fault in self.expansions.iter().filter_map(Expansion::fault) {
            hash.update(fault.as_bytes());
        }
        Digest::of(hash)
    }

    /// Returns the directories to watch, whether they exist or not: those where a file may appear that will be included.
    pub fn directories(&self) -> Vec<PathBuf> {
        let mut directories: Vec<PathBuf> = self.expansions.iter().flat_map(Expansion::directories).collect();
        directories.sort();
        directories.dedup();
        directories
    }

    /// Returns the files to watch, whether they exist or not.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.all().map(|source| source.path.as_path())
    }
}
