//! A store that mints tokens for Google, but does not say for whom: they are minted for the API server itself.

use crate::{
    audit::{
        Hit, Rule, Weight,
        login::{Login, login},
    },
    cluster::snapshot::{Estate, Target},
};

pub(in crate::audit) const RULE: Rule = Rule {
    id: "token-audience",
    summary: "a store sends Google a token that the API server itself would accept",
    check,
};

const PATH: &str = "gcpsm.auth.workloadIdentityFederation.serviceAccountRef";

fn check(estate: &Estate) -> Vec<Hit> {
    let mut hits = Vec::new();
    for store in &estate.stores {
        let Some((provider, settings)) = store.provider() else { continue };
        if login(provider, settings) != (Login::Tokens { path: PATH.to_owned() }) {
            continue;
        }
        let references = store.references();
        let mut accounts =
            references.iter().filter(|it| it.target == Target::ServiceAccount && it.path == PATH);
        if accounts.any(|account| account.audiences.is_empty()) {
            hits.push(Hit {
                rule: RULE.id,
                weight: Weight::Finding,
                place: store.0.describe(),
                why: format!(
                    "{PATH}.audiences is empty: the token is minted for the API server itself, sent to Google, and refused there; \
                     workloadIdentityFederation.audience is not the token's"
                ),
                remedy: "keyless setup, which writes both".into(),
            });
        }
    }
    hits
}
