// kproxy as a library: a proxy in this process, another configuration for it, and its end.
// `cargo run --example library` runs it; the documentation of the crate shows it, and tests/it/library.rs runs it, too.

use std::error::Error;
use std::path::Path;

use kproxy::app::{Exit, Proxy};
use kproxy::model::{self, ProxyModel};
use kproxy::reload::Outcome;

/// A file of virtual clusters with these names, each at a port of the operating system's choice.
fn file(names: &[&str]) -> String {
    let mut text = "virtualClusters:\n".to_owned();
    for name in names {
        text += &format!(
            "  - name: {name}
    targetCluster: {{bootstrapServers: '127.0.0.1:9092'}}
    gateways:
      - name: local
        portIdentifiesNode: {{bootstrapAddress: '127.0.0.1:0'}}
"
        );
    }
    text
}

/// Reads and checks a configuration. All faults are found at once.
fn load(path: &Path) -> Result<ProxyModel, Box<dyn Error>> {
    model::load(path).map_err(|faults| {
        let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
        faults.join("\n").into()
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("kproxy-library-{}.yaml", std::process::id()));
    std::fs::write(&path, file(&["orders"]))?;

    // From here on clients can connect.
    let proxy = Proxy::start(load(&path)?)?;
    let orders = proxy.bootstrap("orders", "local").ok_or("no such gateway")?;
    eprintln!("clients of `orders` connect to {orders}");

    // Another cluster comes; connections of `orders` do not notice.
    std::fs::write(&path, file(&["orders", "payments"]))?;
    let report = proxy.reload(load(&path)?).ok_or("the proxy has ended")?;
    assert_eq!(report.outcome, Outcome::Applied);
    assert_eq!(proxy.bootstrap("orders", "local"), Some(orders));
    assert!(proxy.bootstrap("payments", "local").is_some());

    // Sessions are asked to leave, and have `network.proxy.shutdownTimeout` for it.
    let exit = proxy.shutdown();
    assert!(matches!(exit, Some(Exit::Drained(drained)) if drained.forced == 0));
    std::fs::remove_file(&path)?;
    Ok(())
}
