//! What the lists come to that are read side by side, and the smaller readers among them.

use std::{borrow::Cow, collections::BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::{Controller, Minting, Replaced, Usage, kinds::CLUSTER_ROLES, wanted::Name};
use crate::{
    cluster::{
        Cluster, ServiceAccount,
        objects::{Items, Look, Object, Resource, Unseen, broken_item, name_of},
    },
    credentials::{Outside, Sightings},
    error::Result,
};

/// What one list came to, with what of it could not be looked at.
pub(super) enum Taken {
    Stores((Vec<Object>, BTreeSet<Unseen>)),
    Generators((Vec<Object>, BTreeSet<Unseen>)),
    Users(Usage, Vec<Object>, BTreeSet<Unseen>),
    UnknownKinds((Vec<Object>, BTreeSet<Unseen>)),
    Controllers((Vec<Controller>, BTreeSet<Unseen>), Sightings),
    Pods((Vec<Controller>, BTreeSet<Unseen>), Sightings),
    /// `secrets`: all Secrets of the cluster are among them.
    Sightings {
        sightings: Sightings,
        secrets: bool,
    },
    /// Secrets by their metadata.
    Outside(Sightings, Outside),
    Notes(Vec<Replaced>, BTreeSet<Unseen>),
    Bindings(Bindings),
    Leases(Vec<Name>),
    Unseen(Unseen),
    Nothing,
}

/// Which ClusterRoles which ServiceAccounts are bound to.
pub(super) struct Bindings {
    pub(super) look: Look<()>,
    bound: Vec<Binding>,
}

struct Binding {
    role: String,
    subjects: Vec<Subject>,
}

#[derive(PartialEq, Eq)]
enum Subject {
    Account(String, String),
    Group(String),
}

impl Default for Bindings {
    fn default() -> Self {
        Self { look: Look::Absent, bound: Vec::new() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BindingItem<'a> {
    #[serde(borrow)]
    role_ref: RoleRef<'a>,
    #[serde(borrow)]
    subjects: Option<Vec<SubjectItem<'a>>>,
}

#[derive(Deserialize)]
struct RoleRef<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

#[derive(Deserialize)]
struct SubjectItem<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    namespace: Option<Cow<'a, str>>,
}

impl Items for Bindings {
    fn begin(&mut self) {
        self.bound.clear();
    }

    fn take(&mut self, json: &[u8]) {
        // The count does not depend on it: what is no binding binds nothing.
        let Ok(BindingItem { role_ref, subjects }) = serde_json::from_slice(json) else { return };
        let subjects = subjects.into_iter().flatten().filter_map(|subject| match subject.kind.as_ref() {
            "ServiceAccount" => Some(Subject::Account(
                subject.namespace.unwrap_or_default().into_owned(),
                subject.name.into_owned(),
            )),
            "Group" if subject.name.starts_with("system:serviceaccounts") => {
                Some(Subject::Group(subject.name.into_owned()))
            }
            _ => None,
        });
        let subjects: Vec<_> = subjects.collect();
        if !subjects.is_empty() {
            self.bound.push(Binding { role: role_ref.name.into_owned(), subjects });
        }
    }
}

impl Bindings {
    /// The ClusterRoles that this very account is bound to, and not by a group of accounts.
    pub(super) fn roles_of_account(&self, account: &ServiceAccount) -> BTreeSet<&str> {
        let subject = Subject::Account(account.namespace.clone(), account.name.clone());
        let bound = self.bound.iter().filter(|binding| binding.subjects.contains(&subject));
        bound.map(|binding| binding.role.as_str()).collect()
    }

    fn roles_of(&self, controller: &Controller) -> BTreeSet<&str> {
        let account = &controller.service_account;
        let subjects = [
            Subject::Account(account.namespace.clone(), account.name.clone()),
            Subject::Group("system:serviceaccounts".into()),
            Subject::Group(format!("system:serviceaccounts:{}", account.namespace)),
        ];
        let bound =
            self.bound.iter().filter(|binding| subjects.iter().any(|it| binding.subjects.contains(it)));
        bound.map(|binding| binding.role.as_str()).collect()
    }
}

/// Who holds the lease of a leader: namespace and pod.
#[derive(Default)]
pub(super) struct Leases {
    pub(super) holders: Vec<Name>,
}

#[derive(Deserialize)]
struct Lease {
    metadata: LeaseMetadata,
    spec: Option<LeaseSpec>,
}

#[derive(Deserialize)]
struct LeaseMetadata {
    namespace: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeaseSpec {
    holder_identity: Option<String>,
}

impl Items for Leases {
    fn begin(&mut self) {
        self.holders.clear();
    }

    fn take(&mut self, json: &[u8]) {
        let Ok(lease) = serde_json::from_slice::<Lease>(json) else { return };
        let holder = lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default();
        // The pod's name and a UUID.
        if let Some((pod, _)) = holder.split_once('_').filter(|(pod, _)| is_name(pod)) {
            self.holders.push((lease.metadata.namespace, pod.to_owned()));
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b))
}

/// States of generators, each copy of a generator once: there may be one for every value that was made.
pub(super) struct States<'a> {
    resource: &'a Resource,
    seen: BTreeSet<(String, String)>,
    pub(super) objects: Vec<Object>,
    pub(super) unseen: BTreeSet<Unseen>,
}

impl<'a> States<'a> {
    pub(super) fn new(resource: &'a Resource) -> Self {
        Self { resource, seen: BTreeSet::new(), objects: Vec::new(), unseen: BTreeSet::new() }
    }
}

impl Items for States<'_> {
    fn begin(&mut self) {
        *self = Self::new(self.resource);
    }

    fn take(&mut self, json: &[u8]) {
        let Some(state) = Object::listed(self.resource, json) else {
            self.unseen.insert(broken_item(self.resource, name_of(json).as_deref()));
            return;
        };
        let copy = state.0.pointer("/spec/resource").unwrap_or(&Value::Null);
        let told = (copy["kind"].to_string(), copy["spec"].to_string());
        if self.seen.insert((state.namespace().to_owned(), format!("{}{}", told.0, told.1))) {
            self.objects.push(state);
        }
    }
}

impl Cluster {
    /// Whose tokens a controller may mint.
    pub(super) async fn minting(
        &self,
        controller: &Controller,
        bindings: &Bindings,
    ) -> Result<Look<Minting>> {
        if let Look::Unseen(unseen) = &bindings.look {
            return Ok(Look::Unseen(unseen.clone()));
        }
        let mut refused = None;
        for role in bindings.roles_of(controller) {
            match self.look_at(&CLUSTER_ROLES, None, role).await? {
                Look::Seen(role) if Controller::mints_every(&role) => return Ok(Look::Seen(Minting::Every)),
                Look::Unseen(unseen) => refused = Some(unseen),
                Look::Seen(_) | Look::Absent => {}
            }
        }
        Ok(refused.map_or(Look::Seen(Minting::Named), Look::Unseen))
    }
}
