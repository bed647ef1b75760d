//! The lists of members against the schema of a released version: a member that is not on them is never taken for
//! harmless, and one that is harmless has a reason.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use serde_json::{Value, json};

use super::*;
use crate::audit::tests::folder;

/// `external-secrets/external-secrets` v1.3.2, `deploy/crds/bundle.yaml`: every leaf of every provider and generator, and
/// its type. To bring it up to date, build the tests with `KEYLESS_ESO_CRDS=…/bundle.yaml` in the environment: they then
/// write `leaves.txt.new` beside it and fail where it differs.
const LEAVES: &str = include_str!("../../../fixtures/eso/leaves.txt");
/// Leaves that may stand beside a keyless login, under the reason why.
const HARMLESS: &str = include_str!("../../../fixtures/eso/harmless.txt");
/// A login by tokens or the platform for each provider and generator that has one.
const LOGINS: &str = include_str!("../../../fixtures/eso/logins.yaml");
const CANARY: &str = "kanarienvogel-7f3a9c51e2d84b06";

/// Provider or generator, path and type of each leaf.
fn leaves() -> Vec<(&'static str, &'static str, &'static str)> {
    let lines = LEAVES.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (path, kind) = line.split_once(' ').unwrap();
            let (provider, path) = path.split_once('.').unwrap();
            (provider, path, kind)
        })
        .collect()
}

fn harmless() -> BTreeSet<&'static str> {
    HARMLESS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// Whether nothing but short-lived things is seen in it.
fn is_keyless(login: &Login) -> bool {
    login.doubts.is_empty()
        && login.stored.is_empty()
        && login.session.is_empty()
        && login.headers.is_empty()
        && login.literals.is_empty()
        && !matches!(login.by, By::Unknown | By::Stored { .. } | By::Literal { .. })
}

/// Sets a leaf, making what lies on the way to it.
fn set(settings: &mut Value, path: &str, value: Value) {
    let (step, rest) = path.split_once('.').map_or((path, None), |(step, rest)| (step, Some(rest)));
    let (name, is_list) = step.strip_suffix("[]").map_or((step, false), |name| (name, true));
    let name = if name == "*" { "any" } else { name };
    if !settings.is_object() {
        *settings = json!({});
    }
    let mut at = &mut settings[name];
    if is_list {
        if !at.is_array() {
            *at = json!([null]);
        }
        at = &mut at[0];
    }
    match rest {
        Some(rest) => set(at, rest, value),
        None => *at = value,
    }
}

fn value(kind: &str) -> Value {
    match kind {
        "integer" => json!(7),
        "boolean" => json!(true),
        "string" => json!(CANARY),
        _ => json!({ "any": CANARY }),
    }
}

/// A keyless login of each that has one, by its name.
fn keyless() -> BTreeMap<String, Value> {
    let logins: Vec<Value> = serde_saphyr::from_str(LOGINS).unwrap();
    let mut found = BTreeMap::new();
    for login in logins.into_iter().filter(|login| login["truth"] == "tokens" || login["truth"] == "platform")
    {
        found.entry(login["kind"].as_str().unwrap().to_owned()).or_insert(login["settings"].clone());
    }
    found
}

#[test]
fn leaf_is_harmless_only_with_reason() {
    let (harmless, keyless) = (harmless(), keyless());
    let mut passed = BTreeSet::new();
    let mut tried = 0;
    for (provider, path, kind) in leaves() {
        let bases = [Some(json!({})), keyless.get(provider).cloned()];
        for base in bases.into_iter().flatten() {
            let mut settings = base;
            set(&mut settings, path, value(kind));
            tried += 1;
            if is_keyless(&login(provider, &settings)) {
                passed.insert(format!("{provider}.{path}"));
            }
        }
    }
    let without_reason: Vec<_> = passed.iter().filter(|leaf| !harmless.contains(leaf.as_str())).collect();
    assert!(without_reason.is_empty(), "taken for harmless, and not in harmless.txt: {without_reason:#?}");
    let idle: Vec<_> = harmless.iter().filter(|leaf| !passed.contains(**leaf)).collect();
    assert!(idle.is_empty(), "in harmless.txt, and not taken for harmless: {idle:#?}");
    assert!(tried > leaves().len(), "{tried}");
}

