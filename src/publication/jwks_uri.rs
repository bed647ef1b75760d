//! PURE. Where the key set lies that an existing discovery document names.

use url::Url;

use super::location::DocumentLocation;
use crate::{
    bucket::Leads,
    error::{Code, Error, Result},
    relying_party::may_fetch,
};

/// Where a key set lies, as far as it is not where this program puts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum KeySetAt {
    /// Where this program puts it.
    Usual,
    /// An object of the bucket.
    Object(String),
    /// A public URL that may be fetched.
    Url(String),
}

/// `document` names where the `jwks_uri` was found.
pub(super) fn locate(
    jwks_uri: &str,
    document: &str,
    location: &DocumentLocation,
    bucket_url: Option<&str>,
    leads: &dyn Fn(&Url) -> Leads,
) -> Result<KeySetAt> {
    if jwks_uri == location.issuer.jwks_url() {
        return Ok(KeySetAt::Usual);
    }
    let url = may_fetch(&location.issuer, bucket_url, jwks_uri);
    let plain = |name: &String| {
        !name.contains(['%', '?', '#']) && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
    };
    let parsed = url.as_ref().ok().cloned().or_else(|| Url::parse(jwks_uri).ok());
    let by_form = match parsed.map(|url| leads(&url)) {
        // Two forms of the store's hosts may name one and the same object.
        Some(Leads::Here(name)) if jwks_uri.starts_with("https://") => Some(name),
        Some(Leads::Elsewhere { why, .. }) => return Err(elsewhere(document, jwks_uri, &why)),
        _ => location.object_at(jwks_uri),
    };
    match (by_form.filter(plain), url) {
        (Some(name), _) => Ok(KeySetAt::Object(name)),
        (None, Ok(_)) => Ok(KeySetAt::Url(jwks_uri.to_owned())),
        (None, Err(why)) => Err(elsewhere(document, jwks_uri, why)),
    }
}

fn elsewhere(document: &str, jwks_uri: &str, why: &str) -> Error {
    Error::failed(
        Code::PublishedKeysElsewhere,
        format!(
            "{document} names its key set at `{}`, from where it is not read: {why}",
            jwks_uri.escape_debug()
        ),
    )
    .hint("the keys there are public until the document changes, and would be lost: publish the issuer's keys at an address on its own host, or below the bucket's")
    .hint("if that key set is of no use, replace the document: keyless publish --restore")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publication::location::Proof;

    fn located(jwks_uri: &str) -> Result<KeySetAt> {
        let location = DocumentLocation {
            issuer: "https://oidc.example.com/prod".parse().unwrap(),
            prefix: "prod".into(),
            proof: Proof::None,
        };
        let leads = |url: &Url| match url.host_str() {
            Some("acme.s3.example.com") => Leads::Here(url.path().trim_start_matches('/').to_owned()),
            // A host that serves many buckets.
            Some("oidc.example.com") if url.path().starts_with("/evil/") => {
                Leads::Elsewhere { why: "it is another bucket's".into(), remedy: "none".into() }
            }
            _ => Leads::Unknown,
        };
        locate(jwks_uri, "the document", &location, Some("https://acme.s3.example.com"), &leads)
    }

    #[test]
    fn foreign_publishers_key_sets_are_located() {
        let object = |name: &str| KeySetAt::Object(name.to_owned());
        for (jwks_uri, at) in [
            ("https://oidc.example.com/prod/openid/v1/jwks", KeySetAt::Usual),
            ("https://oidc.example.com/prod/keys.json", object("prod/keys.json")),
            ("https://oidc.example.com/keys.json", object("keys.json")),
            ("https://acme.s3.example.com/prod/keys.json", object("prod/keys.json")),
            ("https://oidc.example.com/keys?v=1", KeySetAt::Url("https://oidc.example.com/keys?v=1".into())),
            ("https://oidc.example.com/a%20b", KeySetAt::Url("https://oidc.example.com/a%20b".into())),
        ] {
            assert_eq!(located(jwks_uri).unwrap(), at, "{jwks_uri}");
        }
    }

    #[test]
    fn refused_key_set_elsewhere_suggests_restore() {
        for jwks_uri in [
            "https://evil.example.com/keys.json",
            "https://oidc.example.com/evil/keys.json",
            "https://oidc.example.com/prod/../evil/keys.json",
            "https://oidc.example.com\\@evil.example.com/keys.json",
            "http://oidc.example.com/prod/keys.json",
            "http://acme.s3.example.com/keys.json",
            "http://127.0.0.1/latest/meta-data",
            "https://169.254.169.254/latest",
            "https://10.0.0.1:6443/openid/v1/jwks",
            "https://oidc.example.com:8443/keys.json",
            "not a url",
            "",
        ] {
            let error = located(jwks_uri).unwrap_err();
            assert_eq!(error.code, Code::PublishedKeysElsewhere, "{jwks_uri}");
            assert!(error.hints.iter().any(|hint| hint.contains("--restore")), "{error}");
        }
    }
}
