//! A provider is one folder and one line: everything outside its folder works with the third one, which lives in tests.

use std::{collections::BTreeMap, fs, path::Path};

use clap::Parser;
use serde_json::json;

use crate::{
    cli::Cli,
    cluster::{
        objects::Object,
        snapshot::{Estate, Store, StoreSchema, tests::estate},
    },
    commands::resolve::{Resolved, looking, resolve},
    config::{self, Settings},
    error::{Code, Result},
    federation::{ProviderName, Purpose},
    http::Http,
    secret_store::{Doing, Have, Want, elsewhere, obstacles_of_a_move, plan, relies_on},
};

/// Lines of `src` that name the module of a provider, by file, without its own folder and without tests.
fn lines_outside(provider: &str) -> BTreeMap<String, usize> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let own = root.join("federation").join(provider);
    let mut lines = BTreeMap::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                // Another module may have the same name.
                let is_other = path != own && name == provider || path == root.join("azure");
                folders
                    .extend(Some(path).filter(|path| *path != own && !is_other && !path.ends_with("tests")));
                continue;
            }
            if !name.ends_with(".rs") || name.ends_with("tests.rs") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let names = |line: &&str| {
                let words: Vec<_> = line.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
                let path = line.contains(&format!("{provider}::")) && words.contains(&provider);
                !line.trim_start().starts_with("//") && (path || line.ends_with(&format!("mod {provider};")))
            };
            let count = code.lines().filter(names).count();
            if count > 0 {
                lines.insert(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(), count);
            }
        }
    }
    lines
}

/// The table of what a provider costs outside its folder: `cargo test -- --nocapture provider_costs`.
#[test]
fn provider_costs_two_lines_elsewhere() {
    println!("{:<10}{:>6}{:>6}  where", "provider", "files", "lines");
    for provider in ["example", "gcp", "vault", "aws", "entra"] {
        let lines = lines_outside(provider);
        let files: Vec<_> = lines.keys().map(String::as_str).collect();
        let all: usize = lines.values().sum();
        println!("{provider:<10}{:>6}{all:>6}  {}", files.len(), files.join(", "));
        let registered = ["federation/mod.rs", "federation/registry.rs"];
        assert!(registered.iter().all(|file| lines.get(*file) == Some(&1)), "{provider}: {lines:?}");
        // Beside these, its table of errors, and what random bytes are thrown at.
        let more: Vec<_> = files.into_iter().filter(|file| !registered.contains(file)).collect();
        match provider {
            "example" => assert!(more.is_empty(), "{lines:?}"),
            _ => assert!(
                more.iter().all(|file| ["error/codes/mod.rs", "fuzzing.rs"].contains(file)),
                "{provider}: {lines:?}"
            ),
        }
    }
}

const STORE: &str = "---
apiVersion: external-secrets.io/v1
kind: ClusterSecretStore
metadata: {name: main, uid: u, resourceVersion: '7'}
spec: {provider: {gcpsm: {projectID: acme-prod, auth: {workloadIdentityFederation: {audience: a, serviceAccountRef: {name: reader, namespace: eso}}}}}}
";
const USER: &str = "---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: db, namespace: shop}
spec: {secretStoreRef: {kind: ClusterSecretStore, name: main}, data: [{secretKey: a, remoteRef: {key: 'a b'}}]}
";

fn settings(text: &str, arguments: &[&str]) -> Result<Settings> {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("keyless.yaml");
    fs::write(&file, format!("apiVersion: keyless/v1\n{text}")).unwrap();
    let fixed = ["keyless", "setup", "--config", file.to_str().unwrap()];
    let cli = Cli::try_parse_from(fixed.iter().chain(arguments)).expect("arguments");
    Settings::resolve(&cli.common, None, |_| None)
}

fn resolved(text: &str, estate: &Estate) -> Result<Resolved> {
    let mut ask = |setting: &str, _: &str, _: crate::ask::Offer<'_>| Ok(format!("asked-{setting}"));
    let text = format!("store: {{serviceAccount: eso/reader}}\n{text}");
    resolve(&settings(&text, &[])?, None, estate, "1f0e", &mut ask)
}

/// The operator's, with a member for the new provider.
fn crds() -> String {
    include_str!("../../tests/lab/fixtures/crds/eso-2.5-min.yaml").replace(" aws:\n", " example:\n")
}

fn world() -> Estate {
    estate(&[&crds(), "\n", STORE, USER].concat())
}

fn example() -> ProviderName {
    ProviderName::all().find(|name| name.as_str() == "example").unwrap()
}

#[test]
fn flag_and_schema_know_new_provider() {
    assert!(Cli::try_parse_from(["keyless", "setup", "--to", "example"]).is_ok());
    assert!(Cli::try_parse_from(["keyless", "setup", "--to", "azure"]).is_err());
    let schema = config::schema();
    assert!(schema["properties"]["example"].is_object(), "{schema}");
    let text = schema.to_string();
    assert!(text.contains("\"const\":\"example\"") && text.contains("Which role"), "{text}");
}

