//! Clients in other languages at `SaslTermination`: each mechanism of each library, over several lifetimes of a login.
//!
//! They run with `KPROXY_TEST_CLIENTS=1`, which needs Go, Python and their registries.

use kproxy::session::cause::CloseCause;
use testkit::{
    other_clients::{Library, Task},
    topics,
};

use super::{LIFETIME, PASSWORD, PLAIN_USER, USER, WHILE, terminating};

const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];
const RECORDS: usize = 40;

/// A user that the library can log in as.
fn user(library: Library) -> &'static str {
    match library {
        // It does not write `,` and `=` in a name as RFC 5802 has it.
        Library::KafkaPython => PLAIN_USER,
        Library::FranzGo | Library::AioKafka => USER,
    }
}

/// Produces for longer than several logins last, and consumes. The application is told of no error. Returns how many sessions
/// kproxy ended because their login was over.
fn outlives_its_logins(library: Library, mechanism: &str) -> Option<u64> {
    let entry = terminating(Some(LIFETIME))?;
    let topic = format!("terminated-{library:?}-{mechanism}").to_lowercase();
    let task = Task {
        bootstrap: &entry.bootstrap(),
        mechanism,
        user: user(library),
        password: PASSWORD,
        topic: &topic,
        records: RECORDS,
        milliseconds: WHILE.as_millis(),
    };
    let tool = library.tool(&task)?;
    topics::create_spread(entry.cluster, &topic);
    let output = tool.run();
    assert!(output.success(), "{mechanism}: {output}");
    assert_eq!(output.stdout, format!("consumed {RECORDS}\n"), "{output}");
    assert_eq!(entry.closes(CloseCause::AuthenticationFailed), 0, "{output}");
    let expired = entry.closes(CloseCause::AuthenticationExpired);
    Some(expired)
}

#[test]
fn franz_go_authenticates_again_on_its_open_connections() {
    for mechanism in MECHANISMS {
        if let Some(expired) = outlives_its_logins(Library::FranzGo, mechanism) {
            assert_eq!(expired, 0, "{mechanism}");
        }
    }
}

#[test]
fn kafka_python_connects_again_when_its_login_is_over() {
    for mechanism in MECHANISMS {
        outlives_its_logins(Library::KafkaPython, mechanism);
    }
}

#[test]
fn aiokafka_connects_again_when_its_login_is_over() {
    for mechanism in MECHANISMS {
        outlives_its_logins(Library::AioKafka, mechanism);
    }
}

#[test]
fn a_wrong_password_is_told_to_clients_of_every_library() {
    for library in [Library::FranzGo, Library::KafkaPython, Library::AioKafka] {
        let Some(entry) = terminating(None) else { return };
        let task = Task {
            bootstrap: &entry.bootstrap(),
            mechanism: "SCRAM-SHA-256",
            user: user(library),
            password: "wrong",
            topic: "terminated-wrong",
            records: 1,
            milliseconds: 1,
        };
        let Some(tool) = library.tool(&task) else { return };
        let output = tool.run();
        assert!(!output.success(), "{output}");
        // kafka-python says that it cannot connect; it has the reason in its log of level INFO.
        if library != Library::KafkaPython {
            let said = output.stderr.to_lowercase();
            assert!(said.contains("authentication"), "{output}");
        }
        assert!(entry.closes(CloseCause::AuthenticationFailed) > 0, "{output}");
    }
}
