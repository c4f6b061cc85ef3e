//! Points in time as RFC 3339 writes them.

use crate::host::Time;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// In UTC with whole seconds; `None` after the year 9999.
pub(crate) fn rfc3339(time: Time) -> Option<String> {
    let seconds = i64::try_from(time.as_secs()).ok()?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()?.format(&Rfc3339).ok()
}

/// Whether a point in time lies in the past; what cannot be read does not.
pub(crate) fn is_past(text: &str, now: Time) -> bool {
    match OffsetDateTime::parse(text, &Rfc3339) {
        Ok(time) => time.unix_timestamp_nanos() <= i128::try_from(now.as_nanos()).unwrap_or(i128::MAX),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

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
}
