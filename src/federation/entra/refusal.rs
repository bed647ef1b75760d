//! PURE. What a refusal of Azure Resource Manager, Microsoft Graph or Key Vault means, and what to do about it.

use std::time::Duration;

use serde_json::Value;

use super::place::Api;
use crate::{
    error::{Code, Error},
    http::Answer,
    redact,
    retry::{Repeat, may_pass, retry_after},
};

pub(super) type Outcome<T> = Result<T, Refusal>;

/// An answer that is not the one asked for, or none at all.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    /// `None`: there was no answer.
    pub(super) status: Option<u16>,
    /// E.g. `AuthorizationFailed`; empty if the answer is none of Azure.
    pub(super) code: String,
    /// Key Vault says more there: `ForbiddenByRbac`.
    inner: String,
    message: String,
    retry_after: Option<Duration>,
    /// Why there was no answer, or nothing was sent.
    instead: Option<Box<Error>>,
}

/// The request was not carried out, and may be later.
const LATER: [&str; 5] = [
    "AnotherOperationInProgress",
    "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity",
    "RetryableError",
    "ServerTimeout",
    "TooManyRequests",
];
const ABSENT: [&str; 7] = [
    "NotFound",
    "ParentResourceNotFound",
    "Request_ResourceNotFound",
    "ResourceGroupNotFound",
    "ResourceNotFound",
    "RoleAssignmentNotFound",
    "SecretNotFound",
];
const FORBIDDEN: [&str; 4] =
    ["AuthorizationFailed", "Authorization_RequestDenied", "Forbidden", "LinkedAuthorizationFailed"];

impl Refusal {
    pub(super) fn of(answer: &Answer) -> Self {
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let error = &json["error"];
        let text = |value: &Value| redact::message(value.as_str().unwrap_or_default());
        Self {
            status: Some(answer.status),
            code: text(&error["code"]),
            inner: text(&error["innererror"]["code"]),
            message: redact::message(
                error["message"].as_str().unwrap_or_default().lines().next().unwrap_or_default(),
            ),
            retry_after: retry_after(&answer.headers),
            instead: None,
        }
    }

    /// There was no answer, or nothing was sent.
    pub(super) fn unanswered(error: Error) -> Self {
        Self {
            status: None,
            code: String::new(),
            inner: String::new(),
            message: error.message.clone(),
            retry_after: None,
            instead: Some(Box::new(error)),
        }
    }

    /// An answer without what was asked for.
    pub(super) fn without(api: Api, what: &str) -> Self {
        Self::unanswered(
            Error::failed(Code::EntraAnswer, format!("the answer of {} holds {what}", api.title()))
                .hint("check entra.endpoints, and any proxy before them"),
        )
    }

    /// An answer about something else than was asked for; `seen`: what it is about, if it says that.
    pub(super) fn about_another(api: Api, asked: &str, seen: Option<&str>) -> Self {
        let seen = seen.filter(|seen| !seen.is_empty()).map_or_else(
            || "does not say what it is about".to_owned(),
            |seen| format!("is about {}", redact::message(seen)),
        );
        Self::unanswered(
            Error::failed(
                Code::EntraOtherAnswer,
                format!("the answer of {} {seen}, and {} was asked for", api.title(), asked.escape_debug()),
            )
            .hint(
                "nothing is done by such an answer: check the name, entra.endpoints, and any proxy before them",
            ),
        )
    }

