//! Azure as `lab` has it, at Azure's own names, and what the owner of a tenant does there by hand.

use serde_json::{Value, json};

use crate::check::Checked;
use crate::pki::Pki;

pub(crate) const ADDRESS: &str = "127.0.0.8";

pub(crate) struct Entra {
    lab: lab::Entra,
}

/// An application that logs in with a client secret.
pub(crate) struct Application {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Entra {
    pub(crate) fn start(pki: &Pki) -> Checked<Self> {
        let address = format!("{ADDRESS}:443").parse()?;
        // It fetches the issuer's documents by the world's own names.
        Ok(Self { lab: lab::Entra::start_at(&pki.ca, address, lab::Resolver::System)? })
    }

    /// As a store names the one key vault.
    pub(crate) fn vault_url() -> String {
        format!("https://{}.vault.azure.net", lab::Entra::vault())
    }

    /// What a program that logs in as the tenant's administrator has in its environment.
    pub(crate) fn login(&self) -> [(&'static str, String); 3] {
        let (id, secret) = self.lab.administrator();
        [
            ("AZURE_TENANT_ID", lab::Entra::tenant().to_owned()),
            ("AZURE_CLIENT_ID", id),
            ("AZURE_CLIENT_SECRET", secret),
        ]
    }

    /// A new value of the secret, in the form that survives a change of provider.
    pub(crate) fn put_secret(&self, name: &str, password: &str) {
        self.lab.put_secret(name, &json!({"password": password}).to_string());
    }

    /// A new application that may read the secrets of the vault.
    pub(crate) fn create_application(&self) -> Application {
        let (id, secret) = self.lab.add_application();
        Application { id, secret }
    }

    /// How many client secrets it has.
    pub(crate) fn secrets_of(&self, application: &Application) -> Option<usize> {
        self.lab.application(&application.id).map(|(secrets, _)| secrets)
    }

    /// With its federated credentials and its roles.
    pub(crate) fn identity(&self, name: &str) -> Option<Value> {
        self.lab.identity(name)
    }

    /// An identity made by hand, with one federated credential and no role; its client ID.
    pub(crate) fn create_identity(&self, name: &str, issuer: &str, subject: &str) -> String {
        self.lab.add_identity(name, json!({}));
        self.lab.federate(name, "by-hand", issuer, subject);
        self.lab.client_id_of(name)
    }

    pub(crate) fn remove_identity(&self, name: &str) {
        self.lab.remove_identity(name);
    }

    /// Managed identities, and how many roles they have.
    pub(crate) fn trusts(&self) -> (Vec<String>, usize) {
        (self.lab.identities(), self.lab.assignments())
    }
}
