use serde_json::{Value, json};

use super::*;
use crate::{
    cluster::{
        ServiceAccount,
        objects::{Look, Object},
        snapshot::{Class, Container, Controller, Minting, StoreSchema, Version, tests::objects},
    },
    error::Code,
    federation::{gcp::GoogleLogin, vault::VaultLogin},
    plan::{Action, Gate},
};

pub(super) const CURRENT: &str = include_str!("../../tests/lab/fixtures/crds/eso-2.5-min.yaml");
const FIRST: &str = include_str!("../../tests/lab/fixtures/crds/eso-0.20.4-min.yaml");
const OLD: &str = include_str!("../../tests/lab/fixtures/crds/eso-0.19-min.yaml");

fn schema(text: &str, plural: &str) -> StoreSchema {
    let name = format!("{plural}.external-secrets.io");
    StoreSchema::of(objects(text).iter().find(|object| object.name() == name).unwrap())
}

pub(super) fn google() -> GoogleLogin {
    let provider = "iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/keyless-lab/providers/cluster";
    GoogleLogin {
        project_id: "acme-prod".into(),
        project_number: "123456789012".into(),
        audience: format!("//{provider}"),
        token_audience: format!("https://{provider}"),
        impersonate: None,
        location: None,
    }
}

fn acting_as(email: &str) -> GoogleLogin {
    GoogleLogin { impersonate: Some(email.to_owned()), ..google() }
}

pub(super) fn vault(audience: &str) -> VaultLogin {
    VaultLogin {
        server: "https://bao.lab.test:8200".into(),
        kv: "kv".into(),
        mount: "k3s".into(),
        role: "eso".into(),
        audience: audience.into(),
        ca_pem: Some("-----BEGIN CERTIFICATE-----".into()),
        namespace: None,
    }
}

pub(super) fn controller(version: Option<Version>, minting: Minting) -> Controller {
    Controller {
        kind: "Deployment".into(),
        namespace: "external-secrets".into(),
        name: "external-secrets".into(),
        service_account: ServiceAccount {
            namespace: "external-secrets".into(),
            name: "external-secrets".into(),
        },
        version,
        image: String::new(),
        flags: Vec::new(),
        class: Class::Named("default".into()),
        scope: None,
        container: Container::default(),
        beside: Vec::new(),
        minting: Look::Seen(minting),
        installed: Look::Seen(true),
    }
}

/// A store as a user wrote it, with a key.
pub(super) fn with_key() -> Object {
    Object(json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore",
        "metadata": { "name": "main", "resourceVersion": "7", "uid": "u", "labels": { "team": "a" } },
        "spec": {
            "conditions": [{ "namespaces": ["shop"] }],
            "refreshInterval": 60,
            "controller": "prod",
            "retrySettings": { "maxRetries": 5 },
            "provider": { "gcpsm": {
                "projectID": "acme-prod",
                "location": "europe-west3",
                "auth": { "secretRef": { "secretAccessKeySecretRef": { "name": "gcp-key", "namespace": "external-secrets", "key": "key.json" } } },
            }},
        },
        "status": { "conditions": [{ "type": "Ready", "status": "True" }] },
    }))
}

pub(super) struct Case {
    pub(super) login: Box<dyn StoreLogin>,
    store: StoreName,
    schema: StoreSchema,
    pub(super) controller: Option<Controller>,
    have: Option<Object>,
    pub(super) account: Option<Object>,
    pub(super) role: Option<Object>,
    pub(super) role_binding: Option<Object>,
    namespaces: Vec<String>,
}

impl Case {
    pub(super) fn new(login: impl StoreLogin + 'static, crds: &str, version: Version) -> Self {
        Self {
            login: Box::new(login),
            store: StoreName::Cluster("main".into()),
            schema: schema(crds, "clustersecretstores"),
            controller: Some(controller(Some(version), Minting::Every)),
            have: None,
            account: None,
            role: None,
            role_binding: None,
            namespaces: Vec::new(),
        }
    }

    pub(super) fn plan(&self) -> crate::error::Result<Plan> {
        let workload = ServiceAccount { namespace: "external-secrets".into(), name: "eso-reader".into() };
        let want = Want {
            login: self.login.as_ref(),
            workload: &workload,
            store: &self.store,
            namespaces: &self.namespaces,
        };
        let have = Have {
            schema: &self.schema,
            controller: self.controller.as_ref(),
            store: self.have.as_ref(),
            account: self.account.as_ref(),
            role: self.role.as_ref(),
            role_binding: self.role_binding.as_ref(),
        };
        plan(&want, &have)
    }

