//! What a controller's own pod could log in with. A file is keyless only when it is a projected token, a variable only
//! when it is on the list; everything else is stored, or unknown.

use std::collections::BTreeSet;

use super::{
    finding::{Opens, Stored},
    principal::{in_config_map, stored},
};
use crate::cluster::{
    objects::Look,
    snapshot::{
        ConfigMapKey, Container, Controller, EnvVar, Inventory, OWN_TOKEN, Public, SecretKey, Source,
        TokenSource, Variable,
    },
};

/// A controller, and what its surroundings come to.
pub(super) struct Surroundings<'a> {
    pub(super) controller: &'a Controller,
    /// Each with the variables or files that lead to it.
    pub(super) stored: Vec<(Stored, String)>,
    pub(super) unknown: Vec<String>,
    /// Files of the type `external_account`, and where they lie.
    pub(super) accounts: Vec<(String, TokenSource)>,
}

/// What a file or a text is expected to be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// A credential, whatever it looks like.
    Credential,
    /// Google's credentials, which may be a file of the type `external_account`.
    Google,
    /// Something that a library reads, and may be a credential.
    Anything,
}

impl<'a> Surroundings<'a> {
    pub(super) fn of(inventory: &'a Inventory, controller: &'a Controller) -> Self {
        let mut it = Self { controller, stored: Vec::new(), unknown: Vec::new(), accounts: Vec::new() };
        it.of_container(inventory, &controller.container, "environment");
        it.unknown.extend(controller.container.runs.map(str::to_owned));
        for (name, container) in &controller.beside {
            it.of_another(inventory, name, container);
        }
        let own = controller.file(OWN_TOKEN);
        it.of_file(inventory, &own, "the file of the pod's own token", Expected::Credential);
        it
    }

    /// What a container holds. `place` is where its own text is, in the workload.
    fn of_container(&mut self, inventory: &Inventory, container: &Container, place: &str) {
        let (variables, open) = variables(inventory, container);
        self.unknown.extend(open);
        self.of_variables(inventory, &variables, place);
        for found in container.well_known() {
            let by = format!("{}, where a vendor's library looks by itself", found.path.escape_debug());
            self.of_file(inventory, &found.source, &by, Expected::Anything);
        }
    }

    /// What another container of the pod holds. What is not known of it is no login of the controller.
    fn of_another(&mut self, inventory: &Inventory, name: &str, container: &Container) {
        let mut it = Self {
            controller: self.controller,
            stored: Vec::new(),
            unknown: Vec::new(),
            accounts: Vec::new(),
        };
        let name = name.escape_debug();
        it.of_container(inventory, container, &format!("environment of {name}"));
        self.stored
            .extend(it.stored.into_iter().map(|(stored, by)| (stored, format!("{by} (container {name})"))));
    }

    fn of_variables(&mut self, inventory: &Inventory, variables: &[EnvVar], place: &str) {
        let (mut credentials, mut identifiers, mut names) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        let mut literal = Vec::new();
        for variable in variables {
            let name = variable.name.escape_debug().to_string();
            match (Variable::of(&variable.name), &variable.source) {
                (_, Source::Nothing) => {}
                (Variable::Harmless, source) if variable.name == "HOME" => {
                    if variable.file.is_none() {
                        self.unknown.push(format!(
                            "HOME, under which libraries look by themselves ({})",
                            lies_in(source)
                        ));
                    }
                }
                (Variable::Harmless | Variable::SessionToken, _)
                | (Variable::TokenFile, Source::Token)
                | (Variable::Address, Source::Address | Source::Platform)
                | (Variable::CredentialServer, Source::Platform)
                | (Variable::Unknown, Source::Plain) => {}
                (Variable::GoogleFile, source) => self.of_file(inventory, source, &name, Expected::Google),
                (Variable::TokenFile, source) => self.of_file(inventory, source, &name, Expected::Credential),
                (Variable::CredentialFile, source @ Source::Secret(_)) => {
                    self.of_file(inventory, source, &name, Expected::Credential);
                }
                (Variable::CredentialFile, source) => {
                    self.of_file(inventory, source, &name, Expected::Anything)
                }
                (Variable::Identifier, Source::Secret(key)) => drop(identifiers.insert(key.clone())),
                (Variable::Identifier, _) => {}
                (Variable::Credential, Source::Secret(key)) => {
                    credentials.insert(key.clone());
                    names.push(name);
                }
                (Variable::Credential, source @ Source::ConfigMap(_)) => {
                    self.of_file(inventory, source, &name, Expected::Credential);
                }
                (
                    Variable::Credential,
                    Source::Literal | Source::Plain | Source::Address | Source::Platform,
                ) => {
                    literal.push(name);
                }
                (_, source) => {
                    self.unknown.push(format!("{name}, which may be a login ({})", lies_in(source)))
                }
            }
        }
        let is_temporary =
            |it: &EnvVar| Variable::of(&it.name) == Variable::SessionToken && it.source != Source::Nothing;
        if variables.iter().any(is_temporary) {
            self.unknown
                .push("temporary keys (AWS_SESSION_TOKEN): what renews them could not be determined".into());
            return;
        }
        for key in &credentials {
            if matches!(inventory.credentials.get(key), None | Some(Look::Absent)) {
                self.unknown.push(absent(key));
            }
        }
        // Access key and secret are one credential.
        if let Some(found) = stored(inventory, &credentials, &identifiers, Opens::Controller) {
            self.stored.push((found, names.join(", ")));
        }
        if !literal.is_empty() {
            let stored = Stored::in_object(
                &self.controller.workload(),
                place,
                "a credential in the pod's own environment",
                Opens::Controller,
            );
            self.stored.push((stored, literal.join(", ")));
        }
    }

