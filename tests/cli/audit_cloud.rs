//! `keyless audit --cloud` from outside: what Google has issued to the identities that the cluster names.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    estate::{Estate, secret, store},
    world::Ran,
};

const AUDIENCE: &str = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/keyless-lab/providers/cluster";

impl Estate {
    /// A store that logs in by tokens and becomes a service account which has no key.
    fn keyless(condition: &str) -> (Self, String) {
        let estate = Self::new();
        let email = estate.google.service_account("reader");
        estate.world.cluster.remove_object("v1", "Secret", Some("external-secrets"), "gcp-key");
        estate.world.cluster.put_object(json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore",
            "metadata": {"name": "gcp"}, "spec": {"provider": {"gcpsm": {"projectID": "acme-prod", "auth": {
                "workloadIdentityFederation": {"audience": AUDIENCE, "serviceAccountRef": {
                    "name": "reader", "namespace": "external-secrets", "audiences": [format!("https:{AUDIENCE}")]}}}}}}}));
        estate.world.cluster.put_object(json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "reader", "namespace": "external-secrets",
                "annotations": {"iam.gke.io/gcp-service-account": email}}}));
        estate.google.write("keyless-lab", None, |_| {});
        estate.google.write("keyless-lab", Some("cluster"), |provider| {
            provider["attributeMapping"] = json!({"google.subject": "assertion.sub"});
            provider["oidc"] = json!({"issuerUri": "https://issuer.lab.test"});
            if !condition.is_empty() {
                provider["attributeCondition"] = json!(condition);
            }
        });
        (estate, email)
    }

    fn zero() -> (Self, String) {
        Self::keyless("assertion.sub in ['system:serviceaccount:external-secrets:reader']")
    }

    fn cloud(&self, more: &[&str]) -> Ran {
        self.run(&[&["audit", "--cloud", "--ca-file", "ca.pem"], more].concat())
    }

    fn cloud_json(&self, code: i32) -> Value {
        self.cloud(&["-o", "json"]).ends(code).json()
    }
}

fn state_of(report: &Value) -> &str {
    report["legs"][2]["state"].as_str().unwrap()
}

#[test]
fn identity_without_keys_is_zero() {
    let (estate, email) = Estate::zero();
    estate.run(&["audit"]).ends(0).says("ZERO (cluster + consumption): ");
    let ran = estate.cloud(&[]).ends(0);
    assert!(ran.out.starts_with("ZERO (cluster + consumption + cloud): "), "{}", ran.out);
    let asked = |part: &str| estate.google.heard().iter().any(|heard| heard.path.contains(part));
    assert!(
        asked(&format!("/serviceAccounts/{email}/keys")) && asked("/hmacKeys"),
        "{:?}",
        estate.google.heard()
    );
}

/// The record names who asked, and never what they asked with.
#[test]
fn record_names_login_at_provider() {
    let (estate, _) = Estate::zero();
    let report = estate.cloud_json(0);
    let asked_as = json!([{"provider": "google", "identity": "owner@acme.example", "unknown": null}]);
    assert_eq!(report["evidence"]["askedAs"], asked_as, "{report}");
    assert!(!report.to_string().contains(&estate.google.token()));
    estate.cloud(&[]).ends(0).says("at google owner@acme.example");
    let page = estate.cloud(&["-o", "html"]).ends(0).out;
    assert!(page.contains("at google owner@acme.example"), "{page}");
    // Where Google does not tell, nothing else changes.
    estate.google.faults().always("POST", "/tokeninfo", lab::Fault::status(400));
    let report = estate.cloud_json(0);
    let asked_as = &report["evidence"]["askedAs"][0];
    assert_eq!((&asked_as["identity"], asked_as["unknown"].is_string()), (&Value::Null, true), "{report}");
    assert_eq!(estate.run(&["audit", "-o", "json"]).json()["evidence"]["askedAs"], json!([]));
}

#[test]
fn key_outside_of_cluster_is_found() {
    let (estate, email) = Estate::zero();
    let file = estate.google.create_key(&email);
    let id = file["private_key_id"].as_str().unwrap();
    estate.google.enable("policyanalyzer.googleapis.com", true);
    estate.google.used(id, "2026-11-01T00:00:00Z");
    let ran = estate.cloud(&[]).ends(1);
    assert!(ran.out.starts_with("1 LONG-LIVED credential was issued to an identity"), "{}", ran.out);
    for wanted in [
        id,
        &email,
        "[KL301 issued-google-key]",
        "it is enabled",
        "never expires",
        "last login 2026-11-01",
        "keys delete",
    ] {
        assert!(ran.out.contains(wanted), "`{wanted}` is not in\n{}", ran.out);
    }
    estate.google.disable_key(id, true);
    let report = estate.cloud_json(1);
    assert_eq!((&report["count"], state_of(&report)), (&json!(1), "found"), "{report}");
    assert!(report.to_string().contains("it is disabled"), "{report}");
    // The cluster and what it uses are as they were.
    assert_eq!((&report["legs"][0]["state"], &report["legs"][1]["state"]), (&json!("zero"), &json!("zero")));
}

