//! PURE. What Google's refusals of a token, and of what is done with it, mean, and what to do about each.

use crate::google::Refusal;

/// A refusal of the token service: its code, a part of its text, cause and remedy. `{…}` are filled in.
struct ErrorPattern {
    word: &'static str,
    text: &'static str,
    cause: &'static str,
    remedy: &'static str,
}

const fn known(
    word: &'static str,
    text: &'static str,
    cause: &'static str,
    remedy: &'static str,
) -> ErrorPattern {
    ErrorPattern { word, text, cause, remedy }
}

/// The first that fits is used, so the narrower ones stand first.
const EXCHANGE: [ErrorPattern; 14] = [
    known(
        "invalid_grant",
        "audience in id token",
        "the token is for another audience than the provider's",
        "the store's serviceAccountRef.audiences must be {audience}, and the provider's allowed audiences empty: run `keyless setup`",
    ),
    known(
        "invalid_grant",
        "claim in oidc discovery document does not match",
        "the published discovery document names another issuer than the provider",
        "run `keyless publish`; issuer of the document, of the provider and of the token must be equal byte for byte",
    ),
    known(
        "invalid_grant",
        "issuer in id token",
        "the cluster signs with another issuer than the provider believes",
        "let the API servers sign with the provider's issuer (first --service-account-issuer), or run `keyless setup` with the right one",
    ),
    known(
        "invalid_grant",
        "error connecting to the given credential's issuer",
        "Google cannot read the issuer's documents, or the token's key is not among the keys that it knows (also with uploaded keys, \
         where nothing is connected to)",
        "documents: `keyless verify --public-only`, then `keyless publish`; uploaded keys: run `keyless setup`, which uploads the \
         present ones",
    ),
    known(
        "invalid_grant",
        "unable to verify the id token signature",
        "another key is published or uploaded under the kid that the token names",
        "publish or upload the cluster's present keys: `keyless publish`, or `keyless setup` for uploaded ones",
    ),
    known(
        "invalid_grant",
        "stale to sign-in",
        "the token has expired, or the cluster's clock is more than a minute away from Google's",
        "set the clock of the control plane by NTP, and try again",
    ),
    known(
        "invalid_target",
        "",
        "the pool or the provider is not there, disabled, or deleted",
        "run `keyless setup`, which makes, enables or undeletes it; audience {audience}",
    ),
    known(
        "invalid_request",
        "invalid value for \"audience\"",
        "what the token service is asked for is not the full name of a provider",
        "it must be the https-less form of {audience}, with the number of the project",
    ),
    known(
        "invalid_request",
        "127 bytes",
        "namespace and name of the ServiceAccount are too long together",
        "choose a ServiceAccount of at most 104 bytes of namespace and name for the store",
    ),
    known(
        "unauthorized_client",
        "attribute condition",
        "the provider's condition does not name this ServiceAccount",
        "run `keyless setup`, which adds the subject to the condition",
    ),
    known(
        "unauthorized_client",
        "could not obtain a value",
        "the provider maps a claim that the token does not carry",
        "run `keyless setup`, which writes the mapping again",
    ),
    known(
        "invalid_scope",
        "",
        "Google does not give the scope that was asked for",
        "ask again; if it stays so, report it: the scope is always cloud-platform",
    ),
    known(
        "invalid_grant",
        "",
        "Google does not accept the token",
        "`keyless verify --public-only` looks at issuer and keys as a relying party does",
    ),
    known(
        "unauthorized_client",
        "",
        "Google does not admit this workload",
        "run `keyless setup`, which writes condition and mapping again",
    ),
];

/// Whether a pool or provider that was written just before can be the reason: everything but what the token
/// itself is refused for.
pub(super) fn may_be_unknown_yet(refusal: &Refusal) -> bool {
    matches!(&*refusal.word, "invalid_target" | "invalid_grant" | "unauthorized_client")
        && !refusal.message.to_lowercase().contains("stale to sign-in")
}

