//! `kproxy doctor` goes to brokers the same way.

use std::fs;

use super::NAME;
use crate::doctor::doctor;
use testkit::binary::Binary;
use testkit::cluster::Cluster;
use testkit::forward_proxy::TestForwardProxy;
use testkit::running::ports;

#[test]
fn doctor_asks_brokers_through_the_forward_proxy() {
    let cluster = Cluster::start([0]);
    cluster.name(0, NAME);
    let (forward, base) = (
        TestForwardProxy::socks5().knowing(NAME, cluster.address(0)),
        ports(),
    );
    let directory = tempfile::tempdir().unwrap();
    let write = |via: &str| {
        let text = format!(
            "control: {{socket: control.sock}}
virtualClusters:
  - name: orders
    targetCluster: {{bootstrapServers: \"{NAME}:{}\", via: \"{via}\"}}
    gateways:
      - name: main
        portIdentifiesNode: {{bootstrapAddress: \"localhost:{base}\"}}
",
            cluster.address(0).port()
        );
        fs::write(directory.path().join("proxy.yaml"), text).unwrap();
    };
    write(&format!("socks5://{}", forward.address()));
    let binary = Binary::at(&directory.path().join("proxy.yaml"));
    binary.expect_log("kproxy serves");
    let sound = doctor(directory.path(), &["-c", "proxy.yaml", "--json"]);
    assert_eq!(
        (sound.code, sound.kinds()),
        (0, Vec::new()),
        "{}{}",
        sound.out,
        sound.err
    );
    // The process goes on; only the file has another forward proxy.
    write("http://127.0.0.1:1");
    let broken = doctor(directory.path(), &["-c", "proxy.yaml", "--json"]);
    assert!(
        broken
            .out
            .contains("forward proxy http://127.0.0.1:1: Connection refused (os error 111)"),
        "{}",
        broken.out
    );
}
