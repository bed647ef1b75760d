//! PURE. How an audit was made, and what it was compared with: what an auditor needs beside the verdict. None of it
//! decides anything.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Scene, compare::NewSince, login::By, principal::Principal};
use crate::{
    cluster::{
        Listed, User,
        snapshot::{Facts, Inventory},
    },
    error::Code,
    federation::cloud::CloudLook,
    rfc3339::rfc3339,
};

/// What surrounds a verdict and does not decide it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// When the audit began, in seconds since 1970.
    pub(crate) started: Option<u64>,
    /// UID of the namespace kube-system.
    pub(crate) cluster: Option<String>,
    pub(super) facts: Facts,
    /// Rights that the API server grants, and those that it denies.
    rights: (Vec<String>, Vec<String>),
    unanswered: usize,
    pub(super) logins: Vec<LoggingIn>,
    /// As whom each provider was asked. `Err`: why that is not known.
    pub(super) asked_as: BTreeMap<String, Result<String, String>>,
    /// Rights that the logins at providers lack, for people: what they hide is in the verdict.
    pub(crate) missing: Vec<(Code, String)>,
    /// What is new against the result that it was compared with.
    pub(crate) new_since: Option<NewSince>,
}

/// A store or generator, and how it logs in.
#[derive(Clone, Debug)]
pub(super) struct LoggingIn {
    /// `ClusterSecretStore gcp`.
    pub(super) object: String,
    /// `gcpsm`, `ECRAuthorizationToken`.
    pub(super) provider: String,
    pub(super) login: &'static str,
    pub(super) claimed: Claimed,
}

/// What objects say of themselves in their status. It is not proved: who may write the status decides what it says.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Claimed {
    /// The condition `Ready` of the store or generator; null where it has none.
    pub(super) ready: Option<bool>,
    /// `lastTransitionTime` of that condition.
    pub(super) ready_since: Option<String>,
    /// The newest `refreshTime` of the objects that use it.
    pub(super) refreshed_at: Option<String>,
    /// How many objects use it.
    pub(super) users: usize,
}

/// How the audit was made.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Evidence<'v> {
    /// When it began.
    started_at: Option<String>,
    /// `keyless`, and its version.
    program: &'static str,
    /// UID of the namespace kube-system; null where it could not be read.
    cluster_uid: Option<&'v str>,
    /// `gitVersion` of the API server.
    server_version: Option<&'v str>,
    /// Who the audit was for the API server, by a SelfSubjectReview; null where it does not tell.
    user: Option<Who<'v>>,
    /// Why it is not known who the audit was; null where it is.
    user_unknown: Option<&'v str>,
    /// Each provider that was asked with `--cloud`, and as whom.
    asked_as: Vec<AskedAs<'v>>,
    rights: Rights<'v>,
    /// Every list that was read to its end.
    lists: Vec<List<'v>>,
    /// Every store and generator whose provider is known by name.
    logins: Vec<Login<'v>>,
}

/// A login at a provider, as the provider itself names it.
#[derive(Serialize, JsonSchema)]
struct AskedAs<'v> {
    /// As in `keyless.yaml`: `aws`.
    provider: &'v str,
    /// `arn:aws:iam::111122223333:user/auditor`; null where it is not known.
    identity: Option<&'v str>,
    /// Why it is not known; null where it is.
    unknown: Option<&'v str>,
}

#[derive(Serialize, JsonSchema)]
struct Who<'v> {
    name: &'v str,
    groups: &'v [String],
}

/// What the API server answered to the SelfSubjectAccessReviews before the lists.
#[derive(Serialize, JsonSchema)]
struct Rights<'v> {
    granted: &'v [String],
    denied: &'v [String],
    /// How many reviews had no answer.
    unanswered: usize,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct List<'v> {
    /// `secrets`, `deployments.apps`.
    resource: &'v str,
    /// Null: all of them.
    namespace: Option<&'v str>,
    /// A query such as `labelSelector=a%3Db`; null: every object.
    selector: Option<&'v str>,
    /// Null where the API server did not tell, or the pages were of several.
    resource_version: Option<&'v str>,
    objects: usize,
}

#[derive(Serialize, JsonSchema)]
struct Login<'v> {
    object: &'v str,
    provider: &'v str,
    /// With what it logs in, by its settings.
    login: &'static str,
    claimed: &'v Claimed,
}

