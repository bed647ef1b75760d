//! Every credential file of a cloud × every way to break it.

use std::fs;

use lab::{EchoForm, Fault, Flavour, S3};
use serde_json::{Value, json};

use super::{Canary, LOUD, keeps};
use crate::{estate::Estate, google::at_once, world::World};

/// `CANARY` is the value of a member, in quotes; each is the text in its place.
const BREAKS: [&str; 13] = [
    "\"CANARY\"",
    "[\"CANARY\"]",
    "{\"CANARY\": \"CANARY\"}",
    "\"CANARY",
    "CANARY",
    "\"CANARY\\x\"",
    "\"CANARY\t\n\"",
    "\"CANARY\" \"CANARY\"",
    "\"CANARY\\u0000\\u001b[31m\"",
    "\"-----BEGIN PRIVATE KEY-----CANARY-----END PRIVATE KEY-----\"",
    "\"-----BEGIN PRIVATE KEY-----\\nCANARY\\n\"",
    "\"-----BEGIN CANARY-----\\nCANARY\\n-----END PRIVATE KEY-----\"",
    "\"-----BEGIN PRIVATE KEY-----\\nCANARY!\\n-----END PRIVATE KEY-----\\n\"",
];

fn google_files(url: &str, token_file: &str) -> Vec<(&'static str, Value)> {
    let user = json!({"type": "authorized_user", "client_id": "id", "client_secret": "s", "refresh_token": "CANARY",
        "token_uri": format!("{url}/token")});
    let account = json!({"type": "service_account", "project_id": "acme-prod", "private_key_id": "1",
        "private_key": "CANARY", "client_email": "eso@acme-prod.iam.gserviceaccount.com", "client_id": "1",
        "token_uri": format!("{url}/token")});
    let external = |source: Value| {
        json!({"type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/c",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": format!("{url}/v1/token"),
            "credential_source": source})
    };
    let mut secret = user.clone();
    secret["client_secret"] = json!("CANARY");
    secret["refresh_token"] = json!("r");
    vec![
        ("service account", account),
        ("user", user.clone()),
        ("client secret", secret),
        (
            "impersonated",
            json!({"type": "impersonated_service_account", "source_credentials": user,
            "service_account_impersonation_url": format!("{url}/v1/projects/-/serviceAccounts/a@b:generateAccessToken")}),
        ),
        ("header", external(json!({"url": format!("{url}/subject"), "headers": {"X-Auth-Token": "CANARY"}}))),
        (
            "token file",
            external(json!({"file": token_file, "format": {"type": "text"}, "note_token": "CANARY"})),
        ),
        (
            "JSON token file",
            external(
                json!({"file": token_file, "format": {"type": "json", "subject_token_field_name": "token"}, "note_token": "CANARY"}),
            ),
        ),
        ("executable", external(json!({"executable": {"command": "/bin/sh -c CANARY"}}))),
        ("type", json!({"type": "unknown", "password": "CANARY"})),
    ]
}

#[test]
fn broken_google_credentials_show_no_secret() {
    let estate = Estate::new();
    estate.settings("google: {project: acme-prod, pool: keyless-lab}\nstore: {name: gcp, secrets: [db]}");
    // Whatever the token service is asked comes back.
    estate.google.faults().always("", "", Fault::Echo(400, EchoForm::OAuth));
    let dir = estate.world.dir.path();
    let mut cases = Vec::new();
    for (kind, file) in google_files(&estate.google.http_url(), "TOKEN-FILE") {
        let text = file.to_string();
        for broken in BREAKS {
            cases.push((format!("{kind}: {broken}"), text.replace("\"CANARY\"", broken)));
        }
        let at = text.find("CANARY").unwrap();
        cases.push((format!("{kind}, cut off"), text[..at + 6].to_owned()));
        cases.push((format!("{kind}, as text"), "CANARY".to_owned()));
    }
    let numbered: Vec<_> = cases.iter().enumerate().collect();
    at_once(&numbered, |(number, (what, text))| {
        let (canary, token) = (Canary::new(), Canary::new());
        let folder = dir.join(format!("google-{number}"));
        fs::create_dir(&folder).unwrap();
        let (file, token_file) = (folder.join("adc.json"), folder.join("token"));
        fs::write(&token_file, json!({"token": token.0}).to_string()).unwrap();
        let text = text.replace("CANARY", &canary.0).replace("TOKEN-FILE", token_file.to_str().unwrap());
        fs::write(&file, text).unwrap();
        fs::copy(dir.join("keyless.yaml"), folder.join("keyless.yaml")).unwrap();
        fs::copy(dir.join("ca.pem"), folder.join("ca.pem")).unwrap();
        keeps(what, &[&canary, &token], &folder, &LOUD[number % 2..=number % 2], |mode| {
            let mut run = estate.world.command(&["setup", "--dry-run", "--ca-file", "ca.pem"]);
            run.args(mode)
                .current_dir(&folder)
                .env("GOOGLE_APPLICATION_CREDENTIALS", &file)
                .env("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1");
            run
        });
    });
}

