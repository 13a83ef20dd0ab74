//! Log lines as text: time, level, target and message, then fields as logfmt.
//!
//! ```text
//! 2026-01-02T03:04:05.678901Z  WARN kproxy::session::report: session closed cause="client_reset" cluster=orders …
//! ```
//!
//! A value is bare if that is unambiguous and a JSON string otherwise, so that no text from outside can end a value or a
//! line, or control a terminal.

use std::fmt::{self, Debug, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::escape::{acts, plain, quoted};

/// The text format.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextFormat {
    pub(super) colours: bool,
}

impl<S, N> FormatEvent<S, N> for TextFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let metadata = event.metadata();
        let mut text = EventText::default();
        event.record(&mut text);
        writer.write_str(&self.head(*metadata.level(), metadata.target()))?;
        writer.write_str(&text.message)?;
        writer.write_str(&text.fields)?;
        writer.write_char('\n')
    }
}

impl TextFormat {
    /// Formats time, level and target, up to the beginning of the message.
    pub(super) fn head(self, level: Level, target: &str) -> String {
        let mut head = String::with_capacity(64);
        // Writing to a string cannot fail.
        SystemTime
            .format_time(&mut Writer::new(&mut head))
            .unwrap_or_default();
        let (on, off) = match (self.colours, level) {
            (false, _) => ("", ""),
            (true, Level::ERROR) => ("\u{1b}[31m", "\u{1b}[0m"),
            (true, Level::WARN) => ("\u{1b}[33m", "\u{1b}[0m"),
            (true, Level::INFO) => ("\u{1b}[32m", "\u{1b}[0m"),
            (true, _) => ("\u{1b}[2m", "\u{1b}[0m"),
        };
        write!(head, " {on}{:>5}{off} {target}: ", level.as_str()).unwrap_or_default();
        head
    }
}

/// Message and fields of one event, formatted.
#[derive(Default)]
struct EventText {
    message: String,
    /// Fields, each after a space.
    fields: String,
}

impl EventText {
    fn name(&mut self, field: &Field) {
        self.fields.push(' ');
        let name = field.name();
        self.fields.push_str(name.strip_prefix("r#").unwrap_or(name));
        self.fields.push('=');
    }

    /// Appends the message, quoted if it could be taken for fields.
    fn append_message(&mut self, message: &str) {
        if message.contains(['"', '=', '\\']) {
            quoted(message, &mut self.message);
        } else {
            plain(message, &mut self.message);
        }
    }
}

impl Visit for EventText {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            return self.append_message(value);
        }
        self.name(field);
        quoted(value, &mut self.fields);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let value = format!("{value:?}");
        if field.name() == "message" {
            return self.append_message(&value);
        }
        self.name(field);
        let ambiguous = |c: char| c.is_whitespace() || matches!(c, '"' | '=' | '\\') || acts(c);
        if value.is_empty() || value.contains(ambiguous) {
            quoted(&value, &mut self.fields);
        } else {
            self.fields.push_str(&value);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `log` leaves, without their heads.
    fn lines(log: impl FnOnce()) -> Vec<String> {
        let kept = Kept::default();
        let writer = kept.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .event_format(TextFormat { colours: false })
            .finish();
        tracing::subscriber::with_default(subscriber, log);
        let bytes = kept.0.lock().unwrap().clone();
        let text = String::from_utf8(bytes).unwrap();
        let behind_head = |line: &str| line.split_once(" kproxy: ").unwrap().1.to_owned();
        text.lines().map(behind_head).collect()
    }

    #[test]
    fn strings_are_quoted_and_other_values_where_they_have_to_be() {
        let bare = "127.0.0.1:9092";
        let told = lines(|| {
            tracing::warn!(target: "kproxy", cause = "client_reset", bound = %bare, detail = %"two words", none = %"", n = 7, "closed");
        });
        let expected = r#"closed cause="client_reset" bound=127.0.0.1:9092 detail="two words" none="" n=7"#;
        assert_eq!(told, [expected]);
    }

    #[test]
    fn what_is_said_from_outside_forges_neither_lines_nor_fields() {
        let hostile = "b\n2026-01-01T00:00:00Z ERROR kproxy: forged cause=\"x\"\u{1b}[2J\u{202e}";
        let told = lines(|| {
            tracing::warn!(target: "kproxy", broker = %hostile, name = hostile, "the broker {hostile} is away");
        });
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(!told[0].contains(acts), "{told:?}");
        let value = serde_json::to_string(hostile)
            .unwrap()
            .replace('\u{202e}', "\\u202e");
        assert!(
            told[0].ends_with(&format!(" broker={value} name={value}")),
            "{told:?}"
        );
        assert!(told[0].starts_with("\"the broker b\\n2026"), "{told:?}");
    }
}
