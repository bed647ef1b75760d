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
            "find out who wrote them; `keyless keys revoke KID` removes one, `keyless publish --same-cluster` records former keys of this cluster",
        ),
    }
}
