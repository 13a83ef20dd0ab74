//! Point 9: files with keys, certificates, trust and revocation lists.

use std::path::Path;

use kproxy::config::{self, Sources};
use kproxy::pki::{CertificateFacts, Identity, PrivateKey, RevocationLists, TrustStore};

use proptest::prelude::*;

use super::CANARY;
use super::secured::{Fixture, KEY, with_tls};

/// The password of every encrypted key in `fixtures/pki`.
const PASSWORD: &str = "s3cret";

fn pki_file(name: &str) -> Vec<u8> {
    std::fs::read(Path::new("tests/fixtures/pki").join(name)).unwrap()
}

fn identity(certificate: &str, key: &str, password: Option<&str>) -> Result<Identity, String> {
    let password = password.map(str::as_bytes);
    Identity::from_pem(&pki_file(certificate), &pki_file(key), password).map_err(|why| why.to_string())
}

#[track_caller]
fn refused(certificate: &str, key: &str, password: Option<&str>) -> String {
    let why = identity(certificate, key, password).expect_err("accepted");
    assert!(!why.contains(PASSWORD), "{why}");
    why
}

#[test]
fn keys_of_every_form_are_the_same_key() {
    let plain = identity("ec.pem", "ec.key", None).unwrap();
    let pkcs8 = identity("ec.pem", "ec-pkcs8.key", None).unwrap();
    assert!(!plain.has_content_of(&pkcs8), "told apart by their bytes");
    identity("rsa.pem", "rsa.key", None).unwrap();
    identity("rsa.pem", "rsa-pkcs8.key", None).unwrap();
    for encrypted in [
        "enc-aes-256-cbc-hmacWithSHA256.key",
        "enc-aes-256-cbc-hmacWithSHA384.key",
        "enc-aes-128-cbc-hmacWithSHA1.key",
        "enc-aes-128-cbc-hmacWithSHA512.key",
        "enc-aes-192-cbc.key",
    ] {
        let opened = identity("ec.pem", encrypted, Some(PASSWORD)).unwrap();
        assert!(opened.has_content_of(&pkcs8), "{encrypted}");
        for wrong in ["", "s3cre", "S3CRET"] {
            let why = refused("ec.pem", encrypted, Some(wrong));
            assert_eq!(why, "the password does not open the key");
        }
        assert_eq!(
            refused("ec.pem", encrypted, None),
            "the key is encrypted, `keyPassword` is needed"
        );
    }
    assert!(
        PrivateKey::from_pem(&pki_file("enc-aes-192-cbc.key"), Some(b"s3cret"))
            .unwrap()
            .was_encrypted()
    );
    assert!(
        !PrivateKey::from_pem(&pki_file("ec.key"), None)
            .unwrap()
            .was_encrypted()
    );
}

#[test]
fn other_encryption_names_the_command_that_converts_it() {
    for other in [
        "enc-legacy.key",
        "enc-pbe.key",
        "enc-scrypt.key",
        "enc-des3-hmacWithSHA256.key",
    ] {
        let why = refused("ec.pem", other, Some(PASSWORD));
        assert!(
            why.contains("`openssl pkcs8 -topk8 -v2 aes-256-cbc "),
            "{other}: {why}"
        );
    }
}