/// A real key on one line, without its line breaks: the library that reads it quotes the whole line as numbers.
#[test]
fn single_line_key_is_not_shown() {
    let estate = Estate::new();
    estate.settings("google: {project: acme-prod, pool: keyless-lab}\nstore: {name: gcp, secrets: [db]}");
    let key = estate.google.create_key(&estate.email);
    let pem = key["private_key"].as_str().unwrap();
    let body: Vec<_> =
        pem.lines().filter(|line| !line.starts_with('-')).map(|line| Canary(line.to_owned())).collect();
    let numbers = format!("{:?}", &pem.as_bytes()[40..60]);
    let file = estate.world.dir.path().join("adc.json");
    for broken in [
        pem.replace('\n', ""),
        pem.replace('\n', " "),
        pem.replace("-----END", "----END"),
        pem[..900].to_owned(),
    ] {
        let mut key = key.clone();
        key["private_key"] = json!(broken);
        fs::write(&file, key.to_string()).unwrap();
        for ran in keeps("key", &body.iter().collect::<Vec<_>>(), estate.world.dir.path(), &LOUD, |mode| {
            let mut run = estate.world.command(&["setup", "--dry-run", "--ca-file", "ca.pem"]);
            run.args(mode).env("GOOGLE_APPLICATION_CREDENTIALS", &file);
            run
        }) {
            let numbers = numbers.trim_matches(['[', ']']);
            assert!(!ran.err.contains(numbers) && !ran.out.contains(numbers), "{}{}", ran.out, ran.err);
        }
    }
}

#[test]
fn broken_aws_credentials_show_no_secret() {
    const HOST: &str = "s3.lab.test";
    let world = World::signing_as(1, &format!("https://{HOST}/acme-oidc"));
    let s3 = S3::start_tls(&world.ca, &[HOST], Flavour::Compatible);
    world.internet.route(HOST, s3.addr());
    s3.faults().always("", "", Fault::Echo(403, EchoForm::S3));
    let endpoint = format!("https://{HOST}");
    let process = |script: &str| format!("[default]\ncredential_process = /bin/sh -c \"{script}\" CANARY\n");
    let files = [
        "[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = CANARY\naws_session_token = CANARY\n".to_owned(),
        "[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key CANARY\n".into(),
        "[default\naws_secret_access_key = CANARY\n".into(),
        "aws_secret_access_key = CANARY\n[default]\n".into(),
        "[default]\naws_secret_access_key = CANARY\n".into(),
        "[default]\n  aws_secret_access_key = CANARY\n".into(),
        "[default]\naws_access_key_id = AKID\u{1}\naws_secret_access_key = CANARY\n".into(),
        "[default]\naws_access_key_id = AKID\naws_secret_access_key = CANARY\naws_session_token = \u{7f}CANARY\n".into(),
        "[default]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = CANARYless\naws_secret_access_key = CANARY\n".into(),
        "[default]\nrole_arn = arn:aws:iam::1:role/x\ncredential_source = Nowhere\naws_secret_access_key = CANARY\n".into(),
        process("exit 3"),
        process("echo $0"),
        process("echo { \\\\\\\"Version\\\\\\\": 1, \\\\\\\"SecretAccessKey\\\\\\\": \\\\\\\"$0\\\\\\\" }"),
        process("echo { \\\\\\\"Version\\\\\\\": \\\\\\\"$0\\\\\\\" }"),
        "[default]\ncredential_process = /nowhere/get --secret CANARY\n".into(),
        "\u{0}CANARY".into(),
    ];
    let numbered: Vec<_> = files.iter().enumerate().collect();
    at_once(&numbered, |(number, text)| {
        let canary = Canary::odd();
        let folder = world.dir.path().join(format!("aws-{number}"));
        fs::create_dir(&folder).unwrap();
        fs::copy(world.dir.path().join("ca.pem"), folder.join("ca.pem")).unwrap();
        let file = folder.join("credentials");
        fs::write(&file, text.replace("CANARY", &canary.0)).unwrap();
        for variable in ["AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"] {
            keeps(&format!("{variable} {text}"), &[&canary], &folder, &LOUD, |mode| {
                let mut run =
                    world.command(&["publish", "--bucket", "s3://acme-oidc", "--endpoint", &endpoint]);
                run.args(mode)
                    .args(["--ca-file", "ca.pem"])
                    .current_dir(&folder)
                    .env(variable, &file)
                    .env("AWS_EC2_METADATA_DISABLED", "true");
                run
            });
        }
    });
}

/// Tokens and keys in the environment, as they should be and with what no header can hold.
#[test]
fn broken_environment_shows_no_secret() {
    let estate = Estate::new();
    estate.settings(
        "vault: {address: 'https://127.0.0.1:1', mode: static-keys}\nstore: {name: gcp, secrets: [db]}",
    );
    let canary = Canary::odd();
    for value in [
        canary.0.clone(),
        format!("{}\n", canary.0),
        format!("{}\u{1b}[31m", canary.0),
        format!("\u{202e}{}", canary.0),
    ] {
        for (variable, command) in [
            ("VAULT_TOKEN", &["setup", "--dry-run", "--to", "vault"][..]),
            ("BAO_TOKEN", &["setup", "--dry-run", "--to", "vault"]),
            ("GOOGLE_OAUTH_ACCESS_TOKEN", &["setup", "--dry-run", "--to", "google"]),
            ("GOOGLE_OAUTH_ACCESS_TOKEN", &["publish", "--bucket", "gs://acme"]),
            ("AWS_SECRET_ACCESS_KEY", &["publish", "--bucket", "s3://acme", "--region", "r"]),
            ("AWS_SESSION_TOKEN", &["publish", "--bucket", "s3://acme", "--region", "r"]),
        ] {
            keeps(&format!("{variable} {value:?}"), &[&canary], estate.world.dir.path(), &LOUD, |mode| {
                let mut run = estate.command(command);
                run.args(mode)
                    .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
                    .env("AWS_SECRET_ACCESS_KEY", "aSecretOfNoUse")
                    .env("AWS_EC2_METADATA_DISABLED", "true")
                    .env(variable, &value);
                run
            });
        }
    }
}
