//! Servers that send back what they were sent: in a message, a header, a body, and in several codings.

use lab::{Access, EchoForm, Fault, Faults, Flavour, S3, Vault};
use serde_json::json;

use super::{Canary, LOUD, MODES, keeps};
use crate::{
    estate::{Estate, SETUP},
    world::{ISSUER, World},
};

/// What a far side answers from now on, to requests whose path has this part.
fn echo(faults: &Faults, part: &str, status: u16, form: EchoForm) {
    faults.clear();
    faults.always("", part, Fault::Echo(status, form));
}

#[test]
fn token_echoed_by_kubernetes_is_hidden() {
    let estate = Estate::new();
    estate.settings("store: {name: gcp}");
    let world = &estate.world;
    let canary = Canary(world.cluster.token_of("admin"));
    let faults = world.cluster.server(0).faults();
    let folder = format!("file://{}", world.www.display());
    let publish = ["publish", "--dry-run", "--bucket", &folder, "--issuer", ISSUER];
    let verify = ["verify", "--bucket", &folder, "--issuer", ISSUER];
    for (status, form) in [
        (401, EchoForm::Kubernetes),
        (403, EchoForm::Kubernetes),
        (422, EchoForm::Kubernetes),
        (500, EchoForm::Text),
        (200, EchoForm::Kubernetes),
        (200, EchoForm::Text),
    ] {
        for (part, command) in [
            ("", &["audit"][..]),
            ("external-secrets.io", &["audit"]),
            ("/secrets/", &["audit"]),
            ("/openid/v1/jwks", &publish),
            ("openid-configuration", &publish),
            ("endpointslices", &publish),
            ("/token", &verify),
            ("", &["setup", "--dry-run"]),
            ("/token", &["setup", "--dry-run"]),
            ("/secrets/", &["setup", "--dry-run"]),
        ] {
            echo(faults, part, status, form);
            let what = format!("{status} {form:?} {part} {command:?}");
            keeps(&what, &[&canary], world.dir.path(), &LOUD, |mode| {
                let mut run = estate.command(command);
                run.args(mode);
                run
            });
        }
    }
}

/// Writes are refused with an echo as well: what was applied to an object comes back whole.
#[test]
fn token_in_refused_write_is_hidden() {
    let estate = Estate::new();
    let canary = Canary(estate.world.cluster.token_of("admin"));
    for method in ["PATCH", "POST"] {
        let faults = estate.world.cluster.server(0).faults();
        faults.clear();
        faults.always(method, "/serviceaccounts", Fault::Echo(422, EchoForm::Kubernetes));
        faults.always(method, "/clustersecretstores", Fault::Echo(409, EchoForm::Kubernetes));
        keeps(method, &[&canary], estate.world.dir.path(), &MODES, |mode| {
            let mut run = estate.command(&SETUP);
            run.args(mode);
            run
        });
    }
}

