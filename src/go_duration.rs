//! PURE. Durations as Go writes them: `1h30m`, `-1.5h`, `300ms`, `+5s`, `.5h`, `0`.
//!
//! The grammar and the limits are those of `time.ParseDuration`
//! (<https://pkg.go.dev/time#ParseDuration>, `src/time/format.go`): what Go refuses is refused here, and no number
//! overflows.

use std::{error, fmt, time::Duration};

/// A signed number of nanoseconds that Go's `time.Duration` can hold: about 292 years either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GoDuration {
    nanoseconds: i64,
}

/// Why a text is no duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoDuration {
    Empty,
    /// A number must begin here, with a digit or a point that a digit follows.
    Number,
    /// A number without a unit.
    NoUnit,
    /// Another unit than `ns`, `us`, `µs`, `ms`, `s`, `m`, `h`.
    Unit,
    TooLong,
}

/// The magnitude of the smallest `int64`.
const LIMIT: u64 = 1 << 63;

impl GoDuration {
    /// `None` for negative durations.
    pub(crate) fn not_negative(self) -> Option<Duration> {
        u64::try_from(self.nanoseconds).ok().map(Duration::from_nanos)
    }

    /// The time to wait; `None` for zero and for negative durations.
    pub(crate) fn positive(self) -> Option<Duration> {
        self.not_negative().filter(|duration| !duration.is_zero())
    }
}

impl std::str::FromStr for GoDuration {
    type Err = NoDuration;

    fn from_str(text: &str) -> Result<Self, NoDuration> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        match unsigned {
            "" => return Err(NoDuration::Empty),
            // Only zero does without a unit.
            "0" => return Ok(Self { nanoseconds: 0 }),
            _ => {}
        }
        let (mut sum, mut rest) = (0_u64, unsigned);
        while !rest.is_empty() {
            let (part, after) = part(rest)?;
            sum = sum.checked_add(part).filter(|sum| *sum <= LIMIT).ok_or(NoDuration::TooLong)?;
            rest = after;
        }
        let nanoseconds =
            if negative { 0_i64.checked_sub_unsigned(sum) } else { 0_i64.checked_add_unsigned(sum) };
        nanoseconds.map(|nanoseconds| Self { nanoseconds }).ok_or(NoDuration::TooLong)
    }
}

/// One number with its unit, in nanoseconds, and what follows it.
fn part(text: &str) -> Result<(u64, &str), NoDuration> {
    let (whole, rest) = digits(text);
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => digits(rest),
        None => ("", rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(NoDuration::Number);
    }
    let (name, after) = split(rest, |c| c == '.' || c.is_ascii_digit());
    let unit: u64 = match name {
        "" => return Err(NoDuration::NoUnit),
        "ns" => 1,
        // U+00B5 and U+03BC.
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return Err(NoDuration::Unit),
    };
    let whole = match whole {
        "" => 0,
        digits => digits.parse::<u64>().map_err(|_| NoDuration::TooLong)?,
    };
    let nanoseconds = whole
        .checked_mul(unit)
        .and_then(|nanoseconds| nanoseconds.checked_add(nanoseconds_of(fraction, unit)))
        .filter(|nanoseconds| *nanoseconds <= LIMIT)
        .ok_or(NoDuration::TooLong)?;
    Ok((nanoseconds, after))
}

/// `fraction` are the digits after the point. More of them than a `u64` holds say nothing: Go leaves them out, too.
fn nanoseconds_of(fraction: &str, unit: u64) -> u64 {
    let (mut number, mut scale) = (0_u128, 1_u128);
    for digit in fraction.bytes().take(18) {
        number = number * 10 + u128::from(digit.saturating_sub(b'0'));
        scale *= 10;
    }
    u64::try_from(number * u128::from(unit) / scale).unwrap_or(u64::MAX)
}

fn digits(text: &str) -> (&str, &str) {
    split(text, |c| !c.is_ascii_digit())
}

fn split(text: &str, end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(end).unwrap_or(text.len()))
}

impl fmt::Display for NoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "it is empty",
            Self::Number => "it does not begin with a number",
            Self::NoUnit => "a number has no unit",
            Self::Unit => "its unit is none of ns, us, ms, s, m, h",
            Self::TooLong => "it is longer than 292 years",
        })
    }
}