    pub(super) fn planned(&self, kind: &str) -> Planned {
        let plan = self.plan().unwrap();
        plan.objects.into_iter().find(|planned| planned.manifest.kind() == kind).unwrap()
    }

    pub(super) fn store(&self) -> Planned {
        self.planned(if self.store.is_cluster() { "ClusterSecretStore" } else { "SecretStore" })
    }

    fn code(&self) -> Code {
        self.plan().unwrap_err().code
    }
}

pub(super) fn at<'a>(object: &'a Object, pointer: &str) -> &'a Value {
    object.0.pointer(pointer).unwrap_or(&Value::Null)
}

const FEDERATION: &str = "/spec/provider/gcpsm/auth/workloadIdentityFederation";

#[test]
fn new_google_store_names_both_audiences() {
    let mut case = Case::new(google(), FIRST, Version(0, 20, 4));
    case.namespaces = vec!["shop".into()];
    let planned = case.store();
    let store = &planned.manifest;
    assert_eq!((planned.step.action, &planned.doing), (Action::Create, &Doing::Apply));
    assert!(
        at(store, &format!("{FEDERATION}/audience")).as_str().unwrap().starts_with("//iam.googleapis.com/")
    );
    let account = at(store, &format!("{FEDERATION}/serviceAccountRef"));
    assert_eq!((&account["name"], &account["namespace"]), (&json!("eso-reader"), &json!("external-secrets")));
    assert_eq!(account["audiences"].as_array().unwrap().len(), 1);
    assert!(account["audiences"][0].as_str().unwrap().starts_with("https://iam.googleapis.com/"));
    assert_eq!(at(store, "/spec/conditions/0/namespaces/0"), "shop");
    assert!(store.is_ours());
    assert!(case.planned("ServiceAccount").manifest.is_ours());
    assert!(
        planned.step.needs().contains("clustersecretstores.external-secrets.io `main`"),
        "{}",
        planned.step.needs()
    );
}

#[test]
fn existing_store_changes_only_its_login() {
    let mut case = Case::new(google(), FIRST, Version(0, 20, 4));
    case.have = Some(with_key());
    let planned = case.store();
    let Doing::Patch(patch) = &planned.doing else { panic!("{planned:?}") };
    assert_eq!(patch["spec"]["provider"]["gcpsm"]["auth"]["secretRef"], Value::Null);
    assert!(
        patch.pointer("/spec/provider/gcpsm/auth").unwrap().as_object().unwrap().contains_key("secretRef")
    );
    assert_eq!(patch["metadata"]["resourceVersion"], "7");
    for kept in ["conditions", "refreshInterval", "controller", "retrySettings"] {
        assert!(patch["spec"].get(kept).is_none(), "{patch}");
        assert_eq!(planned.manifest.0["spec"][kept], with_key().0["spec"][kept]);
    }
    assert_eq!(at(&planned.manifest, "/spec/provider/gcpsm/location"), "europe-west3");
    // It is the user's, and stays so.
    assert!(!planned.manifest.is_ours());
    assert_eq!(planned.manifest.label("team"), Some("a"));
    assert!(planned.manifest.0.get("status").is_none());
    let fields: Vec<_> = planned.step.fields.iter().map(|it| it.path.as_str()).collect();
    assert!(
        fields.contains(&"spec.provider.gcpsm.auth.secretRef.secretAccessKeySecretRef.name"),
        "{fields:?}"
    );
    let audience = planned.step.fields.iter().find(|it| it.path.ends_with("Federation.audience")).unwrap();
    let after = audience.after.as_ref().and_then(Value::as_str).unwrap();
    assert!(audience.before.is_none() && after.starts_with("//iam"), "{audience:?}");

    // And once it is so, there is nothing to do.
    case.have = Some(planned.manifest);
    let planned = case.store();
    assert_eq!(
        (planned.step.action, &planned.doing, planned.step.fields.len()),
        (Action::NoOp, &Doing::Nothing, 0)
    );
}

