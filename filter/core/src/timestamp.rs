//! Points in time as RFC 3339 writes them.

use crate::host::Time;

const DAY: u64 = 24 * 60 * 60;
/// From 1 March of the year 0 to 1 January 1970.
const DAYS_BEFORE_EPOCH: u64 = 719_468;
/// The first second of the year 10000.
const END: u64 = 253_402_300_800;

/// In UTC with whole seconds; `None` after the year 9999.
#[inline(never)]
pub(crate) fn rfc3339(time: Time) -> Option<String> {
    let seconds = time.as_secs();
    if seconds >= END {
        return None;
    }
    let (year, month, day) = date(seconds / DAY);
    let of_day = seconds % DAY;
    let mut out = String::with_capacity(20);
    push(&mut out, year, 4);
    let parts = [(month, '-'), (day, '-'), (of_day / 3600, 'T'), (of_day / 60 % 60, ':'), (of_day % 60, ':')];
    for (number, before) in parts {
        out.push(before);
        push(&mut out, number, 2);
    }
    out.push('Z');
    Some(out)
}

/// Appends a number with that many digits.
fn push(out: &mut String, number: u64, digits: u32) {
    for place in (0..digits).rev() {
        let digit = number / 10_u64.pow(place) % 10;
        out.push(char::from_digit(u32::try_from(digit).unwrap_or(0), 10).unwrap_or('0'));
    }
}

/// Year, month and day of a day since 1970. Years are counted from March, so that a leap day is the last one.
fn date(day: u64) -> (u64, u64, u64) {
    let day = day + DAYS_BEFORE_EPOCH;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let is_next_year = month >= 10;
    (era * 400 + year + u64::from(is_next_year), if is_next_year { month - 9 } else { month + 3 }, day)
}

/// Whether a point in time lies in the past; what cannot be read does not.
pub(crate) fn is_past(text: &str, now: Time) -> bool {
    nanos(text).is_some_and(|time| time <= i128::try_from(now.as_nanos()).unwrap_or(i128::MAX))
}

/// Nanoseconds since 1970.
#[inline(never)]
fn nanos(text: &str) -> Option<i128> {
    let mut reader = Reader(text.as_bytes());
    let (year, month, day) = (reader.number(4)?, reader.after(b"-", 2)?, reader.after(b"-", 2)?);
    let (hour, minute, second) = (reader.after(b"Tt ", 2)?, reader.after(b":", 2)?, reader.after(b":", 2)?);
    let fraction = reader.fraction()?;
    let offset = reader.offset()?;
    let day_is_sound = (1..=12).contains(&month) && day >= 1 && day <= days_of(year, month);
    // A leap second counts as the last second before it.
    if !reader.0.is_empty() || !day_is_sound || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second.min(59) - offset;
    Some(i128::from(seconds) * 1_000_000_000 + i128::from(fraction))
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970 to a date; the reverse of [`date`], and before 1970 too.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
    }

    /// A number behind one of these characters.
    fn after(&mut self, marks: &[u8], digits: usize) -> Option<i64> {
        self.mark(marks)?;
        self.number(digits)
    }

    fn mark(&mut self, marks: &[u8]) -> Option<u8> {
        let (mark, rest) = self.0.split_first().filter(|(first, _)| marks.contains(first))?;
        self.0 = rest;
        Some(*mark)
    }

    /// Nanoseconds; further digits are dropped.
    fn fraction(&mut self) -> Option<i64> {
        if self.mark(b".").is_none() {
            return Some(0);
        }
        let (mut nanos, mut place) = (0, 100_000_000);
        let mut count = 0;
        while let Some(digit) = self.mark(b"0123456789") {
            nanos += i64::from(digit - b'0') * place;
            place /= 10;
            count += 1;
        }
        (count > 0).then_some(nanos)
    }

    /// Seconds east of UTC.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.mark(b"Zz+-")? {
            b'+' => 1,
            b'-' => -1,
            _ => return Some(0),
        };
        let (hours, minutes) = (self.number(2)?, self.after(b":", 2)?);
        (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;

    #[test]
    fn a_time_is_written_in_utc_up_to_the_year_9999() {
        assert_eq!(rfc3339(Duration::from_millis(1_780_000_000_999)).as_deref(), Some("2026-05-28T20:26:40Z"));
        assert_eq!(rfc3339(Duration::from_secs(253_402_300_799)).as_deref(), Some("9999-12-31T23:59:59Z"));
        assert_eq!(rfc3339(Duration::from_secs(253_402_300_800)), None);
    }

    #[test]
    fn a_time_is_past_from_itself_on_in_any_zone() {
        let at = Duration::from_secs(1_780_000_000);
        assert!(is_past("2026-05-28T20:26:40Z", at));
        assert!(is_past("2026-05-28T22:26:39.5+02:00", at));
        assert!(!is_past("2026-05-28T20:26:41Z", at));
        assert!(!is_past("yesterday", at));
    }

    #[test]
    fn days_are_written_and_read_as_another_library_does() {
        for day in (0..2_932_896).step_by(37).chain([11_016, 11_017, 19_782, 19_783, 2_932_896]) {
            let time = Duration::from_secs(day * 86_400 + day % 86_400);
            let text = rfc3339(time).unwrap();
            let other = OffsetDateTime::from_unix_timestamp(i64::try_from(time.as_secs()).unwrap()).unwrap();
            assert_eq!(text, other.format(&Rfc3339).unwrap());
            assert_eq!(nanos(&text), i128::try_from(time.as_nanos()).ok());
        }
    }

    #[test]
    fn a_text_is_read_as_another_library_reads_it() {
        for text in [
            "1969-12-31T23:59:59Z",
            "0000-01-01T00:00:00Z",
            "1600-02-29T12:00:00-11:30",
            "2026-05-28t20:26:40z",
            "2026-05-28T20:26:40.123456789+05:45",
            "2026-05-28T20:26:40.1Z",
            "2026-02-29T00:00:00Z",
            "2024-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:61Z",
            "2026-01-01T00:00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+0100",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00Z",
            "2026-1-01T00:00:00Z",
            "+026-01-01T00:00:00Z",
            "2026-01-01T00:00:00Zx",
            "",
            "é026",
        ] {
            let other = OffsetDateTime::parse(text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp_nanos);
            assert_eq!(nanos(text), other, "{text}");
        }
    }
}
