//! The issuer that a cluster signs as, whatever it is.

use std::{fmt, str::FromStr};

use super::Issuer;
use crate::error::{Code, Error, Result};

/// The longest `iss` that is read, in bytes. Kubernetes sets no limit; no issuer seen so far has 300.
const MAX_LENGTH: usize = 2048;

/// `iss` of a cluster's tokens (RFC 7519 §4.1.1): any text of 1 to 2048 bytes, compared byte for byte and never
/// normalised.
///
/// A cluster signs as what it was started with: a URL with a port, an address, a trailing slash, `api`. Relying
/// parties that are given the keys compare that text and fetch nothing. What keyless publishes is an [`Issuer`].
///
/// [`fmt::Display`] is for people: every character that could be mistaken is escaped, and user info is hidden.
/// What is sent and compared is [`SignedIssuer::as_str`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SignedIssuer(String);

impl SignedIssuer {
    /// The exact text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The same issuer as one that keyless can publish, or the reason why it cannot.
    pub(crate) fn publishable(&self) -> Result<Issuer> {
        self.0.parse()
    }

    /// The exact text in printable ASCII without spaces: what is not is written as `\u{…}`, and `\` as `\\`.
    /// Two issuers never give the same.
    pub(crate) fn escaped(&self) -> String {
        escape(&self.0)
    }
}

impl FromStr for SignedIssuer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Err(Error::failed(Code::IssuerEmpty, "the issuer is empty").hint(
                "it is `iss` of the cluster's tokens; kube-apiserver takes it as --service-account-issuer",
            ));
        }
        if text.len() > MAX_LENGTH {
            return Err(Error::failed(Code::IssuerTooLong, format!("the issuer has {} bytes", text.len()))
                .hint(format!("at most {MAX_LENGTH} bytes are read as an issuer")));
        }
        Ok(Self(text.to_owned()))
    }
}

impl From<Issuer> for SignedIssuer {
    fn from(issuer: Issuer) -> Self {
        issuer.into_signed()
    }
}

impl PartialEq<str> for SignedIssuer {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl fmt::Display for SignedIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&without_user_info(&self.0)))
    }
}

fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '\\' => out.push_str("\\\\"),
            c if c.is_ascii_graphic() => out.push(c),
            c => out.extend(c.escape_unicode()),
        }
        out
    })
}

/// What is between `://` and the last `@` of the authority may be a password.
pub(super) fn without_user_info(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((user, _)) => format!("{scheme}://…{}", &rest[user.len()..]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `fixtures/issuers/signed.txt`: an issuer on each line, as `serde_json` reads it.
    fn fixture() -> Vec<String> {
        let lines = include_str!("../../fixtures/issuers/signed.txt").lines();
        lines
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(|line| serde_json::from_str(line).expect(line))
            .collect()
    }

    #[test]
    fn every_byte_is_kept() {
        let issuers = fixture();
        assert!(issuers.len() > 20, "only {} cases", issuers.len());
        for text in &issuers {
            let issuer: SignedIssuer = text.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert_eq!(issuer.as_str(), text);
            assert!(issuer.publishable().is_err(), "{text:?} could be published: it belongs elsewhere");
        }
    }

    #[test]
    fn similar_issuers_stay_different() {
        let issuers: Vec<SignedIssuer> = fixture().iter().map(|text| text.parse().unwrap()).collect();
        let escaped: std::collections::BTreeSet<_> = issuers.iter().map(SignedIssuer::escaped).collect();
        assert_eq!(escaped.len(), issuers.len());
        for (one, other) in
            [("https://a.example", "https://a.example/"), ("A", "a"), ("a", "a "), ("\\u{20}", " ")]
        {
            let [one, other] = [one, other].map(|text| text.parse::<SignedIssuer>().unwrap());
            assert!(one != other && one.escaped() != other.escaped() && one.to_string() != other.to_string());
        }
    }

    #[test]
    fn display_is_plain_ascii() {
        for text in fixture() {
            let issuer: SignedIssuer = text.parse().unwrap();
            for shown in [issuer.to_string().replace('…', ""), issuer.escaped()] {
                assert!(shown.bytes().all(|byte| byte.is_ascii_graphic()), "{shown:?}");
            }
        }
        let shown = |text: &str| text.parse::<SignedIssuer>().unwrap().to_string();
        assert_eq!(shown("https://10.5.0.2:6443"), "https://10.5.0.2:6443");
        assert_eq!(shown("a\u{202e}b \n"), "a\\u{202e}b\\u{20}\\u{a}");
    }

    #[test]
    fn display_hides_user_info() {
        for text in ["https://u:hunter2@a.example/x", "https://hunter2@a.example", "ftp://u:hunter2@a@b:1?x"]
        {
            let issuer: SignedIssuer = text.parse().unwrap();
            assert!(!issuer.to_string().contains("hunter2"), "{issuer}");
            assert!(issuer.as_str().contains("hunter2"), "what is compared stays");
        }
        let issuer: SignedIssuer = "https://a.example/user@host".parse().unwrap();
        assert_eq!(issuer.to_string(), "https://a.example/user@host");
    }

    #[test]
    fn empty_and_overlong_are_refused() {
        let long = |length| format!("https://{}", "a".repeat(length - 8)).parse::<SignedIssuer>();
        assert_eq!("".parse::<SignedIssuer>().unwrap_err().code, Code::IssuerEmpty);
        assert_eq!(long(MAX_LENGTH + 1).unwrap_err().code, Code::IssuerTooLong);
        assert!(long(MAX_LENGTH).is_ok());
    }

    #[test]
    fn published_issuer_keeps_its_text() {
        let issuer: Issuer = "https://oidc.example.com/prod".parse().unwrap();
        let signed = SignedIssuer::from(issuer.clone());
        assert_eq!(signed.as_str(), issuer.as_str());
        assert_eq!(signed.publishable().unwrap(), issuer);
    }
}
