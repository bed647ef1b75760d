//! A file of the type `external_account`: no credential by itself, but where its tokens come from decides whether
//! there is one behind it.

use serde_json::{Map, Value};

/// What an external account exchanges for Google's tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenSource {
    /// This file, as whoever uses the account sees it.
    File(String),
    /// What a server gives to everyone who asks from there.
    Server,
    /// Keys of AWS: of the environment, else, if it names one, of the instance's metadata server.
    Aws { metadata: bool },
    /// Something else. The reason holds nothing of the file's own text.
    Unknown(&'static str),
}

/// Members that hold a long-lived credential, whatever the type says.
const SECRETS: [&str; 4] = ["client_secret", "private_key", "refresh_token", "source_credentials"];

impl TokenSource {
    /// Of a whole external account.
    pub(super) fn of(account: &Map<String, Value>) -> Self {
        // Go, which ESO is written in, takes a member by any case: `Private_Key` too.
        let has = |account: &Map<String, Value>, name: &str| {
            account.iter().any(|(member, value)| member.eq_ignore_ascii_case(name) && !value.is_null())
        };
        if SECRETS.iter().any(|name| has(account, name)) {
            return Self::Unknown("it holds a secret of its own as well");
        }
        let Some(source) = account.get("credential_source").and_then(Value::as_object) else {
            return Self::Unknown("it does not say where its tokens come from");
        };
        if has(source, "executable") {
            return Self::Unknown("it runs a program for its tokens, and what that logs in with is not seen");
        }
        if has(source, "certificate") {
            return Self::Unknown("it logs in with a certificate, whose private key is stored somewhere");
        }
        let text = |name: &str| source.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        if source.keys().any(|name| !MEMBERS.contains(&name.as_str())) {
            return Self::Unknown("its credential_source has a member that is not known to this program");
        }
        match (text("environment_id"), text("file"), text("url")) {
            (Some(environment), None, url) if environment.starts_with("aws") => {
                Self::Aws { metadata: url.is_some_and(is_open) }
            }
            (None, Some(file), None) => Self::File(file.to_owned()),
            (None, None, Some(url)) => {
                // Azure's metadata server wants `Metadata: True`; any other header may be a login.
                let headers = source.get("headers").and_then(Value::as_object).into_iter().flatten();
                let harmless = |name: &str| {
                    ["metadata", "metadata-flavor"].iter().any(|it| name.eq_ignore_ascii_case(it))
                };
                if headers.into_iter().any(|(name, _)| !harmless(name)) || !is_open(url) {
                    Self::Unknown("it asks a server for its tokens with something that may be a credential")
                } else {
                    Self::Server
                }
            }
            _ => Self::Unknown("it names no source of tokens that is known to this program, or several"),
        }
    }
}

/// Of `credential_source`.
const MEMBERS: [&str; 8] = [
    "environment_id",
    "file",
    "format",
    "headers",
    "imdsv2_session_token_url",
    "region_url",
    "regional_cred_verification_url",
    "url",
];

/// Whether an address holds no login. A query may be one; `api-version`, `resource` and `client_id` of Azure's
/// metadata server are not.
fn is_open(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    url.username().is_empty()
        && url.password().is_none()
        && url.query_pairs().all(|(name, _)| matches!(&*name, "api-version" | "resource" | "client_id"))
}
