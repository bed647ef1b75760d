//! A redaction is quick, whatever it is given.

use std::time::Duration;

use super::{known::Known, tests::secret, *};

/// What this thread has computed for, whatever else the machine does (Linux, Documentation/scheduler/sched-stats.rst).
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

/// A report of 20,000 lines, with a thousand secrets known, is not held up: a second per line would show in a moment.
#[test]
fn long_report_is_not_held_up() {
    let mut known = Known::default();
    for number in 0..1000 {
        known.add(&secret(&format!("S{number}-"), 1200));
        known.add(&secret(&format!("s{number}-"), 16));
    }
    let line = "1234. ExternalSecret shop-123/database-credentials reads external-secrets/google-key (key.json) by the \
                ClusterSecretStore app-secrets, and lies in Secret shop-123/database";
    let start = cpu_time();
    for _ in 0..20_000 {
        assert!(known.find(line).is_empty());
        assert_eq!(shapes::find(line).len(), 0);
    }
    let spent = cpu_time() - start;
    assert!(spent < Duration::from_secs(40), "{spent:?}");
}

#[test]
fn hostile_text_is_redacted_in_time() {
    let start = cpu_time();
    for part in [
        "://a@",
        "eyJ.",
        "eyJ-a",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN ",
        "[1, 2",
        "=\"",
        "Bearer ",
        "%",
        "&#",
    ] {
        let text = part.repeat((64 << 10) / part.len());
        assert!(message(&text).len() <= 4 * (LONGEST_MESSAGE + 1), "{part}");
        assert!(line(&text).len() <= 4 * (LONGEST_LINE + 1), "{part}");
    }
    let spent = cpu_time() - start;
    assert!(spent < Duration::from_secs(40), "{spent:?}");
}
