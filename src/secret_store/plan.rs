//! From what is wanted and what is there to the objects that must change, each with its differences.

use serde_json::{Map, Value, json};

use super::{
    Access,
    difference::{differences, merge_patch},
    login::{self, IMPERSONATION_ANNOTATION},
};
use crate::{
    cluster::{
        ServiceAccount,
        objects::{Look, MANAGED_BY, Object, Resource},
        snapshot::{
            CLUSTER_SECRET_STORES, Controller, Manager, Minting, ROLE_BINDINGS, ROLES, SECRET_STORES,
            SERVICE_ACCOUNTS, StoreSchema, manager,
        },
    },
    error::{Error, Result},
    federation::{Difference, Verb},
    report::Warning,
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
    pub(crate) access: &'a Access,
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

/// The objects in the order in which they must be written, and what somebody should know.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) objects: Vec<Planned>,
    pub(crate) warnings: Vec<Warning>,
}

/// One object, and what becomes of it.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) verb: Verb,
    pub(crate) why: String,
    pub(crate) resource: &'static Resource,
    /// The whole object as it shall be, fit for a file.
    pub(crate) manifest: Object,
    /// Without what could be a secret.
    pub(crate) differences: Vec<Difference>,
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
    /// away that somebody else had written: a left-over `secretRef` would win over everything beside it.
    Patch(Value),
    /// Of an object that is ours.
    Delete(Object),
    /// Not at all: `by` would put it back. The manifest belongs where `by` reads it.
    WriteFile {
        by: String,
    },
}

impl StoreName {
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
    /// `ClusterSecretStore gcp`.
    pub(crate) fn object(&self) -> String {
        self.manifest.describe()
    }

    pub(crate) fn changes_something(&self) -> bool {
        self.doing != Doing::Nothing
    }

    /// What one must be allowed to do it.
    pub(crate) fn needs(&self) -> String {
        let namespace = Some(self.manifest.namespace()).filter(|namespace| !namespace.is_empty());
        let verb = match &self.doing {
            Doing::Nothing | Doing::WriteFile { .. } => return String::new(),
            Doing::Apply => "patch and create",
            Doing::Patch(_) => "patch",
            Doing::Delete(_) => "delete",
        };
        self.resource.right(verb, namespace, Some(self.manifest.name()))
    }
}

/// The name of the Role, and of its binding, that lets ESO mint tokens for one ServiceAccount.
pub(crate) fn role_name(workload: &ServiceAccount) -> String {
    format!("keyless-mint-{}", workload.name)
}

/// What must change, or why it cannot be done with what is installed.
pub(crate) fn plan(want: &Want<'_>, have: &Have<'_>) -> Result<Plan> {
    if let Some(namespace) = want.store.namespace().filter(|namespace| *namespace != want.workload.namespace)
    {
        return Err(Error::usage(
            "eso-namespace",
            format!("a SecretStore of `{namespace}` cannot use the ServiceAccount {}", want.workload),
        )
        .hint("ESO ignores the namespace there: name a ServiceAccount of the store's own, or use a ClusterSecretStore"));
    }
    let mut warnings = Vec::new();
    let impersonation = login::capable(want, have, &mut warnings)?;
    let mut objects = vec![account(want, have, &impersonation)];
    if have.controller.is_none_or(|controller| controller.minting != Look::Seen(Minting::Every)) {
        match have.controller {
            Some(controller) => objects.extend(minting(want, have, controller)),
            None => warnings.push(Warning::new(
                "eso-controller-unknown",
                format!(
                    "whether External Secrets Operator may mint tokens for {} is not known, because its Deployment was not found",
                    want.workload
                ),
            )),
        }
    }
    objects.push(store(want, have, &impersonation, &mut warnings)?);
    Ok(Plan { objects, warnings })
}

fn new(resource: &'static Resource, manifest: Value, why: String) -> Planned {
    Planned {
        verb: Verb::Create,
        why,
        resource,
        manifest: Object(manifest),
        differences: Vec::new(),
        seen: None,
        doing: Doing::Apply,
    }
}

/// Compares an object that exists; `members` are the parts of it that are ours to settle.
fn existing(
    resource: &'static Resource,
    have: &Object,
    manifest: Value,
    why: String,
    members: &[&str],
) -> Planned {
    let part = |object: &Value| -> Map<String, Value> {
        members.iter().filter_map(|name| Some(((*name).to_owned(), object.get(*name)?.clone()))).collect()
    };
    let (now, then) = (Value::Object(part(&have.0)), Value::Object(part(&manifest)));
    let differences = differences(&now, &then);
    let (verb, doing) = if now == then {
        (Verb::Leave, Doing::Nothing)
    } else if let Some(Manager::PutsBack { by }) = manager(have) {
        (Verb::Leave, Doing::WriteFile { by })
    } else {
        let mut patch = merge_patch(&now, &then);
        patch["metadata"]["resourceVersion"] = json!(have.text("/metadata/resourceVersion"));
        (Verb::Update, Doing::Patch(patch))
    };
    let why = match &doing {
        Doing::WriteFile { by } => format!("{by} keeps it: change it where {by} reads it"),
        Doing::Nothing => "it is as it should be".into(),
        _ => why,
    };
    Planned { verb, why, resource, manifest: Object(manifest), differences, seen: Some(have.clone()), doing }
}

