//! Promise 3, and the ceiling of promise 2: files while somebody is writing them.

use std::fs::{self, File};
use std::io::Write;
use std::time::Instant;

use kproxy::control::watch::Hint;

use super::scene::{DEBOUNCE, PATIENCE, Scene};

#[tokio::test]
async fn a_file_is_written_slowly_in_chunks() {
    let mut scene = Scene::with_file().await;
    let mut file = File::create(scene.path("etc/proxy.yaml")).unwrap();
    scene.held().await;
    file.write_all(b"half").unwrap();
    scene.held().await;
    scene
        .told(move |_| {
            file.write_all(b" and half").unwrap();
            drop(file);
        })
        .await;
}

#[tokio::test]
async fn a_new_file_is_created_and_filled_slowly() {
    let mut scene = Scene::new();
    fs::create_dir(scene.path("includes")).unwrap();
    scene.follow(&["proxy.yaml"], &["includes"]).await;
    for name in ["proxy.yaml", "includes/new.yaml"] {
        let file = File::create(scene.path(name)).unwrap();
        scene.held().await;
        scene.told(move |_| drop(file)).await;
    }
}

#[tokio::test]
async fn a_file_is_renamed_before_it_is_finished() {
    let mut scene = Scene::with_file().await;
    let mut file = File::create(scene.path("etc/temporary")).unwrap();
    file.write_all(b"half").unwrap();
    scene.rename("etc/temporary", "etc/proxy.yaml");
    scene.held().await;
    scene
        .told(move |_| {
            file.write_all(b" and half").unwrap();
            drop(file);
        })
        .await;
}

#[tokio::test]
async fn a_whole_file_replaces_one_that_is_being_written() {
    let mut scene = Scene::with_file().await;
    let mut file = File::create(scene.path("etc/proxy.yaml")).unwrap();
    file.write_all(b"half").unwrap();
    scene
        .told(|scene| {
            scene.write("etc/temporary", "whole");
            scene.rename("etc/temporary", "etc/proxy.yaml");
        })
        .await;
    drop(file);
}

#[tokio::test]
async fn a_file_rewritten_without_end_is_told_of_all_the_same() {
    let mut scene = Scene::with_file().await;
    let began = Instant::now();
    let path = scene.path("etc/proxy.yaml");
    loop {
        fs::write(&path, "2").unwrap();
        let hint = tokio::time::timeout(DEBOUNCE / 10, scene.watcher.changed()).await;
        if hint.is_ok() {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "never told");
    }
    assert!(began.elapsed() >= DEBOUNCE);
}

#[tokio::test]
async fn who_reads_while_somebody_begins_to_write_is_told() {
    let mut scene = Scene::with_file().await;
    scene.write("etc/proxy.yaml", "2");
    assert_eq!(scene.hint().await, Hint::Event);
    let file = File::create(scene.path("etc/proxy.yaml")).unwrap();
    assert_eq!(fs::read(scene.path("etc/proxy.yaml")).unwrap(), b"");
    assert!(!scene.watcher.confirm_unmodified().await);
    scene.told(move |_| drop(file)).await;
    assert!(scene.watcher.confirm_unmodified().await);
}
