//! Microsoft's own clients, which know nothing of `keyless`, read a secret as the managed identity that it made, with a token
//! of the store's ServiceAccount in a file; and what is refused is an error of theirs.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::entra_setting::{IDENTITY, SECRET, STORE, Scene, scene};
use crate::call::Call;
use crate::check::{Checked, Failure, While, check};
use crate::entra::Entra;
use crate::far_sides::FarSide;
use crate::tokens;
use crate::world::{ACCOUNT, ISSUER, SUBJECT, World};

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../real/entra-clients.py");
const AUDIENCE: &str = "api://AzureADTokenExchange";

pub(crate) async fn play(world: &mut World) -> Checked {
    let scene = scene(world).await?;
    scene.before().await.during("a store with a stored client secret")?;
    let by_secret = by_secret(&scene, &scene.application.secret);
    scene
        .answers(&[
            (by_secret.clone(), r#"ok {"password":"by the client secret"}"#),
            (self::by_secret(&scene, "wrong"), "ClientAuthenticationError AADSTS7000215"),
            (named(&by_secret, "absent"), "ResourceNotFoundError 404"),
        ])
        .await
        .during("the client secret")?;

    scene.setup(&["--to", "entra"]).await?;
    scene.world.entra()?.put_secret(SECRET, "for clients");
    scene.by_token(&by_secret).await.during("the managed identity")?;
    scene.keyless(&["teardown", "--yes"])?.run().await?.exits(0)?;
    scene.clear().await
}

impl Scene<'_> {
    async fn by_token(&self, by_secret: &Value) -> Checked {
        let entra = self.world.entra()?;
        let identity = entra.identity(IDENTITY).unwrap_or_default();
        let client_id = identity["properties"]["clientId"].as_str().unwrap_or_default();
        let held = self.world.store(STORE).await?;
        let account = &held["spec"]["provider"]["azurekv"]["serviceAccountRef"];
        let of_store =
            ["namespace", "name"].map(|member| account[member].as_str().unwrap_or_default()).join("/");
        let good = by_token(client_id, &self.token("of-store", &of_store, &[AUDIENCE]).await?);
        let other_audience =
            by_token(client_id, &self.token("vault", &of_store, &["https://vault.azure.net"]).await?);
        let two_audiences =
            by_token(client_id, &self.token("two", &of_store, &[AUDIENCE, "https://vault.azure.net"]).await?);
        let of_other = self.token("of-other", ACCOUNT, &[AUDIENCE]).await?;
        let forged = tokens::with_forged_signature(&fs::read_to_string(&of_other)?)?;
        let forged = self.write("forged", &forged)?;
        let letters = entra.create_identity("other-letters", ISSUER, &SUBJECT.replace("default", "Default"));
        let no_role = entra.create_identity("no-role", ISSUER, SUBJECT);
        let slash = entra.create_identity("other-issuer", &format!("{ISSUER}/"), SUBJECT);
        self.answers(&[
            (good.clone(), r#"ok {"password":"for clients"}"#),
            (msal(&good), "ok Bearer 3599"),
            (named(&good, "absent"), "HttpResponseError 403 ForbiddenByRbac"),
            (other_audience.clone(), "ClientAuthenticationError 401 AADSTS700212"),
            (msal(&other_audience), "invalid_client [700212]"),
            (two_audiences, "ClientAuthenticationError 401 AADSTS700212"),
            (by_token(client_id, &of_other), "ClientAuthenticationError 401 AADSTS700213"),
            (by_token(&letters, &of_other), "ClientAuthenticationError 401 AADSTS7002138"),
            (msal(&by_token(&letters, &of_other)), "invalid_client [7002138]"),
            (by_token(&slash, &of_other), "ClientAuthenticationError 401 AADSTS700211"),
            (by_token(&no_role, &forged), "ClientAuthenticationError 401 AADSTS50013"),
            (by_token(&no_role, &of_other), "HttpResponseError 403 ForbiddenByRbac"),
            // For its trial the application of the stored secret may not sign in.
            (by_secret.clone(), "ClientAuthenticationError AADSTS7000112"),
        ])
        .await?;
        for name in ["other-letters", "no-role", "other-issuer"] {
            entra.remove_identity(name);
        }
        Ok(())
    }

    /// A file with a token, as the kubelet writes it: without a line break.
    async fn token(&self, name: &str, account: &str, audiences: &[&str]) -> Checked<String> {
        let token = self.world.servers()?[0].token(account, audiences).await?;
        self.write(name, &token)
    }

    fn write(&self, name: &str, token: &str) -> Checked<String> {
        let file = self.world.folder.join(format!("token-{name}"));
        fs::write(&file, token)?;
        Ok(file.display().to_string())
    }

    /// Each of these steps ends so.
    async fn answers(&self, steps: &[(Value, &str)]) -> Checked {
        let file = self.world.folder.join("steps-of-clients");
        let lines: Vec<String> = steps.iter().map(|(step, _)| step.to_string()).collect();
        fs::write(&file, lines.join("\n"))?;
        let python = self.world.far_sides.program(FarSide::EntraClients).map_err(Failure)?;
        let libraries = python.parent().unwrap_or(Path::new("/"));
        let output = Call::new(&python, &["-B", CLIENT, &file.display().to_string()])
            .with("HOME", &self.world.folder)
            .with("PYTHONPATH", libraries)
            .with("REQUESTS_CA_BUNDLE", self.world.ca_file())
            .run()
            .await?
            .exits(0)?;
        let expected: Vec<&str> = steps.iter().map(|(_, answer)| *answer).collect();
        let answers: Vec<&str> = output.stdout.lines().collect();
        check!(answers == expected, "expected: {expected:#?}\n{output}");
        Ok(())
    }
}

fn by_secret(scene: &Scene<'_>, secret: &str) -> Value {
    json!({"by": "secret", "tenant": lab::Entra::tenant(), "client_id": scene.application.id, "client_secret": secret,
        "vault": Entra::vault_url(), "name": SECRET})
}

fn by_token(client_id: &str, token_file: &str) -> Value {
    json!({"by": "token", "tenant": lab::Entra::tenant(), "client_id": client_id, "token_file": token_file,
        "vault": Entra::vault_url(), "name": SECRET})
}

/// The same exchange, by the library below.
fn msal(step: &Value) -> Value {
    let mut step = step.clone();
    step["by"] = "msal".into();
    step
}

fn named(step: &Value, secret: &str) -> Value {
    let mut step = step.clone();
    step["name"] = secret.into();
    step
}
