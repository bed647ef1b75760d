//! What Cloud Storage answered when it did not do what it was asked, and what that means to a person.

use std::time::Duration;

use http::{HeaderMap, header::AUTHORIZATION};
use serde_json::Value;

use crate::{
    error::{Code, Error},
    google,
    http::Answer,
    redact,
    retry::{Repeat, may_pass, retry_after},
};

/// An answer that is not the one asked for.
#[derive(Debug)]
pub(super) struct Refusal {
    /// `None`: there was no answer at all.
    pub(super) status: Option<u16>,
    /// Google's word for it, e.g. `conditionNotMet`; empty when it sent none.
    pub(super) reason: String,
    pub(super) message: String,
    /// How long the store asks to wait.
    pub(super) retry_after: Option<Duration>,
    unanswered: Option<Box<Error>>,
    /// It was not even sent.
    unsent: bool,
}

pub(super) type Outcome<T> = Result<T, Refusal>;

impl Refusal {
    /// From an answer. The token is taken out of the text, should the server send it back.
    pub(super) fn of(answer: &Answer, sent: &HeaderMap) -> Self {
        let body = String::from_utf8_lossy(&answer.body);
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let error = &json["error"];
        let reason = error["errors"][0]["reason"].as_str().unwrap_or_default();
        let is_word = reason.len() <= 40 && reason.chars().all(|c| c.is_ascii_alphabetic());
        let message = match error["message"].as_str() {
            Some(message) => message,
            None => body.trim(),
        };
        let token = sent.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let token = token.trim_start_matches("Bearer ");
        let message = if token.is_empty() { message.to_owned() } else { message.replace(token, "…") };
        Self {
            status: Some(answer.status),
            reason: if is_word { reason.to_owned() } else { String::new() },
            message: redact::message(&message),
            retry_after: retry_after(&answer.headers),
            unanswered: None,
            unsent: false,
        }
    }

    pub(super) fn unanswered(error: Error) -> Self {
        let (reason, message) = (String::new(), String::new());
        let unanswered = Some(Box::new(error));
        Self { status: None, reason, message, retry_after: None, unanswered, unsent: false }
    }

    pub(super) fn unsent(error: Error) -> Self {
        Self { unsent: true, ..Self::unanswered(error) }
    }

    /// Whether asking again can help.
    pub(super) fn may_pass(&self, repeat: Repeat) -> bool {
        let unanswered = self.unanswered.as_deref().filter(|_| !self.unsent);
        may_pass(repeat, self.status, self.is_throttled(), unanswered)
    }

    fn is_throttled(&self) -> bool {
        matches!(self.status, Some(429 | 503))
            || matches!(&*self.reason, "rateLimitExceeded" | "userRateLimitExceeded" | "backendError")
    }

    /// There is no such object; of a missing bucket Google says so in words only.
    pub(super) fn is_absent(&self) -> bool {
        self.status == Some(404) && !self.is_bucket_missing()
    }

    pub(super) fn is_bucket_missing(&self) -> bool {
        self.status == Some(404) && self.message.to_lowercase().contains("bucket does not exist")
    }

    pub(super) fn is_forbidden(&self) -> bool {
        self.status == Some(403) && !self.is_throttled()
    }

    /// Another generation or policy than the expected one.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self.status, Some(409 | 412)) && !self.is_prevented()
    }

    /// The same status as a conflict, and the same reason: only the words differ.
    pub(super) fn is_prevented(&self) -> bool {
        let message = self.message.to_lowercase();
        self.status == Some(412)
            && ["public access prevention", "permitted customer"].iter().any(|words| message.contains(words))
    }

    /// The store's message, in one line.
    pub(super) fn summary(&self) -> String {
        let Some(status) = self.status else {
            return self.unanswered.as_ref().map(|error| error.message.clone()).unwrap_or_default();
        };
        let reason = if self.reason.is_empty() { String::new() } else { format!(" {}", self.reason) };
        let message = if self.message.is_empty() { String::new() } else { format!(": {}", self.message) };
        format!("HTTP {status}{reason}{message}")
    }

    /// The error for a person. `permission` is the one that the call needs, `what` the thing it was about.
    pub(super) fn error(self, bucket: &str, permission: &str, what: &str) -> Error {
        let (summary, throttled, missing) = (self.summary(), self.is_throttled(), self.is_bucket_missing());
        if let Some(mut error) = self.unanswered {
            error.code = match error.code {
                code @ (Code::BodyTooLarge | Code::BucketCredentials | Code::BucketRequest) => code,
                Code::Timeout => Code::BucketTimeout,
                _ => Code::BucketUnreachable,
            };
            return error.at(what);
        }
        let failed = |code, message: String| Error::failed(code, message).caused_by(&summary);
        let on = match permission {
            "storage.buckets.create" => "the project".to_owned(),
            _ => format!("the bucket {bucket:?}"),
        };
        match self.status.unwrap_or_default() {
            _ if missing => failed(Code::BucketMissing, format!("there is no bucket {bucket:?}"))
                .hint("`keyless publish --create` makes it; or correct --bucket"),
            _ if throttled => {
                failed(Code::BucketThrottled, format!("{what}: Google is overloaded, or throttles"))
                    .hint("it was asked several times; ask again later (one object takes one write a second)")
            }
            401 => google::log_in(
                failed(Code::BucketCredentials, format!("{what}: Google does not accept the token"))
                    .hint("an access token lives for an hour: get a fresh one"),
            ),
            403 if self.message.contains("insufficient authentication scopes") => google::log_in(failed(
                Code::BucketCredentials,
                format!("{what}: the token was not made for Cloud Storage"),
            )),
            403 => failed(Code::BucketForbidden, format!("{what}: not allowed"))
                .hint(format!("the credentials need {}", google::needs(permission, &on)))
                .hint(
                    "if the bucket is not yours, choose another name: names are unique among all customers",
                ),
            404 => failed(Code::BucketMissing, format!("{what}: not there"))
                .hint("`keyless publish --create` makes the bucket; or correct --bucket, --endpoint"),
            500.. => failed(Code::BucketServer, format!("{what}: Google has failed")).hint("ask again later"),
            _ => failed(Code::BucketRefused, format!("{what}: Google refuses"))
                .hint("Google's message names the reason"),
        }
    }
}
