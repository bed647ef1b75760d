//! Whether a relying party that has read the public documents accepts a token that an API server signs now.

use super::{
    Finding,
    published_keys::{StateOf, judge_published},
    uploaded,
};
use crate::{
    cluster::{ApiServer, Failure, Observed},
    error::Check,
    oidc::{KeySet, PublicKey, SignedIssuer, Token},
};

/// The clock difference that every relying party tried tolerates (OpenBao 60 s, AWS some 5 min).
pub(crate) const MAX_SKEW: u64 = 60;

/// The keys that a relying party verifies with, if it has any, and how it came to them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Known<'a> {
    Published(Option<&'a KeySet>),
    Uploaded(Option<&'a KeySet>),
}

/// Why a token is not one that a key of this set made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unproved {
    /// It names no key.
    NoKid,
    /// It names a key that is not in the set.
    UnknownKid(String),
    /// The key that it names did not make it, with this algorithm or at all.
    Signature { kid: String, why: String },
}

/// Whether a key of this set made the token, as a relying party finds out: by its `kid`, with the algorithm that
/// belongs to the key, whatever the token says of itself.
pub(crate) fn prove<'a>(token: &Token, keys: &'a KeySet) -> Result<&'a PublicKey, Unproved> {
    let claims = token.claims();
    let kid = claims.kid.as_deref().filter(|kid| !kid.is_empty()).ok_or(Unproved::NoKid)?;
    let key = keys.get(kid).ok_or_else(|| Unproved::UnknownKid(kid.to_owned()))?;
    let unproved = |why| Unproved::Signature { kid: kid.to_owned(), why };
    if claims.algorithm != key.algorithm().name() {
        let named = claims.algorithm.escape_debug();
        return Err(unproved(format!(
            "it names the algorithm `{named}`, the key's is {}",
            key.algorithm().name()
        )));
    }
    token.signed_by(key).map_err(unproved)?;
    Ok(key)
}

/// Everything that a relying party checks of one server's token, from what it knows only.
pub(crate) fn judge_server(
    server: &ApiServer,
    issuer: &SignedIssuer,
    audience: &str,
    known: Known<'_>,
    now: u64,
) -> Vec<Finding> {
    let claims = server.token.claims();
    let at = |what: &str| format!("{what} by {}", server.address);
    let mut findings = Vec::new();

    findings.push(if claims.issuer == *issuer {
        Finding::passed(Check::TokenIssuer, at("issuer signed"), claims.issuer.to_string())
    } else {
        let signed = claims.issuer.as_str();
        let cause = if signed.contains(',') {
            "two issuers in one flag: the API server does not split at commas"
        } else if signed.trim_end_matches('/') == issuer.as_str().trim_end_matches('/') {
            "it differs by a trailing slash, and relying parties compare bytes"
        } else {
            "the API server's first --service-account-issuer is another one: the first signs, all are accepted"
        };
        Finding::failed(
            Check::TokenIssuer,
            at("issuer signed"),
            format!("`{}`, expected `{issuer}`", claims.issuer),
            cause,
            format!(
                "start every API server with --service-account-issuer={issuer} first, and keep the old issuer as a second flag, \
                 or running pods lose access"
            ),
        )
    });

    findings.push(if claims.audiences == [audience] {
        Finding::passed(Check::TokenAudience, at("audience"), audience)
    } else {
        Finding::failed(
            Check::TokenAudience,
            at("audience"),
            format!("{:?}, expected only {audience:?}", claims.audiences),
            "something changes TokenRequests on the way (an admission webhook, an aggregated API server)",
            "ask the API server without it; several audiences make AWS and others refuse the token",
        )
    });

    findings.push(judge_times(&server.token, server.clock, &at("lifetime"), now));
    let subject = at("signature");
    match known {
        Known::Published(published) => findings.extend(judge_signature(server, &subject, published)),
        Known::Uploaded(given) => findings.push(uploaded::judge_signature(&server.token, &subject, given)),
    }
    findings
}

/// `clock` is the API server's own, if it has told it.
fn judge_times(token: &Token, clock: Option<u64>, subject: &str, now: u64) -> Finding {
    let claims = token.claims();
    let skew = clock.unwrap_or(claims.issued).abs_diff(now);
    if skew > MAX_SKEW {
        return Finding::failed(
            Check::TokenLifetime,
            subject,
            format!("the API server's clock is {skew} s away from this machine's"),
            "relying parties refuse tokens from the future, and expired ones",
            "set the clock of the control plane (or of this machine) by NTP",
        );
    }
    // Relying parties look at either: a token that was issued in the future is refused as one that begins there.
    let start = claims.not_before.unwrap_or(claims.issued).max(claims.issued);
    let lifetime = claims.expires.checked_sub(claims.issued).filter(|lifetime| *lifetime > 0);
    let begun = start <= now.saturating_add(MAX_SKEW);
    match lifetime.filter(|_| begun && claims.expires > now) {
        Some(lifetime) => Finding::passed(Check::TokenLifetime, subject, format!("{lifetime} s, valid now")),
        None => Finding::failed(
            Check::TokenLifetime,
            subject,
            format!(
                "issued at {}, valid from {start} to {}, and it is {now} (seconds since 1970)",
                claims.issued, claims.expires
            ),
            "a fresh token should be valid now",
            "compare the clocks of the control plane and of this machine",
        ),
    }
}

