//! Access tokens: one that was given, or what Application Default Credentials give.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError, mpsc as blocking},
};

use google_cloud_auth::{
    credentials::{AccessTokenCredentials, Builder, CacheableResource, CredentialsProvider},
    errors::CredentialsError,
};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use url::Url;

use crate::{
    base_url::takes_login,
    config, credential_file,
    error::{Code, Error, Result},
    guard,
    http::TIME_LIMIT,
    redact,
    secret::Secret,
};

/// The environment variable with a short-lived token that is used instead of looking for credentials.
pub(crate) const TOKEN_VARIABLE: &str = "GOOGLE_OAUTH_ACCESS_TOKEN";
/// The environment variable that names the project which requests count for.
pub(super) const QUOTA_PROJECT: &str = "GOOGLE_CLOUD_QUOTA_PROJECT";
/// Carries it (cloud.google.com/apis/docs/system-parameters).
const QUOTA_HEADER: HeaderName = HeaderName::from_static("x-goog-user-project");

/// Where tokens come from.
pub(crate) enum Tokens {
    /// With the project that requests count for, if one is named.
    Given(Secret, Option<HeaderValue>),
    /// Application Default Credentials: a file, or the metadata server.
    Found(Library),
}

impl Tokens {
    /// Looks for credentials as Google's own tools do. Asks no server yet.
    pub(crate) fn find(given: Option<&Secret>, scope: &'static str) -> Result<Self> {
        match given {
            Some(token) => Ok(Self::Given(token.clone(), quota_project(config::environment)?)),
            None => {
                let path = login_file(config::environment);
                let file = path.as_deref().map(remember_found).unwrap_or_default();
                path.map_or(Ok(()), |path| refuse_unencrypted(&path, &file))?;
                let find = move || Builder::default().with_scopes([scope]).build_access_token_credentials();
                match token_file(&file) {
                    Some(token_file) => Library::when_asked(find, token_file),
                    None => Library::start(find),
                }
                .map(Self::Found)
            }
        }
    }

    /// The file with the token that is exchanged for one of Google's.
    pub(crate) fn token_file(&self) -> Option<&Path> {
        match self {
            Self::Given(..) => None,
            Self::Found(library) => library.token_file.as_deref(),
        }
    }

    /// The headers that carry a token, fresh if the one before has run out.
    pub(crate) async fn headers(&self) -> Result<HeaderMap> {
        match self {
            Self::Given(token, quota_project) => {
                let value = token.bearer(TOKEN_VARIABLE)?;
                let counts_for = quota_project.iter().map(|project| (QUOTA_HEADER, project.clone()));
                Ok([(AUTHORIZATION, value)].into_iter().chain(counts_for).collect())
            }
            Self::Found(library) => library.headers().await,
        }
    }
}

/// The project that requests count for, as Google's own library takes it for the logins that it finds.
fn quota_project(environment: impl Fn(&str) -> Option<OsString>) -> Result<Option<HeaderValue>> {
    let Some(project) = environment(QUOTA_PROJECT).filter(|project| !project.is_empty()) else {
        return Ok(None);
    };
    let value = project.to_str().and_then(|project| HeaderValue::from_str(project).ok());
    value.map(Some).ok_or_else(|| {
        Error::usage(Code::GoogleProject, format!("{QUOTA_PROJECT} cannot be a project"))
            .hint("it takes a project's ID or number")
    })
}

/// Google's own library, on a thread of its own: it panics when a token service answers with a lifetime that no clock
/// can hold, or with an end in the past.
pub(crate) struct Library {
    ask: Mutex<mpsc::UnboundedSender<Asked>>,
    /// What it exchanges.
    token_file: Option<PathBuf>,
}

/// Where the answer goes.
type Asked = oneshot::Sender<Result<HeaderMap>>;

