//! PURE. How long a credential lives, as a server answers it: a whole number of seconds (RFC 6749 §5.1 `expires_in`,
//! Vault's `lease_duration`).

use std::{fmt, time::Duration};

use serde_json::Value;

/// A lifetime that was checked when it came in: at least one second, and no longer than it can sensibly be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime(u32);

impl Lifetime {
    /// Reads a member of an answer; the error says what it is instead. `longest` is in seconds.
    pub(crate) fn read(answer: &Value, member: &str, longest: u32) -> Result<Self, String> {
        let found = match answer.get(member) {
            None | Some(Value::Null) => return Err(format!("no `{member}`")),
            Some(Value::Number(number)) => number,
            Some(_) => return Err(format!("a `{member}` that is no number")),
        };
        let seconds = found.as_u64().and_then(|seconds| u32::try_from(seconds).ok());
        seconds
            .filter(|seconds| (1..=longest).contains(seconds))
            .map(Self)
            .ok_or_else(|| format!("a `{member}` of {found} s, not of 1 to {longest}"))
    }

    pub(crate) fn duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lifetimes_are_whole_seconds_in_bounds() {
        let read = |value: Value| Lifetime::read(&json!({ "expires_in": value }), "expires_in", 86_400);
        for seconds in [1, 3599, 86_400] {
            assert_eq!(read(json!(seconds)), Ok(Lifetime(seconds)));
        }
        for (value, why) in [
            (json!(null), "no `expires_in`"),
            (json!(0), "of 0 s"),
            (json!(-1), "of -1 s"),
            (json!(86_401), "of 86401 s"),
            (json!(4_294_967_297_u64), "of 4294967297 s"),
            (json!(u64::MAX), "of 18446744073709551615 s"),
            (json!(i64::MIN), "of -9223372036854775808 s"),
            (json!(3599.5), "of 3599.5 s"),
            (json!(1e300), "e+300 s"),
            (json!("3599"), "no number"),
            (json!([3599]), "no number"),
            (json!({}), "no number"),
            (json!(true), "no number"),
        ] {
            let refused = read(value.clone()).unwrap_err();
            assert!(refused.contains(why), "{value}: {refused}");
        }
        assert!(Lifetime::read(&json!([]), "expires_in", 1).is_err());
    }
}
