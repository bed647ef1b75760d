//! The issuer: the URL in `iss`, byte for byte.

use std::{fmt, str::FromStr};

use url::{Host, Url};

use super::document::{DISCOVERY_PATH, JWKS_PATH};
use crate::error::{Error, Result};

/// The longest issuer that every relying party takes: AWS allows 255 characters for a provider URL
/// (IAM `CreateOpenIDConnectProvider`), Entra 600.
const MAX_LENGTH: usize = 255;

/// An issuer that every relying party can use and compare byte for byte.
///
/// Invariants, each with its reason:
///
/// * `https`, no port, no query, no fragment, no user info: OpenID Connect Discovery 1.0 §3, and AWS refuses ports
/// * no trailing slash: half of the verifiers remove it before they append the well-known path, half do not
/// * lower case, no escapes, no empty or dot segments: what a URL library would rewrite can never be byte-equal
/// * a host name with a dot, not an address: the certificate must be one that strangers trust
/// * at most 255 characters
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Issuer {
    text: String,
    host_end: usize,
}

impl Issuer {
    /// The exact text: what stands in `iss`, in the document and in every trust.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The host that strangers connect to.
    pub(crate) fn host(&self) -> &str {
        &self.text["https://".len()..self.host_end]
    }

    /// Where the discovery document is read (OpenID Connect Discovery 1.0 §4: appended to the issuer).
    pub(crate) fn discovery_url(&self) -> String {
        format!("{self}/{DISCOVERY_PATH}")
    }

    /// Where the key set is read; the discovery document names this URL.
    pub(crate) fn jwks_url(&self) -> String {
        format!("{self}/{JWKS_PATH}")
    }

    /// The part of the issuer below a bucket's public URL: the prefix of the object names, `""` or `a/b`.
    /// `None` when the issuer does not lie in that bucket.
    pub(crate) fn below(&self, public_url: &str) -> Option<&str> {
        match self.text.strip_prefix(public_url.trim_end_matches('/'))? {
            "" => Some(""),
            rest => rest.strip_prefix('/'),
        }
    }
}

