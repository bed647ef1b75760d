//! The heart of it: a cluster whose operator reads with a stored key becomes one that stores none, and
//! its one store then moves to another provider without anyone else noticing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::setting::{KEY_SECRET, KV, MOUNT, Mode, POOL, SECRET, SHOP, STORE, Setting, configure, sign_as};
use crate::call::{Call, installed};
use crate::check::{Checked, Failure, While, check};
use crate::eso;
use crate::google::{self, Key};
use crate::kubernetes::{ApiServer, DEFAULT_ISSUER};
use crate::world::{ISSUER, World};

/// What `keyless` marks as its own.
const OURS: &str = "app.kubernetes.io/managed-by=keyless";
/// Everything that the operator or its users could see a change in, by the plural and its API.
const TREE: [(&str, &str); 6] = [
    ("clustersecretstores", "/apis/external-secrets.io/v1/clustersecretstores"),
    ("secretstores", "/apis/external-secrets.io/v1/secretstores"),
    ("externalsecrets", "/apis/external-secrets.io/v1/externalsecrets"),
    ("serviceaccounts", "/api/v1/serviceaccounts"),
    ("roles", "/apis/rbac.authorization.k8s.io/v1/roles"),
    ("rolebindings", "/apis/rbac.authorization.k8s.io/v1/rolebindings"),
];

pub(crate) async fn documents(world: &mut World) -> Checked {
    world.s3()?.forget(&world.anyone, "lab-issuer").await?;
    play(world, Mode::Documents).await
}

/// No bucket, and API servers that keep their default issuer.
pub(crate) async fn uploaded(world: &mut World) -> Checked {
    play(world, Mode::Uploaded).await
}

async fn play(world: &mut World, mode: Mode) -> Checked {
    // As a cluster is that was made without a thought of this. The operator's own token names the other.
    sign_as(world, [DEFAULT_ISSUER, ISSUER]).await?;
    let config = configure(world, mode)?;
    let setting = Setting { world, mode, config: &config };
    setting.clear().await.during("taking away what a story that failed has left")?;
    let key = setting.before().await.during("a store with a stored key")?;
    setting.audit_says(1).await.during("the audit before")?;
    if mode == Mode::Documents {
        setting.wait_for_servers().await.during("`setup` before the cluster signs as the issuer")?;
        sign_as(world, [ISSUER, DEFAULT_ISSUER]).await?;
    }

    let setting = Setting { world, mode, config: &config };
    let ready = setting.ready_since().await?;
    setting.federate().await.during("`setup`")?;
    setting.verify().await.during("`verify` after `setup`")?;
    let for_google = world.store(STORE).await?;
    setting.retire(&key).await.during("`setup --retire-key`")?;
    setting.audit_says(0).await.during("the audit after")?;
    setting.swap().await.during("`setup --to vault`")?;
    setting.verify().await.during("`verify` after the swap")?;
    setting.audit_says(0).await.during("the audit after the swap")?;
    let for_openbao = world.store(STORE).await?;
    let still = setting.ready_since().await?;
    check!(ready == still, "the ExternalSecret was Ready since {ready}, and is so since {still} only");
    setting.tear_down().await.during("`teardown`")?;
    setting.clear().await?;
    if mode == Mode::Uploaded {
        return Ok(());
    }
    let stores = [for_google, for_openbao];
    eso::later_version_takes(world, &stores).await.during("the stores in a later version's schema")
}

