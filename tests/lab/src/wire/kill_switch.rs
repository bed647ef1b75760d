//! Acts as a program that is killed at a certain call.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper::Method;

use super::serve::runtime;

/// Which side of a call's effect a [`KillSwitch`] trips on
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The request has arrived, nothing is done
    BeforeEffect,
    /// The request is carried out, its answer is not sent
    AfterEffect,
}

/// Which calls a [`KillSwitch`] counts
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Every call
    All,
    /// `GET` and `HEAD`, of which a program that waits makes now more, now fewer
    Reads,
    /// Everything else
    Writes,
}

/// Stops the world at one call, counted over all far sides that share the switch.
///
/// At that call the action runs (it kills the program under test, say) and no answer is sent; later
/// calls are closed unanswered.
#[derive(Clone)]
pub struct KillSwitch {
    inner: Arc<Switch>,
}

struct Switch {
    at: usize,
    counted: Counted,
    moment: Moment,
    calls: AtomicUsize,
    action: Box<dyn Fn() + Send + Sync>,
}

impl KillSwitch {
    /// Run `action` at call number `at` (the first is 1; 0 only counts)
    pub fn new(at: usize, moment: Moment, action: impl Fn() + Send + Sync + 'static) -> Self {
        Self::among(Counted::All, at, moment, action)
    }

    /// Run `action` at number `at` of these calls
    pub fn among(
        counted: Counted,
        at: usize,
        moment: Moment,
        action: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let (calls, action) = (AtomicUsize::new(0), Box::new(action));
        Self { inner: Arc::new(Switch { at, counted, moment, calls, action }) }
    }

    /// Calls so far, of those that it counts
    pub fn calls(&self) -> usize {
        self.inner.calls.load(Ordering::SeqCst)
    }

    /// Whether the call that it waits for has come
    pub fn tripped(&self) -> bool {
        self.inner.at > 0 && self.calls() >= self.inner.at
    }

    pub(super) fn count(&self, method: &Method) -> Option<usize> {
        let reads = *method == Method::GET || *method == Method::HEAD;
        let counts = match self.inner.counted {
            Counted::All => true,
            Counted::Reads => reads,
            Counted::Writes => !reads,
        };
        counts.then(|| self.inner.calls.fetch_add(1, Ordering::SeqCst) + 1)
    }

    /// True when a call, with its number if it counts, must not go on; runs the action at its own call
    pub(super) async fn trips(&self, number: Option<usize>, moment: Moment) -> bool {
        if number != Some(self.inner.at) {
            let late = number.map_or_else(|| self.tripped(), |number| number > self.inner.at);
            return self.inner.at > 0 && late && moment == Moment::BeforeEffect;
        }
        if moment != self.inner.moment {
            return false;
        }
        let switch = self.inner.clone();
        // The action may wait for a process to end: not on a thread that serves.
        let _ = runtime().spawn_blocking(move || (switch.action)()).await;
        true
    }
}
