//! What a strict relying party checks of the two documents, before it looks at any token.

use super::{Fetched, Finding, is_of_issuer, may_fetch};
use crate::{
    error::Check,
    http::Answer,
    oidc::{Discovery, Issuer, KeySet, KidRule, MAX_AGE, content_type_is_json},
};

/// What the checks are made against.
pub(crate) struct Site<'a> {
    pub(crate) issuer: &'a Issuer,
    pub(crate) kid_rule: KidRule,
    /// Where the bucket is read, if it is known: a key set may lie below that as well.
    pub(crate) bucket_url: Option<&'a str>,
}

/// Checks the discovery document; gives it back if it can be read.
pub(crate) fn judge_discovery(site: &Site<'_>, fetched: &Fetched) -> (Vec<Finding>, Option<Discovery>) {
    let mut findings = Vec::new();
    let Some(answer) = judge_answer("discovery", "discovery document", fetched, &mut findings) else {
        return (findings, None);
    };
    let discovery = match Discovery::parse(&answer.body, "the discovery document") {
        Ok(discovery) => discovery,
        Err(error) => {
            findings.push(Finding::refused(Check::DiscoveryContent, "discovery document", &error));
            return (findings, None);
        }
    };
    findings.push(judge_issuer(site.issuer, &discovery.issuer));
    findings.push(judge_jwks_uri(site, &discovery.jwks_uri));
    findings.push(if discovery.missing.is_empty() {
        Finding::passed(Check::DiscoveryMembers, "required members", "all there")
    } else {
        Finding::failed(
            Check::DiscoveryMembers,
            "required members",
            format!("missing: {}", discovery.missing.join(", ")),
            "the API server's own document lacks some of them, and strict verifiers refuse it",
            "publish with `keyless publish` instead of copying the API server's document",
        )
    });
    (findings, Some(discovery))
}

/// Checks the key set that the discovery document names; gives it back if every key can be read.
pub(crate) fn judge_jwks(
    site: &Site<'_>,
    discovery: &Discovery,
    fetched: &Fetched,
) -> (Vec<Finding>, Option<KeySet>) {
    let mut findings = Vec::new();
    let Some(answer) = judge_answer("jwks", "key set", fetched, &mut findings) else {
        return (findings, None);
    };
    let (keys, unreadable) = match KeySet::parse(&answer.body, "the key set", site.kid_rule) {
        Ok(parsed) => parsed,
        Err(error) => {
            findings.push(Finding::refused(Check::JwksContent, "keys", &error));
            return (findings, None);
        }
    };
    let entries = serde_json::from_slice::<serde_json::Value>(&answer.body)
        .ok()
        .and_then(|body| body.get("keys")?.as_array().map(Vec::len))
        .unwrap_or_default();
    let missing_members = lacks_recommended_members(&answer.body);
    findings.push(if let Some(key) = unreadable.first() {
        Finding::failed(
            Check::JwksContent,
            "keys",
            format!("there is an {} key ({})", key.kty, key.kid),
            "kube-apiserver and OpenBao drop the whole set for one key of a type that they do not know",
            "publish with `keyless publish`, which leaves such keys out",
        )
    } else if entries != keys.len() {
        Finding::failed(
            Check::JwksContent,
            "keys",
            format!("{entries} entries for {} keys", keys.len()),
            "a key is listed twice; jose, openid-client and others refuse such a set",
            "publish with `keyless publish`, which writes each key once",
        )
    } else if let Some(member) = missing_members {
        Finding::failed(
            Check::JwksContent,
            "keys",
            format!("a key has no `{member}`"),
            "some verifiers cannot choose a key without it",
            "publish with `keyless publish`, which always writes kid, alg and use",
        )
    } else {
        let list: Vec<_> = keys.iter().map(|key| format!("{} {}", key.kid(), key.describe())).collect();
        Finding::passed(Check::JwksContent, "keys", list.join(", "))
    });
    let unlisted: Vec<_> = keys
        .algorithms()
        .into_iter()
        .map(|algorithm| algorithm.name())
        .filter(|name| !discovery.algorithms.iter().any(|listed| listed == name))
        .collect();
    findings.push(if unlisted.is_empty() {
        Finding::passed(Check::DiscoveryAlgorithms, "algorithms listed", discovery.algorithms.join(", "))
    } else {
        Finding::failed(
            Check::DiscoveryAlgorithms,
            "algorithms listed",
            format!("{} is missing", unlisted.join(", ")),
            "strict verifiers refuse tokens of an algorithm that the document does not list",
            "run `keyless publish`: it lists every algorithm of the set",
        )
    });
    (findings, Some(keys))
}

