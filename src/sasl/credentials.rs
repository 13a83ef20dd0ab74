//! The users of a server and their verifiers, as a file of text keeps them.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use super::{ScramHash, ScramVerifier};

/// Longest name of a user in bytes.
pub const MAX_NAME: usize = 256;

/// The users of a server with their verifiers. Equal files are equal values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CredentialSet {
    /// The verifiers of each user are shared with the sessions that they have let in.
    users: BTreeMap<Box<str>, Arc<Vec<ScramVerifier>>>,
}

/// Line of a credential file that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialError {
    /// Number of the line, from 1.
    pub line: usize,
    /// What is wrong with it, without its contents.
    pub why: String,
}

impl CredentialSet {
    /// Reads a file with one verifier a line: `name:SCRAM-SHA-256$iterations:salt$storedKey:serverKey`. Empty lines and those that
    /// begin with `#` count for nothing. One user may have a verifier for each mechanism.
    ///
    /// # Errors
    /// The first line that is not one.
    pub fn parse(text: &str) -> Result<Self, CredentialError> {
        let mut set = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let added = read_line(line).and_then(|(name, verifier)| set.add(name, verifier));
            added.map_err(|why| CredentialError { line: index + 1, why })?;
        }
        Ok(set)
    }

    /// Adds a verifier of a user.
    ///
    /// # Errors
    /// The name is none, or the user has a verifier of this mechanism.
    pub fn add(&mut self, name: &str, verifier: ScramVerifier) -> Result<(), String> {
        check_name(name)?;
        let of_user = self.users.entry(name.into()).or_default();
        if of_user.iter().any(|other| other.hash() == verifier.hash()) {
            let mechanism = verifier.hash().mechanism();
            return Err(format!("the user has two verifiers for {mechanism}"));
        }
        Arc::make_mut(of_user).push(verifier);
        Ok(())
    }

    /// The verifier of a user for a mechanism.
    pub fn verifier(&self, name: &str, hash: ScramHash) -> Option<&ScramVerifier> {
        self.users
            .get(name)?
            .iter()
            .find(|verifier| verifier.hash() == hash)
    }

    /// Whether any user has a verifier of this mechanism.
    pub fn has(&self, hash: ScramHash) -> bool {
        self.usual_iterations(Some(hash)).is_some()
    }

    /// The first verifier of a user.
    pub fn any_verifier(&self, name: &str) -> Option<&ScramVerifier> {
        self.users.get(name)?.first()
    }

    /// The verifiers of a user.
    pub fn verifiers(&self, name: &str) -> Option<&Arc<Vec<ScramVerifier>>> {
        self.users.get(name)
    }

    /// The names of the users.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.users.keys().map(|name| &**name)
    }

    /// The most frequent number of iterations: a phantom with another would stand out.
    pub fn usual_iterations(&self, hash: Option<ScramHash>) -> Option<NonZeroU32> {
        let mut counts: BTreeMap<NonZeroU32, usize> = BTreeMap::new();
        let all = self.users.values().flat_map(|of_user| of_user.iter());
        for verifier in all.filter(|verifier| hash.is_none_or(|hash| verifier.hash() == hash)) {
            *counts.entry(verifier.iterations()).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count);
        most.map(|(iterations, _)| iterations)
    }

    /// A secret that follows from the first user, the same wherever the users are the same. `None`: there are none.
    pub fn phantom_secret(&self) -> Option<[u8; 32]> {
        let (_, verifiers) = self.users.first_key_value()?;
        let secret = verifiers
            .first()?
            .server_signature(b"kproxy: salts of users that do not exist");
        secret.first_chunk().copied()
    }

    /// Number of users.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether there are no users.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }
}

/// Checks the name of a user.
///
/// # Errors
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > MAX_NAME {
        return Err(format!(
            "the name has {} bytes, where 1 to {MAX_NAME} are allowed",
            name.len()
        ));
    }
    match name.chars().any(char::is_control) {
        true => Err("the name has control characters".into()),
        false => Ok(()),
    }
}

/// The name may have colons: a verifier has exactly two.
fn read_line(line: &str) -> Result<(&str, ScramVerifier), String> {
    let start = line
        .find(":SCRAM-")
        .ok_or("it is not name:MECHANISM$iterations:salt$storedKey:serverKey")?;
    let verifier = ScramVerifier::parse(&line[start + 1..])?;
    Ok((&line[..start], verifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, hash: ScramHash, iterations: u32) -> String {
        let iterations = NonZeroU32::new(iterations).unwrap();
        format!(
            "{name}:{}",
            ScramVerifier::of_password(hash, "secret", b"salt", iterations)
        )
    }

    #[test]
    fn a_file_names_users_and_their_verifiers() {
        let text = [
            "# users".to_owned(),
            String::new(),
            line("alice", ScramHash::Sha256, 4096),
            line("alice", ScramHash::Sha512, 8192),
            format!("  {}\r", line("host:8080,x=y", ScramHash::Sha256, 4096)),
        ]
        .join("\n");
        let set = CredentialSet::parse(&text).unwrap();
        assert_eq!(set.len(), 2);
        assert!(
            set.verifier("alice", ScramHash::Sha512)
                .unwrap()
                .fits_password("secret")
        );
        assert!(set.verifier("host:8080,x=y", ScramHash::Sha512).is_none());
        assert!(set.any_verifier("host:8080,x=y").is_some());
        assert!(set.any_verifier("Alice").is_none());
        assert_eq!(set.usual_iterations(None), NonZeroU32::new(4096));
        assert_eq!(
            set.usual_iterations(Some(ScramHash::Sha512)),
            NonZeroU32::new(8192)
        );
        assert_eq!(CredentialSet::default().usual_iterations(None), None);
    }

    #[test]
    fn a_line_that_is_none_is_named_by_its_number() {
        let good = line("alice", ScramHash::Sha256, 4096);
        for bad in [
            "alice:secret",
            "alice",
            &good[5..],
            &format!("al\u{7}ice{}", &good[5..]),
            &format!("{}{}", "n".repeat(257), &good[5..]),
            &good,
        ] {
            let error = CredentialSet::parse(&format!("{good}\n\n{bad}\n")).unwrap_err();
            assert_eq!(error.line, 3, "{bad}");
            assert!(!error.why.contains("secret"), "{}", error.why);
        }
    }
}
