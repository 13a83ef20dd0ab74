//! The file of `clientsFile`: credentials by the principal of the client.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{BrokerMechanism, LoginSource, TokenGrant, UserLogin, read};
use crate::config::schema::UpstreamSasl;
use crate::config::{Secret, Spanned, quoted};
use crate::model::scope::Scope;

/// Number of clients that a file may have.
const MAX_CLIENTS: usize = 100_000;

/// Credentials by the name of the principal.
type Clients = BTreeMap<String, LoginSource>;

/// Reads the file; `None` after an error that was reported.
pub(super) fn resolve(
    written: &Spanned<UpstreamSasl>,
    mechanism: BrokerMechanism,
    scope: &mut Scope<'_>,
) -> Option<Arc<Clients>> {
    let sasl = &written.value;
    let Some(file) = &sasl.clients_file else {
        if sasl.shape.is_sound() {
            let why = "`credentials: perClient` needs `clientsFile`";
            scope.errors.push(written.at, why);
        }
        return None;
    };
    let grant = match mechanism {
        BrokerMechanism::OauthBearer => match read::endpoint(sasl, scope)? {
            Some(grant) => Some(grant),
            None => {
                let why = "`perClient` with OAUTHBEARER needs `tokenEndpointUrl`";
                scope.errors.push(written.at, why);
                return None;
            }
        },
        _ => None,
    };
    let content = read::content(file, "clientsFile", scope)?;
    match parse(&content, grant.as_ref()) {
        Ok(clients) => {
            read::warn_of_mode(file, "the passwords", scope);
            Some(Arc::new(clients))
        }
        Err((line, why)) => {
            let path = scope.config.path(file);
            let path = quoted(&path.to_string_lossy());
            let why = format!("`clientsFile`: line {line} of {path}: {why}");
            scope.errors.push(file.at, why);
            None
        }
    }
}

/// Reads the lines. Errors have the number of the line, and never a part of it.
fn parse(content: &str, grant: Option<&TokenGrant>) -> Result<Clients, (usize, &'static str)> {
    let mut clients = Clients::new();
    for (index, line) in content.lines().enumerate() {
        let wrong = |why| (index + 1, why);
        let line = line.trim_end_matches('\r');
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let mut parts = line.splitn(3, ':');
        let (Some(principal), Some(username), Some(password)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong("expected PRINCIPAL:USERNAME:PASSWORD"));
        };
        if principal.is_empty() || username.is_empty() || password.is_empty() || line.contains('\0') {
            return Err(wrong("expected PRINCIPAL:USERNAME:PASSWORD, none of them empty"));
        }
        let client = UserLogin {
            username: username.to_owned(),
            password: Secret::new(password),
        };
        let source = match grant {
            Some(grant) => LoginSource::Grant(TokenGrant {
                client,
                ..grant.clone()
            }),
            None => LoginSource::User(client),
        };
        if clients.insert(principal.to_owned(), source).is_some() {
            return Err(wrong("the principal has a line before"));
        }
        if clients.len() > MAX_CLIENTS {
            return Err(wrong("the file has too many clients"));
        }
    }
    Ok(clients)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_principal_user_and_password() {
        let text = "# clients\n\nalice:svc-alice:a:b#c \nCN=bob,OU=ops:svc-bob:x\r\n";
        let clients = parse(text, None).unwrap();
        let user = |username: &str, password: &str| {
            LoginSource::User(UserLogin {
                username: username.to_owned(),
                password: Secret::new(password),
            })
        };
        assert_eq!(clients["alice"], user("svc-alice", "a:b#c "));
        assert_eq!(clients["CN=bob,OU=ops"], user("svc-bob", "x"));
        assert_eq!(clients.len(), 2);
    }

    #[test]
    fn a_wrong_line_is_named_by_its_number_alone() {
        for (text, line) in [
            ("alice:svc", 1),
            ("# x\nalice::hunter2", 2),
            (":svc:hunter2", 1),
            ("alice:svc:", 1),
            ("a:b:c\n\na:d:hunter2", 3),
        ] {
            let (at, why) = parse(text, None).unwrap_err();
            assert_eq!(at, line, "{text}");
            assert!(!why.contains("hunter2"));
        }
        assert_eq!(parse("", None), Ok(Clients::new()));
    }
}
