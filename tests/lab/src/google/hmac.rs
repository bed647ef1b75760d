//! HMAC keys of service accounts for Cloud Storage (`storage.projects.hmacKeys` of storage v1).

use serde_json::{Value, json};

use super::callers::Who;
use super::state::{State, is_project, project};
use super::{PROJECT_ID, service::Service};
use crate::clock;
use crate::gcs::error::GcsError;
use crate::keys::random_hex;
use crate::wire::{Reply, Request};

/// An HMAC key. Its secret is not kept: nothing here takes it
pub(crate) struct HmacKey {
    pub(crate) access_id: String,
    pub(crate) email: String,
    /// `ACTIVE`, `INACTIVE` or `DELETED`
    pub(crate) state: &'static str,
    created: i64,
}

impl HmacKey {
    pub(crate) fn new(email: &str, created: i64) -> Self {
        // `GOOG`, and 57 more for a service account.
        let id = random_hex(29).to_uppercase();
        Self { access_id: format!("GOOG1E{}", &id[..55]), email: email.to_owned(), state: "ACTIVE", created }
    }

    fn shown(&self) -> Value {
        let link = format!(
            "https://www.googleapis.com/storage/v1/projects/{PROJECT_ID}/hmacKeys/{}",
            self.access_id
        );
        let time = clock::rfc3339(self.created);
        json!({
            "kind": "storage#hmacKeyMetadata", "id": format!("{PROJECT_ID}/{}", self.access_id), "selfLink": link,
            "accessId": self.access_id, "projectId": PROJECT_ID, "serviceAccountEmail": self.email,
            "state": self.state, "timeCreated": time, "updated": time, "etag": "YjgyYzBhNmM=",
        })
    }
}

/// Whether a request is one of these
pub(crate) fn is_meant(request: &Request) -> bool {
    let path = request.path.strip_prefix("/storage/v1/projects/");
    path.and_then(|rest| rest.split_once('/'))
        .is_some_and(|(_, rest)| rest == "hmacKeys" || rest.starts_with("hmacKeys/"))
}

pub(crate) fn reply(request: &Request, service: &Service) -> Reply {
    let state = service.lock();
    match state.authenticate(request) {
        Err(_) => GcsError::invalid_credentials().reply(),
        Ok(who) => match list(request, &who, &state) {
            Ok(body) => Reply::new(200, "application/json; charset=UTF-8", body.to_string()),
            Err(error) => error.reply(),
        },
    }
}

fn list(request: &Request, who: &Who, state: &State) -> Result<Value, GcsError> {
    let named = request.path.split('/').nth(4).unwrap_or_default();
    if request.method.as_str() != "GET" || !request.path.ends_with("/hmacKeys") {
        return Err(GcsError::new(404, "notFound", "Not Found"));
    }
    let permission = "storage.hmacKeys.list";
    let shown = format!("//cloudresourcemanager.googleapis.com/projects/{named}");
    if !is_project(named) || state.need(who, permission, &project(), &shown).is_err() {
        let message = format!(
            "The caller does not have {permission} access to the Google Cloud project. \
             Permission '{permission}' denied on resource (or it may not exist)."
        );
        return Err(GcsError::new(403, "forbidden", message));
    }
    let email = request.query("serviceAccountEmail").filter(|email| !email.is_empty());
    let deleted = request.query("showDeletedKeys").is_some_and(|text| text == "true");
    let keys = state.hmac_keys.iter().filter(|key| email.as_ref().is_none_or(|email| *email == key.email));
    let keys: Vec<&HmacKey> = keys.filter(|key| deleted || key.state != "DELETED").collect();
    let most = request.query("maxResults").and_then(|most| most.parse::<usize>().ok()).unwrap_or(250);
    let most = most.clamp(1, state.settings.hmac_page);
    let begin = match request.query("pageToken").filter(|token| !token.is_empty()) {
        None => 0,
        Some(token) => token
            .strip_prefix("p=")
            .and_then(|at| at.parse::<usize>().ok())
            .ok_or_else(|| GcsError::new(400, "invalid", "Invalid argument."))?,
    };
    let mut answer = json!({"kind": "storage#hmacKeysMetadata"});
    let page: Vec<_> = keys.iter().skip(begin).take(most).map(|key| key.shown()).collect();
    if !page.is_empty() {
        answer["items"] = json!(page);
    }
    if begin + most < keys.len() {
        answer["nextPageToken"] = json!(format!("p={}", begin + most));
    }
    Ok(answer)
}