impl Record {
    /// Of what was seen, and of what the providers say, if they were asked.
    pub(super) fn of(scene: &Scene<'_>, cloud: Option<&CloudLook>) -> Self {
        let inventory = scene.inventory;
        let preflight = &inventory.preflight;
        let mut logins: Vec<_> =
            scene.principals.iter().map(|principal| LoggingIn::of(principal, inventory)).collect();
        logins.sort_by(|a, b| (&a.object, &a.provider).cmp(&(&b.object, &b.provider)));
        Self {
            facts: inventory.facts.clone(),
            rights: (
                preflight.granted.iter().cloned().collect(),
                preflight.missing.iter().cloned().collect(),
            ),
            unanswered: preflight.unanswered.len(),
            logins,
            asked_as: cloud.map(|look| look.asked_as.clone()).unwrap_or_default(),
            ..Self::default()
        }
    }

    /// With every text passed through a function. No member is left out: one that is new must be decided on here.
    pub(super) fn clean(&self, clean: &dyn Fn(&str) -> String) -> Self {
        let Self { started, cluster, facts, rights, unanswered, logins, asked_as, missing, new_since } = self;
        let Facts { user, user_unknown, version, lists } = facts;
        let texts = |all: &[String]| all.iter().map(|text| clean(text)).collect::<Vec<_>>();
        let lists = lists.iter().map(|it| Listed {
            resource: clean(&it.resource),
            namespace: it.namespace.as_deref().map(clean),
            selector: clean(&it.selector),
            version: it.version.as_deref().map(clean),
            objects: it.objects,
        });
        let logins = logins.iter().map(|it| LoggingIn {
            object: clean(&it.object),
            provider: clean(&it.provider),
            login: it.login,
            claimed: it.claimed.clone(),
        });
        let user = user.as_ref().map(|it| User { name: clean(&it.name), groups: texts(&it.groups) });
        let asked_as = asked_as.iter().map(|(provider, who)| {
            let who = who.as_deref().map(clean).map_err(|why| clean(why));
            (provider.clone(), who)
        });
        Self {
            started: *started,
            cluster: cluster.as_deref().map(clean),
            facts: Facts {
                user,
                user_unknown: user_unknown.as_deref().map(clean),
                version: version.as_deref().map(clean),
                lists: lists.collect(),
            },
            asked_as: asked_as.collect(),
            missing: missing.iter().map(|(code, text)| (*code, clean(text))).collect(),
            rights: (texts(&rights.0), texts(&rights.1)),
            unanswered: *unanswered,
            logins: logins.collect(),
            new_since: new_since.as_ref().map(|it| it.clean(clean)),
        }
    }

    pub(super) fn evidence(&self) -> Evidence<'_> {
        let lists = self.facts.lists.iter().map(|it| List {
            resource: &it.resource,
            namespace: it.namespace.as_deref(),
            selector: Some(it.selector.as_str()).filter(|selector| !selector.is_empty()),
            resource_version: it.version.as_deref(),
            objects: it.objects,
        });
        let logins = self.logins.iter().map(|it| Login {
            object: &it.object,
            provider: &it.provider,
            login: it.login,
            claimed: &it.claimed,
        });
        let asked_as = self.asked_as.iter().map(|(provider, who)| AskedAs {
            provider,
            identity: who.as_deref().ok(),
            unknown: who.as_ref().err().map(String::as_str),
        });
        Evidence {
            started_at: self.started.map(rfc3339),
            program: concat!("keyless ", env!("CARGO_PKG_VERSION")),
            cluster_uid: self.cluster.as_deref(),
            server_version: self.facts.version.as_deref(),
            user: self.facts.user.as_ref().map(|it| Who { name: &it.name, groups: &it.groups }),
            user_unknown: self.facts.user_unknown.as_deref(),
            asked_as: asked_as.collect(),
            rights: Rights { granted: &self.rights.0, denied: &self.rights.1, unanswered: self.unanswered },
            lists: lists.collect(),
            logins: logins.collect(),
        }
    }

    /// Who asked, and how much was granted, in one line.
    pub(super) fn in_words(&self) -> String {
        let user = match &self.facts.user {
            Some(user) if user.groups.is_empty() => user.name.clone(),
            Some(user) => format!("{} (groups {})", user.name, user.groups.join(", ")),
            None => match &self.facts.user_unknown {
                Some(why) => format!("unknown ({why})"),
                None => "unknown".to_owned(),
            },
        };
        let asked_as: Vec<_> = self
            .asked_as
            .iter()
            .map(|(provider, who)| match who {
                Ok(who) => format!(", at {provider} {who}"),
                Err(why) => format!(", at {provider} unknown ({why})"),
            })
            .collect();
        let (granted, denied) = &self.rights;
        let unanswered = match self.unanswered {
            0 => String::new(),
            count => format!(", {count} not answered"),
        };
        format!(
            "made by: {user}{}; rights: {} granted, {} denied{unanswered}; lists read to their ends: {}; API server {}",
            asked_as.concat(),
            granted.len(),
            denied.len(),
            self.facts.lists.len(),
            self.facts.version.as_deref().unwrap_or("of an unknown version")
        )
    }
}

