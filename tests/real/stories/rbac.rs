//! The manifests of `deploy/` on a real API server, and the rights of `deploy/base` one by one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::call::Ran;
use crate::check::{Checked, Failure, While, check, until};
use crate::kubernetes::{Login, write_kubeconfig};
use crate::world::World;

const DEPLOY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy");
const NAMESPACE: &str = "keyless-system";
/// Whom deploy/base/keyless.yaml has test tokens minted for.
pub(super) const PROBE: &str = "keyless-system/keyless-probe";
/// Lets every ServiceAccount of an ordinary cluster read the issuer URLs. What `deploy/` grants must
/// do without it: an administrator may have taken it away.
const DEFAULT_BINDING: &str = "system:service-account-issuer-discovery";

pub(crate) async fn play(world: &mut World) -> Checked {
    let world = &*world;
    world.published().await?;
    create_namespace(world).await?;
    for component in components()? {
        judge(world, Some(&component)).await?;
    }
    let items = apply(world, &judge(world, None).await?).await?;
    let Some(job) = items.iter().find(|item| item["kind"] == "CronJob") else {
        return Err(Failure("deploy/base has no CronJob".to_owned()));
    };
    let account = text(&job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["serviceAccountName"]);
    let binding = ["delete", "clusterrolebinding", DEFAULT_BINDING, "--ignore-not-found"];
    world.kubectl(&binding)?.run().await?.exits(0)?;

    let roles: Vec<&Value> =
        items.iter().filter(|item| item["kind"] == "Role" || item["kind"] == "ClusterRole").collect();
    check!(!roles.is_empty(), "deploy/base has neither a Role nor a ClusterRole");
    let namespace_of = |role: &Value| text(&role["metadata"]["namespace"]);
    for role in &roles {
        for right in rights(role) {
            allowed(world, &account, &right, &namespace_of(role), true).await?;
        }
    }
    publish(world, &account, PROBE).await?.exits(0).during("with the rights of deploy/base")?;
    let own = format!("{NAMESPACE}/{account}");
    let refused =
        publish(world, &account, &own).await?.exits(3).and_then(|ran| ran.says("serviceaccounts/token"));
    refused.during("minting a token of its own account")?;

    for role in roles {
        let rights = rights(role);
        for missing in 0..rights.len() {
            let mut fewer = rights.clone();
            let taken = fewer.remove(missing);
            let name = target(&taken);
            let doing = format!("without the right to {} {name}", text(&taken["verbs"][0]));
            replace(world, role, &fewer).await?;
            allowed(world, &account, &taken, &namespace_of(role), false).await.during(&doing)?;
            // Without the ledger the keys are published all the same; one that has not changed is not written.
            let is_ledger = taken["resources"][0] == "configmaps";
            let is_noticed = !is_ledger || taken["verbs"][0] == "get";
            let ran = publish(world, &account, PROBE).await?.exits(if is_ledger { 0 } else { 3 });
            ran.and_then(|ran| if is_noticed { ran.says(&name) } else { Ok(ran) }).during(&doing)?;
            replace(world, role, &rights).await?;
            allowed(world, &account, &taken, &namespace_of(role), true).await?;
        }
    }
    Ok(())
}

/// Applies `deploy/base`.
pub(super) async fn install(world: &World) -> Checked {
    create_namespace(world).await?;
    apply(world, &judge(world, None).await?).await?;
    Ok(())
}

/// Applies `deploy/base` with the Deployment of `deploy/deployment`.
pub(super) async fn install_deployment(world: &World) -> Checked {
    create_namespace(world).await?;
    let component = Path::new(DEPLOY).join("deployment").canonicalize().during("deploy/deployment")?;
    apply(world, &judge(world, Some(&component)).await?).await?;
    Ok(())
}

async fn create_namespace(world: &World) -> Checked {
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": NAMESPACE,
        // The API server warns of every pod that the strictest of its profiles would refuse.
        "labels": {"pod-security.kubernetes.io/warn": "restricted"},
    }});
    let file = world.folder.join("namespace.json");
    fs::write(&file, namespace.to_string())?;
    world.kubectl(&["apply", "-f", &file.display().to_string()])?.run().await?.exits(0)?;
    Ok(())
}

/// The kustomize components beside the base: what a user adds for one provider.
fn components() -> Checked<Vec<PathBuf>> {
    let mut components = Vec::new();
    for entry in fs::read_dir(DEPLOY).during("reading deploy/")? {
        let folder = entry?.path();
        let kustomization = fs::read_to_string(folder.join("kustomization.yaml")).unwrap_or_default();
        if kustomization.contains("kind: Component") {
            components.push(folder.canonicalize()?);
        }
    }
    Ok(components)
}

/// Has the API server judge the base, with a component or without; returns the rendered manifests.
async fn judge(world: &World, component: Option<&Path>) -> Checked<PathBuf> {
    let folder = world.folder.canonicalize()?.join("kustomization");
    fs::create_dir_all(&folder)?;
    // kustomize takes folders by relative path only.
    let up = "../".repeat(folder.components().count() - 1);
    let relative = |folder: &Path| format!("{up}{}", folder.display().to_string().trim_start_matches('/'));
    let base = Path::new(DEPLOY).join("base").canonicalize().during("deploy/base")?;
    let mut kustomization = json!({"resources": [relative(&base)]});
    let name = match component {
        Some(component) => {
            kustomization["components"] = json!([relative(component)]);
            format!("deploy/base with {}", component.display())
        }
        None => "deploy/base".to_owned(),
    };
    fs::write(folder.join("kustomization.yaml"), kustomization.to_string())?;
    let rendered = world.kubectl(&["kustomize", &folder.display().to_string()])?.run().await?.exits(0)?;

    let manifests = world.folder.join("manifests.yaml");
    fs::write(&manifests, &rendered.stdout)?;
    let file = manifests.display().to_string();
    let dry_run = ["apply", "--dry-run=server", "--validate=strict", "-f", &file];
    let judged = world.kubectl(&dry_run)?.run().await?.exits(0).during(&name)?;
    check!(!judged.stderr.contains("Warning"), "the API server warns of {name}\n{judged}");
    Ok(manifests)
}

