//! One kubeconfig, two clusters: what was set up for the one is not taken away while the other is the current context,
//! though everything in it has the same names and marks.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::from_one_to_zero::tree;
use super::setting::{ACCOUNT, ACCOUNT_OF_STORE, Mode, SECRET, SHOP, STORE, Setting, configure, sign_as};
use crate::check::{Checked, While, check, until};
use crate::eso::{self, account, external_secret, namespace};
use crate::google;
use crate::kubernetes::{ApiServer, DEFAULT_ISSUER};
use crate::openbao::ROOT_TOKEN;
use crate::world::{BUCKET, ISSUER, S3_FLAGS, World};

const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The kubeconfig's names of the cluster that was set up, and of the other.
const CONTEXTS: [&str; 2] = ["prod", "staging"];

pub(crate) async fn play(world: &mut World) -> Checked {
    if world.relying_party().is_err() {
        world.start_relying_party().await?;
    }
    world.s3()?.forget(&world.anyone, BUCKET).await?;
    sign_as(world, [ISSUER, DEFAULT_ISSUER]).await?;
    let config = configure(world, Mode::Documents)?;
    let setting = Setting { world, mode: Mode::Documents, config: &config };
    setting.clear().await.during("taking away what a story that failed has left")?;
    setting.before().await.during("a store with a stored key")?;
    setting.setup(&[]).await?;
    mirror(world).await.during("the same objects in the other cluster")?;
    let both = [kubeconfig(world, 0)?, kubeconfig(world, 1)?];

    let uids = uids(world).await?;
    let before = everything(&setting).await?;
    let commands: [&[&str]; 4] = [
        &["teardown", "--yes"],
        &["teardown", "--dry-run"],
        &["setup", "--yes", "--retire-key", "--watch-for", "0s"],
        &["publish"],
    ];
    for command in commands {
        let [mine, other] = &both;
        // By the current context, and by name.
        for (kubeconfig, more) in [(other, [].as_slice()), (mine, &["--context", CONTEXTS[1]])] {
            let call = setting.keyless(&[command, more].concat())?.with("KUBECONFIG", kubeconfig);
            let output = call.run().await?.exits(2)?.says("is about another cluster")?;
            for name in [uids[0].as_str(), uids[1].as_str(), CONTEXTS[1]] {
                check!(output.stderr.contains(name), "it should name {name}\n{output}");
            }
            check!(output.stdout.is_empty(), "nothing should be planned\n{output}");
            same(&before, &everything(&setting).await?).during(&output)?;
        }
    }

    // Settings that name no cluster: only the marks and the published keys tell whose all of it is.
    for nameless in nameless(world, &config)? {
        let arguments =
            [&["teardown", "--yes"], nameless.iter().map(String::as_str).collect::<Vec<_>>().as_slice()]
                .concat();
        let call = world.keyless(&arguments)?.with("GOOGLE_OAUTH_ACCESS_TOKEN", &world.google()?.token);
        let output = call.with("VAULT_TOKEN", ROOT_TOKEN).with("KUBECONFIG", &both[1]).run().await?;
        let output = output.exits(2)?.says("is about another cluster")?;
        same(&before, &everything(&setting).await?).during(&output)?;
    }
    world.google()?.add_version(SECRET, "still by federation").await?;
    world.synced(SHOP, SECRET, "still by federation").await?;

    // The right context of the same file.
    let other = before.into_iter().filter(|(name, _)| name.starts_with(CONTEXTS[1])).collect();
    let call =
        setting.keyless(&["teardown", "--yes", "--context", CONTEXTS[0]])?.with("KUBECONFIG", &both[1]);
    let output = call.run().await?.exits(0)?;
    setting.nothing_left().await.during(&output)?;
    let mut after = everything_of(world, 1).await?;
    after.retain(|name, _| name.starts_with(CONTEXTS[1]));
    same(&other, &after).during("the other cluster after the right teardown")?;
    setting.clear().await
}

/// Puts what `setup` made into the other cluster as well, with its marks.
async fn mirror(world: &World) -> Checked {
    let at_other = world.folder.join("kubeconfig-of-the-other");
    world.write_kubeconfig_for(world.relying_party()?, &at_other)?;
    eso::install_objects(world, &at_other, "crds.yaml").await?;
    let server = &world.servers()?[0];
    let (namespace_of_account, name) = ACCOUNT_OF_STORE.split_once('/').unwrap_or_default();
    let of_store = format!("/api/v1/namespaces/{namespace_of_account}/serviceaccounts/{name}");
    let mut objects =
        vec![account("default", "default"), namespace(SHOP), external_secret(SHOP, SECRET, STORE, SECRET)];
    for mut object in [server.get(&of_store).await?, world.store(STORE).await?] {
        let (name, namespace) = (&object["metadata"]["name"], &object["metadata"]["namespace"]);
        object["metadata"] = json!({"name": name, "namespace": namespace, "labels": {MANAGED_BY: "keyless"}});
        objects.push(object);
    }
    let apply = ["apply", "--server-side", "--field-manager=keyless"];
    world.kubectl_at(&at_other, &apply, &objects).await?;
    // It answers 429 for a moment, kind by kind.
    until("the other cluster's custom resources", Duration::from_secs(20), async || {
        tree(world.relying_party()?).await.map(drop)
    })
    .await
}

