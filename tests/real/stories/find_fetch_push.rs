//! What needs more than to read one secret: searches by name and by tags, metadata, and writing. All of it goes over to the
//! new login, with the rights that it takes and no more, and the key goes last.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use reqwest::Method;
use serde_json::{Value, json};

use super::setting::{ACCOUNT_OF_STORE, KEY_SECRET, Mode, POOL, SECRET, SHOP, STORE, Setting, configure};
use crate::check::{Checked, While, check, until};
use crate::eso;
use crate::google::{self, ACCESSOR, Key, principal};
use crate::world::World;

const ADMIN: &str = "roles/secretmanager.admin";
const VIEWER: &str = "roles/secretmanager.viewer";
const ADDER: &str = "roles/secretmanager.secretVersionAdder";
/// Found by name: both. Found by their tags: the second.
const TEAM: [&str; 2] = ["team-a", "team-b"];
/// What the PushSecret writes.
const PUSHED: &str = "api-key";
/// Nothing of the cluster asks for it.
const PAYROLL: &str = "payroll";
const SOURCE: &str = "source";

pub(crate) async fn play(world: &mut World) -> Checked {
    let world = &*world;
    let config = configure(world, Mode::Uploaded)?;
    let setting = Setting { world, mode: Mode::Uploaded, config: &config };
    setting.clear().await.during("taking away what a story that failed has left")?;
    clear(world).await?;
    let google = world.google()?;
    let before = google.members().await?;
    let key = by_the_key(&setting).await.during("with the stored key")?;

    // What tenants ask for beyond what was read already is for an administrator to decide: until then the store stays as it is.
    let output = setting.keyless(&["setup", "--yes", "--watch-for", "5s"])?.run().await?.exits(1)?;
    for asked in ["find secrets by name", "find secrets by their tags", "read team-b", "write api-key"] {
        let told = output.stdout.contains(asked) || output.stderr.contains(asked);
        check!(told, "it should name the right to {asked}\n{output}");
    }
    let auth = world.store(STORE).await?["spec"]["provider"]["gcpsm"]["auth"].clone();
    check!(auth["secretRef"].is_object(), "the store was changed too early: {auth}\n{output}");
    keys_are(world, &key, &[false]).await?;

    setting.setup(&["--accept-new-secrets"]).await?;
    keys_are(world, &key, &[true]).await.during("`setup`: the key should be disabled")?;
    // Nothing of the former login's rights is needed any more.
    google.set_members(&without(&google.members().await?, &key)).await?;
    has_exactly_the_rights(world).await.during("the rights after `setup`")?;
    change_everything(world, "by federation").await?;
    everything_is(world, "by federation").await?;

    let output = setting.setup(&["--retire-key"]).await?;
    keys_are(world, &key, &[]).await.during("`setup --retire-key`")?;
    let last = output
        .stderr
        .lines()
        .rfind(|line| !line.starts_with(' ') && line.contains("ing "))
        .unwrap_or_default();
    check!(
        last.contains(&format!("deleting Secret {}/{KEY_SECRET}", eso::NAMESPACE)),
        "the last step was `{last}`\n{output}"
    );
    change_everything(world, "without any key").await?;
    everything_is(world, "without any key").await?;
    has_exactly_the_rights(world).await.during("the rights after the key is gone")?;
    setting.keyless(&["verify"])?.run().await?.exits(0)?;
    setting.audit_says(0).await?;

    setting.keyless(&["teardown", "--yes"])?.run().await?.exits(0)?;
    for secret in [SECRET, TEAM[0], TEAM[1], PUSHED] {
        let left = roles_of(&google.readers(secret).await?);
        check!(left.is_empty(), "after `teardown` {secret} still gives {left:?}");
    }
    let left = roles_of(&google.members().await?);
    check!(left.is_empty(), "after `teardown` the project still gives {left:?}");
    google.set_members(&before).await?;
    clear(world).await?;
    setting.clear().await
}

/// The platform as it was: one key whose account may do everything with every secret.
async fn by_the_key(setting: &Setting<'_>) -> Checked<Key> {
    let world = setting.world;
    let google = world.google()?;
    google.create_labelled_secret(TEAM[0], &json!({"rotated": "by-the-key"}), "by the key").await?;
    google.create_labelled_secret(TEAM[1], &json!({"tier": "front"}), "by the key").await?;
    google.create_labelled_secret(PUSHED, &json!({"managed-by": "external-secrets"}), "nothing yet").await?;
    google.create_secret(PAYROLL, "unread").await?;
    let key = setting.before().await?;
    let account = format!("serviceAccount:{}", key.email);
    let mut members = google.members().await?.as_array().cloned().unwrap_or_default();
    members.push(json!({"role": ADMIN, "members": [account]}));
    google.set_members(&members.into()).await?;
    world.apply(&users()).await?;
    world.apply(&[source("by the key")]).await?;
    everything_is(world, "by the key").await?;
    Ok(key)
}

