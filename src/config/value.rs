//! Scalar values of the file: text, numbers, durations, sizes.

use std::net::IpAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::decode::Decode;
use super::describe::{ScalarForm, Schema};
use super::diagnostic::{Errors, quoted};
use super::secret::Secret;
use super::yaml::{Node, NodeContent};
use crate::time::parse_duration;

/// Longest duration that is accepted. The bound also keeps the sum of a duration and a clock reading from overflowing.
const MAX_DURATION: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// What [`parse_duration`] reads, and too large numbers.
const DURATION: &str = "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";

/// What [`parse_size`] reads, and too large numbers.
const SIZE: &str = r"^[0-9]+\s*(B|KiB|MiB|GiB)?$";

/// Reports that `expected` was expected at `node`, and repeats the value that was found if it is a scalar.
fn mismatch<T>(node: Node<'_>, expected: &str, errors: &mut Errors) -> Option<T> {
    errors.push_with(node.at(), || match node.scalar() {
        Some(text) if !node.is_null() => format!("expected {expected}, found {}", quoted(text)),
        _ => format!("expected {expected}, found {}", node.describe()),
    });
    None
}

/// Reports that `expected` is written in quotes at `node`.
fn without_quotes<T>(node: Node<'_>, expected: &str, errors: &mut Errors) -> Option<T> {
    let why = format!("expected {expected}, found a string, remove the quotes");
    errors.push(node.at(), why);
    None
}

/// Returns the text of a scalar that may be a string. Numbers are taken as they are written (a name may be `7`); a plain
/// `true` or `null` is not accepted, because it is more likely a mistake.
fn text(node: Node<'_>) -> Option<&str> {
    match node.content() {
        NodeContent::Scalar {
            text: "true" | "false",
            plain: true,
        } => None,
        NodeContent::Scalar { text, .. } if !node.is_null() => Some(text),
        _ => None,
    }
}

impl Decode for String {
    fn schema() -> Schema {
        Schema::text("text")
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        match text(node) {
            Some(text) => Some(text.to_owned()),
            None => mismatch(node, "a string", errors),
        }
    }
}

impl Decode for Secret {
    fn schema() -> Schema {
        Schema::text("text")
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        errors.note_secret(node.at());
        let found = text(node).map(Self::new);
        if found.is_none() {
            // The value is not repeated: it is meant to be secret.
            errors.push(node.at(), "expected a string");
        }
        found
    }
}

impl Decode for PathBuf {
    fn schema() -> Schema {
        Schema::text("path")
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        match text(node).filter(|path| !path.is_empty() && !path.contains('\0')) {
            Some(path) => Some(Self::from(path)),
            None => mismatch(node, "a path", errors),
        }
    }
}

impl Decode for bool {
    fn schema() -> Schema {
        Schema::scalar("`true` or `false`", ScalarForm::Truth)
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        match node.content() {
            NodeContent::Scalar {
                text: "true" | "True" | "TRUE",
                plain: true,
            } => Some(true),
            NodeContent::Scalar {
                text: "false" | "False" | "FALSE",
                plain: true,
            } => Some(false),
            NodeContent::Scalar {
                text: "true" | "True" | "TRUE" | "false" | "False" | "FALSE",
                plain: false,
            } => without_quotes(node, "`true` or `false`", errors),
            _ => mismatch(node, "`true` or `false`", errors),
        }
    }
}

impl Decode for IpAddr {
    fn schema() -> Schema {
        Schema::text("IP address")
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        let literal = text(node).map(|text| {
            text.strip_prefix('[')
                .and_then(|inner| inner.strip_suffix(']'))
                .unwrap_or(text)
                .parse()
        });
        match literal {
            Some(Ok(ip)) => Some(ip),
            _ => mismatch(node, "an IP address", errors),
        }
    }
}

/// Accepts a CIDR block (RFC 4632) or one address.
impl Decode for IpNet {
    fn schema() -> Schema {
        Schema::text("network (`10.0.0.0/8`) or IP address")
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        let network = text(node).and_then(|text| {
            text.parse()
                .ok()
                .or_else(|| text.parse::<IpAddr>().ok().map(Self::from))
        });
        if network.is_none() {
            return mismatch(node, "a network such as `10.0.0.0/8`", errors);
        }
        network
    }
}

