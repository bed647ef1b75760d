//! What Google answered when it did not do what it was asked, and what that means to a person (AIP-193).

use http::{HeaderMap, header::AUTHORIZATION};
use serde_json::Value;

use super::{
    rights::needs,
    tokens::{QUOTA_PROJECT, log_in},
};
use crate::{
    error::{Code, Error},
    http::Answer,
    redact,
};

/// An answer that is not the one asked for, or none at all.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// `None`: there was no answer.
    pub(crate) status: Option<u16>,
    /// The canonical code, e.g. `PERMISSION_DENIED`.
    pub(crate) word: String,
    pub(crate) message: String,
    details: Box<Details>,
    /// Why there was no answer.
    unanswered: Option<Box<Error>>,
    sent: bool,
}

/// What is looked at seldom: a refusal is handed up through many calls, and is kept small.
#[derive(Clone, Debug, Default)]
struct Details {
    /// `ErrorInfo.reason`, e.g. `SERVICE_DISABLED`.
    reason: String,
    /// The permission that Google says is missing.
    permission: Option<String>,
    /// The service that `SERVICE_DISABLED` is about.
    service: Option<String>,
    /// The project that `SERVICE_DISABLED` is about, as `projects/NUMBER`: the one that the request counts for.
    consumer: Option<String>,
    /// The constraint of an organisation policy that forbids it.
    constraint: Option<String>,
}

/// The projects of gcloud's own clients: a user's login counts for them where it names none (cloud.google.com/docs/quotas).
const CLIENT_PROJECTS: [&str; 2] = ["projects/764086051850", "projects/32555940559"];

pub(crate) type Outcome<T> = Result<T, Refusal>;

/// Canonical codes by their number (google/rpc/code.proto), as operations carry them.
const WORDS: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

impl Refusal {
    /// From an answer. The token is taken out of the text, should the server send it back.
    pub(crate) fn of(answer: &Answer, sent: &HeaderMap) -> Self {
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let mut refusal = Self::read(&json["error"]);
        refusal.status = Some(answer.status);
        if let Some(word) = json["error"].as_str() {
            // RFC 6749 §5.2, as the token service answers.
            refusal.word = redact::message(word);
            refusal.message = json["error_description"].as_str().unwrap_or_default().to_owned();
        } else if json["error"]["message"].as_str().is_none() {
            refusal.message = String::from_utf8_lossy(&answer.body).trim().to_owned();
        }
        let token = sent.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let token = token.trim_start_matches("Bearer ");
        if !token.is_empty() {
            refusal.message = refusal.message.replace(token, "…");
        }
        refusal.message = redact::message(&refusal.message);
        refusal
    }

    /// From the `error` of an operation: a code of gRPC stands where the status would.
    pub(super) fn of_operation(error: &Value) -> Self {
        let mut refusal = Self::read(error);
        let number = error["code"].as_u64().and_then(|code| usize::try_from(code).ok());
        refusal.word = number.and_then(|code| WORDS.get(code)).copied().unwrap_or("UNKNOWN").to_owned();
        refusal.status = Some(match &*refusal.word {
            "PERMISSION_DENIED" => 403,
            "UNAUTHENTICATED" => 401,
            "NOT_FOUND" => 404,
            _ => 400,
        });
        refusal.message = redact::message(&refusal.message);
        refusal
    }

    fn read(error: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let message = text(&error["message"]);
        let details = || error["details"].as_array().into_iter().flatten();
        let info = details().find(|detail| detail["reason"].is_string()).cloned().unwrap_or_default();
        let metadata = |key: &str| info["metadata"][key].as_str().map(str::to_owned);
        let violation = details().flat_map(|detail| detail["violations"].as_array().into_iter().flatten());
        let violated: Vec<_> = violation
            .flat_map(|violation| [&violation["type"], &violation["subject"]])
            .filter_map(Value::as_str)
            .collect();
        let details = Details {
            reason: text(&info["reason"]),
            permission: metadata("permission").or_else(|| permission_in(&message)),
            service: metadata("service"),
            consumer: metadata("consumer"),
            constraint: constraint_in(&message, &violated),
        };
        Self {
            status: None,
            word: text(&error["status"]),
            message,
            details: Box::new(details),
            unanswered: None,
            sent: true,
        }
    }

    pub(crate) fn unanswered(error: Error) -> Self {
        let mut refusal = Self::read(&Value::Null);
        refusal.unanswered = Some(Box::new(error));
        refusal
    }