/// Applies the manifests and returns them as the API server holds them.
async fn apply(world: &World, manifests: &Path) -> Checked<Vec<Value>> {
    let file = manifests.display().to_string();
    world.kubectl(&["apply", "-f", &file])?.run().await?.exits(0)?;
    let held = world.kubectl(&["get", "-f", &file, "-o", "json"])?.run().await?.exits(0)?;
    let held: Value = serde_json::from_str(&held.stdout)?;
    Ok(held["items"].as_array().cloned().unwrap_or_default())
}

/// `keyless publish` with the rights of the CronJob's ServiceAccount and no other, its test tokens minted for another.
async fn publish(world: &World, account: &str, probe: &str) -> Checked<Ran> {
    let account = format!("{NAMESPACE}/{account}");
    publish_with(world, &world.servers()?[0].token(&account, &[]).await?, probe).await
}

/// The same by a token of that ServiceAccount.
pub(super) async fn publish_with(world: &World, token: &str, probe: &str) -> Checked<Ran> {
    let (settings, kubeconfig) = files_of(world, token).await?;
    let settings = settings.display().to_string();
    world
        .publish(&["--config", &settings, "--service-account", probe])?
        .with("KUBECONFIG", kubeconfig)
        .run()
        .await
}

/// The settings and the kubeconfig of a publisher with this token.
pub(super) async fn files_of(world: &World, token: &str) -> Checked<(PathBuf, PathBuf)> {
    let system = ["get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"];
    let uid = world.kubectl(&system)?.run().await?.exits(0)?.stdout;
    let settings = world.folder.join("keyless-of-the-cronjob.yaml");
    fs::write(&settings, format!("apiVersion: keyless/v1\ncluster:\n  uid: {}\n", uid.trim()))?;
    let kubeconfig = world.folder.join("kubeconfig-of-the-cronjob");
    write_kubeconfig(&kubeconfig, &world.servers()?[0].url(""), &world.pki, Login::Token(token))?;
    Ok((settings, kubeconfig))
}

/// A role's rules as one rule for each single right: one verb on one URL or resource.
fn rights(role: &Value) -> Vec<Value> {
    let mut rights = Vec::new();
    for rule in list(&role["rules"]) {
        for field in ["nonResourceURLs", "resources"] {
            for target in list(&rule[field]) {
                for verb in list(&rule["verbs"]) {
                    let mut right = rule.clone();
                    right[field] = json!([target]);
                    right["verbs"] = json!([verb]);
                    rights.push(right);
                }
            }
        }
    }
    rights
}

/// What a right is about, as an error must name it.
fn target(right: &Value) -> String {
    let url = text(&right["nonResourceURLs"][0]);
    if url.is_empty() { text(&right["resources"][0]) } else { url }
}

async fn replace(world: &World, role: &Value, rules: &[Value]) -> Checked {
    let metadata = &role["metadata"];
    let object = json!({
        "apiVersion": role["apiVersion"],
        "kind": role["kind"],
        // With what kubectl noted on it: it is applied again by another story.
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"],
            "labels": metadata["labels"], "annotations": metadata["annotations"]},
        "rules": rules,
    });
    let file = world.folder.join("role.json");
    fs::write(&file, object.to_string())?;
    world.kubectl(&["replace", "-f", &file.display().to_string()])?.run().await?.exits(0)?;
    Ok(())
}

/// Waits until every API server has heard whether the account has this right.
async fn allowed(world: &World, account: &str, right: &Value, namespace: &str, yes: bool) -> Checked {
    let user = format!("system:serviceaccount:{NAMESPACE}:{account}");
    let groups = ["system:serviceaccounts", "system:serviceaccounts:keyless-system", "system:authenticated"];
    let mut spec = json!({"user": user, "groups": groups});
    let verb = &right["verbs"][0];
    if let Some(url) = right["nonResourceURLs"][0].as_str() {
        spec["nonResourceAttributes"] = json!({"path": url, "verb": verb});
    } else {
        let resource = text(&right["resources"][0]);
        let (resource, subresource) = resource.split_once('/').unwrap_or((&resource, ""));
        spec["resourceAttributes"] = json!({
            "group": right["apiGroups"][0],
            "resource": resource,
            "subresource": subresource,
            "name": right["resourceNames"][0],
            "namespace": namespace,
            "verb": verb,
        });
    }
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec,
    });
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    let what = format!("{user} to {} {}", if yes { "have" } else { "lack" }, target(right));
    until(what, Duration::from_secs(20), async || {
        for server in world.servers()? {
            let answer = server.post(path, &review).await?;
            check!(answer["status"]["allowed"] == yes, "{}: {}", server.settings.name, answer["status"]);
        }
        Ok(())
    })
    .await
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
