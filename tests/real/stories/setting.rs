//! What the stories of the whole way share: a cluster whose operator reads with a stored key, and the settings by
//! which `keyless` frees it of that.

use std::fs;
use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::{Value, json};

use crate::call::{Call, Ran};
use crate::check::Checked;
use crate::eso::{self, external_secret, namespace, store};
use crate::google::{self, Key, PROJECT};
use crate::openbao;
use crate::world::{ISSUER, World};

/// Whose key the operator has at first.
pub(super) const ACCOUNT: &str = "eso-with-a-key";
pub(super) const SHOP: &str = "shop";
pub(super) const SECRET: &str = "db";
pub(super) const STORE: &str = "app-secrets";
/// The ServiceAccount that the store logs in as.
pub(super) const ACCOUNT_OF_STORE: &str = "external-secrets/eso-reader";
pub(super) const KEY_SECRET: &str = "gcp-sa-key";
pub(super) const POOL: &str = "keyless-lab";
/// OpenBao's mounts: of the login, and of the secrets.
pub(super) const MOUNT: &str = "keyless";
pub(super) const KV: &str = "kv";

/// How the providers come to the cluster's keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Documents,
    Uploaded,
}

/// What the API servers' administrator does; the issuer that does not sign stays accepted.
pub(super) async fn sign_as(world: &mut World, issuers: [&'static str; 2]) -> Checked {
    for index in [0, 1] {
        if world.servers()?[index].settings.issuers != issuers {
            world.restart(index, |settings| settings.issuers = issuers.to_vec()).await?;
        }
    }
    Ok(())
}

/// One cluster, one way, and the file that says so.
pub(super) struct Setting<'a> {
    pub(super) world: &'a World,
    pub(super) mode: Mode,
    pub(super) config: &'a Path,
}

impl Setting<'_> {
    pub(super) fn keyless(&self, arguments: &[&str]) -> Checked<Call> {
        let config = self.config.display().to_string();
        let arguments = [arguments, &["--config", &config]].concat();
        let call = self.world.keyless(&arguments)?;
        let google = &self.world.google()?.token;
        Ok(call.with("GOOGLE_OAUTH_ACCESS_TOKEN", google).with("VAULT_TOKEN", openbao::ROOT_TOKEN))
    }

    pub(super) async fn setup(&self, more: &[&str]) -> Checked<Ran> {
        let arguments = [&["setup", "--yes", "--watch-for", "5s"], more].concat();
        self.keyless(&arguments)?.run().await?.exits(0)
    }

    /// What a platform team had: a key of a service account in a Secret, and a store that uses it.
    pub(super) async fn before(&self) -> Checked<Key> {
        let google = self.world.google()?;
        google.create_secret(SECRET, "by the key").await?;
        let key = google.create_key(ACCOUNT).await?;
        google.let_read(SECRET, &[&format!("serviceAccount:{}", key.email)]).await?;
        let provider = json!({"gcpsm": {"projectID": PROJECT, "auth": {"secretRef": {
            "secretAccessKeySecretRef": {"name": KEY_SECRET, "namespace": eso::NAMESPACE, "key": "key.json"},
        }}}});
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": KEY_SECRET, "namespace": eso::NAMESPACE},
            "stringData": {"key.json": key.file},
        });
        let external = external_secret(SHOP, SECRET, STORE, SECRET);
        self.world.apply(&[namespace(SHOP), secret, store(STORE, &provider), external]).await?;
        self.world.synced(SHOP, SECRET, "by the key").await?;
        Ok(key)
    }

    /// Takes away by hand what the story made, whatever of it is there.
    pub(super) async fn clear(&self) -> Checked {
        clear(self.world, (SHOP, SECRET), STORE, KEY_SECRET).await?;
        let google = self.world.google()?;
        google.remove(&google::secret(SECRET)).await?;
        google.remove(&google::account(ACCOUNT)).await?;
        for pool in self.alive().await? {
            let pool = format!("https://iam.googleapis.com/v1/{}", pool["name"].as_str().unwrap_or_default());
            for url in [format!("{pool}/providers/cluster"), pool] {
                google.operate(Method::DELETE, &url, &Value::Null).await?;
            }
        }
        Ok(())
    }

    /// The provider as Google shows it.
    pub(super) async fn provider(&self) -> Checked<Value> {
        let url = format!("{}/{POOL}/providers/cluster", google::pools());
        self.world.google()?.get(&url).await
    }

    /// The pools that are not deleted.
    pub(super) async fn alive(&self) -> Checked<Vec<Value>> {
        let pools = self.world.google()?.pools().await?;
        Ok(pools.into_iter().filter(|pool| pool["state"] != "DELETED").collect())
    }
}

/// Takes away by hand what a story made in the cluster and in OpenBao, whatever of it is there. A store's key that was not
/// retired leaves what setup noted of it.
pub(super) async fn clear(
    world: &World,
    (namespace, secret): (&str, &str),
    store_name: &str,
    key_secret: &str,
) -> Checked {
    let external = external_secret(namespace, secret, store_name, secret);
    let object = |kind: &str, name: &str, namespace: &str| json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}});
    let key = object("Secret", key_secret, eso::NAMESPACE);
    let noted = format!("keyless-retirement-clustersecretstore.{store_name}");
    let noted = object("ConfigMap", &noted, "keyless-system");
    world.delete(&[external, store(store_name, &json!({})), key, noted]).await?;
    for path in [format!("sys/mounts/{KV}"), format!("sys/auth/{MOUNT}")] {
        world.openbao()?.remove(&world.anyone, &path).await?;
    }
    Ok(())
}

/// The settings that an administrator writes down, in the form that `setup` can add to.
pub(super) fn configure(world: &World, mode: Mode) -> Checked<PathBuf> {
    let (google, vault) = match mode {
        Mode::Documents => ("documents", "discovery"),
        Mode::Uploaded => ("uploaded", "static-keys"),
    };
    let mut settings = json!({
        "apiVersion": "keyless/v1",
        "tls": {"caFile": world.ca_file()},
        "provider": "google",
        "google": {"project": PROJECT, "pool": POOL, "provider": "cluster", "mode": google},
        "vault": {
            "address": "https://bao.lab.test:8200",
            "mount": MOUNT, "role": "eso", "kv": KV, "mode": vault,
            // OpenBao knows no authority of this world by itself.
            "caFile": world.ca_file(),
        },
        "store": {"name": STORE, "serviceAccount": ACCOUNT_OF_STORE},
    });
    if mode == Mode::Documents {
        settings["issuer"] = ISSUER.into();
        settings["bucket"] = json!({"url": "s3://lab-issuer", "endpoint": "https://s3.lab.test"});
    }
    let file = world.folder.join(format!("keyless-{google}.yaml"));
    fs::write(&file, yaml(&settings, ""))?;
    Ok(file)
}

/// Block style; a string is the same in JSON and in YAML.
fn yaml(mapping: &Value, indent: &str) -> String {
    let members = mapping.as_object().into_iter().flatten();
    let lines = members.map(|(name, value)| match value.is_object() {
        true => format!("{indent}{name}:\n{}", yaml(value, &format!("{indent}  "))),
        false => format!("{indent}{name}: {value}\n"),
    });
    lines.collect()
}
