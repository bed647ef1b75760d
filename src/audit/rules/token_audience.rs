//! A store or generator that mints tokens for Google, but does not say for whom: they are minted for the API server itself.

use super::{
    super::{Hit, Rule, Scene, Weight, login::By},
    settings,
};
use crate::audit::principal::Holder;
use crate::credentials::Severity;

pub(in crate::audit) const RULE: Rule = Rule {
    code: "KL401",
    id: "token-audience",
    class: None,
    severity: Severity::Medium,
    summary: "a store or generator sends Google a token that the API server itself would accept",
    remedy: "Name an audience that only this provider takes.",
    check,
};

const PATH: &str = "auth.workloadIdentityFederation.serviceAccountRef";

fn check(scene: &Scene<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for principal in &scene.principals {
        let By::Tokens { path } = &principal.login.by else { continue };
        if !matches!(principal.kind, "gcpsm" | "GCRAccessToken") || !path.ends_with(PATH) {
            continue;
        }
        if principal.at(path).any(|account| account.audiences.is_empty()) {
            hits.push(Hit {
                rule: RULE.id,
                weight: Weight::Finding,
                place: principal.place(),
                why: format!(
                    "{path}.audiences is empty: the token is minted for the API server itself, sent to Google, and refused there; \
                     workloadIdentityFederation.audience is not the token's"
                ),
                remedy: match principal.holder {
                    Holder::Store(store) => format!("{}: keyless setup, which writes both", settings(store)),
                    Holder::Generator(_) => format!("in {} write the token's audience into {path}.audiences", principal.place()),
                },
            });
        }
    }
    hits
}
