//! A cluster whose operator reads Key Vault with a stored client secret becomes one that stores none; its one store then
//! moves to OpenBao and back.

use serde_json::json;

use super::entra_setting::{IDENTITY, SECRET, SHOP, STORE, Scene, scene};
use super::setting::KV;
use crate::check::{Checked, While, check};
use crate::world::{ISSUER, World};

/// Key Vault Secrets User.
const ROLE: &str = "4633458b-17de-408a-b874-0445c86b69e6";

pub(crate) async fn play(world: &mut World) -> Checked {
    let scene = scene(world).await?;
    scene.before().await.during("a store with a stored client secret")?;
    let audit = scene.keyless(&["audit"])?.run().await?.exits(1)?;
    check!(audit.stdout.starts_with("1 LONG-LIVED"), "the audit before\n{audit}");
    scene.federate().await.during("`setup --to entra --retire-key`")?;
    scene.change_client().await.during("the operator's other client for Azure")?;
    scene.move_there_and_back().await.during("the moves to OpenBao and back")?;
    scene.tear_down().await.during("`teardown`")?;
    scene.clear().await
}

impl Scene<'_> {
    async fn federate(&self) -> Checked {
        let entra = self.world.entra()?;
        self.keyless(&["setup", "--to", "entra", "--dry-run"])?.run().await?.exits(1)?;
        check!(entra.trusts() == (Vec::new(), 0), "a dry run made {:?}", entra.trusts());
        self.setup(&["--to", "entra", "--retire-key"]).await?;
        let held = self.world.store(STORE).await?;
        let provider = &held["spec"]["provider"]["azurekv"];
        let other = ["authSecretRef", "identityId"].iter().any(|login| !provider[login].is_null());
        let by_token =
            provider["authType"] == "WorkloadIdentity" && provider["serviceAccountRef"].is_object();
        check!(by_token && !other, "the store's authentication: {provider}");
        let secrets = entra.secrets_of(&self.application);
        check!(secrets == Some(0), "client secrets of the application: {secrets:?}");
        entra.put_secret(SECRET, "by the managed identity");
        self.synced("by the managed identity").await?;
        self.audit_says_zero().await?;
        self.keyless(&["verify"])?.run().await?.exits(0)?;
        self.has_nothing_to_do().await?;
        let identity = entra.identity(IDENTITY).unwrap_or_default();
        let trusts = identity["federated"].as_array().map_or(0, Vec::len);
        check!(trusts == 1 && identity["federated"][0]["issuer"] == ISSUER, "it trusts {identity}");
        let only = json!([format!("{ROLE} on {}/secrets/{SECRET}", lab::Entra::vault())]);
        check!(identity["roles"] == only, "the roles of the identity: {}", identity["roles"]);
        Ok(())
    }

    /// The platform turns on the operator's newer client: it asks the vault first, and only then for a token.
    async fn change_client(&self) -> Checked {
        let patch = json!({"spec": {"provider": {"azurekv": {"useAzureSDK": true}}}}).to_string();
        let arguments = ["patch", "clustersecretstore", STORE, "--type=merge", "--patch", &patch];
        self.world.kubectl(&arguments)?.run().await?.exits(0)?;
        self.world.entra()?.put_secret(SECRET, "by the other client");
        self.synced("by the other client").await?;
        self.has_nothing_to_do().await
    }

    async fn has_nothing_to_do(&self) -> Checked {
        let again = ["setup", "--to", "entra", "--retire-key", "--dry-run"];
        self.keyless(&again)?.run().await?.exits(0).during("nothing should be left to do")?;
        Ok(())
    }

    /// In the cluster, and at Entra.
    async fn audit_says_zero(&self) -> Checked {
        for arguments in [&["audit"][..], &["audit", "--cloud"]] {
            let audit = self.keyless(arguments)?.run().await?.exits(0)?;
            check!(audit.stdout.starts_with("ZERO"), "`{}`\n{audit}", arguments.join(" "));
        }
        Ok(())
    }

    async fn move_there_and_back(&self) -> Checked {
        let (client, bao) = (&self.world.anyone, self.world.openbao()?);
        bao.mount(client, KV).await?;
        bao.put_secret(client, KV, SECRET, "by OpenBao").await?;
        let user = self.world.external_secret(SHOP, SECRET).await?["spec"].clone();
        self.setup(&["--to", "vault", "--accept-new-secrets"]).await?;
        self.synced("by OpenBao").await?;
        self.world.entra()?.put_secret(SECRET, "by the identity again");
        self.setup(&["--to", "entra", "--accept-new-secrets"]).await?;
        self.synced("by the identity again").await?;
        let same = self.world.external_secret(SHOP, SECRET).await?["spec"].clone();
        check!(user == same, "the ExternalSecret was {user}, is {same}");
        self.audit_says_zero().await
    }

    async fn tear_down(&self) -> Checked {
        let output = self.keyless(&["teardown", "--yes"])?.run().await?.exits(0)?;
        let left = self.world.entra()?.trusts();
        check!(left == (Vec::new(), 0), "Entra still has {left:?}\n{output}");
        Ok(())
    }
}
