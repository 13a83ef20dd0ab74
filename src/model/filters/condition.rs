//! `when`: a condition on requests, an expression in CEL.
//!
//! What a client says of itself is a value in it and never a pattern: there is no `matches`.

use std::fmt;

/// A condition on requests.
#[derive(Clone)]
pub struct FilterCondition {
    source: String,
    program: program::ConditionProgram,
}

/// What a condition may ask about a request and its client.
#[derive(Debug, Clone, Copy)]
pub struct RequestFacts<'f> {
    /// `client.id`: the client id in the request; empty without one.
    pub client_id: &'f str,
    /// `client.address`: the IP address of the client.
    pub client_address: &'f str,
    /// `client.principals`: its names, such as `User:alice`.
    pub principals: &'f [String],
    /// `client.user`: its first name of kind `User`; empty while it is anonymous.
    pub user: &'f str,
    /// `client.mechanism`: the SASL mechanism; empty without SASL.
    pub mechanism: &'f str,
    /// `cluster`: the virtual cluster.
    pub cluster: &'f str,
    /// `gateway`: the gateway that the client came through.
    pub gateway: &'f str,
    /// `api.name`: the name of the API in Kafka's schemas.
    pub api_name: &'f str,
    /// `api.key`: its number.
    pub api_key: i16,
    /// `api.version`: the version of the request.
    pub api_version: i16,
}

/// Longest expression, in bytes.
const MAX_LENGTH: usize = 4096;

/// Number of brackets that may be open at a time: the parser calls itself for each.
const MAX_NESTING: usize = 24;

impl FilterCondition {
    /// Compiles an expression, and tries it.
    ///
    /// # Errors
    /// Why it is no condition.
    pub fn parse(source: &str) -> Result<Self, String> {
        if source.len() > MAX_LENGTH {
            return Err(format!("longer than {MAX_LENGTH} bytes"));
        }
        if nesting(source) > MAX_NESTING {
            return Err(format!("more than {MAX_NESTING} brackets are open at a time"));
        }
        let condition = Self {
            source: source.to_owned(),
            program: program::ConditionProgram::parse(source)?,
        };
        condition.holds(&EXAMPLE)?;
        Ok(condition)
    }

    /// Returns the expression.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it is true of a request.
    ///
    /// # Errors
    /// Why that cannot be said, such as an index beyond the end of a list.
    pub fn holds(&self, facts: &RequestFacts<'_>) -> Result<bool, String> {
        self.program.holds(facts)
    }
}

/// A request on which every expression is tried once.
const EXAMPLE: RequestFacts<'static> = RequestFacts {
    client_id: "",
    client_address: "127.0.0.1",
    principals: &[],
    user: "",
    mechanism: "",
    cluster: "",
    gateway: "",
    api_name: "Metadata",
    api_key: 3,
    api_version: 0,
};

/// The most brackets that are open at a time, those in texts included.
fn nesting(source: &str) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for byte in source.bytes() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

impl PartialEq for FilterCondition {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for FilterCondition {}

impl fmt::Debug for FilterCondition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("FilterCondition").field(&self.source).finish()
    }
}

#[cfg(feature = "cel")]
mod program {
    use std::collections::HashMap;
    use std::sync::Arc;

    use cel::{Context, Program, Value};

    use super::RequestFacts;
    use crate::config::suggestion;

    const VARIABLES: [&str; 4] = ["client", "cluster", "gateway", "api"];

    /// Beginnings of calls that name variables of their own.
    const MACROS: [&str; 5] = [".all(", ".exists(", ".exists_one(", ".map(", ".filter("];

    #[derive(Clone)]
    pub(super) struct ConditionProgram(Arc<Program>);

    impl ConditionProgram {
        pub(super) fn parse(source: &str) -> Result<Self, String> {
            let program = Program::compile(source).map_err(|errors| {
                let first = errors.errors.first();
                first.map_or_else(String::new, |error| {
                    let said = error.msg.lines().next().unwrap_or_default();
                    format!("line {}, column {}: {said}", error.pos.0, error.pos.1)
                })
            })?;
            if let Some(name) = unknown_variable(source, &program) {
                return Err(format!("there is no `{name}`{}", suggestion(&name, VARIABLES)));
            }
            Ok(Self(Arc::new(program)))
        }

