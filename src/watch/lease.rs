//! PURE. Who writes, when several publishers run: the one that holds a Lease, as client-go elects leaders
//! (`k8s.io/client-go/tools/leaderelection`).
//!
//! The clock of another process is not trusted: a Lease is valid for its duration from when this process saw its record
//! change. A holder stops writing [`RENEW_DEADLINE`] after the beginning of its last successful renewal, which is before
//! any other process may take the Lease over.

use std::time::Duration;

use serde_json::{Value, json};

/// For how long a Lease holds, from when its record was seen to change.
pub(crate) const LEASE_DURATION: Duration = Duration::from_secs(15);
/// For how long a holder writes after the beginning of its last successful renewal.
pub(crate) const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// Between two attempts.
pub(crate) const RETRY_PERIOD: Duration = Duration::from_secs(2);
/// What a record says of itself is bounded: it may come from another program.
const LONGEST: u64 = 60;

/// `spec` of a Lease (coordination.k8s.io/v1), as far as it decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// `None`: it was released, or never held.
    pub(crate) holder: Option<String>,
    seconds: u64,
    acquired: Value,
    renewed: Value,
    transitions: u64,
}

/// What is to be done with the Lease now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Another process holds it.
    Wait,
    /// There is none: make it with this `spec`.
    Create(Value),
    /// Write this `spec` over the version that was read.
    Update(Value),
}

/// What this process knows of the Lease. Times are on the local clock.
#[derive(Clone, Debug)]
pub(crate) struct Election {
    me: String,
    /// The record as it was last seen; `None`: there is no Lease.
    seen: Option<Record>,
    /// When it was first seen like this.
    since: Duration,
    /// When the last write of this process that succeeded began.
    renewed: Option<Duration>,
}

impl Record {
    pub(crate) fn read(spec: &Value) -> Self {
        let text = |name: &str| spec[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        Self {
            holder: text("holderIdentity"),
            seconds: spec["leaseDurationSeconds"].as_u64().unwrap_or(LEASE_DURATION.as_secs()),
            acquired: spec["acquireTime"].clone(),
            renewed: spec["renewTime"].clone(),
            transitions: spec["leaseTransitions"].as_u64().unwrap_or_default(),
        }
    }

    fn lasts(&self) -> Duration {
        Duration::from_secs(self.seconds.clamp(1, LONGEST))
    }
}

impl Election {
    /// `me`: what tells this process from every other one.
    pub(crate) fn new(me: String) -> Self {
        Self { me, seen: None, since: Duration::ZERO, renewed: None }
    }

    /// What the API server has. A record that is the same as before is no sign of life.
    pub(crate) fn observe(&mut self, record: Option<Record>, now: Duration) {
        if record.as_ref().is_none_or(|record| record.holder.as_ref() != Some(&self.me)) {
            self.renewed = None;
        }
        if record != self.seen {
            (self.seen, self.since) = (record, now);
        }
    }

    /// `time`: the time of day for people, RFC 3339 with microseconds, as Kubernetes demands it.
    pub(crate) fn step(&self, now: Duration, time: &str) -> Step {
        let Some(record) = &self.seen else { return Step::Create(self.spec(json!(time), time, 0)) };
        match &record.holder {
            Some(holder) if *holder == self.me => {
                Step::Update(self.spec(record.acquired.clone(), time, record.transitions))
            }
            Some(_) if now.saturating_sub(self.since) < record.lasts() => Step::Wait,
            _ => Step::Update(self.spec(json!(time), time, record.transitions.saturating_add(1))),
        }
    }

    /// The write of a step succeeded; it began at `began`.
    pub(crate) fn written(&mut self, record: Record, began: Duration, now: Duration) {
        self.observe(Some(record), now);
        let is_mine = self.seen.as_ref().is_some_and(|record| record.holder.as_ref() == Some(&self.me));
        self.renewed = is_mine.then_some(began);
    }

    /// Until when this process may write; `None`: it may not.
    pub(crate) fn leads_until(&self) -> Option<Duration> {
        self.renewed.map(|began| began + RENEW_DEADLINE)
    }

    /// The holder, if it is another process.
    pub(crate) fn other(&self) -> Option<&str> {
        self.seen.as_ref()?.holder.as_deref().filter(|holder| *holder != self.me)
    }

    /// The `spec` that gives the Lease up, so that another process need not wait; `None`: it is not held. An empty
    /// `holderIdentity` would be refused: it is left out.
    pub(crate) fn release(&self, time: &str) -> Option<Value> {
        let record = self.seen.as_ref().filter(|record| record.holder.as_ref() == Some(&self.me))?;
        Some(json!({
            "leaseDurationSeconds": 1,
            "acquireTime": record.acquired,
            "renewTime": time,
            "leaseTransitions": record.transitions,
        }))
    }

    fn spec(&self, acquired: Value, time: &str, transitions: u64) -> Value {
        // A record without it is one of another program.
        let acquired = if acquired.is_string() { acquired } else { json!(time) };
        json!({
            "holderIdentity": self.me,
            "leaseDurationSeconds": LEASE_DURATION.as_secs(),
            "acquireTime": acquired,
            "renewTime": time,
            "leaseTransitions": transitions,
        })
    }
}

#[cfg(test)]
#[path = "lease_tests.rs"]
mod tests;
