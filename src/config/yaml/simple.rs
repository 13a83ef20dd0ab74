//! A fast parser for the YAML that most configurations consist of.
//!
//! The general parser takes longer for a file of ten thousand clusters than everything else in a reload. This parser reads,
//! at a fraction of the cost, block collections with identifiers as keys, whose values are plain or quoted scalars or flow
//! collections, each on one line. At anything else it gives up, and the general parser reads the whole file. So it reports
//! no error, and must build exactly the tree that the general parser builds; a test compares the two.

use std::borrow::Cow;

use super::{MAX_DEPTH, MAX_SCALAR, NodeIndex, NodeKind, StoredNode, Tree};
use crate::config::diagnostic::{FileId, Pos};

/// Length of the longest key, in bytes. The schema has no longer one.
const MAX_KEY: usize = 64;

/// Parses `text`. Returns `None` if the general parser must do it. `limit` is the number of nodes that the tree may have.
pub(super) fn compose(text: &str, file: FileId, limit: usize) -> Option<Tree<'_>> {
    let mut reader = SimpleParser {
        lines: SourceLines::of(text),
        file,
        nodes: Vec::new(),
        limit,
    };
    reader.lines.advance()?;
    let start = reader.lines.current?;
    // A document may also be indented, be a list, or be a single word.
    if start.indent != 0 || start.is_item() {
        return None;
    }
    reader.mapping(start, 0)?;
    (reader.lines.current.is_none() && !reader.lines.odd).then_some(Tree { nodes: reader.nodes })
}

/// The rest of a line that is not empty.
#[derive(Clone, Copy)]
struct SourceLine<'s> {
    number: u32,
    /// Number of columns before `rest`.
    indent: usize,
    rest: &'s str,
}

impl<'s> SourceLine<'s> {
    fn is_item(&self) -> bool {
        self.rest.starts_with("- ")
    }

    /// Returns the line without its first `bytes` bytes and the spaces after them.
    fn after(&self, bytes: usize) -> Option<Self> {
        let behind: &'s str = self.rest.get(bytes..)?;
        let rest = behind.trim_start_matches(' ');
        Some(Self {
            indent: self.indent + bytes + (behind.len() - rest.len()),
            rest,
            ..*self
        })
    }
}

/// Iterator over the lines that have more than space and comments.
struct SourceLines<'s> {
    left: &'s str,
    number: u32,
    current: Option<SourceLine<'s>>,
    /// Whether the text has something that this parser does not read.
    odd: bool,
}

impl<'s> SourceLines<'s> {
    fn of(text: &'s str) -> Self {
        Self {
            left: text,
            number: 0,
            current: None,
            odd: !text
                .bytes()
                .all(|byte| byte == b'\n' || matches!(byte, b' '..=b'~')),
        }
    }

    /// Moves to the next line. Returns `None` if this parser does not read it.
    fn advance(&mut self) -> Option<()> {
        self.current = None;
        while !self.left.is_empty() && !self.odd {
            let (line, left) = self.left.split_once('\n').unwrap_or((self.left, ""));
            (self.left, self.number) = (left, self.number.checked_add(1)?);
            let rest = line.trim_start_matches(' ');
            if rest.is_empty() || rest.starts_with('#') {
                continue;
            }
            // Document markers and directives.
            self.odd = line.starts_with("---") || line.starts_with("...") || line.starts_with('%');
            self.current = Some(SourceLine {
                number: self.number,
                indent: line.len() - rest.len(),
                rest,
            });
            break;
        }
        (!self.odd).then_some(())
    }
}

struct SimpleParser<'s> {
    /// Makes the current line the next one again.
    lines: SourceLines<'s>,
    file: FileId,
    nodes: Vec<StoredNode<'s>>,
    limit: usize,
}

impl<'s> SimpleParser<'s> {
    fn add(&mut self, line: &SourceLine<'s>, kind: NodeKind<'s>) -> Option<NodeIndex> {
        if self.nodes.len() >= self.limit {
            return None;
        }
        let id = NodeIndex::try_from(self.nodes.len()).ok()?;
        let at = Pos {
            file: self.file,
            line: line.number,
            col: u32::try_from(line.indent).ok()?.checked_add(1)?,
        };
        self.nodes.push(StoredNode { at, kind });
        Some(id)
    }