    pub(crate) fn unsent(error: Error) -> Self {
        Self { sent: false, ..Self::unanswered(error) }
    }

    /// Whether asking again can help. A time limit that was waited for is not waited for again.
    pub(crate) fn may_pass(&self) -> bool {
        match (self.status, &self.unanswered) {
            (Some(status), _) => self.is_throttled() || matches!(status, 408 | 500 | 502 | 504),
            (None, Some(error)) => {
                self.sent && matches!(error.code, Code::Connect | Code::BodyCut | Code::Http)
            }
            (None, None) => false,
        }
    }

    pub(crate) fn is_throttled(&self) -> bool {
        matches!(self.status, Some(429 | 503)) || self.word == "RESOURCE_EXHAUSTED"
    }

    pub(crate) fn is_absent(&self) -> bool {
        self.status == Some(404)
    }

    /// Not for want of a service or of a fitting token.
    pub(crate) fn is_forbidden(&self) -> bool {
        self.status == Some(403) && self.details.reason != "SERVICE_DISABLED" && !self.is_throttled()
    }

    /// Something of this name is there already.
    pub(crate) fn is_taken(&self) -> bool {
        self.status == Some(409) && self.word != "ABORTED"
    }

    /// Somebody else wrote in between: read again, change again.
    pub(crate) fn is_conflict(&self) -> bool {
        self.status == Some(412) || (self.status == Some(409) && self.word != "ALREADY_EXISTS")
    }

    /// The service that would have to be enabled first.
    pub(crate) fn disabled_service(&self) -> Option<&str> {
        (self.details.reason == "SERVICE_DISABLED" && !self.counts_for_client())
            .then(|| self.details.service.as_deref().unwrap_or("the service"))
    }

    /// Whether the request counts for the project of the program that logged in, as the login names none.
    fn counts_for_client(&self) -> bool {
        let consumer = self.details.consumer.as_deref();
        consumer.is_some_and(|consumer| CLIENT_PROJECTS.contains(&consumer))
    }

    /// The permission that Google says is missing.
    pub(crate) fn permission(&self) -> Option<&str> {
        self.details.permission.as_deref()
    }

    /// What Google said, in one line.
    pub(crate) fn said(&self) -> String {
        let Some(status) = self.status else {
            return self.unanswered.as_ref().map(|error| error.message.clone()).unwrap_or_default();
        };
        let word = if self.word.is_empty() { String::new() } else { format!(" {}", self.word) };
        let message = if self.message.is_empty() { String::new() } else { format!(": {}", self.message) };
        format!("HTTP {status}{word}{message}")
    }