/// Reached, status, content type, cache time: the same for both documents.
fn judge_answer<'a>(
    kind: &'static str,
    subject: &str,
    fetched: &'a Fetched,
    findings: &mut Vec<Finding>,
) -> Option<&'a Answer> {
    let [reachable, content_type, cache] = match kind {
        "discovery" => [Check::DiscoveryReachable, Check::DiscoveryContentType, Check::DiscoveryCache],
        _ => [Check::JwksReachable, Check::JwksContentType, Check::JwksCache],
    };
    let answer = match &fetched.answer {
        Err(error) => {
            findings.push(Finding::refused(reachable, subject, error));
            return None;
        }
        Ok(answer) if answer.status != 200 => {
            let (cause, remedy) = status_cause(answer);
            let seen = format!("{} answers {}{}", fetched.url, answer.status, answer.redirect_target());
            findings.push(Finding::failed(reachable, subject, seen, cause, remedy));
            return None;
        }
        Ok(answer) => answer,
    };
    findings.push(Finding::passed(
        reachable,
        subject,
        format!("{} answers 200 without credentials", fetched.url),
    ));

    let seen = answer.header(http::header::CONTENT_TYPE).unwrap_or("none");
    findings.push(if content_type_is_json(seen) {
        Finding::passed(content_type, format!("{subject}'s type"), seen)
    } else {
        Finding::failed(
            content_type,
            format!("{subject}'s type"),
            seen,
            "the store or web server chose the type; some verifiers refuse anything but JSON",
            "let `keyless publish` write it, or set `default_type application/json` in the web server",
        )
    });

    // Several headers of the name are one list (RFC 9110 §5.3).
    let all = answer.headers.get_all(http::header::CACHE_CONTROL).iter().filter_map(|it| it.to_str().ok());
    let all = all.collect::<Vec<_>>().join(", ");
    let seen = if all.is_empty() { "none" } else { &all };
    findings.push(match max_age(seen) {
        Some(seconds) if seconds > MAX_AGE => Finding::failed(
            cache,
            format!("{subject}'s cache time"),
            seen,
            format!("relying parties keep it {seconds} s: for that long after a rotation they refuse the new key"),
            format!("set `Cache-Control: public, max-age={MAX_AGE}`; stores without the header choose up to an hour"),
        ),
        _ => Finding::passed(cache, format!("{subject}'s cache time"), seen),
    });
    Some(answer)
}

/// The longest `max-age` or, for caches in between, `s-maxage` of a Cache-Control header (RFC 9111 §5.2.2), if it gives
/// one. Of several, caches differ in which they take.
pub(crate) fn max_age(header: &str) -> Option<u64> {
    let age = |part: &str| {
        let part = part.trim().to_ascii_lowercase();
        let digits =
            part.strip_prefix("max-age=").or_else(|| part.strip_prefix("s-maxage="))?.trim_matches('"');
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        // A number too large to be held is a very long time (RFC 9111 §1.2.2).
        is_number.then(|| digits.parse().unwrap_or(u64::MAX))
    };
    header.split(',').filter_map(age).max()
}