#[test]
fn section_of_new_provider_is_strict() {
    assert!(settings("example: {role: reader}\n", &[]).is_ok());
    for text in [
        "example: {roel: reader}\n",
        "example: reader\n",
        "example: [reader]\n",
        "example: {role: reader}\nexample: {role: other}\n",
        "exmaple: {role: reader}\n",
        "provider: exmaple\n",
    ] {
        let error = settings(text, &[]).unwrap_err();
        assert_eq!(error.code, Code::ConfigMalformed, "{text}");
        assert!(!error.to_string().contains("reader"), "{error}");
    }
    let error = settings("exmaple: {role: reader}\n", &[]).unwrap_err();
    assert!(error.hints[0].contains("`example`") && error.causes[0].contains("line 2"), "{error}");
}

#[test]
fn new_provider_is_chosen_and_completed() {
    let world = world();
    let by_name = resolved("provider: example\n", &world).unwrap();
    assert_eq!(by_name.provider.account().name, "asked-example.role");
    let by_account = resolved("example: {role: reader}\n", &world).unwrap();
    assert_eq!((by_account.provider.provider(), by_account.others.len()), (example(), 0));
    // Two accounts are named: the store decides, and the other one is not forgotten.
    let both = resolved("example: {role: reader}\ngoogle: {project: acme-prod}\n", &world).unwrap();
    assert_eq!((both.provider.provider().as_str(), both.others.len()), ("google", 1));
    let names: Vec<_> = both.providers().map(|it| it.provider().as_str()).collect();
    assert_eq!(names, ["google", "example"]);
    assert_eq!(both.workload.to_string(), "eso/reader");
}

#[test]
fn decisions_for_new_provider_are_kept() {
    let done = resolved("example: {role: reader}\n", &world()).unwrap();
    let wanted: Vec<_> =
        done.provider.settings().into_iter().map(|(path, value)| (path, json!(value))).collect();
    let text = config::edit(None, &wanted).text.unwrap();
    let path = Path::new("keyless.yaml");
    assert!(text.contains("example:\n  role: reader\n  region: eu-central-1\n"), "{text}");
    let again = settings(text.split_once("keyless/v1\n").unwrap().1, &[]).unwrap();
    assert_eq!(again.account().unwrap().title, "Example reader");
    let announced = format!("Settings from {}", path.display());
    assert!(again.announcement.is_none(), "{announced}: a file that was named is not announced");
}

#[tokio::test]
async fn store_is_pointed_at_new_provider() {
    let world = world();
    let done = resolved("example: {role: reader}\n", &world).unwrap();
    let provider = done.provider.connect(&Http::new(&[]).unwrap(), Purpose::Apply).unwrap();
    let login = provider.store_login().await.unwrap();
    let present = world.store(true, "", "main").unwrap();
    let definitions = crate::cluster::snapshot::tests::objects(&crds());
    let definition =
        definitions.iter().find(|it| it.name() == "clustersecretstores.external-secrets.io").unwrap();
    let schema = StoreSchema::of(definition);
    let have = Have {
        schema: &schema,
        controller: None,
        store: Some(&present.0),
        account: None,
        role: None,
        role_binding: None,
    };
    let want = Want { login: login.as_ref(), workload: &done.workload, store: &done.store, namespaces: &[] };
    let planned = plan(&want, &have).unwrap();
    let account = &planned.objects[0].manifest;
    assert_eq!(account.annotation("example.com/role"), Some("reader"));
    let store = planned.objects.last().unwrap();
    let Doing::Patch(patch) = &store.doing else { panic!("{store:?}") };
    assert!(patch["spec"]["provider"]["gcpsm"].is_null(), "{patch}");
    let spec = &store.manifest.0["spec"]["provider"]["example"];
    assert_eq!(spec["auth"]["jwt"]["serviceAccountRef"], json!({ "name": "reader", "namespace": "eso" }));

    let moved = Store(Object(store.manifest.0.clone()));
    assert_eq!(elsewhere(&moved, login.as_ref()), Some(Vec::new()));
    assert_eq!(elsewhere(present, login.as_ref()), None);
    assert!(relies_on(&moved, login.as_ref()) && !relies_on(present, login.as_ref()));
    let obstacles = obstacles_of_a_move(world.users(present), present, login.as_ref());
    let shown: Vec<_> = obstacles.iter().map(|it| it.why.as_str()).collect();
    assert!(
        shown.contains(&"no blanks") && shown.iter().any(|why| why.contains("the example gives the text")),
        "{shown:?}"
    );
    assert_eq!(ProviderName::of_store(&moved), Some(example()));
    let looked = looking(&settings("", &[]).unwrap(), Some(&moved));
    assert_eq!(looked.providers.iter().count(), ProviderName::all().count());
}
