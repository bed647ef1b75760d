//! Planned objects against an API server that merges, validates and refuses as the real one does.

use lab::{Ca, Fault, SigningKey};
use serde_json::{Value, json};

use super::{Present, carry_out};
use crate::{
    cluster::{
        Cluster, ServiceAccount, Settings,
        objects::{ApplyOptions, Object},
        snapshot::CLUSTER_SECRET_STORES,
    },
    error::{Code, Error, Result},
    federation::{gcp::GoogleLogin, vault::VaultLogin},
    plan::Action,
    secret_store::{Doing, Given, Plan, Planned, StoreLogin, StoreName, Want, plan, withdraw},
};

const CRDS: &str = include_str!("../../tests/lab/fixtures/crds/eso-0.20.4-min.yaml");
const OLD: &str = include_str!("../../tests/lab/fixtures/crds/eso-0.19-min.yaml");

struct World {
    lab: lab::Cluster,
    cluster: Cluster,
    _dir: tempfile::TempDir,
}

async fn world(crds: &str) -> World {
    let dir = tempfile::TempDir::new().unwrap();
    let lab = lab::Cluster::start(&Ca::new(), 1, "https://oidc.lab.test", &SigningKey::rsa(2048));
    if !crds.is_empty() {
        lab.load_crds(crds);
    }
    lab.load_crds(include_str!("../../fixtures/audit/minting-power/good-by-name.yaml"));
    let settings = Settings { kubeconfig: Some(lab.kubeconfig(dir.path())), ..Settings::default() };
    let cluster = Cluster::connect(&settings).await.unwrap();
    World { lab, cluster, _dir: dir }
}

fn google() -> GoogleLogin {
    GoogleLogin {
        project_id: "acme-prod".into(),
        project_number: "123456789012".into(),
        audience: "//iam.googleapis.com/p".into(),
        token_audience: "https://iam.googleapis.com/p".into(),
        impersonate: None,
        location: None,
    }
}

fn vault() -> VaultLogin {
    VaultLogin {
        server: "https://bao.lab.test".into(),
        kv: "kv".into(),
        mount: "jwt".into(),
        role: "eso".into(),
        audience: "vault".into(),
        ca_pem: None,
        namespace: None,
    }
}

impl World {
    fn workload() -> ServiceAccount {
        ServiceAccount { namespace: "external-secrets".into(), name: "eso-reader".into() }
    }

    async fn present(&self) -> Result<Present> {
        let estate = self.cluster.estate().await?;
        Present::observe(&self.cluster, &estate, &StoreName::Cluster("main".into()), &Self::workload()).await
    }

    async fn withdraw(&self) -> Vec<Planned> {
        let (present, access) = (self.present().await.unwrap(), google());
        let have = present.have();
        withdraw(Given {
            store: have.store,
            account: have.account,
            role: have.role,
            role_binding: have.role_binding,
            workload: &Self::workload(),
            withdrawn: &[&access],
            other_users: Some(&[]),
        })
    }

    async fn plan(&self, login: &dyn StoreLogin) -> Result<Plan> {
        let (store, workload) = (StoreName::Cluster("main".into()), Self::workload());
        let want = Want { login, workload: &workload, store: &store, namespaces: &[] };
        plan(&want, &self.present().await?.have())
    }

    async fn bring_about(&self, login: &dyn StoreLogin) -> Result<()> {
        for planned in self.plan(login).await?.objects {
            carry_out(&self.cluster, &planned, false).await?;
        }
        Ok(())
    }

    fn store(&self) -> Value {
        self.lab.object("external-secrets.io/v1", "ClusterSecretStore", None, "main").unwrap_or_default()
    }

    fn with_key(&self) {
        self.lab.put_object(json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore",
            "metadata": { "name": "main" },
            "spec": {
                "conditions": [{ "namespaces": ["shop"] }],
                "provider": { "gcpsm": { "projectID": "acme-prod", "auth": { "secretRef": { "secretAccessKeySecretRef": { "name": "k", "namespace": "n", "key": "k" } } } } },
            },
        }));
    }
}

