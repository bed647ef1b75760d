//! PURE. A publisher that logs in to its store by a token of the cluster, through the issuer that it publishes: once the
//! cluster signs with a key that is not public, no provider lets it in to publish that key. Another login has to.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Observation, Publication};
use crate::{
    bucket::{Bucket, KeylessWriter},
    cluster::Observed,
    error::{Code, Error},
    http::Answer,
    oidc::Claims,
    relying_party::Fetched,
    warning::Warning,
};

/// What the login's token is signed with, and anonymous readers do not get.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LockedOut {
    kid: String,
    public: Vec<String>,
}

/// Before the token is shown to anybody. `None`: nothing is known that keeps it out. That the key is not public is known only
/// where both documents are, and lead to each other; another issuer's token is verified by other keys.
pub(super) fn foresee(
    token: &Claims,
    issuer: &str,
    (discovery, jwks): &(Fetched, Fetched),
) -> Option<LockedOut> {
    let kid = token.kid.as_ref().filter(|_| token.issuer.as_str() == issuer)?;
    let document = json(discovery)?;
    if document["issuer"] != issuer || document["jwks_uri"] != jwks.url.as_str() {
        return None;
    }
    let keys = json(jwks)?;
    let kids = keys["keys"].as_array()?.iter().map(|key| key["kid"].as_str().map(str::to_owned));
    // A key without a name may be any.
    let public: Vec<_> = kids.collect::<Option<_>>()?;
    (!public.is_empty() && !public.contains(kid)).then(|| LockedOut { kid: kid.clone(), public })
}

fn json(fetched: &Fetched) -> Option<Value> {
    let answer: &Answer = fetched.answer.as_ref().ok().filter(|answer| answer.status == 200)?;
    serde_json::from_slice(&answer.body).ok()
}

impl LockedOut {
    /// As the refusal that it spares.
    pub(super) fn error(&self, bucket: &dyn Bucket, jwks: &Fetched) -> Error {
        Error::failed(
            Code::BucketCredentials,
            format!(
                "{bucket} is not asked: the login's token is signed with {}, which is not public",
                self.kid
            ),
        )
        .caused_by(format_args!("{} has {}", jwks.url, self.public.join(", ").escape_debug()))
        .hint(remedy(&self.kid))
    }
}

/// Once the login was refused.
pub(super) fn hint_if_locked_out(error: Error, observed: Option<&Observed>, jwks: &Fetched) -> Error {
    let Some(observed) = observed.filter(|_| error.code == Code::BucketCredentials) else { return error };
    let public = jwks.answer.as_ref().map(|answer| String::from_utf8_lossy(&answer.body)).unwrap_or_default();
    let signers = observed.servers.iter().filter_map(|server| server.token.claims().kid.as_deref());
    match signers.into_iter().find(|kid| !public.contains(kid)) {
        Some(kid) => error.hint(remedy(kid)),
        None => error,
    }
}

fn remedy(kid: &str) -> String {
    format!(
        "the cluster signs with {kid}, which is not public: a publisher that logs in with the cluster's own tokens is locked \
         out. {WAY_OUT}"
    )
}

const WAY_OUT: &str = "Run `keyless publish` once with a person's login, or sign with the former key until the new one is public";

/// API servers whose tokens let no publisher in there: known before a publisher tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lockout {
    /// Where it logs in.
    at: String,
    /// By the `kid` of what they sign with, which is not known there.
    signers: BTreeMap<String, Vec<String>>,
}

impl Lockout {
    /// `signs`: API servers, each with the `kid` that it signs with and that is not known there.
    pub(super) fn of(at: String, signs: impl IntoIterator<Item = (String, String)>) -> Option<Self> {
        let mut signers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (server, kid) in signs {
            signers.entry(kid).or_default().push(server);
        }
        (!signers.is_empty()).then_some(Self { at, signers })
    }

    pub(crate) fn warning(&self) -> Warning {
        let sign = |(kid, servers): (&String, &Vec<String>)| {
            format!("{} at {}", kid.escape_debug(), servers.join(", "))
        };
        let sign: Vec<_> = self.signers.iter().map(sign).collect();
        let text = format!(
            "{} does not know the key that API servers sign new tokens with ({}): a publisher that logs in there with the \
             cluster's own tokens is locked out as soon as it gets a new one. {WAY_OUT}",
            self.at,
            sign.join("; ")
        );
        Warning::new(Code::PublisherLockedOut, text)
    }

    /// For a program.
    pub(crate) fn to_json(&self) -> Value {
        let key = |(kid, servers): (&String, &Vec<String>)| json!({ "kid": kid, "servers": servers });
        json!({ "at": self.at, "signingKeys": self.signers.iter().map(key).collect::<Vec<_>>() })
    }
}

impl Publication<'_> {
    /// Whether a publisher would be locked out of the bucket. `None` as well where no login is judged by what is public: a
    /// stored key, a folder, a provider that is given keys.
    pub(crate) fn lockout(&self, seen: &Observation) -> Option<Lockout> {
        let is_judged = match self.bucket.keyless_writer() {
            KeylessWriter::Through(_) | KeylessWriter::ByHand(_) => !self.settings.providers.give_keys(),
            KeylessWriter::StoredKey | KeylessWriter::NoLogin => false,
        };
        let observed = seen.observed.as_ref().filter(|_| is_judged)?;
        let tokens = observed.servers.iter().map(|server| (&server.address, server.token.claims()));
        ahead(&self.bucket.to_string(), tokens, self.location.issuer.as_str(), &seen.seen)
    }
}

