//! What is known to be public, against the schema of External Secrets Operator, and against names that no list has.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{super::plan::with_provider, *};
use crate::{
    cluster::objects::Object,
    credentials::fakes,
    plan::{Plan, SavedPlan},
    secret_store::{Planned, StoreName},
};

/// Every leaf of every provider of a released version, and its type.
const LEAVES: &str = include_str!("../../fixtures/eso/leaves.txt");
/// Headers may hold whatever opens a proxy.
const SECRET: [&str; 1] = ["vault.headers.*"];
/// Newer than that version.
const NEWER: [&str; 1] = ["gcpsm.auth.workloadIdentityFederation.gcpServiceAccountEmail"];

fn shipped() -> impl Iterator<Item = (&'static str, PublicFields)> {
    ["gcpsm", "vault", "aws", "azurekv"].into_iter().map(|member| (member, public_fields(member).unwrap()))
}

#[test]
fn schema_has_each_public_field() {
    let leaves = || LEAVES.lines().filter(|line| !line.starts_with('#'));
    let leaves: BTreeSet<_> = leaves().filter_map(|line| line.split(' ').next()).collect();
    for (member, public) in shipped() {
        for leaf in leaves.iter().filter(|leaf| leaf.split('.').next() == Some(member)) {
            // A list is one value.
            let path = leaf.split("[]").next().unwrap();
            assert_eq!(of_provider(path), !SECRET.contains(leaf), "{leaf}");
        }
        for value in public.values {
            let path = format!("{member}.{value}");
            let known = leaves.iter().any(|leaf| leaf.split("[]").next() == Some(path.as_str()));
            assert!(known || NEWER.contains(&path.as_str()), "{path} is not in the schema");
        }
        for reference in public.references {
            let name = format!("{member}.{reference}.name");
            assert!(leaves.contains(name.as_str()), "{name} is not in the schema");
        }
    }
}

fn store(provider: &Value) -> Object {
    Object(json!({
        "apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore",
        "metadata": { "name": "main", "uid": "u", "resourceVersion": "1" },
        "spec": { "provider": provider },
    }))
}

/// From one provider to another, in each form in which a plan leaves the program.
fn everywhere(from: &Value, to: &Value) -> (Planned, String) {
    let name: StoreName = "main".parse().unwrap();
    let planned = with_provider(&name, &store(from), to, "a test");
    let plan = Plan { steps: vec![planned.step.clone()], notes: Vec::new() };
    let lines: Vec<String> = plan.lines().iter().map(|line| line.text().to_owned()).collect();
    let saved = SavedPlan::new(Vec::new(), "/".into(), json!({}), &plan).to_text();
    let text = format!("{}\n{}\n{saved}\n{:?}", lines.join("\n"), json!(plan), planned.step);
    (planned, text)
}

#[test]
fn unlisted_fields_are_never_shown() {
    let secret = fakes::github();
    let public = json!({ "gcpsm": { "projectID": "acme-prod" } });
    let placed = |path: &str, value: &Value| {
        path.rsplit('.').fold(value.clone(), |inner, step| {
            let mut outer = json!({});
            outer[step] = inner;
            outer
        })
    };
    let in_address = format!("https://reader:{secret}@bao.example:8200");
    let in_query = format!("https://bao.example:8200/?sig={secret}");
    for (path, value) in [
        ("gcpsm.passwd", json!(secret)),
        ("gcpsm.tokenValue", json!(secret)),
        ("gcpsm.auth.x.data", json!(secret)),
        ("gcpsm.auth.secretRef.secretAccessKeySecretRef.value", json!(secret)),
        ("gcpsm.projectID.name", json!(secret)),
        ("gcpsm.location.x", json!([secret])),
        ("vault.headers.X-Vault-Token", json!(secret)),
        ("vault.auth.tokenSecretRef.name.token", json!(secret)),
        ("vault.auth.appRole.secretId", json!(secret)),
        ("vault.token", json!([{ "a": secret }])),
        ("vault.server", json!(in_address)),
        ("vault.caProvider.name", json!(in_address)),
        ("azurekv.vaultUrl", json!(in_query)),
        ("azurekv.clientSecret", json!(secret)),
        ("aws.accessKey", json!(secret)),
        ("aws.additionalRoles", json!(["arn:aws:iam::1:role/x", in_address])),
        ("fake.data", json!([{ "key": "a", "value": secret }])),
        ("webhook.url", json!(in_address)),
        ("nobodyKnows.projectID", json!(secret)),
        ("gcpsm", json!(secret)),
    ] {
        let odd = placed(path, &value);
        for (from, to) in [(&odd, &public), (&public, &odd)] {
            let (planned, text) = everywhere(from, to);
            assert!(planned.changes_something() && !text.contains(&secret), "{path}: {text}");
            let field = format!("spec.provider.{path}");
            let of_field = planned.step.fields.iter().find(|change| change.path == field);
            assert!(json!(of_field.unwrap())["sensitive"] == true, "{path}: {text}");
        }
    }
}

#[test]
fn known_fields_stay_visible() {
    let from = json!({ "vault": {
        "server": "https://bao.example:8200", "path": "secret",
        "auth": { "tokenSecretRef": { "name": "vault-token", "namespace": "eso", "key": "token" } },
    } });
    let to = json!({ "gcpsm": { "projectID": "acme-prod", "auth": { "workloadIdentityFederation": {
        "audience": "//iam.googleapis.com/projects/1/x",
        "serviceAccountRef": { "name": "eso-reader", "namespace": "eso", "audiences": ["sts"] },
    } } } });
    let (planned, text) = everywhere(&from, &to);
    for shown in
        ["https://bao.example:8200 → (none)", "vault-token", "acme-prod", "projects/1/x", "eso-reader"]
    {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    assert!(planned.step.fields.iter().all(|field| json!(field)["sensitive"] == false), "{text}");
}

#[test]
fn only_own_members_are_public() {
    for (is_public, shown, hidden) in [
        (of_rights as IsPublic, "rules", "data"),
        (of_rights, "roleRef.name", "rulesX.name"),
        (of_rights, "subjects", "spec.provider.gcpsm.projectID"),
        (of_account, "automountServiceAccountToken", "metadata.annotations.token"),
        (of_account, "metadata.annotations.iam.gke.io/gcp-service-account", "metadata.annotations"),
        (of_store, "spec.conditions", "spec.provider"),
        (of_store, "spec.retrySettings.maxRetries", "spec.conditionsX"),
    ] {
        assert!(is_public(shown) && !is_public(hidden), "{shown}, {hidden}");
    }
}