#[test]
fn copy_of_issued_key_is_one() {
    let (estate, email) = Estate::zero();
    let file = estate.google.create_key(&email);
    estate.world.cluster.put_object(secret("copy", &file));
    let report = estate.cloud_json(1);
    assert_eq!((&report["count"], &report["complete"]), (&json!(1), &json!(true)), "{report}");
    let mut trimmed = file.clone();
    trimmed.as_object_mut().unwrap().remove("private_key_id");
    estate.world.cluster.put_object(secret("copy", &trimmed));
    let report = estate.cloud_json(1);
    assert_eq!((&report["count"], &report["complete"]), (&json!(1), &json!(true)), "{report}");
    // With the ID of one key and the private half of another.
    let mut other = estate.google.create_key(&estate.google.service_account("other"));
    other["private_key_id"] = file["private_key_id"].clone();
    other["client_email"] = json!(email);
    estate.world.cluster.put_object(secret("copy", &other));
    let report = estate.cloud_json(1);
    assert_eq!(report["count"], json!(2), "{report}");
    let ids: BTreeSet<_> =
        report["credentials"].as_array().unwrap().iter().map(|it| it["id"].as_str()).collect();
    assert_eq!(ids.len(), 2, "{report}");
}

#[test]
fn hmac_keys_of_every_page_count() {
    let (estate, email) = Estate::zero();
    estate.google.create_hmac_key(&estate.google.service_account("other"));
    let keys: Vec<_> = (0..3).map(|_| estate.google.create_hmac_key(&email)).collect();
    estate.google.set_hmac_key(&keys[1], "INACTIVE");
    estate.google.set_hmac_key(&keys[2], "DELETED");
    estate.google.change(|settings| settings.hmac_page = 1);
    let report = estate.cloud_json(1);
    assert_eq!((&report["count"], state_of(&report)), (&json!(2), "found"), "{report}");
    assert!(report.to_string().contains("KL302"), "{report}");
}

#[test]
fn each_refusal_makes_it_incomplete() {
    let (estate, _) = Estate::zero();
    for permission in
        ["iam.serviceAccountKeys.list", "storage.hmacKeys.list", "iam.workloadIdentityPoolProviders.get"]
    {
        estate.google.deny(permission);
        let ran = estate.cloud(&[]).ends(3);
        assert!(ran.out.starts_with("INCOMPLETE: "), "{}", ran.out);
        assert!(ran.out.contains(permission) && ran.out.contains("roles/"), "{permission}: {}", ran.out);
        let report = estate.cloud_json(3);
        assert_eq!((state_of(&report), &report["count"]), ("incomplete", &Value::Null), "{report}");
        assert_eq!(report["legs"][0]["state"], json!("zero"), "{report}");
        estate.google.allow(permission);
    }
    // Whether new keys are forbidden says nothing about those that exist.
    estate.google.deny("orgpolicy.policy.get");
    estate
        .cloud(&[])
        .ends(0)
        .says("ZERO (cluster + consumption + cloud)")
        .says("whether a policy forbids new keys is not known");
    estate.google.allow("orgpolicy.policy.get");
    estate.google.change(|settings| settings.key_creation_forbidden = true);
    estate.cloud(&[]).ends(0).says("new keys of service accounts are forbidden by policy");
}

/// Every permission is in the commands, and the one of a quota project only where there is one.
#[test]
fn rendered_rights_are_each_granted() {
    let (estate, _) = Estate::zero();
    let render = ["render", "rbac", "--for", "audit", "--cloud", "google", "-o", "json"];
    let rendered = estate.world.run(&render).ends(0).json();
    let commands = rendered["commands"].as_str().unwrap();
    for permission in rendered["permissions"].as_array().unwrap() {
        assert!(commands.contains(permission.as_str().unwrap()), "{permission}: {commands}");
    }
    let granted = |quota_project: &str| {
        let script = format!("gcloud() {{ echo \"$@\"; }}\n{commands}");
        let mut shell = std::process::Command::new("sh");
        shell.arg("-euc").arg(script).env_clear().env("PATH", "/usr/bin:/bin");
        shell.env("PROJECT", "acme-prod").env("MEMBER", "user:a@example.com");
        let ran = shell.env("GOOGLE_CLOUD_QUOTA_PROJECT", quota_project).output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
        String::from_utf8(ran.stdout).unwrap()
    };
    assert!(!granted("").contains("serviceusage"), "{}", granted(""));
    // No predefined role grants the one permission alone.
    for wanted in [
        "projects add-iam-policy-binding acme-bill --member=user:a@example.com --condition=None \
         --role=projects/acme-bill/roles/keylessAuditQuota",
        "iam roles create keylessAuditQuota --project=acme-bill --title=keyless-audit-quota --stage=GA \
         --permissions=serviceusage.services.use\n",
    ] {
        assert!(granted("acme-bill").contains(wanted), "{}", granted("acme-bill"));
    }
}