/// A kubeconfig of both clusters, in which this one is the current context.
fn kubeconfig(world: &World, current: usize) -> Checked<PathBuf> {
    let [mut clusters, mut contexts, mut users] = [Vec::new(), Vec::new(), Vec::new()];
    let files = [world.kubeconfig(), world.folder.join("kubeconfig-of-the-other")];
    for (name, file) in CONTEXTS.iter().zip(files) {
        let one: Value = serde_json::from_slice(&fs::read(file)?)?;
        clusters.push(json!({"name": name, "cluster": one["clusters"][0]["cluster"]}));
        contexts.push(json!({"name": name, "context": {"cluster": name, "user": name}}));
        users.push(json!({"name": name, "user": one["users"][0]["user"]}));
    }
    let both = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": CONTEXTS[current],
        "clusters": clusters, "contexts": contexts, "users": users,
    });
    let file = world.folder.join(format!("kubeconfig-of-both-{}", CONTEXTS[current]));
    fs::write(&file, both.to_string())?;
    Ok(file)
}

/// Settings that do not say which cluster they are about: by file, and of the bucket alone.
fn nameless(world: &World, config: &Path) -> Checked<[Vec<String>; 2]> {
    let written = fs::read(config)?;
    let copy = world.folder.join("keyless-nameless.yaml");
    fs::rename(configure(world, Mode::Documents)?, &copy)?;
    fs::write(config, written)?;
    let empty = world.folder.join("keyless-empty.yaml");
    fs::write(&empty, "apiVersion: keyless/v1\n")?;
    let [copy, empty] = [copy, empty].map(|file| vec!["--config".to_owned(), file.display().to_string()]);
    let bucket = ["--bucket", "s3://lab-issuer", S3_FLAGS[2], S3_FLAGS[3], "--issuer", ISSUER];
    let bucket = bucket
        .map(str::to_owned)
        .into_iter()
        .chain(["--ca-file".to_owned(), world.ca_file().display().to_string()]);
    Ok([copy, empty.into_iter().chain(bucket).collect()])
}

fn servers(world: &World) -> Checked<[&ApiServer; 2]> {
    Ok([&world.servers()?[0], world.relying_party()?])
}

/// What tells the two clusters from each other.
async fn uids(world: &World) -> Checked<[String; 2]> {
    let path = "/api/v1/namespaces/kube-system";
    let [one, other] = servers(world)?;
    let uids =
        [one.get(path).await?, other.get(path).await?].map(|it| text(&it["metadata"]["uid"]).to_owned());
    check!(uids[0] != uids[1] && !uids[0].is_empty(), "the clusters are {uids:?}");
    Ok(uids)
}

/// Both clusters, Google and the bucket, by name.
async fn everything(setting: &Setting<'_>) -> Checked<BTreeMap<String, Value>> {
    let world = setting.world;
    let mut found = everything_of(world, 0).await?;
    found.extend(everything_of(world, 1).await?);
    let google = world.google()?;
    found.insert("Google's pools".to_owned(), google.pools().await?.into());
    found.insert("Google's provider".to_owned(), setting.provider().await?);
    found.insert("readers of the secret".to_owned(), google.readers(SECRET).await?);
    let key = google.get(&format!("{}/keys?keyTypes=USER_MANAGED", google::account(ACCOUNT))).await?;
    found.insert("keys of the service account".to_owned(), key);
    for document in [".well-known/openid-configuration", "openid/v1/jwks"] {
        found.insert(document.to_owned(), world.public(&format!("{ISSUER}/{document}")).await?);
    }
    Ok(found)
}

/// One cluster: its objects, and what `keyless` notes in ConfigMaps.
async fn everything_of(world: &World, index: usize) -> Checked<BTreeMap<String, Value>> {
    let server = servers(world)?[index];
    let mut found = tree(server).await?;
    let noted = server.get("/api/v1/namespaces/keyless-system/configmaps").await?;
    found.insert("configmaps".to_owned(), noted["items"].clone());
    Ok(found.into_iter().map(|(name, object)| (format!("{} {name}", CONTEXTS[index]), object)).collect())
}

fn same(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Checked {
    let names = before.keys().chain(after.keys());
    let mut changed: Vec<&String> = names.filter(|name| before.get(*name) != after.get(*name)).collect();
    changed.dedup();
    check!(changed.is_empty(), "this was changed: {changed:?}");
    Ok(())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
