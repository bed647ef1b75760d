//! What the stories at Microsoft Entra share: a cluster whose operator reads Key Vault with a stored client secret, and the
//! settings by which `keyless` frees it of that.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::setting::{KV, MOUNT, clear, sign_as};
use crate::call::{Call, Ran};
use crate::check::{Checked, While};
use crate::entra::{Application, Entra};
use crate::eso::{self, external_secret, namespace, store};
use crate::kubernetes::DEFAULT_ISSUER;
use crate::openbao;
use crate::world::{ISSUER, World};

pub(super) const SHOP: &str = "shop-at-azure";
pub(super) const SECRET: &str = "db-at-azure";
pub(super) const STORE: &str = "azure-secrets";
pub(super) const KEY_SECRET: &str = "azure-key";
pub(super) const IDENTITY: &str = "keyless-real";

pub(super) struct Scene<'a> {
    pub(super) world: &'a World,
    config: PathBuf,
    /// Whose secret the store has at first.
    pub(super) application: Application,
}

/// With public documents, and nothing that a story that failed has left.
pub(super) async fn scene(world: &mut World) -> Checked<Scene<'_>> {
    sign_as(world, [ISSUER, DEFAULT_ISSUER]).await?;
    world.published().await?;
    let application = world.entra()?.create_application();
    let scene = Scene { world, config: configure(world, &application)?, application };
    scene.clear().await.during("taking away what a story that failed has left")?;
    Ok(scene)
}

impl Scene<'_> {
    pub(super) fn keyless(&self, arguments: &[&str]) -> Checked<Call> {
        let config = self.config.display().to_string();
        let arguments = [arguments, &["--config", &config]].concat();
        let mut call = self.world.keyless(&arguments)?.with("VAULT_TOKEN", openbao::ROOT_TOKEN);
        for (name, value) in self.world.entra()?.login() {
            call = call.with(name, value);
        }
        Ok(call)
    }

    pub(super) async fn setup(&self, more: &[&str]) -> Checked<Ran> {
        let arguments = [&["setup", "--yes", "--watch-for", "5s"], more].concat();
        self.keyless(&arguments)?.run().await?.exits(0)
    }

    pub(super) async fn before(&self) -> Checked {
        self.world.entra()?.put_secret(SECRET, "by the client secret");
        let half = |entry: &str| json!({"name": KEY_SECRET, "namespace": eso::NAMESPACE, "key": entry});
        let provider = json!({"azurekv": {
            "authType": "ServicePrincipal", "tenantId": lab::Entra::tenant(), "vaultUrl": Entra::vault_url(),
            "authSecretRef": {"clientId": half("id"), "clientSecret": half("secret")},
        }});
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": KEY_SECRET, "namespace": eso::NAMESPACE},
            "stringData": {"id": self.application.id, "secret": self.application.secret},
        });
        let external = external_secret(SHOP, SECRET, STORE, SECRET);
        self.world.apply(&[namespace(SHOP), secret, store(STORE, &provider), external]).await?;
        self.synced("by the client secret").await
    }

    pub(super) async fn synced(&self, password: &str) -> Checked {
        self.world.synced(SHOP, SECRET, password).await
    }

    /// Takes away by hand what the story made, whatever of it is there.
    pub(super) async fn clear(&self) -> Checked {
        clear(self.world, (SHOP, SECRET), STORE, KEY_SECRET).await
    }
}

/// In the form that `setup` can add to.
fn configure(world: &World, application: &Application) -> Checked<PathBuf> {
    let ca_file = world.ca_file().display().to_string();
    let text = format!(
        "apiVersion: keyless/v1\ntls:\n  caFile: {ca_file}\nissuer: {ISSUER}\nbucket:\n  url: s3://lab-issuer/cluster-a\n  \
         endpoint: https://s3.lab.test\nentra:\n  tenant: {tenant}\n  subscription: {subscription}\n  resourceGroup: {group}\n  \
         vault: {vault}\n  identity: {IDENTITY}\n  keyApplication: {application}\n\
         vault:\n  address: https://bao.lab.test:8200\n  mount: {MOUNT}\n  kv: {KV}\n  caFile: {ca_file}\n\
         store:\n  name: {STORE}\n",
        tenant = lab::Entra::tenant(),
        subscription = lab::Entra::subscription(),
        group = lab::Entra::group(),
        vault = lab::Entra::vault(),
        application = application.id,
    );
    let file = world.folder.join("keyless-entra.yaml");
    fs::write(&file, text)?;
    Ok(file)
}
