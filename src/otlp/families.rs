//! The text of `/metrics`, read back as data, so that each metric is defined in one place.
//!
//! Only what `admin::exposition` writes is understood: declared families, one sample a line.

/// Kind of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FamilyKind {
    Counter,
    Gauge,
    Histogram,
}

/// Labels of a series, in the order in which they are written.
pub(super) type SeriesLabels = Vec<(String, String)>;

/// A metric with its samples.
#[derive(Debug, PartialEq)]
pub(super) struct MetricFamily {
    pub(super) name: String,
    pub(super) help: String,
    pub(super) kind: FamilyKind,
    /// Name, labels and value of each sample.
    pub(super) samples: Vec<(String, SeriesLabels, f64)>,
}

/// Reads the text. A line that is not understood is left out.
pub(super) fn read(text: &str) -> Vec<MetricFamily> {
    let mut families: Vec<MetricFamily> = Vec::new();
    let mut help = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            families.extend(declared(rest, help));
        } else if let (Some(family), Some(sample)) = (families.last_mut(), sample(line)) {
            family.samples.push(sample);
        }
    }
    families
}

fn declared(rest: &str, help: &str) -> Option<MetricFamily> {
    let (name, kind) = rest.split_once(' ')?;
    let kind = match kind {
        "counter" => FamilyKind::Counter,
        "gauge" => FamilyKind::Gauge,
        "histogram" => FamilyKind::Histogram,
        _ => return None,
    };
    Some(MetricFamily {
        name: name.to_owned(),
        help: help.to_owned(),
        kind,
        samples: Vec::new(),
    })
}

fn sample(line: &str) -> Option<(String, SeriesLabels, f64)> {
    if line.starts_with('#') {
        return None;
    }
    let (series, value) = line.rsplit_once(' ')?;
    let value = match value {
        "+Inf" => f64::INFINITY,
        value => value.parse().ok()?,
    };
    let Some((name, labels)) = series.split_once('{') else {
        return Some((series.to_owned(), Vec::new(), value));
    };
    Some((name.to_owned(), read_labels(labels.strip_suffix('}')?)?, value))
}

/// Reads `a="1",b="2"`, where backslash, quote and line feed are escaped.
fn read_labels(text: &str) -> Option<SeriesLabels> {
    let mut labels = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"")?;
        let (mut value, mut characters) = (String::new(), after.char_indices());
        let end = loop {
            match characters.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match characters.next()?.1 {
                    'n' => '\n',
                    escaped => escaped,
                }),
                (_, character) => value.push(character),
            }
        };
        labels.push((name.to_owned(), value));
        rest = &after[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_metrics_is_read_back() {
        let text = "# HELP a_total How often.\n# TYPE a_total counter\na_total{x=\"1\",y=\"q\\\"\\\\\\n\"} 3\na_total 4\n\
                    # HELP b Size.\n# TYPE b gauge\nb 1.5\n";
        let families = read(text);
        assert_eq!(families.len(), 2);
        assert_eq!(
            (&*families[0].name, &*families[0].help),
            ("a_total", "How often.")
        );
        let labels = vec![
            ("x".to_owned(), "1".to_owned()),
            ("y".to_owned(), "q\"\\\n".to_owned()),
        ];
        assert_eq!(families[0].samples[0], ("a_total".to_owned(), labels, 3.0));
        assert_eq!(families[0].samples[1].1, []);
        assert_eq!(
            (families[1].kind, families[1].samples[0].2),
            (FamilyKind::Gauge, 1.5)
        );
    }
}
