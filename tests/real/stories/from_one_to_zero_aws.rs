//! A cluster whose operator reads Secrets Manager with a stored access key becomes one that stores none; its one store then
//! moves to OpenBao and back.

use std::fs;
use std::path::PathBuf;

use lab::Credentials;
use serde_json::json;

use super::setting::{KV, MOUNT, clear, sign_as};
use crate::call::{Call, Ran};
use crate::check::{Checked, While, check};
use crate::eso::{self, external_secret, namespace, store};
use crate::kubernetes::DEFAULT_ISSUER;
use crate::openbao;
use crate::world::{ISSUER, World};

const SHOP: &str = "shop-at-aws";
const SECRET: &str = "db-at-aws";
const STORE: &str = "aws-secrets";
const KEY_SECRET: &str = "aws-key";
const USER: &str = "eso-with-a-key";
const ROLE: &str = "keyless-real";

pub(crate) async fn play(world: &mut World) -> Checked {
    sign_as(world, [ISSUER, DEFAULT_ISSUER]).await?;
    world.published().await?;
    let world = &*world;
    let scene = Scene { world, config: configure(world)? };
    scene.clear().await.during("taking away what a story that failed has left")?;
    let key = scene.before().await.during("a store with a stored access key")?;
    scene.keyless(&["audit"])?.run().await?.exits(1)?;
    scene.federate(&key).await.during("`setup --to aws --retire-key`")?;
    scene.move_there_and_back().await.during("the moves to OpenBao and back")?;
    scene.tear_down().await.during("`teardown`")?;
    scene.clear().await
}

struct Scene<'a> {
    world: &'a World,
    config: PathBuf,
}

impl Scene<'_> {
    fn keyless(&self, arguments: &[&str]) -> Checked<Call> {
        let config = self.config.display().to_string();
        let arguments = [arguments, &["--config", &config]].concat();
        Ok(self.world.keyless(&arguments)?.with("VAULT_TOKEN", openbao::ROOT_TOKEN))
    }

    async fn setup(&self, more: &[&str]) -> Checked<Ran> {
        let arguments = [&["setup", "--yes", "--watch-for", "5s"], more].concat();
        self.keyless(&arguments)?.run().await?.exits(0)
    }

    async fn before(&self) -> Checked<Credentials> {
        let aws = self.world.aws()?;
        aws.put_secret(SECRET, "by the access key");
        let key = aws.create_key(USER, SECRET);
        let half = |entry: &str| json!({"name": KEY_SECRET, "namespace": eso::NAMESPACE, "key": entry});
        let provider = json!({"aws": {
            "service": "SecretsManager", "region": lab::Aws::region(), "auth": {"secretRef": {
                "accessKeyIDSecretRef": half("id"), "secretAccessKeySecretRef": half("key"),
        }}}});
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": KEY_SECRET, "namespace": eso::NAMESPACE},
            "stringData": {"id": key.access_key_id, "key": key.secret_access_key},
        });
        let external = external_secret(SHOP, SECRET, STORE, SECRET);
        self.world.apply(&[namespace(SHOP), secret, store(STORE, &provider), external]).await?;
        self.synced("by the access key").await?;
        Ok(key)
    }

    async fn synced(&self, password: &str) -> Checked {
        self.world.synced(SHOP, SECRET, password).await
    }

    async fn federate(&self, key: &Credentials) -> Checked {
        let aws = self.world.aws()?;
        self.keyless(&["setup", "--to", "aws", "--dry-run"])?.run().await?.exits(1)?;
        check!(aws.trusts().is_empty(), "a dry run made {:?}", aws.trusts());
        self.setup(&["--to", "aws", "--retire-key"]).await?;
        let held = self.world.store(STORE).await?;
        let auth = &held["spec"]["provider"]["aws"]["auth"];
        let only = auth.as_object().is_some_and(|ways| ways.len() == 1);
        check!(only && auth["jwt"]["serviceAccountRef"].is_object(), "the store's authentication: {auth}");
        check!(aws.key_is_active(key).is_none(), "the access key is still at AWS");
        aws.put_secret(SECRET, "by the role");
        self.synced("by the role").await?;
        let audit = self.keyless(&["audit"])?.run().await?.exits(0)?;
        check!(audit.stdout.starts_with("ZERO"), "the audit after\n{audit}");
        self.keyless(&["verify"])?.run().await?.exits(0)?;
        let again = ["setup", "--to", "aws", "--retire-key", "--dry-run"];
        self.keyless(&again)?.run().await?.exits(0).during("nothing should be left to do")?;
        let role = aws.role(ROLE).unwrap_or_default();
        let policies = role["Policies"].to_string();
        check!(!policies.contains("\"*\"") && policies.contains(SECRET), "the role may {policies}");
        Ok(())
    }

    async fn move_there_and_back(&self) -> Checked {
        let (client, bao) = (&self.world.anyone, self.world.openbao()?);
        bao.mount(client, KV).await?;
        bao.put_secret(client, KV, SECRET, "by OpenBao").await?;
        let user = self.world.external_secret(SHOP, SECRET).await?["spec"].clone();
        self.setup(&["--to", "vault", "--accept-new-secrets"]).await?;
        self.synced("by OpenBao").await?;
        self.world.aws()?.put_secret(SECRET, "by the role again");
        self.setup(&["--to", "aws", "--accept-new-secrets"]).await?;
        self.synced("by the role again").await?;
        let same = self.world.external_secret(SHOP, SECRET).await?["spec"].clone();
        check!(user == same, "the ExternalSecret was {user}, is {same}");
        let audit = self.keyless(&["audit"])?.run().await?.exits(0)?;
        check!(audit.stdout.starts_with("ZERO"), "the audit after the moves\n{audit}");
        Ok(())
    }

    async fn tear_down(&self) -> Checked {
        let output = self.keyless(&["teardown", "--yes"])?.run().await?.exits(0)?;
        let left = self.world.aws()?.trusts();
        check!(left.is_empty(), "AWS still has {left:?}\n{output}");
        Ok(())
    }

    /// Takes away by hand what the story made, whatever of it is there.
    async fn clear(&self) -> Checked {
        clear(self.world, (SHOP, SECRET), STORE, KEY_SECRET).await
    }
}

/// In the form that `setup` can add to.
fn configure(world: &World) -> Checked<PathBuf> {
    let ca_file = world.ca_file().display().to_string();
    let text = format!(
        "apiVersion: keyless/v1\ntls:\n  caFile: {ca_file}\nissuer: {ISSUER}\nbucket:\n  url: s3://lab-issuer/cluster-a\n  \
         endpoint: https://s3.lab.test\naws:\n  account: \"{account}\"\n  region: {region}\n  role: {ROLE}\n  keyUser: {USER}\n\
         vault:\n  address: https://bao.lab.test:8200\n  mount: {MOUNT}\n  kv: {KV}\n  caFile: {ca_file}\n\
         store:\n  name: {STORE}\n",
        account = lab::Aws::account(),
        region = lab::Aws::region(),
    );
    let file = world.folder.join("keyless-aws.yaml");
    fs::write(&file, text)?;
    Ok(file)
}
