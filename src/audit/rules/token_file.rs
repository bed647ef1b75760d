//! A login by a file of the controller's pod: keyless only if the kubelet renews that file.

use super::super::{Hit, Rule, Scene, Weight, login::By, principal::Principal};
use crate::cluster::snapshot::{Controller, OWN_TOKEN, Source};
use crate::credentials::{Class, Severity};

pub(in crate::audit) const RULE: Rule = Rule {
    code: "KL222",
    id: "token-file",
    class: Some(Class::NotSeen),
    severity: Severity::High,
    summary: "a login by a file of the controller's pod that is not known to be a projected token",
    remedy: "Let the file be a projected token of the operator's pod.",
    check,
};

/// Where IBM's library looks, one after the other, when no file is named.
const IBM: [&str; 3] = [
    "/var/run/secrets/tokens/vault-token",
    "/var/run/secrets/tokens/sa-token",
    "/var/run/secrets/codeengine.cloud.ibm.com/compute-resource-token/token",
];

fn check(scene: &Scene<'_>) -> Vec<Hit> {
    scene.principals.iter().flat_map(|principal| of_principal(scene, principal)).collect()
}

fn of_principal(scene: &Scene<'_>, principal: &Principal<'_>) -> Vec<Hit> {
    let (path, files): (&str, Vec<&str>) = match &principal.login.by {
        By::Own { path } => (path, vec![OWN_TOKEN]),
        By::TokenFile { path, file: Some(file) } => (path, vec![file]),
        By::TokenFile { path, file: None } => (path, IBM.to_vec()),
        _ => return Vec::new(),
    };
    let is_token = |controller: &&Controller| {
        files.iter().map(|file| controller.file(file)).find(|source| !matches!(source, Source::Elsewhere(_)))
            == Some(Source::Token)
    };
    let others = scene.serving(principal).into_iter().filter(|controller| !is_token(controller));
    others
        .map(|controller| Hit {
            rule: RULE.id,
            weight: Weight::Unknown,
            place: principal.place(),
            why: format!(
                "{path}: the file {} of {} is no projected token",
                files.join(" or ").escape_debug(),
                controller.workload()
            ),
            remedy: format!(
                "in {} name a login by a ServiceAccount, or mount a projected token at that path of {}",
                principal.place(),
                controller.workload()
            ),
        })
        .collect()
}
