//! PURE. What a refusal of Azure Resource Manager, Microsoft Graph or Key Vault means, and what to do about it.

use serde_json::Value;

use super::{
    super::refusal::{self, Codes},
    place::Api,
};
use crate::{
    error::{Code, Error},
    http::Answer,
    retry::retry_after,
};

pub(super) type Refusal = refusal::Refusal<Azure>;
pub(super) type Outcome<T> = Result<T, Refusal>;

/// What Azure calls things.
#[derive(Clone, Copy, Debug)]
pub(super) struct Azure;

impl Codes for Azure {
    type Api = Api;
    const ANSWER: Code = Code::EntraAnswer;
    const OTHER_ANSWER: Code = Code::EntraOtherAnswer;
    const ENDPOINTS: &'static str = "entra.endpoints";
    const LATER: &'static [&'static str] = &[
        "AnotherOperationInProgress",
        "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity",
        "RetryableError",
        "ServerTimeout",
        "TooManyRequests",
    ];

    fn title(api: Api) -> &'static str {
        api.title()
    }
}

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
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (code, inner, message) =
            (text(&error["code"]), text(&error["innererror"]["code"]), text(&error["message"]));
        let message = message.lines().next().unwrap_or_default();
        Self::answered(answer.status, (&code, &inner), message, retry_after(&answer.headers))
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
        if self.is_later() || self.status.is_some_and(|status| status == 429 || status >= 500) {
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
    use crate::retry::Repeat;

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
