//! ESO may mint the token of any ServiceAccount: what controls it can act as each of them. That is what the chart installs,
//! so it is worth knowing and no finding. The count does not depend on it, but the reader of the report must be able to
//! tell "not so" from "could not be read".

use super::super::{Hit, Rule, Scene, Weight};
use crate::cluster::{
    objects::Look,
    snapshot::{Controller, Minting},
};
use crate::credentials::Severity;

pub(in crate::audit) const RULE: Rule = Rule {
    code: "KL192",
    id: "minting-power",
    class: None,
    severity: Severity::High,
    summary: "External Secrets Operator may mint tokens for every ServiceAccount, or whether it may is not known",
    remedy: "helm value rbac.serviceAccountTokenCreate: false, then keyless setup, which grants it for one ServiceAccount.",
    check,
};

fn check(scene: &Scene<'_>) -> Vec<Hit> {
    scene.inventory.controllers.iter().filter_map(of_controller).collect()
}

fn of_controller(controller: &Controller) -> Option<Hit> {
    let account = &controller.service_account;
    let (why, remedy) = match &controller.minting {
        Look::Seen(Minting::Every) => (
            format!("{account} may mint a token for every ServiceAccount of the cluster"),
            "helm value rbac.serviceAccountTokenCreate: false (chart 2.5.0 or later), then keyless setup, which grants it for one".to_owned(),
        ),
        Look::Unseen(unseen) => (
            format!("whether {account} may mint a token for every ServiceAccount of the cluster is not known: {}", unseen.why),
            format!("let the audit {}", unseen.right),
        ),
        Look::Seen(Minting::Named) | Look::Absent => return None,
    };
    Some(Hit { rule: RULE.id, weight: Weight::Note, place: controller.describe(), why, remedy })
}
