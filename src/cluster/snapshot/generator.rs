//! Generators: objects that make values, some of which log in somewhere for it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Inventory, Reference, SecretKey, Use,
    kinds::{kind_of_member, known},
    references,
};
use crate::cluster::objects::Object;

/// A generator of its own, a ClusterGenerator that holds one, or the state of one with a copy of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Generator(pub(crate) Object);

/// What one generator is told. A ClusterGenerator may hold several, of which its `kind` names the one that is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct GeneratorPart<'a> {
    /// `ECRAuthorizationToken`, whatever holds it.
    pub(crate) kind: &'a str,
    pub(crate) settings: &'a Value,
}

impl Generator {
    pub(crate) fn is_cluster(&self) -> bool {
        self.0.kind() == "ClusterGenerator"
    }

    pub(crate) fn is_state(&self) -> bool {
        self.0.kind() == "GeneratorState"
    }

    /// Its own settings, by kind. `Err`: what holds them is not as this program knows it.
    pub(crate) fn parts(&self) -> Result<Vec<GeneratorPart<'_>>, &'static str> {
        let spec = self.0.0.get("spec").unwrap_or(&Value::Null);
        if self.is_state() {
            let copy = spec.get("resource").filter(|copy| !copy.is_null());
            let Some(copy) = copy else { return Ok(Vec::new()) };
            let kind = copy["kind"].as_str().ok_or("its copy of the generator has no kind")?;
            let is_cluster = kind == "ClusterGenerator";
            let spec = copy.get("spec").unwrap_or(&Value::Null);
            return if is_cluster { held(spec) } else { Ok(vec![GeneratorPart { kind, settings: spec }]) };
        }
        if self.is_cluster() {
            held(spec)
        } else {
            Ok(vec![GeneratorPart { kind: self.0.kind(), settings: spec }])
        }
    }

    /// Every Secret and ServiceAccount that it names.
    pub(crate) fn references(&self) -> Vec<Reference> {
        let parts = self.parts().unwrap_or_default();
        parts.into_iter().flat_map(|part| references(part.kind, part.settings)).collect()
    }
}

/// What a ClusterGenerator holds: `spec.generator` has members such as `ecrAuthorizationTokenSpec`.
fn held(spec: &Value) -> Result<Vec<GeneratorPart<'_>>, &'static str> {
    let members = spec["generator"].as_object().ok_or("it holds no generator")?;
    let members = members.iter().filter(|(_, settings)| !settings.is_null());
    let mut parts = Vec::new();
    for (member, settings) in members {
        let kind = kind_of_member(member).ok_or("it holds a generator of a kind that is not known")?;
        parts.push(GeneratorPart { kind, settings });
    }
    let kind = spec["kind"].as_str().unwrap_or_default();
    if parts.iter().any(|part| part.kind == kind) {
        Ok(parts)
    } else {
        Err("it does not hold the kind that it names")
    }
}

impl Inventory {
    /// How a generator is used.
    pub(crate) fn use_of_generator(&self, generator: &Generator) -> Use {
        self.usage.of_generator(generator.0.kind(), generator.0.namespace(), generator.0.name())
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
                let namespaces: BTreeSet<_> = self.use_of_generator(generator).namespaces;
                namespaces.iter().map(|namespace| key(namespace)).collect()
            }
        }
    }
}

/// Whether objects of this kind only make up values.
pub(crate) fn is_local(kind: &str) -> bool {
    known().iter().any(|(resource, part)| resource.kind == kind && *part == super::kinds::Part::Local)
}
