//! Lists of status codes and ranges of them.

use std::collections::BTreeSet;

/// Status codes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Codes(BTreeSet<u32>);

impl Codes {
    /// Reads codes and ranges, such as `429,500-599`. `None` if one is none or out of bounds, or if there are none.
    #[must_use]
    pub fn parse(text: &str, least: u32, most: u32) -> Option<Self> {
        let mut codes = BTreeSet::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (first.trim().parse::<u32>().ok()?, last.trim().parse::<u32>().ok()?);
            if first < least || last > most || first > last {
                return None;
            }
            codes.extend(first..=last);
        }
        Some(Self(codes))
    }

    /// Whether a code is one of them.
    #[must_use]
    pub fn has(&self, code: u32) -> bool {
        self.0.contains(&code)
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().copied()
    }
}

impl FromIterator<u32> for Codes {
    fn from_iter<I: IntoIterator<Item = u32>>(codes: I) -> Self {
        Self(codes.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_single_ones_and_ranges() {
        let read = |text: &str| Codes::parse(text, 100, 599).map(|codes| codes.iter().collect::<Vec<_>>());
        assert_eq!(read("429"), Some(vec![429]));
        assert_eq!(read("503, 500-502,501"), Some(vec![500, 501, 502, 503]));
        for wrong in ["", "x", "429,", "99", "600", "502-500", "500-", "-1", "500-501-502"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