impl Library {
    /// `find` is run on that thread.
    pub(crate) fn start<E: std::error::Error + 'static>(
        find: impl FnOnce() -> Result<AccessTokenCredentials, E> + Send + 'static,
    ) -> Result<Self> {
        let (begun, beginning) = blocking::channel();
        let ask = Self::run(find, Some(begun))?;
        beginning.recv().unwrap_or_else(|_| Err(unusable()))?;
        Ok(Self { ask, token_file: None })
    }

    /// The same, but it asks for no token before one is needed: the one in this file may have to be looked at first.
    fn when_asked<E: std::error::Error + 'static>(
        find: impl FnOnce() -> Result<AccessTokenCredentials, E> + Send + 'static,
        token_file: PathBuf,
    ) -> Result<Self> {
        Ok(Self { ask: Self::run(find, None)?, token_file: Some(token_file) })
    }

    /// `begun` is told whether there are credentials; without it, the library begins with the first question.
    fn run<E: std::error::Error + 'static>(
        find: impl FnOnce() -> Result<AccessTokenCredentials, E> + Send + 'static,
        begun: Option<blocking::Sender<Result<()>>>,
    ) -> Result<Mutex<mpsc::UnboundedSender<Asked>>> {
        let (ask, mut asked) = mpsc::unbounded_channel::<Asked>();
        let run = move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
                return;
            };
            runtime.block_on(async {
                let mut first = match &begun {
                    Some(_) => None,
                    None => asked.recv().await,
                };
                // The library begins to ask for a token at once, and needs the runtime for it.
                let credentials = find().map_err(|error| without_credentials(&error));
                if let Some(begun) = begun {
                    drop(begun.send(credentials.as_ref().map(drop).map_err(Clone::clone)));
                }
                loop {
                    let next = match first.take() {
                        Some(answer) => Some(answer),
                        None => asked.recv().await,
                    };
                    let Some(answer) = next else { return };
                    drop(answer.send(match &credentials {
                        Ok(credentials) => headers(credentials).await,
                        Err(error) => Err(error.clone()),
                    }));
                }
            });
        };
        guard::thread("google-credentials", run).map_err(|error| without_credentials(&error))?;
        Ok(Mutex::new(ask))
    }

    async fn headers(&self) -> Result<HeaderMap> {
        let (answer, answered) = oneshot::channel();
        // A thread that panicked has hung up.
        drop(self.ask.lock().unwrap_or_else(PoisonError::into_inner).send(answer));
        answered.await.unwrap_or_else(|_| Err(unusable()))
    }
}

async fn headers(credentials: &AccessTokenCredentials) -> Result<HeaderMap> {
    match timeout(TIME_LIMIT, credentials.headers(Extensions::new())).await {
        Ok(Ok(CacheableResource::New { data, .. })) => Ok(data),
        Ok(Ok(CacheableResource::NotModified)) => Ok(HeaderMap::new()),
        Ok(Err(error)) => Err(without_credentials(&error)),
        Err(elapsed) => Err(without_credentials(&elapsed)),
    }
}

fn unusable() -> Error {
    Error::failed(Code::GoogleCredentials, "Google's token service gave no usable token")
        .caused_by("its answer holds a lifetime that cannot be, or another value out of bounds")
        .hint("check what GOOGLE_APPLICATION_CREDENTIALS names as token_url, and any proxy before it")
}

fn without_credentials(error: &(dyn std::error::Error + 'static)) -> Error {
    let why = reason(error);
    let cause = match login_file(config::environment) {
        Some(path) if path.exists() => format!("{} gives none: {why}", path.display()),
        _ => format!(
            "no file of credentials is named or in its place, and the metadata server gives none: {why}"
        ),
    };
    log_in(
        Error::failed(Code::GoogleCredentials, "there are no Google credentials that can be used here")
            .caused_by(cause),
    )
}

/// What went wrong, in one line, out of the many in which the library wraps it: each of its own says that it may go better
/// another time.
fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let chain: Vec<_> = std::iter::successors(Some(error), |error| error.source()).collect();
    let wrapper = chain.iter().rposition(|error| error.is::<CredentialsError>());
    let below = wrapper.and_then(|at| chain.get(at + 1)).copied();
    let start = below.or_else(|| chain.get(wrapper?).copied()).unwrap_or(error);
    let causes = Error::failed(Code::GoogleCredentials, "").caused_by_chain(start).causes;
    let text = match causes.as_slice() {
        [first, .., last] => format!("{first}: {last}"),
        [only] => only.clone(),
        [] => String::new(),
    };
    text.replace(" but future attempts may succeed", "").replace(" and future attempts will not succeed", "")
}

/// The file in which Google's library finds Application Default Credentials.
fn login_file(environment: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    environment("GOOGLE_APPLICATION_CREDENTIALS").map(PathBuf::from).or_else(|| {
        let home = environment("HOME").filter(|home| !home.is_empty())?;
        Some(Path::new(&home).join(".config/gcloud/application_default_credentials.json"))
    })
}

