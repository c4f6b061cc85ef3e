//! Counting tests from what cargo prints.

/// Numbers of tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Those that held.
    pub passed: u64,
    /// Those that did not.
    pub failed: u64,
    /// Those that were not run.
    pub skipped: u64,
}

impl Totals {
    /// The sum of two.
    pub fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }

    /// The sum of every `test result:` line; a line `skipped: …` of a test counts as one that was not run.
    pub fn read(text: &str) -> Self {
        let results = text.lines().filter_map(|line| line.trim_start().strip_prefix("test result:"));
        let mut sum = results.map(Self::of_line).fold(Self::default(), Self::plus);
        let skipped = text.lines().filter(|line| line.trim_start().starts_with("skipped: ")).count();
        sum.skipped += u64::try_from(skipped).unwrap_or(0);
        sum
    }

    fn of_line(line: &str) -> Self {
        let count = |what: &str| {
            let words: Vec<&str> = line.split([' ', ';', '.']).filter(|word| !word.is_empty()).collect();
            let numbers = words.iter().zip(words.iter().skip(1));
            numbers
                .into_iter()
                .find(|(_, name)| **name == what)
                .and_then(|(number, _)| number.parse().ok())
                .unwrap_or(0)
        };
        Self { passed: count("passed"), failed: count("failed"), skipped: count("ignored") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_line_counts() {
        let text = "running 3 tests\ntest a ... ok\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s\n\
            test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.25s\n";
        assert_eq!(Totals::read(text), Totals { passed: 7, failed: 2, skipped: 1 });
    }

    #[test]
    fn a_test_that_says_it_was_skipped_counts_as_skipped() {
        assert_eq!(Totals::read("skipped: there is no node\n").skipped, 1);
    }

    #[test]
    fn other_lines_count_nothing() {
        assert_eq!(Totals::read("12 passed; 3 failed\n"), Totals::default());
    }
}
