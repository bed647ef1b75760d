//! From a request to the API, resource and verb that it means.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::callers::Who;
use super::documents::World;
use super::error::{GoogleError, Result, answer};
use super::state::{State, is_project, project};
use super::{accounts, federation, grpc, hmac, oauth, project as projects, secrets, sts};
use crate::clock;
use crate::gcs;
use crate::s3::Access;
use crate::wire::{Handler, Reply, Request, percent_decode};

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) storage: gcs::Embedded,
    pub(crate) world: World,
    pub(crate) heard: Arc<Mutex<Vec<Heard>>>,
}

/// A request as its meaning counts, to be compared with another client's
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    /// Request method
    pub method: String,
    /// `Host` or `:authority`
    pub host: String,
    /// Percent-encoded, without the query
    pub path: String,
    /// Decoded
    pub query: BTreeMap<String, String>,
    /// JSON as it is, a form as an object without its tokens, `null` for anything else
    pub body: Value,
}

/// A request of one of the JSON APIs, taken apart
pub(crate) struct Asked<'a> {
    pub(crate) request: &'a Request,
    pub(crate) who: Who,
    /// `POST`, `GET`, …
    pub(crate) method: &'a str,
    /// Decoded segments after the version
    pub(crate) segments: Vec<String>,
    /// The part after the colon of the last segment
    pub(crate) verb: String,
    pub(crate) body: Value,
    /// `v1`, `v3`, …
    pub(crate) version: String,
}

/// What `…/projects/P/` is followed by decides which API it is
#[derive(Clone, Copy, PartialEq, Eq)]
enum Api {
    ResourceManager,
    ServiceUsage,
    Iam,
    IamCredentials,
    PolicyAnalyzer,
    SecretManager,
}

impl Api {
    fn host(self) -> &'static str {
        match self {
            Self::ResourceManager => "cloudresourcemanager",
            Self::ServiceUsage => "serviceusage",
            Self::Iam => "iam",
            Self::IamCredentials => "iamcredentials",
            Self::PolicyAnalyzer => "policyanalyzer",
            Self::SecretManager => "secretmanager",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::ResourceManager => "Cloud Resource Manager API",
            Self::ServiceUsage => "Service Usage API",
            Self::Iam => "Identity and Access Management (IAM) API",
            Self::IamCredentials => "IAM Service Account Credentials API",
            Self::PolicyAnalyzer => "Policy Analyzer API",
            Self::SecretManager => "Secret Manager API",
        }
    }
}

impl Handler for Service {
    fn handle(&self, request: &Request) -> Reply {
        let reply = self.reply(request);
        let offset = self.lock().settings.clock_offset;
        reply.with("date", clock::http_date(clock::now(offset))).with("server", "ESF")
    }
}

