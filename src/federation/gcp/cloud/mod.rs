//! Google's part of `keyless audit --cloud`: keys of the service accounts that the cluster names, and whom the workload
//! identity providers let in that its stores name.
//!
//! Everything is asked with the login of the user who runs this program, at Google's own addresses. What an object says
//! decides what is asked for, never where.

mod answers;
mod kinds;
mod named;
mod rights;

use std::collections::BTreeSet;

use futures::{FutureExt, StreamExt, future::BoxFuture, stream};
use serde_json::{Value, json};

use self::{
    answers::{Admits, UserKey, admits, hmac_keys, keys, public_half},
    kinds::{HMAC_KEY, KEY, POLICY, WIDE},
    named::{named, project_of},
};
pub(super) use self::{kinds::KINDS, rights::RIGHTS};
use super::{
    endpoints::Endpoints,
    key::{Name, last_use},
    section::GoogleSection,
};
use crate::{
    credentials::Who,
    error::Result,
    federation::{
        cloud::{CloudLook, Issued, Remark, Scope, in_a_line, remedy_of},
        credential::LastUse,
    },
    google::{Api, CLOUD_PLATFORM, Refusal, Tokens, check_endpoint, needs},
    http::Http,
};

/// Kinds of generators that log in at Google.
pub(super) static GENERATORS: [&str; 1] = ["GCRAccessToken"];
/// Accounts and providers that are asked for at the same time.
const IN_FLIGHT: usize = 8;
/// Pages of one list: Google makes ten HMAC keys for one account at most.
const MOST_PAGES: usize = 20;

pub(super) async fn look(section: &GoogleSection, scope: &Scope<'_>, http: &Http) -> CloudLook {
    let named = named(section, scope);
    let is_empty = named.is_empty();
    let mut look = CloudLook { unseen: named.unseen, ..CloudLook::default() };
    if is_empty {
        return look;
    }
    let auditor = match Auditor::connect(section, scope, http) {
        Ok(auditor) => auditor,
        Err(error) => {
            let what = "what the cluster names at Google".to_owned();
            look.not_seen(what, remedy_of(&error, "a login at Google"), in_a_line(&error));
            return look;
        }
    };
    let projects: BTreeSet<_> =
        named.accounts.keys().map(|email| project_of(email)).filter(|project| project != "-").collect();
    let mut parts: Vec<BoxFuture<'_, CloudLook>> = Vec::new();
    for (email, place) in &named.accounts {
        parts.push(auditor.account(email, place).boxed());
    }
    for (name, place) in &named.providers {
        parts.push(auditor.provider(name, place).boxed());
    }
    for project in &projects {
        parts.push(auditor.policy(project).boxed());
    }
    parts.push(auditor.caller().boxed());
    let parts: Vec<_> = stream::iter(parts).buffered(IN_FLIGHT).collect().await;
    parts.into_iter().for_each(|part| look.merge(part));
    look
}

/// Who asks.
struct Auditor {
    api: Api,
    iam: String,
    policy_analyzer: String,
    resource_manager: String,
    storage: String,
    /// IDs of keys of which a copy was found: what their public half is, is asked.
    found: BTreeSet<String>,
    /// A private key was found that no ID lies beside.
    found_unnamed: bool,
}

impl Auditor {
    /// Looks for the login of the user who runs this program; sends nothing.
    fn connect(section: &GoogleSection, scope: &Scope<'_>, http: &Http) -> Result<Self> {
        let endpoints = &section.endpoints;
        for (name, url) in [
            ("iam", &endpoints.iam),
            ("policyAnalyzer", &endpoints.policy_analyzer),
            ("resourceManager", &endpoints.resource_manager),
            ("storage", &endpoints.storage),
        ] {
            check_endpoint(name, url)?;
        }
        let tokens = Tokens::find(section.access_token.as_ref(), CLOUD_PLATFORM)?;
        let found = scope.inventory.sightings.distinct();
        let id = |who: &Who| match who {
            Who::Named(name) => name.strip_prefix("google:").map(str::to_owned),
            Who::Key(_) | Who::Same(_) => None,
        };
        Ok(Self {
            api: Api::new(http, tokens),
            iam: endpoints.iam.clone(),
            policy_analyzer: endpoints.policy_analyzer.clone(),
            resource_manager: endpoints.resource_manager.clone(),
            storage: endpoints.storage.clone(),
            found_unnamed: found.iter().any(|it| matches!(it.who, Who::Key(_))),
            found: found.iter().filter_map(|it| id(&it.who)).collect(),
        })
    }