/// Cause and remedy of a refused exchange.
pub(super) fn exchange(refusal: &Refusal, audience: &str) -> (String, String) {
    let message = refusal.message.to_lowercase();
    let fits = |known: &&ErrorPattern| known.word == refusal.word && message.contains(known.text);
    match EXCHANGE.iter().find(fits) {
        Some(known) => (known.cause.to_owned(), known.remedy.replace("{audience}", audience)),
        None => general(refusal),
    }
}

/// Cause and remedy of a refused impersonation.
pub(super) fn impersonation(refusal: &Refusal, email: &str) -> (String, String) {
    match refusal.status {
        Some(403) if refusal.is_forbidden() => (
            "the workload may not become this service account, or the grant has not spread yet (2 minutes, sometimes 7 or more)"
                .to_owned(),
            format!("run `keyless setup`: it takes roles/iam.workloadIdentityUser on {email} (iam.serviceAccounts.getAccessToken)"),
        ),
        Some(404) => (format!("there is no service account {email}"), "correct google.impersonate".to_owned()),
        Some(400) => (
            format!("the service account {email} is disabled, or gives no tokens of this kind"),
            format!("`gcloud iam service-accounts enable {email}`; Google's message names the reason"),
        ),
        _ => general(refusal),
    }
}

/// Cause and remedy of a refused read.
pub(super) fn read(refusal: &Refusal, secret: &str, reader: &str) -> (String, String) {
    let message = refusal.message.to_lowercase();
    match refusal.status {
        Some(403) if message.contains("vpcservicecontrols") || message.contains("prohibited by organization") => (
            "a VPC Service Controls perimeter protects Secret Manager, and admits federated workloads through a service account only"
                .to_owned(),
            "set google.impersonate, and have the perimeter admit that account".to_owned(),
        ),
        Some(403) if refusal.is_forbidden() => (
            format!("{reader} may not read it, or the grant has not spread yet (2 minutes, sometimes 7 or more), or there is no such secret"),
            format!(
                "run `keyless setup`: it takes roles/secretmanager.secretAccessor on the secret {secret} (secretmanager.versions.access)"
            ),
        ),
        Some(404) => (
            format!("there is no secret {secret}, or it has no version"),
            format!("`gcloud secrets versions add {secret} --data-file=FILE`, or correct the name and google.project"),
        ),
        Some(400) if message.contains("disabled") || message.contains("destroyed") => (
            "its latest version is disabled or destroyed, and `latest` means the one made last".to_owned(),
            format!("`gcloud secrets versions enable VERSION --secret={secret}`, or add a version"),
        ),
        _ => general(refusal),
    }
}

/// Cause and remedy of a refused look: at metadata, at versions, at the list of secrets, at rights.
pub(super) fn looked(refusal: &Refusal, on: &str, reader: &str) -> (String, String) {
    match refusal.status {
        Some(403) if refusal.is_forbidden() => {
            let permission = refusal.permission().unwrap_or("this");
            (
                format!(
                    "{reader} does not have the right ({permission}), or the grant has not spread yet (2 minutes, sometimes 7 or more), or there is no {on}"
                ),
                "run `keyless setup`, which shows what it takes and grants it".to_owned(),
            )
        }
        Some(404) => {
            (format!("there is no {on}"), "correct the name, google.project or google.location".to_owned())
        }
        _ => general(refusal),
    }
}

/// Whether the secret itself is the reason: it is not there, or its version cannot be used.
pub(super) fn is_of_the_secret(refusal: &Refusal) -> bool {
    refusal.status == Some(404) || is_not_enabled(refusal)
}

/// Whether the version that was asked for is there, and disabled or destroyed.
pub(super) fn is_not_enabled(refusal: &Refusal) -> bool {
    refusal.status == Some(400) && refusal.word == "FAILED_PRECONDITION"
}

