//! PURE. What a refusal of AWS means, and what to do about it.

use serde_json::Value;

use super::{
    super::refusal::{self, Codes},
    place::Api,
};
use crate::{
    bucket::aws_log_in,
    error::{Code, Error},
    http::Answer,
    retry::retry_after,
    xml::Element,
};

pub(super) type Refusal = refusal::Refusal<Aws>;
pub(super) type Outcome<T> = Result<T, Refusal>;

/// What AWS calls things.
#[derive(Clone, Copy, Debug)]
pub(super) struct Aws;

impl Codes for Aws {
    type Api = Api;
    const ANSWER: Code = Code::AwsAnswer;
    const OTHER_ANSWER: Code = Code::AwsOtherAnswer;
    const ENDPOINTS: &'static str = "aws.endpoints";
    const LATER: &'static [&'static str] = &[
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "TooManyRequestsException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "PriorRequestNotComplete",
        "ConcurrentModification",
        "IDPCommunicationError",
    ];

    fn title(api: Api) -> &'static str {
        api.title()
    }
}

/// The identity is not known, or not known any more.
const CREDENTIALS: [&str; 8] = [
    "InvalidClientTokenId",
    "ExpiredToken",
    "ExpiredTokenException",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "IncompleteSignature",
    "MissingAuthenticationToken",
];
/// Of those, the ones about the signature of the request, which holds a time.
const SIGNATURE: [&str; 2] = ["SignatureDoesNotMatch", "InvalidSignatureException"];
const CLOCK: [&str; 2] = ["RequestExpired", "RequestTimeTooSkewed"];

impl Refusal {
    pub(super) fn of(answer: &Answer) -> Self {
        let (code, message) = xml(&answer.body).or_else(|| json(&answer.body)).unwrap_or_default();
        Self::answered(answer.status, (&code, ""), &message, retry_after(&answer.headers))
    }

    /// Whether the message has these words. For a hint beside what the code says: never for a decision.
    pub(super) fn speaks_of(&self, words: &str) -> bool {
        self.message.to_ascii_lowercase().contains(&words.to_ascii_lowercase())
    }

    pub(super) fn is_absent(&self) -> bool {
        self.is(&[
            "NoSuchEntity",
            "ResourceNotFoundException",
            "ParameterNotFound",
            "ParameterVersionNotFound",
        ])
    }

    pub(super) fn is_forbidden(&self) -> bool {
        self.is(&["AccessDenied", "AccessDeniedException"])
    }

    /// `doing`: e.g. `creating the role x`; `action`: what it takes.
    pub(super) fn error(self, doing: &str, action: &str) -> Error {
        if let Some(error) = self.instead {
            return *error;
        }
        let failed = |code, message: String| Error::failed(code, message).caused_by(self.summary());
        if self.is(&CREDENTIALS) {
            let error = aws_log_in(failed(
                Code::AwsCredentials,
                format!("AWS does not accept the credentials, {doing}"),
            ));
            // A signature is refused with the same codes where the clocks differ.
            return match self.is(&SIGNATURE) {
                true => error.hint("or the clock of this machine is wrong: set it by NTP"),
                false => error,
            };
        }
        if self.is(&CLOCK) {
            return failed(Code::AwsClock, format!("AWS does not accept the time of the request, {doing}"))
                .hint("set the clock of this machine by NTP");
        }
        if self.is_forbidden() {
            return failed(Code::AwsForbidden, format!("AWS does not allow it, {doing}")).hint(format!(
                "it takes {action}: give it to the identity that `aws sts get-caller-identity` names"
            ));
        }
        if self.is_later() || self.status.is_some_and(|status| status >= 500) {
            return failed(Code::AwsBusy, format!("AWS is busy, {doing}"))
                .hint("run it again in a few minutes");
        }
        match self.code.as_str() {
            "LimitExceeded" => failed(Code::AwsLimit, format!("a limit of the account is reached, {doing}"))
                .hint("an account has at most 100 OIDC providers: `aws iam list-open-id-connect-providers` lists them; delete those of clusters that are gone")
                .hint("the number of roles can be raised in Service Quotas"),
            "EntityAlreadyExists" => {
                failed(Code::AwsChanged, format!("there is one of this name by now, {doing}"))
                    .hint("run the command again, and look at the new plan")
            }
            "OpenIdIdpCommunicationError" => {
                failed(Code::AwsIssuerUnreachable, format!("IAM cannot reach the issuer, {doing}"))
                    .hint("run `keyless publish`, then `keyless verify --public-only`: the documents must be public, with a certificate of a public authority")
            }
            "" => failed(Code::AwsAnswer, format!("what answers is not AWS, {doing}"))
                .hint("check aws.endpoints, and any proxy before them"),
            _ => failed(Code::AwsRefused, format!("AWS refuses it, {doing}"))
                .hint("look up the code in the documentation of the service"),
        }
    }
}

