use std::{fs, path::PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};

use super::*;
use crate::cluster::{
    objects::{Look, Unseen},
    snapshot::tests::estate,
};

fn folder(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn names(path: PathBuf) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn every_rule_is_a_file_a_line_and_a_folder_of_fixtures() {
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
    for rule in RULES {
        for name in names(folder("fixtures/audit").join(rule.id)) {
            let text = fs::read_to_string(folder("fixtures/audit").join(rule.id).join(&name)).unwrap();
            let wanted = text.lines().next().unwrap().trim_start_matches("# ").to_owned();
            let estate = estate(&text);
            let verdict = judge(&estate);
            let shown = format!("{}\n{}\n{verdict:?}", verdict.lines().join("\n"), verdict.to_json());
            let at = format!("{}/{name}\n{shown}", rule.id);
            for secret in ["CANARY-PRIVATE-HALF".to_owned(), STANDARD.encode("CANARY-PRIVATE-HALF")] {
                assert!(!shown.contains(&secret[..16]), "leaks: {at}");
            }
            let hits = (rule.check)(&estate);
            assert_eq!(!hits.is_empty(), name.starts_with("bad"), "{at}");
            let count = verdict.roots.len();
            match wanted.as_str() {
                "unknown" => {
                    assert!(count == 0 && !verdict.unknown.is_empty() && !verdict.is_complete(), "{at}")
                }
                "finding" => assert!(count == 0 && !verdict.findings.is_empty() && verdict.found(), "{at}"),
                "note" => assert!(count == 0 && !verdict.notes.is_empty() && !verdict.found(), "{at}"),
                number => assert_eq!(count.to_string(), number, "{at}"),
            }
            for hit in hits {
                assert!(!hit.why.is_empty() && !hit.remedy.is_empty() && !hit.place.is_empty(), "{at}");
            }
        }
    }
}

fn unseen(what: &str) -> Unseen {
    Unseen {
        what: what.into(),
        right: format!("list {what} in all namespaces"),
        why: "this right is missing".into(),
    }
}

#[test]
fn the_verdict_comes_first_and_never_says_a_zero_that_was_not_seen() {
    let mut zero = estate(include_str!("../../fixtures/audit/stored-credential/good-federation.yaml"));
    assert_eq!(judge(&zero).lines()[0], "ZERO (stores): nothing long-lived opens a secret store");
    zero.unseen.insert(unseen("secretstores.external-secrets.io"));
    let verdict = judge(&zero);
    assert!(verdict.lines()[0].starts_with("INCOMPLETE: no long-lived credential was seen, but 1 thing"));
    assert!(!verdict.found() && !verdict.is_complete());
    assert!(verdict.lines().join("\n").contains("list secretstores.external-secrets.io in all namespaces"));

    let mut one = estate(include_str!("../../fixtures/audit/stored-credential/bad-google-key.yaml"));
    assert_eq!(judge(&one).lines()[0], "1 long-lived credential opens the secret stores");
    one.unseen.insert(unseen("secretstores.external-secrets.io"));
    let headline = judge(&one).headline();
    assert!(headline.starts_with("1 long-lived") && headline.contains("INCOMPLETE"), "{headline}");
    let two = estate(include_str!("../../fixtures/audit/stored-credential/bad-two-keys.yaml"));
    assert_eq!(judge(&two).headline(), "2 long-lived credentials open the secret stores");
}

#[test]
fn a_secret_that_may_not_be_read_is_counted_by_its_place_and_said() {
    let mut estate = estate(include_str!("../../fixtures/audit/stored-credential/bad-google-key.yaml"));
    for credential in estate.credentials.values_mut() {
        *credential = Look::Unseen(unseen("secrets"));
    }
    estate.unseen.insert(unseen("secrets"));
    let verdict = judge(&estate);
    assert_eq!(verdict.roots.len(), 1);
    assert!(!verdict.is_complete());
    assert!(verdict.roots[0].what.contains("could not be looked at"));
}

#[test]
fn whether_the_operator_may_mint_for_all_is_never_passed_over() {
    let mut estate = estate(include_str!("../../fixtures/audit/minting-power/good.yaml"));
    let right = "list clusterrolebindings.rbac.authorization.k8s.io";
    for controller in &mut estate.controllers {
        controller.minting = Look::Unseen(unseen("clusterrolebindings.rbac.authorization.k8s.io"));
    }
    let verdict = judge(&estate);
    assert!(verdict.is_complete() && !verdict.found(), "the count does not depend on it");
    let lines = verdict.lines().join("\n");
    assert!(lines.contains("is not known") && lines.contains(right), "{lines}");
}

#[test]
fn generators_are_said_to_be_in_the_count() {
    let one = estate(include_str!("../../fixtures/audit/generator-credential/bad-vault-token.yaml"));
    assert_eq!(judge(&one).headline(), "1 long-lived credential opens the secret stores and generators");
}

#[test]
fn a_credential_in_a_config_map_is_shown_where_it_lies() {
    let text =
        include_str!("../../fixtures/audit/external-account/bad-same-key-in-secret-and-config-map.yaml");
    let verdict = judge(&estate(text));
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
fn an_access_key_is_named_by_its_id() {
    for text in [
        include_str!("../../fixtures/audit/stored-credential/bad-aws.yaml"),
        include_str!("../../fixtures/audit/leftover-credential/bad-aws.yaml"),
        include_str!("../../fixtures/audit/pod-credential/bad-aws-variables.yaml"),
    ] {
        let verdict = judge(&estate(text));
        assert_eq!(verdict.roots[0].id.as_deref(), Some("aws:AKIAIOSFODNN7EXAMPLE"), "{verdict:?}");
    }
}

#[test]
fn the_same_cluster_gives_the_same_report() {
    let text = include_str!("../../fixtures/audit/stored-credential/bad-namespace-of-the-user.yaml");
    let report = || judge(&estate(text)).to_json().to_string();
    assert_eq!(report(), report());
}

/// The names of all providers that the schema of an installed version knows, each with the login that it would
/// have if every member were set: none may be taken for keyless by accident.
#[test]
fn a_login_that_names_every_secret_is_never_keyless() {
    let text = include_str!("../../fixtures/eso/providers.txt");
    for provider in text.lines().filter(|line| !line.starts_with('#')) {
        let settings =
            serde_json::json!({ "auth": { "apiToken": { "secretRef": { "name": "a", "key": "b" } } } });
        assert!(
            !matches!(login::login(provider, &settings), login::Login::Tokens { .. } | login::Login::Open),
            "{provider}"
        );
        assert!(
            !matches!(login::login(provider, &serde_json::json!({})), login::Login::Tokens { .. }),
            "{provider} without any login"
        );
    }
}