fn judge_signature(server: &ApiServer, subject: &str, published: Option<&KeySet>) -> Vec<Finding> {
    let claims = server.token.claims();
    let Some(published) = published else {
        return vec![Finding::skipped(
            Check::TokenSignature,
            subject,
            "there is no public key set to verify it with",
        )];
    };
    let unproved = match prove(&server.token, published) {
        Ok(key) => {
            let seen = format!("{} by {}", claims.algorithm, key.kid());
            return vec![Finding::passed(Check::TokenSignature, subject, seen)];
        }
        Err(unproved) => unproved,
    };
    let kid = match unproved {
        Unproved::NoKid => {
            return vec![Finding::failed(
                Check::TokenKey,
                subject,
                format!("the token ({}) names no kid", claims.algorithm.escape_debug()),
                "half of the verifiers find the key by its kid only",
                "find out what signs: an API server always names it",
            )];
        }
        Unproved::Signature { kid, why } => {
            return vec![Finding::failed(
                Check::TokenSignature,
                subject,
                format!("the signature does not verify with the published key {kid}: {why}"),
                "another key is published under this kid, or the token was changed on the way",
                "compare `kubectl get --raw /openid/v1/jwks` with the published key set; if they differ, find out who wrote it",
            )];
        }
        Unproved::UnknownKid(kid) => kid,
    };
    let (cause, remedy) = match server.keys.get(&kid) {
        Some(_) => (
            "the key is live but not published: relying parties refuse every token of this server",
            "run `keyless publish`; before the next rotation publish first, then switch the signer"
                .to_owned(),
        ),
        None if server.unreadable.iter().any(|key| key.kid == kid) => (
            "the cluster signs with a key of a type that relying parties cannot read",
            "sign with an RSA or EC key".to_owned(),
        ),
        None => (
            "the server signs with a key that is not among its own --service-account-key-file: it refuses its own tokens",
            "add the signing key's public half to --service-account-key-file of every API server".to_owned(),
        ),
    };
    vec![Finding::failed(
        Check::TokenKey,
        subject,
        format!("kid `{}` is not published", kid.escape_debug()),
        cause,
        remedy,
    )]
}

/// Whether everything live is public, and nothing else is. `state`: what the ledger says of a key.
pub(crate) fn judge_live(
    observed: &Observed,
    published: Option<&KeySet>,
    state: Option<&StateOf<'_>>,
) -> Vec<Finding> {
    let Some(published) = published else {
        return vec![Finding::skipped(
            Check::LiveKeys,
            "live keys",
            "there is no public key set to compare them with",
        )];
    };
    let mut findings = judge_reachable(observed);
    findings.extend(compare_servers(observed));
    let before = findings.len();
    for (address, keys) in observed.key_sets() {
        let public = |key: &&PublicKey| published.get(key.kid()).is_some_and(|other| other.same_key(key));
        for key in keys.iter().filter(|key| !public(key)) {
            findings.push(Finding::failed(
                Check::LiveKeys,
                format!("key {} of {address}", key.kid()),
                "not published",
                "a key was added since the last publish; tokens that it signs are refused by relying parties",
                "run `keyless publish` before any API server signs with it",
            ));
        }
    }
    if findings.len() == before {
        let servers = observed.key_sets().count();
        findings.push(Finding::passed(
            Check::LiveKeys,
            "live keys",
            format!("every key of {servers} API servers is published"),
        ));
    }
    findings.push(judge_published(observed, published, state));
    findings
}

/// A token of one server must be accepted by all of them, which verify it with their own key files.
fn compare_servers(observed: &Observed) -> Vec<Finding> {
    let mut findings = Vec::new();
    for signer in &observed.servers {
        let Some(kid) = signer.token.claims().kid.as_deref() else { continue };
        let signing = prove(&signer.token, &signer.keys).ok();
        let refuses = |keys: &KeySet| match signing {
            Some(key) => !keys.get(kid).is_some_and(|other| other.same_key(key)),
            None => keys.get(kid).is_none(),
        };
        for (address, _) in observed.key_sets().filter(|(_, keys)| refuses(keys)) {
            let (subject, cause) = match address == signer.address {
                true => (
                    format!("tokens of {address} at itself"),
                    "the API server signs with a key that is not among its own --service-account-key-file: it refuses its own tokens",
                ),
                false => (
                    format!("tokens of {} at {address}", signer.address),
                    "the API servers have different --service-account-key-file: a pod that reaches the other server is refused",
                ),
            };
            findings.push(Finding::failed(
                Check::ServersAgree,
                subject,
                format!("{} signs with {}, which {address} does not serve", signer.address, kid.escape_debug()),
                cause,
                "give every API server the public half of every signing key, and restart those that a rotation has not reached",
            ));
        }
    }
    if findings.is_empty() && observed.servers.len() > 1 {
        let count = observed.servers.len();
        findings.push(Finding::passed(
            Check::ServersAgree,
            "API servers",
            format!("each of {count} serves the key that every other one signs with"),
        ));
    }
    findings
}

/// The servers of which something could not be established, each a failure.
pub(super) fn judge_reachable(observed: &Observed) -> Vec<Finding> {
    let failed = observed.failed.iter();
    failed.map(|server| {
        let error = &server.error;
        let (check, remedy) = match server.failure {
            Failure::Unreachable => (
                Check::ServerReachable,
                "keys that only this server serves cannot be seen; bring it back, or run from where it can be reached".to_owned(),
            ),
            Failure::Refused | Failure::BadAnswer => (Check::ServerAnswers, error.hints.join("; ")),
        };
        let cause = error.causes.first().cloned().unwrap_or_else(|| error.code.to_string());
        Finding::failed(check, format!("API server {}", server.address), error.message.clone(), cause, remedy)
    })
    .collect()
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