impl FromStr for Issuer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        // What stands before an '@' may be a password.
        let shown = match text.rsplit_once('@') {
            Some((_, rest)) => format!("…@{}", rest.escape_debug()),
            None => text.escape_debug().to_string(),
        };
        let refuse = |code, why: &str, hint: String| {
            Err(Error::failed(code, format!("`{shown}` cannot be an issuer: {why}")).hint(hint))
        };
        // The comma first: it is what a shell-minded user writes for two issuers, and it survives URL parsing.
        if text.contains(',') {
            return refuse(
                "issuer-comma",
                "it holds a comma",
                "an issuer is one URL; the API server takes several only as repeated --service-account-issuer flags".into(),
            );
        }
        if let Some(odd) = text.chars().find(|c| !c.is_ascii_graphic() || r#"\"<>^`{|}%"#.contains(*c)) {
            return refuse(
                "issuer-character",
                &format!("the character {odd:?} is not compared the same way everywhere"),
                "use lower-case letters, digits, '-', '.', '_', '~' and '/'".into(),
            );
        }
        let Ok(url) = Url::parse(text) else {
            return refuse(
                "issuer-not-a-url",
                "it is not a URL",
                "give a URL such as https://oidc.example.com/prod".into(),
            );
        };
        if url.scheme() != "https" {
            let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
            return refuse(
                "issuer-not-https",
                "its scheme is not https",
                format!("strangers accept https only (OpenID Connect Discovery 1.0 §3): https://{rest}"),
            );
        }
        if let Some(upper) = text.chars().find(char::is_ascii_uppercase) {
            return refuse(
                "issuer-upper-case",
                &format!("it holds the capital letter {upper:?}, and relying parties compare bytes"),
                format!("write it in lower case everywhere: {}", text.to_ascii_lowercase()),
            );
        }
        if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
            return refuse(
                "issuer-user-info",
                "it holds user info",
                "remove everything up to the '@'".into(),
            );
        }
        if url.query().is_some() {
            return refuse("issuer-query", "it holds a query", "remove the '?' and what follows".into());
        }
        if url.fragment().is_some() {
            return refuse(
                "issuer-fragment",
                "it holds a fragment",
                "remove the '#' and what follows".into(),
            );
        }
        let authority_and_path = &text["https://".len().min(text.len())..];
        let authority = authority_and_path.split('/').next().unwrap_or_default();
        // The text, not the parsed URL: a parser drops the default port without a word.
        if authority.contains(':') && !authority.starts_with('[') {
            return refuse(
                "issuer-port",
                "it holds a port",
                "AWS refuses ports: serve the documents on port 443".into(),
            );
        }
        match url.host() {
            Some(Host::Domain(name)) if name.contains('.') && !name.ends_with('.') && name == authority => {}
            _ => {
                return refuse(
                    "issuer-host",
                    "its host is not a public DNS name",
                    "strangers need a name with a certificate that they trust, e.g. that of the bucket"
                        .into(),
                );
            }
        }
        if text.ends_with(DISCOVERY_PATH) || text.ends_with(JWKS_PATH) {
            let issuer =
                text.trim_end_matches(DISCOVERY_PATH).trim_end_matches(JWKS_PATH).trim_end_matches('/');
            return refuse(
                "issuer-is-a-document",
                "it is the URL of a document, not of the issuer",
                format!("the issuer is what stands before that path: {issuer}"),
            );
        }
        if text.ends_with('/') {
            return refuse(
                "issuer-trailing-slash",
                "it ends with a slash, which some relying parties keep and others remove",
                format!("use {}", text.trim_end_matches('/')),
            );
        }
        if text.len() > MAX_LENGTH {
            return refuse(
                "issuer-too-long",
                &format!("it has {} characters", text.len()),
                format!("AWS takes at most {MAX_LENGTH}"),
            );
        }
        // A parser that would rewrite the path (dot segments) would never be byte-equal.
        if url.path().contains("//") || (url.as_str() != text && url.as_str() != format!("{text}/")) {
            return refuse(
                "issuer-path",
                "its path has empty or dot segments",
                "name each segment once, e.g. https://oidc.example.com/prod".into(),
            );
        }
        Ok(Self { text: text.to_owned(), host_end: "https://".len() + authority.len() })
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_every_byte() {
        for text in [
            "https://oidc.example.com",
            "https://storage.googleapis.com/acme-oidc/prod-1",
            "https://a.b/x_y~z",
        ] {
            assert_eq!(text.parse::<Issuer>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn object_prefix_is_the_rest_of_the_path() {
        let issuer: Issuer = "https://s3.example.com/bucket/clusters/a".parse().unwrap();
        assert_eq!(issuer.below("https://s3.example.com/bucket"), Some("clusters/a"));
        assert_eq!(issuer.below("https://s3.example.com/bucket/"), Some("clusters/a"));
        assert_eq!(issuer.below("https://s3.example.com/bucket/clusters/a"), Some(""));
        assert_eq!(issuer.below("https://s3.example.com/buck"), None);
        assert_eq!(issuer.host(), "s3.example.com");
    }

    /// `fixtures/issuers/invalid.txt`: a code and an issuer on each line.
    #[test]
    fn refuses_with_a_stable_code() {
        let cases = include_str!("../../fixtures/issuers/invalid.txt");
        let mut seen = 0;
        for line in cases.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (code, issuer) = line.split_once(' ').expect("a code and an issuer");
            let error = issuer.parse::<Issuer>().expect_err(line);
            assert_eq!(error.code, code, "{issuer}");
            assert!(!error.hints.is_empty(), "no remedy for {issuer}");
            seen += 1;
        }
        assert!(seen > 20, "only {seen} cases");
    }
}
