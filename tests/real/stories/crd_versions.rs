//! A cluster on its way from one version of the custom resources to the next: whatever is served, everything is read, what
//! cannot be written is not tried, and what is written keeps what only the later version knows.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::setting::{KEY_SECRET, Mode, POOL, SECRET, SHOP, STORE, Setting, configure};
use crate::check::{Checked, While, check, until};
use crate::eso::{self, account, external_secret, namespace, store};
use crate::google::{self, PROJECT};
use crate::kubernetes::ApiServer;
use crate::world::World;

const GROUP: &str = "/apis/external-secrets.io";
const DEFINITIONS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const STORES: [&str; 2] = ["clustersecretstores", "secretstores"];
/// An ExternalSecret that is still written by the earlier version.
const EARLIER: &str = "earlier";
const ACCOUNT: &str = "eso-of-earlier";

pub(crate) async fn play(world: &mut World) -> Checked {
    let world = &*world;
    let config = configure(world, Mode::Uploaded)?;
    let setting = Setting { world, mode: Mode::Uploaded, config: &config };
    // One pool belongs to one cluster, and Google keeps the name of a deleted one.
    let of_other = world.folder.join("keyless-upgraded.yaml");
    fs::write(&of_other, fs::read_to_string(&config)?.replace(POOL, "keyless-upgraded"))?;
    let other = Setting { world, mode: Mode::Uploaded, config: &of_other };
    upgrade(&other).await.during("without an operator")?;

    let before = definitions(&world.servers()?[0]).await?;
    serve_both(world, &before).await?;
    let played = both_served(&setting).await.during("with both versions served");
    // Whatever came of it: the next story finds the definitions as they were.
    let end = define(world, &world.servers()?[0], &world.kubeconfig(), &before).await;
    played.and(end)
}

/// One cluster whose definitions are upgraded step by step, and only read.
async fn upgrade(setting: &Setting<'_>) -> Checked {
    let world = setting.world;
    let google = world.google()?;
    google.remove(&google::account(ACCOUNT)).await?;
    google.remove(&google::secret(SECRET)).await?;
    google.create_secret(SECRET, "unread").await?;
    let key = google.create_key(ACCOUNT).await?;
    let pools = google.pools().await?;
    let mut server = world.other_cluster("upgraded", "10.99.0.6", &[])?;
    server.ready().await?;
    let server = &server;
    let kubeconfig = world.folder.join("kubeconfig-of-upgraded");
    world.write_kubeconfig_for(server, &kubeconfig)?;

    let later = definitions(&world.servers()?[0]).await?;
    let earlier: Vec<Value> = later.iter().map(|it| with_versions(it, &["v1beta1"])).collect();
    define(world, server, &kubeconfig, &earlier).await?;
    let installation = world.folder.join("external-secrets.yaml").display().to_string();
    let apply = ["apply", "--filename", &installation];
    world.kubectl(&apply)?.with("KUBECONFIG", &kubeconfig).run().await?.exits(0)?;
    let apply = ["apply", "--server-side", "--field-manager=platform"];
    world.kubectl_at(&kubeconfig, &apply, &objects(&key.file)).await?;

    // The later version is absent: everything is read, and nothing is written.
    let stored = format!("{GROUP}/v1beta1/clustersecretstores/{STORE}");
    let before = server.get(&stored).await?["spec"].clone();
    counts_the_key(setting, &kubeconfig).await.during("v1beta1 alone")?;
    for command in [["setup", "--yes"], ["setup", "--dry-run"]] {
        let call = setting.keyless(&command)?.with("KUBECONFIG", &kubeconfig);
        let output =
            call.run().await?.exits(3)?.says("external-secrets.io/v1 is not served (only v1beta1)")?;
        let now = server.get(&stored).await?["spec"].clone();
        check!(
            now == before && google.pools().await? == pools,
            "it was changed all the same: {now}\n{output}"
        );
    }
    let output = setting.keyless(&["verify"])?.with("KUBECONFIG", &kubeconfig).run().await?;
    check!(!output.stdout.contains(", 0 failed"), "`verify` passes a store with a stored key\n{output}");

    // Only the stores are upgraded; then everything; then the earlier version is there, and not served.
    for (step, stores, users) in [
        ("stores in both versions", ["v1", "v1beta1"].as_slice(), ["v1beta1"].as_slice()),
        ("everything in both versions", &["v1", "v1beta1"], &["v1", "v1beta1"]),
        ("v1beta1 is not served", &["v1"], &["v1"]),
    ] {
        let all = later.iter().map(|it| {
            let is_store = STORES.iter().any(|plural| it["spec"]["names"]["plural"] == *plural);
            with_versions(it, if is_store { stores } else { users })
        });
        define(world, server, &kubeconfig, &all.collect::<Vec<_>>()).await.during(step)?;
        counts_the_key(setting, &kubeconfig).await.during(step)?;
        let call = setting.keyless(&["setup", "--dry-run"])?.with("KUBECONFIG", &kubeconfig);
        let output = call.run().await?.exits(1).during(step)?;
        for object in [
            format!("~ update  ClusterSecretStore {STORE}"),
            format!("ExternalSecret {SHOP}/{EARLIER}"),
            format!("PushSecret {SHOP}/push"),
        ] {
            check!(output.stdout.contains(&object), "{step}: the plan should name {object}\n{output}");
        }
        let path = format!("{GROUP}/v1/clustersecretstores/{STORE}");
        let now = server.get(&path).await?["spec"].clone();
        check!(now == before, "{step}: a look has changed the store: {now}");
    }
    google.remove(&google::account(ACCOUNT)).await?;
    google.remove(&google::secret(SECRET)).await
}