#[tokio::test]
async fn new_store_is_created_and_removed() {
    let world = world(CRDS).await;
    for planned in world.plan(&google()).await.unwrap().objects {
        carry_out(&world.cluster, &planned, true).await.unwrap();
    }
    assert_eq!(world.store(), Value::Null, "a dry run wrote");
    world.bring_about(&google()).await.unwrap();
    let store = world.store();
    assert_eq!(store["metadata"]["managedFields"][0]["manager"], "keyless", "{store}");
    assert!(
        store
            .pointer("/spec/provider/gcpsm/auth/workloadIdentityFederation/serviceAccountRef/audiences/0")
            .is_some(),
        "{store}"
    );
    for (version, kind, name) in [
        ("v1", "ServiceAccount", "eso-reader"),
        ("rbac.authorization.k8s.io/v1", "Role", "keyless-mint-eso-reader"),
        ("rbac.authorization.k8s.io/v1", "RoleBinding", "keyless-mint-eso-reader"),
    ] {
        assert!(world.lab.object(version, kind, Some("external-secrets"), name).is_some(), "{kind}");
    }
    let again = world.plan(&google()).await.unwrap();
    assert!(
        again
            .objects
            .iter()
            .all(|planned| planned.doing == Doing::Nothing && planned.step.action == Action::NoOp),
        "{again:?}"
    );

    for planned in world.withdraw().await {
        assert_eq!(planned.step.action, Action::Delete);
        assert!(carry_out(&world.cluster, &planned, false).await.unwrap());
        assert!(!carry_out(&world.cluster, &planned, false).await.unwrap(), "it is gone already");
    }
    assert_eq!(world.store(), Value::Null);
}

#[tokio::test]
async fn store_update_drops_leftover_key_only() {
    let world = world(CRDS).await;
    world.with_key();
    world.bring_about(&google()).await.unwrap();
    let store = world.store();
    let auth = store.pointer("/spec/provider/gcpsm/auth").unwrap().as_object().unwrap();
    assert_eq!(auth.keys().collect::<Vec<_>>(), ["workloadIdentityFederation"], "{store}");
    assert_eq!(store["spec"]["conditions"], json!([{ "namespaces": ["shop"] }]));
    assert!(store["metadata"]["labels"].is_null());
    world.bring_about(&vault()).await.unwrap();
    let provider = world.store()["spec"]["provider"].clone();
    assert_eq!(provider.as_object().unwrap().keys().collect::<Vec<_>>(), ["vault"], "{provider}");
    world.bring_about(&google()).await.unwrap();
    assert_eq!(world.store()["spec"], store["spec"], "there and back is the same");
    let store = world.withdraw().await.remove(0);
    assert_eq!((store.step.action, store.doing), (Action::NoOp, Doing::Nothing));
}

#[tokio::test]
async fn what_changed_meanwhile_is_not_overwritten() {
    let world = world(CRDS).await;
    world.with_key();
    let plan = world.plan(&google()).await.unwrap();
    let mut changed = world.store();
    changed["metadata"]["labels"] = json!({ "team": "a" });
    world.lab.put_object(changed);
    let error = carry_out(&world.cluster, plan.objects.last().unwrap(), false).await.unwrap_err();
    assert_eq!(error.code, Code::ApplyRaced, "{error}");
    assert!(world.store().pointer("/spec/provider/gcpsm/auth/secretRef").is_some());
}

/// The operator writes the store's status every few minutes, and a plan may be looked at for longer.
#[tokio::test]
async fn controller_status_update_is_no_conflict() {
    let world = world(CRDS).await;
    world.with_key();
    let plan = world.plan(&google()).await.unwrap();
    let mut noted = world.store();
    noted["status"] = json!({ "capabilities": "ReadWrite" });
    world.lab.put_object(noted);
    assert!(carry_out(&world.cluster, plan.objects.last().unwrap(), false).await.unwrap());
    assert!(world.store().pointer("/spec/provider/gcpsm/auth/secretRef").is_none());
}