        pub(super) fn holds(&self, facts: &RequestFacts<'_>) -> Result<bool, String> {
            match self.0.execute(&context(facts)) {
                Ok(Value::Bool(holds)) => Ok(holds),
                Ok(_) => Err("it is neither true nor false".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        }
    }

    /// A variable that no request has. Where the expression names variables of its own, only the example tells.
    fn unknown_variable(source: &str, program: &Program) -> Option<String> {
        if MACROS.iter().any(|name| source.contains(name)) {
            return None;
        }
        let references = program.references();
        let mut unknown = references.variables();
        unknown.retain(|name| !VARIABLES.contains(name));
        unknown.into_iter().min().map(str::to_owned)
    }

    fn context(facts: &RequestFacts<'_>) -> Context<'static, 'static> {
        let principals: Vec<Value> = facts
            .principals
            .iter()
            .map(|name| Value::from(name.as_str()))
            .collect();
        let client: HashMap<&str, Value> = HashMap::from([
            ("id", facts.client_id.into()),
            ("address", facts.client_address.into()),
            ("principals", principals.into()),
            ("user", facts.user.into()),
            ("mechanism", facts.mechanism.into()),
        ]);
        let api: HashMap<&str, Value> = HashMap::from([
            ("name", facts.api_name.into()),
            ("key", Value::Int(facts.api_key.into())),
            ("version", Value::Int(facts.api_version.into())),
        ]);
        let mut context = Context::default();
        context.add_variable_from_value("client", client);
        context.add_variable_from_value("api", api);
        context.add_variable_from_value("cluster", facts.cluster);
        context.add_variable_from_value("gateway", facts.gateway);
        context
    }
}

#[cfg(not(feature = "cel"))]
mod program {
    use super::RequestFacts;

    /// No program: this kproxy has no CEL.
    #[derive(Clone)]
    pub(super) enum ConditionProgram {}

    impl ConditionProgram {
        pub(super) fn parse(_source: &str) -> Result<Self, String> {
            Err("not supported: this kproxy is built without the feature `cel`".to_owned())
        }

        pub(super) fn holds(&self, _facts: &RequestFacts<'_>) -> Result<bool, String> {
            match *self {}
        }
    }
}

#[cfg(feature = "cel")]
#[cfg(test)]
mod tests {
    use super::*;

    fn holds(source: &str, principals: &[String]) -> bool {
        let facts = RequestFacts {
            client_id: "batch-7",
            user: "alice",
            principals,
            cluster: "orders",
            api_name: "Fetch",
            api_key: 1,
            ..EXAMPLE
        };
        FilterCondition::parse(source).unwrap().holds(&facts).unwrap()
    }

    #[test]
    fn conditions_speak_of_client_cluster_and_api() {
        let names = ["User:alice".to_owned(), "Group:batch".to_owned()];
        for yes in [
            "client.id.startsWith('batch-')",
            "client.user == 'alice' && cluster == 'orders'",
            "'Group:batch' in client.principals",
            "api.name in ['Fetch', 'Produce'] || api.key == 3",
            "client.principals.exists(name, name == 'User:alice')",
            "!(api.version > 0)",
        ] {
            assert!(holds(yes, &names), "{yes}");
        }
        assert!(!holds("client.address == '10.0.0.1'", &names));
    }

    #[test]
    fn what_is_no_condition_is_told() {
        for (wrong, said) in [
            ("client.id ==", "line 1, column "),
            ("clint.id == ''", "there is no `clint`, did you mean `client`?"),
            ("client.id", "it is neither true nor false"),
            ("client.id.matches('a.*')", ""),
            ("client.colour == ''", ""),
            ("", ""),
        ] {
            let why = FilterCondition::parse(wrong).unwrap_err();
            assert!(why.contains(said), "{wrong}: {why}");
        }
        assert!(
            FilterCondition::parse(&"(".repeat(1000))
                .unwrap_err()
                .contains("brackets")
        );
        assert!(
            FilterCondition::parse(&"a".repeat(5000))
                .unwrap_err()
                .contains("bytes")
        );
    }
}
