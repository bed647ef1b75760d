//! gcloud itself: as an administrator, and as a relying party with the workload's identity.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lab::{Ca, Google};
use serde_json::{Value, json};

use super::python::{external_account, write};
use super::{Federation, make_public};
use crate::{Output, client, run};

fn gcloud(google: &Google, dir: &Path) -> Option<Command> {
    let mut gcloud = client("gcloud")?;
    for (name, _) in std::env::vars() {
        if name.starts_with("CLOUDSDK_") || name.starts_with("GOOGLE_") {
            gcloud.env_remove(name);
        }
    }
    for api in ["IAM", "IAMCREDENTIALS", "SECRETMANAGER", "CLOUDRESOURCEMANAGER", "SERVICEUSAGE"] {
        let name = format!("CLOUDSDK_API_ENDPOINT_OVERRIDES_{api}");
        gcloud.env(name, format!("{}/", google.http_url()));
    }
    gcloud
        .env("CLOUDSDK_CONFIG", dir.join("gcloud"))
        .env("CLOUDSDK_CORE_PROJECT", "acme-prod")
        .env("CLOUDSDK_CORE_DISABLE_PROMPTS", "1")
        .env("CLOUDSDK_CORE_DISABLE_USAGE_REPORTING", "1")
        .env("CLOUDSDK_CORE_CHECK_GCE_METADATA", "0")
        .env("CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "1")
        .env("CLOUDSDK_AUTH_TOKEN_HOST", format!("{}/token", google.http_url()));
    Some(gcloud)
}

#[test]
fn gcloud_sets_a_federation_up() {
    let (dir, google) = (tempfile::tempdir().unwrap(), Google::start(&Ca::new()));
    google.change(|settings| settings.operation_time = Duration::from_millis(50));
    let token = dir.path().join("owner");
    std::fs::write(&token, google.token()).unwrap();
    let say = |args: &str| -> Option<Output> {
        let mut gcloud = gcloud(&google, dir.path())?;
        gcloud.env("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", &token);
        Some(run(gcloud.args(args.split(' '))))
    };
    let done = |args: &str| -> Option<String> {
        let output = say(args)?;
        assert!(output.ok, "gcloud {args}\n{output}");
        Some(output.out)
    };
    if done("services enable sts.googleapis.com iamcredentials.googleapis.com").is_none() {
        return;
    }
    assert!(google.is_enabled("sts.googleapis.com"));
    let pools = "iam workload-identity-pools";
    let at = "--location=global";
    done(&format!("{pools} create keyless-lab {at} --display-name=lab"));
    let provider = format!("{at} --workload-identity-pool=keyless-lab");
    done(&format!(
        "{pools} providers create-oidc cluster {provider} --issuer-uri=https://issuer.example \
         --attribute-mapping=google.subject=assertion.sub"
    ));
    let shown = done(&format!("{pools} providers describe cluster {provider} --format=json")).unwrap();
    assert!(shown.contains(r#""issuerUri": "https://issuer.example""#), "{shown}");
    done(&format!("{pools} providers delete cluster {provider}"));
    let output = say(&format!("{pools} providers update-oidc cluster {provider} --display-name=x")).unwrap();
    assert!(!output.ok && output.err.contains("FAILED_PRECONDITION"), "{output}");
    done(&format!("{pools} providers undelete cluster {provider}"));
    done("secrets create db --replication-policy=automatic");
    let file = dir.path().join("payload");
    std::fs::write(&file, "horse").unwrap();
    done(&format!("secrets versions add db --data-file={}", file.display()));
    let member = format!("--member={}", super::principal(super::SUBJECT));
    done(&format!("secrets add-iam-policy-binding db --role=roles/secretmanager.secretAccessor {member}"));
    assert_eq!(google.policy("secrets/db")[0]["members"], json!([super::principal(super::SUBJECT)]));
    google.conflict(1);
    let output =
        say(&format!("secrets add-iam-policy-binding db --role=roles/secretmanager.viewer {member}"))
            .unwrap();
    assert!(!output.ok && output.err.contains("concurrent policy changes"), "{output}");
    google.deny("iam.workloadIdentityPools.list");
    let output = say(&format!("{pools} list {at}")).unwrap();
    assert!(!output.ok && output.err.contains("iam.workloadIdentityPools.list"), "{output}");
}

#[test]
fn gcloud_key_works_until_disabled() {
    let (dir, google) = (tempfile::tempdir().unwrap(), Google::start(&Ca::new()));
    let (token, key) = (dir.path().join("owner"), dir.path().join("key.json"));
    std::fs::write(&token, google.token()).unwrap();
    google.add_secret("db", b"horse");
    let email = google.service_account("eso-reader");
    google.grant("project", "roles/secretmanager.secretAccessor", &format!("serviceAccount:{email}"));
    let say = |args: &str, own: bool| -> Option<Output> {
        let mut gcloud = gcloud(&google, dir.path())?;
        match own {
            true => gcloud.env("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", &token),
            false => gcloud.env("CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE", &key),
        };
        Some(run(gcloud.args(args.split(' '))))
    };
    let keys = "iam service-accounts keys";
    let account = format!("--iam-account={email}");
    let Some(output) = say(&format!("{keys} create {} {account}", key.display()), true) else { return };
    assert!(output.ok, "{output}");
    let read = "secrets versions access latest --secret=db";
    let output = say(read, false).unwrap();
    assert!(output.ok && output.out == "horse", "{output}");
    let (id, disabled) = google.keys(&email).remove(0);
    assert!(!disabled);
    let output = say(&format!("{keys} disable {id} {account}"), true).unwrap();
    assert!(output.ok && google.keys(&email)[0].1, "{output}");
    let output = say(&format!("{keys} list {account} --managed-by=user --format=json"), true).unwrap();
    assert!(output.out.contains(r#""disabled": true"#), "{output}");
    // gcloud keeps access tokens; a fresh folder has none.
    std::fs::remove_dir_all(dir.path().join("gcloud")).unwrap();
    let output = say(read, false).unwrap();
    assert!(!output.ok && output.err.contains("Invalid JWT Signature"), "{output}");
    let output = say(&format!("{keys} delete {id} {account}"), true).unwrap();
    assert!(output.ok && google.keys(&email).is_empty(), "{output}");
}

#[test]
fn gcloud_reads_secret_as_the_workload() {
    let (dir, here) = (tempfile::tempdir().unwrap(), Federation::documents());
    tokio::runtime::Runtime::new().unwrap().block_on(make_public(&here));
    let file = external_account(&here, dir.path());
    let read = || {
        let mut gcloud = gcloud(&here.google, dir.path())?;
        gcloud.env("CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE", &file);
        Some(run(gcloud.args(["secrets", "versions", "access", "latest", "--secret=db"])))
    };
    let Some(output) = read() else { return };
    assert!(output.ok && output.out == r#"{"password":"correct horse"}"#, "{output}");
    here.google.set_policy("secrets/db", json!([]));
    let output = read().unwrap();
    assert!(!output.ok && output.err.contains("secretmanager.versions.access"), "{output}");

    // The same through a service account, which has the right in its place.
    let email = here.google.service_account("eso-reader");
    let account = format!("serviceAccount:{email}");
    here.google.grant("secrets/db", "roles/secretmanager.secretAccessor", &account);
    here.google.enable("iamcredentials.googleapis.com", true);
    let mut json: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let url = here.google.http_url();
    json["service_account_impersonation_url"] =
        json!(format!("{url}/v1/projects/-/serviceAccounts/{email}:generateAccessToken"));
    json.as_object_mut().unwrap().remove("token_info_url");
    write(dir.path(), "external-account.json", &json);
    let output = read().unwrap();
    assert!(!output.ok && output.err.contains("iam.serviceAccounts.getAccessToken"), "{output}");
    let member = super::principal(super::SUBJECT);
    here.google.grant(&format!("serviceAccounts/{email}"), "roles/iam.workloadIdentityUser", &member);
    let output = read().unwrap();
    assert!(output.ok && output.out == r#"{"password":"correct horse"}"#, "{output}");
}
