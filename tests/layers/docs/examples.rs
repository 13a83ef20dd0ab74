//! Examples that work: configurations pass, commands parse.

use clap::{CommandFactory, Parser};
use kproxy::cli::Arguments;

use super::markdown::pages;

#[test]
fn configurations_in_the_documents_are_valid() {
    let mut checked = 0;
    for block in pages().iter().flat_map(super::markdown::Page::blocks) {
        let whole = block.language == "yaml" && block.code.contains("virtualClusters:");
        if !whole || block.code.contains('…') {
            continue;
        }
        checked += 1;
        let parsed = kproxy::model::parse(block.code.as_bytes(), &block.place);
        // Certificates of an example need not exist.
        let broken = parsed.err().unwrap_or_default();
        let broken: Vec<String> = broken
            .iter()
            .map(ToString::to_string)
            .filter(|line| !line.contains("cannot read the file"))
            .collect();
        assert!(broken.is_empty(), "{broken:#?}");
    }
    assert!(checked > 3, "only {checked} configurations found");
}

#[test]
fn commands_in_the_documents_parse() {
    let mut checked = 0;
    let pages = pages();
    let blocks = pages.iter().flat_map(super::markdown::Page::blocks);
    let shell = blocks.filter(|block| ["sh", "text", "console", ""].contains(&&*block.language));
    let mut lines: Vec<(String, String)> = shell
        .flat_map(|block| {
            let place = block.place;
            let code = block.code.replace("\\\n", " ");
            let lines: Vec<String> = code.lines().map(ToOwned::to_owned).collect();
            lines.into_iter().map(move |line| (place.clone(), line))
        })
        .collect();
    for page in &pages {
        for (number, line) in page.prose() {
            let spans = line.split('`').skip(1).step_by(2);
            let place = format!("{}:{number}", page.path.display());
            lines.extend(spans.map(|span| (place.clone(), span.to_owned())));
        }
    }
    for (place, line) in lines {
        for words in commands(&line) {
            checked += 1;
            if let Err(why) = Arguments::try_parse_from(&words) {
                let shown = why.kind() == clap::error::ErrorKind::DisplayHelp
                    || why.kind() == clap::error::ErrorKind::DisplayVersion;
                assert!(shown, "{place}: {words:?}\n{why}");
            }
        }
    }
    assert!(checked > 30, "only {checked} commands found");
}

/// The calls of kproxy in a line: what follows the program up to the next operator of the shell. Syntax such as
/// `[--force]` is read with its options, `FILE` stands for itself, a number in place of `N` or `D`.
fn commands(line: &str) -> Vec<Vec<String>> {
    let line = line.split(" #").next().unwrap_or_default();
    let programs = [
        "kproxy",
        "$kproxy",
        "target/release/kproxy",
        "target/debug/kproxy",
    ];
    let mut found = Vec::new();
    for part in line.split(['|', ';', '&', '(']) {
        let mut words = part
            .split_whitespace()
            .skip_while(|word| ["$", "sudo", "exec"].contains(word));
        let Some(program) = words.next() else { continue };
        if !programs.contains(&program) {
            continue;
        }
        let mut words: Vec<String> = words
            .take_while(|word| !["<", ">", "2>", "2>&1", ">>", "…"].contains(word))
            .map(|word| word.trim_matches(['[', ']', '"', '\'', ')']))
            .map(|word| match word {
                "N" => "3".to_owned(),
                "D" => "30s".to_owned(),
                _ => word.to_owned(),
            })
            .collect();
        if words.is_empty() || words.iter().all(|word| !word.is_ascii()) {
            continue;
        }
        let is_bare = !words[0].starts_with('-') && words.iter().all(|word| !word.starts_with('-'));
        if is_bare && Arguments::command().find_subcommand(&words[0]).is_none() {
            // A log line such as `kproxy serves`.
            continue;
        }
        // The name of a command, not a call of it.
        if is_bare && words.len() == 1 {
            words.push("--help".to_owned());
        }
        found.push(std::iter::once("kproxy".to_owned()).chain(words).collect());
    }
    found
}
