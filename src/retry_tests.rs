use http::HeaderValue;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const MIDDLE: u32 = 1 << 31;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn plain() -> Backoff {
    Backoff {
        first: ms(100),
        factor: 200,
        longest: SECOND,
        jitter: 0,
        attempts: 5,
        deadline: Duration::from_secs(10),
    }
}

#[test]
fn pauses_grow_up_to_the_longest() {
    let pauses: Vec<_> =
        (1..=6).map(|attempt| plain().next_pause(attempt, Duration::ZERO, None, MIDDLE)).collect();
    let expected = [Some(ms(100)), Some(ms(200)), Some(ms(400)), Some(ms(800)), None, None];
    assert_eq!(pauses, expected);
    let longer = Backoff { attempts: u32::MAX, ..plain() };
    for attempt in [5, 6, 1000, u32::MAX - 1] {
        assert_eq!(longer.next_pause(attempt, Duration::ZERO, None, 0), Some(SECOND), "{attempt}");
    }
}

#[test]
fn deadline_ends_and_bounds_pauses() {
    let at = |millis| plain().next_pause(1, ms(millis), None, 0);
    assert_eq!(at(9_900), Some(ms(100)));
    assert_eq!(at(9_950), Some(ms(50)), "the last attempt begins with the deadline");
    assert_eq!(at(10_000), None);
    assert_eq!(plain().next_pause(1, Duration::MAX, None, 0), None);
    let none = Backoff { deadline: Duration::ZERO, ..plain() };
    assert_eq!(none.next_pause(1, Duration::ZERO, Some(SECOND), 0), None);
}

#[test]
fn server_may_ask_for_more_only() {
    let asked = |at_least, elapsed| plain().next_pause(1, elapsed, Some(at_least), 0);
    assert_eq!(asked(Duration::ZERO, Duration::ZERO), Some(ms(100)));
    assert_eq!(asked(ms(99), Duration::ZERO), Some(ms(100)));
    assert_eq!(asked(3 * SECOND, Duration::ZERO), Some(3 * SECOND), "beyond the longest of our own");
    assert_eq!(asked(10 * SECOND, Duration::ZERO), Some(10 * SECOND), "the deadline itself");
    assert_eq!(asked(Duration::MAX, Duration::ZERO), None, "beyond the deadline");
    assert_eq!(asked(2 * SECOND, 9 * SECOND), None);
}

#[test]
fn jitter_only_shortens() {
    let backoff = Backoff { jitter: 50, ..plain() };
    let pause = |random| backoff.next_pause(1, Duration::ZERO, None, random).unwrap();
    assert_eq!(pause(0), ms(100));
    assert_eq!(pause(MIDDLE), ms(75));
    assert!(pause(u32::MAX) >= ms(50) && pause(u32::MAX) < ms(51));
    let all = Backoff { jitter: u32::MAX, ..plain() };
    assert!(all.next_pause(1, Duration::ZERO, None, u32::MAX).unwrap() < ms(1));
    // What the server asks for is not shortened.
    assert_eq!(backoff.next_pause(1, Duration::ZERO, Some(SECOND), u32::MAX), Some(SECOND));
}

#[test]
fn extreme_policies_do_not_overflow() {
    let extreme = Backoff {
        first: Duration::MAX,
        factor: u32::MAX,
        longest: Duration::MAX,
        jitter: 100,
        attempts: u32::MAX,
        deadline: Duration::MAX,
    };
    for attempt in [0, 1, 2, u32::MAX - 1] {
        assert!(extreme.next_pause(attempt, Duration::ZERO, Some(Duration::MAX), u32::MAX).is_some());
    }
    assert_eq!(extreme.next_pause(u32::MAX, Duration::ZERO, None, 0), None);
    let growing = Backoff { first: Duration::from_nanos(1), ..extreme };
    assert_eq!(growing.next_pause(40, Duration::ZERO, None, 0), Some(Duration::MAX / 100));
    for nothing in [Backoff { first: Duration::ZERO, ..extreme }, Backoff { factor: 0, jitter: 0, ..plain() }]
    {
        assert!(nothing.next_pause(u32::MAX - 1, Duration::ZERO, None, 0).unwrap_or_default() <= ms(100));
    }
}

#[test]
fn no_pause_passes_the_deadline() {
    let policies = [plain(), Backoff::request(ms(500), 4), Backoff::poll(ms(50), SECOND, 7 * SECOND)];
    for backoff in policies {
        for attempt in 0..8 {
            for elapsed in [0, 1, 500, 6_999, 9_999, 29_999, 30_000, 1 << 40].map(ms) {
                for at_least in [None, Some(SECOND), Some(Duration::MAX)] {
                    for random in [0, MIDDLE, u32::MAX] {
                        let Some(pause) = backoff.next_pause(attempt, elapsed, at_least, random) else {
                            continue;
                        };
                        assert!(elapsed + pause <= backoff.deadline, "{backoff:?} {attempt} {elapsed:?}");
                    }
                }
            }
        }
    }
}

