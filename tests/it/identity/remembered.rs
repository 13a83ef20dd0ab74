//! What was learned outlives the process.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use super::log::warnings;
use super::{authenticated, metadata, own_questions, who};
use testkit::client::Client;
use testkit::cluster::{Cluster, SASL_HANDSHAKE};
use testkit::proxy::Setup;
use testkit::wait::eventually;

/// A proxy that remembers what it learned of `cluster`.
pub(crate) fn remembering(cluster: &Cluster, directory: &Path) -> Setup {
    let mut setup = Setup::to(&[cluster.address(0)]);
    setup.state_directory = Some(directory.to_owned());
    setup
}

#[test]
fn a_restart_forgets_nothing() {
    let cluster = Cluster::start([0, 1, 2]);
    let directory = tempfile::tempdir().unwrap();
    // Created where it does not exist.
    let path = directory.path().join("a/b");
    let setup = remembering(&cluster, &path);
    let proxy = setup.start();
    assert_eq!(who(&mut Client::connect(proxy.node(2))), 2);
    assert_eq!(own_questions(&cluster), 1);
    proxy.shutdown();

    let proxy = setup.start();
    assert_eq!(who(&mut Client::connect(proxy.node(2))), 2);
    assert_eq!(who(&mut Client::connect(proxy.node(1))), 1);
    assert_eq!(own_questions(&cluster), 1, "nothing is asked that is known");
    proxy.shutdown();

    // Other bootstrap servers are another cluster, whatever its name.
    let mut elsewhere = Setup::to(&[cluster.address(1)]);
    elsewhere.state_directory = Some(path);
    assert_eq!(who(&mut Client::connect(elsewhere.start().node(2))), 2);
    assert_eq!(own_questions(&cluster), 2);
}

#[test]
fn behind_sasl_a_restart_forgets_nothing() {
    let cluster = Cluster::with_sasl([0, 1, 2]);
    let directory = tempfile::tempdir().unwrap();
    let setup = remembering(&cluster, directory.path());
    let proxy = setup.start();
    metadata(&mut authenticated(proxy.bootstrap()));
    proxy.shutdown();
    let proxy = setup.start();
    assert_eq!(who(&mut authenticated(proxy.node(2))), 2);
    assert_eq!(cluster.asked(SASL_HANDSHAKE), [0, 2]);
}

/// What was learned is saved while kproxy runs: a copy of the directory is what a crash would leave.
#[test]
fn a_crash_forgets_nothing_that_is_a_moment_old() {
    let cluster = Cluster::start([0, 1]);
    let (directory, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = directory.path().join(STATE_FILE);
    let proxy = remembering(&cluster, directory.path()).start();
    assert_eq!(who(&mut Client::connect(proxy.node(1))), 1);
    eventually("the topology is saved", || file.exists());
    fs::copy(&file, copy.path().join(STATE_FILE)).unwrap();

    let other = remembering(&cluster, copy.path()).start();
    assert_eq!(who(&mut Client::connect(other.node(1))), 1);
    assert_eq!(own_questions(&cluster), 1);
}

const STATE_FILE: &str = "topology.json";

#[test]
fn a_corrupt_state_file_is_a_warning_and_no_more() {
    let nested = "[".repeat(100_000).into_bytes();
    let corrupt: [&[u8]; 8] = [
        b"",
        b"\0\xff\xfe not JSON, not even text",
        br#"{"version":1,"clusters":{"demo":"#,
        br#"{"version":2,"clusters":{}}"#,
        br#"{"version":1,"clusters":{"demo":{"bootstrap_servers":[],"nodes":{"one":["h",1]}}}}"#,
        br#"{"version":1,"clusters":{"demo":{"bootstrap_servers":[],"nodes":{"1":["h",65536]}}}}"#,
        br#"{"version":1,"clusters":[]}"#,
        &nested,
    ];
    for content in corrupt {
        let case = String::from_utf8_lossy(&content[..content.len().min(80)]).into_owned();
        let cluster = Cluster::start([0, 1]);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(STATE_FILE);
        fs::write(&file, content).unwrap();
        let setup = remembering(&cluster, directory.path());

        let name = file.display().to_string();
        let warnings = || warnings().filter(|line| line.contains(&name)).count();
        assert_eq!(warnings(), 0);
        let proxy = setup.start();
        assert_eq!(warnings(), 1, "{case}");
        assert_eq!(who(&mut Client::connect(proxy.node(1))), 1, "{case}");
        proxy.shutdown();

        // It has been replaced by one that serves.
        let proxy = setup.start();
        assert_eq!(who(&mut Client::connect(proxy.node(1))), 1, "{case}");
        assert_eq!((warnings(), own_questions(&cluster)), (1, 1), "{case}");
    }
}

#[test]
fn a_state_directory_that_cannot_be_used_is_a_warning_and_no_more() {
    let cluster = Cluster::start([0, 1]);
    let directory = tempfile::tempdir().unwrap();
    let in_the_way = directory.path().join("file");
    fs::write(&in_the_way, b"").unwrap();
    let proxy = remembering(&cluster, &in_the_way).start();
    assert_eq!(who(&mut Client::connect(proxy.node(1))), 1);
    proxy.shutdown();
    let name = in_the_way.display().to_string();
    let told: Vec<_> = warnings().filter(|line| line.contains(&name)).collect();
    assert!(
        told.iter().any(|line| line.contains("could not be saved")),
        "{told:?}"
    );
}

/// What is remembered is a hint: an address at which nobody is, or nobody can be, is asked for anew.
#[test]
fn a_remembered_address_that_is_wrong_is_asked_for() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    for address in [
        format!(r#"["127.0.0.1",{closed}]"#),
        r#"["",9092]"#.into(),
        r#"["127.0.0.1",0]"#.into(),
    ] {
        let cluster = Cluster::start([0, 1]);
        let directory = tempfile::tempdir().unwrap();
        let server = cluster.address(0);
        let stored = format!(
            r#"{{"version":1,"clusters":{{"demo":{{"bootstrap_servers":["{server}"],"nodes":{{"1":{address}}}}}}}}}"#
        );
        fs::write(directory.path().join(STATE_FILE), stored).unwrap();
        let proxy = remembering(&cluster, directory.path()).start();
        assert_eq!(who(&mut Client::connect(proxy.node(1))), 1, "{address}");
        assert_eq!(own_questions(&cluster), 1, "{address}");
    }
}