/// One key, and the store that uses it; with everything seen.
async fn counts_the_key(setting: &Setting<'_>, kubeconfig: &Path) -> Checked {
    let call = setting.keyless(&["audit", "-o", "json"])?.with("KUBECONFIG", kubeconfig);
    let output = call.run().await?.exits(1)?;
    let found: Value = serde_json::from_str(&output.stdout).during(&output)?;
    check!(found["count"] == 1 && found["complete"] == true, "one should be counted\n{output}");
    let named = output.stdout.contains(STORE) && output.stdout.contains(KEY_SECRET);
    check!(named, "the store and its key should be named\n{output}");
    Ok(())
}

/// As people wrote them for the earlier version.
fn objects(key: &str) -> Vec<Value> {
    let mut store = store(STORE, &by_key());
    let mut external = external_secret(SHOP, EARLIER, STORE, SECRET);
    for object in [&mut store, &mut external] {
        object["apiVersion"] = json!("external-secrets.io/v1beta1");
    }
    let push = json!({
        "apiVersion": "external-secrets.io/v1alpha1", "kind": "PushSecret",
        "metadata": {"name": "push", "namespace": SHOP},
        "spec": {
            "secretStoreRefs": [{"kind": "ClusterSecretStore", "name": STORE}],
            "selector": {"secret": {"name": "source"}},
            "data": [{"match": {"secretKey": "token", "remoteRef": {"remoteKey": "pushed"}}}],
        },
    });
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": KEY_SECRET, "namespace": eso::NAMESPACE},
        "stringData": {"key.json": key},
    });
    vec![namespace(SHOP), account("default", "default"), secret, store, external, push]
}

fn by_key() -> Value {
    json!({"gcpsm": {"projectID": PROJECT, "auth": {"secretRef": {
        "secretAccessKeySecretRef": {"name": KEY_SECRET, "namespace": eso::NAMESPACE, "key": "key.json"},
    }}}})
}

