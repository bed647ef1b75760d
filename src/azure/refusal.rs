//! PURE. What Entra answered when it gave no token, and what that means to a person.

use serde_json::Value;

use crate::{
    error::{Code, Error},
    http::Answer,
    redact,
};

/// An answer without a token.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    status: u16,
    /// RFC 6749 §5.2, e.g. `invalid_client`.
    word: String,
    /// The number after `AADSTS`.
    number: Option<u64>,
    message: String,
    correlation: String,
}

impl Refusal {
    pub(crate) fn of(answer: &Answer) -> Self {
        let json: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let text = |name: &str| json[name].as_str().unwrap_or_default();
        // After the first line come numbers for Microsoft's support, of which one is enough.
        let message = text("error_description").lines().next().unwrap_or_default();
        Self {
            status: answer.status,
            word: redact::message(text("error")),
            number: json["error_codes"][0].as_u64(),
            message: redact::message(message),
            correlation: redact::message(text("correlation_id")),
        }
    }

    /// The number after `AADSTS`; the texts may change, the numbers stay.
    pub(crate) fn number(&self) -> Option<u64> {
        self.number
    }

    /// No such service at this address.
    pub(crate) fn is_foreign(&self) -> bool {
        self.word.is_empty()
    }

    pub(crate) fn summary(&self) -> String {
        let mut parts = vec![format!("HTTP {}", self.status)];
        parts.extend(Some(self.word.clone()).filter(|word| !word.is_empty()));
        parts.extend(self.number.filter(|_| self.message.is_empty()).map(|number| format!("AADSTS{number}")));
        let mut text = parts.join(" ");
        if !self.message.is_empty() {
            text = format!("{text}: {}", self.message);
        }
        if !self.correlation.is_empty() {
            text = format!("{text} (correlation ID {})", self.correlation);
        }
        text
    }

    /// `who` asked for a token, e.g. `the workload identity of client ID …`.
    pub(crate) fn error(&self, who: &str) -> Error {
        let summary = self.summary();
        if self.status == 429 || self.status >= 500 {
            let why = format!("{who}: Microsoft Entra is overloaded, or has failed");
            return Error::failed(Code::AzureUnavailable, why)
                .caused_by(summary)
                .hint("it was asked several times; run the command again later");
        }
        if self.is_foreign() {
            let why = format!("{who}: the answer is not one of Microsoft Entra");
            return Error::failed(Code::AzureAnswer, why)
                .caused_by(summary)
                .hint("check AZURE_AUTHORITY_HOST, and any proxy before it (its login page?)");
        }
        let error = Error::failed(Code::AzureLoginRefused, format!("{who}: Microsoft Entra gives no token"))
            .caused_by(summary);
        match self.number.and_then(remedy) {
            Some(remedy) => error.hint(remedy),
            None => error.hint("the cause is Entra's own message: look its number up at https://login.microsoftonline.com/error"),
        }
    }
}

/// What to do about the number after `AADSTS`. The texts may change, the numbers stay.
fn remedy(number: u64) -> Option<&'static str> {
    Some(match number {
        70021 | 700_211 => {
            "no federated credential names the issuer of the token: compare both byte for byte, a slash at the end counts; a new one takes some minutes"
        }
        700_212 => {
            "the federated credential takes another audience: the token and it must say api://AzureADTokenExchange"
        }
        700_213 | 7_002_138 => {
            "no federated credential names the subject of the token: system:serviceaccount:NAMESPACE:NAME, capitals count"
        }
        700_024 => {
            "the token has expired, or a clock is wrong: the file must be a projected token that the kubelet renews"
        }
        700_027 | 50013 | 900_384 => {
            "no published key has signed the token: `keyless verify` tells whether the issuer's documents are up to date"
        }
        90061 => {
            "Entra could not read the documents of the issuer: `keyless verify` looks at them as Entra does"
        }
        700_016 | 700_011 => {
            "the client ID is not known in this tenant: check AZURE_CLIENT_ID and AZURE_TENANT_ID; a new application takes some minutes"
        }
        90002 => "there is no such tenant: check AZURE_TENANT_ID",
        7_000_215 => "AZURE_CLIENT_SECRET is not the secret's value: its ID is something else",
        7_000_222 => "the client secret has expired: use a workload identity instead, or make a new secret",
        500_011 => "the tenant does not know the service: it has no subscription with it",
        50005 | 53003 => "a Conditional Access policy of the tenant forbids this login",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> Refusal {
        Refusal::of(&Answer { status, headers: http::HeaderMap::new(), body: body.as_bytes().to_vec() })
    }

    #[test]
    fn numbers_of_entra_lead_to_remedies() {
        for (number, part) in [
            (700_211, "slash"),
            (700_212, "api://AzureADTokenExchange"),
            (7_002_138, "capitals"),
            (700_024, "clock"),
            (90061, "keyless verify"),
            (90002, "AZURE_TENANT_ID"),
            (7_000_222, "expired"),
            (1, "https://login.microsoftonline.com/error"),
        ] {
            let body = format!(
                r#"{{"error":"invalid_client","error_description":"AADSTS{number}: no.\r\nTrace ID: t","error_codes":[{number}],"correlation_id":"c-1"}}"#
            );
            let error = of(401, &body).error("it");
            assert_eq!(error.code, Code::AzureLoginRefused);
            assert_eq!(
                error.causes,
                [format!("HTTP 401 invalid_client: AADSTS{number}: no. (correlation ID c-1)")]
            );
            assert!(error.hints[0].contains(part), "{error}");
        }
    }

    #[test]
    fn answers_of_others_are_told_apart() {
        for (status, body, code) in [
            (503, "", Code::AzureUnavailable),
            (429, r#"{"error":"temporarily_unavailable"}"#, Code::AzureUnavailable),
            (404, "<html>", Code::AzureAnswer),
            (302, "", Code::AzureAnswer),
            (400, "[1]", Code::AzureAnswer),
            (400, r#"{"error":{"code":"x"}}"#, Code::AzureAnswer),
            (400, r#"{"error":"invalid_request","error_codes":["x"]}"#, Code::AzureLoginRefused),
        ] {
            let error = of(status, body).error("it");
            assert_eq!(error.code, code, "{status} {body}");
            assert!(!error.hints.is_empty());
        }
    }
}
