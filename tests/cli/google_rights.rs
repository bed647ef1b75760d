//! Without each permission in turn that setup ever needs at Google, the retirement of the key included.

use std::{collections::BTreeSet, sync::Mutex};

use serde_json::{Value, json};

use crate::{
    estate::{Estate, RETIRE, SETUP},
    google::{at_once, mark, shows_no_secret, untouched},
};

/// Setup does without these, and its plan says so where it matters.
const DISPENSABLE: [&str; 3] =
    ["resourcemanager.projects.get", "resourcemanager.projects.getIamPolicy", "serviceusage.services.get"];

/// A way that setup can go, on a cluster that is ready for it.
type Way = fn() -> Estate;

fn directly() -> Estate {
    Estate::new()
}

/// With documents in a bucket that setup makes.
fn with_documents() -> Estate {
    let estate = Estate::new();
    let issuer = "https://storage.googleapis.com/acme-oidc";
    estate.world.cluster.change_servers(|server| server.issuers = vec![issuer.to_owned()]);
    estate.settings("bucket: {url: gs://acme-oidc, project: acme-prod}");
    estate
}

/// By a service account, with the right to read on the whole project.
fn by_impersonation() -> Estate {
    let estate = Estate::new();
    let cluster = &estate.world.cluster;
    cluster.load_crds(include_str!("../lab/fixtures/crds/eso-2.5-min.yaml"));
    let mut operator =
        cluster.object("apps/v1", "Deployment", Some("external-secrets"), "external-secrets").unwrap();
    operator["spec"]["template"]["spec"]["containers"][0]["image"] =
        json!("ghcr.io/external-secrets/external-secrets:v2.5.0");
    cluster.put_object(operator);
    // Those who may not look at services are told of one that is off by the token's way.
    estate.google.enable("iamcredentials.googleapis.com", true);
    let email = estate.google.service_account("eso-reader");
    estate.settings(&format!("google: {{impersonate: {email}, access: project}}"));
    estate
}

/// Where an earlier setup was taken back.
fn undeleted() -> Estate {
    damaged(|it| it["state"] = json!("DELETED"))
}

fn disabled() -> Estate {
    damaged(|it| it["disabled"] = json!(true))
}

fn damaged(damage: fn(&mut Value)) -> Estate {
    let estate = Estate::new();
    estate.settings("google: {pool: keyless-lab}");
    let mark = mark(&estate);
    for provider in [None, Some("cluster")] {
        estate.google.write("keyless-lab", provider, |it| {
            it["description"] = json!(mark);
            damage(it);
        });
    }
    let former = json!({"issuerUri": "https://former.example"});
    estate.google.write("keyless-lab", Some("cluster"), |it| it["oidc"] = former);
    estate
}

/// What setup needs on this way, as Google noted it.
fn needed(way: Way) -> BTreeSet<String> {
    let estate = way();
    estate.run(&RETIRE).ends(0);
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (None, false));
    estate.google.needed().into_iter().collect()
}

#[test]
fn missing_permission_is_named_changing_nothing() {
    let ways: [Way; 5] = [directly, with_documents, by_impersonation, undeleted, disabled];
    let noted: Vec<_> = ways.iter().map(|_| Mutex::new(BTreeSet::new())).collect();
    let both: Vec<_> = ways.into_iter().zip(&noted).collect();
    at_once(&both, |(way, noted)| *noted.lock().unwrap() = needed(*way));
    let mut cases: Vec<(Way, String)> = Vec::new();
    for (way, noted) in both {
        for permission in noted.lock().unwrap().clone() {
            if !cases.iter().any(|(_, known)| *known == permission) {
                cases.push((way, permission));
            }
        }
    }
    // Where the role is granted on the project, its policy has to be read.
    cases.push((by_impersonation, "resourcemanager.projects.getIamPolicy".to_owned()));
    let all: BTreeSet<_> = cases.iter().map(|(_, permission)| permission.as_str()).collect();
    for expected in [
        "iam.serviceAccountKeys.delete",
        "iam.serviceAccounts.setIamPolicy",
        "iam.workloadIdentityPoolProviders.undelete",
        "iam.workloadIdentityPools.create",
        "iam.workloadIdentityPools.update",
        "resourcemanager.projects.setIamPolicy",
        "serviceusage.services.enable",
        "storage.buckets.setIamPolicy",
        "storage.objects.create",
    ] {
        assert!(all.contains(expected), "{expected} is not among {all:?}");
    }
    at_once(&cases, |(way, permission)| without(*way, permission));
}

fn without(way: Way, permission: &str) {
    let estate = way();
    estate.google.deny(permission);
    let ran = estate.run(&RETIRE);
    shows_no_secret(&estate, &ran);
    if DISPENSABLE.contains(&permission) && ran.code == Some(0) {
        return;
    }
    let code = if permission.starts_with("storage.") { "bucket-forbidden" } else { "google-forbidden" };
    let ran = ran.fails(3, code, &[permission, "(roles/"]);
    let hint = ran.err.lines().find(|line| line.contains("hint: ") && line.contains(permission)).unwrap();
    assert!(hint.contains(" (roles/"), "{hint}");
    match permission {
        // By then the store reads by the new path, and the key is not touched.
        "iam.serviceAccountKeys.disable" => assert_eq!(estate.key_disabled(), Some(false)),
        // It is disabled by then, and where it lies is still known.
        "iam.serviceAccountKeys.delete" => {
            assert_eq!((estate.key_disabled(), estate.secret_is_there()), (Some(true), true));
        }
        _ => untouched(&estate, permission),
    }
    estate.google.allow(permission);
    estate.run(&RETIRE).ends(0);
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (None, false), "{permission}");
}

/// The permissions without which setup comes to its end are the ones that its plan can do without.
#[test]
fn dispensable_permission_is_reported_in_plan() {
    for (permission, says) in [
        ("resourcemanager.projects.get", "Resource Manager does not show it"),
        ("serviceusage.services.get", "are taken as enabled"),
    ] {
        let estate = Estate::new();
        estate.google.deny(permission);
        let ran = estate.run(&SETUP).ends(0);
        assert!(ran.out.contains(says) && ran.out.contains(permission), "{permission}:\n{}", ran.out);
    }
}
