//! The ways in which a store can reach Google, by the binary: each from a stored key to none.

use std::fs;

use lab::{Curve, SigningKey};
use serde_json::{Value, json};

use crate::{
    estate::{DEFAULT_ISSUER, Estate, RETIRE},
    world::ISSUER,
};

const SUBJECT: &str = "subject/system:serviceaccount:external-secrets:keyless-gcp";
const ACCESSOR: &str = "roles/secretmanager.secretAccessor";

impl Estate {
    /// Who has this role there.
    fn members(&self, resource: &str, role: &str) -> Vec<String> {
        let bindings = self.google.policy(resource).as_array().cloned().unwrap_or_default();
        let of_role = bindings.iter().filter(|binding| binding["role"] == role);
        of_role
            .flat_map(|binding| binding["members"].as_array().cloned().unwrap_or_default())
            .map(|member| member.as_str().unwrap().to_owned())
            .collect()
    }

    fn provider(&self) -> Value {
        let pool = self.google.federation().into_iter().find(|name| name.contains("/providers/")).unwrap();
        let mut parts = pool.split('/').rev();
        let (provider, _, pool) = (parts.next().unwrap(), parts.next(), parts.next().unwrap());
        self.google.provider(pool, provider).unwrap()
    }
}

#[test]
fn by_a_google_service_account() {
    let estate = Estate::new();
    estate.world.cluster.load_crds(include_str!("../lab/fixtures/crds/eso-2.5-min.yaml"));
    let image = "ghcr.io/external-secrets/external-secrets:v2.5.0";
    estate.world.cluster.put_object(json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "external-secrets", "namespace": "external-secrets"},
        "spec": {"template": {"spec": {"serviceAccountName": "external-secrets", "containers": [
            {"name": "external-secrets", "image": image, "args": ["--concurrent=1"]}]}}}}));
    let reader = estate.google.service_account("eso-reader");
    estate.settings(&format!("google: {{impersonate: {reader}}}\n"));
    let ran = estate.run(&RETIRE).ends(0);
    assert!(ran.err.contains("impersonation") && ran.err.contains(&reader), "{}", ran.err);
    assert_eq!(
        estate.store()["spec"]["provider"]["gcpsm"]["auth"]["workloadIdentityFederation"]["gcpServiceAccountEmail"],
        reader
    );
    // The cluster becomes the account, and only the account reads.
    let path = format!("serviceAccounts/{reader}");
    let becomes = estate.members(&path, "roles/iam.workloadIdentityUser");
    assert!(becomes.len() == 1 && becomes[0].ends_with(SUBJECT), "{becomes:?}");
    let readers = estate.members("secrets/db", ACCESSOR);
    assert!(readers.contains(&format!("serviceAccount:{reader}")), "{readers:?}");
    assert!(!readers.iter().any(|member| member.starts_with("principal")), "{readers:?}");
    estate.run(&["audit"]).ends(0).says("ZERO");
    estate.run(&["setup", "--dry-run"]).ends(0).says("nothing to do");
    estate.run(&["teardown", "--yes"]).ends(0);
    assert_eq!(estate.members(&path, "roles/iam.workloadIdentityUser"), Vec::<String>::new());
}

#[test]
fn project_wide_role_replaces_secret_grants() {
    let estate = Estate::new();
    estate.settings("google:\n  access: project\n");
    estate.run(&RETIRE).ends(0);
    let readers = estate.members("project", ACCESSOR);
    assert!(readers.len() == 1 && readers[0].ends_with(SUBJECT), "{readers:?}");
    assert!(!estate.members("secrets/db", ACCESSOR).iter().any(|member| member.starts_with("principal")));
    estate.run(&["teardown", "--yes"]).ends(0);
    assert_eq!(estate.members("project", ACCESSOR), Vec::<String>::new());
}

/// A rotation of the cluster's key: given to Google before an API server signs with it, no token is refused.
#[test]
fn by_uploaded_keys_through_a_rotation() {
    let estate = Estate::new();
    estate.run(&RETIRE).ends(0);
    let next = SigningKey::ec(Curve::P256);
    fs::write(estate.world.dir.path().join("next.pub"), next.public_pem()).unwrap();
    let keyless = estate.world.dir.path().join("keyless.yaml");
    let settings = fs::read_to_string(&keyless).unwrap();
    fs::write(&keyless, settings.replacen("cluster:\n", "cluster:\n  publicKeys: [next.pub]\n", 1)).unwrap();
    estate.names_settings();
    let staged = estate.run(&["verify"]).ends(1);
    assert!(
        staged.out.contains(&format!("staged, but not among the 1 uploaded: {}", next.kid())),
        "{}",
        staged.out
    );
    let planned = estate.run(&["setup", "--dry-run"]).ends(1);
    assert!(planned.out.contains("oidc.jwksJson") && planned.out.contains(&next.kid()), "{}", planned.out);
    estate.run(&["setup", "--yes", "--watch-for", "0s"]).ends(0);
    estate.run(&["verify"]).ends(0).says(&format!("staged: {}", next.kid()));

    let cluster = &estate.world.cluster;
    cluster.change_servers(|server| {
        server.key_files.push((&next).into());
        server.signing_key = next.clone();
    });
    estate.run(&["verify"]).ends(0);
    estate.run(&["setup", "--dry-run"]).ends(0).says("nothing to do");
    let keys = estate.run(&["setup", "--dry-run", "-o", "json"]).ends(0).json()["keys"].clone();
    let role =
        |kid: &str| keys.as_array().unwrap().iter().find(|key| key["kid"] == kid).unwrap()["role"].clone();
    assert_eq!(role(&next.kid()), "signs now");
    assert_eq!(role(&estate.world.key.kid()), "served, does not sign now");
}

/// First with keys that are uploaded, then by public documents: another issuer, the same cluster.
#[test]
fn by_public_documents_after_uploaded_keys() {
    let estate = Estate::new();
    estate.run(&RETIRE).ends(0);
    let provider = estate.provider();
    assert_eq!(provider["oidc"]["issuerUri"], DEFAULT_ISSUER);
    assert!(provider["oidc"]["jwksJson"].is_string());

    estate.google.resolve("oidc.lab.test", estate.world.web.addr());
    let bucket = format!("file://{}", estate.world.www.display());
    let settings = fs::read_to_string(estate.world.dir.path().join("keyless.yaml")).unwrap();
    let moved = settings.replace("mode: uploaded", "mode: documents");
    fs::write(
        estate.world.dir.path().join("keyless.yaml"),
        format!("{moved}issuer: {ISSUER}\nbucket:\n  url: {bucket}\n"),
    )
    .unwrap();
    estate.names_settings();
    // Until the API servers sign as it, everybody is told the one thing that is left to do.
    let first = estate.run(&RETIRE).ends(1).says("run setup again");
    assert!(first.out.contains(&format!("--service-account-issuer={ISSUER}")), "{}", first.out);
    // Nor is the store locked out that logs in with tokens of the other issuer.
    assert_eq!(estate.provider()["oidc"]["issuerUri"], DEFAULT_ISSUER);
    estate.world.cluster.change_servers(|server| server.issuers.insert(0, ISSUER.to_owned()));
    estate.run(&RETIRE).ends(0);
    let provider = estate.provider();
    assert_eq!(provider["oidc"]["issuerUri"], ISSUER);
    assert!(provider["oidc"].get("jwksJson").is_none_or(|jwks| jwks == ""), "{provider:#}");
    estate.run(&["verify"]).ends(0);
    estate.run(&["setup", "--dry-run"]).ends(0).says("nothing to do");
}