    /// The error for a person: `what` was being done, with which `permission`, `on` what.
    pub(crate) fn error(self, what: &str, permission: &str, on: &str) -> Error {
        let said = self.said();
        let failed = |code, message: String| Error::failed(code, message).caused_by(&said);
        if self.counts_for_client() {
            return failed(Code::GoogleQuotaProject, format!("{what}: the Google login names no project that its requests count for"))
                .hint(format!("name one that has the service enabled: {QUOTA_PROJECT}=PROJECT, or `gcloud auth application-default set-quota-project PROJECT`"))
                .hint(format!("it takes {}", needs("serviceusage.services.use", "that project")));
        }
        if let Some(service) = self.disabled_service() {
            let service = service.to_owned();
            let project = self.details.consumer.as_deref().and_then(|it| it.strip_prefix("projects/"));
            let project =
                project.filter(|it| it.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
            let (place, project) = match project {
                Some(project) => (format!(" in the project {project}"), project),
                None => (String::new(), "PROJECT"),
            };
            return failed(Code::GoogleServiceDisabled, format!("{what}: {service} is not enabled{place}"))
                .hint(format!("gcloud services enable {service} --project={project}; it takes some minutes to be seen everywhere"))
                .hint(format!("it takes {}", needs("serviceusage.services.enable", "the project")));
        }
        if let Some(constraint) = self.details.constraint {
            return failed(Code::GoogleOrgPolicy, format!("{what}: an organisation policy forbids it"))
                .hint(format!("{constraint}: {}", remedy(&constraint)));
        }
        let throttled = self.is_throttled();
        if let Some(mut error) = self.unanswered {
            error.code = match error.code {
                Code::Timeout => Code::GoogleTimeout,
                code @ (Code::BodyTooLarge
                | Code::GoogleAnswer
                | Code::GoogleCredentials
                | Code::GoogleEndpoint
                | Code::GoogleProject) => code,
                _ => Code::GoogleUnreachable,
            };
            return error.at(what);
        }
        let permission = self.details.permission.as_deref().unwrap_or(permission);
        match self.status.unwrap_or_default() {
            _ if throttled => {
                failed(Code::GoogleThrottled, format!("{what}: Google is overloaded, or throttles")).hint(
                    "it was asked several times; ask again in a minute (60 writes a minute and project)",
                )
            }
            401 => log_in(
                failed(Code::GoogleCredentials, format!("{what}: Google does not accept the token"))
                    .hint("an access token lives for an hour: get a fresh one"),
            ),
            403 if self.message.contains("insufficient authentication scopes") => {
                log_in(failed(Code::GoogleCredentials, format!("{what}: the token was not made for this")))
            }
            403 => failed(Code::GoogleForbidden, format!("{what}: not allowed, or not there"))
                .hint(format!("the credentials need {}", needs(permission, on)))
                .hint("as somebody else: GOOGLE_OAUTH_ACCESS_TOKEN=$(gcloud auth print-access-token)"),
            404 => failed(Code::GoogleMissing, format!("{what}: there is no such thing"))
                .hint(format!("check the names: {on}")),
            409 | 412 => failed(Code::GoogleConflict, format!("{what}: it has changed in the meantime"))
                .hint("start again: what is there will be looked at anew"),
            500.. => failed(Code::GoogleServer, format!("{what}: Google has failed")).hint("ask again later"),
            _ => failed(Code::GoogleRefused, format!("{what}: Google refuses")).hint(format!(
                "what Google said names the reason; the right to do it is {}",
                needs(permission, on)
            )),
        }
    }
}

/// `Permission 'a.b.c' denied`: the words are Google's, the quotes differ by service.
fn permission_in(message: &str) -> Option<String> {
    let mut words = message.split_whitespace().skip_while(|word| !word.ends_with("ermission"));
    let word = words.nth(1)?.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let parts: Vec<_> = word.split('.').collect();
    let plain = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric());
    (parts.len() >= 3 && parts.iter().all(plain)).then(|| word.to_owned())
}

/// The constraint behind a refusal: named in a violation or in the message, or known by its words.
fn constraint_in(message: &str, violated: &[&str]) -> Option<String> {
    let named = |text: &str| {
        let at = text.find("constraints/")?;
        let rest = &text[at..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "./_-".contains(c)));
        Some(rest[..end.unwrap_or(rest.len())].trim_end_matches('.').to_owned())
    };
    if let Some(found) = violated.iter().copied().chain([message]).find_map(named) {
        return Some(found);
    }
    let about = |words: &str| message.to_lowercase().contains(words);
    if about("permitted customer") {
        return Some("constraints/iam.allowedPolicyMemberDomains".to_owned());
    }
    let organisation = about("org policy") || about("organization policy");
    let pool = |text: &&str| text.starts_with("orgpolicy:") && text.contains("workloadIdentityPools");
    if violated.iter().any(pool) || (organisation && about("workloadidentitypool")) {
        return Some("constraints/iam.workloadIdentityPoolProviders".to_owned());
    }
    (organisation || violated.iter().any(|text| text.starts_with("orgpolicy:")))
        .then(|| "an organisation policy".to_owned())
}