#[tokio::test]
async fn conflicting_manager_or_field_is_named() {
    let world = world(CRDS).await;
    world.bring_about(&google()).await.unwrap();
    let manifest = |project: &str| {
        json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore", "metadata": { "name": "main" },
            "spec": { "provider": { "gcpsm": { "projectID": project } } },
        })
    };
    let mut theirs = world.store();
    theirs["metadata"]["managedFields"][0]["manager"] = json!("argocd-controller");
    world.lab.remove_object("external-secrets.io/v1", "ClusterSecretStore", None, "main");
    world.lab.put_object(theirs);
    let options = ApplyOptions::default();
    let error = world.cluster.apply(&CLUSTER_SECRET_STORES, &manifest("other"), options).await.unwrap_err();
    assert_eq!(error.code, Code::ApplyConflict, "{error}");
    assert!(error.to_string().contains("argocd-controller") && error.hints[0].contains("Argo CD"), "{error}");
    let options = ApplyOptions { force: true, ..options };
    world.cluster.apply(&CLUSTER_SECRET_STORES, &manifest("other"), options).await.unwrap();
    assert_eq!(world.store()["spec"]["provider"]["gcpsm"]["projectID"], "other");

    let mut unknown = manifest("other");
    unknown["spec"]["provider"]["gcpsm"]["brandnew"] = json!("x");
    let error = world.cluster.apply(&CLUSTER_SECRET_STORES, &unknown, options).await.unwrap_err();
    assert_eq!(error.code, Code::ApplyInvalid, "{error}");
    assert!(error.to_string().contains("brandnew"), "{error}");
}

#[tokio::test]
async fn later_object_is_not_deleted() {
    let world = world(CRDS).await;
    world.bring_about(&google()).await.unwrap();
    let mut old = Object(world.store());
    old.0["metadata"]["uid"] = json!("00000000-0000-0000-0000-000000000000");
    let error = world.cluster.delete_object(&CLUSTER_SECRET_STORES, &old).await.unwrap_err();
    assert_eq!(error.code, Code::ClusterConflict, "{error}");
    assert!(!world.store().is_null());
}

#[tokio::test]
async fn each_missing_right_is_named() {
    for (verb, resource, right) in [
        (
            "patch",
            "clustersecretstores.external-secrets.io",
            "patch and create clustersecretstores.external-secrets.io `main`",
        ),
        (
            "patch",
            "serviceaccounts",
            "patch and create serviceaccounts `eso-reader` in the namespace `external-secrets`",
        ),
        (
            "patch",
            "roles.rbac.authorization.k8s.io",
            "patch and create roles.rbac.authorization.k8s.io `keyless-mint-eso-reader`",
        ),
        (
            "get",
            "customresourcedefinitions.apiextensions.k8s.io",
            "get customresourcedefinitions.apiextensions.k8s.io `clustersecretstores.external-secrets.io`",
        ),
    ] {
        let world = world(CRDS).await;
        world.lab.deny("admin", verb, resource);
        let error: Error = world.bring_about(&google()).await.unwrap_err();
        assert_eq!(error.code, Code::ClusterForbidden, "{error}");
        assert!(error.to_string().contains(right), "{error}");
    }
}

#[tokio::test]
async fn absent_and_too_old() {
    assert_eq!(world("").await.plan(&google()).await.unwrap_err().code, Code::EsoMissing);
    assert_eq!(world(OLD).await.plan(&google()).await.unwrap_err().code, Code::EsoTooOld);
}

#[tokio::test]
async fn constantly_changing_list_is_unseen() {
    let world = world(CRDS).await;
    let path = "/apis/external-secrets.io/v1/clustersecretstores";
    let gone = Fault::answer(
        410,
        "application/json",
        r#"{"kind":"Status","message":"The provided continue parameter is too old"}"#,
    );
    world.lab.server(0).faults().always("GET", path, gone);
    let estate = world.cluster.estate().await.unwrap();
    assert!(
        estate.unseen.iter().any(|unseen| unseen.what == "clustersecretstores.external-secrets.io"),
        "{estate:?}"
    );
}
