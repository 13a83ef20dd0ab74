//! Reader of a text of rules, in the grammar of Kroxylicious' ACL files.
//!
//! ```text
//! text   = [ "version" "1" ";" ] import* deny* allow* "otherwise" "deny" ";"
//! import = "from" PACKAGE "import" CLASS [ "as" NAME ] { "," CLASS [ "as" NAME ] } ";"
//! deny   = "deny"  "User" "with" "name" users "to" operations TYPE "with" "name" names ";"
//! allow  = "allow" …
//! ```
//!
//! It reads on behind an error, so that all of them are told at once.

use super::imports::Imports;
use super::lexer::{AclLexer, Lexeme, LexemeKind};
use super::{AclDocument, AclFault, AclOperation, AclResource, AclRule, NameMatch, OperationSet};
use super::{RuleEffect, RulePlace, literal};
use crate::config::{quoted, suggestion};

/// Number of errors after which reading stops.
const MAX_FAULTS: usize = 100;

/// Number of characters of a rule that are kept for people.
const MAX_SHOWN: usize = 200;

/// Words that begin a statement.
const STATEMENTS: [&str; 4] = ["from", "deny", "allow", "otherwise"];

/// An error was told; the rest of the statement is not read.
#[derive(Debug)]
struct Told;

type AclResult<T> = Result<T, Told>;

/// Reads a text of rules.
///
/// # Errors
/// Every error, in the order of the text.
pub fn parse_rules(text: &str) -> Result<AclDocument, Vec<AclFault>> {
    AclParser::new(text).document()
}

#[derive(Debug)]
struct AclParser<'t> {
    text: &'t str,
    lexer: AclLexer<'t>,
    next: Lexeme<'t>,
    /// Line of the word before it; 0 at the beginning.
    last_line: u32,
    imports: Imports,
    faults: Vec<AclFault>,
    document: AclDocument,
}

impl<'t> AclParser<'t> {
    fn new(text: &'t str) -> Self {
        let mut lexer = AclLexer::new(text);
        Self {
            text,
            next: lexer.next(),
            last_line: 0,
            lexer,
            imports: Imports::default(),
            faults: Vec::new(),
            document: AclDocument::default(),
        }
    }

    fn document(mut self) -> Result<AclDocument, Vec<AclFault>> {
        let mut first_allow = None;
        let mut is_first = true;
        while self.faults.len() < MAX_FAULTS {
            let begin = self.next;
            let read = match begin.kind {
                LexemeKind::End => {
                    let _: Told = self.fault(begin, "the last statement, `otherwise deny;`, is missing");
                    break;
                }
                LexemeKind::Word("otherwise") => {
                    if self.end().is_ok() {
                        break;
                    }
                    Err(Told)
                }
                LexemeKind::Word("version") if is_first => self.version(),
                LexemeKind::Word("from") => self.import(first_allow.is_some()),
                LexemeKind::Word("deny") => self.rule(RuleEffect::Deny, first_allow),
                LexemeKind::Word("allow") => {
                    first_allow.get_or_insert(begin.line);
                    self.rule(RuleEffect::Allow, None)
                }
                _ => Err(self.unknown_statement(begin)),
            };
            is_first = false;
            if read.is_err() {
                self.skip_statement();
            }
        }
        self.finish()
    }

    fn finish(mut self) -> Result<AclDocument, Vec<AclFault>> {
        if !self.faults.is_empty() {
            self.faults.sort();
            return Err(self.faults);
        }
        self.document.governed = self.imports.governed();
        let used = |resource| self.document.rules.iter().any(|rule| rule.resource == resource);
        let warnings = self.imports.warnings(used);
        self.document.warnings.extend(warnings);
        self.document.warnings.sort();
        Ok(self.document)
    }

    fn unknown_statement(&mut self, begin: Lexeme<'t>) -> Told {
        match begin.kind {
            LexemeKind::Word("import") => {
                self.fault(begin, "an import is written `from PACKAGE import CLASS as NAME;`")
            }
            LexemeKind::Word(word) => {
                let message = format!(
                    "unknown statement {}{}",
                    quoted(word),
                    suggestion(word, STATEMENTS)
                );
                self.fault(begin, message)
            }
            _ => self.unexpected("a statement: `from`, `deny`, `allow` or `otherwise`"),
        }
    }

    fn version(&mut self) -> AclResult<()> {
        self.take();
        match self.next.kind {
            LexemeKind::Number("1") => self.take(),
            LexemeKind::Number(_) => {
                return Err(self.fault(self.next, "only version 1 of the rules is supported"));
            }
            _ => return Err(self.unexpected("the version, `1`")),
        };
        self.sign(';')
    }

    fn end(&mut self) -> AclResult<()> {
        self.take();
        self.keyword("deny")?;
        self.sign(';')?;
        if self.next.kind != LexemeKind::End {
            let _: Told = self.fault(self.next, "nothing may follow `otherwise deny;`");
        }
        Ok(())
    }