    /// A file, or a text, that `by` leads to.
    fn of_file(&mut self, inventory: &Inventory, source: &Source, by: &str, expected: Expected) {
        let (look, holder) = match source {
            Source::Token => return,
            Source::Secret(key) => (inventory.credentials.get(key), key.to_string()),
            Source::ConfigMap(key) => (inventory.config_maps.get(key), key.to_string()),
            source => return self.unknown.push(format!("{by} ({})", lies_in(source))),
        };
        let credential = match look {
            Some(Look::Seen(credential)) => credential,
            Some(Look::Unseen(_)) => {
                // In a Secret it is taken for a credential; what was refused is named among what is not seen.
                return self.take(inventory, source, by);
            }
            Some(Look::Absent) | None => return self.unknown.push(format!("{by}: {}", absent(&holder))),
        };
        match (&credential.public, expected) {
            (Public::ExternalAccount { source, .. }, Expected::Google) => {
                self.accounts.push((holder, source.clone()));
            }
            (Public::Opaque | Public::ExternalAccount { .. }, Expected::Anything) => {
                self.unknown.push(format!("{by} ({holder}, whose kind is not known)"));
            }
            // A ConfigMap is no place where a credential is expected.
            (Public::Opaque, Expected::Google) if matches!(source, Source::ConfigMap(_)) => {
                self.unknown.push(format!("{by} ({holder}, whose kind is not known)"));
            }
            _ => self.take(inventory, source, by),
        }
    }

    /// Counts what lies in a Secret or ConfigMap.
    fn take(&mut self, inventory: &Inventory, source: &Source, by: &str) {
        let found = match source {
            Source::Secret(key) => {
                stored(inventory, &BTreeSet::from([key.clone()]), &BTreeSet::new(), Opens::Controller)
            }
            Source::ConfigMap(key) => match inventory.config_maps.get(key) {
                Some(Look::Seen(credential)) => Some(in_config_map(key, credential, Opens::Controller)),
                _ => None,
            },
            _ => None,
        };
        self.stored.extend(found.map(|found| (found, by.to_owned())));
    }
}

fn absent(holder: impl std::fmt::Display) -> String {
    format!("{holder} does not exist or is empty, and any value put there will be used")
}

/// Every variable, those from whole objects among them, and what of it is not seen.
fn variables(inventory: &Inventory, container: &Container) -> (Vec<EnvVar>, Vec<String>) {
    let mut variables = container.environment.clone();
    let mut unknown = Vec::new();
    for from in &container.environment_from {
        let keys = match &from.source {
            Source::Secret(key) => inventory.secret_keys_of.get(&(key.namespace.clone(), key.name.clone())),
            Source::ConfigMap(key) => {
                inventory.config_map_keys_of.get(&(key.namespace.clone(), key.name.clone()))
            }
            _ => None,
        };
        let Some(keys) = keys else {
            unknown.push(format!(
                "variables that it takes from {} (envFrom), which is not seen",
                lies_in(&from.source)
            ));
            continue;
        };
        for key in keys {
            let source = match from.source.clone() {
                Source::Secret(holder) => Source::Secret(SecretKey { key: Some(key.clone()), ..holder }),
                Source::ConfigMap(holder) => {
                    Source::ConfigMap(ConfigMapKey { key: Some(key.clone()), ..holder })
                }
                other => other,
            };
            variables.push(EnvVar { name: format!("{}{key}", from.prefix), source, file: None });
        }
    }
    (variables, unknown)
}

fn lies_in(source: &Source) -> String {
    match source {
        Source::Nothing => "an empty value".into(),
        Source::Plain => "a plain value".into(),
        Source::Address | Source::Platform => "the address of a server".into(),
        Source::Literal => "a value in the pod's own manifest".into(),
        Source::Secret(key) => key.to_string(),
        Source::ConfigMap(key) => key.to_string(),
        Source::Token => "a projected token".into(),
        Source::Elsewhere(what) => (*what).to_owned(),
    }
}