    pub(super) fn is(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code.as_str())
    }

    pub(super) fn is_absent(&self) -> bool {
        self.status == Some(404) && self.is(&ABSENT)
    }

    pub(super) fn is_forbidden(&self) -> bool {
        self.status == Some(403) && self.is(&FORBIDDEN) && self.inner != "SecretDisabled"
    }

    /// The secret is there, and switched off.
    pub(super) fn is_disabled(&self) -> bool {
        self.inner == "SecretDisabled"
    }

    /// Azure does not know everywhere yet what was written.
    pub(super) fn is_too_early(&self) -> bool {
        self.is(&["PrincipalNotFound"])
    }

    pub(super) fn may_pass(&self, repeat: Repeat) -> bool {
        may_pass(repeat, self.status, self.is(&LATER), self.instead.as_deref())
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// In one line: `403 AuthorizationFailed: The client …`.
    pub(super) fn summary(&self) -> String {
        let status = self.status.map(|status| format!("{status} ")).unwrap_or_default();
        let code = match self.inner.as_str() {
            "" => self.code.clone(),
            inner => format!("{}/{inner}", self.code),
        };
        match (code.as_str(), self.message.as_str()) {
            ("", "") => format!("{status}without a reason"),
            ("", message) => format!("{status}{message}"),
            (code, "") => format!("{status}{code}"),
            (code, message) => format!("{status}{code}: {message}"),
        }
    }

    /// `doing`: e.g. `creating the identity x`; `needs`: what it takes.
    pub(super) fn error(self, doing: &str, needs: &str) -> Error {
        if let Some(error) = self.instead {
            return *error;
        }
        let failed = |code, message: String| Error::failed(code, message).caused_by(self.summary());
        if self.is_forbidden() {
            return failed(Code::EntraForbidden, format!("Azure does not allow it, {doing}"))
                .hint(format!("it takes {needs}: give it to the identity that `az account show` names"));
        }
        if self.status == Some(401) {
            return crate::azure::log_in(failed(
                Code::EntraForbidden,
                format!("Azure does not accept the credentials, {doing}"),
            ));
        }
        if self.is(&LATER) || self.status.is_some_and(|status| status == 429 || status >= 500) {
            return failed(Code::EntraBusy, format!("Azure is busy, {doing}"))
                .hint("run it again in a few minutes");
        }
        if self.is_absent() || self.is(&["SubscriptionNotFound"]) {
            return failed(Code::EntraAbsent, format!("Azure does not have it, {doing}")).hint(
                "check entra.subscription, entra.resourceGroup, entra.vault and entra.vaultResourceGroup",
            );
        }
        match self.code.as_str() {
            "" => failed(Code::EntraAnswer, format!("what answers is not Azure, {doing}"))
                .hint("check entra.endpoints, and any proxy before them"),
            "RoleAssignmentLimitExceeded" => {
                failed(Code::EntraLimit, format!("a limit of the subscription is reached, {doing}"))
                    .hint("a subscription has at most 4000 role assignments: `az role assignment list --all` lists them")
            }
            "FederatedIdentityCredentialLimitExceeded" => {
                failed(Code::EntraLimit, format!("a limit of the identity is reached, {doing}"))
                    .hint("an identity has at most 20 federated credentials: choose another entra.identity")
            }
            _ => failed(Code::EntraRefused, format!("Azure refuses it, {doing}"))
                .hint("look up the code in the documentation of the service"),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn refusal(status: u16, body: &str) -> Refusal {
        Refusal::of(&Answer { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() })
    }

    fn arm(status: u16, code: &str) -> Refusal {
        refusal(status, &format!(r#"{{"error":{{"code":"{code}","message":"why"}}}}"#))
    }

    #[test]
    fn refusals_have_code_and_remedy() {
        for (status, name, code) in [
            (403, "AuthorizationFailed", Code::EntraForbidden),
            (403, "Authorization_RequestDenied", Code::EntraForbidden),
            (401, "InvalidAuthenticationToken", Code::EntraForbidden),
            (404, "ResourceGroupNotFound", Code::EntraAbsent),
            (404, "SubscriptionNotFound", Code::EntraAbsent),
            (429, "TooManyRequests", Code::EntraBusy),
            (409, "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity", Code::EntraBusy),
            (503, "ServiceUnavailable", Code::EntraBusy),
            (400, "RoleAssignmentLimitExceeded", Code::EntraLimit),
            (409, "Conflict", Code::EntraRefused),
        ] {
            let error = arm(status, name).error("doing it", "x/read");
            assert_eq!(error.code, code, "{name}");
            assert!(!error.hints.is_empty() && error.causes.join(" ").contains(name), "{error}");
        }
        for body in ["<html>login</html>", "", "{}", r#"{"error":"x"}"#] {
            let error = refusal(404, body).error("asking", "x/read");
            assert_eq!(error.code, Code::EntraAnswer, "{body}");
        }
    }

    #[test]
    fn status_alone_proves_no_absence() {
        assert!(arm(404, "ResourceNotFound").is_absent());
        assert!(!arm(404, "").is_absent() && !refusal(404, "").is_absent());
        assert!(!arm(404, "SubscriptionNotFound").is_absent() && !arm(403, "ResourceNotFound").is_absent());
        let disabled = refusal(
            403,
            r#"{"error":{"code":"Forbidden","message":"m","innererror":{"code":"SecretDisabled"}}}"#,
        );
        assert!(disabled.is_disabled() && !disabled.is_forbidden());
    }

    #[test]
    fn only_what_may_pass_is_repeated() {
        for (refused, safe, unsafe_) in [
            (arm(409, "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity"), true, true),
            (arm(429, "x"), true, true),
            (arm(503, "x"), true, false),
            (arm(403, "AuthorizationFailed"), false, false),
            (arm(409, "Conflict"), false, false),
        ] {
            let may = (refused.may_pass(Repeat::Safe), refused.may_pass(Repeat::Unsafe));
            assert_eq!(may, (safe, unsafe_), "{refused:?}");
        }
    }
}
