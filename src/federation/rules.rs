//! PURE. What a provider takes as an issuer and as keys: data of each provider, judged in one place before any plan.

use url::Url;

use super::{KeyRole, Trust};
use crate::{
    error::{Code, Error, Result},
    oidc::{Algorithm, PublicKey, SignedIssuer},
};

/// What one provider takes.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// For people, e.g. `Google`.
    pub(crate) provider: &'static str,
    pub(crate) issuer: IssuerRules,
    pub(crate) keys: KeyRules,
}

/// What a provider takes as an issuer that it is given. What it fetches documents from is always an
/// [`Issuer`](crate::oidc::Issuer).
#[derive(Clone, Debug)]
pub(crate) struct IssuerRules {
    pub(crate) form: IssuerForm,
    /// In bytes.
    pub(crate) longest: usize,
    /// Stable name of a refusal.
    pub(crate) code: Code,
    /// Where the provider says so.
    pub(crate) source: &'static str,
}

/// The form of an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IssuerForm {
    /// It is compared as text.
    AnyText,
    /// An https URL with a host, without user info, query and fragment (OpenID Connect Discovery 1.0 §3). Port,
    /// address, capitals and a trailing slash are kept.
    HttpsUrl,
    /// The same without a port.
    HttpsUrlWithoutPort,
}

/// Which keys a provider verifies with.
#[derive(Clone, Debug)]
pub(crate) struct KeyRules {
    pub(crate) algorithms: &'static [Algorithm],
    /// The most keys that it can be given; `None`: no limit.
    pub(crate) most: Option<usize>,
    /// Stable names of the refusals of a key and of too many keys.
    pub(crate) codes: [Code; 2],
    /// Whether it finds the key of a token by its `kid`; otherwise it tries each, and keeps no `kid`.
    pub(crate) by_kid: bool,
    /// What else can be done about too many.
    pub(crate) without_limit: &'static str,
}

impl Rules {
    /// Refuses what the provider would refuse, or would never believe.
    pub(crate) fn check(&self, want: &Trust) -> Result<()> {
        self.check_issuer(want.issuer.signed())?;
        self.check_kinds(want)?;
        self.check_number(want)
    }

    fn check_issuer(&self, issuer: &SignedIssuer) -> Result<()> {
        let rules = &self.issuer;
        let why = if issuer.as_str().len() > rules.longest {
            Some(format!("it has {} bytes, and at most {} are taken", issuer.as_str().len(), rules.longest))
        } else {
            match rules.form {
                IssuerForm::AnyText => None,
                IssuerForm::HttpsUrl => not_https_url(issuer.as_str()).map(str::to_owned),
                IssuerForm::HttpsUrlWithoutPort => {
                    not_https_url(issuer.as_str()).or_else(|| port(issuer.as_str())).map(str::to_owned)
                }
            }
        };
        let Some(why) = why else { return Ok(()) };
        Err(Error::failed(rules.code, format!("{} does not take the issuer `{issuer}`: {why}", self.provider))
            .caused_by(rules.source)
            .hint(
                "start every API server with an https URL as its first --service-account-issuer, e.g. \
                 https://kubernetes.default.svc.cluster.local, and keep the present one as a second flag, or running pods lose access",
            )
            .hint("or publish documents: name a bucket, and sign as its public URL (`keyless render issuer` writes the flags)"))
    }

    /// Given keys must all be taken. Of documents, a provider leaves aside what it does not verify with; but tokens
    /// signed with such a key are refused.
    fn check_kinds(&self, want: &Trust) -> Result<()> {
        let refused: Vec<_> = want.keys.iter().filter(|key| !self.takes(key)).collect();
        let signs = |key: &PublicKey| want.signing.iter().any(|kid| kid == key.kid());
        let all = refused.len() == want.keys.len();
        let given = want.issuer.published().is_none();
        if refused.is_empty() || !(given || all || refused.iter().any(|key| signs(key))) {
            return Ok(());
        }
        let names: Vec<_> = self.keys.algorithms.iter().map(|algorithm| algorithm.name()).collect();
        let provider = self.provider;
        let message = match all {
            true => format!("{provider} takes none of the cluster's keys"),
            false => format!("{provider} does not take all of the cluster's keys"),
        };
        let mut error = Error::failed(self.keys.codes[0], message);
        for key in &refused {
            error = error.caused_by(format_args!(
                "{} is an {} key, {}",
                key.kid(),
                key.describe(),
                want.role(key)
            ));
        }
        Err(error.hint(format!(
            "{provider} verifies {} only: sign with such a key (RSA 2048 is accepted everywhere), and take the others out of \
             --service-account-key-file and cluster.publicKeys",
            names.join(" and ")
        )))
    }

    fn check_number(&self, want: &Trust) -> Result<()> {
        let Some(most) = self.keys.most.filter(|most| want.keys.len() > *most) else { return Ok(()) };
        if want.issuer.published().is_some() {
            return Ok(());
        }
        let provider = self.provider;
        let message = format!(
            "the cluster has {} keys, and {provider} takes {most} when they are uploaded",
            want.keys.len()
        );
        let mut error = Error::failed(self.keys.codes[1], message);
        for key in want.keys.iter() {
            error = error.caused_by(format_args!("{} ({}), {}", key.kid(), key.describe(), want.role(key)));
        }
        let kids = |with: KeyRole| {
            let keys = want.keys.iter().filter(|key| want.role(key) == with).map(PublicKey::kid);
            keys.collect::<Vec<_>>().join(", ")
        };
        let (served, staged) = (kids(KeyRole::Served), kids(KeyRole::Staged));
        let former = kids(KeyRole::Former);
        if !served.is_empty() {
            error = error.hint(format!(
                "take keys whose tokens have all expired out of --service-account-key-file of every API server; none of these \
                 signs now: {served}"
            ));
        }
        if !staged.is_empty() {
            error = error.hint(format!("take staged keys out of cluster.publicKeys: {staged}"));
        }
        if !former.is_empty() {
            error = error.hint(format!(
                "former keys leave by themselves once their tokens have expired: `keyless keys` says when; `keyless keys revoke KID` takes \
                 one out now, and its tokens are refused: {former}"
            ));
        }
        Err(error.hint(self.keys.without_limit))
    }

    /// Keys that the provider leaves aside when it fetches them.
    pub(crate) fn left_aside<'a>(&self, want: &'a Trust) -> Vec<&'a PublicKey> {
        want.keys.iter().filter(|key| !self.takes(key)).collect()
    }

    fn takes(&self, key: &PublicKey) -> bool {
        self.keys.algorithms.contains(&key.algorithm())
    }
}

fn not_https_url(text: &str) -> Option<&'static str> {
    // A URL parser drops whitespace around and inside a URL without a message.
    if !text.bytes().all(|byte| byte.is_ascii_graphic())
        || text.contains(['"', '\\', '<', '>', '^', '`', '{', '|', '}'])
    {
        return Some("it holds characters that no URL has");
    }
    let Ok(url) = Url::parse(text) else { return Some("it is not a URL") };
    if url.scheme() != "https" {
        return Some("its scheme is not https");
    }
    // The scheme in lower case, two slashes: what is compared as text must begin as the provider expects it.
    if !text.starts_with("https://") {
        return Some("it does not begin with https://");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some("it holds user info");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Some("it has a query or a fragment");
    }
    None
}

/// A URL parser drops the usual port without a message.
fn port(text: &str) -> Option<&'static str> {
    let host = text.strip_prefix("https://")?.split('/').next()?;
    host.rsplit(']').next().is_some_and(|rest| rest.contains(':')).then_some("it names a port")
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
