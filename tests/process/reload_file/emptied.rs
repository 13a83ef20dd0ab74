//! A file that somebody has emptied: rejected, unless it is forced.

use std::process::{Command, Output};

use testkit::running::Running;

/// `kproxy reload` with these arguments.
fn reload(running: &Running, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kproxy"));
    command.arg("--control").arg(running.path("control.sock"));
    command.arg("reload").args(arguments).output().unwrap()
}

#[test]
fn an_emptied_file_is_applied_when_it_is_forced() {
    let running = Running::laid_out("reload: {watch: false}\n", &["a", "b"], |directory, text| {
        let file = directory.join("proxy.yaml");
        // A file without these keys would otherwise change what needs a restart.
        let keys = "control: {socket: control.sock}\nmanagement: {port: 0}\nlogging: {level: debug}\n";
        std::fs::write(&file, format!("{keys}{text}")).unwrap();
        file
    });
    running.client(0);
    for nothing in ["", "# all gone\n"] {
        running.write(nothing);
        let refused = reload(&running, &[]);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{told}");
        assert!(
            told.contains("the file is empty, it needs at least `virtualClusters`"),
            "{told}"
        );
        running.client(1);
    }
    let forced = reload(&running, &["--force"]);
    let told = String::from_utf8_lossy(&forced.stdout).into_owned();
    assert_eq!(
        forced.status.code(),
        Some(0),
        "{told}{}",
        String::from_utf8_lossy(&forced.stderr)
    );
    assert!(told.starts_with("applied: generation 2 runs"), "{told}");
    assert!(std::net::TcpStream::connect(running.address(0)).is_err());
    let back = running.text(&["a"]);
    running.write(format!(
        "control: {{socket: control.sock}}\nmanagement: {{port: 0}}\n{back}"
    ));
    assert_eq!(reload(&running, &[]).status.code(), Some(0));
    running.client(0);
}
