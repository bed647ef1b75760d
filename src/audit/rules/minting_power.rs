//! ESO may mint the token of any ServiceAccount: whoever controls it can become anybody. That is what the chart
//! installs, so it is worth knowing and no finding.

use crate::{
    audit::{Hit, Rule, Weight},
    cluster::{
        objects::Look,
        snapshot::{Estate, Minting},
    },
};

pub(in crate::audit) const RULE: Rule = Rule {
    id: "minting-power",
    summary: "External Secrets Operator may mint tokens for every ServiceAccount",
    check,
};

fn check(estate: &Estate) -> Vec<Hit> {
    let every =
        estate.controllers.iter().filter(|controller| controller.minting == Look::Seen(Minting::Every));
    every
        .map(|controller| Hit {
            rule: RULE.id,
            weight: Weight::Note,
            place: controller.describe(),
            why: format!("{} may mint a token for every ServiceAccount of the cluster", controller.service_account),
            remedy: "helm value rbac.serviceAccountTokenCreate: false (chart 2.5.0 or later), then keyless setup, which grants it for one".into(),
        })
        .collect()
}