#[test]
fn the_swap_is_one_object() {
    let mut case = Case::new(vault("vault"), FIRST, Version(0, 20, 4));
    case.have = Some(with_key());
    let planned = case.store();
    let Doing::Patch(patch) = &planned.doing else { panic!("{planned:?}") };
    assert_eq!(patch["spec"].as_object().unwrap().keys().collect::<Vec<_>>(), ["provider"]);
    assert!(patch["spec"]["provider"]["gcpsm"].is_null());
    let jwt = at(&planned.manifest, "/spec/provider/vault/auth/jwt");
    assert_eq!((&jwt["path"], &jwt["role"]), (&json!("k3s"), &json!("eso")));
    let token = &jwt["kubernetesServiceAccountToken"];
    // ESO adds `vault` to this list: with nothing here it is the only audience.
    assert!(
        token["serviceAccountRef"].get("audiences").is_none() && token.get("audiences").is_none(),
        "{token}"
    );
    assert_eq!(at(&planned.manifest, "/spec/provider/vault/version"), "v2");
    assert!(at(&planned.manifest, "/spec/provider/vault/caBundle").is_string());

    let public = VaultLogin { ca_pem: None, ..vault("vault") };
    let store = Case::new(public, FIRST, Version(0, 20, 4)).store().manifest;
    assert!(
        at(&store, "/spec/provider/vault/caBundle").is_null(),
        "with a public certificate, none is named"
    );

    let case = Case::new(vault("bao.lab.test"), FIRST, Version(0, 20, 4));
    let token = "/spec/provider/vault/auth/jwt/kubernetesServiceAccountToken";
    assert_eq!(at(&case.store().manifest, token)["audiences"], json!(["bao.lab.test"]));
}

#[test]
fn vault_store_names_its_vault_namespace() {
    let named = |name: Option<&str>| VaultLogin { namespace: name.map(str::to_owned), ..vault("vault") };
    let mut case = Case::new(named(Some("team/prod")), FIRST, Version(0, 20, 4));
    let provider = at(&case.store().manifest, "/spec/provider/vault").clone();
    assert_eq!(provider["namespace"], "team/prod");
    assert!(provider["auth"].get("namespace").is_none(), "it follows: {provider}");

    // A store that logs in, or reads, elsewhere is brought along.
    let mut store = case.store().manifest;
    store.0["spec"]["provider"]["vault"]["auth"]["namespace"] = json!("admin");
    case.have = Some(store.clone());
    let fields: Vec<_> = case.store().step.fields.into_iter().map(|it| it.path).collect();
    assert_eq!(fields, ["spec.provider.vault.auth.namespace"]);
    case.login = Box::new(named(None));
    let provider = at(&case.store().manifest, "/spec/provider/vault").clone();
    assert!(provider.get("namespace").is_none(), "{provider}");

    let without = FIRST.replace("                      namespace: {type: string}\n", "");
    assert_ne!(without, FIRST);
    let mut case = Case::new(named(Some("team")), &without, Version(0, 20, 4));
    assert_eq!(case.code(), Code::EsoFieldMissing);
    case.login = Box::new(named(None));
    assert!(case.plan().is_ok());
}

#[test]
fn namespaced_store_uses_its_own_account() {
    let mut case = Case::new(google(), FIRST, Version(0, 20, 4));
    case.schema = schema(FIRST, "secretstores");
    case.store = StoreName::Namespaced { namespace: "external-secrets".into(), name: "main".into() };
    let store = case.store().manifest;
    assert!(at(&store, &format!("{FEDERATION}/serviceAccountRef/namespace")).is_null());
    assert_eq!(store.namespace(), "external-secrets");
    case.store = StoreName::Namespaced { namespace: "shop".into(), name: "main".into() };
    assert_eq!(case.code(), Code::EsoNamespace);
}

#[test]
fn too_old_version_names_required_one() {
    for case in [
        Case::new(google(), OLD, Version(0, 19, 2)),
        Case::new(google(), FIRST, Version(0, 20, 1)),
        Case::new(google(), OLD, Version(0, 20, 4)),
    ] {
        let error = case.plan().unwrap_err();
        assert_eq!(error.code, Code::EsoTooOld);
        assert!(error.hints.join(" ").contains("0.20.2"), "{error}");
    }
    assert!(Case::new(vault("vault"), OLD, Version(0, 19, 2)).plan().is_ok());
    let error =
        Case::new(acting_as("a@b.iam.gserviceaccount.com"), FIRST, Version(0, 20, 4)).plan().unwrap_err();
    assert_eq!(error.code, Code::EsoTooOld);
    assert!(error.to_string().contains("2.5.0") && error.to_string().contains("2.3.0"), "{error}");
}