    fn set(&mut self, id: NodeIndex, kind: NodeKind<'s>) -> Option<()> {
        self.nodes.get_mut(id as usize)?.kind = kind;
        Some(())
    }

    /// Parses the mapping whose first key is at the beginning of `first`, and moves to the line after it.
    fn mapping(&mut self, first: SourceLine<'s>, depth: usize) -> Option<NodeIndex> {
        if depth >= MAX_DEPTH {
            return None;
        }
        let id = self.add(&first, NodeKind::Mapping(Vec::new()))?;
        let mut entries = Vec::new();
        let mut line = first;
        loop {
            let (key, value) = self.key(&line)?;
            entries.push((key, self.value(value, first.indent, depth)?));
            match self.lines.current {
                Some(next) if next.indent == first.indent && !next.is_item() => line = next,
                // A line that is indented further continues the scalar.
                Some(next) if next.indent > first.indent => return None,
                _ => break,
            }
        }
        self.set(id, NodeKind::Mapping(entries))?;
        Some(id)
    }

    /// Parses a key. Returns it with the rest of the line after its colon.
    fn key(&mut self, line: &SourceLine<'s>) -> Option<(NodeIndex, SourceLine<'s>)> {
        let length = line.rest.bytes().position(|byte| !byte.is_ascii_alphanumeric())?;
        let key = line.rest.get(..length)?;
        let behind = line.rest.get(length..)?;
        let is_key = (1..=MAX_KEY).contains(&length) && (behind == ":" || behind.starts_with(": "));
        if !is_key {
            return None;
        }
        Some((self.add(line, scalar(key, true))?, line.after(length + 1)?))
    }

    /// Parses the value of a key of a mapping at `indent`, on the same line or below.
    fn value(&mut self, line: SourceLine<'s>, indent: usize, depth: usize) -> Option<NodeIndex> {
        if !is_end(&line, true) {
            let id = self.on_one_line(line, depth)?;
            self.lines.advance()?;
            return Some(id);
        }
        self.lines.advance()?;
        let next = self.lines.current?;
        match next.is_item() {
            true if next.indent > indent => self.sequence(next, next, depth + 1),
            // The general parser gives such a list the position of its first item's content.
            true if next.indent == indent => self.sequence(next, next.after(1)?, depth + 1),
            false if next.indent > indent => self.mapping(next, depth + 1),
            // There is no value.
            _ => None,
        }
    }

    /// Parses the list whose first item is on `first` and whose position is `at`, and moves to the line after it.
    fn sequence(&mut self, first: SourceLine<'s>, at: SourceLine<'s>, depth: usize) -> Option<NodeIndex> {
        if depth >= MAX_DEPTH {
            return None;
        }
        let id = self.add(&at, NodeKind::Sequence(Vec::new()))?;
        let mut items = Vec::new();
        let mut line = first;
        loop {
            let item = line.after(1)?;
            let is_word = item.rest.starts_with(|c: char| c.is_ascii_alphanumeric());
            let is_mapping = is_word && (item.rest.contains(": ") || item.rest.ends_with(':'));
            if is_mapping {
                items.push(self.mapping(item, depth + 1)?);
            } else {
                items.push(self.on_one_line(item, depth)?);
                self.lines.advance()?;
            }
            match self.lines.current {
                Some(next) if next.indent == first.indent && next.is_item() => line = next,
                Some(next) if next.indent > first.indent => return None,
                _ => break,
            }
        }
        self.set(id, NodeKind::Sequence(items))?;
        Some(id)
    }

    /// Parses a value that takes the rest of the line.
    fn on_one_line(&mut self, line: SourceLine<'s>, depth: usize) -> Option<NodeIndex> {
        let (id, end) = self.node(line, depth + 1, false)?;
        // A comment needs a space before it.
        let apart =
            end.indent > line.indent + (line.rest.len() - end.rest.len()) || ends_in_space(&line, &end);
        is_end(&end, apart).then_some(id)
    }

