//! Points 3 and 7: what is on disk, what of it is a configuration, and whether it is still the same.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use kproxy::config::{Secret, Sources};
use kproxy::model;
use tempfile::TempDir;

use super::{QUICKLY, SMALLEST, text};

const WITH_TOKEN: &str = "management: {tokenFile: secrets/token}\n";

/// A directory with a configuration, which names a token file, which exists.
fn directory() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let main = directory.path().join("proxy.yaml");
    fs::write(&main, format!("{WITH_TOKEN}{SMALLEST}")).unwrap();
    fs::create_dir(directory.path().join("secrets")).unwrap();
    fs::write(directory.path().join("secrets/token"), " s3cret\n").unwrap();
    (directory, main)
}

fn token(main: &Path) -> Result<Option<Secret>, String> {
    match model::load_all(main).model {
        Ok(model) => Ok(model.management.unwrap().token),
        Err(diagnostics) => {
            let found = text(&diagnostics);
            let prefix = format!("{}:1:25: error: `tokenFile`: ", main.display());
            Err(found.strip_prefix(&prefix).unwrap_or(&found).trim().to_owned())
        }
    }
}

#[test]
fn the_token_is_the_content_of_its_file() {
    let (directory, main) = directory();
    assert_eq!(token(&main), Ok(Some(Secret::new("s3cret"))));
    let file = directory.path().join("secrets/token");
    for (content, why) in [
        ("", "the file is empty"),
        (" \n", "the file is empty"),
        ("two words", "a token is one word of printable ASCII characters"),
        ("gr\u{fc}n", "a token is one word of printable ASCII characters"),
    ] {
        fs::write(&file, content).unwrap();
        assert_eq!(token(&main), Err(why.to_owned()), "{content:?}");
    }
    fs::remove_file(&file).unwrap();
    assert_eq!(
        token(&main),
        Err("cannot read the file: No such file or directory".to_owned())
    );
    fs::create_dir(&file).unwrap();
    assert_eq!(token(&main), Err("this is a directory, not a file".to_owned()));
}

/// Touching, rewriting the same and reading change nothing; every change of content, and of what can be read, does.
#[test]
fn sources_are_compared_by_content() {
    let (directory, main) = directory();
    let file = directory.path().join("secrets/token");
    let loaded = model::load_all(&main);
    let before = loaded.sources;
    assert_eq!(
        before.files().collect::<Vec<_>>(),
        [main.as_path(), file.as_path()]
    );
    let same = || before.is_current() && Sources::read(&main).digest() == before.digest();
    assert!(same());
    File::options()
        .append(true)
        .open(&main)
        .unwrap()
        .set_modified(std::time::UNIX_EPOCH)
        .unwrap();
    fs::write(&file, " s3cret\n").unwrap();
    assert!(same(), "equal bytes");
    fs::write(directory.path().join("new"), fs::read(&main).unwrap()).unwrap();
    fs::rename(directory.path().join("new"), &main).unwrap();
    assert!(same(), "replaced by equal bytes");
    for (changed, content) in [
        (&file, "other"),
        (&main, SMALLEST),
        (&main, "# nothing"),
        (&main, "\u{0}{"),
    ] {
        let kept = fs::read(changed).unwrap();
        fs::write(changed, content).unwrap();
        let now = Sources::read(&main);
        assert!(
            !before.is_current() && now.is_current() && now.digest() != before.digest(),
            "{content}"
        );
        fs::write(changed, kept).unwrap();
        assert!(same(), "{content} and back");
    }
    for gone in [&file, &main] {
        let kept = fs::read(gone).unwrap();
        fs::remove_file(gone).unwrap();
        let now = Sources::read(&main);
        assert!(!before.is_current() && now.is_current() && now.digest() != before.digest());
        assert!(
            now.files().any(|path| path == gone),
            "what is missing is to be watched"
        );
        fs::write(gone, kept).unwrap();
        assert!(same() && !now.is_current());
    }
    assert_eq!(before.digest().to_string().len(), 64);
    assert!(
        before
            .digest()
            .to_string()
            .bytes()
            .all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
    );
}

#[test]
fn what_cannot_be_read_is_a_reason_and_no_wait() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    File::create(path("10-GB.yaml"))
        .unwrap()
        .set_len(10 << 30)
        .unwrap();
    symlink("loop.yaml", path("loop.yaml")).unwrap();
    symlink("nowhere", path("dangling.yaml")).unwrap();
    fs::write(path("closed.yaml"), SMALLEST).unwrap();
    fs::set_permissions(path("closed.yaml"), Permissions::from_mode(0o000)).unwrap();
    let mut cases = vec![
        ("10-GB.yaml", "the file is larger than 32 MiB"),
        (
            "loop.yaml",
            "cannot read the file: Too many levels of symbolic links",
        ),
        ("dangling.yaml", "cannot read the file: No such file or directory"),
    ];
    // A user who may override permissions reads it.
    if File::open(path("closed.yaml")).is_err() {
        cases.push(("closed.yaml", "cannot read the file: Permission denied"));
    }
    for (name, why) in cases {
        let (sender, receiver) = mpsc::channel();
        let asked = path(name);
        std::thread::spawn(move || {
            let loaded = model::load_all(&asked);
            sender.send((loaded.model.expect_err("accepted"), loaded.sources.is_current()))
        });
        let (found, current) = receiver.recv_timeout(QUICKLY).expect("blocked");
        assert_eq!(
            text(&found),
            format!("{}:1:1: error: {why}\n", path(name).display())
        );
        assert!(current, "{name} is still the same");
    }
}

/// A file that is replaced without a pause is read as one of its versions, or refused.
#[test]
fn a_file_that_changes_is_never_read_in_part() {
    let (directory, main) = directory();
    let next = directory.path().join("next");
    let versions = [200_000, 300_000].map(|length| format!("{SMALLEST}# {}\n", "x".repeat(length)));
    let known = versions.each_ref().map(|version| {
        fs::write(&main, version).unwrap();
        Sources::read(&main).digest()
    });
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for version in &versions {
                    fs::write(&next, version).unwrap();
                    fs::rename(&next, &main).unwrap();
                }
            }
        });
        for _ in 0..50 {
            let loaded = model::load_all(&main);
            let fine = match &loaded.model {
                Ok(_) => known.contains(&loaded.sources.digest()),
                Err(why) => why[0].message == "the file changes while it is being read",
            };
            done.store(!fine, Ordering::Relaxed);
            assert!(fine, "{:?}", loaded.model);
        }
        done.store(true, Ordering::Relaxed);
    });
}
