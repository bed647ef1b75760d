//! Service accounts and their keys (IAM v1), and IAM Credentials.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::PROJECT_ID;
use super::callers::Who;
use super::error::{Code, GoogleError, Result};
use super::service::{Asked, nothing_here};
use super::state::State;
use crate::clock;
use crate::keys::{SigningKey, random_hex};

/// A service account
pub(crate) struct Account {
    pub(crate) unique_id: String,
    pub(crate) display_name: String,
    pub(crate) disabled: bool,
    pub(crate) keys: Vec<Key>,
}

/// A key of a service account
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) pair: SigningKey,
    pub(crate) disabled: bool,
    /// Made by a user, not by Google for itself
    pub(crate) user: bool,
    /// When Policy Analyzer says that it was used last
    pub(crate) used: Option<String>,
    created: i64,
}

/// Most keys that users may make for one account
const MOST_KEYS: usize = 10;

/// `iam.googleapis.com/v1/projects/P/serviceAccounts…`
pub(crate) fn api(asked: &Asked<'_>, state: &mut State) -> Result<Value> {
    let (method, parts, verb) = asked.parts();
    let email = parts.get(3).copied().unwrap_or_default();
    let need = |state: &State, permission: &str| need(&asked.who, permission, email, state);
    match (method, &parts[3..], verb) {
        ("POST", [], "") => create(asked, state),
        ("GET", [], "") => {
            need(state, "iam.serviceAccounts.list")?;
            let all: Vec<Value> = state.accounts.iter().map(|(email, it)| it.shown(email)).collect();
            Ok(if all.is_empty() { json!({}) } else { json!({"accounts": all}) })
        }
        ("GET", [_], "") => {
            need(state, "iam.serviceAccounts.get")?;
            Ok(existing(email, state)?.shown(email))
        }
        ("POST", [_], "getIamPolicy") => {
            need(state, "iam.serviceAccounts.getIamPolicy")?;
            existing(email, state)?;
            Ok(state.get_policy(&account_name(email), asked.requested_version()))
        }
        ("POST", [_], "setIamPolicy") => {
            need(state, "iam.serviceAccounts.setIamPolicy")?;
            existing(email, state)?;
            state.set_policy(&account_name(email), &asked.body)
        }
        ("POST", [_], "testIamPermissions") => {
            existing(email, state)?;
            Ok(state.tested(&asked.who, &asked.body, &account_name(email)))
        }
        ("POST", [_], "disable" | "enable") => {
            need(state, &format!("iam.serviceAccounts.{verb}"))?;
            existing(email, state)?.disabled = verb == "disable";
            Ok(json!({}))
        }
        ("DELETE", [_], "") => {
            need(state, "iam.serviceAccounts.delete")?;
            existing(email, state)?;
            state.accounts.remove(email);
            Ok(json!({}))
        }
        (_, [_, "keys", ..], _) => keys(asked, email, state),
        _ => Err(nothing_here()),
    }
}

fn keys(asked: &Asked<'_>, email: &str, state: &mut State) -> Result<Value> {
    let (method, parts, verb) = asked.parts();
    let id = parts.get(5).copied().unwrap_or_default();
    let what = match (method, parts.len(), verb) {
        ("POST", 5, "") => "create",
        ("GET", 5, "") => "list",
        ("GET", 6, "") => "get",
        ("DELETE", 6, "") => "delete",
        ("POST", 6, "disable") => "disable",
        ("POST", 6, "enable") => "enable",
        _ => return Err(nothing_here()),
    };
    need(&asked.who, &format!("iam.serviceAccountKeys.{what}"), email, state)?;
    existing(email, state)?;
    match what {
        "create" => {
            if state.settings.key_creation_forbidden {
                return Err(GoogleError::organisation(
                    "Key creation is not allowed on this service account.",
                    "constraints/iam.disableServiceAccountKeyCreation",
                    &account_name(email),
                    "Key creation is not allowed on this service account.",
                ));
            }
            let account = existing(email, state)?;
            if account.keys.iter().filter(|key| key.user).count() >= MOST_KEYS {
                return Err(GoogleError::precondition("Precondition check failed."));
            }
            let file = state.put_key(email).to_string();
            let account = existing(email, state)?;
            let key = account.keys.last().ok_or_else(nothing_here)?;
            let mut shown = key.shown(email);
            shown["privateKeyType"] = json!("TYPE_GOOGLE_CREDENTIALS_FILE");
            shown["privateKeyData"] = json!(STANDARD.encode(file));
            Ok(shown)
        }
        "list" => {
            let wanted = asked.request.query_pairs().into_iter().filter(|(name, _)| name == "keyTypes");
            let wanted: Vec<String> = wanted.map(|(_, kind)| kind).collect();
            let all = existing(email, state)?.keys.iter().map(|key| key.shown(email));
            let all =
                all.filter(|key| wanted.is_empty() || wanted.iter().any(|kind| key["keyType"] == **kind));
            Ok(json!({"keys": all.collect::<Vec<_>>()}))
        }
        _ => {
            let name = format!("{}/keys/{id}", account_name(email));
            let account = existing(email, state)?;
            let at = account.keys.iter().position(|key| key.id == id);
            let at = at.ok_or_else(|| match asked.segments[1].as_str() {
                // Asked for any project, Google does not say that there is no such key.
                "-" => GoogleError::denied(
                    &format!("iam.serviceAccountKeys.{what}"),
                    &format!("//iam.googleapis.com/{name}"),
                ),
                _ => GoogleError::not_found(format!("Service account key {name} does not exist.")),
            })?;
            let key = &mut account.keys[at];
            if what == "get" {
                let mut shown = key.shown(email);
                match asked.query("publicKeyType").as_deref() {
                    None | Some("TYPE_NONE") => {}
                    Some("TYPE_RAW_PUBLIC_KEY") => {
                        shown["publicKeyData"] = json!(STANDARD.encode(key.pair.public_pem()));
                    }
                    Some(other) => {
                        return Err(GoogleError::invalid(format!(
                            "Invalid value at 'public_key_type': \"{other}\""
                        )));
                    }
                }
                return Ok(shown);
            }
            if !key.user {
                return Err(GoogleError::precondition("Precondition check failed."));
            }
            if what == "delete" {
                account.keys.remove(at);
            } else {
                key.disabled = what == "disable";
            }
            Ok(json!({}))
        }
    }
}