impl Service {
    fn reply(&self, request: &Request) -> Reply {
        self.hear(request);
        self.lock().advance();
        let host = request.host.split(':').next().unwrap_or_default().to_lowercase();
        let label = host.strip_suffix(".googleapis.com");
        let meant = |name: &str| label.is_none_or(|label| label == name || is_regional(label, name));
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/token") if meant("oauth2") => return oauth::token(request, &mut self.lock()),
            ("POST", "/tokeninfo") if meant("oauth2") => return oauth::token_info(request, &self.lock()),
            ("POST", "/v1/token") if meant("sts") => return sts::token(request, self),
            ("POST", "/v1/introspect") if meant("sts") => return sts::introspect(request, &self.lock()),
            ("GET", path) if path.starts_with("/computeMetadata/") => {
                return oauth::metadata(request, &mut self.lock());
            }
            (_, path) if path.starts_with("/google.cloud.secretmanager.v1.") && meant("secretmanager") => {
                return grpc::reply(request, &mut self.lock());
            }
            _ => {}
        }
        if hmac::is_meant(request) && meant("storage") {
            return hmac::reply(request, self);
        }
        let storage = ["/storage/v1/", "/upload/storage/", "/download/storage/"];
        let is_storage = label.is_some_and(|label| label == "storage" || label.ends_with(".storage"));
        if is_storage || storage.iter().any(|prefix| request.path.starts_with(prefix)) {
            let state = self.lock();
            let access = state.authenticate(request).ok().map(|who| access(&who, &state));
            drop(state);
            return self.storage.reply(request, access);
        }
        match self.api(request, label) {
            Ok(body) => answer(200, &body),
            Err(error) => error.reply(),
        }
    }

    fn api(&self, request: &Request, label: Option<&str>) -> Result<Value> {
        let mut state = self.lock();
        let mut segments: Vec<String> = request.path.split('/').skip(1).map(percent_decode).collect();
        let version = if segments.is_empty() { String::new() } else { segments.remove(0) };
        let mut verb = String::new();
        if let Some(last) = segments.last_mut()
            && let Some((name, after)) = last.clone().split_once(':')
        {
            (*last, verb) = (name.to_owned(), after.to_owned());
        }
        let api = api_of(&segments, &verb).ok_or_else(nothing_here)?;
        if label.is_some_and(|label| label != api.host() && !is_regional(label, api.host())) {
            return Err(nothing_here());
        }
        // What lies in a location is served by its own endpoint, and by no other.
        let location = segments.get(3).filter(|_| segments[2..].first().is_some_and(|it| it == "locations"));
        let own = location.map_or_else(|| api.host().to_owned(), |at| format!("{}.{at}.rep", api.host()));
        if api == Api::SecretManager && label.is_some_and(|label| label != own) {
            return Err(nothing_here());
        }
        let who = state.authenticate(request)?;
        let body = if request.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&request.body)
                .map_err(|error| GoogleError::invalid(format!("Invalid JSON payload received. {error}")))?
        };
        // Callers are in no other project and have no permission there, whether it exists or not.
        let written = segments.get(1).cloned().unwrap_or_default();
        let foreign = segments[0] == "projects" && written != "-" && !is_project(&written);
        let who = if foreign { Who::Only(BTreeSet::new()) } else { who };
        let named = request.header("x-goog-user-project").is_some();
        if let (Some(project), Who::Owner, false) = (state.settings.client_project, &who, named) {
            return Err(GoogleError::disabled(api.title(), api.host(), project));
        }
        state.need_service(api.host(), api.title())?;
        let method = request.method.as_str();
        let asked = Asked { request, who, method, segments, verb, body, version };
        let answer = match api {
            Api::ResourceManager => projects::resource_manager(&asked, &mut state),
            Api::ServiceUsage => projects::service_usage(&asked, &mut state),
            Api::Iam if asked.segments.get(2).is_some_and(|it| it == "serviceAccounts") => {
                accounts::api(&asked, &mut state)
            }
            Api::Iam => federation::api(&asked, &mut state),
            Api::IamCredentials => accounts::credentials(&asked, &mut state),
            Api::PolicyAnalyzer => accounts::activities(&asked, &mut state),
            Api::SecretManager => secrets::api(&asked, &mut state),
        };
        answer.map_err(|error| if foreign || is_project(&written) { error.naming(&written) } else { error })
    }

    fn hear(&self, request: &Request) {
        let form = request.header("content-type").is_some_and(|kind| kind.contains("form-urlencoded"));
        let body = if form { sts::Fields::of(request).shown() } else { Value::Null };
        self.heard.lock().expect("what was heard").push(Heard {
            method: request.method.to_string(),
            host: request.host.clone(),
            path: request.path.clone(),
            query: request.query_pairs().into_iter().collect(),
            body: serde_json::from_slice(&request.body).unwrap_or(body),
        });
    }

    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the far side")
    }
}

impl Asked<'_> {
    /// Segments and verb for a `match`
    pub(crate) fn parts(&self) -> (&str, Vec<&str>, &str) {
        (self.method, self.segments.iter().map(String::as_str).collect(), &self.verb)
    }

    /// A query parameter that is not empty
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        self.request.query(name).filter(|value| !value.is_empty())
    }

    /// The version of a policy that is asked for, in the query or in the body
    pub(crate) fn requested_version(&self) -> u64 {
        let query = self.query("options.requestedPolicyVersion").and_then(|version| version.parse().ok());
        query.or_else(|| self.body["options"]["requestedPolicyVersion"].as_u64()).unwrap_or(1)
    }
}

pub(crate) fn nothing_here() -> GoogleError {
    GoogleError::not_found("Method not found.")
}

fn api_of(segments: &[String], verb: &str) -> Option<Api> {
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["projects", _] => Some(Api::ResourceManager),
        ["projects", _, "services", ..] | ["operations", _] => Some(Api::ServiceUsage),
        ["projects", _, "locations", _, "activityTypes", ..] => Some(Api::PolicyAnalyzer),
        ["projects", _, "secrets", ..] | ["projects", _, "locations", _, "secrets", ..] => {
            Some(Api::SecretManager)
        }
        ["projects", _, "serviceAccounts", ..]
            if verb.starts_with("generate") || verb.starts_with("sign") =>
        {
            Some(Api::IamCredentials)
        }
        ["projects", _, "serviceAccounts", ..]
        | ["projects", _, "locations", _, "workloadIdentityPools", ..] => Some(Api::Iam),
        _ => None,
    }
}

/// `secretmanager.europe-west1.rep` is a `secretmanager`
fn is_regional(label: &str, name: &str) -> bool {
    label.strip_prefix(name).is_some_and(|rest| rest.starts_with('.') && rest.ends_with(".rep"))
}

/// What a caller may do in the store of the same project
fn access(who: &Who, state: &State) -> Access {
    let permissions = ["create", "get", "update", "delete", "list"]
        .iter()
        .flat_map(|verb| [format!("storage.buckets.{verb}"), format!("storage.objects.{verb}")])
        .chain(["getIamPolicy", "setIamPolicy"].map(|verb| format!("storage.buckets.{verb}")));
    let (held, others): (Vec<_>, Vec<_>) = permissions.partition(|it| state.may(who, it, &project()));
    match who {
        Who::Federated { .. } | Who::Account { .. } if state.alive(who) => {
            let never = others.into_iter().filter(|it| state.denied.contains(it)).collect();
            Access::Members { members: who.members(), besides: held, never }
        }
        _ => Access::Only(held),
    }
}
