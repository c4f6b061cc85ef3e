//! Durations as Go writes them, such as `1h15m30.5s`.

/// Reads a Go duration as nanoseconds; it may be negative. `None` for anything else, and for more than 292 years.
#[inline(never)]
pub fn parse_go_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let (nanos, after) = part(rest)?;
        total = total.checked_add(nanos)?;
        rest = after;
    }
    Some(if negative { -total } else { total })
}

/// Reads a Go duration, or a bare number as milliseconds, as Dapr's components write them. `None` for anything else and
/// for negative ones.
pub fn parse_component_duration(text: &str) -> Option<std::time::Duration> {
    if let Ok(millis) = text.parse::<u64>() {
        return Some(std::time::Duration::from_millis(millis));
    }
    u64::try_from(parse_go_duration(text)?).ok().map(std::time::Duration::from_nanos)
}

/// One number with its unit; gives what follows.
fn part(text: &str) -> Option<(i64, &str)> {
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|end| *end > 0)?;
    let (number, rest) = text.split_at_checked(number_end)?;
    let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (unit, rest) = rest.split_at_checked(unit_end)?;
    Some((scale(number, unit_nanos(unit)?)?, rest))
}

fn unit_nanos(unit: &str) -> Option<i64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

fn scale(number: &str, unit: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut nanos = whole.checked_mul(unit)?;
    let mut place = unit;
    for digit in fraction.bytes() {
        if !digit.is_ascii_digit() {
            return None;
        }
        place /= 10;
        nanos = nanos.checked_add(i64::from(digit - b'0').checked_mul(place)?)?;
    }
    Some(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_and_sums_of_them_are_read() {
        for (text, nanos) in [
            ("1ns", 1),
            ("2us", 2_000),
            ("2µs", 2_000),
            ("3ms", 3_000_000),
            ("10s", 10_000_000_000),
            ("1h15m30.5s", 4_530_500_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("-1.5h", -5_400_000_000_000),
            ("+1s", 1_000_000_000),
            ("0", 0),
            ("-0", 0),
            ("0s", 0),
        ] {
            assert_eq!(parse_go_duration(text), Some(nanos), "{text}");
        }
    }

    #[test]
    fn a_components_bare_number_is_milliseconds_and_never_negative() {
        use std::time::Duration;
        for (text, millis) in [("1500", 1500), ("0", 0), ("15s", 15_000), ("1m30s", 90_000), (".5s", 500)] {
            assert_eq!(parse_component_duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "-1", "-1s", "1x", "1..2s", "+"] {
            assert_eq!(parse_component_duration(text), None, "{text}");
        }
    }

    #[test]
    fn what_go_would_not_take_is_refused() {
        for text in ["", "-", "10", "s", ".s", "1x", "1 s", "1s ", "1.2.3s", "é", "1é", "9999999999h", "--1s", "1d"] {
            assert_eq!(parse_go_duration(text), None, "{text}");
        }
    }
}