impl LoggingIn {
    fn of(principal: &Principal<'_>, inventory: &Inventory) -> Self {
        let object = principal.holder.object();
        let used = principal.used(inventory);
        let ready = object.ready_condition();
        let since = ready.and_then(|it| it["lastTransitionTime"].as_str()?.parse().ok());
        let time = |time: k8s_openapi::jiff::Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Self {
            object: principal.place(),
            provider: principal.kind.to_owned(),
            login: in_words(&principal.login.by, !principal.login.doubts.is_empty()),
            claimed: Claimed {
                ready: object.is_ready(),
                ready_since: since.map(time),
                refreshed_at: used.refreshed.map(time),
                users: used.count,
            },
        }
    }
}

fn in_words(by: &By, is_doubtful: bool) -> &'static str {
    match by {
        _ if is_doubtful => "it is not known",
        By::Tokens { .. } => "tokens of a ServiceAccount",
        By::ExternalAccount { .. } => "an external account",
        By::Platform { .. } => "what the platform provides",
        By::Own { .. } => "the token of the operator's own pod",
        By::TokenFile { .. } => "a file of the operator's pod",
        By::Pod => "whatever the operator's pod has",
        By::Stored { .. } => "a stored credential",
        By::Literal { .. } => "a credential in the object itself",
        By::Nothing => "nothing",
        By::Unknown => "it is not known",
    }
}

#[cfg(test)]
impl Record {
    /// With this text in every place that can hold some of the cluster.
    pub(super) fn fake(text: Option<&str>) -> Self {
        let or = |own: &str| text.unwrap_or(own).to_owned();
        let list = |resource: &str, version: &str, objects| Listed {
            resource: or(resource),
            namespace: text.map(str::to_owned),
            selector: text.unwrap_or_default().to_owned(),
            version: Some(or(version)),
            objects,
        };
        let login = |object: &str, provider: &str, login, refreshed: Option<&str>| LoggingIn {
            object: or(object),
            provider: or(provider),
            login,
            claimed: Claimed {
                ready: refreshed.map(|_| true),
                ready_since: refreshed.map(|_| "2026-11-01T08:00:00Z".to_owned()),
                refreshed_at: refreshed.map(str::to_owned),
                users: 14,
            },
        };
        Self {
            started: Some(1_795_694_395),
            cluster: Some("1f0e4a52-8d1c-4f0e-9a53-0c2b7d1e6f90".into()),
            facts: Facts {
                user: Some(User {
                    name: or("system:serviceaccount:keyless-system:keyless-auditor"),
                    groups: vec![or("system:serviceaccounts"), or("system:authenticated")],
                }),
                user_unknown: text.map(str::to_owned),
                version: Some(or("v1.34.1")),
                lists: vec![list("pods", "81234", 52), list("secrets", "81236", 96)],
            },
            rights: (vec![or("list pods"), or("list secrets")], vec![or("list leases")]),
            unanswered: 1,
            logins: vec![
                login("ClusterSecretStore gcp", "gcpsm", "a stored credential", Some("2026-11-26T11:58:00Z")),
                login("SecretStore shop/vault", "vault", "tokens of a ServiceAccount", None),
            ],
            asked_as: BTreeMap::from([
                ("aws".into(), Ok(or("arn:aws:iam::111122223333:user/auditor"))),
                ("google".into(), Err(or("the token says no more than its audience"))),
            ]),
            missing: Vec::new(),
            new_since: None,
        }
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
