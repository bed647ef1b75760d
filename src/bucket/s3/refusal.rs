//! What a store answered when it did not do what it was asked, and what that means to a person.

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};

use super::location::S3Location;
use crate::{
    error::{Code, Error},
    redact,
};

/// An answer that is not the one asked for.
#[derive(Debug)]
pub(super) struct Refusal {
    /// `None`: there was no answer at all.
    pub(super) status: Option<u16>,
    /// The store's word for it, e.g. `NoSuchKey`; empty when it sent none, as with every `HEAD`.
    pub(super) code: String,
    /// Empty with some stores.
    pub(super) message: String,
    request_id: Option<String>,
    /// Where the bucket is, if the answer says so.
    region: Option<String>,
    /// Why there was no answer.
    unanswered: Option<Box<Error>>,
}

pub(super) type Outcome<T> = Result<T, Refusal>;

impl<E> From<SdkError<E, HttpResponse>> for Refusal
where
    E: std::error::Error + Send + Sync + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let Some(response) = error.raw_response() else {
            let unanswered = Some(Box::new(unanswered(&error)));
            let (code, message) = (String::new(), String::new());
            return Self { status: None, code, message, request_id: None, region: None, unanswered };
        };
        let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
        let header = |name| response.headers().get(name).map(str::to_owned);
        let status = response.status().as_u16();
        Self {
            status: Some(status),
            code: redact::message(&element(&body, "Code").unwrap_or_default()),
            message: match element(&body, "Message") {
                Some(message) => redact::message(&message),
                None if status < 300 => redact::message(&chain(&error)),
                // Not a store's answer, but that of something before it.
                None => redact::message(&body),
            },
            request_id: header("x-amz-request-id")
                .or_else(|| element(&body, "RequestId"))
                .map(|id| redact::message(&id)),
            region: header("x-amz-bucket-region")
                .or_else(|| element(&body, "Region"))
                .or_else(|| expected_region(&body)),
            unanswered: None,
        }
    }
}

/// The text of the first such element of an S3 error document.
fn element(body: &str, name: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    Some(text.replace("&#39;", "'").replace("&amp;", "&"))
}

/// `the region 'us-east-1' is wrong; expecting 'eu-central-1'`
fn expected_region(body: &str) -> Option<String> {
    let (_, rest) = body.split_once("expecting '")?;
    Some(rest.split_once('\'')?.0.to_owned())
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    texts.dedup();
    texts.join(": ")
}

/// Why nothing came back: no credentials to sign with, or no connection, or no time.
fn unanswered<E>(error: &SdkError<E, HttpResponse>) -> Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    if matches!(error, SdkError::TimeoutError(_)) {
        return Error::failed(
            Code::BucketTimeout,
            "the store did not answer in time, not even when asked again",
        )
        .hint("check the store, and any proxy or load balancer before it");
    }
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    // Also where it was the token service that was not asked: no other login makes that better.
    let unencrypted = |ours: &&Error| ours.code == Code::BaseUrl;
    let chain_of = std::iter::successors(next, |error| error.source());
    if let Some(ours) = chain_of.filter_map(|error| error.downcast_ref::<Error>()).find(unencrypted) {
        return ours.clone();
    }
    while let Some(error) = next {
        if let Some(ours) = error.downcast_ref::<Error>() {
            let mut ours = ours.clone();
            ours.code = match ours.code {
                Code::Timeout => Code::BucketTimeout,
                Code::BodyTooLarge => Code::BodyTooLarge,
                _ => Code::BucketUnreachable,
            };
            return ours;
        }
        if let Some(found) = error.downcast_ref::<CredentialsError>() {
            let ours = std::error::Error::source(found).and_then(|source| source.downcast_ref::<Error>());
            return ours.cloned().unwrap_or_else(|| without_credentials(found));
        }
        next = error.source();
    }
    Error::failed(Code::BucketRequest, "the request could not be made")
        .caused_by(redact::message(&chain(error)))
}

fn without_credentials(error: &CredentialsError) -> Error {
    let text = redact::message(&chain(error));
    // The metadata service is asked last: off AWS something else may answer at its address.
    let none = matches!(error, CredentialsError::CredentialsNotLoaded(_)) || text.contains("IMDS");
    let message = match none {
        true => "there are no AWS credentials here",
        false => "the AWS credentials that are configured here cannot be used",
    };
    log_in(Error::failed(Code::BucketCredentials, message).caused_by(text))
}

/// How to get credentials.
pub(crate) fn log_in(error: Error) -> Error {
    error
        .hint("in a cluster: AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE name a role and the pod's token")
        .hint("by hand: `aws sso login` and AWS_PROFILE, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, if temporary, AWS_SESSION_TOKEN")
}

impl Refusal {
    /// The store holds no such object; the bucket is there. A `404` without a code is not a store's.
    pub(super) fn is_absent(&self) -> bool {
        self.status == Some(404) && !matches!(&*self.code, "NoSuchBucket" | "")
    }

    pub(super) fn is_forbidden(&self) -> bool {
        self.status == Some(403) && credentials_hint(&self.code).is_none()
    }

    /// Another state, or another writer at this very moment.
    pub(super) fn is_conflict(&self) -> bool {
        match self.status {
            Some(412) => true,
            Some(409) => matches!(&*self.code, "ConditionalRequestConflict" | "OperationAborted" | ""),
            _ => false,
        }
    }

