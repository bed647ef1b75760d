//! Text that must not be seen.

use std::fmt;

use http::HeaderValue;

use crate::{
    error::{Code, Error, Result},
    redact,
};

/// A credential. It has no `Display`, its `Debug` shows nothing, and what it holds is left out of all output.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: String) -> Self {
        redact::remember(&text);
        Self(text)
    }

    /// One that another program renews, and that each request remembers again.
    pub(crate) fn passing(text: String) -> Self {
        redact::remember_passing(&text);
        Self(text)
    }

    /// A credential that is sent in a header of its own: visible ASCII without spaces (RFC 6750 §2.1 allows fewer
    /// characters still). `source` is where it comes from, e.g. `VAULT_TOKEN`; the error names it without the value.
    pub(crate) fn for_header(text: String, source: &str) -> Result<Self> {
        let secret = Self::new(text);
        if is_header_safe(&secret.0) { Ok(secret) } else { Err(unsendable(source)) }
    }

    /// From the first of these environment variables that is set and not empty, for a header.
    pub(crate) fn from_variables(
        names: &[&str],
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>> {
        let set = |name: &str| environment(name).filter(|text| !text.is_empty());
        let found = names.iter().find_map(|name| Some((set(name)?, *name)));
        found.map(|(text, name)| Self::for_header(text, name)).transpose()
    }

    /// The text, for the one place that sends it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

/// Whether a header can carry this text and nothing else.
pub(crate) fn is_header_safe(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The refusal of a credential that no header can carry.
pub(crate) fn unsendable(source: &str) -> Error {
    Error::usage(Code::CredentialMalformed, format!("{source} cannot be sent as a credential"))
        .caused_by(
            "it is empty, or holds a line break, a space, or another character that a header cannot carry",
        )
        .hint("write it again without the line break at its end; in YAML, `token: VALUE` on one line")
}

impl Secret {
    /// `Authorization`, as a bearer token (RFC 6750). `source`: where the secret is from, for the refusal of one that no
    /// header can carry.
    pub(crate) fn bearer(&self, source: &str) -> Result<HeaderValue> {
        let value = HeaderValue::from_str(&format!("Bearer {}", self.expose()));
        let mut value = value.map_err(|_| unsendable(source))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credential_with_odd_character_names_source() {
        let good = "hvs.AbC-1_~+/=";
        assert_eq!(Secret::for_header(good.to_owned(), "VAULT_TOKEN").unwrap().expose(), good);
        for text in [
            "",
            "canary\n",
            "canary\r\n",
            "\ncanary",
            "can ary",
            "can\tary",
            "can\0ary",
            "can\u{1b}ary",
            "can\u{7f}ary",
            "canäry",
            "canary\u{2028}",
            "canary\u{fffd}",
        ] {
            let error = Secret::for_header(text.to_owned(), "VAULT_TOKEN").unwrap_err();
            assert_eq!(error.code, Code::CredentialMalformed, "{text:?}");
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("VAULT_TOKEN") && !shown.contains("ary"), "{shown}");
        }
    }
}
