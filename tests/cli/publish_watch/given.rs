//! `keyless publish --watch` where a provider is given the keys, and the rights that it takes.

use std::{fs, path::Path, process::Stdio};

use lab::{Curve, Fault, SigningKey};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::running::{self, Watch};
use crate::{
    estate::Estate,
    ledger,
    publish_given::{keys_of, kids, provider, publish, uploaded, uploaded_twice},
    world::Ran,
};

const WATCH: [&str; 8] =
    ["publish", "--watch", "--poll", "1s", "--metrics-address", "127.0.0.1:0", "-o", "json"];
/// Exactly what the publisher may do at Google.
const AT_GOOGLE: [&str; 2] =
    ["iam.workloadIdentityPoolProviders.get", "iam.workloadIdentityPoolProviders.update"];

fn watch(estate: &Estate, more: &[&str], environment: &[(&str, &str)]) -> Watch {
    let mut command = estate.command(&[&WATCH, more].concat());
    command.envs(environment.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Watch::of(command.spawn().unwrap())
}

fn at_google(estate: &Estate) -> Vec<String> {
    kids(&provider(estate).1["oidc"]["jwksJson"])
}

#[test]
fn rotation_reaches_the_provider() {
    let estate = uploaded(2);
    let watch = watch(&estate, &[], &[]);
    watch.becomes_ready();
    assert_eq!(watch.metric("keyless_keys{state=\"live\"}"), Some(1.0));
    let new = SigningKey::ec(Curve::P256);
    ledger::rotate(&estate.world, &new);
    running::until(|| at_google(&estate).contains(&new.kid()).then_some(()));
    running::until(|| (watch.metric("keyless_keys{state=\"retained\"}") == Some(1.0)).then_some(()));
    running::until(|| (watch.metric("keyless_signing_key_wait_seconds") == Some(0.0)).then_some(()));
    assert_eq!(at_google(&estate).len(), 2);
    ledger::age(&estate.world, ledger::DAY + 1000);
    running::until(|| (at_google(&estate) == [new.kid()]).then_some(()));
    let (code, lines, messages) = watch.ends(Signal::TERM);
    assert_eq!(code, Some(0), "{messages}");
    let changed = lines.iter().filter(|line| line["outcome"] == "changed").count();
    assert_eq!(changed, 2, "{lines:#?}");
    assert!(lines.iter().all(|line| line["providers"].is_array()), "{lines:#?}");
}

/// The next look logs in again: a session that ended is no reason for all that follow.
#[test]
fn refusing_provider_is_asked_again() {
    let (estate, vault) = uploaded_twice();
    let token = vault.root_token();
    let watch = watch(&estate, &[], &[("VAULT_TOKEN", &token)]);
    watch.becomes_ready();
    vault.faults().always("GET", "auth/keyless/config", Fault::status(403));
    let new = SigningKey::ec(Curve::P256);
    estate.world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    running::until(|| at_google(&estate).contains(&new.kid()).then_some(()));
    let incomplete = "keyless_looks_total{outcome=\"incomplete\"}";
    running::until(|| (watch.metric(incomplete) > Some(0.0)).then_some(()));
    assert_eq!(keys_of(&vault).len(), 1);
    vault.faults().clear();
    running::until(|| (keys_of(&vault).len() == 2).then_some(()));
    assert_eq!(watch.ends(Signal::TERM).0, Some(0));
}

/// The objects of `keyless render rbac --for watch`.
fn rendered(estate: &Estate) -> Vec<Value> {
    let mut command = estate.world.command(&["render", "rbac", "--for", "watch"]);
    serde_saphyr::from_multiple(&Ran::of(&mut command).ends(0).out).unwrap()
}

#[test]
fn watch_needs_exactly_its_rights() {
    let estate = uploaded(1);
    publish(&estate, &[]).ends(0);
    let cluster = &estate.world.cluster;
    let objects = rendered(&estate);
    objects.iter().for_each(|object| cluster.put_object(object.clone()));
    let lease = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/deployment/lease.yaml");
    cluster.put_object(serde_saphyr::from_str(&fs::read_to_string(lease).unwrap()).unwrap());
    // Without what every ServiceAccount of an ordinary cluster may do.
    cluster.add_user("system:serviceaccount:keyless-system:keyless", &[]);
    let kubeconfig =
        cluster.kubeconfig_of_service_account(estate.world.dir.path(), "keyless-system", "keyless");
    let kubeconfig = kubeconfig.to_str().unwrap().to_owned();
    let token = estate.google.caller(&AT_GOOGLE);
    let environment = [("KUBECONFIG", kubeconfig.as_str()), ("GOOGLE_OAUTH_ACCESS_TOKEN", token.as_str())];
    let flags =
        ["--lease", "keyless-system/keyless-publisher", "--service-account", "keyless-system/keyless-probe"];
    let begin = || watch(&estate, &flags, &environment);
    let whole = begin();
    whole.becomes_ready();
    running::until(|| (whole.metric("keyless_is_leader") == Some(1.0)).then_some(()));
    let new = SigningKey::ec(Curve::P256);
    // The former key stays: the publisher's own token is of it.
    estate.world.cluster.change_servers(|server| {
        server.key_files.push((&new).into());
        server.signing_key = new.clone();
    });
    let reached = (0..300).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        at_google(&estate).contains(&new.kid())
    });
    assert!(reached, "{}", whole.messages());
    let (code, _, messages) = whole.ends(Signal::TERM);
    assert_eq!(code, Some(0), "{messages}");
    assert!(!messages.contains("warning["), "{messages}");
    let mut rules = 0;
    for object in objects.iter().filter(|object| object.get("rules").is_some()) {
        for (number, rule) in object["rules"].as_array().unwrap().iter().enumerate() {
            rules += 1;
            let mut fewer = object.clone();
            fewer["rules"].as_array_mut().unwrap().remove(number);
            cluster.put_object(fewer);
            let named = match rule["nonResourceURLs"].is_null() {
                true => &rule["resources"][0],
                false => &rule["nonResourceURLs"][0],
            };
            let without = begin();
            let named = named.as_str().unwrap();
            running::until(|| without.messages().contains(named).then_some(()));
            without.ends(Signal::TERM);
            cluster.put_object(object.clone());
        }
    }
    assert!(rules >= 5, "{rules}");
    assert_eq!(json!(at_google(&estate).len()), json!(2));
}