#[test]
fn every_schema_leaf_is_classified() {
    let mut unclassified = Vec::new();
    for (provider, path, kind) in leaves() {
        let mut settings = json!({});
        set(&mut settings, path, value(kind));
        // A name alone makes a reference; its other members are only read with one.
        let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent);
        let told = login(provider, &settings);
        let known = providers::find(provider).is_some_and(|known| {
            let lists = known.leaves.iter().chain(known.inner.iter().flat_map(|(_, inner)| inner.leaves));
            let within = known.inner.and_then(|(name, _)| path.strip_prefix(&format!("{name}.")));
            let is = |listed: &str, path: &str| {
                listed == path
                    || path == listed.replace(".*", ".any")
                    || listed.strip_suffix(".*") == Some(path.trim_end_matches(".*"))
            };
            lists.flat_map(|(_, paths)| *paths).any(|listed| {
                [path, parent, within.unwrap_or(path)].into_iter().any(|path| is(listed, path))
                    || [path, within.unwrap_or(path)].into_iter().any(|path| {
                        path.strip_prefix(listed).is_some_and(|rest| rest.starts_with(['.', '[']))
                    })
            })
        });
        if !known && told.doubts.is_empty() {
            unclassified.push(format!("{provider}.{path}"));
        }
        // What the lists do not name must say so.
        if !known {
            assert!(
                told.doubts.iter().any(|doubt| doubt.contains("unknown to keyless")),
                "{provider}.{path}: {told:?}"
            );
        }
    }
    assert_eq!(unclassified, Vec::<String>::new());
    let providers: BTreeSet<_> = leaves().into_iter().map(|(provider, ..)| provider).collect();
    assert!(providers.len() >= 50, "{}", providers.len());
    let unknown: Vec<_> = providers.iter().filter(|name| providers::find(name).is_none()).collect();
    assert!(unknown.is_empty(), "no list for {unknown:?}");
}

/// The names of all providers that the schema of an installed version knows, each with the login that it would have if a
/// Secret were named where none is known: none may be taken for keyless by accident.
#[test]
fn unknown_secret_is_never_keyless() {
    let text = include_str!("../../../fixtures/eso/providers.txt");
    for provider in text.lines().filter(|line| !line.starts_with('#')) {
        for settings in [
            json!({ "auth": { "apiToken": { "secretRef": { "name": "a", "key": "b" } } } }),
            json!({ "brandnew": { "serviceAccountRef": { "name": "a" } } }),
            json!([]),
            json!("text"),
            json!(3),
            json!(null),
        ] {
            assert!(!is_keyless(&login(provider, &settings)), "{provider} {settings}");
        }
        assert!(!matches!(login(provider, &json!({})).by, By::Tokens { .. }), "{provider} without any login");
    }
}

#[test]
fn lists_name_each_member_once() {
    for provider in providers::all() {
        let mut seen = BTreeSet::new();
        for path in provider.leaves.iter().flat_map(|(_, paths)| *paths) {
            assert!(seen.insert(path), "{} {path}", provider.name);
            let clash =
                provider.leaves.iter().flat_map(|(_, paths)| *paths).find(|other| {
                    path.strip_prefix(**other).is_some_and(|rest| rest.starts_with(['.', '[']))
                });
            assert_eq!(clash, None, "{} {path} is never reached", provider.name);
        }
    }
}

/// Holds the fixture against the schema itself, where that is at hand.
#[test]
fn leaves_are_those_of_the_schema() {
    let Some(bundle) = option_env!("KEYLESS_ESO_CRDS") else {
        assert!(LEAVES.starts_with("# external-secrets/external-secrets v1.3.2"), "the version is named");
        return;
    };
    let definitions: Vec<Value> = serde_saphyr::from_multiple(&fs::read_to_string(bundle).unwrap()).unwrap();
    let mut found = Vec::new();
    for definition in definitions.iter().filter(|definition| !definition.is_null()) {
        let kind = definition["spec"]["names"]["kind"].as_str().unwrap();
        let served =
            definition["spec"]["versions"].as_array().unwrap().iter().find(|it| it["served"] == true);
        let spec = &served.unwrap()["schema"]["openAPIV3Schema"]["properties"]["spec"];
        match kind {
            "ClusterSecretStore" => visit("", &spec["properties"]["provider"], &mut found),
            _ if definition["spec"]["group"] != "generators.external-secrets.io" => {}
            "ClusterGenerator" | "GeneratorState" | "Password" | "SSHKey" | "UUID" => {}
            kind => visit(kind, spec, &mut found),
        }
    }
    let header = LEAVES.lines().take_while(|line| line.starts_with('#'));
    let text: Vec<_> = header.map(str::to_owned).chain(found).collect();
    let text = text.join("\n") + "\n";
    if text != LEAVES {
        fs::write(folder("fixtures/eso/leaves.txt.new"), &text).unwrap();
        panic!("fixtures/eso/leaves.txt differs from the schema: see leaves.txt.new");
    }
}

fn visit(path: &str, schema: &Value, found: &mut Vec<String>) {
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if schema["type"] == "array" {
        return visit(&format!("{path}[]"), &schema["items"], found);
    }
    if let Some(members) = schema["properties"].as_object().filter(|members| !members.is_empty()) {
        return members.iter().for_each(|(name, schema)| visit(&below(name), schema, found));
    }
    if schema["additionalProperties"].is_object() {
        return visit(&below("*"), &schema["additionalProperties"], found);
    }
    found.push(format!("{path} {}", schema["type"].as_str().unwrap_or("any")));
}
