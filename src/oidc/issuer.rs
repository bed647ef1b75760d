//! The issuer that keyless publishes: the URL in `iss`, byte for byte.

use std::{fmt, str::FromStr};

use url::{Host, Url};

use super::{
    SignedIssuer,
    document::{DISCOVERY_PATH, JWKS_PATH},
};
use crate::error::{Code, Error, Result};

/// The longest issuer that every relying party takes: AWS allows 255 characters for a provider URL
/// (IAM `CreateOpenIDConnectProvider`), Entra 600.
const MAX_LENGTH: usize = 255;

/// An issuer that every relying party can use and compare byte for byte: the only kind that is published.
///
/// Invariants, each with its reason:
///
/// * `https`, no port, no query, no fragment, no user info: OpenID Connect Discovery 1.0 §3, and AWS refuses ports
/// * no trailing slash: half of the verifiers remove it before they append the well-known path, half do not
/// * lower case, no escapes, no empty or dot segments: what a URL library would rewrite can never be byte-equal
/// * a host name of letters, digits and hyphens with a dot, not an address: the certificate must be one that relying
///   parties trust
/// * at most 255 characters
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Issuer {
    text: SignedIssuer,
    host_end: usize,
}

impl Issuer {
    /// The exact text: the value of `iss`, in the document and in every trust.
    pub(crate) fn as_str(&self) -> &str {
        self.text.as_str()
    }

    /// As the text that a cluster signs as.
    pub(crate) fn signed(&self) -> &SignedIssuer {
        &self.text
    }

    pub(super) fn into_signed(self) -> SignedIssuer {
        self.text
    }

    /// The host that relying parties connect to.
    pub(crate) fn host(&self) -> &str {
        &self.as_str()["https://".len()..self.host_end]
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
        match self.as_str().strip_prefix(public_url.trim_end_matches('/'))? {
            "" => Some(""),
            rest => rest.strip_prefix('/'),
        }
    }
}

impl FromStr for Issuer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        check_text(text)?;
        let url = check_url(text)?;
        let authority = text["https://".len()..].split('/').next().unwrap_or_default();
        check_authority(text, authority, &url)?;
        check_path(text, &url)?;
        if text.len() > MAX_LENGTH {
            return Err(refusal(Code::IssuerTooLong, text, &format!("it has {} characters", text.len()))
                .hint(format!("AWS takes at most {MAX_LENGTH}")));
        }
        Ok(Self { host_end: "https://".len() + authority.len(), text: text.parse()? })
    }
}

fn refusal(code: Code, text: &str, why: &str) -> Error {
    Error::failed(code, format!("`{}` cannot be an issuer: {why}", shown(text)))
}

/// Short, on one line, and without what may be a password.
fn shown(text: &str) -> String {
    let text = match text.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => text.to_owned(),
    };
    let escaped = text.escape_debug().to_string();
    match escaped.char_indices().nth(MAX_LENGTH) {
        Some((end, _)) => format!("{}…", &escaped[..end]),
        None => escaped,
    }
}

/// Characters that are not compared the same way everywhere.
fn check_text(text: &str) -> Result<()> {
    // The comma first: it is what a shell-minded user writes for two issuers, and it survives URL parsing.
    if text.contains(',') {
        return Err(refusal(Code::IssuerComma, text, "it holds a comma").hint(
            "an issuer is one URL; the API server takes several only as repeated --service-account-issuer flags",
        ));
    }
    // What delimits a URL is judged below, each with a reason of its own.
    let odd = |c: &char| !c.is_ascii_alphanumeric() && !"-._~/:?#@[]=&".contains(*c);
    match text.chars().find(odd) {
        None => Ok(()),
        Some(odd) => Err(refusal(
            Code::IssuerCharacter,
            text,
            &format!("the character {odd:?} is not compared the same way everywhere"),
        )
        .hint(CHARACTERS)),
    }
}

const CHARACTERS: &str = "use lower-case letters, digits, '-', '.', '_', '~' and '/'";

/// A URL of OpenID Connect Discovery 1.0 §3, as it was written.
fn check_url(text: &str) -> Result<Url> {
    let Ok(url) = Url::parse(text) else {
        return Err(refusal(Code::IssuerNotAUrl, text, "it is not a URL")
            .hint("give a URL such as https://oidc.example.com/prod"));
    };
    if url.scheme() != "https" {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
        return Err(refusal(Code::IssuerNotHttps, text, "its scheme is not https").hint(format!(
            "relying parties accept https only (OpenID Connect Discovery 1.0 §3): https://{}",
            shown(rest)
        )));
    }
    if let Some(upper) = text.chars().find(char::is_ascii_uppercase) {
        return Err(refusal(
            Code::IssuerUpperCase,
            text,
            &format!("it holds the capital letter {upper:?}, and relying parties compare bytes"),
        )
        .hint(format!("write it in lower case everywhere: {}", shown(&text.to_ascii_lowercase()))));
    }
    // A URL parser takes one slash, or none, for two.
    if !text.starts_with("https://") {
        return Err(refusal(Code::IssuerNotAUrl, text, "it does not begin with https://")
            .hint("give a URL such as https://oidc.example.com/prod"));
    }
    if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
        return Err(
            refusal(Code::IssuerUserInfo, text, "it holds user info").hint("remove everything up to the '@'")
        );
    }
    if url.query().is_some() {
        return Err(
            refusal(Code::IssuerQuery, text, "it holds a query").hint("remove the '?' and what follows")
        );
    }
    if url.fragment().is_some() {
        return Err(refusal(Code::IssuerFragment, text, "it holds a fragment")
            .hint("remove the '#' and what follows"));
    }
    Ok(url)
}