    /// Parses a scalar or a flow collection. Returns it with the rest of the line after the spaces that follow.
    fn node(
        &mut self,
        line: SourceLine<'s>,
        depth: usize,
        in_flow: bool,
    ) -> Option<(NodeIndex, SourceLine<'s>)> {
        match line.rest.as_bytes().first()? {
            b'[' => self.flow(line, depth, b']'),
            b'{' => self.flow(line, depth, b'}'),
            quote @ (b'\'' | b'"') => {
                let text = line.rest.get(1..)?;
                let length = text.bytes().position(|byte| byte == *quote || byte == b'\\')?;
                let closed = text.as_bytes().get(length) == Some(quote);
                let behind = text.as_bytes().get(length + 1);
                // Two quotes stand for one character.
                if !closed || behind == Some(quote) || length > MAX_SCALAR {
                    return None;
                }
                let id = self.add(&line, scalar(text.get(..length)?, false))?;
                Some((id, line.after(length + 2)?))
            }
            _ => {
                let length = plain_length(line.rest, in_flow)?;
                let id = self.add(&line, scalar(line.rest.get(..length)?, true))?;
                Some((id, line.after(length)?))
            }
        }
    }

    fn flow(&mut self, line: SourceLine<'s>, depth: usize, close: u8) -> Option<(NodeIndex, SourceLine<'s>)> {
        if depth >= MAX_DEPTH {
            return None;
        }
        let is_mapping = close == b'}';
        let empty = if is_mapping {
            NodeKind::Mapping(Vec::new())
        } else {
            NodeKind::Sequence(Vec::new())
        };
        let id = self.add(&line, empty)?;
        let (mut entries, mut items) = (Vec::new(), Vec::new());
        let mut next = line.after(1)?;
        if next.rest.as_bytes().first()? == &close {
            return Some((id, next.after(1)?));
        }
        loop {
            let behind = if is_mapping {
                let (key, value) = self.key(&next)?;
                let (value, behind) = self.node(value, depth + 1, true)?;
                entries.push((key, value));
                behind
            } else {
                let (item, behind) = self.node(next, depth + 1, true)?;
                items.push(item);
                behind
            };
            next = behind.after(1)?;
            match behind.rest.as_bytes().first()? {
                b',' => {}
                end if *end == close => break,
                _ => return None,
            }
        }
        let filled = if is_mapping {
            NodeKind::Mapping(entries)
        } else {
            NodeKind::Sequence(items)
        };
        self.set(id, filled)?;
        Some((id, next))
    }
}

fn scalar(text: &str, plain: bool) -> NodeKind<'_> {
    NodeKind::Scalar {
        text: Cow::Borrowed(text),
        plain,
    }
}

/// Whether nothing but a comment follows on this line. `apart`: whether there is a space before `rest`.
fn is_end(line: &SourceLine<'_>, apart: bool) -> bool {
    line.rest.is_empty() || apart && line.rest.starts_with('#')
}

/// Whether there is a space before `end`, a later part of `line`.
fn ends_in_space(line: &SourceLine<'_>, end: &SourceLine<'_>) -> bool {
    let before = line.rest.len() - end.rest.len();
    line.rest.get(..before).is_some_and(|text| text.ends_with(' '))
}

