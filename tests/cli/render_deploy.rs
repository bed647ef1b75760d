//! `keyless render cronjob`, `rbac` and `chart-values`: the same objects as `deploy/`, read a second time from its files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::world::Ran;

const DIGEST: &str = "sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a";
const BASE_SETTINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/base/keyless.yaml");

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(deploy(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn yaml(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

/// The objects that a kustomization lists, by kind, namespace and name.
fn resources(folder: &str) -> BTreeMap<[String; 3], Value> {
    let kustomization = yaml(&text(&format!("{folder}/kustomization.yaml"))).remove(0);
    let files = kustomization["resources"].as_array().unwrap();
    named(files.iter().flat_map(|file| yaml(&text(&format!("{folder}/{}", file.as_str().unwrap())))))
}

fn named(objects: impl IntoIterator<Item = Value>) -> BTreeMap<[String; 3], Value> {
    let name = |object: &Value| {
        let metadata = &object["metadata"];
        [&object["kind"], &metadata["namespace"], &metadata["name"]]
            .map(|value| value.as_str().unwrap_or_default().to_owned())
    };
    objects.into_iter().map(|object| (name(&object), object)).collect()
}

/// With no environment, in a folder without settings.
fn render(arguments: &[&str]) -> Ran {
    let dir = tempfile::TempDir::new().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyless"));
    command.arg("render").args(arguments).current_dir(dir.path()).env_clear();
    Ran::of(&mut command)
}

fn rendered(arguments: &[&str]) -> BTreeMap<[String; 3], Value> {
    named(yaml(&render(arguments).ends(0).out))
}

/// Takes the settings out of the rendered objects, and returns what they say.
fn settings(objects: &mut BTreeMap<[String; 3], Value>) -> Value {
    let name = ["ConfigMap", "keyless-system", "keyless-settings"].map(str::to_owned);
    let object = objects.remove(&name).unwrap();
    serde_saphyr::from_str(object["data"]["keyless.yaml"].as_str().unwrap()).unwrap()
}

const AS_BASE: [&str; 5] = ["cronjob", "--config", BASE_SETTINGS, "--image-by-tag", "keyless:0.1.0"];

#[test]
fn rendered_cronjob_equals_base() {
    let mut objects = rendered(&AS_BASE);
    assert_eq!(settings(&mut objects), yaml(&text("base/keyless.yaml"))[0]);
    assert_eq!(objects, resources("base"));
    assert!(objects.len() >= 14, "{:?}", objects.keys());
}

#[test]
fn rendered_deployment_equals_its_component() {
    let mut objects = rendered(&[&AS_BASE[..], &["--watch"]].concat());
    assert_eq!(settings(&mut objects), yaml(&text("base/keyless.yaml"))[0]);
    let mut wanted = resources("base");
    wanted.extend(resources("deployment"));
    wanted.retain(|[kind, ..], _| kind != "CronJob");
    let component = yaml(&text("deployment/kustomization.yaml")).remove(0);
    let patches: Vec<_> = component["patches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| yaml(it["patch"].as_str().unwrap()).remove(0))
        .collect();
    let [delete, policy] = patches.as_slice() else { panic!("{patches:#?}") };
    assert_eq!((&delete["kind"], &delete["$patch"]), (&json!("CronJob"), &json!("delete")));
    let name = ["NetworkPolicy", "keyless-system", "keyless"].map(str::to_owned);
    wanted.get_mut(&name).unwrap()["spec"]["ingress"] = policy["spec"]["ingress"].clone();
    // Other settings make other pods.
    let name = ["Deployment", "keyless-system", "keyless-publisher"].map(str::to_owned);
    let metadata = &mut objects.get_mut(&name).unwrap()["spec"]["template"]["metadata"];
    let annotations = metadata.as_object_mut().unwrap().remove("annotations").unwrap();
    assert_eq!(annotations["checksum/settings"].as_str().unwrap().len(), 64);
    assert_eq!(objects, wanted);
}

#[test]
fn rendered_audit_equals_its_component() {
    for (mode, folder) in [("refs", "auditor-refs"), ("metadata", "auditor-metadata"), ("deep", "auditor")] {
        let mut objects = rendered(&[&AS_BASE[..], &["--audit", mode]].concat());
        settings(&mut objects);
        let mut wanted = resources("base");
        wanted.extend(resources(folder));
        let mut job = yaml(&text("audit/job/cron-job.yaml")).remove(0);
        let component = yaml(&text(&format!("audit/{mode}/kustomization.yaml"))).remove(0);
        for patch in component["patches"].as_array().into_iter().flatten() {
            for change in yaml(patch["patch"].as_str().unwrap()).remove(0).as_array().unwrap() {
                *job.pointer_mut(change["path"].as_str().unwrap()).unwrap() = change["value"].clone();
            }
        }
        let name = ["CronJob", "keyless-system", "keyless-audit"].map(str::to_owned);
        let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
        assert_eq!(pod["containers"][0]["args"][4], mode);
        wanted.insert(name, job);
        assert_eq!(objects, wanted, "{mode}");
        // The chart cannot read what lies outside of its folder.
        let copy = text(&format!("chart/keyless/files/audit-{mode}.yaml"));
        assert_eq!(copy, text(&format!("{folder}/rbac.yaml")), "{mode}");
    }
}

#[test]
fn every_file_of_deploy_is_listed() {
    for folder in [
        "base",
        "deployment",
        "keys",
        "auditor",
        "auditor-refs",
        "auditor-metadata",
        "coupling",
        "setup",
        "audit/job",
    ] {
        let kustomization = yaml(&text(&format!("{folder}/kustomization.yaml"))).remove(0);
        let listed: BTreeSet<_> = kustomization["resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it.as_str().unwrap().to_owned())
            .collect();
        let files =
            fs::read_dir(deploy(folder)).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap());
        let files: BTreeSet<_> =
            files.filter(|it| !["kustomization.yaml", "keyless.yaml"].contains(&it.as_str())).collect();
        assert_eq!(files, listed, "{folder}");
    }
}

#[test]
fn rendered_rbac_equals_deploy() {
    let is_account_or_right = |[kind, ..]: &[String; 3]| kind == "ServiceAccount" || kind.contains("Role");
    let of = |folders: &[&str], roles_only: bool| {
        let mut objects: BTreeMap<_, _> = folders.iter().flat_map(|folder| resources(folder)).collect();
        objects.retain(|name, _| is_account_or_right(name) && (!roles_only || name[0].ends_with("Role")));
        objects
    };
    for (purpose, folders, roles_only) in [
        ("publish", &["base"][..], false),
        ("watch", &["base", "deployment"], false),
        ("audit", &["auditor"], false),
        ("coupling", &["coupling"], false),
        ("keys", &["keys"], true),
        ("setup", &["auditor", "setup"], true),
    ] {
        assert_eq!(rendered(&["rbac", "--for", purpose]), of(folders, roles_only), "{purpose}");
    }
    for (mode, folder) in [("refs", "auditor-refs"), ("metadata", "auditor-metadata"), ("deep", "auditor")] {
        assert_eq!(rendered(&["rbac", "--for", "audit", "--mode", mode]), of(&[folder], false), "{mode}");
    }
    assert_eq!(render(&["rbac", "--for", "publish", "--mode", "refs"]).code, Some(2));
    render(&["rbac", "--for", "setup"]).ends(0).says("bound to none");
}

#[test]
fn subject_is_bound_to_every_role() {
    for (flag, kind) in [("--user", "User"), ("--group", "Group")] {
        let objects =
            rendered(&["rbac", "--for", "setup", flag, "alice@example.com", "--namespace", "other"]);
        let of = |suffix: &str| objects.iter().filter(|(name, _)| name[0].ends_with(suffix)).count();
        assert!(of("Role") == of("Binding") && of("Role") >= 2, "{:?}", objects.keys());
        for ([_, namespace, _], object) in &objects {
            assert!(["", "other"].contains(&namespace.as_str()), "{object:#}");
            if let Some(subjects) = object["subjects"].as_array() {
                let wanted = json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "alice@example.com"}]);
                assert_eq!(subjects, wanted.as_array().unwrap());
            }
        }
    }
}

#[test]
fn everyone_is_refused_as_subject() {
    for (flag, name) in [
        ("--group", "system:authenticated"),
        ("--group", "system:unauthenticated"),
        ("--user", "system:anonymous"),
        ("--user", ""),
        ("--user", "a\nb"),
    ] {
        assert_eq!(render(&["rbac", "--for", "audit", flag, name]).code, Some(2), "{flag} {name}");
    }
    assert_eq!(render(&["rbac", "--for", "audit", "--namespace", "a/b"]).code, Some(2));
    assert_eq!(render(&["rbac", "--for", "everything"]).code, Some(2));
}

#[test]
fn image_by_tag_takes_its_flag() {
    let of = |arguments: &[&str]| render(&[&["cronjob", "--config", BASE_SETTINGS], arguments].concat());
    for arguments in [
        &[][..],
        &["--image", "registry.example.com/keyless:0.1.0"],
        &["--image", "keyless"],
        &["--image", "keyless@sha256:00"],
        &["--image-by-tag", &format!("keyless@{DIGEST}")],
        &["--image", &format!("keyless@{DIGEST}"), "--image-by-tag", "keyless:1"],
    ] {
        let ran = of(arguments).ends(2);
        assert!(ran.out.is_empty(), "{arguments:?}");
    }
    let image = format!("registry.example.com/keyless@{DIGEST}");
    let ran = of(&["--image", &image]).ends(0);
    assert_eq!(ran.out.matches(&image).count(), 1, "{}", ran.out);
    assert!(!ran.out.contains("keyless:0.1.0"), "{}", ran.out);
}

#[test]
fn publisher_without_settings_is_refused() {
    let image = format!("keyless@{DIGEST}");
    for what in ["cronjob", "chart-values"] {
        render(&[what, "--image", &image]).fails(2, "setting-missing", &["settings file"]);
        let dir = tempfile::TempDir::new().unwrap();
        let file = dir.path().join("keyless.yaml");
        fs::write(&file, "apiVersion: keyless/v1\nissuer: https://oidc.example.com\n").unwrap();
        render(&[what, "--image", &image, "--config", file.to_str().unwrap()]).fails(
            2,
            "setting-not-for-pods",
            &["bucket.url"],
        );
    }
}

#[test]
fn settings_of_this_machine_stay_out() {
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("keyless.yaml");
    let uid = "0b6e3a3e-6a0a-4f7e-9d0c-0c5d7c1c9b51";
    fs::write(
        &file,
        format!(
            "apiVersion: keyless/v1\nbucket:\n  url: s3://acme-oidc\n  region: eu-central-1\ncluster:\n  \
             kubeconfig: /home/alice/kubeconfig\n  context: prod\n  uid: {uid}\n  serviceAccount: default/default\n\
             store:\n  name: gcp\n"
        ),
    )
    .unwrap();
    let image = format!("keyless@{DIGEST}");
    let arguments = ["--image", &image, "--config", file.to_str().unwrap()];
    let mut objects = rendered(&[&["cronjob"], &arguments[..]].concat());
    let wanted = json!({"apiVersion": "keyless/v1", "bucket": {"url": "s3://acme-oidc", "region": "eu-central-1"},
        "cluster": {"uid": uid, "serviceAccount": "keyless-system/keyless-probe", "ledger": "keyless-system/keyless-ledger"}});
    assert_eq!(settings(&mut objects), wanted);
    let values = render(&[&["chart-values", "--watch"], &arguments[..]].concat()).ends(0);
    let wanted = json!({"mode": "deployment", "image": {"repository": "keyless", "digest": DIGEST},
        "settings": {"apiVersion": "keyless/v1", "bucket": {"url": "s3://acme-oidc", "region": "eu-central-1"}, "cluster": {"uid": uid}}});
    assert_eq!(yaml(&values.out)[0], wanted);
    let json = render(&[&["chart-values", "--watch", "-o", "json"], &arguments[..]].concat()).ends(0).json();
    assert_eq!(json["values"], wanted);
}

/// Every path to a value, and what the schema says of it.
fn leaves(values: &Value, schema: &Value, path: &str, found: &mut Vec<String>) {
    for (name, value) in values.as_object().unwrap() {
        let path = format!("{path}{name}");
        let schema = &schema["properties"][name];
        assert!(!schema.is_null(), "values.schema.json does not know {path}");
        match value.as_object() {
            Some(members) if !members.is_empty() && schema.get("properties").is_some() => {
                leaves(value, schema, &format!("{path}."), found);
            }
            _ => found.push(path),
        }
    }
}

#[test]
fn every_chart_value_is_documented() {
    let values = yaml(&text("chart/keyless/values.yaml")).remove(0);
    let schema: Value = serde_json::from_str(&text("chart/keyless/values.schema.json")).unwrap();
    let mut found = Vec::new();
    leaves(&values, &schema, "", &mut found);
    assert!(found.len() > 20, "{found:?}");
    let page = fs::read_to_string(deploy("../docs/cronjob.md")).unwrap();
    let missing: Vec<_> = found.iter().filter(|path| !page.contains(&format!("| `{path}`"))).collect();
    assert!(missing.is_empty(), "docs/cronjob.md does not list {missing:?}");
}

/// Every object of the schema that lists its properties refuses others, but for the settings, which the program judges.
#[test]
fn chart_schema_refuses_unknown_values() {
    fn strict(schema: &Value, path: &str) {
        if schema["type"] == "object" && schema.get("properties").is_some() && !path.contains("/settings") {
            assert_eq!(schema["additionalProperties"], false, "{path}");
        }
        for (name, below) in schema["properties"].as_object().into_iter().flatten() {
            strict(below, &format!("{path}/{name}"));
        }
    }
    let schema: Value = serde_json::from_str(&text("chart/keyless/values.schema.json")).unwrap();
    strict(&schema, "");
}

#[test]
fn alerts_use_metrics_that_exist() {
    // Those of `keyless publish --watch`.
    const METRICS: [&str; 15] = [
        "keyless_build_info",
        "keyless_changes_total",
        "keyless_foreign_keys",
        "keyless_is_leader",
        "keyless_keys",
        "keyless_last_look_duration_seconds",
        "keyless_last_look_timestamp_seconds",
        "keyless_last_success_timestamp_seconds",
        "keyless_looks_total",
        "keyless_missing_keys",
        "keyless_poll_interval_seconds",
        "keyless_returned_keys",
        "keyless_servers",
        "keyless_sick_servers",
        "keyless_signing_key_wait_seconds",
    ];
    let mut used = BTreeSet::new();
    for file in ["alerts-deployment.yaml", "dashboard.json"] {
        let text = text(&format!("monitoring/{file}"));
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        used.extend(words.filter(|word| word.starts_with("keyless_")).map(str::to_owned));
    }
    assert!(used.len() >= 10, "{used:?}");
    let unknown: Vec<_> = used.iter().filter(|name| !METRICS.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    // The page of the metrics comes with `publish --watch`.
    if let Ok(page) = fs::read_to_string(deploy("../docs/monitoring.md")) {
        let missing: Vec<_> = METRICS.iter().filter(|name| !page.contains(*name)).collect();
        assert!(missing.is_empty(), "docs/monitoring.md does not list {missing:?}");
    }
}