/// Returns a decimal number without quotes and without leading zeros, which other YAML readers take for octal.
fn whole_number(node: Node<'_>) -> Option<i64> {
    let NodeContent::Scalar { text, plain: true } = node.content() else {
        return None;
    };
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = digits == "0" || !digits.starts_with('0');
    if !canonical || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

fn number<T: TryFrom<i64>>(node: Node<'_>, expected: &str, errors: &mut Errors) -> Option<T> {
    match whole_number(node).map(T::try_from) {
        Some(Ok(number)) => Some(number),
        _ => {
            let quoted_number = matches!(node.content(), NodeContent::Scalar { text, plain: false } if text.parse::<i64>().is_ok());
            if quoted_number {
                return without_quotes(node, expected, errors);
            }
            mismatch(node, expected, errors)
        }
    }
}

impl Decode for u16 {
    fn schema() -> Schema {
        Schema::whole("port, 0 to 65535", 0, Self::MAX.into())
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        number(node, "a port from 0 to 65535", errors)
    }
}

/// A number of leading bits of an IP address. `model` checks it against the length of the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrefixLength(pub u16);

impl Decode for PrefixLength {
    fn schema() -> Schema {
        Schema::whole("number of bits", 0, u16::MAX.into())
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        number(node, "a number of bits", errors).map(Self)
    }
}

impl Decode for NonZeroU16 {
    fn schema() -> Schema {
        Schema::whole("port, 1 to 65535", 1, u16::MAX.into())
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        let expected = "a port from 1 to 65535";
        let port = number::<u16>(node, expected, errors)?;
        Self::new(port).or_else(|| mismatch(node, expected, errors))
    }
}

impl Decode for NonZeroU32 {
    fn schema() -> Schema {
        Schema::whole("whole number from 1", 1, u32::MAX.into())
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        let expected = "a whole number from 1 to 4294967295";
        let count = number::<u32>(node, expected, errors)?;
        Self::new(count).or_else(|| mismatch(node, expected, errors))
    }
}

/// A Kafka node id: a non-negative int32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub i32);

impl Decode for NodeId {
    fn schema() -> Schema {
        Schema::whole("node id, 0 to 2147483647", 0, i32::MAX.into())
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        let expected = "a node id from 0 to 2147483647";
        let id = number::<i32>(node, expected, errors)?;
        if id < 0 {
            mismatch(node, expected, errors)
        } else {
            Some(Self(id))
        }
    }
}

/// A percentage from 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(pub u8);

impl Decode for Percent {
    fn schema() -> Schema {
        Schema::whole("percentage, 0 to 100", 0, 100)
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        let expected = "a percentage from 0 to 100";
        let percent = number::<u8>(node, expected, errors)?;
        if percent > 100 {
            mismatch(node, expected, errors)
        } else {
            Some(Self(percent))
        }
    }
}

/// A time in milliseconds, as Kroxylicious writes it in some places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Milliseconds(u32);

impl Milliseconds {
    /// The time.
    pub fn duration(self) -> Duration {
        Duration::from_millis(self.0.into())
    }
}

impl Decode for Milliseconds {
    fn schema() -> Schema {
        Schema::whole("milliseconds", 0, u32::MAX.into())
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        number(node, "a number of milliseconds", errors).map(Self)
    }
}

impl Decode for Duration {
    fn schema() -> Schema {
        Schema::scalar("duration", ScalarForm::Pattern(DURATION))
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        let Some(duration) = text(node).and_then(parse_duration) else {
            return mismatch(node, "a duration such as `150ms`, `30s`, `5m` or `1h30m`", errors);
        };
        if duration > MAX_DURATION {
            return mismatch(node, "a duration of at most `3650d`", errors);
        }
        Some(duration)
    }
}

/// A number of bytes: `64KiB`, `100MiB`, or a plain number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl Decode for Size {
    fn schema() -> Schema {
        Schema::scalar("size", ScalarForm::PatternOrWhole(SIZE))
    }

    fn decode(node: Node<'_>, errors: &mut Errors) -> Option<Self> {
        match text(node).and_then(parse_size) {
            Some(bytes) => Some(Self(bytes)),
            None => mismatch(node, "a size such as `64KiB` or `100MiB`", errors),
        }
    }
}

/// Parses a number of bytes with or without a unit.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit.trim_start() {
        "" | "B" => 1_u64,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(parse_size("64KiB"), Some(65_536));
        assert_eq!(parse_size("100MiB"), Some(104_857_600));
        assert_eq!(parse_size("1GiB"), Some(1 << 30));
        assert_eq!(parse_size("512"), Some(512));
        assert_eq!(parse_size("512B"), Some(512));
        for bad in [
            "",
            "KiB",
            "1KB",
            "1.5MiB",
            "-1",
            "99999999999999999999",
            "18446744073709551615KiB",
        ] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }
}