    /// The store does not know this call, or this header of it.
    pub(super) fn is_unknown_call(&self) -> bool {
        matches!(self.status, Some(405 | 501))
            || matches!(
                &*self.code,
                "NotImplemented" | "MethodNotAllowed" | "UnsupportedOperation" | "XNotImplemented"
            )
    }

    /// The store's answer, in one line.
    pub(super) fn text(&self) -> String {
        let Some(status) = self.status else {
            return self.unanswered.as_ref().map(|error| error.message.clone()).unwrap_or_default();
        };
        let mut text = format!("HTTP {status}");
        if !self.code.is_empty() {
            text += &format!(" {}", self.code);
        }
        if !self.message.trim().is_empty() {
            text += &format!(": {}", self.message);
        }
        if let Some(id) = &self.request_id {
            text += &format!(" (request {id})");
        }
        text
    }

    /// The error for a person. `permission` is the one that the call needs, `what` the thing it was about.
    pub(super) fn error(self, location: &S3Location, permission: &str, what: &str) -> Error {
        let (text, unknown_call) = (self.text(), self.is_unknown_call());
        let bucket = &location.bucket;
        if let Some(error) = self.unanswered {
            return error.at(what);
        }
        let failed = |code, message: String| Error::failed(code, message).caused_by(&text);
        if let Some(hint) = credentials_hint(&self.code) {
            return failed(
                Code::BucketCredentials,
                format!("{what}: the store does not accept the credentials"),
            )
            .hint(hint);
        }
        match (self.status.unwrap_or_default(), &*self.code) {
            (_, "NoSuchBucket") => failed(Code::BucketMissing, format!("there is no bucket {bucket:?}"))
                .hint("`keyless publish --create` creates it; or correct --bucket, --endpoint, --region"),
            (_, "BucketAlreadyExists") => another_owner(bucket).caused_by(&text),
            (_, "InvalidBucketName") => {
                failed(Code::BucketName, format!("the store does not take the name {bucket:?}"))
                    .hint("choose another name with --bucket")
            }
            (301 | 307 | 308, _)
            | (
                _,
                "AuthorizationHeaderMalformed"
                | "PermanentRedirect"
                | "TemporaryRedirect"
                | "IllegalLocationConstraintException"
                | "InvalidLocationConstraint"
                | "InvalidRegion",
            ) => wrong_region(location, self.region.as_deref()).caused_by(&text),
            _ if unknown_call => failed(
                Code::BucketUnsupported,
                format!("{what}: the store cannot do this"),
            )
            .hint("use another store, or prepare the bucket by the store's own tools and leave out --create"),
            (429 | 503, _)
            | (_, "SlowDown" | "Throttling" | "ThrottlingException" | "RequestLimitExceeded") => {
                failed(Code::BucketThrottled, format!("{what}: the store is overloaded, or throttles"))
                    .hint("it was retried several times; try again later")
            }
            (500.., _) => failed(Code::BucketServer, format!("{what}: the store has failed"))
                .hint("try again later; its operator finds the request by its ID"),
            (401 | 403, _) => failed(Code::BucketForbidden, format!("{what}: not allowed"))
                .hint(match location.aws {
                    true => format!("the credentials need {permission}; `aws sts get-caller-identity` shows whose they are"),
                    false => format!("the credentials need {permission}, or what the store calls it"),
                })
                .hint(format!("if the bucket {bucket:?} is not yours, choose another name")),
            (404, _) => failed(Code::BucketMissing, format!("{what}: not there"))
                .hint("`keyless publish --create` creates the bucket; or correct --bucket, --endpoint, --region"),
            _ => failed(Code::BucketRefused, format!("{what}: the store refuses"))
                .hint("the store's message gives the reason"),
        }
    }
}

pub(super) fn another_owner(bucket: &str) -> Error {
    Error::failed(Code::BucketOfAnotherOwner, format!("the bucket {bucket:?} belongs to another account"))
        .hint("bucket names are unique among all customers of a store: choose another one with --bucket")
}

pub(super) fn wrong_region(location: &S3Location, right: Option<&str>) -> Error {
    let bucket = &location.bucket;
    let message = match right {
        Some(right) => format!("the bucket {bucket:?} is in the region {right}, not in {}", location.region),
        None => {
            format!("the bucket {bucket:?} is not in the region {}, or cannot be made there", location.region)
        }
    };
    let right = right.unwrap_or("REGION");
    Error::failed(Code::BucketRegion, message)
        .hint(format!("give --region {right}, or set AWS_REGION={right}"))
}

/// The remedy, when the code says that the credentials as such are wrong.
fn credentials_hint(code: &str) -> Option<&'static str> {
    Some(match code {
        "InvalidAccessKeyId" | "InvalidClientTokenId" | "NotSignedUp" => {
            "this access key does not exist here: check AWS_PROFILE, AWS_ACCESS_KEY_ID, and that --endpoint is the store that gave the key"
        }
        "SignatureDoesNotMatch" => {
            "the secret key does not belong to the access key, or a proxy rewrites requests: check AWS_SECRET_ACCESS_KEY"
        }
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" | "RequestExpired" => {
            "they have expired: log in again (`aws sso login`)"
        }
        "InvalidToken" | "InvalidSecurity" => {
            "the session token is not valid here: set AWS_SESSION_TOKEN together with its key, or unset it"
        }
        "RequestTimeTooSkewed" => {
            "the clock of this machine and that of the store differ by more than 15 minutes: set it (`timedatectl`, NTP)"
        }
        _ => return None,
    })
}
