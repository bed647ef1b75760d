//! PURE. Why STS gives no credentials for a token, and what to do about it.

use super::{AUDIENCE, refusal::Refusal};

/// Whether it may be another answer once AWS knows everywhere what was written.
pub(super) fn may_be_unknown_yet(refusal: &Refusal) -> bool {
    refusal.is_forbidden() || refusal.is(&["InvalidIdentityToken"])
}

/// Cause and remedy. `role` is its ARN, `subject` that of the token.
pub(super) fn exchange(refusal: &Refusal, issuer: &str, role: &str, subject: &str) -> (String, String) {
    let setup = "run `keyless setup`, which shows the difference and fixes it".to_owned();
    let public = "run `keyless publish`, then `keyless verify --public-only`".to_owned();
    match refusal.code.as_str() {
        // One code for all of these. The words of AWS only say where to look first.
        "InvalidIdentityToken" => {
            let first = match () {
                () if refusal.speaks_of("audience") => {
                    format!("; AWS speaks of the audience: the OIDC provider must have the client ID {AUDIENCE}")
                }
                () if refusal.speaks_of("no openidconnect provider") => {
                    "; AWS says that the account has no OIDC provider for the issuer".to_owned()
                }
                () if refusal.speaks_of("verification key") || refusal.speaks_of("jwks") => {
                    "; AWS says that it cannot get the key that signed the token: the documents are not reachable, slow, or older than the key".to_owned()
                }
                () => String::new(),
            };
            (
                format!(
                    "STS does not take the token: its audience, its signature, a claim of it or its issuer {issuer}{first}"
                ),
                format!("{setup}; then {public}"),
            )
        }
        "ExpiredTokenException" | "ExpiredToken" => (
            "the token has expired, or the clock of the control plane is behind".to_owned(),
            "set the clocks of the control plane by NTP".to_owned(),
        ),
        "IDPCommunicationError" => {
            (format!("STS cannot reach {issuer}, or it does not answer within 5 s"), public)
        }
        "AccessDenied" => (
            format!(
                "there is no role {role}, or its trust policy does not name {subject} of {issuer} with the audience {AUDIENCE}: AWS does not tell which"
            ),
            setup,
        ),
        "RegionDisabledException" | "RegionDisabled" => (
            "STS is switched off for this region in the account".to_owned(),
            "activate it: IAM console, Account settings, Security Token Service".to_owned(),
        ),
        "" => (
            "what answers there is not AWS, or it cannot be reached".to_owned(),
            "check aws.endpoints, and any proxy before them".to_owned(),
        ),
        code => (
            format!("STS refuses with {code}"),
            "look up the code in the documentation of AssumeRoleWithWebIdentity".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::http::Answer;

    #[test]
    fn refusals_of_sts_are_told_apart() {
        for (status, code, message, cause) in [
            (400, "InvalidIdentityToken", "Incorrect token audience", "client ID"),
            (
                400,
                "InvalidIdentityToken",
                "No OpenIDConnect provider found in your account for https://i",
                "no OIDC provider",
            ),
            (
                400,
                "InvalidIdentityToken",
                "Couldn't retrieve verification key from your identity provider",
                "cannot get the key that",
            ),
            (400, "InvalidIdentityToken", "Missing a required claim: sub", "does not take the token"),
            (400, "ExpiredTokenException", "expired", "expired"),
            (
                403,
                "AccessDenied",
                "Not authorized to perform sts:AssumeRoleWithWebIdentity",
                "AWS does not tell which",
            ),
            (400, "IDPCommunicationError", "", "5 s"),
            (403, "RegionDisabledException", "", "switched off"),
            (418, "Teapot", "", "Teapot"),
        ] {
            let body = format!(
                "<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
            );
            let refusal = Refusal::of(&Answer { status, headers: HeaderMap::new(), body: body.into_bytes() });
            let (found, remedy) =
                exchange(&refusal, "https://i", "arn:aws:iam::1:role/r", "system:serviceaccount:a:b");
            assert!(found.contains(cause), "{code} {message}: {found}");
            assert!(!remedy.is_empty());
            // The words of AWS add to the cause, and change nothing else.
            let mut silent = refusal.clone();
            silent.message.clear();
            let (plain, same) =
                exchange(&silent, "https://i", "arn:aws:iam::1:role/r", "system:serviceaccount:a:b");
            assert!(found.starts_with(&plain) && remedy == same, "{found}");
            assert_eq!(may_be_unknown_yet(&refusal), may_be_unknown_yet(&silent));
        }
    }
}
