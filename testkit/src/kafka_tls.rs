//! The certificates of a test cluster, and what Kafka's own clients need of them.

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use super::certificates::{Authority, Files, Leaf, write};

/// A Kafka cluster with TLS listeners. Its files live as long as the cluster.
#[derive(Debug)]
pub struct KafkaTls {
    /// Issues the brokers' certificate.
    pub brokers: Authority,
    /// Issues certificates to clients of [`super::kafka::Listener::MutualSsl`].
    pub clients: Authority,
    /// What clients trust.
    pub broker_trust: PathBuf,
    /// What brokers trust.
    pub client_trust: PathBuf,
    /// The certificate all brokers have.
    pub broker: Files,
    /// A client that they accept.
    pub client: Files,
}

impl KafkaTls {
    /// For brokers of these names at 127.0.0.1.
    pub fn new(directory: &Path, names: &[String]) -> Self {
        let (brokers, clients) = (Authority::new("Kafka brokers"), Authority::new("Kafka clients"));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let broker = brokers.issue(&Leaf::server(&names).on_loopback());
        let client = clients.issue(&Leaf::client("accepted"));
        Self {
            broker_trust: write(directory, "brokers-ca.pem", &brokers.pem),
            client_trust: write(directory, "clients-ca.pem", &clients.pem),
            broker: broker.write(directory, "broker"),
            client: client.write(directory, "client"),
            brokers,
            clients,
        }
    }
}

/// A properties file for a Java client over TLS: whom it trusts and, if it has one, its certificate.
pub fn client_properties(directory: &Path, name: &str, trust: &Path, identity: Option<&Files>) -> PathBuf {
    let mut properties = format!(
        "security.protocol=SSL\nssl.truststore.type=PEM\nssl.truststore.location={}\n",
        trust.display()
    );
    if let Some(files) = identity {
        writeln!(
            properties,
            "ssl.keystore.type=PEM\nssl.keystore.location={}",
            files.both.display()
        )
        .unwrap();
    }
    write(directory, &format!("{name}.properties"), &properties)
}