    /// Who asks. At other addresses than Google's own, the token is not shown to Google.
    async fn caller(&self) -> CloudLook {
        let mut look = CloudLook::default();
        let who = match self.iam == Endpoints::default().iam {
            true => self.api.whose().await,
            false => Err("google.endpoints names other servers than Google's own".to_owned()),
        };
        look.asked_as("google", who);
        look
    }

    /// Keys of one service account.
    async fn account(&self, email: &str, place: &str) -> CloudLook {
        let mut look = CloudLook::default();
        *look.looked.entry("Google service accounts".into()).or_default() += 1;
        self.keys(email, place, &mut look).await;
        self.hmac_keys(email, place, &mut look).await;
        look
    }

    async fn keys(&self, email: &str, place: &str, look: &mut CloudLook) {
        let what = format!("the keys of {email}, which {place} names");
        let permission = "iam.serviceAccountKeys.list";
        let on = format!("the service account {email}");
        let url = format!(
            "{}/v1/projects/{}/serviceAccounts/{email}/keys?keyTypes=USER_MANAGED",
            self.iam,
            project_of(email)
        );
        let answer = match self.api.get(&url).await {
            Ok(answer) => answer,
            Err(refusal) => return refused(look, what, refusal, permission, &on),
        };
        let listed = match keys(&answer, email) {
            Ok(listed) => listed,
            Err(why) => return odd(look, what, why, permission, &on),
        };
        for key in listed {
            let public_half = self.public_half(&key, look).await;
            let used = last_use(&self.api, &self.policy_analyzer, &key.name).await;
            look.issued.push(issued_key(&key, public_half, place, &used));
        }
    }

    /// `None`: no copy was found that it could be compared with, or it is not known.
    async fn public_half(&self, key: &UserKey, look: &mut CloudLook) -> Option<String> {
        if !self.found_unnamed && !self.found.contains(&key.name.id) {
            return None;
        }
        let url = format!("{}/v1/{}?publicKeyType=TYPE_RAW_PUBLIC_KEY", self.iam, key.name.resource());
        let what = format!("the public half of the key {} of {}", key.name.id, key.name.email);
        let permission = "iam.serviceAccountKeys.get";
        let on = format!("the service account {}", key.name.email);
        match self.api.get(&url).await {
            Ok(answer) => {
                let half = public_half(&answer, &key.name);
                if half.is_none() {
                    odd(look, what, "it holds no public key of this name", permission, &on);
                }
                half
            }
            Err(refusal) => {
                refused(look, what, refusal, permission, &on);
                None
            }
        }
    }

    async fn hmac_keys(&self, email: &str, place: &str, look: &mut CloudLook) {
        let what = format!("the HMAC keys of {email}, which {place} names");
        let permission = "storage.hmacKeys.list";
        let project = project_of(email);
        let on = format!("the project {project}");
        if project == "-" {
            return look.not_seen(
                what,
                needs(permission, "the project of the service account"),
                "its address does not name its project".into(),
            );
        }
        let mut page = String::new();
        for _ in 0..MOST_PAGES {
            let query: String = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("serviceAccountEmail", email)
                .append_pair("maxResults", "250")
                .finish();
            let url = format!("{}/storage/v1/projects/{project}/hmacKeys?{query}{page}", self.storage);
            let answer = match self.api.get(&url).await {
                Ok(answer) => answer,
                Err(refusal) => return refused(look, what, refusal, permission, &on),
            };
            let (listed, next) = match hmac_keys(&answer, email) {
                Ok(read) => read,
                Err(why) => return odd(look, what, why, permission, &on),
            };
            for key in listed {
                let state = if key.is_active { "active" } else { "inactive: one call makes it active" };
                let created = key.created.map(|time| format!(", created {time}")).unwrap_or_default();
                look.issued.push(Issued {
                    kind: HMAC_KEY,
                    name: format!("google-hmac:{}", key.id),
                    public_half: None,
                    copy: None,
                    what: format!("the HMAC key {} of the Google service account {email}", key.id),
                    place: format!("Google project {project}"),
                    why: format!("it is {state}{created}; {place} names the account"),
                    remedy: format!(
                        "gcloud storage hmac update {0} --deactivate --project={project}; when nothing misses it, gcloud storage hmac delete {0} --project={project}",
                        key.id
                    ),
                });
            }
            match next {
                None => return,
                Some(next) => {
                    let token: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
                    page = format!("&pageToken={token}");
                }
            }
        }
        odd(look, what, "it has no end", permission, &on);
    }

