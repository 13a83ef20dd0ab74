//! What the watcher of the configuration promises.
//!
//! 1. However a file comes to hold something else, a hint says so: written in place, replaced, deleted and created
//!    again, through any link or directory on the way to it, by another of its names.
//! 2. The hint comes after a quiet period, and at most two seconds after the first event.
//! 3. No hint comes while somebody is writing a file, however slowly, and who reads at the wrong moment is told.
//! 4. Reading gives no hint, nor do other people's files.
//! 5. A file that goes missing gives one hint, and one when it is back.
//! 6. Nothing is lost: not by giving up waiting for a hint, nor between reading a file and following it.
//! 7. Settings change while it runs.

mod scene;
mod writing;

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Instant;

use kproxy::control::watch::{Hint, WatchSettings};
use scene::{DEBOUNCE, EVENTS, PATIENCE, Scene};

fn append(path: impl AsRef<Path>) -> File {
    OpenOptions::new().append(true).open(path).unwrap()
}

#[tokio::test]
async fn written_in_place() {
    let mut scene = Scene::with_file().await;
    scene.told(|scene| scene.write("etc/proxy.yaml", "22")).await;
    scene.told(|scene| scene.write("etc/proxy.yaml", "3")).await;
}

#[tokio::test]
async fn touched_and_rewritten_with_equal_bytes() {
    let mut scene = Scene::with_file().await;
    scene
        .told(|scene| {
            let now = std::time::SystemTime::now();
            append(scene.path("etc/proxy.yaml")).set_modified(now).unwrap();
        })
        .await;
    scene.told(|scene| scene.write("etc/proxy.yaml", "1")).await;
}

#[tokio::test]
async fn replaced_by_a_temporary_file_again_and_again() {
    let mut scene = Scene::with_file().await;
    for round in ["2", "33", "4"] {
        scene
            .told(|scene| {
                scene.write("etc/proxy.yaml.tmp", round);
                scene.rename("etc/proxy.yaml.tmp", "etc/proxy.yaml");
            })
            .await;
    }
    scene.told(|scene| scene.write("etc/proxy.yaml", "5")).await;
}

#[tokio::test]
async fn replaced_from_another_directory() {
    let mut scene = Scene::with_file().await;
    scene.write("elsewhere/proxy.yaml", "2");
    scene.calm().await;
    scene
        .told(|scene| scene.rename("elsewhere/proxy.yaml", "etc/proxy.yaml"))
        .await;
}

#[tokio::test]
async fn saved_by_vim() {
    let mut scene = Scene::with_file().await;
    for text in ["2", "33"] {
        scene
            .told(|scene| {
                scene.write("etc/4913", "");
                fs::remove_file(scene.path("etc/4913")).unwrap();
                scene.rename("etc/proxy.yaml", "etc/proxy.yaml~");
                scene.write("etc/proxy.yaml", text);
                let mode = Permissions::from_mode(0o600);
                fs::set_permissions(scene.path("etc/proxy.yaml"), mode).unwrap();
                fs::remove_file(scene.path("etc/proxy.yaml~")).unwrap();
            })
            .await;
    }
}

#[tokio::test]
async fn a_file_that_goes_missing_gives_one_hint_and_one_when_it_is_back() {
    let mut scene = Scene::with_file().await;
    fs::remove_file(scene.path("etc/proxy.yaml")).unwrap();
    assert_eq!(scene.hint().await, Hint::Event);
    scene.calm().await;
    let storm = tokio::time::timeout(4 * DEBOUNCE, scene.watcher.changed()).await;
    assert!(storm.is_err());
    scene.told(|scene| scene.write("etc/proxy.yaml", "2")).await;
    scene.told(|scene| scene.write("etc/proxy.yaml", "3")).await;
}

