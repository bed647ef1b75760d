//! One store between four providers: each move changes one object that names the provider, and what would not survive is
//! shown before.

use std::process::Command;

use lab::{Aws, Entra, Vault};
use serde_json::{Value, json};

use crate::{
    entra::{log_in, section},
    estate::{Estate, RETIRE},
    world::{ISSUER, Ran},
};

const ESO: &str = "external-secrets.io/v1";
const STORE: &str = "PATCH /apis/external-secrets.io/v1/clustersecretstores/gcp";
const ACCOUNT: &str = "PATCH /api/v1/namespaces/external-secrets/serviceaccounts/keyless-gcp";

/// A store that reads Google without a stored key, and the same secret at the other three; all of them fetch the documents.
struct Scene {
    estate: Estate,
    vault: Vault,
    aws: Aws,
    azure: Entra,
}

impl Scene {
    fn new() -> Self {
        let estate = Estate::new();
        let world = &estate.world;
        world.cluster.change_servers(|server| server.issuers = vec![ISSUER.to_owned()]);
        let (vault, aws) = (Vault::start(&world.ca, &["vault.lab.test"]), Aws::start(&world.ca));
        for name in Aws::names() {
            world.internet.route(name, aws.addr());
        }
        let azure = Entra::start(&world.ca);
        for name in Entra::names() {
            world.internet.route(name, azure.addr());
        }
        azure.resolve("oidc.lab.test", world.web.addr());
        azure.put_secret("db", r#"{"password":"hunter2"}"#);
        estate.google.resolve("oidc.lab.test", world.web.addr());
        vault.resolve("oidc.lab.test", world.web.addr());
        aws.resolve("oidc.lab.test", world.web.addr());
        vault.enable_kv("kv");
        vault.put_secret("kv", "db", json!({"password": "hunter2"}));
        aws.put_secret("db", r#"{"password":"hunter2"}"#);
        estate.settings(&format!(
            "issuer: {ISSUER}\nbucket:\n  url: 'file://{}'\ngoogle:\n  project: acme-prod\nvault:\n  address: '{}'\naws:\n  \
             account: '{}'\n  region: {}\n{}",
            world.www.display(),
            vault.url(),
            Aws::account(),
            Aws::region(),
            section().trim_end()
        ));
        let scene = Self { estate, vault, aws, azure };
        Ran::of(&mut scene.command(&RETIRE)).ends(0);
        scene
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.estate.command(arguments);
        let own = self.aws.administrator();
        command.env("AWS_ACCESS_KEY_ID", own.access_key_id);
        command.env("AWS_SECRET_ACCESS_KEY", own.secret_access_key);
        command.env("VAULT_TOKEN", self.vault.root_token());
        log_in(&mut command, &self.azure.administrator());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let ran = Ran::of(&mut self.command(arguments));
        for secret in ["hunter2", "PRIVATE KEY", &*self.vault.root_token()] {
            assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{secret} is shown");
        }
        ran
    }

    /// What the program wrote at the API server, but for tokens, questions about rights, and its own notes.
    fn writes(&self) -> Vec<String> {
        let calls = self.estate.world.cluster.server(0).faults().requests();
        let own = ["/token", "authorization.k8s.io", "/namespaces/keyless-system/configmaps"];
        calls
            .into_iter()
            .filter(|call| call.method != "GET" && !own.iter().any(|part| call.path.contains(part)))
            .map(|call| format!("{} {}", call.method, call.path.split('?').next().unwrap_or_default()))
            .collect()
    }

    fn user(&self, name: &str) -> Value {
        let object = self.estate.world.cluster.object(ESO, "ExternalSecret", Some("shop"), name).unwrap();
        object["spec"].clone()
    }

    /// The one provider that the store names.
    fn provider(&self) -> String {
        let provider = self.estate.store()["spec"]["provider"].as_object().unwrap().clone();
        assert_eq!(provider.len(), 1, "{provider:?}");
        provider.into_iter().next().unwrap().0
    }
}

/// The member of a store that names a provider.
fn member(provider: &str) -> &str {
    match provider {
        "google" => "gcpsm",
        "entra" => "azurekv",
        provider => provider,
    }
}

#[test]
fn each_move_changes_one_store() {
    let scene = Scene::new();
    let (reader, conditions) = (scene.user("db"), scene.estate.store()["spec"]["conditions"].clone());
    let mut from = "google";
    // Every pair, in both directions; then once more where everything is set up.
    let moves = [
        "vault", "google", "aws", "google", "entra", "vault", "aws", "vault", "entra", "aws", "entra",
        "google", "aws",
    ];
    for to in moves {
        let cluster = &scene.estate.world.cluster;
        cluster.server(0).faults().forget();
        let arguments = ["setup", "--dry-run", "--accept-new-secrets", "--to", to];
        scene.run(&arguments).ends(1).says("the one object that names the provider");
        assert_eq!((scene.writes(), scene.provider()), (Vec::new(), member(from).to_owned()), "a dry run");
        scene.run(&["setup", "--yes", "--accept-new-secrets", "--watch-for", "0s", "--to", to]).ends(0);
        assert_eq!(scene.provider(), member(to), "{from} → {to}");
        let mut writes = scene.writes();
        assert_eq!(writes.pop().as_deref(), Some(STORE), "{from} → {to}");
        // The role at AWS and the identity at Azure are named by the ServiceAccount, as long as the store is there.
        let is_named = [from, to].iter().any(|it| ["aws", "entra"].contains(it));
        let of_role = |write: &String| is_named && write == ACCOUNT;
        assert!(writes.iter().all(of_role), "{from} → {to}: {writes:?}");
        assert_eq!(scene.user("db"), reader, "what reads through it does not change");
        assert_eq!(scene.estate.store()["spec"]["conditions"], conditions, "nor who may use it");
        scene.run(&["setup", "--dry-run", "--to", to]).ends(0);
        scene.run(&["verify"]).ends(0);
        scene.run(&["audit"]).ends(0).says("ZERO");
        from = to;
    }
    scene.run(&["teardown", "--yes"]).ends(0);
    assert_eq!(scene.aws.roles(), Vec::<String>::new());
}

#[test]
fn move_shows_what_would_not_survive() {
    let scene = Scene::new();
    let user = |name: &str, remote: Value| {
        scene.estate.user("shop", name, &json!({"data": [{"secretKey": "x", "remoteRef": remote}]}));
        scene.estate.until_read("shop", name);
    };
    user("pinned", json!({"key": "db", "property": "password", "version": "1"}));
    user("whole", json!({"key": "db"}));
    let dry = |to: &str| scene.run(&["setup", "--dry-run", "--accept-new-secrets", "--to", to]).ends(1);
    let pinned = "! ExternalSecret shop/pinned data[0].remoteRef.version";
    let whole = "! ExternalSecret shop/whole data[0].remoteRef.property";
    for to in ["aws", "vault"] {
        let planned = dry(to);
        assert!(planned.out.contains(pinned), "google → {to}:\n{}", planned.out);
        assert!(!planned.out.contains("! ExternalSecret shop/db"), "google → {to}:\n{}", planned.out);
        assert!(planned.out.contains(whole), "google → {to}:\n{}", planned.out);
        if to == "aws" {
            planned.snapshot("plan-google-to-aws");
        }
    }
    // AWS has no version of that name: the new login does not read it.
    let setup = ["setup", "--yes", "--accept-new-secrets", "--watch-for", "0s", "--to", "aws"];
    let ran = scene.run(&setup);
    assert!(ran.code.is_some_and(|code| code != 0), "{ran:?}");
    ran.says("shop/pinned");
    assert_eq!(scene.provider(), "gcpsm", "the store stays where everything works");
    let cluster = &scene.estate.world.cluster;
    for name in ["pinned", "whole"] {
        cluster.remove_object(ESO, "ExternalSecret", Some("shop"), name);
    }
    scene.run(&["setup", "--yes", "--accept-new-secrets", "--watch-for", "0s", "--to", "aws"]).ends(0);
    user("pinned", json!({"key": "db", "property": "password", "version": "uuid/1"}));
    user("whole", json!({"key": "db"}));
    for to in ["google", "vault"] {
        let planned = dry(to);
        assert!(planned.out.contains(pinned), "aws → {to}:\n{}", planned.out);
        assert!(planned.out.contains(whole), "aws → {to}:\n{}", planned.out);
    }
    for name in ["pinned", "whole"] {
        cluster.remove_object(ESO, "ExternalSecret", Some("shop"), name);
    }
    // A name that Google cannot have survives between the other two.
    scene.vault.put_secret("kv", "team/db", json!({"password": "hunter2"}));
    scene.aws.put_secret("team/db", r#"{"password":"hunter2"}"#);
    user("folder", json!({"key": "team/db", "property": "password"}));
    let planned = dry("vault");
    assert!(!planned.out.contains("! ExternalSecret"), "{}", planned.out);
    let ran = scene.run(&["setup", "--dry-run", "--accept-new-secrets", "--to", "google"]);
    assert!(ran.code.is_some_and(|code| code != 0), "{ran:?}");
    ran.says("team/db");
    scene.run(&["setup", "--yes", "--accept-new-secrets", "--watch-for", "0s", "--to", "vault"]).ends(0);
    user("whole", json!({"key": "db"}));
    let planned = dry("aws");
    assert!(planned.out.contains(whole), "vault → aws:\n{}", planned.out);
    assert!(!planned.out.contains("! ExternalSecret shop/folder"), "vault → aws:\n{}", planned.out);
}
