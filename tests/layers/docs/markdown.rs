//! The Markdown of the project, as far as its tests look at it.

use std::path::{Path, PathBuf};

/// A Markdown file.
pub(super) struct Page {
    /// Path relative to the root of the project.
    pub(super) path: PathBuf,
    /// Its text.
    pub(super) text: String,
}

/// A fenced block of code.
pub(super) struct Block {
    /// Path of the page and line of the fence, for messages.
    pub(super) place: String,
    /// Word after the opening fence.
    pub(super) language: String,
    /// Lines between the fences.
    pub(super) code: String,
}

/// The root of the project.
pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the project.
pub(super) fn read(path: &Path) -> String {
    String::from_utf8(std::fs::read(root().join(path)).unwrap()).unwrap()
}

/// Every page at the root, and in `docs`, `examples`, `testkit` and `benches`.
pub(super) fn pages() -> Vec<Page> {
    let mut found = Vec::new();
    collect(root(), false, &mut found);
    for folder in ["docs", "examples", "benches", "fuzz", "testkit"] {
        collect(&root().join(folder), true, &mut found);
    }
    found.sort();
    let page = |path: PathBuf| Page {
        text: read(&path),
        path: path.strip_prefix(root()).unwrap().to_owned(),
    };
    found.into_iter().map(page).collect()
}

/// One page of `docs`.
pub(super) fn doc(name: &str) -> Page {
    let path = PathBuf::from("docs").join(name);
    Page {
        text: read(&path),
        path,
    }
}

fn collect(folder: &Path, deep: bool, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            if deep && !path.ends_with("target") {
                collect(&path, true, found);
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

impl Page {
    /// The fenced blocks of code.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut open: Option<Block> = None;
        for (number, line) in (1..).zip(self.text.lines()) {
            match (line.trim_start().strip_prefix("```"), &mut open) {
                (Some(language), None) => {
                    open = Some(Block {
                        place: format!("{}:{number}", self.path.display()),
                        language: language.trim().to_owned(),
                        code: String::new(),
                    });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (None, Some(block)) => {
                    block.code.push_str(line);
                    block.code.push('\n');
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a fence is not closed", self.path.display());
        blocks
    }

    /// The lines outside of fenced blocks, with their numbers.
    pub(super) fn prose(&self) -> Vec<(usize, &str)> {
        let mut inside = false;
        let lines = (1..).zip(self.text.lines());
        lines
            .filter(|(_, line)| {
                let fence = line.trim_start().starts_with("```");
                inside ^= fence;
                !fence && !inside
            })
            .collect()
    }

    /// The anchors of the headings, as GitHub makes them.
    pub(super) fn anchors(&self) -> Vec<String> {
        let mut anchors: Vec<String> = Vec::new();
        for (_, line) in self.prose() {
            let Some(heading) = line.strip_prefix('#') else {
                continue;
            };
            let heading = heading.trim_start_matches('#').trim();
            let kept = heading
                .chars()
                .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            let anchor = kept.collect::<String>().to_lowercase().replace(' ', "-");
            let repeated = anchors.iter().filter(|known| **known == anchor).count();
            anchors.push(match repeated {
                0 => anchor,
                n => format!("{anchor}-{n}"),
            });
        }
        anchors
    }

    /// The targets of the links, with their lines.
    pub(super) fn links(&self) -> Vec<(usize, String)> {
        let mut links = Vec::new();
        for (number, line) in self.prose() {
            for rest in line.split("](").skip(1) {
                if let Some((target, _)) = rest.split_once(')') {
                    links.push((number, target.to_owned()));
                }
            }
        }
        links
    }

    /// The rows of the tables: their cells, without headings and rulers, each with its line.
    pub(super) fn rows(&self) -> Vec<(usize, Vec<String>)> {
        let lines = self.prose();
        let is_ruler =
            |line: &str| line.starts_with("|-") || line.starts_with("| -") || line.starts_with("|:");
        let mut rows = Vec::new();
        for (index, (number, line)) in lines.iter().enumerate() {
            let heads = lines.get(index + 1).is_some_and(|(_, next)| is_ruler(next));
            if line.starts_with('|') && !is_ruler(line) && !heads {
                rows.push((*number, cells(line)));
            }
        }
        rows
    }
}

/// The cells of a row. A bar with a backslash before it is a character.
fn cells(line: &str) -> Vec<String> {
    let line = line.replace("\\|", "\u{0}");
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
    inner
        .split('|')
        .map(|cell| cell.trim().replace('\u{0}', "|"))
        .collect()
}

/// The text in the first pair of backticks of a cell, or in double backticks.
pub(super) fn code(cell: &str) -> Option<&str> {
    if let Some(rest) = cell.split_once("`` ").map(|(_, rest)| rest) {
        return rest.split_once(" ``").map(|(code, _)| code);
    }
    let (_, rest) = cell.split_once('`')?;
    Some(rest.split_once('`')?.0)
}