#[tokio::test]
async fn a_config_map_is_swapped() {
    let mut scene = Scene::new();
    scene.write("etc/..1/proxy.yaml", "1");
    symlink("..1", scene.path("etc/..data")).unwrap();
    symlink("..data/proxy.yaml", scene.path("etc/proxy.yaml")).unwrap();
    scene.follow(&["etc/proxy.yaml"], &[]).await;
    for (old, new) in [("etc/..1", "..2"), ("etc/..2", "..3")] {
        // kubelet fills a new directory, swaps the link and removes the old directory.
        scene.write(&format!("etc/{new}/proxy.yaml"), new);
        scene.calm().await;
        scene
            .told(|scene| {
                symlink(new, scene.path("etc/..data_tmp")).unwrap();
                scene.rename("etc/..data_tmp", "etc/..data");
                fs::remove_dir_all(scene.path(old)).unwrap();
            })
            .await;
    }
}

#[tokio::test]
async fn a_link_to_a_directory_is_pointed_elsewhere() {
    let mut scene = Scene::new();
    scene.write("releases/1/proxy.yaml", "1");
    scene.write("releases/2/proxy.yaml", "2");
    symlink("releases/1", scene.path("current")).unwrap();
    scene.follow(&["current/proxy.yaml"], &[]).await;
    scene.write("releases/2/proxy.yaml", "3");
    scene.calm().await;
    scene.told(|scene| scene.point("current", "releases/2")).await;
    scene.write("releases/1/proxy.yaml", "4");
    scene.calm().await;
    scene
        .told(|scene| scene.write("releases/2/proxy.yaml", "5"))
        .await;
}

#[tokio::test]
async fn the_target_of_a_chain_of_links_is_written_and_replaced() {
    let mut scene = Scene::new();
    scene.write("far/away.yaml", "1");
    fs::create_dir(scene.path("etc")).unwrap();
    fs::create_dir(scene.path("between")).unwrap();
    symlink(scene.path("far/away.yaml"), scene.path("between/link")).unwrap();
    symlink("../between/link", scene.path("etc/proxy.yaml")).unwrap();
    scene.follow(&["etc/proxy.yaml"], &[]).await;
    scene.told(|scene| scene.write("far/away.yaml", "22")).await;
    scene
        .told(|scene| {
            scene.write("far/new", "3");
            scene.rename("far/new", "far/away.yaml");
        })
        .await;
    scene.write("far/other.yaml", "4");
    scene
        .told(|scene| {
            let target = scene.path("far/other.yaml");
            scene.point("between/link", target.to_str().unwrap());
        })
        .await;
    scene.told(|scene| scene.write("far/other.yaml", "5")).await;
}

#[tokio::test]
async fn a_hard_link_is_written_by_another_name_and_replaced() {
    let mut scene = Scene::new();
    scene.write("elsewhere/name.yaml", "1");
    scene.write("elsewhere/next.yaml", "2");
    fs::create_dir(scene.path("etc")).unwrap();
    fs::hard_link(scene.path("elsewhere/name.yaml"), scene.path("etc/proxy.yaml")).unwrap();
    scene.follow(&["etc/proxy.yaml"], &[]).await;
    scene.told(|scene| scene.write("elsewhere/name.yaml", "33")).await;
    scene
        .told(|scene| {
            fs::remove_file(scene.path("etc/proxy.yaml")).unwrap();
            fs::hard_link(scene.path("elsewhere/next.yaml"), scene.path("etc/proxy.yaml")).unwrap();
        })
        .await;
    scene.told(|scene| scene.write("elsewhere/next.yaml", "4")).await;
}

#[tokio::test]
async fn the_directory_is_replaced() {
    let mut scene = Scene::with_file().await;
    scene
        .told(|scene| {
            scene.rename("etc", "old");
            scene.write("etc/proxy.yaml", "2");
        })
        .await;
    scene.write("old/proxy.yaml", "3");
    scene.calm().await;
    scene.told(|scene| scene.write("etc/proxy.yaml", "4")).await;
}

#[tokio::test]
async fn a_directory_further_up_is_replaced() {
    let mut scene = Scene::new();
    scene.write("a/b/c/proxy.yaml", "1");
    scene.write("new/b/c/proxy.yaml", "2");
    scene.follow(&["a/b/c/proxy.yaml"], &[]).await;
    scene
        .told(|scene| {
            scene.rename("a", "old");
            scene.rename("new", "a");
        })
        .await;
    scene.told(|scene| scene.write("a/b/c/proxy.yaml", "3")).await;
}

