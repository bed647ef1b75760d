use super::*;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn time(seconds: u64) -> String {
    format!("2026-11-26T12:00:{seconds:02}.000000Z")
}

/// A process and what the API server has.
struct Process(Election);

impl Process {
    fn new(name: &str) -> Self {
        Self(Election::new(name.to_owned()))
    }

    /// One attempt that succeeds, if it is this process's turn. `clock`: what its own clock shows to people.
    fn attempt(&mut self, stored: &mut Option<Value>, now: u64, clock: u64) -> bool {
        self.0.observe(stored.as_ref().map(Record::read), s(now));
        match self.0.step(s(now), &time(clock)) {
            Step::Wait => false,
            Step::Create(spec) | Step::Update(spec) => {
                *stored = Some(spec.clone());
                self.0.written(Record::read(&spec), s(now), s(now));
                true
            }
        }
    }

    fn leads(&self, now: u64) -> bool {
        self.0.leads_until().is_some_and(|until| s(now) < until)
    }
}

#[test]
fn first_process_makes_the_lease() {
    let (mut a, mut b, mut stored) = (Process::new("a"), Process::new("b"), None);
    assert!(!a.leads(0));
    assert!(a.attempt(&mut stored, 0, 0) && a.leads(9) && !a.leads(10));
    let spec = stored.clone().unwrap();
    assert_eq!(spec["holderIdentity"], "a");
    assert_eq!(spec["leaseDurationSeconds"], 15);
    assert!(!b.attempt(&mut stored, 1, 1) && !b.leads(1));
    assert_eq!((b.0.other(), a.0.other()), (Some("a"), None));
}

#[test]
fn holder_keeps_its_beginning() {
    let (mut a, mut stored) = (Process::new("a"), None);
    a.attempt(&mut stored, 0, 0);
    a.attempt(&mut stored, 2, 2);
    let spec = stored.unwrap();
    assert_eq!((&spec["acquireTime"], &spec["renewTime"]), (&json!(time(0)), &json!(time(2))));
    assert_eq!(spec["leaseTransitions"], 0);
    assert!(a.leads(11) && !a.leads(12));
}

/// Whatever the holder's clock shows: far past or far future, it is the change that counts.
#[test]
fn silent_holder_is_replaced() {
    for clock in [0, 30, 59] {
        let (mut a, mut b, mut stored) = (Process::new("a"), Process::new("b"), None);
        a.attempt(&mut stored, 0, clock);
        assert!(!b.attempt(&mut stored, 3, 1));
        assert!(!b.attempt(&mut stored, 17, 1), "15 s from when it was seen");
        assert!(!a.leads(17), "the former holder has stopped before");
        assert!(b.attempt(&mut stored, 18, 1) && b.leads(18));
        assert_eq!(stored.as_ref().unwrap()["leaseTransitions"], 1);
        // The former holder comes back.
        assert!(!a.attempt(&mut stored, 19, 2) && !a.leads(19));
    }
}

#[test]
fn renewing_holder_is_never_replaced() {
    let (mut a, mut b, mut stored) = (Process::new("a"), Process::new("b"), None);
    for now in (0..600).step_by(2) {
        // Both clocks stand still.
        assert!(a.attempt(&mut stored, now, now % 60));
        assert!(!b.attempt(&mut stored, now + 1, 0));
        assert!(a.leads(now + 1) && !b.leads(now + 1));
    }
}

#[test]
fn failed_renewal_ends_before_takeover() {
    let (mut a, mut b, mut stored) = (Process::new("a"), Process::new("b"), None);
    a.attempt(&mut stored, 0, 0);
    // Seen by the other at the very moment at which it was written.
    assert!(!b.attempt(&mut stored, 0, 0));
    for now in 0..40 {
        let b_leads = b.attempt(&mut stored, now, 0) && b.leads(now);
        assert!(!(a.leads(now) && b_leads), "both at {now}");
    }
    assert!(b.leads(39));
}

#[test]
fn released_lease_is_free_at_once() {
    let (mut a, mut b, mut stored) = (Process::new("a"), Process::new("b"), None);
    a.attempt(&mut stored, 0, 0);
    b.attempt(&mut stored, 1, 1);
    assert_eq!(b.0.release(&time(2)), None);
    let spec = a.0.release(&time(2)).unwrap();
    assert_eq!(spec.get("holderIdentity"), None);
    stored = Some(spec);
    assert!(b.attempt(&mut stored, 2, 2) && b.leads(2));
}

#[test]
fn lost_lease_ends_at_once() {
    let (mut a, mut stored) = (Process::new("a"), None);
    a.attempt(&mut stored, 0, 0);
    for taken in [None, Some(json!({"holderIdentity": "b", "renewTime": time(1)})), Some(json!({}))] {
        let mut a = Process(a.0.clone());
        a.0.observe(taken.as_ref().map(Record::read), s(1));
        assert!(!a.leads(1), "{taken:?}");
    }
}

/// What others write into it neither stops this process for good nor breaks it.
#[test]
fn odd_records_are_bounded() {
    for (odd, taken_at) in [
        (json!({"holderIdentity": "x", "leaseDurationSeconds": u64::MAX}), 60),
        (json!({"holderIdentity": "x", "leaseDurationSeconds": 0}), 1),
        (json!({"holderIdentity": "x", "leaseDurationSeconds": -5}), 15),
        (json!({"holderIdentity": "x", "renewTime": "2999-01-01T00:00:00.000000Z"}), 15),
        (json!({"holderIdentity": 7}), 0),
        (json!({"holderIdentity": ""}), 0),
        (json!(null), 0),
        (json!([1]), 0),
        (json!({"leaseTransitions": u64::MAX, "acquireTime": {}}), 0),
    ] {
        let (mut b, mut stored) = (Process::new("b"), Some(odd.clone()));
        let taken = (0..100).find(|now| b.attempt(&mut stored, *now, 0));
        assert_eq!(taken, Some(taken_at), "{odd}");
        assert!(stored.unwrap()["acquireTime"].is_string());
    }
}