#[test]
fn credentials_echoed_by_bucket_are_hidden() {
    const HOST: &str = "s3.lab.test";
    let world = World::signing_as(1, &format!("https://{HOST}/acme-oidc"));
    let s3 = S3::start_tls(&world.ca, &[HOST], Flavour::Compatible);
    world.internet.route(HOST, s3.addr());
    let credentials = s3.add_temporary_credentials(Access::Full);
    let canaries =
        [Canary(credentials.secret_access_key.clone()), Canary(credentials.session_token.clone().unwrap())];
    let endpoint = format!("https://{HOST}");
    for (status, form) in [
        (301, EchoForm::S3),
        (400, EchoForm::S3),
        (403, EchoForm::S3),
        (404, EchoForm::Text),
        (409, EchoForm::S3),
        (200, EchoForm::Text),
        (501, EchoForm::Text),
    ] {
        for method in ["", "PUT"] {
            s3.faults().clear();
            s3.faults().always(method, "", Fault::Echo(status, form));
            let what = format!("{status} {form:?} {method}");
            keeps(&what, &canaries.each_ref(), world.dir.path(), &LOUD, |mode| {
                let mut run = world.command(&[
                    "publish",
                    "--create",
                    "--bucket",
                    "s3://acme-oidc",
                    "--endpoint",
                    &endpoint,
                ]);
                run.args(mode)
                    .args(["--ca-file", "ca.pem"])
                    .env("AWS_ACCESS_KEY_ID", &credentials.access_key_id)
                    .env("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key)
                    .env("AWS_SESSION_TOKEN", credentials.session_token.as_ref().unwrap())
                    .env("AWS_EC2_METADATA_DISABLED", "true");
                run
            });
        }
    }
}

#[test]
fn token_echoed_by_google_is_hidden() {
    let estate = Estate::new();
    estate.settings("google: {project: acme-prod, pool: keyless-lab}\nstore: {name: gcp, secrets: [db]}");
    let canary = Canary(estate.google.token());
    let run = |what: &str, command: &[&str]| {
        keeps(what, &[&canary], estate.world.dir.path(), &LOUD, |mode| {
            let mut run = estate.command(command);
            run.args(mode);
            run
        });
    };
    let gcs = ["publish", "--bucket", "gs://acme-oidc", "--create", "--project", "acme-prod"];
    for (status, form) in [
        (400, EchoForm::Google),
        (401, EchoForm::Google),
        (403, EchoForm::Google),
        (404, EchoForm::Text),
        (200, EchoForm::Text),
    ] {
        for part in ["", "workloadIdentityPools", "/secrets", "services"] {
            echo(estate.google.faults(), part, status, form);
            run(&format!("setup: {status} {form:?} {part}"), &["setup", "--dry-run"]);
        }
        echo(estate.google.faults(), "", status, form);
        run(&format!("bucket: {status} {form:?}"), &gcs);
    }
    // What a token was exchanged for, and the token itself.
    estate.google.faults().clear();
    estate.run(&SETUP).ends(0);
    for (part, form) in
        [("/v1/token", EchoForm::OAuth), (":access", EchoForm::Google), ("/v1/token", EchoForm::Text)]
    {
        for status in [400, 403, 200] {
            echo(estate.google.faults(), part, status, form);
            run(&format!("verify: {status} {form:?} {part}"), &["verify"]);
        }
    }
}

#[test]
fn token_echoed_by_vault_is_hidden() {
    let estate = Estate::new();
    let vault = Vault::start(&estate.world.ca, &["vault.lab.test"]);
    vault.enable_kv("kv");
    vault.put_secret("kv", "db", json!({"password": "hunter2"}));
    estate.settings(&format!("vault: {{address: '{}', mode: static-keys}}", vault.url()));
    let canary = Canary(vault.root_token());
    let run = |what: &str, command: &[&str]| {
        keeps(what, &[&canary], estate.world.dir.path(), &LOUD, |mode| {
            let mut run = estate.command(command);
            run.args(mode).env("VAULT_TOKEN", &canary.0);
            run
        });
    };
    let plan = ["setup", "--dry-run", "--to", "vault"];
    for (status, form) in [
        (400, EchoForm::Vault),
        (403, EchoForm::Vault),
        (404, EchoForm::Vault),
        (503, EchoForm::Text),
        (200, EchoForm::Text),
    ] {
        for part in ["", "sys/auth", "auth/keyless"] {
            echo(vault.faults(), part, status, form);
            run(&format!("setup: {status} {form:?} {part}"), &plan);
        }
    }
    vault.faults().clear();
    let mut setup = estate.command(&[&SETUP[..], &["--to", "vault", "--accept-new-secrets"]].concat());
    crate::world::Ran::from(setup.env("VAULT_TOKEN", &canary.0).output().unwrap()).ends(0);
    for part in ["/login", "kv/data"] {
        for status in [400, 403, 200] {
            echo(vault.faults(), part, status, EchoForm::Vault);
            run(&format!("verify: {status} {part}"), &["verify"]);
        }
    }
}

/// A header that a store sends is a credential of the store: it is not shown, and no manifest carries it away.
#[test]
fn credential_in_store_header_is_hidden() {
    let estate = Estate::new();
    let (canary, password) = (Canary::odd(), Canary::new());
    let world = &estate.world;
    world.cluster.remove_object("external-secrets.io/v1", "ClusterSecretStore", None, "gcp");
    world.cluster.put_object(json!({"apiVersion": "external-secrets.io/v1", "kind": "ClusterSecretStore",
        "metadata": {"name": "gcp"}, "spec": {"provider": {"vault": {
            "server": format!("https://admin:{}@vault.lab.test:8200", password.0), "path": "kv", "version": "v2",
            "headers": {"X-Vault-Token": canary.0, "X-Team": "shop"},
            "auth": {"tokenSecretRef": {"name": "gcp-key", "namespace": "external-secrets", "key": "key.json"}}}}}}));
    let vault = Vault::start(&world.ca, &["vault.lab.test"]);
    vault.enable_kv("kv");
    vault.put_secret("kv", "db", json!({"password": "hunter2"}));
    estate
        .settings(&format!("vault: {{address: '{}', mode: static-keys}}\nstore: {{name: gcp}}", vault.url()));
    for command in [
        &["audit"][..],
        &["render", "store", "--to", "vault"],
        &["render", "store", "--to", "vault", "--folder", "manifests"],
        &["render", "store", "--to", "google"],
        &["setup", "--dry-run", "--to", "vault"],
        &["setup", "--dry-run", "--to", "google"],
    ] {
        keeps(&format!("{command:?}"), &[&canary, &password], world.dir.path(), &MODES, |mode| {
            let mut run = estate.command(command);
            run.args(mode).env("VAULT_TOKEN", vault.root_token());
            run
        });
    }
    // The administrator is told which line it is.
    let mut run = estate.command(&["render", "store", "--to", "vault"]);
    let ran = crate::world::Ran::from(run.env("VAULT_TOKEN", vault.root_token()).output().unwrap());
    assert!(ran.out.is_empty() || !ran.out.contains("X-Vault-Token"), "{}{}", ran.out, ran.err);
}
