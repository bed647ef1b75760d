//! Whether a stranger who has read the public documents accepts a token that an API server signs now.

use super::{Finding, uploaded};
use crate::{
    cluster::{ApiServer, Observed},
    error::Error,
    oidc::{KeySet, PublicKey, SignedIssuer},
};

/// The clock difference that every relying party tried tolerates (OpenBao 60 s, AWS some 5 min).
pub(crate) const MAX_SKEW: u64 = 60;

/// The keys that a relying party verifies with, if it has any, and how it came to them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Known<'a> {
    Published(Option<&'a KeySet>),
    Uploaded(Option<&'a KeySet>),
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
        Finding::passed("token-issuer", at("issuer signed"), claims.issuer.to_string())
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
            "token-issuer",
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
        Finding::passed("token-audience", at("audience"), audience)
    } else {
        Finding::failed(
            "token-audience",
            at("audience"),
            format!("{:?}, expected only {audience:?}", claims.audiences),
            "something changes TokenRequests on the way (an admission webhook, an aggregated API server)",
            "ask the API server without it; several audiences make AWS and others refuse the token",
        )
    });

    findings.push(judge_times(server, &at("lifetime"), now));
    let subject = at("signature");
    match known {
        Known::Published(published) => findings.extend(judge_signature(server, &subject, published)),
        Known::Uploaded(given) => findings.push(uploaded::judge_signature(&server.token, &subject, given)),
    }
    findings
}

fn judge_times(server: &ApiServer, subject: &str, now: u64) -> Finding {
    let claims = server.token.claims();
    let skew = server.clock.unwrap_or(claims.issued).abs_diff(now);
    if skew > MAX_SKEW {
        return Finding::failed(
            "token-lifetime",
            subject,
            format!("the API server's clock is {skew} s away from this machine's"),
            "relying parties refuse tokens from the future, and expired ones",
            "set the clock of the control plane (or of this machine) by NTP",
        );
    }
    let start = claims.not_before.unwrap_or(claims.issued);
    if start > now + MAX_SKEW || claims.expires <= now {
        return Finding::failed(
            "token-lifetime",
            subject,
            format!("valid from {start} to {}, and it is {now} (seconds since 1970)", claims.expires),
            "a fresh token should be valid now",
            "compare the clocks of the control plane and of this machine",
        );
    }
    Finding::passed("token-lifetime", subject, format!("{} s, valid now", claims.expires - claims.issued))
}

fn judge_signature(server: &ApiServer, subject: &str, published: Option<&KeySet>) -> Vec<Finding> {
    let claims = server.token.claims();
    let Some(published) = published else {
        return vec![Finding::skipped(
            "token-signature",
            subject,
            "there is no public key set to verify it with",
        )];
    };
    let Some(kid) = &claims.kid else {
        return vec![Finding::failed(
            "token-key",
            subject,
            format!("the token ({}) names no kid", claims.algorithm),
            "half of the verifiers find the key by its kid only",
            "find out what signs: an API server always names it",
        )];
    };
    let Some(key) = published.get(kid) else {
        let (cause, remedy) = match server.keys.get(kid) {
            Some(_) => (
                "the key is live but not published: strangers refuse every token of this server",
                "run `keyless publish`; before the next rotation publish first, then switch the signer"
                    .to_owned(),
            ),
            None if server.unreadable.iter().any(|key| &key.kid == kid) => (
                "the cluster signs with a key of a type that strangers cannot read",
                "sign with an RSA or EC key".to_owned(),
            ),
            None => (
                "the server signs with a key that is not among its own --service-account-key-file: it refuses its own tokens",
                "add the signing key's public half to --service-account-key-file of every API server"
                    .to_owned(),
            ),
        };
        return vec![Finding::failed(
            "token-key",
            subject,
            format!("kid `{}` is not published", kid.escape_debug()),
            cause,
            remedy,
        )];
    };
    match server.token.signed_by(key) {
        Ok(()) => vec![Finding::passed("token-signature", subject, format!("{} by {kid}", claims.algorithm))],
        Err(why) => vec![Finding::failed(
            "token-signature",
            subject,
            format!("the published key {kid} did not make it: {why}"),
            "another key is published under this kid, or the token was changed on the way",
            "compare `kubectl get --raw /openid/v1/jwks` with the published key set; if they differ, find out who wrote it",
        )],
    }
}

/// Whether everything live is public, and nothing else is.
pub(crate) fn judge_live(observed: &Observed, published: Option<&KeySet>) -> Vec<Finding> {
    let Some(published) = published else {
        return vec![Finding::skipped(
            "live-keys",
            "live keys",
            "there is no public key set to compare them with",
        )];
    };
    let mut findings = judge_reachable(observed);
    let missing = |server: &ApiServer| -> Vec<_> {
        let public = |key: &&PublicKey| published.get(key.kid()).is_some_and(|other| other.same_key(key));
        server.keys.iter().filter(|key| !public(key)).map(|key| key.kid().to_owned()).collect()
    };
    let before = findings.len();
    for server in &observed.servers {
        for kid in missing(server) {
            findings.push(Finding::failed(
                "live-keys",
                format!("key {kid} of {}", server.address),
                "not published",
                "a key was added since the last publish; tokens that it signs are refused by strangers",
                "run `keyless publish` before any API server signs with it",
            ));
        }
    }
    if findings.len() == before {
        let servers = observed.servers.len();
        findings.push(Finding::passed(
            "live-keys",
            "live keys",
            format!("every key of {servers} API servers is published"),
        ));
    }
    let foreign: Vec<_> =
        published.iter().filter(|key| observed.serving(key) == 0).map(|key| key.kid().to_owned()).collect();
    findings.push(Finding::passed(
        "published-keys",
        "published keys",
        match foreign.len() {
            0 => format!("all {} are live", published.len()),
            _ => format!(
                "{} of {} not live: {} (retained or staged; if you know neither, somebody else's: whoever holds it can \
                 impersonate every workload)",
                foreign.len(),
                published.len(),
                foreign.join(", ")
            ),
        },
    ));
    findings
}

/// The servers that did not answer, each a failure.
pub(super) fn judge_reachable(observed: &Observed) -> Vec<Finding> {
    let of_one = |(address, error): &(String, Error)| {
        Finding::failed(
            "server-reachable",
            format!("API server {address}"),
            error.message.clone(),
            error.causes.first().cloned().unwrap_or_else(|| error.message.clone()),
            "keys that only this server serves cannot be seen; bring it back, or run from where it can be reached",
        )
    };
    observed.unreachable.iter().map(of_one).collect()
}
