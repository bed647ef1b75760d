//! What Google answered when it did not do what it was asked, and what that means to a person (AIP-193).

use std::time::Duration;

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
    retry::{Repeat, may_pass, retry_after},
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
    /// How long Google asks to wait.
    retry_after: Option<Duration>,
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
        refusal.details.retry_after = retry_after(&answer.headers);
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

    /// From the `error` of an operation: a code of gRPC is where the status would be.
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
            retry_after: None,
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

    /// Whether asking again can help.
    pub(crate) fn may_pass(&self, repeat: Repeat) -> bool {
        let unanswered = self.unanswered.as_deref().filter(|_| self.sent);
        // After 503 it is not known whether it was carried out.
        let is_throttled = self.is_throttled() && (repeat == Repeat::Safe || self.status != Some(503));
        may_pass(repeat, self.status, is_throttled, unanswered)
    }

    /// How long Google asks to wait before the next attempt.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.details.retry_after
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

    /// For want of a permission, as far as Google says: not by a policy, a perimeter, or the project that it counts for.
    pub(crate) fn lacks_permission(&self) -> bool {
        self.is_forbidden()
            && matches!(&*self.details.reason, "" | "IAM_PERMISSION_DENIED")
            && self.details.constraint.is_none()
    }

    /// Something of this name is there already.
    pub(crate) fn is_taken(&self) -> bool {
        self.status == Some(409) && self.word != "ABORTED"
    }

    /// Another client wrote in between: read again, change again.
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

    /// Google's message, in one line.
    pub(crate) fn summary(&self) -> String {
        let Some(status) = self.status else {
            return self.unanswered.as_ref().map(|error| error.message.clone()).unwrap_or_default();
        };
        let word = if self.word.is_empty() { String::new() } else { format!(" {}", self.word) };
        let message = if self.message.is_empty() { String::new() } else { format!(": {}", self.message) };
        format!("HTTP {status}{word}{message}")
    }

    /// The error for a person: `what` was being done, with which `permission`, `on` what.
    pub(crate) fn error(self, what: &str, permission: &str, on: &str) -> Error {
        let summary = self.summary();
        let failed = |code, message: String| Error::failed(code, message).caused_by(&summary);
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
                .hint("to use another account: GOOGLE_OAUTH_ACCESS_TOKEN=$(gcloud auth print-access-token)"),
            404 => failed(Code::GoogleMissing, format!("{what}: there is no such thing"))
                .hint(format!("check the names: {on}")),
            409 | 412 => failed(Code::GoogleConflict, format!("{what}: it has changed in the meantime"))
                .hint("run the command again: it reads the present state first"),
            500.. => failed(Code::GoogleServer, format!("{what}: Google has failed")).hint("ask again later"),
            _ => failed(Code::GoogleRefused, format!("{what}: Google refuses")).hint(format!(
                "Google's message names the reason; the right to do it is {}",
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
        _ => "ask the administrator of the organisation (roles/orgpolicy.policyAdmin has the right)",
    }
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
