//! PURE. The audience of test tokens: one that nothing trusts, so that such a token opens nothing.

use super::ProviderName;
use crate::error::{Code, Error, Result};

/// Who accepts a token, and by which audiences, beside the providers of the registry. A pattern that ends in `*` is a
/// beginning.
const OTHERS: [(&str, &[&str]); 2] = [
    ("Microsoft Entra ID", &["api://AzureADTokenExchange*"]),
    ("the API server", &["https://kubernetes.default*", "kubernetes.default*", "k3s", "rke2", "api"]),
];

/// An audience that test tokens may be minted for: 1 to 255 printable ASCII characters, and not one that a relying party is known to trust.
///
/// A test token is a real one. It is never sent anywhere, but it must be worthless even if it were.
pub(crate) fn test_audience(text: &str) -> Result<String> {
    if text.is_empty() || text.len() > 255 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Error::usage(
            Code::AudienceMalformed,
            "the audience of test tokens is empty, too long or not plain text",
        )
        .hint("1 to 255 printable ASCII characters without spaces; by default it is `keyless`"));
    }
    let fits = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(start) => text.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start)),
        None => text.eq_ignore_ascii_case(pattern),
    };
    let providers = ProviderName::all().map(|provider| provider.entry().audiences());
    match providers.chain(OTHERS).find(|(_, patterns)| patterns.iter().any(fits)) {
        None => Ok(text.to_owned()),
        Some((who, _)) => Err(Error::usage(
            Code::AudienceTrusted,
            format!("`{text}` cannot be the audience of test tokens: tokens for it are accepted by {who}"),
        )
        .hint("a test token must open nothing: leave --audience and verify.audience out, or name one that nothing trusts")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn trusted_audiences_are_refused() {
        let pool =
            "iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/p/providers/c";
        for audience in [
            "sts.amazonaws.com",
            "STS.amazonaws.com",
            "sts.amazonaws.com.cn",
            "https://sts.amazonaws.com",
            "api://AzureADTokenExchange",
            "api://AzureADTokenExchangeUSGov",
            &format!("//{pool}"),
            &format!("https://{pool}"),
            "vault",
            "https://kubernetes.default.svc",
            "https://kubernetes.default.svc.cluster.local",
            "k3s",
        ] {
            let error = test_audience(audience).unwrap_err();
            assert_eq!((error.code, error.kind), (Code::AudienceTrusted, Kind::Usage), "{audience}");
            assert!(!error.hints.is_empty());
        }
        for audience in ["", " ", "a b", "a\n", "ü", &"a".repeat(256)] {
            assert_eq!(test_audience(audience).unwrap_err().code, Code::AudienceMalformed, "{audience}");
        }
        for audience in ["keyless", "anyone", "https://iam.example.com", "my-vault", "sts"] {
            assert_eq!(test_audience(audience).unwrap(), audience);
        }
    }
}
