//! The place of every virtual cluster in a text, so that only what differs between two texts needs to be decoded.
//!
//! Only texts that the fast parser reads have an outline. There every item of a list consists of whole lines that mean the
//! same wherever the item stands: no anchor, no scalar of several lines, no other notation reaches across.

use std::ops::Range;

use super::yaml;

/// Bytes that are compared at a time.
const BLOCK: usize = 4096;

/// The items of `virtualClusters` in a text, one behind the other.
#[derive(Debug, Clone)]
pub(crate) struct Outline {
    /// The first byte of each item's first line; never empty.
    starts: Vec<usize>,
    /// The byte after the last item.
    end: usize,
    /// Columns before the dash of each item.
    indent: usize,
    /// Values in the text, or more.
    nodes: usize,
}

/// What differs between two texts, as two texts that hold nothing else of `virtualClusters`.
#[derive(Debug)]
pub(crate) struct Excerpts {
    pub(crate) old: Vec<u8>,
    pub(crate) new: Vec<u8>,
    /// The outline of the whole new text.
    pub(crate) outline: Outline,
    /// Whether what follows stands on the same lines as before.
    pub(crate) same_lines: bool,
}

impl Outline {
    /// The outline of `text`; `None` if the fast parser does not read it, or `virtualClusters` is no list of blocks.
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let nodes = yaml::simple_nodes(text)?;
        let mut lines =
            OutlineLines { text, at: 0 }.skip_while(|line| !line.text.starts_with("virtualClusters:"));
        lines.next()?;
        let first = lines.next().filter(OutlineLine::is_item)?;
        let mut outline = Self {
            starts: vec![first.at],
            end: text.len(),
            indent: first.indent,
            nodes,
        };
        for line in lines {
            if line.indent < first.indent || (line.indent == first.indent && !line.is_item()) {
                outline.end = line.at;
                break;
            }
            if line.indent == first.indent {
                outline.starts.push(line.at);
            }
        }
        Some(outline)
    }

    /// What differs between `old`, of which this is the outline, and `new`. `None` if it is more than virtual clusters.
    pub(crate) fn excerpts(&self, old: &[u8], new: &[u8]) -> Option<Excerpts> {
        let prefix = common_prefix(old, new);
        let rest = old.len().min(new.len()) - prefix;
        let suffix = common_suffix(old, new, rest);
        let (old_end, new_end) = (old.len() - suffix, new.len() - suffix);
        // The first item whose dash is in the prefix, so that it is an item in both texts.
        let dash = self.indent + 2;
        let first = self
            .starts
            .partition_point(|start| start + dash <= prefix)
            .checked_sub(1)?;
        // The first item behind whose line feed is in the suffix.
        let after = self.starts.partition_point(|start| *start <= old_end);
        let old_items = self.starts[first]..self.starts.get(after).copied().unwrap_or(self.end);
        // Nothing behind the items may differ, and what is appended to them must not be something else.
        if old_items.end < old_end
            || (after == self.starts.len() && self.end < old.len() && self.end <= old_end)
        {
            return None;
        }
        let new_items = old_items.start..old_items.end + new_end - old_end;
        let frame = (&old[..self.starts[0]], &old[self.end..]);
        let excerpt = |items: &[u8]| [frame.0, items, frame.1].concat();
        let excerpt_of_new = excerpt(new.get(new_items.clone())?);
        let part = Self::of(&excerpt_of_new)?;
        let is_whole = part.starts[0] == self.starts[0]
            && part.indent == self.indent
            && excerpt_of_new.len() - part.end == old.len() - self.end;
        if !is_whole {
            return None;
        }
        let lines = |text: &[u8]| text.iter().filter(|byte| **byte == b'\n').count();
        Some(Excerpts {
            same_lines: lines(&old[old_items.clone()]) == lines(&new[new_items.clone()]),
            outline: self.spliced(first..after, &part, old_items, new_items, new.len())?,
            old: excerpt(&old[self.starts[first]..self.starts.get(after).copied().unwrap_or(self.end)]),
            new: excerpt_of_new,
        })
    }

    /// The outline after the items in `replaced` became those of `part`, which stand at `new_items`.
    fn spliced(
        &self,
        replaced: Range<usize>,
        part: &Self,
        old_items: Range<usize>,
        new_items: Range<usize>,
        length: usize,
    ) -> Option<Self> {
        let moved = |at: usize| at - old_items.end + new_items.end;
        let before = self.starts[..replaced.start].iter().copied();
        let within = part
            .starts
            .iter()
            .map(|start| start - part.starts[0] + new_items.start);
        let behind = self.starts[replaced.end..].iter().map(|start| moved(*start));
        let nodes = self.nodes + part.nodes;
        (nodes <= yaml::node_limit(length)).then(|| Self {
            starts: before.chain(within).chain(behind).collect(),
            end: moved(self.end),
            indent: self.indent,
            nodes,
        })
    }
}

/// A line that has more than space and comments.
struct OutlineLine<'t> {
    at: usize,
    indent: usize,
    text: &'t str,
}

