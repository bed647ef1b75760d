//! `keyless setup --to entra` from outside, against a stand-in that verifies tokens, documents, federated credentials and
//! roles.

mod operator;
mod refused;
mod rights;
mod steps;
mod story;

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use lab::{Entra, EsoStandIn, SigningKey};
use serde_json::{Value, json};

pub(crate) use self::operator::Operator;
use crate::{
    estate::put_operator,
    world::{ISSUER, PATIENCE, Ran, World},
};

const ESO: &str = "external-secrets.io/v1";
const SETUP: [&str; 6] = ["setup", "--yes", "--watch-for", "0s", "--to", "entra"];
const RETIRE: [&str; 7] = ["setup", "--yes", "--watch-for", "0s", "--to", "entra", "--retire-key"];
const DRY: [&str; 4] = ["setup", "--dry-run", "--to", "entra"];
/// The ServiceAccount that setup makes for the store.
const ACCOUNT: &str = "keyless-azure";
const SUBJECT: &str = "system:serviceaccount:external-secrets:keyless-azure";

/// A cluster whose store reads Key Vault with a stored client secret, beside a bucket for its documents.
pub(crate) struct Scene {
    pub(crate) world: World,
    pub(crate) azure: Entra,
    /// Client ID and secret of the application that the store logs in as.
    pub(crate) application: (String, String),
    /// Who runs the program.
    pub(crate) administrator: (String, String),
    before: Value,
    _eso: EsoStandIn,
}

/// What names the administrator in the environment.
pub(crate) fn log_in(command: &mut Command, (id, secret): &(String, String)) {
    command.env("AZURE_TENANT_ID", Entra::tenant());
    command.env("AZURE_CLIENT_ID", id);
    command.env("AZURE_CLIENT_SECRET", secret);
}

/// The section of a settings file.
pub(crate) fn section() -> String {
    format!(
        "entra:\n  tenant: {}\n  subscription: {}\n  resourceGroup: {}\n  vault: {}\n",
        Entra::tenant(),
        Entra::subscription(),
        Entra::group(),
        Entra::vault()
    )
}

impl Scene {
    fn new() -> Self {
        Self::signing_with(SigningKey::from_stock())
    }

    fn signing_with(key: SigningKey) -> Self {
        Self::signing_as(ISSUER, key)
    }

