//! What Envoy shows to Prometheus.

use crate::client;
use std::collections::BTreeMap;

/// One line of the text format.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// All that `/stats/prometheus` said at one time.
#[derive(Debug)]
pub struct Scrape(Vec<Sample>);

impl Scrape {
    /// Asks the admin interface at `address` (`host:port`).
    ///
    /// # Panics
    /// If it answers anything else than the text format.
    #[must_use]
    pub fn of(address: &str) -> Self {
        let text = client::get(address, "/stats/prometheus").send().expect(200).text();
        Self(text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(sample).collect())
    }

    /// The samples of a metric that have at least these labels.
    #[must_use]
    pub fn all(&self, name: &str, labels: &[(&str, &str)]) -> Vec<&Sample> {
        let has = |it: &&Sample| labels.iter().all(|(name, value)| it.labels.get(*name).is_some_and(|it| it == value));
        self.0.iter().filter(|it| it.name == name).filter(has).collect()
    }

    /// The sum of these samples.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.all(name, labels).iter().map(|it| it.value).sum()
    }

    /// Every sample.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.0
    }
}

/// Reads `name{label="value",…} number`.
fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).expect("a name");
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while let Some((label, after)) = rest.strip_prefix(',').unwrap_or(rest).split_once("=\"") {
            let (value, after) = quoted(after);
            labels.insert(label.to_owned(), value);
            rest = after;
            if let Some(end) = rest.strip_prefix('}') {
                rest = end;
                break;
            }
        }
        rest = rest.strip_prefix('}').unwrap_or(rest);
    }
    let value = rest.trim().parse().unwrap_or_else(|_| panic!("no number at the end of {line}"));
    Sample { name: name.to_owned(), labels, value }
}

/// A label's value up to its closing quote, and what follows.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (value, &text[at + 1..]),
            '\\' => match letters.next().expect("an escaped letter").1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    panic!("no end of the value in {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_name_labels_and_a_number() {
        let read = sample(r#"some_count{a="x,y}\"\\",le="+Inf"} 3"#);
        assert_eq!((read.name.as_str(), read.value), ("some_count", 3.0));
        assert_eq!(read.labels, [("a", "x,y}\"\\"), ("le", "+Inf")].map(|(a, b)| (a.to_owned(), b.to_owned())).into());
        assert_eq!(sample("up{} 1").value, 1.0);
        assert_eq!(sample("up 1.5").labels, BTreeMap::new());
    }
}
