//! Google's Python libraries: google-auth and google-cloud-secret-manager, over REST and gRPC.
//!
//! They are looked for in `target/google-clients` (`python3 -m venv target/google-clients`, then its
//! `pip install -r tests/lab/tests/clients/google/requirements.txt`), and in the system's python3.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::{Federation, audience, make_public};
use crate::{Output, client, run};

#[test]
fn google_auth_exchanges_token_and_reads() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    for (at, here) in [Federation::uploaded(), Federation::documents()].iter().enumerate() {
        if at == 1 {
            tokio::runtime::Runtime::new().unwrap().block_on(make_public(here));
        }
        let file = external_account(here, dir.path());
        for transport in ["rest", "grpc"] {
            let output = read(&python, here, dir.path(), transport, &file);
            let access = "access projects/123456789012/secrets/db/versions/1";
            assert!(output.out.starts_with(access), "{transport} {output}");
            assert!(output.out.contains(r#"{"password":"correct horse"}"#), "{transport} {output}");
            let refused = "Permission 'secretmanager.secrets.get' denied for resource";
            assert!(output.out.contains(refused), "{transport} {output}");
            let viewer = super::principal(super::SUBJECT);
            here.google.grant("project", "roles/secretmanager.viewer", &viewer);
            let output = read(&python, here, dir.path(), transport, &file);
            assert!(output.out.contains("read projects/123456789012/secrets/db\n"), "{transport} {output}");
            let versions = "read ['projects/123456789012/secrets/db/versions/1']\n";
            assert!(output.out.contains(versions), "{transport} {output}");
            here.google.set_policy("project", json!([]));
        }
        here.google.write("keyless-lab", Some("cluster"), |it| it["disabled"] = json!(true));
        let output = read(&python, here, dir.path(), "rest", &file);
        assert!(output.out.starts_with("no token") && output.out.contains("invalid_target"), "{output}");
    }
}

#[test]
fn service_account_key_works_until_disabled() {
    let Some(python) = python() else { return };
    let (dir, here) = (tempfile::tempdir().unwrap(), Federation::uploaded());
    let email = here.google.service_account("eso-reader");
    let member = format!("serviceAccount:{email}");
    here.google.grant("project", "roles/secretmanager.secretAccessor", &member);
    let key = here.google.create_key(&email);
    // By the token endpoint, and with tokens that the library signs itself.
    let files = [false, true].map(|self_signed| {
        let mut key = key.clone();
        key["token_uri"] = json!(format!("{}/token", here.google.http_url()));
        key["self_signed"] = json!(self_signed);
        write(dir.path(), &format!("key-{self_signed}.json"), &key)
    });
    let ask = |file: &Path, transport: &str| read(&python, &here, dir.path(), transport, file);
    for (file, transport) in files.iter().zip(["rest", "grpc"]) {
        let output = ask(file, transport);
        assert!(output.out.starts_with("access "), "{transport} {output}");
    }
    let id = key["private_key_id"].as_str().unwrap();
    let path = format!("/v1/projects/acme-prod/serviceAccounts/{email}/keys/{id}:disable");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let owner = here.google.token();
    let (status, body) = runtime.block_on(super::call(&here.google, &owner, "POST", &path, Some(json!({}))));
    assert_eq!(status, 200, "{body}");
    let output = ask(&files[0], "rest");
    assert!(output.out.starts_with("no token") && output.out.contains("Invalid JWT Signature."), "{output}");
    let output = ask(&files[1], "grpc");
    assert!(output.out.contains("invalid authentication credentials"), "{output}");
}

fn read(python: &Path, here: &Federation, dir: &Path, transport: &str, file: &Path) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/google/client.py");
    let endpoint = match transport {
        "grpc" => format!("localhost:{}", here.google.addr().port()),
        _ => here.google.http_url(),
    };
    let mut command = Command::new(python);
    command.env("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", here.ca.write(dir));
    for (name, _) in std::env::vars() {
        if name.to_uppercase().ends_with("_PROXY") || name.starts_with("GOOGLE_") {
            command.env_remove(name);
        }
    }
    run(command.arg(script).arg(transport).arg(file).arg(endpoint))
}

/// The file that leads to the workload's identity, without a line break after the token
pub(super) fn external_account(here: &Federation, dir: &Path) -> PathBuf {
    let token = dir.join("token");
    std::fs::write(&token, here.token(json!({}))).unwrap();
    let url = here.google.http_url();
    let file = json!({
        "universe_domain": "googleapis.com", "type": "external_account", "audience": audience(),
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": format!("{url}/v1/token"),
        "token_info_url": format!("{url}/v1/introspect"),
        "credential_source": {"file": token, "format": {"type": "text"}},
    });
    write(dir, "external-account.json", &file)
}

pub(super) fn write(dir: &Path, name: &str, content: &Value) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, content.to_string()).unwrap();
    path
}

fn python() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let own = target.join("google-clients/bin/python");
    let python = if own.is_file() { own } else { PathBuf::from("python3") };
    let works = client("python3").is_some()
        && Command::new(&python)
            .args(["-c", "import google.auth, google.cloud.secretmanager, requests"])
            .output()
            .is_ok_and(|output| output.status.success());
    if !works {
        println!("skipped: google-auth and google-cloud-secret-manager are not installed");
        return None;
    }
    Some(python)
}
