//! Promise 7: certificates and keys in every usual form.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
};

use super::kafka;
use testkit::{
    certificates::{Identity, KeyKind, Leaf, write},
    edge::{Edge, block, by_names, certificates, cluster, key, target, with_tls_key},
    kafka::Listener,
    openssl::{SClient, rewrite_key},
};

const PASSWORD: &str = "correct horse battery staple";

/// How a key is written, and what its file then begins with.
const FORMS: [(&str, KeyKind, &[&str], &str); 6] = [
    ("p8", KeyKind::P256, &[], "-----BEGIN PRIVATE KEY"),
    (
        "sec1",
        KeyKind::P256,
        &["-traditional"],
        "-----BEGIN EC PRIVATE KEY",
    ),
    ("p8-rsa", KeyKind::Rsa2048, &[], "-----BEGIN PRIVATE KEY"),
    (
        "p1-rsa",
        KeyKind::Rsa2048,
        &["-traditional"],
        "-----BEGIN RSA PRIVATE KEY",
    ),
    (
        "locked",
        KeyKind::P256,
        &["-aes256", "-passout", "pass:correct horse battery staple"],
        "-----BEGIN ENCRYPTED PRIVATE KEY",
    ),
    (
        "locked-rsa",
        KeyKind::Rsa2048,
        &["-aes256", "-passout", "pass:correct horse battery staple"],
        "-----BEGIN ENCRYPTED PRIVATE KEY",
    ),
];

fn issue(name: &str, kind: KeyKind) -> Identity {
    let leaf = Leaf::server(&[&format!("{name}.edge.test"), &format!("*.{name}.edge.test")]).key(kind);
    // With a chain, which the client needs to get to the root.
    certificates().edge.intermediate("between").issue(&leaf)
}

#[test]
fn keys_of_every_form_serve() {
    let Some(kafka) = kafka() else { return };
    let (port, directory) = (block(), tempfile::tempdir().unwrap());
    let password_file = write(directory.path(), "password", &format!("{PASSWORD}\n"));
    let mut gateways = Vec::new();
    for (name, kind, options, begins) in FORMS {
        let mut files = issue(name, kind).write(directory.path(), name);
        let rewritten = directory.path().join(format!("{name}.rewritten"));
        rewrite_key(&files.key, &rewritten, options);
        assert!(fs::read(&rewritten).unwrap().starts_with(begins.as_bytes()));
        files.key = rewritten;
        let secret = match name {
            "locked" => format!(", keyPassword: {{password: {PASSWORD}}}"),
            "locked-rsa" => format!(", keyPassword: {{passwordFile: {}}}", password_file.display()),
            _ => String::new(),
        };
        let written = key(&files).replace('}', &format!("{secret}}}"));
        gateways.push(with_tls_key(&by_names(name, name, port, port, ""), &written));
    }
    let edge = Edge::start(&[cluster(
        "orders",
        &target(kafka, Listener::Plaintext, None),
        &gateways,
    )]);
    for (name, ..) in FORMS {
        let host = format!("{name}.edge.test");
        let answer = SClient::named(port, &host)
            .trust(&certificates().edge_trust)
            .args(["-verify_hostname", &host])
            .run();
        assert!(answer.served && answer.verified(), "{name}: {answer:?}");
    }
    assert!(!edge.binary.log().contains(PASSWORD), "{}", edge.binary.log());
}

/// Found when the file is read, all at once and with file and reason; expiry and coverage are no errors.
#[test]
fn what_is_wrong_with_files_is_told_at_load() {
    let (directory, port) = (tempfile::tempdir().unwrap(), block());
    let path = |name: &str| directory.path().join(name);
    let [one, another] =
        ["one", "another"].map(|name| issue(name, KeyKind::P256).write(directory.path(), name));
    let locked = path("locked.key");
    rewrite_key(
        &one.key,
        &locked,
        &["-aes256", "-passout", &format!("pass:{PASSWORD}")],
    );
    let empty = write(directory.path(), "empty.crt", "nothing\n");
    let pair = |certificate: &Path, key: &Path, more: &str| {
        format!(
            "key: {{certificateFile: {}, privateKeyFile: {}{more}}}",
            certificate.display(),
            key.display()
        )
    };
    let complaints = [
        (pair(&one.certificate, &another.key, ""), "another.key"),
        (pair(&path("absent.crt"), &one.key, ""), "absent.crt"),
        (pair(&empty, &one.key, ""), "empty.crt"),
        (pair(&one.certificate, &locked, ""), "locked.key"),
        (
            pair(
                &one.certificate,
                &locked,
                ", keyPassword: {password: wrong-secret}",
            ),
            "locked.key",
        ),
    ];
    for (written, complaint) in complaints {
        let checked = check(directory.path(), port, &written);
        assert_eq!(checked.code, Some(2), "{written}: {checked:?}");
        assert!(checked.text.contains(complaint), "{written}: {checked:?}");
        assert!(!checked.text.contains("wrong-secret"), "{checked:?}");
    }

    let authority = &certificates().edge;
    let names = ["orders.edge.test", "*.orders.edge.test"];
    for (name, leaf, warning) in [
        ("late", Leaf::server(&names).expired(), "expired"),
        ("early", Leaf::server(&names).not_yet_valid(), "not valid"),
        ("elsewhere", Leaf::server(&["elsewhere.test"]), "does not cover"),
    ] {
        let files = authority.issue(&leaf).write(directory.path(), name);
        let checked = check(directory.path(), port, &key(&files));
        assert_eq!(checked.code, Some(0), "{name}: {checked:?}");
        assert!(checked.text.contains(warning), "{name}: {checked:?}");
    }

    let files = authority
        .issue(&Leaf::server(&names))
        .write(directory.path(), "fine");
    let fine = check(directory.path(), port, &key(&files));
    assert_eq!(fine.code, Some(0), "{fine:?}");
    // There is no broker.
    let mut warnings = fine.text.lines().filter(|line| line.contains("warning"));
    assert!(warnings.all(|line| line.contains("does not answer")), "{fine:?}");
    fs::set_permissions(&files.key, Permissions::from_mode(0o644)).unwrap();
    let open = check(directory.path(), port, &key(&files));
    assert_eq!(open.code, Some(0), "{open:?}");
    assert!(open.text.contains("may read the private key"), "{open:?}");
}

#[derive(Debug)]
struct Checked {
    code: Option<i32>,
    text: String,
}

/// What `kproxy check` makes of a gateway with this key.
fn check(directory: &Path, port: u16, written: &str) -> Checked {
    let gateway = with_tls_key(&by_names("names", "orders", port, port, ""), written);
    let clusters = cluster("orders", "{bootstrapServers: \"127.0.0.1:9092\"}", &[gateway]);
    let file = write(directory, "proxy.yaml", &format!("virtualClusters:\n{clusters}"));
    let output = Command::new(env!("CARGO_BIN_EXE_kproxy"))
        .args(["check", "-c"])
        .arg(file)
        .output()
        .unwrap();
    Checked {
        code: output.status.code(),
        text: String::from_utf8([output.stdout, output.stderr].concat()).unwrap(),
    }
}