#[tokio::test]
async fn directories_are_missing_at_first() {
    let mut scene = Scene::new();
    scene.follow(&["a/b/proxy.yaml"], &["d/e"]).await;
    scene.told(|scene| scene.write("a/b/proxy.yaml", "1")).await;
    scene.told(|scene| scene.write("a/b/proxy.yaml", "2")).await;
    scene.told(|scene| scene.write("d/e/new.yaml", "1")).await;
    scene.told(|scene| scene.write("d/e/more.yaml", "1")).await;
}

#[tokio::test]
async fn a_loop_of_links_is_mended() {
    let mut scene = Scene::new();
    scene.write("good.yaml", "1");
    symlink("other", scene.path("proxy.yaml")).unwrap();
    symlink("proxy.yaml", scene.path("other")).unwrap();
    scene.follow(&["proxy.yaml"], &[]).await;
    scene.told(|scene| scene.point("other", "good.yaml")).await;
    scene.told(|scene| scene.write("good.yaml", "2")).await;
}

#[tokio::test]
async fn permissions_are_taken_and_given_back() {
    let mut scene = Scene::with_file().await;
    for mode in [0o000, 0o644] {
        scene
            .told(|scene| {
                let path = scene.path("etc/proxy.yaml");
                fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
            })
            .await;
    }
    scene.told(|scene| scene.write("etc/proxy.yaml", "2")).await;
}

#[tokio::test]
async fn something_else_stands_in_the_files_place() {
    let mut scene = Scene::with_file().await;
    scene
        .told(|scene| {
            fs::remove_file(scene.path("etc/proxy.yaml")).unwrap();
            fs::create_dir(scene.path("etc/proxy.yaml")).unwrap();
        })
        .await;
    scene
        .told(|scene| {
            fs::remove_dir(scene.path("etc/proxy.yaml")).unwrap();
            let fifo = scene.path("etc/proxy.yaml");
            rustix::fs::mkfifoat(rustix::fs::CWD, fifo, rustix::fs::Mode::RUSR).unwrap();
        })
        .await;
    scene
        .told(|scene| {
            scene.write("etc/new", "2");
            scene.rename("etc/new", "etc/proxy.yaml");
        })
        .await;
}

/// The only test in here that depends on the working directory, and the only one that changes it.
#[tokio::test]
async fn a_bare_name_is_in_the_working_directory() {
    let mut scene = Scene::new();
    scene.write("proxy.yaml", "1");
    std::env::set_current_dir(&scene.root).unwrap();
    scene.watcher.follow(
        &[PathBuf::from("proxy.yaml"), PathBuf::from("./certs/tls.crt")],
        &[],
    );
    assert_eq!(scene.hint().await, Hint::Event);
    scene.told(|scene| scene.write("proxy.yaml", "22")).await;
    scene.told(|scene| scene.write("certs/tls.crt", "1")).await;
    scene
        .told(|scene| {
            scene.write("new", "3");
            scene.rename("new", "proxy.yaml");
        })
        .await;
}

#[tokio::test]
async fn reading_and_other_peoples_files_give_no_hint() {
    let mut scene = Scene::with_file().await;
    for _ in 0..3 {
        fs::read(scene.path("etc/proxy.yaml")).unwrap();
        fs::read_dir(scene.path("etc")).unwrap().for_each(drop);
    }
    scene.calm().await;
    scene.write("etc/log", "line");
    append(scene.path("etc/log")).write_all(b"line").unwrap();
    scene.rename("etc/log", "etc/log.1");
    fs::remove_file(scene.path("etc/log.1")).unwrap();
    fs::create_dir(scene.path("etc/d")).unwrap();
    scene.calm().await;
    // One of them stays open; it is not waited for.
    let mut log = File::create(scene.path("etc/log")).unwrap();
    log.write_all(b"line").unwrap();
    scene.told(|scene| scene.write("etc/proxy.yaml", "2")).await;
}