#[test]
fn unread_public_half_makes_it_incomplete() {
    let (estate, email) = Estate::zero();
    estate.world.cluster.put_object(secret("copy", &estate.google.create_key(&email)));
    estate.google.deny("iam.serviceAccountKeys.get");
    let report = estate.cloud_json(1);
    assert_eq!((&report["count"], &report["complete"]), (&json!(1), &json!(false)), "{report}");
    assert!(report["notSeen"].to_string().contains("iam.serviceAccountKeys.get"), "{report}");
}

#[test]
fn unanswered_questions_make_it_incomplete() {
    let (estate, _) = Estate::zero();
    let run = |token: &str| {
        let mut command = estate.world.command(&["audit", "--cloud", "--ca-file", "ca.pem"]);
        command.env("GOOGLE_OAUTH_ACCESS_TOKEN", token);
        Ran::of(&mut command)
    };
    let ran = run("ya29.unknown").ends(3);
    assert!(ran.out.starts_with("INCOMPLETE: "), "{}", ran.out);
    // Without any login nothing is sent.
    let before = estate.google.heard().len();
    let ran = Ran::of(&mut estate.world.command(&["audit", "--cloud", "--ca-file", "ca.pem"])).ends(3);
    assert!(ran.out.contains("gcloud auth application-default login"), "{}", ran.out);
    assert_eq!(estate.google.heard().len(), before);
}

#[test]
fn provider_without_condition_is_finding() {
    let (estate, _) = Estate::keyless("");
    let ran = estate.cloud(&[]).ends(1);
    assert!(ran.out.contains("[KL402 wide-federation]"), "{}", ran.out);
    assert_eq!(state_of(&estate.cloud_json(1)), "found");
    let (estate, _) = Estate::keyless("assertion.sub.startsWith('system:')");
    estate.cloud(&[]).ends(3).says("INCOMPLETE").says("was not judged");
}

/// What a tenant writes decides what is asked for, never where, nor with which credential.
#[test]
fn planted_identity_is_not_seen() {
    let (estate, _) = Estate::zero();
    let mut planted = estate.google.create_key(&estate.email);
    planted["client_email"] = json!("x@foreign-project.iam.gserviceaccount.com");
    planted["project_id"] = json!("foreign-project");
    planted["token_uri"] = json!("https://attacker.lab.test/token");
    estate.world.cluster.put_object(secret("planted", &planted));
    let report = estate.cloud_json(1);
    assert_eq!((&report["complete"], &report["count"]), (&json!(false), &json!(1)), "{report}");
    assert!(report["notSeen"].to_string().contains("foreign-project"), "{report}");
    let hosts: BTreeSet<_> = estate.google.heard().into_iter().map(|heard| heard.host).collect();
    assert!(
        hosts.iter().all(|host| host.ends_with(".googleapis.com") || host.starts_with("127.0.0.1")),
        "{hosts:?}"
    );
    let is_token =
        |path: &str| path.ends_with("/token") || path.contains(":generate") || path.contains(":sign");
    assert!(estate.google.heard().iter().all(|heard| !is_token(&heard.path)), "{:?}", estate.google.heard());
    // What is no address is not asked for.
    planted["client_email"] = json!("x@foreign/../../y");
    estate.world.cluster.put_object(secret("planted", &planted));
    let before = estate.google.heard().len();
    estate.cloud(&[]).ends(1).says("it names no service account");
    assert!(estate.google.heard()[before..].iter().all(|heard| !heard.path.contains("foreign")));
}

#[test]
fn store_elsewhere_is_not_seen() {
    let (estate, _) = Estate::zero();
    estate.world.cluster.put_object(json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore",
        "metadata": {"name": "elsewhere"}, "spec": {"provider": {"doppler": {"project": "p", "config": "c",
            "auth": {"oidcConfig": {"identity": "i", "serviceAccountRef": {"name": "a", "namespace": "b"}}}}}}}));
    let ran = estate.cloud(&[]).ends(3);
    assert!(ran.out.contains("keyless cannot ask doppler"), "{}", ran.out);
}

#[test]
fn store_names_account_of_its_key() {
    let estate = Estate::new();
    let report = estate.cloud_json(1);
    assert_eq!((&report["count"], state_of(&report)), (&json!(1), "found"), "{report}");
    let second = estate.google.create_key(&estate.email);
    estate.world.cluster.put_object(store("second", "gcp-key"));
    let report = estate.cloud_json(1);
    assert_eq!(report["count"], json!(2), "{report}");
    assert!(report.to_string().contains(second["private_key_id"].as_str().unwrap()), "{report}");
}
