//! When something is tried again, and after which pause: one policy for requests, for states that are waited for, and for
//! writes that collide.
//!
//! ```text
//!  Backoff × attempt, elapsed time, Retry-After, random number ─► next_pause ─► a pause, or none: the outcome counts
//!                                                                  (a value)     Attempts::pause sleeps
//! ```

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use http::{
    HeaderMap, Method,
    header::{DATE, RETRY_AFTER},
};
use tokio::time::{Instant, sleep};

use crate::error::Error;

/// How long pauses are, and how long something is tried in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Backoff {
    /// Before the second attempt.
    pub(crate) first: Duration,
    /// What each pause is multiplied with to give the next one, in percent; 100 keeps it.
    pub(crate) factor: u32,
    /// The longest pause that is chosen here. A server may ask for a longer one.
    pub(crate) longest: Duration,
    /// By how much a pause may be shortened at random, in percent: clients that failed together do not return together.
    pub(crate) jitter: u32,
    /// How often it is tried in all.
    pub(crate) attempts: u32,
    /// How long it is tried in all, from the beginning of the first attempt. No pause begins after it or ends after it, so
    /// the last attempt may begin with its end.
    pub(crate) deadline: Duration,
}

impl Backoff {
    /// Of one request.
    pub(crate) const fn request(first: Duration, attempts: u32) -> Self {
        let (longest, deadline) = (Duration::from_secs(8), Duration::from_secs(30));
        Self { first, factor: 200, longest, jitter: 50, attempts, deadline }
    }

    /// Of looks at something that takes its time: at growing distances, until the deadline.
    pub(crate) const fn poll(first: Duration, longest: Duration, deadline: Duration) -> Self {
        Self { first, factor: 150, longest, jitter: 20, attempts: u32::MAX, deadline }
    }

    /// Of writes that collide with those of other writers: read again, write again.
    pub(crate) const fn conflict(first: Duration, attempts: u32) -> Self {
        let (longest, deadline) = (Duration::from_secs(2), Duration::from_secs(60));
        Self { first, factor: 150, longest, jitter: 50, attempts, deadline }
    }

    /// The pause after this attempt (the first is 1); `None`: it was tried long enough.
    ///
    /// `at_least` is what the server asks for ([`retry_after`]), or what spares it; beyond the deadline there is no further
    /// attempt. `random` is any number, and each equally likely.
    pub(crate) fn next_pause(
        &self,
        attempt: u32,
        elapsed: Duration,
        at_least: Option<Duration>,
        random: u32,
    ) -> Option<Duration> {
        let left = self.deadline.checked_sub(elapsed).filter(|left| !left.is_zero())?;
        if attempt >= self.attempts {
            return None;
        }
        // An attempt before the time that the server asks for would be refused again.
        let at_least = at_least.unwrap_or_default();
        let shortened = self.shorten(self.grown(attempt), random).min(left);
        (at_least <= left).then(|| shortened.max(at_least))
    }

    fn grown(&self, attempt: u32) -> Duration {
        let mut pause = self.first;
        for _ in 1..attempt {
            if pause >= self.longest || pause.is_zero() || self.factor <= 100 {
                break;
            }
            let next = pause.saturating_mul(self.factor) / 100;
            // It cannot grow any more.
            if next <= pause {
                break;
            }
            pause = next;
        }
        pause.min(self.longest)
    }

    fn shorten(&self, pause: Duration, random: u32) -> Duration {
        // Below 2^64 / 100 ns, some six years, nothing overflows; a longer pause is left as it is.
        let Ok(nanos) = u64::try_from(pause.as_nanos()) else { return pause };
        let most = u128::from(nanos) * u128::from(self.jitter.min(100)) / 100;
        let less = (most * u128::from(random)) >> u32::BITS;
        pause.saturating_sub(Duration::from_nanos(u64::try_from(less).unwrap_or(nanos)))
    }
}

/// The attempts at one thing.
#[derive(Debug)]
pub(crate) struct Attempts {
    backoff: Backoff,
    begun: Instant,
    /// When the attempt that is under way began.
    at: Instant,
    attempt: u32,
}