/// Returns the length in bytes of the plain scalar at the beginning of `text`.
fn plain_length(text: &str, in_flow: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    if !matches!(bytes.first()?, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'$') {
        return None;
    }
    let mut end = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => {}
            b'/' | b'.' | b'_' | b'-' | b'$' | b'(' | b')' | b'+' | b'=' | b'@' | b'%' => {}
            // A colon inside a word, such as before a port.
            b':' if bytes.get(at + 1).is_some_and(u8::is_ascii_alphanumeric) => {}
            b',' if !in_flow => {}
            b',' | b']' | b'}' if in_flow => break,
            b' ' if bytes.get(at + 1) == Some(&b'#') => break,
            b' ' => continue,
            _ => return None,
        }
        end = at + 1;
    }
    (end <= MAX_SCALAR).then_some(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = include_str!("../../../config/proxy.yaml");

    const SEEDS: &[&str] = &[
        "a: b",
        "a:\n- b\n- c: d\n  e: 'f, # g'\nh: {}\n",
        "a:\n  - {name: x, start: 0, end: 2}   # comment\n  - [1, 2, [k:1], \"x: y\"]\nb: $(c).d:9, e:7 # f\n",
        "\n# comment\na:\n\n   # comment\n    b: c # comment\n    d: []\n# comment",
        "a:\n  - b:\n    - c\n    -  d:\n         e: f\n       g: h\n  - i: [j, {k: l}]\n    m: 'n'\n",
    ];

    fn simple(text: &str) -> Option<String> {
        compose(text, FileId::MAIN, 100_000).map(|tree| format!("{:?}", tree.nodes))
    }

    fn general(text: &str) -> String {
        match super::super::builder::compose(text, FileId::MAIN) {
            Ok(Some(tree)) => format!("{:?}", tree.nodes),
            other => format!("{other:?}"),
        }
    }

    /// Whether this parser was used.
    fn agree(text: &str) -> bool {
        let Some(simple) = simple(text) else { return false };
        assert_eq!(simple, general(text), "{text}");
        true
    }

    #[test]
    fn usual_files_take_the_shortcut() {
        assert!(agree(EXAMPLE));
        for text in SEEDS {
            assert!(agree(text), "{text}");
        }
    }

    #[test]
    fn whatever_is_unusual_is_left_to_the_general_parser() {
        for text in [
            "",
            "#",
            "a",
            "- a",
            " a: b",
            "a:",
            "a: |\n b",
            "a: >\n b",
            "a: &b c",
            "a: !!str b",
            "a: b\n c",
            "a: b: c",
            "a: \u{fc}",
            "a:\tb",
            "a: b\r\n",
            "--- \na: b",
            "a: b\n...\n",
            "%YAML 1.2\na: b",
            "a: 'b''c'",
            "a: \"b\\n\"",
            "a: [b,]",
            "a: [b: c]",
            "a: {b}",
            "a: {b:}",
            "a: [b\n]",
            "a: b#c",
            "a: 'b'#c",
            "a: 'b' c",
            "a:\n - b\n  - c",
            "a:\n  b: c\n d: e",
            "? a\n: b",
            "<<: {a: b}",
            "a: *b",
            "a: ~",
            "a: -1",
            "a: - b",
            "a: @b",
            "a:\n  - - b",
            "a:\n  -\n    b: c",
            "a: [,b]",
            "a: []]",
            "a: {b: c}}",
            "\"a\": b",
            "a:\n  - b\n  c: d",
            "a: []#",
            "a: b:",
            "a: [b:]",
        ] {
            assert_eq!(simple(text), None, "{text:?}");
        }
    }

    #[test]
    fn depth_and_size_are_bounded() {
        assert_eq!(
            simple(&format!("a: {}{}", "[".repeat(1000), "]".repeat(1000))),
            None
        );
        let deep: String = (0..1000)
            .map(|depth| format!("{}a:\n", " ".repeat(depth)))
            .collect();
        assert_eq!(simple(&deep), None);
        assert_eq!(simple(&format!("a: {}", "x".repeat(MAX_SCALAR + 1))), None);
        assert!(compose("a: [b, c]", FileId::MAIN, 4).is_none());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2048, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn agrees_on_a_slip(at in any::<prop::sample::Index>(), cut in 0_usize..12, put in "[0-9a-z:$(){}\\[\\],.'\"# \n-]{0,8}") {
            let mut text = EXAMPLE.to_owned();
            let at = at.index(text.len());
            text.replace_range(at..(at + cut).min(text.len()), &put);
            agree(&text);
        }

        #[test]
        fn agrees_on_several_slips(
            seed in prop::sample::select(SEEDS),
            slips in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..3, "[a1:,(){}\\[\\]'\"# \n-]{0,3}"), 1..5),
        ) {
            let mut text = seed.to_owned();
            for (at, cut, put) in slips {
                let at = at.index(text.len() + 1);
                text.replace_range(at..(at + cut).min(text.len()), &put);
            }
            agree(&text);
        }
    }
}
