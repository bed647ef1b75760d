//! A generator that logs in with something stored. It opens no secret store, so it is not in the count of those.

use crate::{
    audit::{Hit, Rule, Weight, login::is_public},
    cluster::snapshot::{Estate, Target, references},
};

pub(in crate::audit) const RULE: Rule = Rule {
    id: "generator-credential",
    summary: "a generator logs in with a credential that is stored",
    check,
};

fn check(estate: &Estate) -> Vec<Hit> {
    let mut hits = Vec::new();
    for generator in &estate.generators {
        let spec = generator.0.get("spec").unwrap_or(&serde_json::Value::Null);
        let stored = references("spec", spec)
            .into_iter()
            .filter(|reference| reference.target == Target::Secret && !is_public(&reference.path));
        for reference in stored {
            let namespace = reference.namespace.as_deref().unwrap_or(generator.namespace());
            let place = if namespace.is_empty() {
                reference.name.clone()
            } else {
                format!("{namespace}/{}", reference.name)
            };
            hits.push(Hit {
                rule: RULE.id,
                weight: Weight::Note,
                place: generator.describe(),
                why: format!("{} names the Secret {place}", reference.path),
                remedy: "use the generator's login by a ServiceAccount, where it has one".into(),
            });
        }
    }
    hits
}