#[test]
fn what_is_in_the_wrong_place_is_named() {
    for (certificate, key, expected) in [
        (
            "ec.key",
            "ec.key",
            "no certificate in the file, it holds something else and a private key",
        ),
        (
            "ec.pem",
            "ec.pem",
            "no private key in the file, it holds a certificate",
        ),
        (
            "ec.pem",
            "rsa.key",
            "the private key does not belong to the certificate",
        ),
        (
            "store.p12",
            "ec.key",
            "a PKCS12 store, not PEM: `openssl pkcs12 -nodes -in FILE -out FILE.pem` converts it",
        ),
        ("cert.der", "ec.key", "DER, not PEM: "),
    ] {
        let why = refused(certificate, key, None);
        assert!(why.starts_with(expected), "{why}");
    }
    let pem = |certificate: &[u8], key: &[u8]| {
        Identity::from_pem(certificate, key, None)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(pem(b" \n", &pki_file("ec.key")), "the file is empty");
    assert_eq!(pem(&pki_file("ec.pem"), b""), "the file is empty");
    assert!(pem(b"\xfe\xed\xfe\xed\0\0\0\x02", b"").contains("keytool -importkeystore"));
    assert!(pem(b"hello", b"").contains("expected PEM"));
    let broken = String::from_utf8(pki_file("ec.pem"))
        .unwrap()
        .replace("MII", "!!!");
    assert_eq!(pem(broken.as_bytes(), b""), "broken PEM: invalid base64");
    let cut = &pki_file("ec.pem")[..200];
    assert_eq!(pem(cut, b""), "broken PEM: a section has no `-----END …-----`");
}

#[test]
fn a_chain_begins_with_the_certificate_of_the_key() {
    let (ec, rsa) = (pki_file("ec.pem"), pki_file("rsa.pem"));
    let wrong = [rsa.clone(), ec.clone()].concat();
    let why = Identity::from_pem(&wrong, &pki_file("ec.key"), None)
        .unwrap_err()
        .to_string();
    assert!(
        why.contains("certificate 2 of the file, which must come first"),
        "{why}"
    );
    // Whatever else is in the file, certificate and key are found.
    let all = [pki_file("ec.key"), ec, b"a remark\n".to_vec(), rsa].concat();
    let identity = Identity::from_pem(&all, &all, None).unwrap();
    assert_eq!(identity.facts().len(), 2);
    let facts = &identity.facts()[0];
    assert_eq!(facts.subject, "CN=ec,O=Fixture\\, Inc.");
    assert_eq!(facts.dns_names, ["localhost", "*.k.example.com"]);
    assert!(facts.covers("127.0.0.1") && facts.covers("x.k.example.com"));
    let ends: Vec<i64> = identity.facts().iter().map(|facts| facts.not_after).collect();
    assert_eq!(identity.not_after(), ends.iter().min().copied());
}

#[test]
fn nothing_of_a_key_is_shown() {
    let key = pki_file("ec-pkcs8.key");
    let body = String::from_utf8(key.clone()).unwrap();
    let body = body.lines().nth(1).unwrap();
    let identity = Identity::from_pem(&pki_file("ec.pem"), &key, None).unwrap();
    let shown = format!(
        "{identity:?} {:#?} {:?}",
        identity,
        PrivateKey::from_pem(&key, None).unwrap()
    );
    assert!(!shown.contains(&body[..16]) && shown.contains("***"), "{shown}");
}

#[test]
fn trust_and_revocation_lists_are_not_empty() {
    assert!(
        TrustStore::from_pem(b"")
            .unwrap_err()
            .to_string()
            .contains("empty")
    );
    let why = TrustStore::from_pem(&pki_file("ec.key")).unwrap_err().to_string();
    assert!(why.starts_with("no certificate in the file"), "{why}");
    let why = RevocationLists::from_pem(&pki_file("ec.pem"))
        .unwrap_err()
        .to_string();
    assert_eq!(why, "no revocation list in the file, it holds a certificate");
    let store = TrustStore::from_pem(&[pki_file("ec.pem"), pki_file("rsa.pem")].concat()).unwrap();
    assert_eq!((store.facts().len(), store.roots().len()), (2, 2));
    assert!(
        store
            .facts()
            .iter()
            .map(|facts: &CertificateFacts| facts.not_after)
            .min()
            == store.not_after()
    );
}

/// Every byte of an encrypted key may be anything, and nothing panics or takes long.
#[test]
fn a_damaged_encrypted_key_is_refused() {
    let sound = pki_file("enc-aes-256-cbc-hmacWithSHA256.key");
    let original = Identity::from_pem(&pki_file("ec.pem"), &sound, Some(b"s3cret")).unwrap();
    let first = sound.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    for at in first..sound.len() - 40 {
        for byte in [b'A', b'\n'] {
            let mut damaged = sound.clone();
            damaged[at] = byte;
            // Some changes mean nothing: in the padding, or the byte that was there before.
            match Identity::from_pem(&pki_file("ec.pem"), &damaged, Some(b"s3cret")) {
                Ok(opened) => assert!(opened.has_content_of(&original), "another key at {at}"),
                Err(why) => assert!(!why.to_string().contains(PASSWORD)),
            }
        }
    }
}

proptest! {
    /// Whatever a certificate is made of, it is understood or refused.
    #[test]
    fn no_certificate_makes_the_parser_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut der = pki_file("cert.der");
        for (at, byte) in changes {
            let at = at.index(der.len());
            der[at] = byte;
        }
        if let Ok(facts) = CertificateFacts::of(&der.into()) {
            prop_assert!(!facts.subject.contains('\n'));
        }
    }
}