    pub(crate) fn signing_as(issuer: &str, key: SigningKey) -> Self {
        let world = World::signing_with(1, issuer, key);
        let azure = Entra::start(&world.ca);
        for name in Entra::names() {
            world.internet.route(name, azure.addr());
        }
        azure.resolve("oidc.lab.test", world.web.addr());
        azure.put_secret("db", r#"{"password":"hunter2"}"#);
        let application = azure.add_application();
        let cluster = &world.cluster;
        put_operator(cluster);
        cluster.put_object(json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "azure-key", "namespace": "external-secrets"},
            "data": {"id": STANDARD.encode(&application.0), "secret": STANDARD.encode(&application.1)}}));
        let half =
            |member: &str| json!({"name": "azure-key", "namespace": "external-secrets", "key": member});
        cluster.put_object(
            json!({"apiVersion": ESO, "kind": "ClusterSecretStore", "metadata": {"name": "azure"},
            "spec": {"conditions": [{"namespaces": ["shop"]}], "provider": {"azurekv": {
                "authType": "ServicePrincipal", "tenantId": Entra::tenant(),
                "vaultUrl": format!("https://{}.vault.azure.net", Entra::vault()),
                "authSecretRef": {"clientId": half("id"), "clientSecret": half("secret")}}}}}),
        );
        cluster.put_object(json!({"apiVersion": ESO, "kind": "ExternalSecret",
            "metadata": {"name": "db", "namespace": "shop"},
            "spec": {"refreshInterval": "1s", "secretStoreRef": {"name": "azure", "kind": "ClusterSecretStore"},
                "target": {"name": "db"},
                "data": [{"secretKey": "password", "remoteRef": {"key": "db", "property": "password"}}]}}));
        let reader = Box::new(cluster.reader());
        let operator = Operator {
            cluster: reader,
            key: world.key.clone(),
            issuer: issuer.to_owned(),
            url: azure.http_url(),
        };
        let eso = EsoStandIn::start(cluster, move |store, key| operator.read(store, key));
        let administrator = azure.administrator();
        let before = cluster.object(ESO, "ClusterSecretStore", None, "azure").unwrap();
        let scene = Self { world, azure, application, administrator, before, _eso: eso };
        let named = format!("keyApplication: {}", scene.application.0);
        scene.settings(&[&named]);
        scene.until_read();
        scene
    }

    /// Waits until the operator has read with the store as it is now.
    fn until_read(&self) {
        let end = Instant::now() + PATIENCE;
        loop {
            let user = self.world.cluster.object(ESO, "ExternalSecret", Some("shop"), "db").unwrap();
            if user["status"]["conditions"][0]["status"] == "True" {
                return;
            }
            assert!(Instant::now() < end, "{user:#}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until the application has this one.
    fn until_password(&self, password: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            let secret = self.world.cluster.object("v1", "Secret", Some("shop"), "db");
            let data = secret.and_then(|secret| Some(secret["data"]["password"].as_str()?.to_owned()));
            if data.is_some_and(|data| STANDARD.decode(data).unwrap() == password.as_bytes()) {
                return;
            }
            assert!(Instant::now() < end);
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Writes `keyless.yaml`: lines of `entra` beside what names the vault.
    fn settings(&self, lines: &[&str]) {
        let www = self.world.www.display();
        let mut text = format!(
            "apiVersion: keyless/v1\nissuer: {ISSUER}\nbucket:\n  url: 'file://{www}'\n{}",
            section()
        );
        for line in lines {
            text += &format!("  {line}\n");
        }
        std::fs::write(self.world.dir.path().join("keyless.yaml"), text).unwrap();
    }

    pub(crate) fn command(&self, as_: &(String, String), arguments: &[&str]) -> Command {
        let mut command = self.world.command(arguments);
        log_in(&mut command, as_);
        if !matches!(arguments.first(), Some(&"audit")) {
            command.args(["--ca-file", "ca.pem"]);
        }
        // The user names the file: it decides whose key is retired.
        if !arguments.contains(&"--config") {
            command.args(["--config", "keyless.yaml"]);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let ran = Ran::of(&mut self.command(&self.administrator, arguments));
        for secret in [&*self.administrator.1, &*self.application.1, "hunter2", "PRIVATE KEY", "eyJ"] {
            for text in [&ran.out, &ran.err] {
                assert!(!text.contains(secret), "{secret} is shown:\n{text}");
            }
        }
        ran
    }

    fn store(&self) -> Value {
        self.world.cluster.object(ESO, "ClusterSecretStore", None, "azure").unwrap()
    }

    fn provider(&self) -> Value {
        self.store()["spec"]["provider"]["azurekv"].clone()
    }

    /// The identity that setup names by itself.
    fn identity_name(&self) -> String {
        format!("keyless-{}", &self.world.cluster_uid()[..8])
    }

    fn identity(&self) -> Option<Value> {
        self.azure.identity(&self.identity_name())
    }

    fn account(&self) -> Option<Value> {
        self.world.cluster.object("v1", "ServiceAccount", Some("external-secrets"), ACCOUNT)
    }

    fn secret_is_there(&self) -> bool {
        self.world.cluster.object("v1", "Secret", Some("external-secrets"), "azure-key").is_some()
    }

    /// How many secrets the application has, and whether it may sign in.
    fn key(&self) -> (usize, bool) {
        self.azure.application(&self.application.0).unwrap()
    }

    /// The mark that setup writes on what it makes for this cluster.
    fn mark(&self) -> String {
        format!("managed by keyless in cluster {} for its ServiceAccounts", self.world.cluster_uid())
    }

    /// The store reads with its secret, and the secret is good.
    #[track_caller]
    fn is_untouched(&self, why: &str) {
        assert_eq!(self.store()["spec"], self.before["spec"], "{why}");
        assert_eq!((self.key(), self.secret_is_there()), ((1, true), true), "{why}");
    }

    /// Setup comes to its end: the store reads without its secret, which opens nothing.
    #[track_caller]
    fn ends_well(&self) {
        self.run(&SETUP).ends(0);
        let expected = json!({
            "authType": "WorkloadIdentity", "tenantId": Entra::tenant(),
            "vaultUrl": format!("https://{}.vault.azure.net", Entra::vault()),
            "serviceAccountRef": {"name": ACCOUNT, "namespace": "external-secrets"},
        });
        assert_eq!(self.provider(), expected);
        assert_eq!(self.key(), (1, false), "useless, not deleted");
    }

    /// Calls that change something, and were not refused.
    fn writes(&self) -> Vec<String> {
        let calls = self.azure.heard().into_iter().filter(|call| call.refused.is_none());
        let writes =
            |action: &String| ["/write", "/delete", "ReadWrite.All"].iter().any(|end| action.ends_with(end));
        calls.map(|call| call.action).filter(writes).collect()
    }
}
