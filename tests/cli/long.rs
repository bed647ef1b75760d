//! How long a test may take: a few rounds for a person who waits, all of them where `KEYLESS_LONG_TESTS` is set, as in CI.

use std::env;

/// The first number in a long run, else the second.
#[expect(clippy::disallowed_methods, reason = "whether the run is a long one")]
pub(crate) fn long_or<T>(long: T, short: T) -> T {
    if env::var_os("KEYLESS_LONG_TESTS").is_some() { long } else { short }
}