impl Setting<'_> {
    /// One number, by exit code, to a person and to a program.
    pub(super) async fn audit_says(&self, count: u64) -> Checked {
        let code = i32::from(count > 0);
        let output = self.keyless(&["audit"])?.run().await?.exits(code)?;
        let verdict = output.stdout.lines().next().unwrap_or_default().to_owned();
        let expected = if count == 0 { "ZERO".to_owned() } else { format!("{count} LONG-LIVED") };
        check!(verdict.starts_with(&expected), "the verdict should begin with `{expected}`\n{output}");
        let named = output.stdout.contains(STORE) && output.stdout.contains(KEY_SECRET);
        check!(named || count == 0, "the store and its key should be named\n{output}");
        let output = self.keyless(&["audit", "-o", "json"])?.run().await?.exits(code)?;
        let found: Value = serde_json::from_str(&output.stdout).during(&output)?;
        check!(found["count"] == count && found["complete"] == true, "{count} should be counted\n{output}");
        Ok(())
    }

    /// Everything that can be done before is done, and the administrator is told what is left to do.
    async fn wait_for_servers(&self) -> Checked {
        let arguments = ["setup", "--yes", "--watch-for", "5s"];
        let output = self.keyless(&arguments)?.run().await?.exits(1)?;
        let told = [&output.stdout, &output.stderr]
            .iter()
            .any(|text| text.contains("service-account-issuer") && text.contains(ISSUER));
        check!(told, "it should say which flags the API servers need\n{output}");
        let document = self.world.public(&format!("{ISSUER}/.well-known/openid-configuration")).await?;
        check!(document["issuer"] == ISSUER, "the public document: {document}");
        let held = self.world.store(STORE).await?;
        let auth = &held["spec"]["provider"]["gcpsm"]["auth"];
        check!(auth["secretRef"].is_object(), "the store was changed too early: {auth}");
        self.world.google()?.add_version(SECRET, "still by the key").await?;
        self.world.synced(SHOP, SECRET, "still by the key").await
    }

    /// Since when the ExternalSecret is Ready without a break.
    async fn ready_since(&self) -> Checked<String> {
        let external = self.world.external_secret(SHOP, SECRET).await?;
        let conditions = external["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.iter().find(|one| one["type"] == "Ready" && one["status"] == "True");
        let since = ready.and_then(|ready| ready["lastTransitionTime"].as_str()).map(str::to_owned);
        since.ok_or_else(|| Failure(format!("the ExternalSecret is not Ready: {conditions:?}")))
    }

    /// The same ExternalSecret, by federation.
    async fn federate(&self) -> Checked {
        let before = self.alive().await?;
        let planned = self.keyless(&["setup", "--dry-run"])?.run().await?.exits(1)?;
        check!(planned.stdout.contains(POOL), "the plan should name the pool\n{planned}");
        let pools = self.alive().await?;
        check!(pools == before, "a dry run made {pools:?} of {before:?}");

        self.setup(&[]).await?;
        let held = self.world.store(STORE).await?;
        let auth = &held["spec"]["provider"]["gcpsm"]["auth"];
        let federation = &auth["workloadIdentityFederation"];
        let only = auth.as_object().is_some_and(|ways| ways.len() == 1) && federation.is_object();
        check!(only, "the store's authentication: {auth}");
        let audience = google::provider(POOL, "cluster");
        check!(federation["audience"] == audience, "the store's audience: {federation}");
        let audiences = &federation["serviceAccountRef"]["audiences"];
        check!(*audiences == json!([format!("https:{audience}")]), "the token's audiences: {audiences}");
        let uploaded = self.provider().await?["oidc"]["jwksJson"].is_string();
        check!(uploaded == (self.mode == Mode::Uploaded), "keys were uploaded: {uploaded}");

        self.world.google()?.add_version(SECRET, "by federation").await?;
        self.world.synced(SHOP, SECRET, "by federation").await
    }

    /// Every check passes, whichever provider the store names by now.
    async fn verify(&self) -> Checked {
        let output = self.keyless(&["verify"])?.run().await?.exits(0)?;
        let checks = match self.mode {
            Mode::Documents => ["discovery document", "key set", "read of", "refresh of"],
            Mode::Uploaded => ["keys of", "signature by", "read of", "refresh of"],
        };
        for check in checks {
            let passed = output.stdout.lines().any(|line| line.starts_with(&format!("ok    {check}")));
            check!(passed, "`{check}` should have been run\n{output}");
        }
        Ok(())
    }

    /// The manifests for a repository, one file each.
    async fn render(&self, provider: &str, folder: &str) -> Checked<PathBuf> {
        let folder = self.world.folder.join(folder);
        let shown = folder.display().to_string();
        let arguments = ["render", "store", "--to", provider, "--folder", &shown];
        self.keyless(&arguments)?.run().await?.exits(0)?;
        Ok(folder)
    }

    /// The key is deleted at both ends, and nothing depends on it.
    async fn retire(&self, key: &Key) -> Checked {
        let google = self.world.google()?;
        self.setup(&["--retire-key"]).await?;
        let left = google.keys(&key.email).await?;
        check!(left.is_empty(), "Google still has {left:?}");
        let path = format!("/api/v1/namespaces/{}/secrets", eso::NAMESPACE);
        let secrets = self.world.servers()?[0].get(&path).await?.to_string();
        check!(!secrets.contains(KEY_SECRET), "the Secret {KEY_SECRET} is still there");
        google.add_version(SECRET, "without any key").await?;
        self.world.synced(SHOP, SECRET, "without any key").await?;
        self.keyless(&["setup", "--dry-run"])?
            .run()
            .await?
            .exits(0)
            .during("nothing should be left to do")?;
        Ok(())
    }

    /// The other provider: one object differs, and no user of the store is touched.
    async fn swap(&self) -> Checked {
        let (client, openbao) = (&self.world.anyone, self.world.openbao()?);
        openbao.mount(client, KV).await?;
        openbao.put_secret(client, KV, SECRET, "by OpenBao").await?;
        let [google, ahead] =
            [self.render("google", "rendered-google").await?, self.render("vault", "rendered-ahead").await?];
        let before = tree(&self.world.servers()?[0]).await?;
        let user = self.world.external_secret(SHOP, SECRET).await?;

        self.setup(&["--to", "vault", "--accept-new-secrets"]).await?;
        self.world.synced(SHOP, SECRET, "by OpenBao").await?;
        let after = tree(&self.world.servers()?[0]).await?;
        let names = before.keys().chain(after.keys());
        let mut changed: Vec<&String> = names.filter(|name| before.get(*name) != after.get(*name)).collect();
        changed.sort();
        changed.dedup();
        check!(changed == ["clustersecretstores/app-secrets"], "the swap changed {changed:?}");
        // What a repository would show of it: one file, and it was known before.
        let vault = self.render("vault", "rendered-vault").await?;
        let output = diff("--brief", &google, &vault)?.run().await?.exits(1)?.prints_one_line("Files ")?;
        let file = format!("clustersecretstore-{STORE}.yaml");
        check!(output.stdout.contains(&file), "the swap should change {file}\n{output}");
        diff("--unified", &ahead, &vault)?.run().await?.exits(0)?;
        self.keyless(&["setup", "--to", "vault", "--dry-run"])?
            .run()
            .await?
            .exits(0)
            .during("nothing should be left to do")?;
        for folder in [google, ahead, vault] {
            fs::remove_dir_all(folder)?;
        }
        let same = self.world.external_secret(SHOP, SECRET).await?;
        for field in ["generation", "uid", "labels", "annotations"] {
            let (was, is) = (&user["metadata"][field], &same["metadata"][field]);
            check!(was == is, "the ExternalSecret's {field} was {was}, is {is}");
        }
        openbao.put_secret(client, KV, SECRET, "by OpenBao again").await?;
        self.world.synced(SHOP, SECRET, "by OpenBao again").await
    }

    /// Nothing that `setup` made is left anywhere.
    async fn tear_down(&self) -> Checked {
        let output = self.keyless(&["teardown", "--yes"])?.run().await?.exits(0)?;
        let left = self.nothing_left().await;
        left.map_err(|failure| Failure(format!("{failure}\n{output}")))
    }

    pub(super) async fn nothing_left(&self) -> Checked {
        let readers = self.world.google()?.readers(SECRET).await?.to_string();
        check!(!readers.contains("principal"), "the secret still trusts {readers}");
        let pools = self.alive().await?;
        check!(pools.is_empty(), "Google still has the pools {pools:?}");
        for path in [format!("sys/auth/{MOUNT}"), format!("auth/{MOUNT}/role/eso")] {
            let answer =
                self.world.openbao()?.call(&self.world.anyone, Method::GET, &path, &Value::Null).await?;
            check!(answer.is_err(), "OpenBao still has {path}");
        }
        for (kind, path) in TREE {
            let left = self.world.servers()?[0].get(&format!("{path}?labelSelector={OURS}")).await?;
            let left = left["items"].as_array().cloned().unwrap_or_default();
            check!(left.is_empty(), "the cluster still has {kind}: {left:?}");
        }
        if self.mode == Mode::Documents {
            for document in [".well-known/openid-configuration", "openid/v1/jwks"] {
                let url = format!("{ISSUER}/{document}");
                let status = self.world.anyone.get(&url).send().await.during(&url)?.status();
                let gone = [StatusCode::NOT_FOUND, StatusCode::FORBIDDEN].contains(&status);
                check!(gone, "{url} is still answered with {status}");
            }
            let there = self.world.s3()?.has(&self.world.anyone, "lab-issuer").await?;
            check!(!there, "the bucket is still there, and `setup` made it");
        }
        Ok(())
    }
}

/// What users wrote in every object, without the fields that servers and controllers set.
pub(super) async fn tree(server: &ApiServer) -> Checked<BTreeMap<String, Value>> {
    let mut tree = BTreeMap::new();
    for (kind, path) in TREE {
        for mut object in server.get(path).await?["items"].as_array().cloned().unwrap_or_default() {
            let namespace = object["metadata"]["namespace"].as_str().map(|name| format!("{name}/"));
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            let name = format!("{kind}/{}{name}", namespace.unwrap_or_default());
            if let Some(fields) = object.as_object_mut() {
                fields.remove("status");
            }
            if let Some(fields) = object["metadata"].as_object_mut() {
                fields.retain(|field, _| ["labels", "annotations", "uid"].contains(&field.as_str()));
            }
            tree.insert(name, object);
        }
    }
    Ok(tree)
}

/// Names the files of two folders that differ.
fn diff(form: &str, one: &Path, other: &Path) -> Checked<Call> {
    let [one, other] = [one, other].map(|folder| folder.display().to_string());
    let program =
        installed("diff").ok_or_else(|| Failure("the command `diff` is not installed".to_owned()))?;
    Ok(Call::new(&program, &["--recursive", form, &one, &other]))
}
