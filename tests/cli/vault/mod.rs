//! `keyless setup --to vault` from outside, against a stand-in that has the words of OpenBao and of Vault.

mod address;
mod issuers;
mod kept;
mod needs;
mod refused;
mod remedies;
mod roles;
mod steps;
mod swap;

use std::process::Command;

use lab::{Ca, Vault};
use serde_json::{Value, json};

use crate::{
    estate::Estate,
    world::{ISSUER, Ran},
};

/// What the store reads at another provider is new there.
const SETUP: [&str; 6] = ["setup", "--yes", "--accept-new-secrets", "--watch-for", "0s", "--to"];
/// The names that a setup takes when it is told none.
const POLICY: &str = "keyless-external-secrets";

/// A cluster whose store reads Google with a stored key, and a Vault beside it that holds the same secret.
struct Scene {
    estate: Estate,
    vault: Vault,
    before: Value,
}

impl Scene {
    /// The server is given the keys.
    fn new() -> Self {
        Self::with_servers(1)
    }

    /// A cluster of so many API servers; the server is given the keys.
    fn with_servers(servers: usize) -> Self {
        let scene = Self::bare(Estate::with_servers(servers), |ca| Vault::start(ca, &["vault.lab.test"]));
        scene.settings("mode: static-keys", "");
        scene
    }

    /// The server fetches the documents, which setup publishes; `authority` has its own certificate signed.
    fn with_documents(authority: Option<&Ca>) -> Self {
        let estate = Estate::new();
        estate.world.cluster.change_servers(|settings| settings.issuers = vec![ISSUER.into()]);
        let scene = Self::bare(estate, |ca| Vault::start(authority.unwrap_or(ca), &["vault.lab.test"]));
        scene.vault.resolve("oidc.lab.test", scene.estate.world.web.addr());
        scene.settings("", &scene.documents());
        scene
    }

    fn bare(estate: Estate, start: impl FnOnce(&Ca) -> Vault) -> Self {
        let vault = start(&estate.world.ca);
        vault.enable_kv("kv");
        vault.put_secret("kv", "db", json!({"password": "hunter2"}));
        let before = estate.store();
        Self { estate, vault, before }
    }

    /// Writes `keyless.yaml`: members of `vault` beside its address, and what else.
    fn settings(&self, vault: &str, more: &str) {
        let separator = if vault.is_empty() { "" } else { ", " };
        let text = format!(
            "apiVersion: keyless/v1\n{more}vault: {{address: '{}'{separator}{vault}}}\n",
            self.vault.url()
        );
        self.estate.names_settings();
        std::fs::write(self.estate.world.dir.path().join("keyless.yaml"), text).unwrap();
    }

    fn documents(&self) -> String {
        format!("issuer: {ISSUER}\nbucket: {{url: 'file://{}'}}\n", self.estate.world.www.display())
    }

    fn command(&self, token: &str, arguments: &[&str]) -> Command {
        let mut command = self.estate.command(arguments);
        if !token.is_empty() {
            command.env("VAULT_TOKEN", token);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(&mut self.command(&self.vault.root_token(), arguments))
    }

    /// Everything, to this provider, with a token of Vault's administrator.
    fn setup(&self, to: &str) -> Ran {
        self.run(&[&SETUP[..], &[to]].concat())
    }

    fn setup_as(&self, token: &str) -> Ran {
        Ran::of(&mut self.command(token, &[&SETUP[..], &["vault"]].concat()))
    }

    #[track_caller]
    fn old_path_is_untouched(&self) {
        let spec = |store: &Value| store["spec"].clone();
        assert_eq!(spec(&self.estate.store()), spec(&self.before), "the store is as it was");
        assert_eq!(self.estate.key_disabled(), Some(false), "the key still works");
        assert!(self.estate.secret_is_there());
    }

    /// What was wrong is fixed, and setup comes to its end.
    #[track_caller]
    fn ends_well(&self) {
        self.setup("vault").ends(0);
        let provider = self.provider();
        assert!(provider["auth"]["jwt"]["kubernetesServiceAccountToken"].is_object(), "{provider:#}");
        assert_eq!(self.estate.key_disabled(), Some(true), "disabled, not deleted");
    }

    fn provider(&self) -> Value {
        self.estate.store()["spec"]["provider"]["vault"].clone()
    }

    /// Writes of the program to the API server, without the tokens that it asks for and its own notes.
    fn writes(&self) -> Vec<String> {
        let calls = self.estate.world.cluster.server(0).faults().requests();
        let asks = |path: &str| {
            path.ends_with("/token")
                || path.contains("authorization.k8s.io")
                || path.contains("/namespaces/keyless-system/configmaps/")
        };
        calls
            .into_iter()
            .filter(|call| call.method != "GET" && !asks(&call.path))
            .map(|call| format!("{} {}", call.method, call.path.split('?').next().unwrap_or_default()))
            .collect()
    }
}