impl OutlineLine<'_> {
    fn is_item(&self) -> bool {
        self.text[self.indent..].starts_with("- ")
    }
}

struct OutlineLines<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Iterator for OutlineLines<'t> {
    type Item = OutlineLine<'t>;

    fn next(&mut self) -> Option<OutlineLine<'t>> {
        while self.at < self.text.len() {
            let at = self.at;
            let rest = &self.text[at..];
            let text = rest.split_once('\n').map_or(rest, |(line, _)| line);
            self.at = at + text.len() + 1;
            let content = text.trim_start_matches(' ');
            if !content.is_empty() && !content.starts_with('#') {
                let indent = text.len() - content.len();
                return Some(OutlineLine { at, indent, text });
            }
        }
        None
    }
}

fn common_prefix(one: &[u8], other: &[u8]) -> usize {
    let blocks = one.chunks(BLOCK).zip(other.chunks(BLOCK));
    let whole = blocks
        .take_while(|(one, other)| one == other)
        .map(|(block, _)| block.len())
        .sum();
    let rest = one[whole..].iter().zip(&other[whole..]);
    whole + rest.take_while(|(one, other)| one == other).count()
}

/// The length of the end that both have, at most `limit`.
fn common_suffix(one: &[u8], other: &[u8], limit: usize) -> usize {
    let (one, other) = (&one[one.len() - limit..], &other[other.len() - limit..]);
    let blocks = one.rchunks(BLOCK).zip(other.rchunks(BLOCK));
    let whole: usize = blocks
        .take_while(|(one, other)| one == other)
        .map(|(block, _)| block.len())
        .sum();
    let rest = one[..limit - whole]
        .iter()
        .rev()
        .zip(other[..limit - whole].iter().rev());
    whole + rest.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "drain: {timeout: 1s}\n\nvirtualClusters:\n  # the first\n";
    const TAIL: &str = "logging:\n  level: info\n";

    fn item(name: &str) -> String {
        format!("  - name: {name}\n    gateways:\n      - name: g\n\n      # of {name}\n")
    }

    fn text(names: &[&str], tail: &str) -> String {
        let items: String = names.iter().map(|name| item(name)).collect();
        format!("{HEAD}{items}{tail}")
    }

    /// The names in each excerpt, and that the outline that comes of it is that of the new text.
    fn excerpts(old: &str, new: &str) -> Option<[Vec<String>; 2]> {
        let (old, new) = (old.as_bytes(), new.as_bytes());
        let found = Outline::of(old).unwrap().excerpts(old, new)?;
        let whole = Outline::of(new).unwrap();
        assert_eq!(
            (found.outline.starts, found.outline.end),
            (whole.starts, whole.end)
        );
        let names = |excerpt: Vec<u8>| {
            let excerpt = String::from_utf8(excerpt).unwrap();
            let lines = excerpt.lines().filter_map(|line| line.strip_prefix("  - name: "));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        Some([names(found.old), names(found.new)])
    }

    #[test]
    fn an_excerpt_has_the_items_that_differ() {
        for tail in ["", TAIL] {
            let old = text(&["a", "b", "c", "d"], tail);
            let check = |new: &[&str], expected: [&[&str]; 2]| {
                let found = excerpts(&old, &text(new, tail)).unwrap();
                assert_eq!(found, expected, "{new:?} before {tail:?}");
            };
            check(&["a", "x", "c", "d"], [&["b"], &["x"]]);
            check(&["x", "b", "c", "d"], [&["a"], &["x"]]);
            check(&["a", "b", "c", "x"], [&["d"], &["x"]]);
            check(&["a", "b", "x", "c", "d"], [&["c"], &["x", "c"]]);
            check(&["a", "c", "d"], [&["b", "c"], &["c"]]);
        }
        // Nothing is known of what is appended but that it comes behind the last one.
        let found = excerpts(&text(&["a", "b"], ""), &text(&["a", "b", "c"], "")).unwrap();
        assert_eq!(
            found,
            [vec!["b".to_owned()], vec!["b".to_owned(), "c".to_owned()]]
        );
    }

    #[test]
    fn what_is_more_than_items_has_no_excerpt() {
        let old = text(&["a", "b"], TAIL);
        for new in [
            old.replace("1s", "2s"),
            old.replace("info", "warn"),
            old.replace("  - name: b", "management:\n  port: 1\n  - name: b"),
            old.replace("  - name: b", "  - name: &b b"),
            old.replace("  - name: b\n    gateways:", "  - name: b\n    gateways: |"),
            text(&["a"], TAIL),
            format!("{old}drain: {{}}\n"),
            HEAD.to_owned(),
            String::new(),
        ] {
            let found = Outline::of(old.as_bytes())
                .unwrap()
                .excerpts(old.as_bytes(), new.as_bytes());
            assert!(found.is_none(), "{new}");
        }
        assert!(Outline::of(b"virtualClusters: []\n").is_none());
        assert!(Outline::of(b"virtualClusters:\n").is_none());
        assert!(Outline::of(b"virtualClusters:\n  - name: \"a\n      b\"\n").is_none());
    }
}
