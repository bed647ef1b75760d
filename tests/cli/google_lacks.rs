//! What a login lacks at Google is told at once, before anything is done, and what is printed grants it.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, process::Command};

use lab::Fault;
use serde_json::Value;

use crate::{
    estate::{Estate, SETUP},
    google::{ends_well, untouched},
    world::Ran,
};

const TEST: &str = ":testIamPermissions";
const TAKEN: [&str; 4] = [
    "iam.workloadIdentityPoolProviders.create",
    "iam.workloadIdentityPools.create",
    "secretmanager.secrets.setIamPolicy",
    "serviceusage.services.enable",
];

/// What was asked of Google that changes something there.
fn writes(estate: &Estate) -> Vec<String> {
    let is_read = |path: &str| [TEST, ":getIamPolicy"].iter().any(|it| path.contains(it));
    let calls = estate.google.faults().requests();
    let writes = calls.into_iter().filter(|call| call.method != "GET" && !is_read(&call.path));
    writes.map(|call| format!("{} {}", call.method, call.path)).collect()
}

/// Role and place of each call of `gcloud` that the script in the error makes, as the shell reads it.
fn granted_by(estate: &Estate, ran: &Ran) -> BTreeSet<(String, String)> {
    let dir = estate.world.dir.path();
    let told =
        ran.err.lines().skip_while(|line| !line.ends_with("these commands grant what is named:")).skip(1);
    let script: Vec<_> = told.take_while(|line| line.starts_with("    ")).map(str::trim).collect();
    let program = dir.join("gcloud");
    fs::write(&program, "#!/bin/sh\necho \"$*\" >> granted\n").unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", dir.display());
    let mut shell = Command::new("sh");
    shell.args(["-euc", &script.join("\n")]).current_dir(dir).env("PATH", path).env_remove("MEMBER");
    assert!(!shell.output().unwrap().status.success(), "whom it is for is not guessed: {script:?}");
    assert!(!dir.join("granted").exists());
    assert!(shell.env("MEMBER", "user:a@acme.example").status().unwrap().success(), "{script:?}");
    let calls = fs::read_to_string(dir.join("granted")).unwrap();
    let granted = calls.lines().map(|call| {
        let (on, rest) = call.split_once(" --member=user:a@acme.example --condition=None ").unwrap();
        (rest.strip_prefix("--role=").unwrap().to_owned(), on.to_owned())
    });
    granted.collect()
}

#[test]
fn missing_permissions_are_named_at_once() {
    let estate = Estate::new();
    TAKEN.iter().for_each(|permission| estate.google.deny(permission));
    let all = [
        "serviceusage.services.enable (roles/serviceusage.serviceUsageAdmin) on the project acme-prod",
        "iam.workloadIdentityPools.create (roles/iam.workloadIdentityPoolAdmin) on the project acme-prod",
        "iam.workloadIdentityPoolProviders.create (roles/iam.workloadIdentityPoolAdmin) on the project",
        "secretmanager.secrets.setIamPolicy (roles/secretmanager.admin) on the secret db in acme-prod",
        "nothing was changed",
    ];
    let ran = estate.run(&SETUP).fails(3, "google-forbidden", &all);
    assert_eq!(writes(&estate), Vec::<String>::new());
    assert!(!estate.world.dir.path().join("keyless.yaml").exists());
    untouched(&estate, "lacking");
    let ran = ran.snapshot("error-google-lacks-all");
    // Each role once, and on nothing wider than it takes.
    let project = "projects add-iam-policy-binding acme-prod";
    let expected = [
        ("roles/iam.workloadIdentityPoolAdmin", project),
        ("roles/secretmanager.admin", "secrets add-iam-policy-binding db --project=acme-prod"),
        ("roles/serviceusage.serviceUsageAdmin", project),
    ];
    let expected = expected.map(|(role, on)| (role.to_owned(), on.to_owned()));
    assert_eq!(granted_by(&estate, &ran), BTreeSet::from(expected));
    // What these roles have, as Google documents them.
    TAKEN.iter().for_each(|permission| estate.google.allow(permission));
    ends_well(&estate, "granted");
}

/// Who looks at the plan may have another login than who applies it.
#[test]
fn dry_run_warns_of_missing_permissions() {
    let estate = Estate::new();
    let lacks = "lacks rights that this plan takes";
    let ran = estate.run(&["setup", "--dry-run"]).ends(1);
    assert!(!format!("{}{}", ran.out, ran.err).contains(lacks), "{ran:?}");
    estate.google.deny(TAKEN[0]);
    let ran = estate.run(&["setup", "--dry-run"]).ends(1).says(lacks).says(TAKEN[0]);
    assert!(!ran.err.contains("error["), "{}", ran.err);
}

/// What the project's answer leaves out may be had on the one secret.
#[test]
fn right_on_resource_alone_is_enough() {
    let estate = Estate::new();
    let narrow = "secretmanager.secrets.setIamPolicy";
    let without = move |body: &[u8]| {
        let mut answer: Value = serde_json::from_slice(body).unwrap();
        answer["permissions"].as_array_mut().unwrap().retain(|it| it != narrow);
        answer.to_string().into_bytes()
    };
    estate.google.faults().always("POST", "/projects/acme-prod:test", Fault::rewrite(without));
    let ran = estate.run(&["setup", "--dry-run"]).ends(1);
    assert!(!format!("{}{}", ran.out, ran.err).contains("lacks"), "{ran:?}");
    let asked = estate.google.faults().requests();
    assert!(asked.iter().any(|call| call.path.contains("/secrets/db:test")), "{asked:?}");
    estate.run(&SETUP).ends(0);
}

/// An answer that says nothing of what the run has just done is none: the run goes on, and Google decides.
#[test]
fn doubtful_answer_refuses_nothing() {
    let answers = [
        Fault::status(403),
        Fault::status(404),
        Fault::rewrite(|_| b"{}".to_vec()),
        Fault::rewrite(|_| b"{\"permissions\":[\"iam.workloadIdentityPools.create\"]}".to_vec()),
        Fault::rewrite(|_| b"{\"permissions\":7}".to_vec()),
    ];
    for answer in answers {
        let estate = Estate::new();
        estate.google.faults().always("POST", TEST, answer);
        estate.run(&SETUP).ends(0);
    }
    let estate = Estate::new();
    estate.google.faults().always("POST", TEST, Fault::status(403));
    estate.google.deny("iam.workloadIdentityPools.create");
    let ran = estate.run(&SETUP).fails(3, "google-forbidden", &["iam.workloadIdentityPools.create"]);
    assert!(ran.err.contains("making the pool"), "{}", ran.err);
}