fn general(refusal: &Refusal) -> (String, String) {
    if let Some(service) = refusal.disabled_service() {
        return (
            format!("the service {service} is not enabled in the project"),
            format!("run `keyless setup`, or `gcloud services enable {service}`"),
        );
    }
    let (cause, remedy) = match refusal.status {
        None => ("no answer came", "check the way to Google: name, firewall, HTTPS_PROXY"),
        Some(_) if refusal.is_throttled() => ("Google is overloaded, or throttles", "try again in a minute"),
        Some(401) => (
            "the token that was exchanged is not accepted",
            "try again; a token lives as long as the cluster's, at most an hour",
        ),
        Some(500..) => ("Google has failed", "try again later"),
        Some(_) => ("Google refuses", "Google's message names the reason"),
    };
    (cause.to_owned(), remedy.to_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use serde_json::{Value, json};

    use super::*;
    use crate::http::Answer;

    fn refusal(status: u16, body: &Value) -> Refusal {
        let answer = Answer { status, headers: HeaderMap::new(), body: body.to_string().into_bytes() };
        Refusal::of(&answer, &HeaderMap::new())
    }

    /// As Google words them.
    #[test]
    fn what_the_token_service_says() {
        for (word, text, cause) in [
            (
                "invalid_grant",
                "The audience in ID Token [x] does not match the expected audience.",
                "another audience",
            ),
            (
                "invalid_grant",
                "The issuer in ID Token https://a does not match the expected one: https://b.",
                "signs with another",
            ),
            (
                "invalid_grant",
                "`issuer` claim in OIDC discovery document does not match the expected one",
                "published discovery",
            ),
            (
                "invalid_grant",
                "Error connecting to the given credential's issuer.",
                "cannot read the issuer's",
            ),
            ("invalid_grant", "Unable to verify the ID Token signature.", "another key"),
            ("invalid_grant", "ID Token issued at 1 is stale to sign-in.", "clock"),
            ("invalid_grant", "something new", "does not accept"),
            (
                "invalid_target",
                "The target service indicated by the \"audience\" parameters is invalid.",
                "disabled, or deleted",
            ),
            (
                "invalid_request",
                "Invalid value for \"audience\". This value should be the full resource name",
                "full name",
            ),
            (
                "invalid_request",
                "The size of mapped attribute google.subject exceeds the 127 bytes limit.",
                "too long",
            ),
            (
                "unauthorized_client",
                "The given credential is rejected by the attribute condition.",
                "condition",
            ),
            (
                "unauthorized_client",
                "Could not obtain a value for google.subject from the given credential.",
                "does not carry",
            ),
            ("invalid_scope", "Some requested scopes were invalid", "scope"),
            ("server_error", "?", "Google refuses"),
        ] {
            let refusal = refusal(400, &json!({"error": word, "error_description": text}));
            assert!(!refusal.may_pass(crate::retry::Repeat::Safe), "400 is final");
            let (found, remedy) = exchange(&refusal, "https://iam.googleapis.com/x");
            assert!(found.contains(cause), "{text}: {found}");
            assert!(!remedy.is_empty() && !remedy.contains("{audience}"), "{remedy}");
        }
    }

    #[test]
    fn what_secret_manager_and_iam_say() {
        let error = |status: u16, word: &str, message: &str| {
            refusal(status, &json!({"error": {"code": status, "status": word, "message": message}}))
        };
        let denied = error(
            403,
            "PERMISSION_DENIED",
            "Permission 'secretmanager.versions.access' denied for resource 'x' (or it may not exist).",
        );
        assert!(read(&denied, "db", "the workload").1.contains("secretmanager.versions.access"));
        let perimeter = error(
            403,
            "PERMISSION_DENIED",
            "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: abc",
        );
        assert!(read(&perimeter, "db", "the workload").1.contains("google.impersonate"));
        let empty = error(404, "NOT_FOUND", "Secret [projects/1/secrets/db] not found or has no versions.");
        assert!(read(&empty, "db", "the workload").0.contains("no version"));
        let disabled = error(
            400,
            "FAILED_PRECONDITION",
            "Secret Version [projects/1/secrets/db/versions/1] is in DISABLED state.",
        );
        assert!(read(&disabled, "db", "the workload").1.contains("versions enable"));
        let getting = error(
            403,
            "PERMISSION_DENIED",
            "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
        );
        assert!(impersonation(&getting, "a@b").1.contains("roles/iam.workloadIdentityUser on a@b"));
        assert!(impersonation(&error(404, "NOT_FOUND", "x"), "a@b").0.contains("no service account"));
        assert!(impersonation(&error(401, "UNAUTHENTICATED", "x"), "a@b").0.contains("not accepted"));
    }
}
