//! The time as the far sides write it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970, moved by `offset`
pub(crate) fn now(offset: i64) -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    since as i64 + offset
}

/// `2026-11-23T04:05:06Z`
pub(crate) fn rfc3339(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// `Mon, 23 Nov 2026 04:05:06 GMT` (RFC 9110 §5.6.7)
pub(crate) fn http_date(seconds: i64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + std::time::Duration::from_secs(seconds.max(0) as u64))
}

/// Seconds since 1970 of `20261123T040506Z`
pub(crate) fn parse_basic(text: &str) -> Option<i64> {
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    (text.len() == 16 && text.as_bytes()[8] == b'T' && text.ends_with('Z')).then_some(())?;
    let days = days(part(0, 4)?, part(4, 6)?, part(6, 8)?);
    Some(days * 86_400 + part(9, 11)? * 3600 + part(11, 13)? * 60 + part(13, 15)?)
}

/// Date of a day counted from 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`)
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

/// The inverse of [`civil`], `days_from_civil`
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The day in so many days from now, in UTC: `2027-01-31`.
pub fn day_in(days: u32) -> String {
    rfc3339(now(0) + i64::from(days) * 86_400)[..10].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_right() {
        assert_eq!(rfc3339(1_709_209_845), "2024-02-29T12:30:45Z");
        assert_eq!(parse_basic("20240229T123045Z"), Some(1_709_209_845));
        assert_eq!(parse_basic("20240229T123045"), None);
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    }
}