/// A host name that a public certificate can be for, and nothing beside it.
fn check_authority(text: &str, authority: &str, url: &Url) -> Result<()> {
    // The text, not the parsed URL: a parser drops the default port without a word.
    if authority.contains(':') && !authority.starts_with('[') {
        return Err(refusal(Code::IssuerPort, text, "it holds a port")
            .hint("AWS refuses ports: serve the documents on port 443"));
    }
    let why = match url.host() {
        Some(Host::Domain(name)) if name == authority => match host_name(name) {
            Ok(()) => return Ok(()),
            Err(why) => why,
        },
        _ => "it is not a DNS name",
    };
    Err(refusal(Code::IssuerHost, text, &format!("its host is not a public DNS name: {why}"))
        .hint("relying parties need a name with a certificate that they trust, e.g. that of the bucket"))
}

/// RFC 1123 §2.1 and RFC 1035 §2.3.4: labels of 1 to 63 letters, digits and inner hyphens, 253 characters in all.
/// Public authorities certify no underscore (CA/Browser Forum, Ballot SC-12).
fn host_name(name: &str) -> Result<(), &'static str> {
    if name.len() > 253 {
        return Err("it has more than 253 characters");
    }
    if !name.contains('.') {
        return Err("it has one label only");
    }
    name.split('.').try_for_each(|label| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        // RFC 5891 §4.2.3.1: two hyphens there are reserved. The URL parser has decoded what begins with `xn--`.
        let reserved = label.get(2..4) == Some("--") && !label.starts_with("xn--");
        match label.len() {
            0 => Err("it has an empty label"),
            64.. => Err("a label has more than 63 characters"),
            _ if !label.bytes().all(plain) => {
                Err("a label holds other characters than letters, digits and hyphens")
            }
            _ if label.starts_with('-') || label.ends_with('-') => {
                Err("a label begins or ends with a hyphen")
            }
            _ if reserved => Err("a label has hyphens in the third and fourth place"),
            _ => Ok(()),
        }
    })
}

/// A path that is the same for a URL library, an object store and a file system.
fn check_path(text: &str, url: &Url) -> Result<()> {
    if text.ends_with(DISCOVERY_PATH) || text.ends_with(JWKS_PATH) {
        let issuer = text.trim_end_matches(DISCOVERY_PATH).trim_end_matches(JWKS_PATH).trim_end_matches('/');
        return Err(refusal(Code::IssuerIsADocument, text, "it is the URL of a document, not of the issuer")
            .hint(format!("the issuer is the part before that path: {issuer}")));
    }
    if text.ends_with('/') {
        return Err(refusal(
            Code::IssuerTrailingSlash,
            text,
            "it ends with a slash, which some relying parties keep and others remove",
        )
        .hint(format!("use {}", text.trim_end_matches('/'))));
    }
    if let Some(odd) = url.path().chars().find(|c| ":[]=&".contains(*c)) {
        return Err(refusal(
            Code::IssuerCharacter,
            text,
            &format!("the character {odd:?} is not compared the same way everywhere"),
        )
        .hint(CHARACTERS));
    }
    // A parser that would rewrite the path (dot segments) would never be byte-equal.
    let dots = |segment: &str| !segment.is_empty() && segment.bytes().all(|byte| byte == b'.');
    if url.path().contains("//")
        || url.path().split('/').any(dots)
        || (url.as_str() != text && url.as_str() != format!("{text}/"))
    {
        return Err(refusal(Code::IssuerPath, text, "its path has empty or dot segments")
            .hint("name each segment once, e.g. https://oidc.example.com/prod"));
    }
    Ok(())
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `fixtures/issuers/valid.txt`: an issuer on each line.
    #[test]
    fn keeps_every_byte() {
        let cases = include_str!("../../fixtures/issuers/valid.txt");
        for text in cases.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            assert_eq!(text.parse::<Issuer>().unwrap_or_else(|error| panic!("{error}")).to_string(), text);
        }
    }

    #[test]
    fn object_prefix_is_rest_of_path() {
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
            assert_eq!(error.code.name(), code, "{issuer}");
            assert!(!error.hints.is_empty(), "no remedy for {issuer}");
            seen += 1;
        }
        assert!(seen > 60, "only {seen} cases");
    }
}
