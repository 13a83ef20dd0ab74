//! Reading a file of which only some virtual clusters differ from what was read before.

use super::load::{self, Content};
use super::outline::Outline;
use super::{ConfigFile, ParsedConfig, Sources};

/// The virtual clusters that differ, decoded with everything around the list of them.
#[derive(Debug)]
pub(crate) struct Excerpt {
    pub(crate) old: ParsedConfig,
    pub(crate) new: ParsedConfig,
    /// What a load of the whole file would have read.
    pub(crate) sources: Sources,
    /// The outline of the file now.
    pub(crate) outline: Outline,
    /// Whether everything else stands on the same lines as before.
    pub(crate) same_lines: bool,
}

/// Reads the file of `last`, of which `outline` is the outline if that is known already. Returns `None` where more differs
/// than virtual clusters that stand in the file itself, and where the file has to be read as a whole to know.
pub(crate) fn load_excerpt(last: &Sources, outline: Option<&Outline>) -> Option<Excerpt> {
    let (path, text) = last.main_text();
    if !last.is_one_text() || text.is_empty() {
        return None;
    }
    let content = load::read(path);
    let bytes = &content.as_ref().ok()?.bytes;
    let excerpts = match outline {
        Some(outline) => outline.excerpts(text, bytes),
        None => Outline::of(text)?.excerpts(text, bytes),
    }?;
    if !last.is_material_current() {
        return None;
    }
    let decode = |bytes: Vec<u8>| {
        let content = Ok(Content {
            bytes,
            identity: (0, 0),
            mode: 0,
        });
        load::understand(ConfigFile::at(path), path, &content)
    };
    let ((old, old_sources), (new, new_sources)) = (decode(excerpts.old), decode(excerpts.new));
    // Then the whole file refers to the same files as before, and these are as they were.
    if !old_sources.references().eq(new_sources.references()) {
        return None;
    }
    Some(Excerpt {
        old,
        new,
        sources: last.with_main(&content),
        outline: excerpts.outline,
        same_lines: excerpts.same_lines,
    })
}