impl Attempts {
    /// The first attempt begins now.
    pub(crate) fn begin(backoff: Backoff) -> Self {
        let now = Instant::now();
        Self { backoff, begun: now, at: now, attempt: 1 }
    }

    /// Waits before the next attempt; `false`: there is none.
    pub(crate) async fn pause(&mut self, at_least: Option<Duration>) -> bool {
        self.pause_saying(at_least, |_| ()).await
    }

    /// The same; `say` gets the pause before it begins.
    pub(crate) async fn pause_saying(
        &mut self,
        at_least: Option<Duration>,
        say: impl FnOnce(Duration) + Send,
    ) -> bool {
        let pause = self.backoff.next_pause(self.attempt, self.elapsed(), at_least, random());
        let Some(pause) = pause else { return false };
        tracing::info!(?pause, attempt = self.attempt, "waiting before the next attempt");
        say(pause);
        sleep(pause).await;
        self.at_once();
        true
    }

    /// Waits before the next look at something that takes its time. The time that a look is on its way is part of the
    /// distance to the next one.
    pub(crate) async fn pause_between_looks(&mut self) -> bool {
        let pause = self.backoff.next_pause(self.attempt, self.elapsed(), None, random());
        let Some(pause) = pause else { return false };
        sleep(pause.saturating_sub(self.at.elapsed())).await;
        self.at_once();
        true
    }

    /// The next attempt begins without a pause: a new reading has made it another one.
    pub(crate) fn at_once(&mut self) {
        self.at = Instant::now();
        self.attempt = self.attempt.saturating_add(1);
    }

    /// The attempt that is under way; the first is 1.
    pub(crate) fn attempt(&self) -> u32 {
        self.attempt
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }
}

/// Any number, each equally likely. Without a dependency: the standard library seeds each of these differently.
pub(crate) fn random() -> u32 {
    let number = RandomState::new().hash_one(());
    u32::try_from(number >> u32::BITS).unwrap_or_default()
}

/// Whether a request may be sent a second time although the first may have been carried out. Each client derives it where it
/// sends: from the method, or from the condition that the request names, and says so there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It is idempotent, or the caller handles that it was carried out before.
    Safe,
    /// Only where it is certain that it was not carried out.
    Unsafe,
}

impl Repeat {
    /// RFC 9110 §9.2.2: GET, HEAD, OPTIONS, TRACE, PUT and DELETE are idempotent.
    pub(crate) fn of(method: &Method) -> Self {
        if method.is_idempotent() { Self::Safe } else { Self::Unsafe }
    }

    /// Whether an answer of this status may be another one the next time. 408 and 429 say that the request was not carried
    /// out (RFC 9110 §15.5.9, RFC 6585 §4); after the others, that is not known.
    pub(crate) fn may_help_after(self, status: u16) -> bool {
        match status {
            408 | 429 => true,
            500 | 502..=504 => self == Self::Safe,
            _ => false,
        }
    }
}

/// Whether asking again can help. `unanswered`: why a request that was sent got no answer. A time limit that was waited for
/// is not waited for again.
pub(crate) fn may_pass(
    repeat: Repeat,
    status: Option<u16>,
    is_throttled: bool,
    unanswered: Option<&Error>,
) -> bool {
    match status {
        Some(status) => is_throttled || repeat.may_help_after(status),
        None => repeat == Repeat::Safe && unanswered.is_some_and(|error| error.code.is_broken_connection()),
    }
}

/// What a server asks to wait (RFC 9110 §10.2.3): seconds, or the time of an HTTP date after that in `Date`; zero for one
/// that is past. `None`: it asks for nothing that can be understood.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let asked = text(RETRY_AFTER)?;
    if !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(asked.parse().unwrap_or(u64::MAX)));
    }
    // By the server's own clock: this machine's may be wrong.
    let [then, now] =
        [Some(asked), text(DATE)].map(|text| text.and_then(|it| httpdate::parse_http_date(it).ok()));
    Some(then?.duration_since(now?).unwrap_or_default())
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
