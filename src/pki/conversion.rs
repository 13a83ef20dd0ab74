//! Shell commands that convert an unsupported file into a supported one.

use std::path::{Path, PathBuf};

/// Way to convert the content of a file to supported PEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conversion {
    /// A PKCS#12 store (RFC 7292). `legacy` says that it uses ciphers of OpenSSL's legacy provider.
    Pkcs12 {
        /// Whether OpenSSL needs its legacy provider.
        legacy: bool,
    },
    /// A store in one of Java's own formats, JKS or JCEKS.
    Jks,
    /// DER, with the OpenSSL command for its kind.
    Der(&'static str),
    /// A private key with unsupported encryption. `legacy` says that it uses ciphers of OpenSSL's legacy provider.
    Key {
        /// Whether OpenSSL needs its legacy provider.
        legacy: bool,
    },
}

impl Conversion {
    /// The conversion of a PKCS#12 store with this content.
    pub fn of_pkcs12(content: &[u8]) -> Self {
        Self::Pkcs12 {
            legacy: needs_legacy(content),
        }
    }

    /// The commands for the file at `path`, each in backquotes, ready to be pasted into a shell.
    pub fn commands(self, path: &Path) -> String {
        let input = quote(path);
        match self {
            Self::Pkcs12 { legacy } => format!(
                "`openssl pkcs12{} -nodes -in {input} -out {}` converts it",
                if legacy { " -legacy" } else { "" },
                quote(&beside(path, "pem"))
            ),
            Self::Jks => {
                let store = beside(path, "p12");
                format!(
                    "`keytool -importkeystore -srckeystore {input} -destkeystore {store} -deststoretype PKCS12` and \
                     `openssl pkcs12 -nodes -in {store} -out {}` convert it",
                    quote(&beside(path, "pem")),
                    store = quote(&store),
                )
            }
            Self::Der(command) => format!(
                "`openssl {command} -inform DER -in {input} -out {}` converts it",
                quote(&beside(path, "pem"))
            ),
            Self::Key { legacy } => {
                let providers = if legacy {
                    " -provider legacy -provider default"
                } else {
                    ""
                };
                format!(
                    "`openssl pkcs8 -topk8 -v2 aes-256-cbc{providers} -in {input} -out {}` converts it",
                    quote(&beside(path, "aes.key"))
                )
            }
        }
    }
}

/// The name of the converted file: never that of the file itself.
fn beside(path: &Path, extension: &str) -> PathBuf {
    let named = path.with_extension(extension);
    if named == path {
        path.with_extension(format!("converted.{extension}"))
    } else {
        named
    }
}

/// A path as one word for a shell, and never an option.
fn quote(path: &Path) -> String {
    let text = path.to_string_lossy();
    let text = if text.starts_with('-') {
        format!("./{text}")
    } else {
        text.into_owned()
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./+:@%-,".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text;
    }
    let quoted = text.replace('\'', r"'\''");
    // A name with a line end would break the message. Such a command is for reading, not for pasting.
    format!("'{}'", quoted.replace(|c: char| c.is_control(), "?"))
}

/// Whether DER names a cipher that OpenSSL 3 keeps in its legacy provider: RC2, RC4 or DES.
pub(super) fn needs_legacy(der: &[u8]) -> bool {
    // 1.2.840.113549.1.12.1 (RFC 7292 §C) and 1.2.840.113549.1.5 (RFC 8018 §C), with the last part that follows.
    const PKCS12_PBE: &[u8] = &[0x06, 0x0a, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01];
    const PKCS5_PBE: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05];
    const RC2_CBC: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, 0x02];
    const DES_CBC: &[u8] = &[0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x07];
    let followed_by = |oid: &[u8], last: &[u8]| {
        der.windows(oid.len() + 1)
            .any(|piece| piece.starts_with(oid) && piece.last().is_some_and(|part| last.contains(part)))
    };
    let holds = |oid: &[u8]| der.windows(oid.len()).any(|piece| piece == oid);
    followed_by(PKCS12_PBE, &[1, 2, 5, 6])
        || followed_by(PKCS5_PBE, &[1, 3, 4, 6, 10, 11])
        || holds(RC2_CBC)
        || holds(DES_CBC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_the_names_of_the_files() {
        let of = |conversion: Conversion, path: &str| conversion.commands(Path::new(path));
        assert_eq!(
            of(Conversion::Pkcs12 { legacy: false }, "tls/store.p12"),
            "`openssl pkcs12 -nodes -in tls/store.p12 -out tls/store.pem` converts it"
        );
        assert_eq!(
            of(Conversion::Pkcs12 { legacy: true }, "/a b/it's.pem"),
            r"`openssl pkcs12 -legacy -nodes -in '/a b/it'\''s.pem' -out '/a b/it'\''s.converted.pem'` converts it"
        );
        assert_eq!(
            of(Conversion::Der("x509"), "-c.der"),
            "`openssl x509 -inform DER -in ./-c.der -out ./-c.pem` converts it"
        );
        assert_eq!(
            of(Conversion::Key { legacy: false }, "tls.key"),
            "`openssl pkcs8 -topk8 -v2 aes-256-cbc -in tls.key -out tls.aes.key` converts it"
        );
        assert!(
            of(Conversion::Jks, "t.jks").contains("-destkeystore t.p12 -deststoretype PKCS12` and `openssl")
        );
    }
}