impl error::Error for NoDuration {}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanoseconds(text: &str) -> Result<i64, NoDuration> {
        text.parse::<GoDuration>().map(|duration| duration.nanoseconds)
    }

    /// The table of Go's own tests (`src/time/time_test.go`, `parseDurationTests`), and more of the kind.
    #[test]
    fn durations_are_read_as_by_go() {
        const S: i64 = 1_000_000_000;
        for (text, want) in [
            ("0", 0),
            ("-0", 0),
            ("+0", 0),
            ("5s", 5 * S),
            ("30s", 30 * S),
            ("1478s", 1478 * S),
            ("-5s", -5 * S),
            ("+5s", 5 * S),
            ("5.0s", 5 * S),
            ("5.6s", 5 * S + 600_000_000),
            ("5.s", 5 * S),
            (".5s", 500_000_000),
            ("1.0s", S),
            ("1.00s", S),
            ("1.004s", S + 4_000_000),
            ("1.0040s", S + 4_000_000),
            ("100.00100s", 100 * S + 1_000_000),
            ("10ns", 10),
            ("11us", 11_000),
            ("12µs", 12_000),
            ("12μs", 12_000),
            ("13ms", 13_000_000),
            ("14s", 14 * S),
            ("15m", 15 * 60 * S),
            ("16h", 16 * 3600 * S),
            ("3h30m", 12_600 * S),
            ("10.5s4m", 250 * S + 500_000_000),
            ("-2m3.4s", -(123 * S + 400_000_000)),
            ("1h2m3s4ms5us6ns", 3723 * S + 4_005_006),
            ("39h9m14.425s", 140_954 * S + 425_000_000),
            ("1h1h", 7200 * S),
            (".5h", 1800 * S),
            ("0h0m0s", 0),
            ("52763797000ns", 52_763_797_000),
            ("0.3333333333333333333h", 1200 * S - 1),
            ("9007199254740993ns", 9_007_199_254_740_993),
            ("9223372036854775807ns", i64::MAX),
            ("9223372036854775.807us", i64::MAX),
            ("9223372036s854ms775us807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
            ("-9223372036854775.808us", i64::MIN),
            ("-9223372036s854ms775us808ns", i64::MIN),
            ("0.100000000000000000000h", 360 * S),
            ("0.830103483285477580700h", 2_988_372_539_827),
        ] {
            let got = nanoseconds(text);
            // Go computes fractions of long units in floating point.
            assert!(got.is_ok_and(|got| got.abs_diff(want) <= 1), "{text}: {got:?}, not {want}");
        }
    }

    #[test]
    fn other_texts_are_no_durations() {
        let long = "9".repeat(4000);
        for (text, why) in [
            ("", NoDuration::Empty),
            ("-", NoDuration::Empty),
            ("+", NoDuration::Empty),
            ("3", NoDuration::NoUnit),
            ("60", NoDuration::NoUnit),
            ("00", NoDuration::NoUnit),
            ("1h1", NoDuration::NoUnit),
            ("s", NoDuration::Number),
            (".", NoDuration::Number),
            ("-.", NoDuration::Number),
            (".s", NoDuration::Number),
            ("+.s", NoDuration::Number),
            ("--1s", NoDuration::Number),
            ("soon", NoDuration::Number),
            (" 1s", NoDuration::Number),
            ("NaNs", NoDuration::Number),
            ("\u{85}\u{85}", NoDuration::Number),
            ("\u{ffff}", NoDuration::Number),
            ("hello \u{ffff} world", NoDuration::Number),
            ("٣s", NoDuration::Number),
            ("1d", NoDuration::Unit),
            ("1H", NoDuration::Unit),
            ("1e3s", NoDuration::Unit),
            ("1s ", NoDuration::Unit),
            ("1µ", NoDuration::Unit),
            ("1,5s", NoDuration::Unit),
            ("1..5h", NoDuration::NoUnit),
            ("9223372036854775810ns", NoDuration::TooLong),
            ("9223372036854775808ns", NoDuration::TooLong),
            ("-9223372036854775809ns", NoDuration::TooLong),
            ("9223372036854776us", NoDuration::TooLong),
            ("3000000h", NoDuration::TooLong),
            ("9223372036854ms775us808ns", NoDuration::TooLong),
            ("9223372036854775808ns9223372036854775808ns", NoDuration::TooLong),
            ("999999999999999999999h", NoDuration::TooLong),
            (&format!("{long}h"), NoDuration::TooLong),
        ] {
            assert_eq!(nanoseconds(text), Err(why), "{text}");
        }
        assert_eq!(nanoseconds(&format!("0.{long}ns")), Ok(0));
    }

    #[test]
    fn only_positive_durations_can_be_waited() {
        let positive = |text: &str| text.parse::<GoDuration>().unwrap().positive();
        assert_eq!(positive("1m30s"), Some(Duration::from_secs(90)));
        for text in ["0", "0s", "-1h", "-1ns", "0.0000000001ns"] {
            assert_eq!(positive(text), None, "{text}");
        }
    }
}