#[tokio::test]
async fn a_file_comes_into_a_directory_of_includes_and_leaves_it() {
    let mut scene = Scene::with_file().await;
    fs::create_dir(scene.path("includes")).unwrap();
    scene.follow(&["etc/proxy.yaml"], &["includes"]).await;
    scene.told(|scene| scene.write("includes/a.yaml", "1")).await;
    scene
        .told(|scene| scene.rename("includes/a.yaml", "includes/b.yaml"))
        .await;
    scene
        .told(|scene| symlink("b.yaml", scene.path("includes/c.yaml")).unwrap())
        .await;
    scene
        .told(|scene| {
            let hidden = scene.path("includes/.hidden");
            fs::hard_link(scene.path("includes/b.yaml"), hidden).unwrap();
            scene.rename("includes/.hidden", "includes/d.yaml");
        })
        .await;
    scene
        .told(|scene| fs::remove_file(scene.path("includes/b.yaml")).unwrap())
        .await;
    scene.write("includes/.c.yaml.swp", "");
    scene.calm().await;
}

#[tokio::test]
async fn many_files_change_at_once_and_one_hint_tells() {
    let mut scene = Scene::new();
    let names: Vec<String> = (0..500).map(|number| format!("tls/{number}.crt")).collect();
    for name in &names {
        scene.write(name, "1");
    }
    let followed: Vec<&str> = names.iter().map(String::as_str).collect();
    scene.follow(&followed, &[]).await;
    scene
        .told(|scene| {
            for name in &names {
                scene.write("tls/new", "2");
                scene.rename("tls/new", name);
            }
        })
        .await;
    scene.told(|scene| scene.write("tls/499.crt", "3")).await;
}

#[tokio::test]
async fn giving_up_waiting_loses_no_hint() {
    let mut scene = Scene::with_file().await;
    scene.write("etc/proxy.yaml", "2");
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Polled once and dropped, over and over.
        if scene.is_told().await {
            break;
        }
        assert!(Instant::now() < deadline, "never told");
        tokio::task::yield_now().await;
    }
    scene.calm().await;
}

#[tokio::test]
async fn following_something_else_gives_a_hint_and_the_same_again_gives_none() {
    let mut scene = Scene::with_file().await;
    let (first, second) = (scene.path("etc/proxy.yaml"), scene.path("etc/tls.crt"));
    scene.watcher.follow(&[first.clone(), first.clone()], &[]);
    scene.calm().await;
    scene.watcher.follow(&[second.clone(), first.clone()], &[]);
    assert_eq!(scene.hint().await, Hint::Event);
    scene.watcher.follow(&[first.clone(), second.clone()], &[]);
    scene.calm().await;
    scene.told(|scene| scene.write("etc/tls.crt", "1")).await;
    scene.watcher.follow(&[first], &[]);
    assert_eq!(scene.hint().await, Hint::Event);
    scene.write("etc/tls.crt", "2");
    scene.calm().await;
}

#[tokio::test]
async fn watching_is_switched_off_and_on() {
    let mut scene = Scene::with_file().await;
    scene.write("etc/proxy.yaml", "2");
    scene.watcher.set(WatchSettings {
        watch: false,
        poll_interval: Some(DEBOUNCE),
        ..EVENTS
    });
    assert!(scene.watcher.confirm_unmodified().await);
    scene.is_told().await;
    scene.write("etc/proxy.yaml", "3");
    let told = tokio::time::timeout(4 * DEBOUNCE, scene.watcher.changed()).await;
    assert!(told.is_err());
    scene.watcher.set(EVENTS);
    scene.told(|_| ()).await;
    scene.told(|scene| scene.write("etc/proxy.yaml", "4")).await;
}

#[tokio::test]
async fn a_longer_quiet_period_counts_from_now_on() {
    let mut scene = Scene::with_file().await;
    scene.watcher.set(WatchSettings {
        debounce: 4 * DEBOUNCE,
        ..EVENTS
    });
    let began = Instant::now();
    scene.write("etc/proxy.yaml", "2");
    assert_eq!(scene.hint().await, Hint::Event);
    assert!(began.elapsed() >= 4 * DEBOUNCE);
}

#[tokio::test]
async fn names_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt;
    let mut scene = Scene::new();
    let path = scene.path(OsStr::from_bytes(b"\xff.yaml"));
    scene.watcher.follow(std::slice::from_ref(&path), &[]);
    assert_eq!(scene.hint().await, Hint::Event);
    scene.told(|_| fs::write(&path, "1").unwrap()).await;
}