fn users() -> [Value; 4] {
    let external = |name: &str, member: &str, entry: Value| {
        json!({
            "apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": name, "namespace": SHOP},
            "spec": {
                "refreshInterval": "2s",
                "secretStoreRef": {"kind": "ClusterSecretStore", "name": STORE},
                member: [entry],
            },
        })
    };
    let rotated = json!({"key": TEAM[0], "metadataPolicy": "Fetch", "property": "labels.rotated"});
    [
        external("by-name", "dataFrom", json!({"find": {"name": {"regexp": "^team-"}}})),
        external("by-tags", "dataFrom", json!({"find": {"tags": {"tier": "front"}}})),
        external("metadata", "data", json!({"secretKey": "rotated", "remoteRef": rotated})),
        json!({
            "apiVersion": "external-secrets.io/v1alpha1", "kind": "PushSecret",
            "metadata": {"name": "push", "namespace": SHOP},
            "spec": {
                "refreshInterval": "2s",
                "secretStoreRefs": [{"kind": "ClusterSecretStore", "name": STORE}],
                "selector": {"secret": {"name": SOURCE}},
                "data": [{"match": {"secretKey": "token", "remoteRef": {"remoteKey": PUSHED}}}],
            },
        }),
    ]
}

/// What the PushSecret takes its value from.
fn source(token: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": SOURCE, "namespace": SHOP},
        "stringData": {"token": token},
    })
}

/// A new value for everything that the users read and write.
async fn change_everything(world: &World, value: &str) -> Checked {
    let google = world.google()?;
    for secret in [SECRET, TEAM[0], TEAM[1]] {
        google.add_version(secret, value).await?;
    }
    let url = format!("{}?updateMask=labels", google::secret(TEAM[0]));
    google.call(Method::PATCH, &url, &json!({"labels": {"rotated": label(value)}})).await?;
    world.apply(&[source(value)]).await
}

/// The same value has arrived everywhere.
async fn everything_is(world: &World, value: &str) -> Checked {
    world.synced(SHOP, SECRET, value).await?;
    let payload = json!({"password": value}).to_string();
    let expected = [
        ("by-name", json!({"team-a": payload, "team-b": payload})),
        ("by-tags", json!({"team-b": payload})),
        ("metadata", json!({"rotated": label(value)})),
    ];
    let server = &world.servers()?[0];
    let end = Duration::from_secs(45);
    until(format_args!("`{value}` in every Secret and at Google"), end, async || {
        for (name, expected) in &expected {
            let external = world.external_secret(SHOP, name).await?;
            let doing = format!("ExternalSecret {name}: {}", external["status"]["conditions"]);
            let path = format!("/api/v1/namespaces/{SHOP}/secrets/{name}");
            let mut held = server.get(&path).await.during(&doing)?["data"].take();
            for value in held.as_object_mut().into_iter().flatten().map(|(_, value)| value) {
                let decoded = BASE64_STANDARD.decode(value.as_str().unwrap_or_default())?;
                *value = String::from_utf8(decoded)?.into();
            }
            check!(held == *expected, "{doing}: it holds {held}");
        }
        let pushed = world.google()?.latest(PUSHED).await?;
        check!(pushed == value, "Google has `{pushed}`: the PushSecret has not written yet");
        Ok(())
    })
    .await
}

/// A label takes no spaces.
fn label(value: &str) -> String {
    value.replace(' ', "-")
}

/// The new login's rights, secret by secret.
async fn has_exactly_the_rights(world: &World) -> Checked {
    let google = world.google()?;
    let expected: [(&str, &[&str]); 5] = [
        (SECRET, &[ACCESSOR]),
        (TEAM[0], &[ACCESSOR, VIEWER]),
        (TEAM[1], &[ACCESSOR]),
        (PUSHED, &[ACCESSOR, ADDER, VIEWER]),
        (PAYROLL, &[]),
    ];
    for (secret, expected) in expected {
        let found = roles_of(&google.readers(secret).await?);
        check!(found.iter().eq(expected), "on {secret} it has {found:?}, not {expected:?}");
    }
    let found = roles_of(&google.members().await?);
    check!(found.iter().eq(&[VIEWER]), "on the project it has {found:?}, not {VIEWER} alone");
    Ok(())
}

/// What these bindings give to the store's ServiceAccount, directly.
fn roles_of(bindings: &Value) -> BTreeSet<String> {
    let subject = format!("system:serviceaccount:{}", ACCOUNT_OF_STORE.replace('/', ":"));
    let member = principal(POOL, &subject);
    let bindings = bindings.as_array().into_iter().flatten();
    let held = bindings.filter(|it| it["members"].as_array().is_some_and(|all| all.contains(&json!(member))));
    held.map(|it| it["role"].as_str().unwrap_or_default().to_owned()).collect()
}

/// The bindings without those of the former account.
fn without(bindings: &Value, key: &Key) -> Value {
    let bindings = bindings.as_array().into_iter().flatten();
    bindings.filter(|it| !it["members"].to_string().contains(&key.email)).cloned().collect()
}

/// Whether Google has these keys of the account, disabled or not.
async fn keys_are(world: &World, key: &Key, disabled: &[bool]) -> Checked {
    let keys = world.google()?.keys(&key.email).await?;
    let found: Vec<bool> = keys.iter().map(|key| key["disabled"] == true).collect();
    check!(found == disabled, "Google has keys that are disabled or not: {found:?}");
    Ok(())
}

async fn clear(world: &World) -> Checked {
    let mut objects = users().to_vec();
    objects.push(source(""));
    world.delete(&objects).await?;
    for secret in [TEAM[0], TEAM[1], PUSHED, PAYROLL] {
        world.google()?.remove(&google::secret(secret)).await?;
    }
    Ok(())
}