    fn import(&mut self, is_late: bool) -> AclResult<()> {
        let from = self.take();
        if is_late || !self.document.rules.is_empty() {
            return Err(self.fault(from, "imports stand before all rules"));
        }
        let mut package = self
            .word("a package, such as `io.kroxylicious.filter.authorization`")?
            .1
            .to_owned();
        while self.next.kind == LexemeKind::Sign('.') {
            self.take();
            package.push('.');
            package.push_str(self.word("the next part of the package")?.1);
        }
        self.keyword("import")?;
        loop {
            let (at, class) = self.word("a class, such as `TopicResource`")?;
            let (local_at, local) = if self.next.kind == LexemeKind::Word("as") {
                self.take();
                self.word("a name for the class")?
            } else {
                (at, class)
            };
            // A wrong class does not hide the next one.
            if let Err((at, message)) = self.imports.add(&package, (at, class), (local_at, local)) {
                let _: Told = self.fault(at, message);
            }
            match self.next.kind {
                LexemeKind::Sign(',') => self.take(),
                LexemeKind::Sign(';') => break,
                _ => return Err(self.unexpected("`,` or `;`")),
            };
        }
        self.sign(';')
    }

    fn rule(&mut self, effect: RuleEffect, after_allow: Option<u32>) -> AclResult<()> {
        let begin = self.take();
        if let Some(line) = after_allow {
            let message = format!("all `deny` stand before the first `allow`, which is on line {line}");
            let _: Told = self.fault(begin, message);
        }
        let (at, kind) = self.word("the type of principal, `User`")?;
        if let Err(message) = self.imports.principal(kind) {
            let _: Told = self.fault(at, message);
        }
        self.with_name()?;
        let users = self.users()?;
        self.keyword("to")?;
        let operations = self.operation_words()?;
        let (at, local) = self.word("a type of resource, such as `Topic`")?;
        let resource = match self.imports.resource(local) {
            Ok(resource) => Some(resource),
            Err(message) => {
                let _: Told = self.fault(at, message);
                None
            }
        };
        let operations = resource.map(|resource| self.operations(resource, operations));
        self.with_name()?;
        let names = self.names()?;
        let end = self.next.end;
        self.sign(';')?;
        if let (Some(resource), Some(operations)) = (resource, operations) {
            self.document.rules.push(AclRule {
                effect,
                users,
                operations,
                resource,
                names,
                place: RulePlace {
                    line: begin.line,
                    col: begin.col,
                    text: shown(&self.text[begin.start..end]).into(),
                },
            });
        }
        Ok(())
    }

    fn with_name(&mut self) -> AclResult<()> {
        self.keyword("with")?;
        self.keyword("name")
    }

    /// Names of users, which are never patterns.
    fn users(&mut self) -> AclResult<NameMatch> {
        if self.next.kind == LexemeKind::Word("matching") {
            let message = "`matching` is for names of resources; users are named by `*`, `=`, `in` or `like`";
            return Err(self.fault(self.next, message));
        }
        self.plain_names("`*`, `=`, `in` or `like`")
    }

    fn names(&mut self) -> AclResult<NameMatch> {
        if self.next.kind != LexemeKind::Word("matching") {
            return self.plain_names("`*`, `=`, `in`, `like` or `matching`");
        }
        self.take();
        let at = self.next;
        let (LexemeKind::Expression(raw) | LexemeKind::Text(raw)) = at.kind else {
            return Err(self.unexpected("a regular expression in slashes"));
        };
        self.take();
        match literal::matching(raw) {
            Ok((pattern, lost)) => {
                if let Some(lost) = lost {
                    self.document.warnings.push(lost_backslash(at, lost));
                }
                Ok(NameMatch::Pattern(pattern))
            }
            Err(bad) => {
                let col = at.col + 1 + u32::try_from(bad.at).unwrap_or_default();
                let message = format!("the regular expression is not valid: {}", bad.message);
                Err(self.fault(Lexeme { col, ..at }, message))
            }
        }
    }

