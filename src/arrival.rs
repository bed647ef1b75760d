//! How far an answer has come: the words for an answer that does not come to its end.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// After so long without another byte it has stopped, before that it trickles.
const STOPPED: Duration = Duration::from_secs(2);
/// No length was declared.
const UNKNOWN: u64 = u64::MAX;

/// Filled while an answer is read, and read when the wait for it is over.
#[derive(Debug)]
pub(crate) struct Arrival {
    head: AtomicBool,
    declared: AtomicU64,
    received: AtomicU64,
    last: Mutex<Instant>,
}

impl Default for Arrival {
    fn default() -> Self {
        Self {
            head: AtomicBool::new(false),
            declared: AtomicU64::new(UNKNOWN),
            received: AtomicU64::new(0),
            last: Mutex::new(Instant::now()),
        }
    }
}

impl Arrival {
    /// The head is there, and declares so many bytes.
    pub(crate) fn begins(&self, declared: Option<u64>) {
        self.head.store(true, Ordering::Relaxed);
        self.declared.store(declared.unwrap_or(UNKNOWN), Ordering::Relaxed);
        self.touch();
    }

    /// So many bytes more of the body are there.
    pub(crate) fn grows(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        self.touch();
    }

    fn touch(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// What the time was spent with.
    pub(crate) fn describe(&self) -> String {
        let silence = self.last.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        self.describe_after(silence)
    }

    fn describe_after(&self, silence: Duration) -> String {
        if !self.head.load(Ordering::Relaxed) {
            return "the connection was accepted, and no answer came on it".to_owned();
        }
        let received = self.received.load(Ordering::Relaxed);
        let of = match self.declared.load(Ordering::Relaxed) {
            UNKNOWN => format!("{received} bytes of the answer's body"),
            declared => format!("{received} of {declared} declared bytes of the answer's body"),
        };
        match (received, silence >= STOPPED) {
            (0, _) => format!("the answer began and stopped after its head: {of} arrived"),
            (_, true) => {
                format!("the answer stopped: {of} arrived, then nothing for {} s", silence.as_secs())
            }
            (_, false) => format!("the answer trickles: {of} arrived"),
        }
    }

    /// How much of it is there, for an answer whose connection was closed.
    pub(crate) fn share(&self) -> String {
        let received = self.received.load(Ordering::Relaxed);
        match self.declared.load(Ordering::Relaxed) {
            UNKNOWN => format!("the connection was closed after {received} bytes of the body"),
            declared => format!("the connection was closed after {received} of {declared} declared bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_arrival_is_described_by_kind() {
        let (short, long) = (Duration::from_millis(10), Duration::from_secs(7));
        let arrival = Arrival::default();
        assert!(arrival.describe_after(long).contains("no answer came"));
        arrival.begins(Some(100));
        assert!(arrival.describe_after(long).contains("after its head: 0 of 100 declared bytes"));
        arrival.grows(3);
        assert_eq!(
            arrival.describe_after(short),
            "the answer trickles: 3 of 100 declared bytes of the answer's body arrived"
        );
        assert!(arrival.describe_after(long).ends_with("arrived, then nothing for 7 s"));
        assert!(arrival.share().contains("3 of 100"));
        let unknown = Arrival::default();
        unknown.begins(None);
        unknown.grows(3);
        assert!(unknown.describe_after(short).contains("trickles: 3 bytes"));
        assert!(unknown.share().ends_with("after 3 bytes of the body"));
    }
}
