//! A credential that a store still names, though another login takes effect: it is alive, and one edit away.

use super::credentials;
use crate::{
    audit::{
        Hit, Rule, Weight,
        login::{Login, is_public, login},
    },
    cluster::snapshot::{Estate, Target},
};

pub(in crate::audit) const RULE: Rule = Rule {
    id: "leftover-credential",
    summary: "a store names a stored credential although another login takes effect",
    check,
};

fn check(estate: &Estate) -> Vec<Hit> {
    let mut hits = Vec::new();
    for store in &estate.stores {
        let Some((provider, settings)) = store.provider() else { continue };
        let used = match login(provider, settings) {
            Login::Tokens { path } => (Vec::new(), path),
            Login::Stored { paths } => {
                let path = paths.join(", ");
                (paths, path)
            }
            Login::Ambient { .. } => (Vec::new(), "the pod's own login".into()),
            Login::Inline { .. } | Login::Open | Login::Unknown { .. } => continue,
        };
        let others = store.references().into_iter().filter(|reference| {
            // What belongs to the connection, not to the login, is no way in by itself.
            reference.target == Target::Secret
                && !is_public(&reference.path)
                && !reference.path.contains(".tls.")
                && !used.0.contains(&reference.path)
        });
        for reference in others {
            for stored in credentials(estate, store, std::slice::from_ref(&reference.path)) {
                let secrets: Vec<_> = stored
                    .secrets
                    .iter()
                    .map(|secret| format!("kubectl delete secret -n {} {}", secret.namespace, secret.name))
                    .collect();
                hits.push(Hit {
                    rule: RULE.id,
                    place: store.0.describe(),
                    why: format!("{} is named beside {}, which takes effect", reference.path, used.1),
                    remedy: format!("take {} out of the store, then {}", reference.path, secrets.join("; ")),
                    weight: Weight::Counted(stored),
                });
            }
        }
    }
    hits
}
