//! Generators: objects that make values, some of which log in somewhere for it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Estate, Reference, SecretKey, references};
use crate::cluster::objects::Object;

/// A generator of its own, or the one that a ClusterGenerator holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Generator(pub(crate) Object);

impl Generator {
    /// `ECRAuthorizationToken`, whatever holds it.
    pub(crate) fn kind(&self) -> &str {
        if self.is_cluster() { self.0.text("/spec/kind") } else { self.0.kind() }
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.0.kind() == "ClusterGenerator"
    }

    /// Its own settings.
    pub(crate) fn settings(&self) -> &Value {
        let spec = self.0.0.get("spec").unwrap_or(&Value::Null);
        if !self.is_cluster() {
            return spec;
        }
        // `spec.generator` has one member: `ecrAuthorizationTokenSpec`.
        spec["generator"].as_object().and_then(|kinds| kinds.values().next()).unwrap_or(&Value::Null)
    }

    /// Every Secret and ServiceAccount that it names.
    pub(crate) fn references(&self) -> Vec<Reference> {
        references("spec", self.settings())
    }

    fn is_used_by(&self, user: &Object) -> bool {
        generator_references(user).any(|reference| {
            reference["name"] == self.0.name()
                && reference["kind"] == self.0.kind()
                // A ClusterExternalSecret makes its ExternalSecrets in namespaces of its own choice.
                && (self.is_cluster() || user.namespace().is_empty() || user.namespace() == self.0.namespace())
        })
    }
}

impl Estate {
    /// What takes values from this generator.
    pub(crate) fn generator_users<'a>(
        &'a self,
        generator: &'a Generator,
    ) -> impl Iterator<Item = &'a Object> {
        self.external_secrets.iter().chain(&self.push_secrets).filter(|user| generator.is_used_by(user))
    }

    /// Where the Secrets lie that this reference of a generator means: beside it, or beside whatever uses it.
    pub(crate) fn generator_keys(&self, generator: &Generator, reference: &Reference) -> Vec<SecretKey> {
        let key = |namespace: &str| SecretKey {
            namespace: namespace.to_owned(),
            name: reference.name.clone(),
            key: reference.key.clone(),
        };
        match (generator.is_cluster(), &reference.namespace) {
            (false, _) => vec![key(generator.0.namespace())],
            (true, Some(namespace)) => vec![key(namespace)],
            (true, None) => {
                let namespaces: BTreeSet<_> =
                    self.generator_users(generator).map(Object::namespace).collect();
                namespaces.into_iter().filter(|namespace| !namespace.is_empty()).map(key).collect()
            }
        }
    }
}

/// Each `{kind, name}` by which this object names a generator.
fn generator_references(user: &Object) -> impl Iterator<Item = &Value> {
    let spec = ["/spec/externalSecretSpec", "/spec/pushSecretSpec", "/spec"];
    let spec = spec.iter().find_map(|path| user.0.pointer(path)).unwrap_or(&Value::Null);
    let lists = ["data", "dataFrom"].into_iter();
    let sources = lists.flat_map(|name| spec[name].as_array().into_iter().flatten());
    sources
        .filter_map(|entry| entry.pointer("/sourceRef/generatorRef"))
        .chain(spec.pointer("/selector/generatorRef"))
}