#[test]
fn violations_name_key_file_and_reason() {
    let fixture = Fixture::new();
    fixture.write("encrypted.key", pki_file("enc-aes-256-cbc-hmacWithSHA256.key"));
    fixture.write("ec.pem", pki_file("ec.pem"));
    fixture.write("password", "wrong\n");
    fixture.write("empty", "\n");
    for (tls, expected) in [
        (
            "key: {certificateFile: none.crt, privateKeyFile: tls.key}",
            "5:106: error: `none.crt`: cannot read the file: No such file or directory\n",
        ),
        (
            "key: {certificateFile: tls.key, privateKeyFile: tls.crt}",
            "5:106: error: `tls.key`: no certificate in the file, it holds a private key\nproxy.yaml:5:131: error: `tls.crt`: no private key in the file, it holds a certificate\n",
        ),
        (
            "key: {certificateFile: ec.pem, privateKeyFile: tls.key}",
            "5:130: error: `tls.key`: the private key does not belong to the certificate\n",
        ),
        (
            "key: {certificateFile: ec.pem, privateKeyFile: encrypted.key}",
            "5:130: error: `encrypted.key`: the key is encrypted, `keyPassword` is needed\n",
        ),
        (
            "key: {certificateFile: ec.pem, privateKeyFile: encrypted.key, keyPassword: {passwordFile: password}}",
            "5:130: error: `encrypted.key`: the password does not open the key\n",
        ),
        (
            "key: {certificateFile: ec.pem, privateKeyFile: encrypted.key, keyPassword: {passwordFile: empty}}",
            "5:173: error: `empty`: there is no password in its first line\n",
        ),
        (
            "key: {certificateFile: tls.crt, privateKeyFile: tls.key}, trust: {storeFile: tls.key}",
            "5:160: error: `tls.key`: no certificate in the file, it holds a private key\n",
        ),
        (
            "key: {certificateFile: tls.crt, privateKeyFile: tls.key}, trust: {storeFile: ca.pem}, crlFile: ca.pem",
            "5:178: error: `ca.pem`: no revocation list in the file, it holds a certificate\n",
        ),
    ] {
        let found = fixture.errors(&with_tls(tls));
        assert_eq!(found, format!("proxy.yaml:{expected}"), "{tls}");
    }
}

#[test]
fn a_password_opens_a_key_from_the_file_or_beside_it() {
    let fixture = Fixture::new();
    fixture.write(
        "both.pem",
        [pki_file("ec.pem"), pki_file("enc-aes-128-cbc-hmacWithSHA512.key")].concat(),
    );
    fixture.write("password", format!("{PASSWORD}\r\nand a remark\n"));
    for tls in [
        "key: {certificateFile: both.pem, privateKeyFile: both.pem, keyPassword: {password: s3cret}}",
        "key: {certificateFile: both.pem, privateKeyFile: both.pem, keyPassword: {passwordFile: password}}",
        "key: {storeFile: both.pem, storeType: PEM, storePassword: {passwordFile: password}}",
    ] {
        let model = fixture.model(&with_tls(tls));
        assert!(!format!("{model:?}").contains(PASSWORD));
    }
}

#[test]
fn material_counts_by_content() {
    let fixture = Fixture::new();
    fixture.write("password", "x\n");
    let yaml = with_tls(&format!("{KEY}, trust: {{storeFile: ca.pem}}, crlFile: crl.pem"));
    let yaml = yaml.replace(
        "\"127.0.0.1:1\"",
        "\"127.0.0.1:1\", tls: {trust: {storeFile: ca2.pem}}",
    );
    fixture.write("ca2.pem", fixture.read("ca.pem"));
    let loaded = fixture.load(&yaml);
    let before = loaded.model.unwrap();
    assert_eq!(fixture.model(&yaml), before);
    let names: Vec<String> = loaded
        .sources
        .files()
        .map(|file| file.file_name().unwrap().display().to_string())
        .collect();
    assert_eq!(
        names,
        ["proxy.yaml", "ca2.pem", "ca.pem", "crl.pem", "tls.crt", "tls.key"]
    );
    for (file, content) in [
        ("crl.pem", fixture.revocation_list(2039)),
        (
            "ca.pem",
            String::from_utf8(pki_file("rsa.pem")).unwrap() + &fixture.read("ca.pem"),
        ),
        ("ca2.pem", String::from_utf8(pki_file("rsa.pem")).unwrap()),
    ] {
        let sources = Sources::read(&fixture.path("proxy.yaml"));
        let earlier = fixture.model(&yaml);
        fixture.write(file, content);
        assert!(!sources.is_current(), "{file}");
        assert_ne!(
            sources.digest(),
            Sources::read(&fixture.path("proxy.yaml")).digest(),
            "{file}"
        );
        assert_ne!(fixture.model(&yaml), earlier, "{file}");
    }
    let earlier = fixture.model(&yaml);
    fixture.certify("tls", &["localhost"], (2020, 2040));
    assert_ne!(fixture.model(&yaml), earlier, "a renewed certificate");
}

#[test]
fn files_named_in_an_included_file_are_relative_to_it_and_watched() {
    let fixture = Fixture::new();
    std::fs::create_dir(fixture.path("sub")).unwrap();
    for file in ["tls.crt", "tls.key", "ca.pem"] {
        fixture.write(&format!("sub/{file}"), fixture.read(file));
        std::fs::remove_file(fixture.path(file)).unwrap();
    }
    let clusters = with_tls(&format!("{KEY}, trust: {{storeFile: ca.pem}}"));
    fixture.write("sub/clusters.yaml", &clusters);
    let loaded = fixture.load("reload: {include: [\"sub/*.yaml\"]}\n");
    loaded.model.unwrap();
    assert!(
        loaded
            .sources
            .files()
            .any(|file| file == fixture.path("sub/tls.key"))
    );
}