/// Of IAM and STS.
fn xml(body: &[u8]) -> Option<(String, String)> {
    let root = Element::parse(body)?;
    let error = match root.name() {
        "ErrorResponse" => root.get("Error")?,
        "Response" => root.at(&["Errors", "Error"])?,
        _ => return None,
    };
    let text = |name: &str| error.text_at(&[name]).unwrap_or_default().to_owned();
    Some((text("Code"), text("Message")))
}

/// Of Secrets Manager and Systems Manager (<https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>).
fn json(body: &[u8]) -> Option<(String, String)> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let code = text("__type")?;
    let code = code.rsplit('#').next()?.split(':').next()?;
    Some((code.to_owned(), text("message").or_else(|| text("Message")).unwrap_or_default().to_owned()))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::retry::Repeat;

    fn refusal(status: u16, body: &str) -> Refusal {
        Refusal::of(&Answer { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() })
    }

    fn iam(status: u16, code: &str, message: &str) -> Refusal {
        refusal(
            status,
            &format!(
                "<ErrorResponse xmlns='https://iam.amazonaws.com/doc/2010-05-08/'><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>1</RequestId></ErrorResponse>"
            ),
        )
    }

    #[test]
    fn refusals_have_code_and_remedy() {
        for (status, name, code) in [
            (403, "AccessDenied", Code::AwsForbidden),
            (403, "InvalidClientTokenId", Code::AwsCredentials),
            (403, "ExpiredToken", Code::AwsCredentials),
            (403, "SignatureDoesNotMatch", Code::AwsCredentials),
            (409, "EntityAlreadyExists", Code::AwsChanged),
            (400, "RequestExpired", Code::AwsClock),
            (409, "LimitExceeded", Code::AwsLimit),
            (400, "OpenIdIdpCommunicationError", Code::AwsIssuerUnreachable),
            (400, "Throttling", Code::AwsBusy),
            (503, "ServiceUnavailable", Code::AwsBusy),
            (400, "MalformedPolicyDocument", Code::AwsRefused),
        ] {
            let error = iam(status, name, "why").error("creating the role x", "iam:CreateRole");
            assert_eq!(error.code, code, "{name}");
            assert!(!error.hints.is_empty() && error.causes.join(" ").contains(name), "{error}");
        }
        for body in ["<html>login</html>", "", "{}", "<ErrorResponse/>"] {
            let error = refusal(200, body).error("asking", "sts:GetCallerIdentity");
            assert_eq!(error.code, Code::AwsAnswer, "{body}");
        }
    }

    #[test]
    fn words_never_decide() {
        for words in
            ["Signature expired: now", "Signature not yet current", "not authorized: kms:Decrypt", ""]
        {
            let code = |name| iam(403, name, words).error("asking", "iam:GetRole").code;
            assert_eq!(code("SignatureDoesNotMatch"), Code::AwsCredentials, "{words}");
            assert_eq!(code("AccessDenied"), Code::AwsForbidden, "{words}");
            assert_eq!(code("ValidationError"), Code::AwsRefused, "{words}");
        }
        let error = iam(403, "SignatureDoesNotMatch", "").error("asking", "iam:GetRole");
        assert!(error.hints.iter().any(|hint| hint.contains("clock")), "{error}");
    }

    #[test]
    fn json_refusals_are_read() {
        let refused = refusal(
            400,
            r#"{"__type":"com.amazonaws.secretsmanager#ResourceNotFoundException","Message":"none"}"#,
        );
        assert!(refused.is_absent() && refused.summary().contains("none"));
        assert!(refusal(400, r#"{"__type":"AccessDeniedException:http://x","message":"no"}"#).is_forbidden());
    }

    #[test]
    fn only_what_may_pass_is_repeated() {
        for (refused, safe, unsafe_) in [
            (iam(400, "Throttling", ""), true, true),
            (iam(409, "ConcurrentModification", ""), true, true),
            (iam(503, "ServiceUnavailable", ""), true, false),
            (iam(403, "AccessDenied", ""), false, false),
            (iam(409, "EntityAlreadyExists", ""), false, false),
        ] {
            let may = (refused.may_pass(Repeat::Safe), refused.may_pass(Repeat::Unsafe));
            assert_eq!(may, (safe, unsafe_), "{refused:?}");
        }
    }
}