fn remedy(constraint: &str) -> &'static str {
    match constraint {
        "constraints/iam.workloadIdentityPoolProviders" => {
            "have the issuer's URL added to its allowed values (roles/orgpolicy.policyAdmin has the right)"
        }
        "constraints/iam.allowedPolicyMemberDomains" => {
            "have the pool's principals allowed as members, or the project exempted (roles/orgpolicy.policyAdmin has the right)"
        }
        "constraints/iam.disableServiceAccountKeyCreation" => {
            "that policy is what this program works towards"
        }
        _ => "talk to whoever administers the organisation (roles/orgpolicy.policyAdmin has the right)",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(status: u16, error: &Value) -> Refusal {
        let body = json!({ "error": error }).to_string().into_bytes();
        Refusal::of(&Answer { status, headers: HeaderMap::new(), body }, &HeaderMap::new())
    }

    fn error(status: u16, error: &Value) -> Error {
        refusal(status, error).error("making the pool", "iam.workloadIdentityPools.create", "the project p")
    }

    #[test]
    fn refusals_name_the_missing_permission_and_its_role() {
        let named = json!({"status": "PERMISSION_DENIED", "message": "Permission 'iam.workloadIdentityPools.get' denied on resource '//iam.googleapis.com/x' (or it may not exist)."});
        let silent = json!({"status": "PERMISSION_DENIED", "message": "The caller does not have permission"});
        let info = json!({"status": "PERMISSION_DENIED", "message": "no", "details": [{"@type": "…", "reason": "IAM_PERMISSION_DENIED", "metadata": {"permission": "serviceusage.services.enable"}}]});
        for (body, expected) in [
            (named, "iam.workloadIdentityPools.get (roles/iam.workloadIdentityPoolViewer) on the project p"),
            (
                silent,
                "iam.workloadIdentityPools.create (roles/iam.workloadIdentityPoolAdmin) on the project p",
            ),
            (info, "serviceusage.services.enable (roles/serviceusage.serviceUsageAdmin) on the project p"),
        ] {
            let error = error(403, &body);
            assert_eq!(error.code, Code::GoogleForbidden);
            assert!(error.hints[0].contains(expected), "{error}");
            assert!(error.causes[0].starts_with("HTTP 403 PERMISSION_DENIED: "), "{error}");
        }
    }

    #[test]
    fn organisation_policies_are_named() {
        let issuer = json!({"status": "FAILED_PRECONDITION", "message": "Precondition check failed.", "details": [{"violations": [{"type": "orgpolicy:projects/1/locations/global/workloadIdentityPools/p", "subject": "x", "description": "not allowed"}]}]});
        let member = json!({"status": "FAILED_PRECONDITION", "message": "One or more users named in the policy do not belong to a permitted customer."});
        let typed = json!({"status": "FAILED_PRECONDITION", "message": "no.", "details": [{"violations": [{"type": "constraints/iam.workloadIdentityPoolProviders", "subject": "s"}]}]});
        let other = json!({"status": "FAILED_PRECONDITION", "message": "Operation denied by org policy on resource: constraints/gcp.restrictServiceUsage."});
        for (body, constraint) in [
            (issuer, "constraints/iam.workloadIdentityPoolProviders:"),
            (member, "constraints/iam.allowedPolicyMemberDomains:"),
            (typed, "constraints/iam.workloadIdentityPoolProviders:"),
            (other, "constraints/gcp.restrictServiceUsage:"),
        ] {
            let error = error(400, &body);
            assert_eq!(error.code, Code::GoogleOrgPolicy, "{error}");
            assert!(error.hints[0].starts_with(constraint), "{error}");
        }
        assert_eq!(error(400, &json!({"message": "Precondition check failed."})).code, Code::GoogleRefused);
    }

    #[test]
    fn kinds_of_refusals() {
        let disabled = json!({"status": "PERMISSION_DENIED", "message": "x", "details": [{"reason": "SERVICE_DISABLED", "metadata": {"service": "iam.googleapis.com"}}]});
        assert!(!refusal(403, &disabled).is_forbidden());
        assert_eq!(error(403, &disabled).code, Code::GoogleServiceDisabled);
        for (status, word, code) in [
            (401, "UNAUTHENTICATED", Code::GoogleCredentials),
            (404, "NOT_FOUND", Code::GoogleMissing),
            (409, "ABORTED", Code::GoogleConflict),
            (429, "RESOURCE_EXHAUSTED", Code::GoogleThrottled),
            (500, "INTERNAL", Code::GoogleServer),
            (400, "INVALID_ARGUMENT", Code::GoogleRefused),
        ] {
            assert_eq!(error(status, &json!({"status": word, "message": "m"})).code, code);
        }
        let scopes = json!({"status": "PERMISSION_DENIED", "message": "Request had insufficient authentication scopes."});
        assert_eq!(error(403, &scopes).code, Code::GoogleCredentials);
        let taken = refusal(409, &json!({"status": "ALREADY_EXISTS"}));
        assert!(taken.is_taken() && !taken.is_conflict());
        let conflict = refusal(409, &json!({"status": "ABORTED"}));
        assert!(conflict.is_conflict() && !conflict.is_taken());
    }

    #[test]
    fn a_page_instead_of_json_is_shown_without_the_token() {
        let mut sent = HeaderMap::new();
        sent.insert(AUTHORIZATION, "Bearer ya29.tok".parse().unwrap());
        let body = b"<html>who are you, ya29.tok?</html>".to_vec();
        let refusal = Refusal::of(&Answer { status: 403, headers: HeaderMap::new(), body }, &sent);
        assert_eq!(refusal.said(), "HTTP 403: <html>who are you, …?</html>");
    }
}
