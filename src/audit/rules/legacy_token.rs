//! A provider that takes the stored token of a ServiceAccount: up to External Secrets Operator 0.15 before it asks for a
//! new one, later only when none can be minted. Where the version is not known, the worse case is taken.

use std::collections::BTreeSet;

use super::super::{
    Hit, Rule, Scene, Weight,
    login::By,
    principal::{Principal, stored},
};
use crate::cluster::{
    objects::Look,
    snapshot::{SecretKey, Version, token_secrets},
};
use crate::credentials::{Class, Severity};

pub(in crate::audit) const RULE: Rule = Rule {
    code: "KL143",
    id: "legacy-token",
    class: Some(Class::Root),
    severity: Severity::High,
    summary: "a store or generator logs in, or may log in, with the stored token of its ServiceAccount",
    remedy: "Delete the stored tokens that the ServiceAccount lists, and use External Secrets Operator 0.16 or later.",
    check,
};

/// The last version that takes the stored token first.
const STORED_FIRST: Version = Version(0, 15, u16::MAX);

fn check(scene: &Scene<'_>) -> Vec<Hit> {
    scene.principals.iter().flat_map(|principal| of_principal(scene, principal)).collect()
}

fn of_principal(scene: &Scene<'_>, principal: &Principal<'_>) -> Vec<Hit> {
    let inventory = scene.inventory;
    let By::Tokens { path } = &principal.login.by else { return Vec::new() };
    let mut hits = Vec::new();
    for reference in principal.at(path).filter(|reference| reference.may_fall_back()) {
        for key in principal.keys(inventory, reference) {
            let account = (key.namespace.clone(), key.name.clone());
            // What was refused is named, with the right, among what could not be looked at.
            let Some(Look::Seen(account)) = inventory.accounts.get(&account) else { continue };
            let tokens: BTreeSet<_> = token_secrets(account)
                .into_iter()
                .map(|name| SecretKey { namespace: key.namespace.clone(), name, key: Some("token".into()) })
                .collect();
            let found = stored(inventory, &tokens, &BTreeSet::new(), principal.holder.opens());
            let is_missing =
                |key: &SecretKey| inventory.missing.contains(&(key.namespace.clone(), key.name.clone()));
            // What else it lists, e.g. a login of a registry, holds no token.
            if found.is_none() && !tokens.iter().any(is_missing) {
                continue;
            }
            let serving = scene.serving(principal);
            let first = principal.kind == "akeyless"
                || serving.is_empty()
                || serving.iter().any(|it| it.version.is_none_or(|version| version <= STORED_FIRST));
            // What it lists may be something else, e.g. a login of a registry: only its value would tell.
            let not_looked_at = inventory.mode.not_seen().is_some();
            let why = if not_looked_at {
                format!(
                    "{} lists Secrets, which the mode `{}` does not look into: a token in one of them does not expire, and {path} may use it",
                    account.describe(),
                    inventory.mode.name()
                )
            } else if first {
                format!(
                    "{} lists Secrets with tokens that do not expire, and {path} uses one before a minted token",
                    account.describe()
                )
            } else {
                format!(
                    "{} lists Secrets with tokens that do not expire, and {path} uses one if no token can be minted",
                    account.describe()
                )
            };
            hits.push(Hit {
                rule: RULE.id,
                weight: match found {
                    _ if not_looked_at => Weight::Unknown,
                    Some(found) if first => Weight::Counted(found),
                    // It does not exist, and whatever is put there is used.
                    None if first => Weight::Unknown,
                    _ => Weight::Finding,
                },
                place: principal.place(),
                why,
                remedy: format!(
                    "kubectl patch serviceaccount -n {} {} --type=json -p '[{{\"op\":\"remove\",\"path\":\"/secrets\"}}]', and delete those Secrets",
                    key.namespace, key.name
                ),
            });
        }
    }
    hits
}
