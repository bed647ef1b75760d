//! PURE. What was found at Google, as values that a plan can be made from.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    names::{Ids, Number, Project},
    wanted::knows_a_key,
};
use crate::{
    federation::Trust,
    google::Policy,
    plan::{
        Lifecycle,
        ownership::{Mark, Owner},
    },
};

/// Everything that a plan depends on.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) ids: Ids,
    pub(super) project: Project,
    /// Why Resource Manager did not say what the project is called.
    pub(super) project_unseen: Option<String>,
    pub(super) services: Services,
    pub(super) pool: Option<Pool>,
    /// All of the pool, soft-deleted ones too.
    pub(super) providers: Vec<Provider>,
    /// The policies that the plan is about, in the order of the trust's secrets.
    pub(super) policies: Vec<(Holder, Seen)>,
    /// Whether access is uniform in the bucket of the documents; `None`: it is not asked for, or the bucket is not there.
    pub(super) uniform: Option<bool>,
    /// The project of that bucket, where it is there.
    pub(super) bucket_project: Option<Number>,
}

/// Which of the services that are needed are enabled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Services {
    /// Needed and known to be off.
    pub(super) missing: Vec<&'static str>,
    /// Why the others could not be looked at.
    pub(super) unseen: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pool {
    pub(super) life: Life,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Provider {
    pub(super) id: String,
    pub(super) life: Life,
    pub(super) mapping: BTreeMap<String, String>,
    pub(super) condition: String,
    pub(super) issuer: String,
    pub(super) audiences: Vec<String>,
    /// Where the discovery document is, if that is not below the issuer.
    pub(super) discovery: String,
    /// Empty: the keys are fetched from the issuer.
    pub(super) jwks: String,
    /// AWS, SAML or X.509 providers cannot become OIDC ones.
    pub(super) is_oidc: bool,
}

/// What pools and providers have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) deleted: bool,
    pub(super) disabled: bool,
    pub(super) description: String,
}

/// What a role is granted on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holder {
    Account(String),
    Bucket(String),
    Project,
    Secret(String),
}

/// A policy, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Absent,
    Known(Policy),
    /// It may not be read, or its service is off: nothing is known, and nothing depends on it.
    Unknown,
}

impl Life {
    /// Whose it is, as far as its description says.
    pub(super) fn owner(&self, cluster_id: &str) -> Owner<'_> {
        Owner::of(Mark::parse(&self.description), cluster_id)
    }

    pub(super) fn lifecycle(&self) -> Lifecycle {
        match (self.deleted, self.disabled) {
            (true, _) => Lifecycle::SoftDeleted,
            (false, true) => Lifecycle::Disabled,
            (false, false) => Lifecycle::Active,
        }
    }

    fn read(json: &Value) -> Self {
        Self {
            deleted: json["state"] == "DELETED",
            disabled: json["disabled"] == true,
            description: json["description"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

impl Pool {
    pub(super) fn read(json: &Value) -> Self {
        Self { life: Life::read(json) }
    }
}

impl Provider {
    pub(super) fn read(json: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let oidc = &json["oidc"];
        let mapping = json["attributeMapping"].as_object().into_iter().flatten();
        Self {
            id: json["name"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned(),
            life: Life::read(json),
            mapping: mapping.map(|(key, value)| (key.clone(), text(value))).collect(),
            condition: text(&json["attributeCondition"]),
            issuer: text(&oidc["issuerUri"]),
            audiences: oidc["allowedAudiences"].as_array().into_iter().flatten().map(text).collect(),
            discovery: text(&oidc["discoveryUri"]),
            jwks: text(&oidc["jwksJson"]),
            is_oidc: oidc.is_object(),
        }
    }
}

impl Provider {
    /// Whether it believes the tokens of this very cluster: their issuer, and where it was given keys, one of theirs. The
    /// issuer alone says it where the keys are fetched from there.
    pub(super) fn believes(&self, want: &Trust) -> bool {
        self.is_oidc
            && self.issuer == want.issuer.as_str()
            && (self.jwks.is_empty() && self.discovery.is_empty() || knows_a_key(self, want.proof()))
    }
}

impl State {
    /// Where the secrets are, for people.
    pub(super) fn place(&self) -> String {
        self.ids.shown_place()
    }

    /// The provider that the settings name, whatever its state.
    pub(super) fn provider(&self) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.id == self.ids.provider)
    }

    /// Others of the same pool through which tokens can be exchanged.
    pub(super) fn neighbours(&self) -> impl Iterator<Item = &Provider> {
        self.providers
            .iter()
            .filter(|other| other.id != self.ids.provider && !other.life.deleted && !other.life.disabled)
    }

    pub(super) fn policy(&self, holder: &Holder) -> Option<&Policy> {
        match self.seen(holder) {
            Seen::Known(policy) => Some(policy),
            Seen::Absent | Seen::Unknown => None,
        }
    }

    pub(super) fn seen(&self, holder: &Holder) -> &Seen {
        self.policies.iter().find(|(other, _)| other == holder).map_or(&Seen::Unknown, |(_, seen)| seen)
    }
}
