//! That the far sides are sound: the operator reads through each of them by stores written by hand,
//! and through none of them what it may not.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::check::{Checked, While, check, until};
use crate::eso::{self, account, external_secret, namespace, store};
use crate::google::{self, PROJECT, pools, principal, provider};
use crate::world::{ISSUER, World};

const HERE: &str = "by-hand";
const READER: &str = "reader-by-hand";
const SUBJECT: &str = "system:serviceaccount:external-secrets:reader-by-hand";
/// Also the names of the stores and of the ExternalSecrets.
const WAYS: [&str; 3] = ["by-key", "by-federation", "by-openbao"];

pub(crate) async fn play(world: &mut World) -> Checked {
    let world = &*world;
    world.published().await?;
    let google = world.google()?;
    let openbao = world.openbao()?;

    google.create_secret(HERE, "from-google").await?;
    let key = google.create_key("eso-by-hand").await?;
    federate(world, HERE, SUBJECT).await?;
    google.let_read(HERE, &[&format!("serviceAccount:{}", key.email), &principal(HERE, SUBJECT)]).await?;
    openbao.trust_for_secrets(&world.anyone, HERE, ISSUER, &world.pki.ca_pem, SUBJECT).await?;
    openbao.put_secret(&world.anyone, HERE, HERE, "from-openbao").await?;

    let objects = objects(world, &key.file);
    world.apply(&objects).await?;
    for (way, password) in WAYS.iter().zip(["from-google", "from-google", "from-openbao"]) {
        world.synced(HERE, way, password).await.during(way)?;
    }

    // A key set of one's own instead of the documents; then a new value, by every way.
    let keys = json!({"oidc": {"jwksJson": world.servers()?[0].get("/openid/v1/jwks").await?.to_string()}});
    let url = format!("{}/{HERE}/providers/cluster?updateMask=oidc.jwksJson", pools());
    google.operate(Method::PATCH, &url, &keys).await?;
    google.add_version(HERE, "changed-at-google").await?;
    openbao.put_secret(&world.anyone, HERE, HERE, "changed-at-openbao").await?;
    for (way, password) in WAYS.iter().zip(["changed-at-google", "changed-at-google", "changed-at-openbao"]) {
        world.synced(HERE, way, password).await.during(way)?;
    }

    // A disabled key opens nothing any more; the other ways do not care.
    google.post(&format!("{}:disable", key.url), &json!({})).await?;
    let end = Duration::from_secs(30);
    until("the store of the disabled key to fail", end, async || {
        let conditions = world.external_secret(HERE, "by-key").await?["status"]["conditions"].clone();
        let failed = conditions
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["type"] == "Ready" && one["status"] == "False"));
        check!(failed, "{conditions}");
        Ok(())
    })
    .await?;
    google.add_version(HERE, "without-the-key").await?;
    world.synced(HERE, "by-federation", "without-the-key").await?;

    // The next story's audit counts what is in the cluster.
    // Without controllers a namespace never ends.
    let mut objects = objects;
    objects.reverse();
    objects.retain(|object| object["kind"] != "Namespace");
    world.delete(&objects).await?;
    google.call(Method::DELETE, &key.url, &Value::Null).await?;
    google.operate(Method::DELETE, &format!("{}/{HERE}", pools()), &Value::Null).await?;
    google.remove(&google::secret(HERE)).await?;
    openbao.forget(&world.anyone, HERE).await
}

/// A pool and a provider that reads the issuer's documents, for one ServiceAccount.
pub(super) async fn federate(world: &World, pool: &str, subject: &str) -> Checked {
    let google = world.google()?;
    let pools = pools();
    google.operate(Method::POST, &format!("{pools}?workloadIdentityPoolId={pool}"), &json!({})).await?;
    let url = format!("{pools}/{pool}/providers?workloadIdentityPoolProviderId=cluster");
    let body = json!({
        "attributeMapping": {"google.subject": "assertion.sub"},
        "attributeCondition": format!("assertion.sub == '{subject}'"),
        "oidc": {"issuerUri": ISSUER},
    });
    google.operate(Method::POST, &url, &body).await
}

fn objects(world: &World, key_file: &str) -> Vec<Value> {
    use base64::prelude::{BASE64_STANDARD, Engine};

    let account_ref = json!({"name": READER, "namespace": eso::NAMESPACE});
    let by_key = json!({"gcpsm": {"projectID": PROJECT, "auth": {"secretRef": {
        "secretAccessKeySecretRef": {"name": "key-by-hand", "namespace": eso::NAMESPACE, "key": "key.json"},
    }}}});
    let audience = provider(HERE, "cluster");
    let mut token_of = account_ref.clone();
    token_of["audiences"] = json!([format!("https:{audience}")]);
    let by_federation = json!({"gcpsm": {"projectID": PROJECT, "auth": {
        "workloadIdentityFederation": {"audience": audience, "serviceAccountRef": token_of},
    }}});
    let by_openbao = json!({"vault": {
        "server": "https://bao.lab.test:8200",
        "path": HERE,
        "version": "v2",
        "caBundle": BASE64_STANDARD.encode(&world.pki.ca_pem),
        "auth": {"jwt": {
            "path": HERE,
            "role": HERE,
            "kubernetesServiceAccountToken": {"serviceAccountRef": account_ref, "audiences": ["vault"]},
        }},
    }});
    let mut objects = vec![
        namespace(HERE),
        account(eso::NAMESPACE, READER),
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "key-by-hand", "namespace": eso::NAMESPACE},
            "stringData": {"key.json": key_file},
        }),
    ];
    for (way, provider) in WAYS.iter().zip([by_key, by_federation, by_openbao]) {
        objects.push(store(way, &provider));
        objects.push(external_secret(HERE, way, way, HERE));
    }
    objects
}
