//! PURE. Whose the published keys are that no API server serves.

use super::Finding;
use crate::{
    cluster::Observed,
    error::Check,
    oidc::{KeySet, PublicKey},
    rotation::State,
};

const SUBJECT: &str = "published keys";

/// What the ledger says of a key.
pub(crate) type StateOf<'a> = dyn Fn(&PublicKey) -> Option<State> + 'a;

/// `state`: `None` without a ledger.
pub(super) fn judge_published(
    observed: &Observed,
    published: &KeySet,
    state: Option<&StateOf<'_>>,
) -> Finding {
    let others: Vec<_> = published.iter().filter(|key| observed.serving(key) == 0).collect();
    let count = others.len();
    let kids = |keys: &[&PublicKey]| {
        keys.iter().map(|key| key.kid().escape_debug().to_string()).collect::<Vec<_>>().join(", ")
    };
    if others.is_empty() {
        let seen = format!("all {} are live", published.len());
        return Finding::passed(Check::PublishedKeys, SUBJECT, seen);
    }
    let Some(state) = state else {
        return Finding::warned(
            Check::PublishedKeys,
            SUBJECT,
            format!("{count} of {} served by no API server: {}", published.len(), kids(&others)),
            "each is a former key of this cluster, one that was published before it signs, or a foreign one; keyless cannot tell which",
            "compare them with the keys that you rotated: the holder of a foreign one can sign as every workload",
        );
    };
    let is_ours = |key: &&PublicKey| state(key).is_some_and(|state| !state.is_alarm());
    let (ours, alarming): (Vec<_>, Vec<_>) = others.into_iter().partition(is_ours);
    match alarming.is_empty() {
        true => Finding::passed(
            Check::PublishedKeys,
            SUBJECT,
            format!("{} not live, and known from the ledger: {}", ours.len(), kids(&ours)),
        ),
        false => Finding::failed(
            Check::PublishedKeys,
            SUBJECT,
            format!(
                "{} of {} not known as keys of this cluster: {}",
                alarming.len(),
                published.len(),
                kids(&alarming)
            ),
            "no API server serves them, and the ledger does not know them as staged or former keys, or knows that they were taken out: their holder can sign as every workload",
            "`keyless keys add FILE` records one that you staged with `keyless setup`, `keyless publish --same-cluster` former keys of this \
             cluster; otherwise find out who wrote them: `keyless keys revoke KID` removes one",
        ),
    }
}

/// Keys that have to be public by the ledger, and that relying parties do not get.
pub(crate) fn judge_missing(kids: &[&str]) -> Option<Finding> {
    let named: Vec<_> = kids.iter().map(|kid| kid.escape_debug().to_string()).collect();
    (!named.is_empty()).then(|| {
        Finding::failed(
            Check::PublishedKeys,
            SUBJECT,
            format!("{} missing: {}", named.len(), named.join(", ")),
            "the ledger knows them as former or staged keys of this cluster: relying parties refuse tokens that they sign",
            "if one was added in the last minutes, caches may not show it yet; otherwise find out who removed it: `keyless keys add FILE` \
             publishes it again, `keyless keys revoke KID` records that it is of no use any more",
        )
    })
}

/// Without the ledger, keys that are missing or foreign are not known.
pub(crate) fn no_ledger(why: &str) -> Finding {
    Finding::warned(
        Check::PublishedKeys,
        "ledger",
        why,
        "without it keys that are missing cannot be named, nor former keys distinguished from foreign ones",
        "correct what the message names, then run `keyless verify` again",
    )
}
