//! What the tests of trouble at Google share.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use crate::{
    estate::{DEFAULT_ISSUER, Estate, SETUP},
    world::Ran,
};

/// How many estates are up at the same time: most of their time is spent waiting.
const AT_ONCE: usize = 4;

/// Does it with every one of them, several at the same time.
pub(crate) fn at_once<T: Sync>(all: &[T], test: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(all.len()) {
            scope.spawn(|| {
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    test(one);
                }
            });
        }
    });
}

/// What setup would write on what it makes for this cluster.
pub(crate) fn mark(estate: &Estate) -> String {
    let system = estate.world.cluster.object("v1", "Namespace", None, "kube-system").unwrap();
    let uid = system["metadata"]["uid"].as_str().unwrap();
    format!("managed by keyless in cluster {uid} for {DEFAULT_ISSUER}")
}

/// Setup does not come to its end, for this reason.
#[track_caller]
pub(crate) fn refused(estate: &Estate, exit: i32, code: &str, names: &[&str]) -> Ran {
    let ran = estate.run(&SETUP).fails(exit, code, names);
    shows_no_secret(estate, &ran);
    ran
}

#[track_caller]
pub(crate) fn shows_no_secret(estate: &Estate, ran: &Ran) {
    for secret in [&*estate.google.token(), "PRIVATE KEY", "hunter2", "eyJ", "ya29."] {
        for text in [&ran.out, &ran.err] {
            assert!(!text.contains(secret), "{secret} is shown:\n{text}");
        }
    }
}

/// The store still reads with its key, and the key is good.
#[track_caller]
pub(crate) fn untouched(estate: &Estate, why: &str) {
    let auth = estate.store()["spec"]["provider"]["gcpsm"]["auth"].clone();
    assert!(
        auth.get("secretRef").is_some() && auth.get("workloadIdentityFederation").is_none(),
        "{why}: {auth}"
    );
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (Some(false), true), "{why}");
}

/// Setup comes to its end: the store reads without its key, and nothing is left to do.
#[track_caller]
pub(crate) fn ends_well(estate: &Estate, why: &str) {
    let ran = estate.run(&SETUP).ends(0);
    shows_no_secret(estate, &ran);
    let auth = estate.store()["spec"]["provider"]["gcpsm"]["auth"].clone();
    let audience = auth["workloadIdentityFederation"]["audience"].as_str().unwrap_or_default();
    assert!(audience.starts_with("//iam.googleapis.com/projects/123456789012/"), "{why}: {auth}");
    assert!(auth.get("secretRef").is_none(), "{why}: {auth}");
    assert_eq!(estate.key_disabled(), Some(true), "{why}");
    estate.run(&["setup", "--dry-run"]).ends(0);
}
