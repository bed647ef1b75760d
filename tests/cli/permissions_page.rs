//! docs/permissions.md lists every right of every command: exactly those of `keyless render rbac`, which are those of `deploy/`.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::{
    ledger,
    world::{ISSUER, Ran, World},
};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/permissions.md");
const UPDATE: &str = "KEYLESS_UPDATE_PAGES";
const BEGIN: &str =
    "<!-- Generated from deploy/ by the test permissions_page_is_current: do not edit below. -->\n";
const USER: &str = "alice";

/// Each command, and which rows of others its rights contain.
const COMMANDS: [(&str, &str); 14] = [
    ("publish", "`publish`, as a CronJob"),
    ("watch", "`publish --watch`, as a Deployment"),
    ("keys", "`keys`, `keys wait`"),
    ("keys-add", "`keys add`"),
    ("keys-revoke", "`keys revoke`"),
    ("verify", "`verify`"),
    ("status", "`status`"),
    ("doctor", "`doctor`"),
    ("audit", "`audit`"),
    ("audit --mode metadata", "`audit --mode metadata`"),
    ("audit --mode refs", "`audit --mode refs`"),
    ("coupling", "`coupling`"),
    ("setup", "`setup`, `setup --undo`, `teardown`"),
    ("render-store", "`render store`"),
];

pub(crate) fn objects(arguments: &[&str]) -> Vec<Value> {
    let dir = tempfile::TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyless"));
    command.args(["render", "rbac", "-o", "json"]).args(arguments).current_dir(dir.path()).env_clear();
    let mut result = Ran::of(&mut command).ends(0).json();
    serde_json::from_value(result["objects"].take()).unwrap()
}

fn listed(value: &Value) -> String {
    let texts: Vec<_> =
        value.as_array().into_iter().flatten().map(|it| format!("`{}`", it.as_str().unwrap())).collect();
    texts.join(", ")
}

/// `audit --mode refs` as arguments.
fn arguments(purpose: &str) -> Vec<&str> {
    ["--for"].into_iter().chain(purpose.split(' ')).collect()
}

/// A row for each rule of each role.
fn rows(purpose: &str) -> String {
    let mut rows = String::from("| verbs | on | named | namespace |\n|---|---|---|---|\n");
    for role in objects(&arguments(purpose)).iter().filter(|it| it.get("rules").is_some()) {
        let namespace = match role["metadata"]["namespace"].as_str() {
            Some(namespace) => format!("`{namespace}`"),
            None => "every".to_owned(),
        };
        for rule in role["rules"].as_array().unwrap() {
            let group = rule["apiGroups"][0].as_str().unwrap_or_default();
            let group = if group.is_empty() { String::new() } else { format!(" in `{group}`") };
            let (on, named, namespace) = match rule["nonResourceURLs"].is_null() {
                true => (
                    format!("{}{group}", listed(&rule["resources"])),
                    listed(&rule["resourceNames"]),
                    &*namespace,
                ),
                false => (listed(&rule["nonResourceURLs"]), String::new(), ""),
            };
            let named = if named.is_empty() && !namespace.is_empty() { "any".to_owned() } else { named };
            rows += &format!("| {} | {on} | {named} | {namespace} |\n", listed(&rule["verbs"]));
        }
    }
    rows
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whether the page is to be written")]
fn permissions_page_is_current() {
    let page = fs::read_to_string(PAGE).unwrap();
    let (by_hand, _) = page.split_once(BEGIN).unwrap();
    let mut wanted = format!("{by_hand}{BEGIN}");
    for (purpose, title) in COMMANDS {
        wanted += &format!("\n### {title}\n\n`keyless render rbac --for {purpose}`\n\n{}", rows(purpose));
    }
    if std::env::var_os(UPDATE).is_some() {
        fs::write(PAGE, &wanted).unwrap();
    }
    let differs = fs::read_to_string(PAGE).unwrap() != wanted;
    assert!(
        !differs,
        "docs/permissions.md is out of date: {UPDATE}=1 cargo test --locked --test cli -- permissions_page_is_current"
    );
}

#[test]
fn no_right_is_wider_than_needed() {
    for (purpose, _) in COMMANDS {
        for role in objects(&arguments(purpose)).iter().filter(|it| it.get("rules").is_some()) {
            for rule in role["rules"].as_array().unwrap() {
                let text = rule.to_string();
                assert!(!text.contains("\"*\""), "{purpose}: {rule}");
                // What runs by itself names every object that it reads or writes.
                let named = rule["resourceNames"].is_array() || rule["nonResourceURLs"].is_array();
                assert!(named || !["publish", "watch", "keys"].contains(&purpose), "{purpose}: {rule}");
                let writes = ["create", "update", "patch", "delete"]
                    .iter()
                    .any(|verb| text.contains(&format!("\"{verb}\"")));
                let reads_only = purpose.starts_with("audit") || purpose == "coupling";
                assert!(!writes || !reads_only, "{purpose}: {rule}");
            }
        }
    }
}

fn keys(world: &World) -> Ran {
    let bucket = format!("file://{}", world.www.display());
    let mut command =
        world.command(&["keys", "--bucket", &bucket, "--issuer", ISSUER, "--ca-file", "ca.pem"]);
    command.args(["--service-account", "keyless-system/keyless-probe"]);
    command.env("KUBECONFIG", world.dir.path().join(format!("{USER}.kubeconfig")));
    command.output().unwrap().into()
}

#[test]
fn keys_needs_exactly_its_rights() {
    let world = ledger::world(2);
    world.cluster.put_object(json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "keyless-probe", "namespace": "keyless-system"}}));
    world.keyless("publish", &[]).ends(0);
    world.cluster.add_user(USER, &[]);
    let objects = objects(&["--for", "keys", "--user", USER]);
    objects.iter().for_each(|object| world.cluster.put_object(object.clone()));
    world.cluster.kubeconfig_as(world.dir.path(), USER);
    keys(&world).ends(0).says("2 of 2").says("next: nothing");
    let mut rules = 0;
    for role in objects.iter().filter(|object| object.get("rules").is_some()) {
        for (number, rule) in role["rules"].as_array().unwrap().iter().enumerate() {
            rules += 1;
            let mut fewer = role.clone();
            fewer["rules"].as_array_mut().unwrap().remove(number);
            world.cluster.put_object(fewer);
            let missing = match rule["nonResourceURLs"].is_null() {
                true => &rule["resources"][0],
                false => &rule["nonResourceURLs"][0],
            };
            let ran = keys(&world);
            assert_ne!(ran.code, Some(0), "without {rule}: {ran:?}");
            ran.says(missing.as_str().unwrap());
            world.cluster.put_object(role.clone());
        }
    }
    assert_eq!(rules, 5);
    keys(&world).ends(0);
}
