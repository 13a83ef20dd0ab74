//! The list of messages.

use std::collections::BTreeSet;

use super::markdown::{code, doc, root};
use super::source;

/// Texts that are filled into messages, and texts that nobody is shown.
const PARTS: &[&str] = &[
    ", did you mean …?",
    ", levels are …",
    ", supported are …",
    ", the only valid name is …",
    ", valid names are ……",
    "-provider legacy -provider default",
    "; TLS is switched on by the key `tls`",
    "; for IPv6 it is `ipv6PrefixLength`",
    "API (`DeleteTopics`, `20`) or versions of it (`Fetch@0-11`, `Fetch@12+`)",
    "it is neither true nor false",
    // A fence, in the log, the audit and events.
    "… of …, answer …",
    "line …, column …: …",
    "longer than … bytes",
    "more than … brackets are open at a time",
    "not supported: this kproxy is built without the feature `cel`",
    "there is no `…`…",
    "ENCRYPTED PRIVATE KEY",
    "NEW CERTIFICATE REQUEST",
    "`keytool -importkeystore -srckeystore … -destkeystore … -deststoretype PKCS12` and `openssl pkcs12 -nodes -in … -out …` convert it",
    "`openssl pkcs12… -nodes -in … -out …` converts it",
    "`openssl pkcs8 -topk8 -v2 aes-256-cbc… -in … -out …` converts it",
    "`openssl … -inform DER -in … -out …` converts it",
    "`&&`, `--` and `~~` in a class are not supported",
    "`*`, `=`, `in` or `like`",
    "`*`, `=`, `in`, `like` or `matching`",
    "`,` or `;`",
    "`,` or `}`",
    "a class inside a class is not supported; write `\\[`",
    "a class, such as `TopicResource`",
    "a name for the class",
    "a name in double quotes",
    "a package, such as `io.kroxylicious.filter.authorization`",
    "a regular expression in slashes",
    "a statement: `from`, `deny`, `allow` or `otherwise`",
    "a text in quotes",
    "a type of resource, such as `Topic`",
    "an operation, such as `READ`",
    "possessive and repeated quantifiers are not supported",
    "the end of the rules",
    "the expression is longer than … bytes",
    "the expression is too large",
    "the next part of the package",
    "the type of principal, `User`",
    "the version, `1`",
    "URL (`https://`, `http://` or `file://`)",
    "`true` or `false`",
    "`…@3`, `…@0-3` or `…@3+`",
    "a certificate request",
    "a cipher other than AES-CBC",
    "a duration of at most `3650d`",
    "a duration such as `150ms`, `30s`, `5m` or `1h30m`",
    "a host name",
    "a host name, `*.DOMAIN`, an address or a network such as `10.0.0.0/8`",
    "a key derivation other than PBKDF2, such as scrypt",
    "a link-local address",
    "a multicast address",
    "a network such as `10.0.0.0/8`",
    "a node id from 0 to 2147483647",
    "a node port",
    "a number of bits",
    "a number of milliseconds",
    "a percentage from 0 to 100",
    "a port from 0 to 65535",
    "a port from 1 to 65535",
    "a private key",
    "a public key",
    "a revocation list",
    "a size such as `64KiB` or `100MiB`",
    "a whole number from 1 to 4294967295",
    "an IP address",
    "an address of cloud metadata",
    "an included file",
    "an outdated scheme (not PBES2)",
    "an unusual hash",
    "brokers as `host:port,host:port`",
    "does not begin with https://, http:// or file://",
    "does not name a file by its whole path, as in `file:///etc/keys.json`",
    "host name with tokens",
    "host, `*.DOMAIN`, IP address or network",
    "it has no DNS names",
    "its names are others",
    "letters, digits and inner hyphens, at most 63",
    "line … of …",
    "more than … iterations",
    "names a user",
    "network (`10.0.0.0/8`) or IP address",
    "node id range",
    "node id, 0 to 2147483647",
    "not yet valid:",
    "number of bits",
    "of gateway … of virtual cluster …",
    "of this gateway",
    "only the text of the configuration is known",
    "percentage, 0 to 100",
    "port, 0 to 65535",
    "port, 1 to 65535",
    "read and replace",
    "should have been replaced",
    "the bootstrap port",
    "the certificate of `…` in …",
    "the port for host names",
    "the port of `management`",
    "the revocation list of `…` in …",
    "this is a device",
    "this is a directory",
    "this is a named pipe",
    "this is a socket",
    "type of filter",
    "whole number from 1",
    "…:…:…: …: …",
];

/// Log messages that are put together, with the texts that they may have.
const COMPOSED: &[(&str, &[&str])] = &[
    (
        "…",
        &[
            "reload applied",
            "rollback applied: an earlier configuration runs again",
            "renewal applied: the running configuration uses the new content of its files; the configuration file stays rejected",
        ],
    ),
    ("… …", &["reload rejected", "rollback rejected"]),
    (
        "… …: generation … keeps running unchanged",
        &[
            "reload rejected: generation … keeps running unchanged",
            "rollback rejected: generation … keeps running unchanged",
        ],
    ),
];

