//! A file of the type `external_account`: no credential by itself, but where its tokens come from decides whether
//! there is one behind it.

use serde_json::{Map, Value};

/// What an external account exchanges for Google's tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenSource {
    /// This file, on the machine that uses the account.
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
        if account.iter().any(|(name, value)| !value.is_null() && !ACCOUNT.contains(&name.as_str())) {
            return Self::Unknown("it has a member that is unknown to keyless");
        }
        let is_plain = |name: &&str| match account.get(*name) {
            None | Some(Value::Null) => true,
            Some(url) => url.as_str().is_some_and(|url| url.is_empty() || is_address(url)),
        };
        if !ADDRESSES.iter().all(is_plain) {
            return Self::Unknown("it asks for Google's tokens with something that may be a credential");
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
            return Self::Unknown("its credential_source has a member that is unknown to keyless");
        }
        match (text("environment_id"), text("file"), text("url")) {
            (Some(environment), None, url) if environment.starts_with("aws") => {
                Self::Aws { metadata: url.is_some_and(is_open) }
            }
            (None, Some(file), None) => Self::File(file.to_owned()),
            (None, None, Some(url)) => {
                // Azure's metadata server wants `Metadata: True`; any other header may be a login.
                let headers = source.get("headers").and_then(Value::as_object).into_iter().flatten();
                let harmless = |name: &str, value: &Value| {
                    let known = [("metadata", "true"), ("metadata-flavor", "google")];
                    known.iter().any(|(it, fits)| {
                        name.eq_ignore_ascii_case(it)
                            && value.as_str().is_some_and(|value| value.eq_ignore_ascii_case(fits))
                    })
                };
                if headers.into_iter().any(|(name, value)| !harmless(name, value)) || !is_open(url) {
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

/// Of the account itself. `client_secret` is among [`SECRETS`].
const ACCOUNT: [&str; 13] = [
    "audience",
    "client_id",
    "client_secret",
    "credential_source",
    "quota_project_id",
    "service_account_impersonation",
    "service_account_impersonation_url",
    "subject_token_type",
    "token_info_url",
    "token_url",
    "type",
    "universe_domain",
    "workforce_pool_user_project",
];

/// Those of them that are addresses.
const ADDRESSES: [&str; 3] = ["service_account_impersonation_url", "token_info_url", "token_url"];

/// Steps of a path at which platforms hand out tokens.
const STEPS: [&str; 12] = [
    "api",
    "computeMetadata",
    "default",
    "identity",
    "instance",
    "latest",
    "metadata",
    "oauth2",
    "service-accounts",
    "sts",
    "token",
    "v1",
];

/// Whether an address holds no login: no user, no query, no fragment.
fn is_address(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| {
        url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    })
}

/// The same for one that hands out tokens. A query may be a login; `api-version`, `resource` and `client_id` of Azure's
/// metadata server are not, in the form that they have there. Nor is a path of the platform's own server.
fn is_open(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else { return false };
    let of_the_platform = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_link_local() || address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "metadata.google.internal",
        Some(url::Host::Ipv6(_)) | None => false,
    };
    let mut path = url.path().split('/').filter(|step| !step.is_empty());
    url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
        && (of_the_platform || path.all(|step| STEPS.contains(&step)))
        && url.query_pairs().all(|(name, value)| {
            let fits = |allowed: &[u8]| {
                value.len() <= 64
                    && value.bytes().all(|byte| byte.is_ascii_hexdigit() || allowed.contains(&byte))
            };
            match &*name {
                "api-version" | "client_id" => fits(b"-"),
                "resource" => fits(b"-") || is_audience(&value),
                _ => false,
            }
        })
}

/// `https://management.azure.com/`, `api://…`: what a token is for.
fn is_audience(text: &str) -> bool {
    ["https://", "api://"].iter().any(|scheme| {
        text.strip_prefix(scheme).is_some_and(|rest| {
            rest.len() <= 100
                && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-./".contains(&byte))
        })
    })
}
