//! What can be said of TLS settings without opening a file.

use crate::config::schema::{DownstreamTls, Password, TlsKey, UpstreamTls};
use crate::config::{Errors, Spanned};

pub(super) fn check_downstream(tls: &DownstreamTls, errors: &mut Errors) {
    if let Some(key) = &tls.key {
        check_key(key, errors);
    }
    if let Some(trust) = &tls.trust {
        check_password(trust.value.store_password.as_ref(), errors);
        if trust.value.store_file.is_none() && trust.value.shape.is_sound() {
            errors.push(trust.at, "`trust` needs `storeFile`");
        }
    }
}

pub(super) fn check_upstream(tls: &UpstreamTls, errors: &mut Errors) {
    if let Some(key) = &tls.key {
        check_key(key, errors);
    }
    let Some(trust) = &tls.trust else { return };
    check_password(trust.value.store_password.as_ref(), errors);
    let insecure = trust.value.insecure.as_ref().filter(|insecure| insecure.value);
    if let (Some(insecure), Some(_)) = (insecure, &trust.value.store_file) {
        errors.push(
            insecure.key,
            "`insecure` trusts everyone, `storeFile` would have no effect",
        );
    }
}

/// A PEM pair or a store, whole.
fn check_key(key: &Spanned<TlsKey>, errors: &mut Errors) {
    let written = &key.value;
    check_password(written.key_password.as_ref(), errors);
    check_password(written.store_password.as_ref(), errors);
    if !written.shape.is_sound() {
        return;
    }
    match (
        &written.certificate_file,
        &written.private_key_file,
        &written.store_file,
    ) {
        (Some(_), Some(_), None) | (None, None, Some(_)) => {}
        (Some(_), _, Some(store)) | (_, Some(_), Some(store)) => {
            errors.push(store.key, "`storeFile` and a PEM pair exclude each other");
        }
        (Some(_), None, None) => errors.push(key.at, "`key` needs `privateKeyFile`"),
        (None, Some(_), None) => errors.push(key.at, "`key` needs `certificateFile`"),
        (None, None, None) => errors.push(key.at, "`key` needs `certificateFile` and `privateKeyFile`"),
    }
}

fn check_password(password: Option<&Spanned<Password>>, errors: &mut Errors) {
    let Some(password) = password else { return };
    match (&password.value.password, &password.value.password_file) {
        (Some(_), None) | (None, Some(_)) => {}
        (Some(_), Some(file)) => errors.push(file.key, "`password` and `passwordFile` exclude each other"),
        (None, None) if password.value.shape.is_sound() => {
            errors.push(password.at, "expected `password` or `passwordFile`");
        }
        (None, None) => {}
    }
}
