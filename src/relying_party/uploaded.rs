//! Keys that a provider was given instead of fetching them: whether they are the ones that the cluster signs with.

use super::{Finding, published_keys::StateOf, tokens::judge_reachable};
use crate::{
    cluster::Observed,
    error::{Check, Error, Result},
    federation::Keys,
    oidc::{KeySet, PublicKey, Token},
};

const CHECK: Check = Check::UploadedKeys;
const UPLOAD: &str = "run `keyless setup`, which uploads the live keys and those of cluster.publicKeys; before the next rotation, \
                      too";

/// What the provider has been given against what is live, what is staged in files, and what the ledger knows. It replaces
/// all checks of public documents. `state`: `None` without a ledger.
pub(crate) fn judge_uploaded(
    observed: &Observed,
    staged: Option<&KeySet>,
    provider: &str,
    keys: &Result<Keys>,
    state: Option<&StateOf<'_>>,
) -> Vec<Finding> {
    let mut findings = judge_reachable(observed);
    let subject = format!("keys of {provider}");
    findings.push(match keys {
        Ok(Keys::Given(given)) => compare(observed, staged, subject, given, state),
        Ok(Keys::Fetched) => Finding::failed(
            CHECK,
            subject,
            "no keys were uploaded: it fetches them from the issuer",
            "it was set up for public documents, and the settings say that keys are uploaded",
            "run `keyless setup`, which uploads them; or name the bucket of the documents",
        ),
        Ok(Keys::Absent) => Finding::failed(
            CHECK,
            subject,
            "it does not exist, so it has no keys",
            "it was not set up yet, or has another name",
            "run `keyless setup`, or name it in keyless.yaml",
        ),
        Err(error) => Finding::skipped(CHECK, subject, unseen(error)),
    });
    findings
}

/// Whether one of the uploaded keys made this token.
pub(super) fn judge_signature(token: &Token, subject: &str, given: Option<&KeySet>) -> Finding {
    const SIGNATURE: Check = Check::TokenSignature;
    let Some(given) = given else {
        return Finding::skipped(SIGNATURE, subject, "there are no uploaded keys to verify it with");
    };
    let claims = token.claims();
    match given.iter().find(|key| token.signed_by(key).is_ok()) {
        Some(key) => Finding::passed(SIGNATURE, subject, format!("{} by {}", claims.algorithm, key.kid())),
        None => Finding::failed(
            SIGNATURE,
            subject,
            format!("the signature verifies with none of the {} uploaded keys", given.len()),
            format!(
                "the server signs with {}, which was not uploaded: the provider refuses its tokens",
                claims.kid.as_deref().unwrap_or("a key without kid").escape_debug()
            ),
            UPLOAD,
        ),
    }
}

/// Keys that a provider was given, and that neither an API server serves nor a file holds.
pub(crate) fn not_live(observed: &Observed, staged: Option<&KeySet>, given: &KeySet) -> bool {
    let is_live = |key: &PublicKey| observed.key_sets().any(|(_, keys)| among(keys.iter(), key));
    let is_staged = |key: &PublicKey| among(staged.iter().flat_map(|keys| keys.iter()), key);
    given.iter().any(|key| !is_live(key) && !is_staged(key))
}

fn compare(
    observed: &Observed,
    staged: Option<&KeySet>,
    subject: String,
    given: &KeySet,
    state: Option<&StateOf<'_>>,
) -> Finding {
    let has = |key: &PublicKey| given.iter().any(|other| other.same_key(key));
    let mut missing: Vec<String> = Vec::new();
    for (address, keys) in observed.key_sets() {
        let keys = keys.iter().filter(|key| !has(key));
        missing.extend(keys.map(|key| format!("{} of {address}", key.kid())));
    }
    if !missing.is_empty() {
        return Finding::failed(
            CHECK,
            subject,
            format!("not among the {} uploaded: {}", given.len(), missing.join(", ")),
            "a key was added to the API servers since: the provider refuses every token that it signs",
            UPLOAD,
        );
    }
    let staged: Vec<&PublicKey> = staged.iter().flat_map(|keys| keys.iter()).collect();
    let kids = |keys: Vec<&PublicKey>| keys.into_iter().map(PublicKey::kid).collect::<Vec<_>>().join(", ");
    let missing: Vec<_> = staged.iter().copied().filter(|key| !has(key)).collect();
    if !missing.is_empty() {
        return Finding::failed(
            CHECK,
            subject,
            format!("staged, but not among the {} uploaded: {}", given.len(), kids(missing)),
            "cluster.publicKeys names a key that the provider was not given: it will refuse the first token that it signs",
            UPLOAD,
        );
    }
    let is_live = |key: &PublicKey| observed.key_sets().any(|(_, keys)| among(keys.iter(), key));
    let (live, others): (Vec<&PublicKey>, Vec<_>) = given.iter().partition(|key| is_live(key));
    let (staged, others): (Vec<&PublicKey>, Vec<_>) =
        others.into_iter().partition(|key| among(staged.iter().copied(), key));
    let is_ours =
        |key: &&PublicKey| state.and_then(|state| state(key)).is_some_and(|state| !state.is_alarm());
    let (known, others): (Vec<&PublicKey>, Vec<_>) = others.into_iter().partition(is_ours);
    // Where the keys of a server are not known, they may be its own.
    if !others.is_empty() && observed.failed.iter().all(|server| server.keys.is_some()) {
        return Finding::failed(
            CHECK,
            subject,
            format!("trusted, but neither live nor staged: {}", kids(others)),
            match state {
                Some(_) => {
                    "the ledger does not know them as staged or former keys, or knows that they were taken out: everyone who holds \
                            one can impersonate every workload"
                }
                None => "former or foreign keys: everyone who holds one can impersonate every workload",
            },
            "if one is this cluster's own, record it: `keyless keys add FILE`; `keyless keys revoke KID` removes one, and `keyless setup` \
             all that are not known",
        );
    }
    let mut seen =
        format!("uploaded, so that no public documents are needed; every live key is there ({})", live.len());
    if !staged.is_empty() {
        seen.push_str(&format!("; staged: {}", kids(staged)));
    }
    if !known.is_empty() {
        seen.push_str(&format!("; not live, and known from the ledger: {}", kids(known)));
    }
    if !others.is_empty() {
        seen.push_str(&format!("; served by none of the API servers that answered: {}", kids(others)));
    }
    Finding::passed(CHECK, subject, seen)
}

fn among<'a>(mut keys: impl Iterator<Item = &'a PublicKey>, key: &PublicKey) -> bool {
    keys.any(|other| other.same_key(key))
}

fn unseen(error: &Error) -> String {
    let cause = error.causes.first().map(|cause| format!(" ({cause})")).unwrap_or_default();
    let hints = error.hints.first().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!(
        "uploaded, so that no public documents are needed; which keys could not be determined: {}{cause}{hints}",
        error.message
    )
}