fn account(want: &Want<'_>, have: &Have<'_>, impersonation: &login::Impersonation) -> Planned {
    let why = "the identity that the store logs in with".to_owned();
    let annotation = impersonation.annotation();
    let Some(account) = have.account else {
        let mut manifest = json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {
                "name": want.workload.name,
                "namespace": want.workload.namespace,
                "labels": { MANAGED_BY.0: MANAGED_BY.1 },
            },
            // No pod runs as it: nothing needs its token mounted.
            "automountServiceAccountToken": false,
        });
        if let Some(email) = annotation {
            manifest["metadata"]["annotations"] = json!({ IMPERSONATION_ANNOTATION: email });
        }
        return new(&SERVICE_ACCOUNTS, manifest, why);
    };
    let mut manifest = for_file(account);
    let now = account.annotation(IMPERSONATION_ANNOTATION);
    let settled = now == annotation || (annotation.is_none() && !account.is_ours());
    let (verb, differences, doing) = if settled {
        (Verb::Leave, Vec::new(), Doing::Nothing)
    } else {
        // `null`, if it shall go.
        manifest["metadata"]["annotations"][IMPERSONATION_ANNOTATION] = json!(annotation);
        let difference = Difference {
            field: format!("metadata.annotations.{IMPERSONATION_ANNOTATION}"),
            have: now.unwrap_or_default().to_owned(),
            want: annotation.unwrap_or_default().to_owned(),
        };
        let (verb, doing) = match manager(account) {
            Some(Manager::PutsBack { by }) => (Verb::Leave, Doing::WriteFile { by }),
            _ => (
                Verb::Update,
                Doing::Patch(json!({ "metadata": {
                    "annotations": { IMPERSONATION_ANNOTATION: annotation },
                    "resourceVersion": account.text("/metadata/resourceVersion"),
                }})),
            ),
        };
        (verb, vec![difference], doing)
    };
    let seen = Some(account.clone());
    Planned { verb, why, resource: &SERVICE_ACCOUNTS, manifest: Object(manifest), differences, seen, doing }
}

fn minting(want: &Want<'_>, have: &Have<'_>, controller: &Controller) -> [Planned; 2] {
    let metadata = json!({
        "name": role_name(want.workload),
        "namespace": want.workload.namespace,
        "labels": { MANAGED_BY.0: MANAGED_BY.1 },
    });
    let role = json!({
        "apiVersion": ROLES.api_version(),
        "kind": ROLES.kind,
        "metadata": metadata,
        "rules": [{
            "apiGroups": [""],
            "resources": ["serviceaccounts/token"],
            "resourceNames": [want.workload.name],
            "verbs": ["create"],
        }],
    });
    let binding = json!({
        "apiVersion": ROLE_BINDINGS.api_version(),
        "kind": ROLE_BINDINGS.kind,
        "metadata": metadata,
        "roleRef": { "apiGroup": ROLES.group, "kind": ROLES.kind, "name": role_name(want.workload) },
        "subjects": [{
            "kind": "ServiceAccount",
            "name": controller.service_account.name,
            "namespace": controller.service_account.namespace,
        }],
    });
    // Where the operator may mint every token already, this is not reached.
    let why = format!("a token of {} may be minted by whoever is bound to it", want.workload);
    let bound = format!("binds External Secrets Operator ({}) to it", controller.service_account);
    [
        match have.role {
            Some(object) => existing(&ROLES, object, role, why, &["rules"]),
            None => new(&ROLES, role, why),
        },
        match have.role_binding {
            Some(object) => existing(&ROLE_BINDINGS, object, binding, bound, &["subjects"]),
            None => new(&ROLE_BINDINGS, binding, bound),
        },
    ]
}

fn store(
    want: &Want<'_>,
    have: &Have<'_>,
    impersonation: &login::Impersonation,
    warnings: &mut Vec<Warning>,
) -> Result<Planned> {
    let resource = want.store.resource();
    let old = have.store.and_then(|store| store.0.pointer("/spec/provider"));
    let provider = login::provider(want, old, impersonation);
    let planned = match have.store {
        Some(store) => {
            let mut manifest = for_file(store);
            manifest["apiVersion"] = json!(resource.api_version());
            manifest["spec"]["provider"] = provider;
            let why = "the one object that names the provider".to_owned();
            existing(resource, store, manifest, why, &["spec"])
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
            new(resource, manifest, "nothing reads the provider's secrets without it".into())
        }
    };
    // What a store has already is none of ours.
    let kept = have.store.map(|store| have.schema.unknown_fields(&store.0)).unwrap_or_default();
    let mut unknown = have.schema.unknown_fields(&planned.manifest.0);
    unknown.retain(|field| !kept.contains(field));
    if !unknown.is_empty() {
        return Err(Error::failed(
            "eso-field-missing",
            format!("the installed schema of {} does not have {}", resource.name(), unknown.join(", ")),
        )
        .hint("its custom resource definitions are older than its controller: upgrade them together"));
    }
    if let (Doing::Patch(_), Some(Manager::WritesAgain { by })) =
        (&planned.doing, have.store.and_then(manager))
    {
        warnings.push(Warning::new(
            "store-written-again",
            format!(
                "{} comes from {by}, whose next run would bring the old provider back: change it there too",
                planned.object()
            ),
        ));
    }
    Ok(planned)
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
