//! One line of YAML, read without the lines around it: enough to tell keys from values in a file that may be broken.

/// How a value begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueStart {
    Nothing,
    /// A block scalar, whose text is on the lines that follow.
    Block,
    /// A list or mapping in brackets.
    Flow,
    /// A quoted scalar, with its quotation mark.
    Quote(char),
    /// An anchor, alias or tag.
    Property,
    Plain,
}

impl ValueStart {
    pub(super) fn of(text: &str) -> Self {
        match text.chars().next() {
            None => Self::Nothing,
            Some('|' | '>') => Self::Block,
            Some('{' | '[') => Self::Flow,
            Some(quote @ ('"' | '\'')) => Self::Quote(quote),
            Some('&' | '*' | '!') => Self::Property,
            Some(_) => Self::Plain,
        }
    }
}

/// Splits `key: value` into the key with its colon, the name alone, and the rest. `None` for anything that is not plainly a
/// key.
pub(super) fn key_of(text: &str) -> Option<(&str, &str, &str)> {
    let (name, after) = match ValueStart::of(text) {
        ValueStart::Quote(quote) => {
            let name = unquoted(&text[1..], quote)?;
            (name, name.len() + 2)
        }
        _ => {
            let end = text.find(|found: char| !is_of_key(found)).unwrap_or(text.len());
            (&text[..end], end)
        }
    };
    let rest = &text[after..];
    let colon = rest.trim_start_matches(' ').strip_prefix(':')?;
    let is_key =
        !name.is_empty() && name.chars().all(is_of_key) && (colon.is_empty() || colon.starts_with(' '));
    let key = &text[..text.len() - colon.len()];
    is_key.then_some((key, name, colon))
}

fn is_of_key(found: char) -> bool {
    found.is_ascii_alphanumeric() || matches!(found, '_' | '-' | '.')
}

/// Returns what stands before the closing quotation mark; `None` if the text does not end on this line.
pub(super) fn unquoted(text: &str, quote: char) -> Option<&str> {
    let mut characters = text.char_indices().peekable();
    while let Some((at, found)) = characters.next() {
        match found {
            '\\' if quote == '"' => {
                characters.next();
            }
            // Two apostrophes are one.
            '\'' if quote == '\'' && characters.peek().is_some_and(|(_, next)| *next == '\'') => {
                characters.next();
            }
            _ if found == quote => return Some(&text[..at]),
            _ => {}
        }
    }
    None
}

/// Splits a comment off a value that begins on this line. Returns whether there was one.
pub(super) fn comment_of(text: &str) -> (&str, bool) {
    let value = match ValueStart::of(text) {
        ValueStart::Quote(quote) => match unquoted(&text[1..], quote) {
            // Nothing but a comment may follow; what does is dropped with it.
            Some(inside) => &text[..inside.len() + 2],
            None => text,
        },
        // Comments in brackets are found where these are read.
        ValueStart::Flow => text,
        _ if text.starts_with('#') => "",
        _ => text.split(" #").next().unwrap_or(text),
    };
    (
        value.trim_end_matches(' '),
        value.len() < text.trim_end_matches(' ').len(),
    )
}
