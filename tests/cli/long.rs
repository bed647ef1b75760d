//! How long a test may take: a few rounds for a person who waits, all of them where `KEYLESS_LONG_TESTS` is set, as in CI.
//! What takes minutes is left to `tests/bench/run --long`, which sets `KEYLESS_LONGEST_TESTS`.

use std::env;

/// The first number in a long run, else the second.
#[expect(clippy::disallowed_methods, reason = "whether the run is a long one")]
pub(crate) fn long_or<T>(long: T, short: T) -> T {
    if env::var_os("KEYLESS_LONG_TESTS").is_some() { long } else { short }
}

/// The first number in the longest run, else as [`long_or`].
#[expect(clippy::disallowed_methods, reason = "whether the run is the longest one")]
pub(crate) fn longest_or<T>(longest: T, long: T, short: T) -> T {
    if env::var_os("KEYLESS_LONGEST_TESTS").is_some() { longest } else { long_or(long, short) }
}
