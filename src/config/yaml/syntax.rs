//! Messages for text that is not YAML. They say what to do, and repeat no part of the file, which may be a password.

use granit_parser::{ErrorKind, ScanError};

use super::builder::pos;
use super::{MAX_DEPTH, YamlFault};
use crate::config::diagnostic::{FileId, Pos};

/// Marks that `git merge` leaves at the beginning of lines.
const CONFLICT: [&str; 2] = ["<<<<<<<", ">>>>>>>"];

/// Returns the reason why `text`, the content of `file`, cannot be parsed.
pub(super) fn fault(error: &ScanError, text: &str, file: FileId) -> YamlFault {
    let at = pos(error.marker(), file);
    if let Some(at) = conflict(text, file) {
        let why = "a merge conflict is left here: keep one of the versions and remove its marks";
        return YamlFault::new(at, why);
    }
    if let Some(tab) = tab(text, at, is_tab(error.kind())) {
        return YamlFault::new(tab, "a tab in the indentation: YAML indents with spaces");
    }
    if line(text, at).is_some_and(|line| line.contains("{{")) {
        return YamlFault::new(at, "a template that was not filled in: YAML has no `{{`");
    }
    let message = match error.kind() {
        ErrorKind::RecursionLimitExceeded => format!("nested more than {MAX_DEPTH} levels deep"),
        ErrorKind::UnclosedFlowCollection { open } => format!("`{open}` is never closed"),
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => format!("`{open}` is closed by `{close}`"),
        kind => words(kind).to_owned(),
    };
    YamlFault::new(at, message)
}

fn words(kind: &ErrorKind) -> &'static str {
    use ErrorKind as E;
    match kind {
        E::UnexpectedCharacter { .. } => "unexpected character; quote the value",
        E::BomInsideDocument => "a byte-order mark (BOM) inside the document; remove it",
        kind if is_tab(kind) => "a tab is not allowed here: YAML indents with spaces",
        E::UnexpectedEofFlowSequence => "the file ends inside a list: `]` is missing",
        E::UnexpectedEofFlowMapping | E::UnexpectedEofImplicitFlowMapping => {
            "the file ends inside a mapping: `}` is missing"
        }
        E::UnexpectedEof | E::UnexpectedEofBlockSequence | E::UnexpectedEofBlockMapping => {
            "the file ends too early: something is incomplete"
        }
        E::MisplacedFlowCollectionEnd => {
            "a closing bracket without an opening one; quote the value if the bracket belongs to it"
        }
        E::ExpectedFlowMappingSeparator => "expected `,` or `}` in a mapping that began with `{`",
        E::ExpectedFlowSequenceSeparator => "expected `,` or `]` in a list that began with `[`",
        E::BlockEntryInFlowCollection => "`- ` is not allowed between brackets: separate the items by `,`",
        E::ExpectedBlockMappingKey | E::SimpleKeyExpected | E::InvalidSimpleKey => {
            "expected `KEY: VALUE` here: compare the indentation with the lines above, and look for a missing `:` or quote"
        }
        E::ExpectedBlockSequenceEntry => "expected `- ` here: compare the indentation with the items above",
        E::InvalidIndentation | E::InvalidBlockScalarIndent | E::InvalidFlowScalarIndent => {
            "the indentation matches none of the lines above"
        }
        E::InvalidQuotedScalarIndent => {
            "a quoted value continues on this line: close the quote further up, or indent the line"
        }
        E::BlockSequenceEntryNotAllowed => "`- ` is not allowed here: a list begins on its own line",
        E::InvalidBlockEntryWhitespace => "`-` needs a space after it",
        E::MappingValueNotAllowed | E::InvalidColonPlacement | E::FlowMappingValueAdjacentCollection => {
            "`:` is not allowed here: quote the value if it contains `: `, or look in the line above for a missing `:` or for \
             a missing space after `:` or `-`"
        }
        E::MappingKeyNotAllowed => "`?` is not allowed here; quote the value",
        E::ExpectedNodeContent | E::PlainScalarStartsWithDashFlowIndicator => "expected a value here",
        E::UnclosedQuotedScalar => "a quote is never closed",
        E::DocumentIndicatorInQuotedScalar => "a quote is not closed before the end of the document",
        E::InvalidTrailingSingleQuotedScalar | E::InvalidTrailingDoubleQuotedScalar => {
            "text after a closing quote: quote the whole value, or close a quote further up"
        }
        E::UnknownQuotedScalarEscape
        | E::InvalidQuotedScalarHexEscape
        | E::InvalidLowSurrogateHexEscape
        | E::InvalidLowSurrogate
        | E::MissingLowSurrogate
        | E::UnpairedLowSurrogate
        | E::InvalidUnicodeEscape => {
            "an escape that YAML does not know: write a backslash as `\\\\` in double quotes, or use single quotes"
        }
        E::CommentNotSeparated | E::CommentInterceptedScalar => {
            "a comment cannot begin here: `#` needs a space before it, and a value cannot contain a comment"
        }
        E::ExpectedWhitespace => "a space is missing here",
        E::MissingAnchorOrAliasName => {
            "`&` and `*` need a name; quote the value if it begins with one of them"
        }
        E::UnknownAnchor => "alias to an unknown anchor; quote the value if it begins with `*`",
        E::ZeroBlockScalarIndent | E::InvalidBlockScalarHeader => {
            "expected the end of the line after `|` or `>`"
        }
        E::ExpectedDocumentStart | E::InvalidDocumentEnd => {
            "text that belongs to nothing above it: compare the indentation, and look for `...`"
        }
        _ => "invalid YAML",
    }
}

fn is_tab(kind: &ErrorKind) -> bool {
    use ErrorKind as E;
    matches!(
        kind,
        E::TabNotAllowed
            | E::TabInBlockIndentation
            | E::TabInIndentation
            | E::TabAtBlockScalarStart
            | E::TabInPlainScalar
    )
}

/// Returns the first line with a mark that a merge has left.
fn conflict(text: &str, file: FileId) -> Option<Pos> {
    let left = |line: &str| CONFLICT.iter().any(|mark| line.starts_with(mark));
    let (line, _) = (1_u32..).zip(text.lines()).find(|(_, line)| left(line))?;
    Some(Pos { file, line, col: 1 })
}

fn line(text: &str, at: Pos) -> Option<&str> {
    text.lines().nth(usize::try_from(at.line).ok()?.checked_sub(1)?)
}

/// Returns the first tab in the indentation of the line of `at`. With `further`, the lines below it are searched, too: a tab
/// may end a value that began above.
fn tab(text: &str, at: Pos, further: bool) -> Option<Pos> {
    let first = usize::try_from(at.line).ok()?.checked_sub(1)?;
    let lines = (at.line..).zip(text.lines().skip(first));
    let mut lines = lines.take(if further { usize::MAX } else { 1 });
    lines.find_map(|(line, text)| {
        let indentation = text.find(|c| !matches!(c, ' ' | '\t')).map(|end| &text[..end])?;
        let col = u32::try_from(indentation.find('\t')?).ok()?.checked_add(1)?;
        Some(Pos { line, col, ..at })
    })
}
