//! The issuers that the API servers accept now: what they are taken from, and how to check it.
//!
//! A token holds them. Without a cluster they are derived or assumed, and every output marks them as such.

use serde::Serialize;

use super::IssuerChange;
use crate::{
    error::{Code, Error, Result},
    oidc::SignedIssuer,
    redact,
    warning::Warning,
};

/// The old issuer was not read from a token: with a wrong one, every running pod is refused at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Unproven {
    /// The issuer that is taken for the one that signs now.
    pub(crate) issuer: String,
    #[serde(skip)]
    pub(crate) new: SignedIssuer,
    pub(crate) basis: Basis,
    /// Commands that show what the cluster signs as.
    pub(crate) check: Vec<String>,
}

/// Where an issuer that was not read from a token comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Basis {
    /// The distribution's default, for the domain `cluster.local`.
    Assumed,
    /// The ClusterConfiguration, which may not be what runs.
    Configuration,
}

impl Unproven {
    fn source(&self) -> &'static str {
        match self.basis {
            Basis::Assumed => {
                "ASSUMED: no cluster was asked, and a cluster with another domain or issuer signs otherwise"
            }
            Basis::Configuration => {
                "taken from the ClusterConfiguration: no cluster was asked, and what runs may differ"
            }
        }
    }

    pub(super) fn remedy(&self) -> String {
        format!(
            "Each shows the issuer that signs now. If it is neither {} nor {}, give it as --old-issuer, and every other one \
             that is accepted now.",
            self.issuer, self.new
        )
    }

    pub(super) fn warning(&self) -> Warning {
        let code = match self.basis {
            Basis::Assumed => Code::OldIssuerAssumed,
            Basis::Configuration => Code::OldIssuerUnproven,
        };
        let text = format!(
            "the old issuer {} is {}. With a wrong one, every running pod loses access to the API at once",
            self.issuer,
            self.source()
        );
        Warning::new(code, text)
    }

    /// The same as a comment in the file.
    pub(super) fn comment(&self) -> String {
        let check: String = self.check.iter().map(|command| format!("#   {command}\n")).collect();
        format!(
            "# The old issuer below is {}.\n# With a wrong one, every running pod loses access to the API at once. Check it before \
             you use this file:\n{check}# Each shows the issuer that signs now. If it is not below, give it as --old-issuer.\n",
            self.source()
        )
    }
}

/// What a configuration says of the API servers as they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Present {
    /// The signing one first. Where extraArgs is a map, others may be accepted by a patch that is not seen here.
    pub(super) named: Vec<SignedIssuer>,
    /// The domain of the cluster's services, which the default issuer follows from.
    pub(super) domain: Option<String>,
    /// The values of `--api-audiences`, if it is pinned.
    pub(super) audiences: Vec<String>,
}

/// Show what a cluster signs as: by its own document, and by a token. The shell's `base64` misses the padding that
/// tokens leave out, and decodes all the same.
pub(super) const CHECK: [&str; 2] = [
    r#"kubectl get --raw /.well-known/openid-configuration | grep -o '"issuer":"[^"]*"'"#,
    r#"kubectl create token default --duration=10m | cut -d. -f2 | tr -- '-_' '+/' | base64 -d 2>/dev/null | grep -o '"iss":"[^"]*"'"#,
];

/// Where the comment at the beginning of a file ends.
pub(super) fn header(content: &str) -> usize {
    content.split_inclusive('\n').take_while(|line| line.starts_with('#')).map(str::len).sum()
}

/// `--api-audiences` that leaves the old issuer out is the other way to lock every pod out.
pub(super) fn pinned_audiences(change: &IssuerChange, present: &Present) -> Option<Warning> {
    if present.audiences.is_empty() {
        return None;
    }
    let missing: Vec<_> = change
        .accepted
        .iter()
        .filter(|issuer| !present.audiences.iter().any(|audience| *issuer == audience.as_str()))
        .map(ToString::to_string)
        .collect();
    let without = match missing.is_empty() {
        true => String::new(),
        false => format!(
            "; {} is not among them, so tokens that were made before it was pinned are refused already",
            missing.join(" and ")
        ),
    };
    Some(Warning::new(
        Code::ApiAudiencesPinned,
        format!(
            "the ClusterConfiguration pins --api-audiences to {}: it stays as it is here. Pods' tokens are accepted for these \
             audiences only: add to them if you must, and take none away{without}",
            present.audiences.join(",").escape_debug()
        ),
    ))
}

/// No cluster was asked, and the distribution has no default.
pub(super) fn unknown(title: &str) -> Error {
    let error = Error::usage(
        Code::OldIssuer,
        format!("what {title} signs as now differs from cluster to cluster, and no cluster was asked"),
    );
    CHECK.iter().fold(error.hint("give it as --old-issuer; each of these commands shows it"), |error, it| {
        error.hint(*it)
    })
}

/// A value of `--old-issuer`. What a token names is not checked like this: a cluster that signs with it has it.
pub(crate) fn old_issuer(text: &str) -> Result<SignedIssuer> {
    let refuse = |why: &str| {
        Err(Error::usage(Code::OldIssuer, format!("`{}` cannot be an issuer: {why}", redact::given(text)))
            .hint(
                "it is `iss` of a token that the cluster signs now; name several by repeating --old-issuer",
            ))
    };
    if text.contains(',') {
        return refuse("it holds a comma, and the API server does not split at commas");
    }
    // A value without a colon is any text, with one a URL (kube-apiserver's own rule).
    if text.is_empty() || text.chars().any(|c| !c.is_ascii_graphic() || matches!(c, '"' | '\'' | '\\' | '`'))
    {
        return refuse("it is empty or holds characters that no issuer has");
    }
    if text.contains('@') {
        return refuse("the part before an @ may be a password, and the issuer is public");
    }
    text.parse().map_err(Error::into_usage)
}