#[test]
fn impersonation_by_field_or_by_annotation() {
    let email = "reader@acme-prod.iam.gserviceaccount.com";
    let case = Case::new(acting_as(email), CURRENT, Version(2, 5, 0));
    assert_eq!(at(&case.store().manifest, &format!("{FEDERATION}/gcpServiceAccountEmail")), email);
    assert_eq!(case.planned("ServiceAccount").manifest.annotation("iam.gke.io/gcp-service-account"), None);
    // The schema lacks the field, but the controller obeys the annotation.
    let mut case = Case::new(acting_as(email), FIRST, Version(2, 3, 0));
    assert!(at(&case.store().manifest, &format!("{FEDERATION}/gcpServiceAccountEmail")).is_null());
    assert_eq!(
        case.planned("ServiceAccount").manifest.annotation("iam.gke.io/gcp-service-account"),
        Some(email)
    );
    case.account = Some(Object(
        json!({ "kind": "ServiceAccount", "metadata": { "name": "eso-reader", "namespace": "external-secrets", "resourceVersion": "3" } }),
    ));
    let planned = case.planned("ServiceAccount");
    assert_eq!(planned.step.action, Action::Update);
    assert!(
        matches!(&planned.doing, Doing::Patch(patch) if patch["metadata"]["resourceVersion"] == "3"),
        "{planned:?}"
    );
    assert!(!planned.manifest.is_ours());
}

#[test]
fn accidental_impersonation_annotation_is_refused() {
    let annotated = Object(json!({ "kind": "ServiceAccount", "metadata": {
        "name": "eso-reader", "namespace": "external-secrets",
        "annotations": { "iam.gke.io/gcp-service-account": "old@acme-prod.iam.gserviceaccount.com" },
    }}));
    let mut case = Case::new(google(), CURRENT, Version(2, 5, 0));
    // From an earlier plan of ours it is taken away again.
    let mut ours = annotated.clone();
    ours.0["metadata"]["labels"] = json!({ "app.kubernetes.io/managed-by": "keyless" });
    case.account = Some(ours);
    let planned = case.planned("ServiceAccount");
    assert!(
        matches!(&planned.doing, Doing::Patch(patch) if patch["metadata"]["annotations"]["iam.gke.io/gcp-service-account"].is_null())
    );
    case.account = Some(annotated.clone());
    let error = case.plan().unwrap_err();
    assert_eq!(error.code, Code::EsoImpersonationAnnotation);
    assert!(
        error.hints[0].starts_with("kubectl annotate serviceaccount -n external-secrets eso-reader"),
        "{error}"
    );
    let mut case = Case::new(google(), FIRST, Version(0, 20, 4));
    case.account = Some(annotated);
    assert_eq!(case.plan().unwrap().warnings[0].code, Code::EsoImpersonationAnnotation);
}

#[test]
fn store_reset_by_argo_becomes_file() {
    let mut case = Case::new(google(), CURRENT, Version(2, 5, 0));
    let mut store = with_key();
    store.0["metadata"]["annotations"] = json!({ "argocd.argoproj.io/tracking-id": "platform:x/y:z" });
    case.have = Some(store);
    let planned = case.store();
    assert!(matches!(&planned.doing, Doing::WriteFile { by } if by.contains("Argo CD")), "{planned:?}");
    assert!(!planned.step.fields.is_empty() && planned.step.gate == Some(Gate::AtItsSource));
    assert!(at(&planned.manifest, FEDERATION).is_object());
    let mut store = with_key();
    store.0["metadata"]["annotations"] = json!({ "kubectl.kubernetes.io/last-applied-configuration": "{}" });
    case.have = Some(store);
    assert_eq!(case.plan().unwrap().warnings[0].code, Code::StoreWrittenAgain);
    assert!(case.store().manifest.annotation("kubectl.kubernetes.io/last-applied-configuration").is_none());
}

#[test]
fn possible_secret_in_difference_is_hidden() {
    let mut case = Case::new(google(), CURRENT, Version(2, 5, 0));
    let mut store = with_key();
    store.0["spec"]["provider"] = json!({ "scaleway": { "secretKey": { "value": "CANARY" } } });
    case.have = Some(store.clone());
    let shown = format!("{:?}", case.store().step.fields);
    assert!(!shown.contains("CANARY") && shown.contains("scaleway.secretKey.value"), "{shown}");
    store.0["spec"]["provider"] = json!({ "vault": { "server": "https://x", "headers": { "X": "CANARY" } } });
    case.have = Some(store);
    assert!(!format!("{:?}", case.store()).contains("CANARY"), "{:?}", case.store());
}
