//! From what is wanted and what is there to the objects that must change, each with its differences.

use std::str::FromStr;

use serde_json::{Value, json};

use super::{StoreLogin, identity, login, logs_in_by_namespace, object::Compared, public};
use crate::{
    cluster::{
        ServiceAccount, is_label, is_subdomain,
        objects::{Look, MANAGED_BY, Object, Resource},
        snapshot::{
            CLUSTER_SECRET_STORES, Controller, Manager, Minting, SECRET_STORES, Store, StoreSchema, manager,
        },
    },
    error::{Code, Error, Result},
    plan::{Action, FieldChange, Gate, Step, Target},
    warning::Warning,
};

/// A store, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoreName {
    Cluster(String),
    Namespaced { namespace: String, name: String },
}

/// What there shall be.
#[derive(Clone, Debug)]
pub(crate) struct Want<'a> {
    pub(crate) login: &'a dyn StoreLogin,
    /// Whose tokens the store logs in with.
    pub(crate) workload: &'a ServiceAccount,
    pub(crate) store: &'a StoreName,
    /// Who may use a new ClusterSecretStore; empty for every namespace. One that exists keeps its own conditions.
    pub(crate) namespaces: &'a [String],
}

/// What there is.
#[derive(Clone, Debug)]
pub(crate) struct Have<'a> {
    pub(crate) schema: &'a StoreSchema,
    /// The controller that will use the store, if it could be told.
    pub(crate) controller: Option<&'a Controller>,
    pub(crate) store: Option<&'a Object>,
    pub(crate) account: Option<&'a Object>,
    pub(crate) role: Option<&'a Object>,
    pub(crate) role_binding: Option<&'a Object>,
}

/// The objects in the order in which they must be written, and what a person should know.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) objects: Vec<Planned>,
    pub(crate) warnings: Vec<Warning>,
}

/// One object, and what becomes of it.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) step: Step,
    pub(crate) resource: &'static Resource,
    /// The whole object as it shall be, fit for a file.
    pub(crate) manifest: Object,
    /// The object that it was planned from.
    pub(crate) seen: Option<Object>,
    pub(crate) doing: Doing,
}

/// How a planned object is brought about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Doing {
    Nothing,
    /// Server-side apply of the manifest.
    Apply,
    /// A merge patch, valid for the resource version that it names. Server-side apply could not take a field
    /// away that another user had written: a left-over `secretRef` would win over everything beside it.
    Patch(Value),
    /// Of an object that is ours.
    Delete(Object),
    /// Not at all: `by` would put it back. The manifest belongs where `by` reads it.
    WriteFile {
        by: String,
    },
}

impl Plan {
    /// Puts the name of an identity where [`StoreLogin::given_name`] left a placeholder.
    pub(crate) fn fill(&mut self, open: &str, name: &str) {
        for Planned { manifest, doing, .. } in &mut self.objects {
            filled(&mut manifest.0, open, name);
            if let Doing::Patch(patch) = doing {
                filled(patch, open, name);
            }
        }
    }
}

fn filled(value: &mut Value, open: &str, name: &str) {
    match value {
        Value::String(text) if text == open => name.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| filled(item, open, name)),
        Value::Object(members) => members.values_mut().for_each(|member| filled(member, open, name)),
        _ => {}
    }
}

/// The name of a ClusterSecretStore, or NAMESPACE/NAME of a SecretStore.
impl FromStr for StoreName {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let name = match text.split_once('/') {
            Some((namespace, name)) => {
                Self::Namespaced { namespace: namespace.to_owned(), name: name.to_owned() }
            }
            None => Self::Cluster(text.to_owned()),
        };
        let fits = is_subdomain(name.name()) && name.namespace().is_none_or(is_label);
        if fits { Ok(name) } else { Err(()) }
    }
}

impl StoreName {
    pub(crate) fn of(store: &Store) -> Self {
        let name = store.0.name().to_owned();
        match store.is_cluster() {
            true => Self::Cluster(name),
            false => Self::Namespaced { namespace: store.0.namespace().to_owned(), name },
        }
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Cluster(name) | Self::Namespaced { name, .. } => name,
        }
    }

    pub(crate) fn namespace(&self) -> Option<&str> {
        match self {
            Self::Cluster(_) => None,
            Self::Namespaced { namespace, .. } => Some(namespace),
        }
    }

    pub(crate) fn resource(&self) -> &'static Resource {
        if self.is_cluster() { &CLUSTER_SECRET_STORES } else { &SECRET_STORES }
    }
}

impl Planned {
    pub(super) fn new(
        resource: &'static Resource,
        manifest: Value,
        reason: impl Into<String>,
        fields: Vec<FieldChange>,
        seen: Option<Object>,
        doing: Doing,
    ) -> Self {
        let manifest = Object(manifest);
        let (action, gate) = match &doing {
            Doing::Nothing => (Action::NoOp, None),
            Doing::Apply => (Action::Create, None),
            Doing::Patch(_) => (Action::Update, None),
            Doing::Delete(_) => (Action::Delete, None),
            Doing::WriteFile { .. } => (Action::Update, Some(Gate::AtItsSource)),
        };
        let step = Step::new(Target::ClusterObject, action, manifest.describe(), reason);
        let mut planned = Self { step: step.fields(fields).gated(gate), resource, manifest, seen, doing };
        planned.step.requires.extend(planned.needs());
        planned
    }

    /// `ClusterSecretStore gcp`.
    pub(crate) fn object(&self) -> &str {
        &self.step.name
    }

    pub(crate) fn changes_something(&self) -> bool {
        self.doing != Doing::Nothing
    }