fn status_cause(answer: &Answer) -> (&'static str, &'static str) {
    match answer.status {
        300..=399 => (
            "it redirects; some relying parties do not follow, and a key set from another place is another trust",
            "serve both documents at their own URL without a redirect",
        ),
        401 => ("it asks for credentials", "publish to a bucket; the API server itself must stay private"),
        403 => (
            "absent, or not public: stores that may not be listed answer 403 for both",
            "run `keyless publish --create`, which writes both and opens exactly them",
        ),
        404 => (
            "not published yet, or the issuer's path is not the bucket's",
            "run `keyless publish` with the same --issuer",
        ),
        409 if answer.is_of_closed_account() => (
            "the Azure storage account does not allow anonymous access",
            "allow it: `az storage account update --name ACCOUNT --allow-blob-public-access true`",
        ),
        429 | 503 => ("the store is throttling", "try again later; relying parties would fail like this"),
        500..=599 => (
            "the server behind the URL fails",
            "check the web server or store; relying parties would fail like this",
        ),
        _ => ("relying parties accept status 200 only", "check what serves this URL"),
    }
}

fn judge_issuer(issuer: &Issuer, seen: &str) -> Finding {
    if seen == issuer.as_str() {
        return Finding::passed(Check::DiscoveryIssuer, "issuer in the document", seen);
    }
    let cause = if seen.trim_end_matches('/') == issuer.as_str() {
        "it differs by a trailing slash, and relying parties compare bytes"
    } else if seen.eq_ignore_ascii_case(issuer.as_str()) {
        "it differs in case, and relying parties compare bytes"
    } else if seen.contains("kubernetes.default.svc") {
        "it is the API server's default issuer: the document was copied instead of made for this issuer"
    } else {
        "the document was made for another issuer"
    };
    Finding::failed(
        Check::DiscoveryIssuer,
        "issuer in the document",
        format!("`{}`, expected `{issuer}`", seen.escape_debug()),
        cause,
        "run `keyless publish` with the issuer that the cluster signs, byte for byte",
    )
}

fn judge_jwks_uri(site: &Site<'_>, seen: &str) -> Finding {
    let subject = "jwks_uri";
    match may_fetch(site.issuer, site.bucket_url, seen) {
        Ok(url) if is_of_issuer(site.issuer, site.bucket_url, &url) => {
            Finding::passed(Check::DiscoveryJwksUri, subject, seen)
        }
        Ok(_) => Finding::failed(
            Check::DiscoveryJwksUri,
            subject,
            format!("`{}`", seen.escape_debug()),
            "it is outside the issuer's path; on a host that serves many buckets that is another owner's",
            "publish with `keyless publish`, which names the key set below the issuer",
        ),
        Err(cause) => Finding::failed(
            Check::DiscoveryJwksUri,
            subject,
            format!("`{}`", seen.escape_debug()),
            cause,
            "publish with `keyless publish`, which names the public key set",
        ),
    }
}

fn lacks_recommended_members(body: &[u8]) -> Option<&'static str> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let keys = body.get("keys")?.as_array()?;
    ["kid", "alg", "use"].into_iter().find(|member| keys.iter().any(|key| key.get(member).is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cache_times_of_any_size_parse() {
        for (header, seconds) in [
            ("public, max-age=300", Some(300)),
            ("MAX-AGE=\"60\"", Some(60)),
            ("max-age=60, s-maxage=31536000", Some(31_536_000)),
            ("max-age=0, public, max-age=86400", Some(86_400)),
            ("no-store", None),
            ("max-age=", None),
            ("max-age=-1", None),
            ("max-age=+1", None),
            ("max-age=1.5", None),
            ("max-age=1e9", None),
            ("max-age=18446744073709551615", Some(u64::MAX)),
            ("max-age=99999999999999999999999999", Some(u64::MAX)),
        ] {
            assert_eq!(max_age(header), seconds, "{header}");
        }
    }
}
