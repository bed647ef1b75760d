//! A provider that falls back to the stored token of a ServiceAccount, when none can be minted.

use crate::{
    audit::{
        Hit, Rule, Weight,
        login::{Login, login},
    },
    cluster::{
        objects::Look,
        snapshot::{Estate, Target},
    },
};

pub(in crate::audit) const RULE: Rule = Rule {
    id: "legacy-token",
    summary: "a store may log in with the stored token of its ServiceAccount instead of a minted one",
    check,
};

/// Those that try the Secrets that the ServiceAccount lists.
const FALLS_BACK: [&str; 2] =
    ["vault.auth.kubernetes.serviceAccountRef", "akeyless.authSecretRef.kubernetesAuth.serviceAccountRef"];

fn check(estate: &Estate) -> Vec<Hit> {
    let mut hits = Vec::new();
    for store in &estate.stores {
        let Some((provider, settings)) = store.provider() else { continue };
        let Login::Tokens { path } = login(provider, settings) else { continue };
        if !FALLS_BACK.contains(&path.as_str()) {
            continue;
        }
        let references = store.references();
        let accounts = references.iter().filter(|it| it.target == Target::ServiceAccount && it.path == path);
        for key in accounts.flat_map(|reference| estate.account_keys(store, reference)) {
            let Some(Look::Seen(account)) = estate.accounts.get(&key) else { continue };
            if account.0["secrets"].as_array().is_none_or(Vec::is_empty) {
                continue;
            }
            hits.push(Hit {
                rule: RULE.id,
                weight: Weight::Finding,
                place: store.0.describe(),
                why: format!("{} lists Secrets with tokens that do not expire, and {path} uses one if no token can be minted", account.describe()),
                remedy: format!(
                    "kubectl patch serviceaccount -n {} {} --type=json -p '[{{\"op\":\"remove\",\"path\":\"/secrets\"}}]', and delete those Secrets",
                    key.0, key.1
                ),
            });
        }
    }
    hits
}
