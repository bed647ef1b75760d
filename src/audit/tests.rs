use std::{fs, path::PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};

use super::*;
use crate::cluster::{
    objects::{Look, Object, Unseen},
    snapshot::{
        Inventory,
        tests::{inventory, objects},
    },
};

pub(super) fn folder(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A controller with nothing of its own: every cluster has one that does not say otherwise.
pub(super) fn plain_controller() -> Vec<Object> {
    objects(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: external-secrets, namespace: external-secrets}\n\
         spec: {template: {spec: {serviceAccountName: external-secrets, containers: [\
         {name: external-secrets, image: \"ghcr.io/external-secrets/external-secrets:v2.9.0\"}]}}}\n",
    )
}

fn names(path: PathBuf) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The cluster of a fixture. `# without a controller` says that there is none.
pub(in crate::audit) fn cluster(text: &str) -> Inventory {
    let mut objects = objects(text);
    let has_one = objects
        .iter()
        .any(|object| matches!(object.kind(), "Deployment" | "StatefulSet" | "DaemonSet" | "Pod"));
    if !has_one && !text.contains("# without a controller") {
        objects.extend(plain_controller());
    }
    inventory(&objects)
}

#[test]
fn every_rule_has_file_and_fixtures() {
    let mut rules: Vec<_> = RULES.iter().map(|rule| rule.id.to_owned()).collect();
    rules.sort();
    let files: Vec<_> = names(folder("src/audit/rules"))
        .into_iter()
        .filter(|name| name != "mod.rs")
        .map(|name| name.trim_end_matches(".rs").replace('_', "-"))
        .collect();
    assert_eq!(files, rules);
    assert_eq!(names(folder("fixtures/audit")), rules);
    let all = |word: &str| {
        let cases = RULES.iter().flat_map(|rule| names(folder("fixtures/audit").join(rule.id)));
        cases.filter(|name| name.starts_with(word)).count()
    };
    assert!(all("bad") > 2 * all("good"), "what is wrong has more forms than what is right");
    for rule in RULES {
        let cases = names(folder("fixtures/audit").join(rule.id));
        assert!(cases.iter().any(|name| name.starts_with("bad")), "{}: no bad fixture", rule.id);
        assert!(cases.iter().any(|name| name.starts_with("good")), "{}: no good fixture", rule.id);
        assert!(!rule.summary.is_empty());
    }
}

/// The first line says what must come out: a count, or what else the rule must find in a bad one.
#[test]
fn fixtures() {
    let mut wrong = Vec::new();
    for rule in RULES {
        for name in names(folder("fixtures/audit").join(rule.id)) {
            let text = fs::read_to_string(folder("fixtures/audit").join(rule.id).join(&name)).unwrap();
            let wanted = text.lines().next().unwrap().trim_start_matches("# ").to_owned();
            let inventory = cluster(&text);
            let verdict = judge(&inventory);
            let shown = format!("{}\n{}\n{verdict:?}", verdict.lines().join("\n"), verdict.to_json());
            let at = format!("{}/{name}\n{shown}", rule.id);
            for secret in ["CANARY-PRIVATE-HALF".to_owned(), STANDARD.encode("CANARY-PRIVATE-HALF")] {
                assert!(!shown.contains(&secret[..16]), "leaks: {at}");
            }
            let hits = (rule.check)(&Scene::of(&inventory));
            let (count, outcome) = (verdict.roots.len(), verdict.outcome());
            let right = match wanted.as_str() {
                "unknown" => (count, outcome) == (0, Outcome::Incomplete),
                "finding" => {
                    count == 0 && !verdict.findings.is_empty() && outcome == Outcome::Found { complete: true }
                }
                "note" => !verdict.notes.is_empty() && (count, outcome) == (0, Outcome::Zero),
                "0" => (count, outcome) == (0, Outcome::Zero),
                number => count.to_string() == number,
            };
            if !right || hits.is_empty() == name.starts_with("bad") {
                wrong.push(format!("{}/{name}: {wanted} is wanted\n{}", rule.id, verdict.lines().join("\n")));
            }
            for hit in hits {
                assert!(!hit.why.is_empty() && !hit.remedy.is_empty() && !hit.place.is_empty(), "{at}");
            }
            let ids: std::collections::BTreeSet<_> = verdict.roots.iter().map(|root| &root.id).collect();
            assert!(ids.len() == count && ids.iter().all(|id| !id.is_empty()), "{at}");
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of the fixtures are judged wrongly:\n\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}

fn unseen(what: &str) -> Unseen {
    Unseen {
        what: what.into(),
        right: format!("list {what} in all namespaces"),
        why: "this right is missing".into(),
    }
}

#[test]
fn verdict_never_reports_unseen_as_zero() {
    let mut zero = cluster(include_str!("../../fixtures/audit/stored-credential/good-federation.yaml"));
    assert_eq!(
        judge(&zero).lines()[0],
        "ZERO (cluster + consumption): no long-lived credential of a known kind opens a cloud or a secret store"
    );
    zero.unseen.insert(unseen("secretstores.external-secrets.io"));
    let verdict = judge(&zero);
    assert!(verdict.lines()[0].starts_with("INCOMPLETE: no long-lived credential was seen, but 1 thing"));
    assert_eq!(verdict.outcome(), Outcome::Incomplete);
    assert!(verdict.lines().join("\n").contains("list secretstores.external-secrets.io in all namespaces"));

    let mut one = cluster(include_str!("../../fixtures/audit/stored-credential/bad-google-key.yaml"));
    assert_eq!(judge(&one).lines()[0], "1 LONG-LIVED credential opens the secret stores");
    one.unseen.insert(unseen("secretstores.external-secrets.io"));
    let headline = judge(&one).headline();
    assert!(headline.starts_with("1 LONG-LIVED") && headline.contains("INCOMPLETE"), "{headline}");
    let two = cluster(include_str!("../../fixtures/audit/stored-credential/bad-two-keys.yaml"));
    assert_eq!(judge(&two).headline(), "2 LONG-LIVED credentials open the secret stores");
}

#[test]
fn unreadable_secret_is_counted_by_place() {
    let mut inventory = cluster(include_str!("../../fixtures/audit/stored-credential/bad-google-key.yaml"));
    for credential in inventory.credentials.values_mut() {
        *credential = Look::Unseen(unseen("secrets"));
    }
    inventory.unseen.insert(unseen("secrets"));
    inventory.sightings.clear();
    let verdict = judge(&inventory);
    assert_eq!(verdict.roots.len(), 1);
    assert_eq!(verdict.outcome(), Outcome::Found { complete: false });
    assert!(verdict.roots[0].what.contains("could not be read"));
}

#[test]
fn unseen_minting_right_is_reported() {
    let mut inventory = cluster(include_str!("../../fixtures/audit/minting-power/good.yaml"));
    let right = "list clusterrolebindings.rbac.authorization.k8s.io";
    for controller in &mut inventory.controllers {
        controller.minting = Look::Unseen(unseen("clusterrolebindings.rbac.authorization.k8s.io"));
    }
    let verdict = judge(&inventory);
    assert_eq!(verdict.outcome(), Outcome::Zero, "the count does not depend on it");
    let lines = verdict.lines().join("\n");
    assert!(lines.contains("is not known") && lines.contains(right), "{lines}");
}

#[test]
fn headline_includes_generators_in_the_count() {
    let one = cluster(include_str!("../../fixtures/audit/stored-credential/bad-generator-vault-token.yaml"));
    assert_eq!(judge(&one).headline(), "1 LONG-LIVED credential opens the secret stores and generators");
}

#[test]
fn credential_in_config_map_is_located() {
    let text =
        include_str!("../../fixtures/audit/external-account/bad-same-key-in-secret-and-config-map.yaml");
    let verdict = judge(&cluster(text));
    let lines = verdict.lines().join("\n");
    for place in [
        "Secret external-secrets/gcp-key (key.json)",
        "ConfigMap external-secrets/external-account (account.json)",
    ] {
        assert!(lines.contains(&format!("lies in:   {place}")), "{lines}");
    }
    assert_eq!(verdict.to_json()["credentials"][0]["configMaps"][0]["name"], "external-account");
}

#[test]
fn access_key_is_named_by_id() {
    for text in [
        include_str!("../../fixtures/audit/stored-credential/bad-aws.yaml"),
        include_str!("../../fixtures/audit/leftover-credential/bad-aws.yaml"),
        include_str!("../../fixtures/audit/pod-credential/bad-aws-variables.yaml"),
    ] {
        let verdict = judge(&cluster(text));
        assert_eq!(verdict.roots[0].id, "aws:AKIAIOSFODNN7EXAMPLE", "{verdict:?}");
    }
}

/// A credential without a public name has one by its place, so that an exception can mean it.
#[test]
fn unnamed_credential_is_named_by_place() {
    for (text, id) in [
        (
            include_str!("../../fixtures/audit/stored-credential/bad-vault-token-before-jwt.yaml"),
            "secret:external-secrets/vault#token",
        ),
        (
            include_str!("../../fixtures/audit/stored-credential/bad-webhook-header.yaml"),
            "object:ClusterSecretStore/hook/webhook.headers.Authorization",
        ),
        (
            include_str!("../../fixtures/audit/pod-credential/bad-aws-in-clear.yaml"),
            "object:Deployment/external-secrets/external-secrets/environment",
        ),
    ] {
        assert_eq!(judge(&cluster(text)).roots[0].id, id);
    }
}

#[test]
fn same_cluster_gives_same_report() {
    let text = include_str!("../../fixtures/audit/stored-credential/bad-namespace-of-the-user.yaml");
    let report = || judge(&cluster(text)).to_json().to_string();
    assert_eq!(report(), report());
}

/// What is advised for an object names that object, and a store that is in use is never to be deleted.
#[test]
fn remedies_act_on_their_own_object() {
    let text = include_str!("../../fixtures/audit/stored-credential/bad-store-of-a-team.yaml");
    let lines = judge(&cluster(text)).lines().join("\n");
    let wanted =
        "with `store: {name: gcp-team, namespace: shop}` in keyless.yaml: keyless setup --retire-key";
    assert!(lines.contains(wanted), "{lines}");
    for rule in RULES {
        for name in names(folder("fixtures/audit").join(rule.id)) {
            let text = fs::read_to_string(folder("fixtures/audit").join(rule.id).join(&name)).unwrap();
            for hit in (rule.check)(&Scene::of(&cluster(&text))) {
                let deletes = ["delete clustersecretstore", "delete secretstore", "delete the store"];
                let remedy = hit.remedy.to_lowercase();
                assert!(!deletes.iter().any(|words| remedy.contains(words)), "{}: {}", name, hit.remedy);
            }
        }
    }
}
