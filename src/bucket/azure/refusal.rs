//! PURE. What the Blob service answered when it did not do what it was asked, and what that means to a person.

use std::time::Duration;

use http::HeaderName;

use super::{names::Location, rights::needs};
use crate::{
    azure::log_in,
    error::{Code, Error},
    http::Answer,
    redact,
    retry::{Repeat, may_pass, retry_after},
    xml::Element,
};

const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");

/// An answer that is not the one asked for.
#[derive(Debug)]
pub(super) struct Refusal {
    /// `None`: there was no answer at all.
    pub(super) status: Option<u16>,
    /// Azure's word for it, e.g. `ConditionNotMet`; empty when it sent none.
    pub(super) word: String,
    message: String,
    /// By which Microsoft finds the request.
    request: String,
    /// How long the store asks to wait.
    pub(super) retry_after: Option<Duration>,
    unanswered: Option<Box<Error>>,
    /// It was not even sent.
    unsent: bool,
}

pub(super) type Outcome<T> = Result<T, Refusal>;

impl Refusal {
    pub(super) fn of(answer: &Answer) -> Self {
        let text = String::from_utf8_lossy(&answer.body);
        // The service begins its XML with a byte order mark.
        let body = text.trim_start_matches('\u{feff}');
        let error = Element::parse(body.as_bytes()).filter(|error| error.name() == "Error");
        let of = |name: &str| error.as_ref().and_then(|error| error.text_at(&[name])).unwrap_or_default();
        let word = answer.header(ERROR_CODE).unwrap_or_else(|| of("Code"));
        let is_word = word.len() <= 80 && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
        // After the first line come the number of the request and the time.
        let message =
            if error.is_some() { of("Message").lines().next().unwrap_or_default() } else { body.trim() };
        let request = answer.header(REQUEST_ID).unwrap_or_default();
        Self {
            status: Some(answer.status),
            word: if is_word { word.to_owned() } else { String::new() },
            message: redact::message(message),
            request: redact::message(request),
            retry_after: retry_after(&answer.headers),
            unanswered: None,
            unsent: false,
        }
    }

    pub(super) fn unanswered(error: Error) -> Self {
        let (word, message, request) = (String::new(), String::new(), String::new());
        let unanswered = Some(Box::new(error));
        Self { status: None, word, message, request, retry_after: None, unanswered, unsent: false }
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
        matches!(self.status, Some(429 | 503)) || self.word == "ServerBusy"
    }

    /// There is no such blob, in a container that there is.
    pub(super) fn is_absent(&self) -> bool {
        self.status == Some(404) && self.word == "BlobNotFound"
    }

    pub(super) fn is_container_missing(&self) -> bool {
        self.status == Some(404) && self.word == "ContainerNotFound"
    }

    /// The blob is in another state than the expected one. A condition on a blob that is not there is not met either.
    pub(super) fn is_conflict(&self) -> bool {
        match self.status {
            Some(409) => self.word == "BlobAlreadyExists",
            Some(412) => matches!(&*self.word, "" | "ConditionNotMet"),
            _ => self.is_absent(),
        }
    }

    /// The account does not allow anonymous access.
    pub(super) fn is_prevented(&self) -> bool {
        self.word == "PublicAccessNotPermitted"
    }

    /// The store's message, in one line.
    pub(super) fn summary(&self) -> String {
        let Some(status) = self.status else {
            return self.unanswered.as_ref().map(|error| error.message.clone()).unwrap_or_default();
        };
        let word = if self.word.is_empty() { String::new() } else { format!(" {}", self.word) };
        let message = if self.message.is_empty() { String::new() } else { format!(": {}", self.message) };
        let request = match self.request.as_str() {
            "" => String::new(),
            request => format!(" (request ID {request})"),
        };
        format!("HTTP {status}{word}{message}{request}")
    }