/// `policyanalyzer.googleapis.com/v1/projects/P/locations/global/activityTypes/T/activities:query`
pub(crate) fn activities(asked: &Asked<'_>, state: &mut State) -> Result<Value> {
    let (method, parts, verb) = asked.parts();
    let wanted =
        ["locations", "global", "activityTypes", "serviceAccountKeyLastAuthentication", "activities"];
    if (method, verb) != ("GET", "query") || parts[2..] != wanted {
        return Err(nothing_here());
    }
    let permission = "policyanalyzer.serviceAccountKeyLastAuthenticationActivities.query";
    let project = format!("//cloudresourcemanager.googleapis.com/projects/{PROJECT_ID}");
    state.need(&asked.who, permission, &super::state::project(), &project)?;
    let filter = asked.query("filter").unwrap_or_default();
    let wanted = filter.strip_prefix("activities.full_resource_name=\"");
    let wanted = wanted.and_then(|rest| rest.strip_suffix('"'));
    if !filter.is_empty() && wanted.is_none() {
        return Err(GoogleError::invalid("Request contains an invalid argument."));
    }
    let kind = "serviceAccountKeyLastAuthentication";
    let mut found = Vec::new();
    for (email, account) in &state.accounts {
        for key in account.keys.iter().filter(|key| key.user) {
            let name = format!("//iam.googleapis.com/{}/keys/{}", account_name(email), key.id);
            let Some(used) = key.used.as_ref().filter(|_| wanted.is_none_or(|wanted| wanted == name)) else {
                continue;
            };
            found.push(json!({
                "fullResourceName": name, "activityType": kind,
                "observationPeriod": {
                    "startTime": "2026-08-25T07:00:00Z", "endTime": "2026-11-24T07:00:00Z",
                },
                "activity": {
                    "lastAuthenticatedTime": used,
                    "serviceAccountKey": {
                        "fullResourceName": name, "serviceAccountId": account.unique_id,
                        "projectNumber": super::PROJECT_NUMBER,
                    },
                },
            }));
        }
    }
    Ok(if found.is_empty() { json!({}) } else { json!({"activities": found}) })
}

/// `iamcredentials.googleapis.com`
pub(crate) fn credentials(asked: &Asked<'_>, state: &mut State) -> Result<Value> {
    let (method, parts, verb) = asked.parts();
    let ("POST", [email], "generateAccessToken") = (method, &parts[3..], verb) else {
        return Err(nothing_here());
    };
    // This API names no resource, and does not tell an absent account from a closed one.
    let name = account_name(email);
    state.need(&asked.who, "iam.serviceAccounts.getAccessToken", &name, "")?;
    if !state.accounts.contains_key(*email) {
        return Err(GoogleError::not_found("Not found; Gaia id not found for email ".to_owned() + email));
    }
    if existing(email, state)?.disabled {
        return Err(GoogleError::precondition("The service account is disabled."));
    }
    let scopes = asked.body["scope"].as_array().map(Vec::len).unwrap_or_default();
    if scopes == 0 {
        return Err(GoogleError::invalid("Request contains an invalid argument: scope is required."));
    }
    let lifetime = asked.body["lifetime"].as_str().unwrap_or("3600s");
    let seconds = lifetime.strip_suffix('s').and_then(|seconds| seconds.parse::<i64>().ok());
    let Some(seconds) = seconds.filter(|seconds| (1..=3600).contains(seconds)) else {
        return Err(GoogleError::invalid(
            "The access token lifetime cannot exceed 3600s. See the documentation for requirements on longer lifetimes.",
        ));
    };
    let token = state.admit(Who::Account { email: (*email).to_owned() }, Some(seconds));
    Ok(json!({"accessToken": token, "expireTime": clock::rfc3339(state.now() + seconds)}))
}