    /// What one must be allowed to do it.
    fn needs(&self) -> Option<String> {
        let namespace = Some(self.manifest.namespace()).filter(|namespace| !namespace.is_empty());
        let verb = match &self.doing {
            Doing::Nothing | Doing::WriteFile { .. } => return None,
            Doing::Apply => "patch and create",
            Doing::Patch(_) => "patch",
            Doing::Delete(_) => "delete",
        };
        Some(self.resource.right(verb, namespace, Some(self.manifest.name())))
    }
}

/// What must change, or why it cannot be done with what is installed.
pub(crate) fn plan(want: &Want<'_>, have: &Have<'_>) -> Result<Plan> {
    if let Some(namespace) = want.store.namespace().filter(|namespace| *namespace != want.workload.namespace)
    {
        return Err(Error::usage(
            Code::EsoNamespace,
            format!("a SecretStore of `{namespace}` cannot use the ServiceAccount {}", want.workload),
        )
        .hint("ESO ignores the namespace there: name a ServiceAccount of the store's own, or use a ClusterSecretStore"));
    }
    let mut warnings = Vec::new();
    let means = login::capable(want, have, &mut warnings)?;
    let mut objects = vec![identity::account(want, have, &means, &mut warnings)];
    if have.controller.is_none_or(|controller| controller.minting != Look::Seen(Minting::Every)) {
        match have.controller {
            Some(controller) => objects.extend(identity::minting(want, have, controller)?),
            None => warnings.push(Warning::new(
                Code::EsoControllerUnknown,
                format!(
                    "whether External Secrets Operator may mint tokens for {} is not known, because its Deployment was not found",
                    want.workload
                ),
            )),
        }
    }
    objects.push(store(want, have, &means, &mut warnings)?);
    Ok(Plan { objects, warnings })
}

fn store(
    want: &Want<'_>,
    have: &Have<'_>,
    means: &login::Means,
    warnings: &mut Vec<Warning>,
) -> Result<Planned> {
    let resource = want.store.resource();
    let old = have.store.and_then(|store| store.0.pointer("/spec/provider"));
    let provider = login::provider(want, old, means);
    let planned = match have.store {
        Some(store) => {
            let mut manifest = for_file(store);
            manifest["apiVersion"] = json!(resource.api_version());
            manifest["spec"]["provider"] = provider;
            let why = "the one object that names the provider";
            Compared::by_members(Some(store), &manifest, &["spec"], &[], public::of_store)
                .shared(resource, manifest, why)
        }
        None => {
            let mut metadata = json!({ "name": want.store.name(), "labels": { MANAGED_BY.0: MANAGED_BY.1 } });
            if let Some(namespace) = want.store.namespace() {
                metadata["namespace"] = json!(namespace);
            }
            let mut spec = json!({ "provider": provider });
            if want.store.is_cluster() && !want.namespaces.is_empty() && have.schema.knows("spec.conditions")
            {
                spec["conditions"] = json!([{ "namespaces": want.namespaces }]);
            }
            let manifest = json!({
                "apiVersion": resource.api_version(),
                "kind": resource.kind,
                "metadata": metadata,
                "spec": spec,
            });
            let why = "nothing reads the provider's secrets without it";
            Compared::absent().shared(resource, manifest, why)
        }
    };
    // What a store has already is none of ours.
    let kept = have.store.map(|store| have.schema.unknown_fields(&store.0)).unwrap_or_default();
    let mut unknown = have.schema.unknown_fields(&planned.manifest.0);
    unknown.retain(|field| !kept.contains(field));
    if !unknown.is_empty() {
        return Err(Error::failed(
            Code::EsoFieldMissing,
            format!("the installed schema of {} does not have {}", resource.name(), unknown.join(", ")),
        )
        .hint("its custom resource definitions are older than its controller: upgrade them together"));
    }
    if let (Doing::Patch(_), Some(Manager::WritesAgain { by })) =
        (&planned.doing, have.store.and_then(manager))
    {
        warnings.push(Warning::new(
            Code::StoreWrittenAgain,
            format!(
                "{} comes from {by}, whose next run would bring the old provider back: change it there too",
                planned.object()
            ),
        ));
    }
    if have.store.is_some_and(|store| logs_in_by_namespace(&Store(store.clone()))) {
        warnings.push(Warning::new(
            Code::StoreLoginByNamespace,
            format!(
                "{} logs in with what each namespace has of its own; with one identity every namespace that may use it reads all that it may read: give each its own SecretStore, or limit the conditions",
                planned.object()
            ),
        ));
    }
    Ok(planned)
}

/// A store that gets another provider and keeps everything else.
pub(crate) fn with_provider(name: &StoreName, store: &Object, provider: &Value, why: &str) -> Planned {
    let mut manifest = for_file(store);
    manifest["spec"]["provider"] = provider.clone();
    Compared::by_members(Some(store), &manifest, &["spec"], &[], public::of_store).shared(
        name.resource(),
        manifest,
        why,
    )
}

/// An object without what only the API server writes.
pub(super) fn for_file(object: &Object) -> Value {
    let mut metadata = json!({ "name": object.name() });
    if !object.namespace().is_empty() {
        metadata["namespace"] = json!(object.namespace());
    }
    for part in ["labels", "annotations"] {
        let Some(Value::Object(mut members)) = object.0["metadata"].get(part).cloned() else { continue };
        members.retain(|name, _| name != "kubectl.kubernetes.io/last-applied-configuration");
        if !members.is_empty() {
            metadata[part] = Value::Object(members);
        }
    }
    let mut manifest = object.0.clone();
    manifest["metadata"] = metadata;
    if let Some(members) = manifest.as_object_mut() {
        members.remove("status");
    }
    manifest
}