/// The whole way, in a cluster whose people still write the earlier version.
async fn both_served(setting: &Setting<'_>) -> Checked {
    let world = setting.world;
    let server = &world.servers()?[0];
    let mut earlier = external_secret(SHOP, EARLIER, STORE, SECRET);
    earlier["apiVersion"] = json!("external-secrets.io/v1beta1");
    earlier["spec"]["refreshInterval"] = json!("1h");
    setting.clear().await.during("taking away what a story that failed has left")?;
    world.delete(&[earlier.clone()]).await?;
    let key = setting.before().await?;
    let mut store = store(STORE, &by_key());
    store["apiVersion"] = json!("external-secrets.io/v1beta1");
    world.apply(&[store, earlier.clone()]).await?;
    // A field that the earlier version does not know.
    let patch = json!({"spec": {"provider": {"gcpsm": {"secretVersionSelectionPolicy": "LatestOrFetch"}}}})
        .to_string();
    let name = format!("clustersecretstores.v1.external-secrets.io/{STORE}");
    world.kubectl(&["patch", &name, "--type=merge", "--patch", &patch])?.run().await?.exits(0)?;
    world.synced(SHOP, EARLIER, "by the key").await?;
    setting.audit_says(1).await?;

    let google = world.google()?;
    google.add_version(SECRET, "by federation").await?;
    let was = world.external_secret(SHOP, EARLIER).await?;
    setting.setup(&["--accept-new-secrets", "--force-sync"]).await?;
    let now = world.external_secret(SHOP, EARLIER).await?;
    check!(was["spec"] == now["spec"], "the ExternalSecret was {}, is {}", was["spec"], now["spec"]);
    world.synced(SHOP, EARLIER, "by federation").await?;
    // Read again at the version that has all fields, and past every cache.
    let held =
        server.get(&format!("{GROUP}/v1/clustersecretstores/{STORE}")).await?["spec"]["provider"].take();
    let federation = &held["gcpsm"]["auth"]["workloadIdentityFederation"];
    for field in [
        "/audience",
        "/serviceAccountRef/name",
        "/serviceAccountRef/namespace",
        "/serviceAccountRef/audiences/0",
    ] {
        check!(federation.pointer(field).is_some_and(Value::is_string), "{field} was lost: {held}");
    }
    check!(held["gcpsm"]["auth"]["secretRef"].is_null(), "the former login is still there: {held}");
    let kept = &held["gcpsm"]["secretVersionSelectionPolicy"];
    check!(kept == "LatestOrFetch", "a field of the later version was lost: {held}");
    setting.keyless(&["verify"])?.run().await?.exits(0)?;

    setting.setup(&["--retire-key"]).await?;
    let left = google.keys(&key.email).await?;
    check!(left.is_empty(), "Google still has {left:?}");
    setting.audit_says(0).await?;
    google.add_version(SECRET, "without any key").await?;
    world.synced(SHOP, SECRET, "without any key").await?;

    world.delete(&[earlier]).await?;
    setting.keyless(&["teardown", "--yes"])?.run().await?.exits(0)?;
    setting.clear().await
}

/// The operator's own definitions, as they can be applied elsewhere.
async fn definitions(server: &ApiServer) -> Checked<Vec<Value>> {
    let all = server.get(DEFINITIONS).await?["items"].as_array().cloned().unwrap_or_default();
    let own = all.into_iter().filter(|it| it["spec"]["group"] == "external-secrets.io");
    Ok(own
        .map(|it| {
            let mut spec = it["spec"].clone();
            spec["conversion"] = Value::Null;
            json!({
                "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": it["metadata"]["name"]}, "spec": spec,
            })
        })
        .collect())
}

/// The same with these versions served, the first of them stored; `v1beta1` alone leaves no other. What has one version
/// only stays as it is.
fn with_versions(definition: &Value, served: &[&str]) -> Value {
    let mut definition = definition.clone();
    let versions = definition["spec"]["versions"].as_array().cloned().unwrap_or_default();
    if versions.len() > 1 {
        let kept = versions.into_iter().filter(|it| served != ["v1beta1"] || it["name"] == "v1beta1");
        let changed = kept.map(|mut version| {
            version["served"] = served.iter().any(|name| version["name"] == *name).into();
            version["storage"] = (version["name"] == served[0]).into();
            version
        });
        definition["spec"]["versions"] = changed.collect();
    }
    definition
}

async fn serve_both(world: &World, before: &[Value]) -> Checked {
    let both: Vec<Value> = before.iter().map(|it| with_versions(it, &["v1", "v1beta1"])).collect();
    define(world, &world.servers()?[0], &world.kubeconfig(), &both).await
}

/// Applies the definitions, and waits until what they serve is answered, and nothing else.
async fn define(world: &World, server: &ApiServer, kubeconfig: &Path, definitions: &[Value]) -> Checked {
    let apply = ["apply", "--server-side", "--force-conflicts"];
    world.kubectl_at(kubeconfig, &apply, definitions).await?;
    until("the kinds in their versions", Duration::from_secs(30), async || {
        for definition in definitions {
            let plural = definition["spec"]["names"]["plural"].as_str().unwrap_or_default();
            for version in definition["spec"]["versions"].as_array().into_iter().flatten() {
                let path = format!("{GROUP}/{}/{plural}", version["name"].as_str().unwrap_or_default());
                let answered = server.get(&path).await;
                check!(answered.is_ok() == (version["served"] == true), "{path}: {:?}", answered.err());
            }
        }
        Ok(())
    })
    .await
}