/// The file of Application Default Credentials is read by Google's library, which keeps what is secret in it to itself. So
/// it is read here as well: its secrets, and the token that it names, are left out of all output.
fn remember_found(path: &Path) -> Value {
    let Some(content) = credential_file::content(path) else { return Value::Null };
    redact::remember_content(&content);
    let json: Value = serde_json::from_slice(&content).unwrap_or_default();
    redact::remember_object(&json["credential_source"]);
    // What a program complains about is shown; what it was called with is not.
    texts_of(&json["credential_source"]["executable"], &mut |text| redact::remember(text));
    if let Some(file) = json["credential_source"]["file"].as_str() {
        credential_file::remember(Path::new(file));
    }
    json
}

/// PURE. The file of the token that Google's token service is shown.
fn token_file(file: &Value) -> Option<PathBuf> {
    let is_exchanged = file["type"] == "external_account";
    file["credential_source"]["file"].as_str().filter(|_| is_exchanged).map(PathBuf::from)
}

/// PURE. Refuses a file that has a login sent, or fetched, over plain http past this machine: Google's library does as the
/// file says, by an HTTP client of its own.
fn refuse_unencrypted(path: &Path, file: &Value) -> Result<()> {
    match unencrypted(file) {
        None => Ok(()),
        Some(member) => Err(Error::usage(
            Code::BaseUrl,
            format!("{} is not used: its {member} is http, and not on this machine", path.display()),
        )
        .caused_by("a credential would travel unencrypted")
        .hint(format!("write an https URL as {member}; only loopback and a metadata service may be http"))),
    }
}

/// The first member that is such an address, however deep: `source_credentials` is a whole file.
fn unencrypted(value: &Value) -> Option<&str> {
    let Value::Object(members) = value else { return None };
    members.iter().find_map(|(name, value)| match value {
        Value::String(text) if name == "url" || name.ends_with("_url") || name.ends_with("_uri") => {
            let url = Url::parse(text).ok()?;
            (url.scheme() == "http" && !takes_login(&url)).then_some(name.as_str())
        }
        nested => unencrypted(nested),
    })
}

/// Every word in a value, and every name of a member that no credential file has.
fn texts_of(value: &Value, take: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => text.split_ascii_whitespace().for_each(take),
        Value::Array(items) => items.iter().for_each(|item| texts_of(item, take)),
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            if !matches!(name.as_str(), "command" | "timeout_millis" | "output_file") {
                take(name);
            }
            texts_of(value, take);
        }),
        _ => {}
    }
}

/// How to come to credentials.
pub(crate) fn log_in(error: Error) -> Error {
    error
        .hint("in a cluster: GOOGLE_APPLICATION_CREDENTIALS names a credential configuration file of type external_account")
        .hint("by hand: `gcloud auth application-default login`, or GOOGLE_OAUTH_ACCESS_TOKEN=$(gcloud auth print-access-token)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn malformed_token_is_not_shown() {
        let tokens = Tokens::Given(Secret::new("ya29.secret\nline".to_owned()), None);
        let error = tokens.headers().await.unwrap_err();
        assert_eq!(error.code, Code::CredentialMalformed);
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }

    #[test]
    fn files_with_unencrypted_addresses_are_refused() {
        let external = |token: &str, impersonation: &str, source: &str| {
            serde_json::json!({
                "type": "external_account", "audience": "http://sts.example.com", "token_url": token,
                "service_account_impersonation_url": impersonation, "credential_source": {"url": source},
            })
        };
        let (google, metadata) = ("https://sts.googleapis.com/v1/token", "http://169.254.169.254/token");
        let plain = "http://sts.example.com/CANARY";
        assert_eq!(unencrypted(&external(google, google, metadata)), None);
        assert_eq!(unencrypted(&external("http://127.0.0.1:1/v1/token", google, google)), None);
        for (file, member) in [
            (external(plain, google, google), "token_url"),
            (external(google, plain, google), "service_account_impersonation_url"),
            (external(google, google, plain), "url"),
            (
                serde_json::json!({"type": "impersonated_service_account", "source_credentials": {"token_uri": plain}}),
                "token_uri",
            ),
        ] {
            let error = refuse_unencrypted(Path::new("/adc.json"), &file).unwrap_err();
            assert_eq!(error.code, Code::BaseUrl);
            assert!(error.message.contains(member) && error.message.contains("/adc.json"), "{error}");
            assert!(!error.to_string().contains("CANARY"), "{error}");
        }
    }
}