#[test]
fn secrets_do_not_show_in_the_decoded_configuration() {
    let bytes = std::fs::read("tests/fixtures/invalid/tls-files.yaml").unwrap();
    let parsed = config::parse(&bytes, "f.yaml");
    assert!(parsed.diagnostics.is_empty());
    let shown = format!("{:?}", parsed.config.unwrap());
    assert!(shown.contains("***") && !shown.contains(CANARY));
}

/// What Windows puts in front of text stands in front of everything that is read.
#[test]
fn a_byte_order_mark_is_no_content() {
    const MARK: &[u8] = b"\xef\xbb\xbf";
    let fixture = Fixture::new();
    let marked = |name: &str| {
        let content = [MARK, fixture.read(name).as_bytes()].concat();
        fixture.write(&format!("m-{name}"), content);
    };
    ["tls.crt", "tls.key", "ca.pem", "crl.pem"]
        .into_iter()
        .for_each(marked);
    let yaml = with_tls(
        "key: {certificateFile: m-tls.crt, privateKeyFile: m-tls.key}, trust: {storeFile: m-ca.pem}, crlFile: m-crl.pem",
    );
    fixture.model(&yaml);
    fixture.write("enc.key", pki_file("enc-aes-192-cbc.key"));
    fixture.write("ec.pem", pki_file("ec.pem"));
    fixture.write("password", [MARK, PASSWORD.as_bytes(), b"\r\n"].concat());
    fixture.write("token", [MARK, b"t0ken\r\n"].concat());
    let yaml = with_tls(
        "key: {certificateFile: ec.pem, privateKeyFile: enc.key, keyPassword: {passwordFile: password}}",
    );
    let model = fixture.model(&format!("management: {{tokenFile: token}}\n{yaml}"));
    assert_eq!(model.management.unwrap().token.unwrap().reveal(), "t0ken");
    // Two files of Windows put together.
    let chain = [
        fixture.read("tls.crt").as_bytes(),
        MARK,
        fixture.read("ca.pem").as_bytes(),
    ]
    .concat();
    fixture.write("chain.crt", chain);
    let inside = fixture.errors(&with_tls(
        "key: {certificateFile: chain.crt, privateKeyFile: tls.key}",
    ));
    assert!(
        inside.contains("`chain.crt`: a byte-order mark (BOM) at the beginning of line "),
        "{inside}"
    );
    let wide: Vec<u8> = [0xfeff_u16]
        .into_iter()
        .chain(fixture.read("tls.crt").encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    fixture.write("wide.crt", wide);
    let wide = fixture.errors(&with_tls(
        "key: {certificateFile: wide.crt, privateKeyFile: tls.key}",
    ));
    assert!(
        wide.contains("`wide.crt`: the file is UTF-16; save it as UTF-8"),
        "{wide}"
    );
}

/// The advice for a store is a command that works where it is pasted.
#[test]
fn the_command_for_a_store_works_as_it_is_told() {
    let fixture = Fixture::new();
    let openssl = |arguments: &str| {
        let mut command = std::process::Command::new("openssl");
        command.args(arguments.split(' ')).current_dir(fixture.path(""));
        command.output().ok().filter(|output| output.status.success())
    };
    if openssl("version").is_none() {
        eprintln!("skipped: there is no openssl");
        return;
    }
    let export = "pkcs12 -export -inkey tls.key -in tls.crt -certfile ca.pem -passout pass:s3cret";
    openssl(&format!("{export} -out store.p12")).unwrap();
    let old = openssl(&format!("{export} -legacy -out old.pfx")).is_some();
    for (store, _) in [("store.p12", true), ("old.pfx", old)]
        .into_iter()
        .filter(|(_, there)| *there)
    {
        for key in [
            format!("storeFile: {store}, storeType: PKCS12"),
            format!("certificateFile: {store}, privateKeyFile: {store}"),
        ] {
            let told = fixture.errors(&with_tls(&format!("key: {{{key}}}")));
            let command = told.split('`').find(|part| part.starts_with("openssl ")).unwrap();
            assert_eq!(command.contains("-legacy"), store == "old.pfx", "{command}");
            // The password is asked for.
            let answered = format!(
                "{} -passin pass:s3cret",
                command.strip_prefix("openssl ").unwrap()
            );
            openssl(&answered).unwrap_or_else(|| panic!("{command}"));
            let made = command.rsplit(' ').next().unwrap();
            fixture.allow(made, 0o600);
            fixture.model(&with_tls(&format!("key: {{storeFile: {made}, storeType: PEM}}")));
        }
    }
}