    fn plain_names(&mut self, expected: &str) -> AclResult<NameMatch> {
        match self.next.kind {
            LexemeKind::Sign('*') => {
                self.take();
                Ok(NameMatch::Any)
            }
            LexemeKind::Sign('=') => {
                self.take();
                let (_, raw) = self.literal()?;
                Ok(NameMatch::OneOf(vec![literal::unquoted(raw).into()]))
            }
            LexemeKind::Word("in") => {
                self.take();
                let raw = self.list(Self::literal)?;
                Ok(literal::one_of(
                    raw.into_iter().map(|(_, raw)| literal::unquoted(raw)),
                ))
            }
            LexemeKind::Word("like") => {
                self.take();
                let (at, raw) = self.literal()?;
                literal::like(raw).map_err(|message| self.fault(at, message))
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    /// The operations that are written; `None` for `*`.
    fn operation_words(&mut self) -> AclResult<Option<Vec<(Lexeme<'t>, &'t str)>>> {
        let word = |parser: &mut Self| parser.word("an operation, such as `READ`");
        match self.next.kind {
            LexemeKind::Sign('*') => {
                self.take();
                Ok(None)
            }
            LexemeKind::Sign('{') => self.list(word).map(Some),
            _ => Ok(Some(vec![word(self)?])),
        }
    }

    fn operations(
        &mut self,
        resource: AclResource,
        words: Option<Vec<(Lexeme<'t>, &'t str)>>,
    ) -> OperationSet {
        let valid = resource.operations();
        let Some(words) = words else {
            return valid;
        };
        let mut found = OperationSet::NONE;
        for (at, word) in words {
            match AclOperation::from_name(word).filter(|operation| valid.contains(*operation)) {
                Some(operation) => found = found.union(OperationSet::of(&[operation])),
                None => {
                    let near = suggestion(word, valid.iter().map(AclOperation::name));
                    let message = format!("{} has no operation {}{near}", resource.name(), quoted(word));
                    let _: Told = self.fault(at, message);
                }
            }
        }
        found
    }

    /// `{ITEM, ITEM}` with at least one item.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> AclResult<T>) -> AclResult<Vec<T>> {
        self.sign('{')?;
        let mut found = vec![item(self)?];
        while self.next.kind == LexemeKind::Sign(',') {
            self.take();
            found.push(item(self)?);
        }
        match self.next.kind {
            LexemeKind::Sign('}') => self.sign('}')?,
            _ => return Err(self.unexpected("`,` or `}`")),
        }
        Ok(found)
    }

    fn literal(&mut self) -> AclResult<(Lexeme<'t>, &'t str)> {
        match self.next.kind {
            LexemeKind::Text(raw) => Ok((self.take(), raw)),
            _ => Err(self.unexpected("a name in double quotes")),
        }
    }

    fn word(&mut self, expected: &str) -> AclResult<(Lexeme<'t>, &'t str)> {
        match self.next.kind {
            LexemeKind::Word(word) => Ok((self.take(), word)),
            _ => Err(self.unexpected(expected)),
        }
    }

    fn keyword(&mut self, keyword: &'static str) -> AclResult<()> {
        if self.next.kind != LexemeKind::Word(keyword) {
            return Err(self.unexpected(&quoted(keyword)));
        }
        self.take();
        Ok(())
    }

    fn sign(&mut self, sign: char) -> AclResult<()> {
        if self.next.kind != LexemeKind::Sign(sign) {
            return Err(self.unexpected(&format!("`{sign}`")));
        }
        self.take();
        Ok(())
    }

    fn take(&mut self) -> Lexeme<'t> {
        self.last_line = self.next.line;
        std::mem::replace(&mut self.next, self.lexer.next())
    }

    /// Tells that `expected` was expected in place of the next word.
    fn unexpected(&mut self, expected: &str) -> Told {
        let found = match self.next.kind {
            LexemeKind::Word(word) | LexemeKind::Number(word) => quoted(word),
            LexemeKind::Text(_) => "a text in quotes".to_owned(),
            LexemeKind::Expression(_) => "an expression".to_owned(),
            LexemeKind::Sign(sign) | LexemeKind::Stray(sign) => quoted(sign.encode_utf8(&mut [0; 4])),
            LexemeKind::Unclosed(why) => return self.fault(self.next, why),
            LexemeKind::End => "the end of the rules".to_owned(),
        };
        self.fault(self.next, format!("expected {expected}, found {found}"))
    }

    fn fault(&mut self, at: Lexeme<'t>, message: impl Into<String>) -> Told {
        self.faults.push(AclFault {
            line: at.line,
            col: at.col,
            message: message.into(),
        });
        Told
    }

    /// Skips to the statement behind the next `;`, or to one that begins a line: there a `;` was forgotten.
    fn skip_statement(&mut self) {
        loop {
            match self.next.kind {
                LexemeKind::End => return,
                LexemeKind::Word(word) if self.next.line > self.last_line && STATEMENTS.contains(&word) => {
                    return;
                }
                LexemeKind::Sign(';') => {
                    self.take();
                    return;
                }
                _ => self.take(),
            };
        }
    }
}

fn lost_backslash(at: Lexeme<'_>, lost: char) -> AclFault {
    let shown = lost.escape_debug();
    AclFault {
        line: at.line,
        col: at.col,
        message: format!(
            "the backslash before `{shown}` is removed before the expression is read, as in Kroxylicious: write `\\\\{shown}` if `\\{shown}` is meant"
        ),
    }
}

/// A statement on one line, shortened.
fn shown(statement: &str) -> String {
    let mut text = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((at, _)) = text.char_indices().nth(MAX_SHOWN) {
        text.truncate(at);
        text.push('…');
    }
    text
}