    /// Whom a workload identity provider lets in.
    async fn provider(&self, name: &str, place: &str) -> CloudLook {
        let mut look = CloudLook::default();
        *look.looked.entry("Google workload identity providers".into()).or_default() += 1;
        let what = format!("the provider {name}, which {place} names");
        let permission = "iam.workloadIdentityPoolProviders.get";
        let project = name.split('/').nth(1).unwrap_or_default();
        let on = format!("the project {project}");
        let remark = |why: &str| Remark {
            kind: WIDE,
            place: format!("Google {name}"),
            why: why.to_owned(),
            remedy: WIDE.remedy.to_owned(),
        };
        match self.api.get(&format!("{}/v1/{name}", self.iam)).await {
            Ok(answer) => match admits(&answer, name) {
                Ok(Admits::Named | Admits::None) => {}
                Ok(Admits::Anyone) => look.findings.push(remark(
                    "it has no attribute condition that names subjects: every token of its issuer is let in",
                )),
                // It may be anyone.
                Ok(Admits::NotKnown) => look.not_seen(
                    format!("whom {what}, lets in"),
                    "a look by hand: read its condition".into(),
                    "its attribute condition is of a form that was not judged".into(),
                ),
                Err(why) => odd(&mut look, what, why, permission, &on),
            },
            Err(refusal) if refusal.is_absent() => {
                look.notes.push(remark("there is no such provider: no token is let in by it"));
            }
            Err(refusal) => refused(&mut look, what, refusal, permission, &on),
        }
        look
    }

    /// Whether new keys are forbidden. It says nothing about those that exist, so that it is a note in each case.
    async fn policy(&self, project: &str) -> CloudLook {
        const CONSTRAINT: &str = "constraints/iam.disableServiceAccountKeyCreation";
        let url = format!("{}/v1/projects/{project}:getEffectiveOrgPolicy", self.resource_manager);
        let why = match self.api.post(&url, Some(&json!({ "constraint": CONSTRAINT }))).await {
            Ok(answer) => match answer.pointer("/booleanPolicy/enforced") {
                Some(Value::Bool(true)) => "new keys of service accounts are forbidden by policy".to_owned(),
                _ if answer["constraint"] == CONSTRAINT => {
                    "no policy forbids new keys of service accounts".to_owned()
                }
                _ => "whether a policy forbids new keys is not known: the answer is none about it".to_owned(),
            },
            Err(refusal) => {
                let on = format!("the project {project}");
                let error = refusal.error("reading the policy about new keys", "orgpolicy.policy.get", &on);
                format!("whether a policy forbids new keys is not known: {}", in_a_line(&error))
            }
        };
        let place = format!("Google project {project}");
        let remark = Remark { kind: POLICY, place, why, remedy: POLICY.remedy.to_owned() };
        CloudLook { notes: vec![remark], ..CloudLook::default() }
    }
}

fn issued_key(key: &UserKey, public_half: Option<String>, place: &str, used: &LastUse) -> Issued {
    let Name { email, id, project } = &key.name;
    let mut why = vec![
        if key.is_disabled { "it is disabled: one call enables it" } else { "it is enabled" }.to_owned(),
    ];
    why.extend(key.is_uploaded.then(|| "its public half was uploaded".to_owned()));
    why.extend(key.created.as_ref().map(|time| format!("created {time}")));
    why.push(
        key.expires.as_ref().map_or_else(|| "never expires".to_owned(), |time| format!("expires {time}")),
    );
    why.push(match used {
        LastUse::At(time) => format!("last login {time}"),
        LastUse::NotKnown => "Policy Analyzer knows of no login".to_owned(),
        LastUse::NotAsked(why) => format!("when it was used last is not known: {why}"),
    });
    let delete =
        format!("gcloud iam service-accounts keys delete {id} --iam-account={email} --project={project}");
    let remedy = match key.is_disabled {
        true => format!("when nothing misses it: {delete}"),
        false => format!(
            "gcloud iam service-accounts keys disable {id} --iam-account={email} --project={project}; when nothing misses it, {delete}"
        ),
    };
    Issued {
        kind: KEY,
        name: format!("google:{id}"),
        public_half,
        copy: None,
        what: format!("key {id} of the Google service account {email}"),
        place: format!("Google project {project}"),
        why: format!("{}; {place} names the account", why.join(", ")),
        remedy,
    }
}

fn refused(look: &mut CloudLook, what: String, refusal: Refusal, permission: &str, on: &str) {
    if refusal.lacks_permission() {
        look.lacks("google", &format!("{permission} on {on}"));
    }
    let if_absent =
        refusal.is_absent().then_some("if there is no such account, take its name out of the cluster");
    let error = refusal.error("asking Google", permission, on);
    look.not_answered(what, &needs(permission, on), &error, if_absent);
}

fn odd(look: &mut CloudLook, what: String, why: &str, permission: &str, on: &str) {
    look.odd_answer(what, needs(permission, on), ("Google", why));
}