/// Which of these tokens, each of one API server, the documents let in nowhere.
fn ahead<'t>(
    at: &str,
    tokens: impl Iterator<Item = (&'t String, &'t Claims)>,
    issuer: &str,
    documents: &(Fetched, Fetched),
) -> Option<Lockout> {
    let unknown =
        tokens.filter_map(|(server, token)| Some((server.clone(), foresee(token, issuer, documents)?.kid)));
    Lockout::of(at.to_owned(), unknown)
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use serde_json::json;

    use super::*;

    const ISSUER: &str = "https://oidc.example.com/prod";
    const KEYS: &str = "https://oidc.example.com/prod/openid/v1/jwks";

    fn answer(url: &str, status: u16, body: impl Into<Vec<u8>>) -> Fetched {
        let answer = Answer { status, headers: HeaderMap::new(), body: body.into() };
        Fetched { url: url.to_owned(), answer: Ok(answer) }
    }

    fn documents(discovery: &Value, keys: &Value) -> (Fetched, Fetched) {
        let url = format!("{ISSUER}/.well-known/openid-configuration");
        (answer(&url, 200, discovery.to_string()), answer(KEYS, 200, keys.to_string()))
    }

    fn discovery() -> Value {
        json!({ "issuer": ISSUER, "jwks_uri": KEYS })
    }

    fn token(issuer: &str, kid: Option<&str>) -> Claims {
        Claims {
            algorithm: "RS256".to_owned(),
            kid: kid.map(str::to_owned),
            issuer: issuer.parse().unwrap(),
            subject: "system:serviceaccount:keyless-system:keyless".to_owned(),
            audiences: Vec::new(),
            expires: 0,
            issued: 0,
            not_before: None,
        }
    }

    #[test]
    fn unpublished_key_is_foreseen() {
        let seen = documents(&discovery(), &json!({ "keys": [{ "kid": "a" }, { "kid": "b" }] }));
        let public = vec!["a".to_owned(), "b".to_owned()];
        let found = foresee(&token(ISSUER, Some("c")), ISSUER, &seen);
        assert_eq!(found, Some(LockedOut { kid: "c".to_owned(), public }));
        assert_eq!(foresee(&token(ISSUER, Some("b")), ISSUER, &seen), None);
    }

    #[test]
    fn lockout_is_known_ahead() {
        let seen = documents(&discovery(), &json!({ "keys": [{ "kid": "a" }] }));
        let [old, new, other, nameless] = [
            token(ISSUER, Some("a")),
            token(ISSUER, Some("b")),
            token("https://other.example.com", Some("b")),
            token(ISSUER, None),
        ];
        let names = ["1:6443", "2:6443", "3:6443"].map(str::to_owned);
        let of = |tokens: &[&Claims], seen: &(Fetched, Fetched)| {
            ahead("gs://acme", names.iter().zip(tokens.iter().copied()), ISSUER, seen)
        };
        assert_eq!(of(&[&old, &other, &nameless], &seen), None);
        assert_eq!(of(&[], &seen), None);
        // What is public is not known.
        assert_eq!(of(&[&new], &(answer("d", 404, ""), seen.1.clone())), None);
        let found = of(&[&new, &old, &new], &seen).unwrap();
        let signing = json!([{ "kid": "b", "servers": ["1:6443", "3:6443"] }]);
        assert_eq!(found.to_json(), json!({ "at": "gs://acme", "signingKeys": signing }));
        let warning = found.warning();
        assert_eq!(warning.code, Code::PublisherLockedOut);
        for named in ["gs://acme", "b at 1:6443, 3:6443", WAY_OUT] {
            assert!(warning.message.contains(named), "{named}: {}", warning.message);
        }
    }

    #[test]
    fn unknown_keys_lock_out_no_publisher() {
        let (keys, own) = (json!({ "keys": [{ "kid": "a" }] }), token(ISSUER, Some("c")));
        let good = || documents(&discovery(), &keys);
        assert!(foresee(&own, ISSUER, &good()).is_some());
        for (token, seen) in [
            (token("https://other.example.com", Some("c")), good()),
            (token(&format!("{ISSUER}/"), Some("c")), good()),
            (token(ISSUER, None), good()),
            (own.clone(), documents(&json!({ "issuer": ISSUER }), &keys)),
            (own.clone(), documents(&json!({ "issuer": ISSUER, "jwks_uri": "https://x.example/k" }), &keys)),
            (own.clone(), documents(&json!({ "issuer": "https://x.example", "jwks_uri": KEYS }), &keys)),
            (own.clone(), documents(&discovery(), &json!({ "keys": [] }))),
            (own.clone(), documents(&discovery(), &json!({ "keys": [{ "kid": "a" }, { "kty": "RSA" }] }))),
            (own.clone(), documents(&discovery(), &json!(["c"]))),
            (own.clone(), (answer("d", 404, ""), good().1)),
            (own.clone(), (good().0, answer(KEYS, 404, keys.to_string()))),
            (own.clone(), (good().0, answer(KEYS, 200, "<html>"))),
            (own, (good().0, Fetched { url: KEYS.to_owned(), answer: Err(Error::failed(Code::Dns, "no")) })),
        ] {
            assert_eq!(foresee(&token, ISSUER, &seen), None, "{token:?} {seen:?}");
        }
    }
}