    /// The error for a person. `permission` is the one that the call needs, `what` the thing it was about.
    pub(super) fn error(self, at: &Location, permission: &str, what: &str) -> Error {
        let (summary, throttled) = (self.summary(), self.is_throttled());
        let Location { account, container, .. } = at;
        if let Some(mut error) = self.unanswered {
            if error.code == Code::Dns && at.is_in_public_cloud() {
                return Error::failed(Code::BucketMissing, format!("{what}: there is no storage account {account:?}"))
                    .caused_by(summary)
                    .hint(format!("make it: `az storage account create --name {account} --resource-group GROUP`; or correct --bucket"));
            }
            error.code = match error.code {
                code @ (Code::BodyTooLarge
                | Code::BucketCredentials
                | Code::BucketRequest
                | Code::AzureAnswer
                | Code::AzureLoginRefused
                | Code::AzureUnavailable) => code,
                Code::Timeout => Code::BucketTimeout,
                _ => Code::BucketUnreachable,
            };
            return error.at(what);
        }
        let failed = |code, message: String| Error::failed(code, message).caused_by(&summary);
        let role = format!(
            "the credentials need {} on the container {container:?} or the account",
            needs(permission)
        );
        match (self.status.unwrap_or_default(), &*self.word) {
            (_, "PublicAccessNotPermitted") => prevented(at, what, &summary),
            (_, "ContainerNotFound") => {
                failed(Code::BucketMissing, format!("there is no container {container:?} in the account {account:?}"))
                    .hint("`keyless publish --create` makes it; or correct --bucket")
            }
            (_, "ContainerBeingDeleted") => {
                failed(Code::BucketContended, format!("{what}: a container of this name is being deleted"))
                    .hint("that takes half a minute, or longer: run the command again then")
            }
            _ if throttled => failed(Code::BucketThrottled, format!("{what}: Azure is overloaded, or throttles"))
                .hint("it was asked several times; ask again later"),
            (401, _) | (403, "AuthenticationFailed" | "InvalidAuthenticationInfo") => log_in(
                failed(Code::BucketCredentials, format!("{what}: Azure does not accept the token"))
                    .hint("the login must be one of the tenant that the storage account belongs to"),
            ),
            (403, "AuthorizationPermissionMismatch" | "InsufficientAccountPermissions" | "UnauthorizedBlobOverwrite") => {
                failed(Code::BucketForbidden, format!("{what}: not allowed"))
                    .hint(role)
                    .hint("a new role takes up to ten minutes until it counts")
            }
            (403, "AuthorizationFailure") => failed(Code::BucketForbidden, format!("{what}: not allowed from this network"))
                .hint(format!(
                    "a network rule of the account keeps this machine away, and relying parties as well: \
                     `az storage account update --name {account} --public-network-access Enabled --default-action Allow`"
                ))
                .hint(role),
            (403, _) => failed(Code::BucketForbidden, format!("{what}: not allowed")).hint(role),
            (404, _) => failed(Code::BucketMissing, format!("{what}: not there, or not to be seen"))
                .hint("correct --bucket, --endpoint")
                .hint(role),
            (500.., _) => failed(Code::BucketServer, format!("{what}: Azure has failed"))
                .hint("ask again later"),
            _ => failed(Code::BucketRefused, format!("{what}: Azure refuses"))
                .hint("Azure's message names the reason"),
        }
    }
}

/// The account's own setting forbids it.
pub(super) fn prevented(at: &Location, what: &str, summary: &str) -> Error {
    let account = &at.account;
    Error::failed(
        Code::PublicAccessPrevented,
        format!("{what}: the storage account {account:?} does not allow anonymous access (allowBlobPublicAccess)"),
    )
    .caused_by(summary)
    .hint(format!(
        "allow it: `az storage account update --name {account} --allow-blob-public-access true`; it takes half a minute to count"
    ))
    .hint(format!("or use the account's static website, which needs no such permission: --bucket 'az://{account}/$web'"))
}