fn create(asked: &Asked<'_>, state: &mut State) -> Result<Value> {
    state.need(
        &asked.who,
        "iam.serviceAccounts.create",
        &super::state::project(),
        &format!("//cloudresourcemanager.googleapis.com/projects/{PROJECT_ID}"),
    )?;
    let id = asked.body["accountId"].as_str().unwrap_or_default();
    let right = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(6..=30).contains(&id.len())
        || !id.bytes().all(right)
        || !id.starts_with(|c: char| c.is_ascii_lowercase())
    {
        return Err(GoogleError::invalid(format!(
            "The account ID \"{id}\" does not have a length between 6 and 30."
        )));
    }
    let email = format!("{id}@{PROJECT_ID}.iam.gserviceaccount.com");
    if state.accounts.contains_key(&email) {
        let message = format!("Service account {id} already exists within project projects/{PROJECT_ID}.");
        return Err(GoogleError::new(Code::AlreadyExists, message));
    }
    state.put_account(&email);
    let account = existing(&email, state)?;
    account.display_name = asked.body["serviceAccount"]["displayName"].as_str().unwrap_or_default().into();
    Ok(account.shown(&email))
}

impl State {
    /// Makes a service account as a new one is: with a key that Google holds
    pub(crate) fn put_account(&mut self, email: &str) {
        let google = Key { user: false, ..Key::new(self.now()) };
        let account = Account {
            unique_id: Self::unique_id(),
            display_name: String::new(),
            disabled: false,
            keys: vec![google],
        };
        self.accounts.insert(email.to_owned(), account);
    }

    /// Makes a key for an account that exists and returns its file
    pub(crate) fn put_key(&mut self, email: &str) -> Value {
        let key = Key::new(self.now());
        let account = self.accounts.get_mut(email).expect("a service account that exists");
        let file = json!({
            "type": "service_account", "project_id": PROJECT_ID, "private_key_id": key.id,
            "private_key": key.pair.private_pem(), "client_email": email, "client_id": account.unique_id,
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": "https://oauth2.googleapis.com/token",
            "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
            "client_x509_cert_url": format!(
                "https://www.googleapis.com/robot/v1/metadata/x509/{}", email.replace('@', "%40")
            ),
            "universe_domain": "googleapis.com",
        });
        account.keys.push(key);
        file
    }
}

impl Key {
    fn new(created: i64) -> Self {
        Self {
            id: random_hex(20),
            pair: SigningKey::from_stock(),
            disabled: false,
            user: true,
            used: None,
            created,
        }
    }

    fn shown(&self, email: &str) -> Value {
        let mut shown = json!({
            "name": format!("{}/keys/{}", account_name(email), self.id),
            "validAfterTime": clock::rfc3339(self.created), "validBeforeTime": "9999-12-31T23:59:59Z",
            "keyAlgorithm": "KEY_ALG_RSA_2048", "keyOrigin": "GOOGLE_PROVIDED",
            "keyType": if self.user { "USER_MANAGED" } else { "SYSTEM_MANAGED" },
        });
        if self.disabled {
            (shown["disabled"], shown["disableReason"]) =
                (json!(true), json!("SERVICE_ACCOUNT_KEY_DISABLE_REASON_USER_INITIATED"));
        }
        shown
    }
}

impl Account {
    fn shown(&self, email: &str) -> Value {
        let mut shown = json!({
            "name": account_name(email), "email": email, "projectId": PROJECT_ID, "uniqueId": self.unique_id,
            "oauth2ClientId": self.unique_id, "etag": "MDEwMjE5MjA=",
        });
        if !self.display_name.is_empty() {
            shown["displayName"] = json!(self.display_name);
        }
        if self.disabled {
            shown["disabled"] = json!(true);
        }
        shown
    }
}

fn need(who: &Who, permission: &str, email: &str, state: &State) -> Result<()> {
    let name = account_name(email);
    state.need(who, permission, &name, &format!("//iam.googleapis.com/{name}"))
}

fn existing<'a>(email: &str, state: &'a mut State) -> Result<&'a mut Account> {
    // By address, or by the number that Google gave it.
    let by_number = |(_, account): &(&String, &mut Account)| account.unique_id == email;
    if !state.accounts.contains_key(email) {
        return state.accounts.iter_mut().find(by_number).map(|(_, account)| account).ok_or_else(|| {
            GoogleError::not_found(format!("Unknown service account: {}", account_name(email)))
        });
    }
    state.accounts.get_mut(email).ok_or_else(nothing_here)
}

pub(crate) fn account_name(email: &str) -> String {
    format!("projects/{PROJECT_ID}/serviceAccounts/{email}")
}
