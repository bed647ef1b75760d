//! Keys that a provider was given instead of fetching them: whether they are the ones that the cluster signs with.

use super::{Finding, tokens::judge_reachable};
use crate::{
    cluster::Observed,
    error::{Error, Result},
    federation::Keys,
    oidc::{KeySet, PublicKey, Token},
};

const CHECK: &str = "uploaded-keys";
const UPLOAD: &str = "run `keyless setup`, which uploads the live keys; before the next rotation, too";

/// What the provider has been given against what is live. It stands for all checks of public documents.
pub(crate) fn judge_uploaded(observed: &Observed, provider: &str, keys: &Result<Keys>) -> Vec<Finding> {
    let mut findings = judge_reachable(observed);
    let subject = format!("keys of {provider}");
    findings.push(match keys {
        Ok(Keys::Given(given)) => compare(observed, subject, given),
        Ok(Keys::Fetched) => Finding::failed(
            CHECK,
            subject,
            "it has been given none, and fetches them from the issuer",
            "it was set up for public documents, and the settings say that keys are uploaded",
            "run `keyless setup`, which uploads them; or name the bucket that the documents lie in",
        ),
        Ok(Keys::Absent) => Finding::failed(
            CHECK,
            subject,
            "it is not there, and so it has been given none",
            "it was not set up yet, or has another name",
            "run `keyless setup`, or name it in keyless.yaml",
        ),
        Err(error) => Finding::skipped(CHECK, subject, unseen(error)),
    });
    findings
}

/// Whether one of the uploaded keys made this token.
pub(super) fn judge_signature(token: &Token, subject: &str, given: Option<&KeySet>) -> Finding {
    const SIGNATURE: &str = "token-signature";
    let Some(given) = given else {
        return Finding::skipped(SIGNATURE, subject, "there are no uploaded keys to verify it with");
    };
    let claims = token.claims();
    match given.iter().find(|key| token.signed_by(key).is_ok()) {
        Some(key) => Finding::passed(SIGNATURE, subject, format!("{} by {}", claims.algorithm, key.kid())),
        None => Finding::failed(
            SIGNATURE,
            subject,
            format!("none of the {} uploaded keys made it", given.len()),
            format!(
                "the server signs with {}, which was not uploaded: the provider refuses its tokens",
                claims.kid.as_deref().unwrap_or("a key without kid").escape_debug()
            ),
            UPLOAD,
        ),
    }
}

fn compare(observed: &Observed, subject: String, given: &KeySet) -> Finding {
    let has = |key: &PublicKey| given.iter().any(|other| other.same_key(key));
    let mut missing: Vec<String> = Vec::new();
    for server in &observed.servers {
        let keys = server.keys.iter().filter(|key| !has(key));
        missing.extend(keys.map(|key| format!("{} of {}", key.kid(), server.address)));
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
    let live = |key: &PublicKey| {
        observed.servers.iter().any(|server| server.keys.iter().any(|other| other.same_key(key)))
    };
    let others: Vec<_> = given.iter().filter(|key| !live(key)).map(|key| key.kid().to_owned()).collect();
    let live = given.len() - others.len();
    let others = match others.is_empty() {
        true => String::new(),
        false => format!("; not live, but believed: {}", others.join(", ")),
    };
    let seen =
        format!("uploaded, so that no public documents are needed; every live key is there ({live}){others}");
    Finding::passed(CHECK, subject, seen)
}

fn unseen(error: &Error) -> String {
    let said = error.causes.first().map(|cause| format!(" ({cause})")).unwrap_or_default();
    let hints = error.hints.first().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!(
        "uploaded, so that no public documents are needed; which ones is not to be seen: {}{said}{hints}",
        error.message
    )
}