/// Log messages of the levels that are shown by default, from the source of the library and the binary. What is filled in
/// is `…`.
fn logged() -> BTreeSet<String> {
    let mut messages = BTreeSet::new();
    for file in source::files(&root().join("src")) {
        let text = source::code(&file);
        for call in [
            "tracing::error!(",
            "tracing::warn!(",
            "tracing::info!(",
            "tracing::event!(",
        ] {
            for mut texts in source::arguments(&text, call) {
                // Fields with a literal value come first, the message is the first text that is an argument by itself.
                assert!(!texts.is_empty(), "{}: {call} has no message", file.display());
                messages.insert(pattern(&texts.remove(0)));
            }
        }
    }
    assert!(messages.len() > 50, "{messages:#?}");
    for (composed, texts) in COMPOSED {
        assert!(
            messages.remove(*composed),
            "{composed:?} is no longer logged: remove it from COMPOSED"
        );
        messages.extend(texts.iter().map(|text| (*text).to_owned()));
    }
    messages
}

/// Texts of errors that are derived: `#[error("…")]`. Those that only pass others on say nothing of their own.
fn derived() -> BTreeSet<String> {
    let mut messages = BTreeSet::new();
    for file in source::files(&root().join("src")) {
        for texts in source::arguments(&source::code(&file), "#[error(") {
            let texts = texts.into_iter().take(1).map(|text| pattern(&text));
            messages.extend(texts.filter(|text| text.chars().any(char::is_alphabetic)));
        }
    }
    assert!(messages.len() > 25, "{messages:#?}");
    messages
}

/// Sentences in the modules that check the configuration: each literal of three words or more is a message, or one of
/// the `fragments` of one.
fn checked() -> BTreeSet<String> {
    let mut messages = BTreeSet::new();
    for module in ["config", "model", "pki"] {
        for file in source::files(&root().join("src").join(module)) {
            // Meanings of keys, and what to write in place of old ones; unit tests.
            if file.iter().any(|part| part == "schema" || part == "tests.rs") {
                continue;
            }
            for text in source::literals(&without_attributes(&source::code(&file))) {
                if text.split(' ').filter(|word| !word.is_empty()).count() > 2 && !text.starts_with("-----") {
                    messages.insert(pattern(&text));
                }
            }
        }
    }
    assert!(messages.len() > 150, "{messages:#?}");
    for part in PARTS {
        assert!(
            messages.remove(*part),
            "{part:?} is in no source file: remove it from PARTS"
        );
    }
    messages
}

/// Source without reasons of lints, which are texts, too.
fn without_attributes(code: &str) -> String {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("#["));
    lines.collect::<Vec<_>>().join("\n")
}

/// A format string with `…` in place of what is filled in. A text without anything to fill in is no format string.
fn pattern(format: &str) -> String {
    let mut text = String::new();
    let mut rest = format;
    let mut is_format = false;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = &rest[at..];
        let filled = brace
            .strip_prefix('{')
            .and_then(|inner| inner.split_once('}'))
            .filter(|(name, _)| {
                name.chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_.:?#$".contains(c))
            });
        if brace.starts_with("{{") || brace.starts_with("}}") {
            text.push_str(&brace[..1]);
            rest = &brace[2..];
        } else if let Some((_, after)) = filled {
            is_format = true;
            text.push('…');
            rest = after;
        } else {
            text.push_str(&brace[..1]);
            rest = &brace[1..];
        }
    }
    text.push_str(rest);
    match is_format {
        true => text.trim().to_owned(),
        false => format.trim().to_owned(),
    }
}

/// The texts in the first column of the tables under the heading.
fn listed(heading: &str) -> BTreeSet<String> {
    let page = doc("messages.md");
    let lines: Vec<usize> = page
        .prose()
        .into_iter()
        .filter(|(_, line)| line.starts_with("## "))
        .map(|(number, _)| number)
        .collect();
    let title = format!("## {heading}");
    let begin = page.prose().into_iter().find(|(_, line)| *line == title);
    let (begin, _) = begin.unwrap_or_else(|| panic!("docs/messages.md has no heading {heading}"));
    let end = lines.into_iter().find(|line| *line > begin).unwrap_or(usize::MAX);
    let rows = page
        .rows()
        .into_iter()
        .filter(|(line, _)| (begin..end).contains(line));
    rows.filter_map(|(line, cells)| {
        assert!(
            cells.len() > 2 && cells.iter().all(|cell| !cell.is_empty()),
            "docs/messages.md:{line}: a cell is empty"
        );
        code(&cells[0]).map(ToOwned::to_owned)
    })
    .collect()
}

fn compare(heading: &str, expected: &BTreeSet<String>) {
    let listed = listed(heading);
    let missing: Vec<_> = expected.difference(&listed).collect();
    let unknown: Vec<_> = listed.difference(expected).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "docs/messages.md, {heading}: missing {missing:#?}, not in the code {unknown:#?}"
    );
}

#[test]
fn every_log_message_is_explained() {
    compare("Log messages", &logged());
}

#[test]
fn every_error_is_explained() {
    compare("Errors", &derived());
}

#[test]
fn every_error_and_warning_about_a_configuration_is_explained() {
    compare("The configuration", &checked());
}

#[test]
fn every_cause_is_explained() {
    let page = doc("operating/troubleshooting.md");
    let listed: BTreeSet<String> = page
        .rows()
        .iter()
        .flat_map(|(_, cells)| cells[0].split('`').skip(1).step_by(2))
        .map(ToOwned::to_owned)
        .collect();
    for cause in kproxy::session::cause::CloseCause::ALL {
        assert!(
            listed.contains(cause.name()),
            "docs/operating/troubleshooting.md does not explain {}",
            cause.name()
        );
    }
}
