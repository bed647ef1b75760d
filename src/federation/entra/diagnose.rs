//! PURE. Why Entra gives no access token for a token of the cluster, and what to do about it.

use super::AUDIENCE;
use crate::azure::Refusal;

/// Whether it may be another answer once Entra knows everywhere what was written.
pub(super) fn may_be_unknown_yet(refusal: &Refusal) -> bool {
    let number = refusal.number();
    matches!(number, Some(70021 | 700_211 | 700_212 | 700_213 | 7_002_138 | 700_016 | 700_011))
}

/// Cause and remedy, by the number after `AADSTS`. The texts may change, the numbers stay.
pub(super) fn exchange(refusal: &Refusal, issuer: &str, identity: &str, subject: &str) -> (String, String) {
    let setup = "run `keyless setup`, which shows the difference and fixes it".to_owned();
    let public = "run `keyless publish`, then `keyless verify --public-only`".to_owned();
    let cause = |text: &str| text.to_owned();
    match refusal.number() {
        Some(70021 | 700_211) => (
            format!(
                "no federated credential of the identity {identity} names the issuer {issuer}, byte for byte, or Entra does not know it everywhere yet"
            ),
            setup,
        ),
        Some(700_212) => {
            (format!("the federated credential of {identity} takes another audience than {AUDIENCE}"), setup)
        }
        Some(700_213 | 7_002_138) => (
            format!("no federated credential of {identity} names the subject {subject}: capitals count"),
            setup,
        ),
        Some(700_024) => (
            cause("the token has expired, or the clock of the control plane is wrong"),
            cause("set the clocks of the control plane by NTP"),
        ),
        Some(700_027 | 50013 | 900_384) => (
            format!("no key that {issuer} publishes has signed the token, or Entra keeps older documents"),
            public,
        ),
        Some(90061) => (format!("Entra could not read the documents of {issuer}"), public),
        Some(700_016 | 700_011) => (
            format!(
                "Entra does not know the client ID of the identity {identity} in this tenant, or not yet"
            ),
            cause("check entra.tenant; a new identity takes some minutes"),
        ),
        Some(90002) => (cause("there is no such tenant"), cause("check entra.tenant")),
        Some(500_011) => (
            cause("the tenant does not know Key Vault: it has no subscription with it"),
            cause("check entra.tenant and entra.subscription"),
        ),
        Some(50005 | 53003) => (
            cause("a Conditional Access policy of the tenant forbids this login"),
            cause("except the managed identity from that policy"),
        ),
        _ if refusal.is_foreign() => (
            cause("what answers there is not Microsoft Entra"),
            cause("check entra.endpoints, and any proxy before them"),
        ),
        _ => (
            cause("Entra refuses the exchange, for the reason that it gives"),
            cause("look the number up at https://login.microsoftonline.com/error"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::http::Answer;

    fn refusal(number: u64, words: &str) -> Refusal {
        let body = serde_json::json!({
            "error": "invalid_client", "error_description": format!("AADSTS{number}: {words}"), "error_codes": [number],
        });
        Refusal::of(&Answer { status: 401, headers: HeaderMap::new(), body: body.to_string().into_bytes() })
    }

    #[test]
    fn numbers_alone_decide() {
        for (number, part, waits) in [
            (70021, "byte for byte", true),
            (700_211, "https://i", true),
            (700_212, "audience", true),
            (700_213, "capitals", true),
            (7_002_138, "capitals", true),
            (700_024, "clock", false),
            (700_027, "has signed", false),
            (90061, "documents", false),
            (700_016, "client ID", true),
            (90002, "tenant", false),
            (50005, "Conditional Access", false),
            (1, "for the reason", false),
        ] {
            let (plain, other) = (refusal(number, ""), refusal(number, "AADSTS90002: no such tenant"));
            let of = |it| exchange(it, "https://i", "eso", "system:serviceaccount:a:b");
            assert_eq!(of(&plain), of(&other), "{number}");
            assert!(of(&plain).0.contains(part) && !of(&plain).1.is_empty(), "{number}: {:?}", of(&plain));
            assert_eq!((may_be_unknown_yet(&plain), may_be_unknown_yet(&other)), (waits, waits), "{number}");
        }
        let foreign =
            Refusal::of(&Answer { status: 404, headers: HeaderMap::new(), body: b"<html>".to_vec() });
        assert!(exchange(&foreign, "i", "x", "s").0.contains("not Microsoft Entra"));
        assert!(!may_be_unknown_yet(&foreign));
    }
}
