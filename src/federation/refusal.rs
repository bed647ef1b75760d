//! PURE. An answer of a provider that is not the one asked for, or none at all. Which codes mean what is the provider's own.

use std::{marker::PhantomData, time::Duration};

use crate::{
    error::{Code, Error},
    redact,
    retry::{Repeat, may_pass},
};

/// What one provider calls things.
pub(super) trait Codes {
    /// Its APIs.
    type Api: Copy;
    /// An answer without what was asked for.
    const ANSWER: Code;
    /// An answer about something else.
    const OTHER_ANSWER: Code;
    /// The setting that says where it answers.
    const ENDPOINTS: &'static str;
    /// Codes by which a request was not carried out, and may be later.
    const LATER: &'static [&'static str];

    /// The name of an API, for people.
    fn title(api: Self::Api) -> &'static str;
}

#[derive(Clone, Debug)]
pub(super) struct Refusal<P> {
    /// `None`: there was no answer.
    pub(super) status: Option<u16>,
    /// As the provider names it, e.g. `NoSuchEntity`; empty if the answer is none of the provider.
    pub(super) code: String,
    /// What it says beside the code: `ForbiddenByRbac`.
    pub(super) inner: String,
    pub(super) message: String,
    retry_after: Option<Duration>,
    /// Why there was no answer, or nothing was sent.
    pub(super) instead: Option<Box<Error>>,
    provider: PhantomData<P>,
}

impl<P: Codes> Refusal<P> {
    /// What the provider answered. Its words are redacted here, once.
    pub(super) fn answered(
        status: u16,
        (code, inner): (&str, &str),
        message: &str,
        retry_after: Option<Duration>,
    ) -> Self {
        Self {
            status: Some(status),
            inner: redact::message(inner),
            message: redact::message(message),
            retry_after,
            ..Self::of_code(code)
        }
    }

    /// One that is named by its code alone, inside an answer about several things.
    pub(super) fn of_code(code: &str) -> Self {
        Self {
            status: None,
            code: redact::message(code),
            inner: String::new(),
            message: String::new(),
            retry_after: None,
            instead: None,
            provider: PhantomData,
        }
    }

    /// There was no answer, or nothing was sent.
    pub(super) fn unanswered(error: Error) -> Self {
        Self { message: error.message.clone(), instead: Some(Box::new(error)), ..Self::of_code("") }
    }

    /// An answer without what was asked for.
    pub(super) fn without(api: P::Api, what: &str) -> Self {
        Self::unanswered(
            Error::failed(P::ANSWER, format!("the answer of {} holds {what}", P::title(api)))
                .hint(format!("check {}, and any proxy before them", P::ENDPOINTS)),
        )
    }

    /// An answer about something else than was asked for; `seen`: what it is about, if it says that.
    pub(super) fn about_another(api: P::Api, asked: &str, seen: Option<&str>) -> Self {
        let seen = seen.filter(|seen| !seen.is_empty()).map_or_else(
            || "does not say what it is about".to_owned(),
            |seen| format!("is about {}", redact::message(seen)),
        );
        let asked = asked.escape_debug();
        Self::unanswered(
            Error::failed(
                P::OTHER_ANSWER,
                format!("the answer of {} {seen}, and {asked} was asked for", P::title(api)),
            )
            .hint(format!(
                "nothing is done by such an answer: check the name, {}, and any proxy before them",
                P::ENDPOINTS
            )),
        )
    }

    pub(super) fn is(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code.as_str())
    }

    pub(super) fn is_later(&self) -> bool {
        self.is(P::LATER)
    }

    pub(super) fn may_pass(&self, repeat: Repeat) -> bool {
        may_pass(repeat, self.status, self.is_later(), self.instead.as_deref())
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// In one line: `403 AccessDenied: Not authorized …`.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Any;

    impl Codes for Any {
        type Api = &'static str;
        const ANSWER: Code = Code::AwsAnswer;
        const OTHER_ANSWER: Code = Code::AwsOtherAnswer;
        const ENDPOINTS: &'static str = "any.endpoints";
        const LATER: &'static [&'static str] = &["Busy"];

        fn title(api: &'static str) -> &'static str {
            api
        }
    }

    #[test]
    fn refusals_of_any_provider_agree() {
        let refused = Refusal::<Any>::answered(403, ("Forbidden", "ByRole"), "no", None);
        assert_eq!(refused.summary(), "403 Forbidden/ByRole: no");
        let repeats = |refused: &Refusal<Any>| {
            (refused.may_pass(Repeat::Safe), refused.may_pass(Repeat::Unsafe), refused.is_later())
        };
        assert_eq!(repeats(&refused), (false, false, false));
        assert_eq!(repeats(&Refusal::answered(400, ("Busy", ""), "", None)), (true, true, true));
        assert_eq!(repeats(&Refusal::answered(503, ("", ""), "", None)), (true, false, false));
        assert_eq!(Refusal::<Any>::of_code("").summary(), "without a reason");
        for (refused, code) in [
            (Refusal::<Any>::without("the API", "no list"), Code::AwsAnswer),
            (Refusal::about_another("the API", "x", Some("y")), Code::AwsOtherAnswer),
            (Refusal::about_another("the API", "x", None), Code::AwsOtherAnswer),
        ] {
            let error = refused.instead.unwrap();
            assert_eq!(error.code, code);
            assert!(error.hints[0].contains("any.endpoints"), "{error}");
        }
    }
}
