//! The structure of the source, and the documents.
//!
//! 1. A module uses only modules earlier in the list in `src/lib.rs`.
//! 2. The pure modules use no runtime, no socket and no clock.
//! 3. The documents tell the truth: see `docs`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod docs;
mod names;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Modules without effects. Only `config/load.rs` reads files.
const PURE: &[&str] = &["wire", "config", "pki", "sasl", "model", "reload"];
const EFFECTS: &[&str] = &[
    "tokio::",
    "std::net::Tcp",
    "std::net::Udp",
    "std::time::Instant",
    "SystemTime",
    "std::thread",
];

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn read(path: &Path) -> String {
    String::from_utf8(std::fs::read(path).unwrap()).unwrap()
}

/// The modules in the order of `lib.rs`.
fn layers(source: &Path) -> Vec<String> {
    let lib = read(&source.join("lib.rs"));
    let module = |line: &str| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
    };
    lib.lines().filter_map(module).collect()
}

/// The top-level module a file belongs to.
fn module_of(source: &Path, file: &Path) -> String {
    let relative = file.strip_prefix(source).unwrap();
    let first = relative
        .components()
        .next()
        .unwrap()
        .as_os_str()
        .to_str()
        .unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// A file without comments and without its tests, which may use what they like.
fn code(text: &str) -> String {
    without_tests(text)
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// A file without its test modules, wherever they stand. A module ends at the brace in the first column.
fn without_tests(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let module = lines
            .next_if(|next| line == "#[cfg(test)]" && next.starts_with("mod "))
            .map(|module| module.ends_with('{'));
        match module {
            None => {
                code.push_str(line);
                code.push('\n');
            }
            Some(true) => drop(lines.by_ref().find(|line| *line == "}")),
            Some(false) => {}
        }
    }
    code
}

/// Whether a file is compiled for tests alone, as the tests of a module in files of their own: these may use what they like, too.
fn is_test(file: &Path) -> bool {
    let declares = |module: &Path| module.is_file() && read(module).contains("#[cfg(test)]\nmod tests;");
    file.ancestors()
        .filter(|path| path.file_stem().is_some_and(|name| name == "tests"))
        .filter_map(Path::parent)
        .any(|folder| declares(&folder.join("mod.rs")) || declares(&folder.with_extension("rs")))
}

#[test]
fn code_behind_the_tests_of_a_file_is_looked_at() {
    let text = "mod a;\n#[cfg(test)]\nmod tests;\n// Why.\nstruct B;\n\
        #[cfg(test)]\nmod more {\n    struct C;\n}\n\n#[cfg(test)]\nfn d() {}\n";
    assert_eq!(code(text), "mod a;\nstruct B;\n\n#[cfg(test)]\nfn d() {}");
}

/// Every `crate::module` that is named.
fn uses(code: &str) -> BTreeSet<String> {
    let names = code.split("crate::").skip(1);
    names
        .map(|rest| {
            rest.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

#[test]
fn modules_use_only_earlier_ones() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let layers = layers(&source);
    assert!(layers.len() > 8, "{layers:?}");
    let rank = |module: &str| layers.iter().position(|layer| layer == module);
    let mut files = Vec::new();
    sources(&source, &mut files);
    let mut arrows = 0;
    let mut wrong = Vec::new();
    for file in files.iter().filter(|file| !is_test(file)) {
        let module = module_of(&source, file);
        // The binary stands above the library, and the library's root names everything.
        let Some(own) = rank(&module) else {
            assert!(
                ["lib", "main"].contains(&module.as_str()),
                "{module} is missing in lib.rs"
            );
            continue;
        };
        for used in uses(&code(&read(file))) {
            let Some(other) = rank(&used) else { continue };
            arrows += usize::from(other != own);
            if other > own {
                wrong.push(format!("{} uses {used}", file.display()));
            }
        }
    }
    assert!(
        arrows > 20,
        "only {arrows} arrows found: is this test looking at anything?"
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_pure_modules_have_no_effects() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut looked_at = 0;
    for module in PURE {
        let mut files = Vec::new();
        sources(&source.join(module), &mut files);
        for file in files {
            let code = code(&read(&file));
            let found: Vec<_> = EFFECTS.iter().filter(|effect| code.contains(**effect)).collect();
            assert!(found.is_empty(), "{} names {found:?}", file.display());
            let reads_files = code.contains("std::fs");
            assert!(
                !reads_files || file.ends_with("config/load.rs"),
                "{} reads files",
                file.display()
            );
            looked_at += 1;
        }
    }
    assert!(looked_at > 20, "{looked_at}");
}