fn asked(retry_after: &str, date: &str) -> Option<Duration> {
    let mut headers = HeaderMap::new();
    for (name, text) in [(RETRY_AFTER, retry_after), (DATE, date)] {
        if !text.is_empty() {
            headers.insert(name, HeaderValue::from_bytes(text.as_bytes()).unwrap());
        }
    }
    super::retry_after(&headers)
}

const NOON: &str = "Wed, 11 Nov 2026 12:00:00 GMT";

#[test]
fn seconds_of_retry_after_are_read() {
    for (text, seconds) in [
        ("0", 0),
        ("7", 7),
        (" 120 ", 120),
        ("007", 7),
        ("18446744073709551615", u64::MAX),
        ("99999999999999999999999999", u64::MAX),
    ] {
        assert_eq!(asked(text, ""), Some(Duration::from_secs(seconds)), "{text}");
    }
}

#[test]
fn unreadable_retry_after_is_ignored() {
    for text in ["", "-5", "+5", "1.5", "5s", "soon", "0x10", "1 2", "٣", "Wed, 32 Nov 2026 12:00:00 GMT"] {
        assert_eq!(asked(text, NOON), None, "{text}");
    }
    assert_eq!(asked("\u{ff}", NOON), None);
}

#[test]
fn date_counts_by_the_servers_clock() {
    assert_eq!(asked("Wed, 11 Nov 2026 12:00:30 GMT", NOON), Some(Duration::from_secs(30)));
    assert_eq!(asked("Wednesday, 11-Nov-26 12:00:30 GMT", NOON), Some(Duration::from_secs(30)));
    assert_eq!(asked("Wed, 11 Nov 2026 11:00:00 GMT", NOON), Some(Duration::ZERO), "it is past");
    for date in ["", "yesterday"] {
        assert_eq!(asked("Wed, 11 Nov 2026 12:00:30 GMT", date), None, "{date}");
    }
}

#[test]
fn only_passing_failures_are_repeated() {
    let transient = [408, 429, 500, 502, 503, 504];
    for status in 100..600 {
        let safe = Repeat::Safe.may_help_after(status);
        assert_eq!(safe, transient.contains(&status), "{status}");
        // Whether the request was carried out is not known.
        assert_eq!(Repeat::Unsafe.may_help_after(status), [408, 429].contains(&status), "{status}");
    }
    for (method, repeat) in [
        (Method::GET, Repeat::Safe),
        (Method::PUT, Repeat::Safe),
        (Method::DELETE, Repeat::Safe),
        (Method::POST, Repeat::Unsafe),
        (Method::PATCH, Repeat::Unsafe),
    ] {
        assert_eq!(Repeat::of(&method), repeat, "{method}");
    }
}

#[tokio::test]
async fn attempts_end_with_the_deadline() {
    let backoff = Backoff { first: ms(2), longest: ms(8), attempts: u32::MAX, deadline: ms(30), ..plain() };
    let mut attempts = Attempts::begin(backoff);
    let mut messages = Vec::new();
    while attempts.pause_saying(None, |pause| messages.push(pause)).await {}
    assert!(attempts.elapsed() >= ms(30) && messages.iter().sum::<Duration>() <= ms(30), "{messages:?}");
    assert_eq!(messages[0], ms(2));
    assert_eq!(usize::try_from(attempts.attempt()).unwrap(), messages.len() + 1);
}

#[tokio::test]
async fn last_attempt_has_no_pause() {
    let mut attempts = Attempts::begin(Backoff { first: ms(1), attempts: 3, ..plain() });
    assert!(attempts.pause(None).await && attempts.pause(None).await);
    assert!(!attempts.pause(Some(Duration::MAX)).await);
    assert_eq!(attempts.attempt(), 3);
}

#[test]
fn random_numbers_differ() {
    let numbers: std::collections::BTreeSet<_> = (0..8).map(|_| random()).collect();
    assert!(numbers.len() > 1);
}

#[tokio::test]
async fn look_on_its_way_shortens_pause() {
    let far = Duration::from_secs(600);
    let backoff = Backoff { jitter: 0, ..Backoff::poll(Duration::from_secs(30), far, far) };
    let mut attempts = Attempts::begin(backoff);
    attempts.at -= Duration::from_secs(60);
    let begun = Instant::now();
    assert!(attempts.pause_between_looks().await);
    assert!(begun.elapsed() < backoff.first, "the look took longer than the pause");
    assert!(attempts.at >= begun, "the next look begins now");
    assert_eq!(attempts.attempt(), 2);
}
