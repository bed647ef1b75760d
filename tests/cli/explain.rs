//! What the codes of errors, warnings and checks mean, and the page that lists them.

use std::{fs, path::Path};

use serde_json::Value;

use crate::world::World;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md");
const UPDATE: &str = "KEYLESS_UPDATE_PAGES";

/// docs/errors.md as it has to be.
fn page(codes: &[Value]) -> String {
    let mut page = "# Errors, warnings and checks\n\n\
        Each message has a code in brackets, e.g. `error[bucket-forbidden]`. `keyless explain CODE` prints its entry.\n\n\
        This page is generated: do not edit it.\n"
        .to_owned();
    for (kind, title) in [("message", "Errors and warnings"), ("check", "Checks")] {
        page += &format!("\n## {title}\n");
        for code in codes.iter().filter(|it| it["kind"] == kind) {
            let text = |member: &str| code[member].as_str().unwrap();
            page += &format!("\n### {}\n\n{}\n\nCauses:\n\n", text("name"), text("meaning"));
            for cause in code["causes"].as_array().unwrap() {
                page += &format!("- {}\n", cause.as_str().unwrap());
            }
            page += &format!("\nWhat to do: {}\n", text("remedy"));
        }
    }
    page
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whether the page is to be written")]
fn page_of_codes_is_current() {
    let listed = World::new(1).run(&["explain", "-o", "json"]).ends(0).json();
    let page = page(listed["codes"].as_array().unwrap());
    if std::env::var_os(UPDATE).is_some() {
        fs::create_dir_all(Path::new(PAGE).parent().unwrap()).unwrap();
        fs::write(PAGE, &page).unwrap();
    }
    let differs = fs::read_to_string(PAGE).unwrap_or_default() != page;
    assert!(
        !differs,
        "docs/errors.md is out of date: {UPDATE}=1 cargo test --locked --test cli -- page_of_codes_is_current"
    );
}

#[test]
fn explain_shows_meaning_and_remedy() {
    let world = World::new(1);
    let ran = world.run(&["explain", "bucket-forbidden"]).ends(0).snapshot("explain-bucket-forbidden");
    ran.says("bucket-forbidden").says("Causes:").says("What to do:");
    let ran = world.run(&["explain", "token-signature", "-o", "json"]).ends(0).json();
    assert_eq!(ran["command"], "explain");
    assert_eq!(ran["codes"].as_array().unwrap().len(), 1);
    assert_eq!(ran["codes"][0]["kind"], "check");
}

#[test]
fn explain_lists_every_code() {
    let ran = World::new(1).run(&["explain"]).ends(0);
    ran.says("Errors and warnings").says("  vault-sealed ").says("Checks").says("  token-signature ");
}

#[test]
fn unknown_code_names_the_nearest() {
    let world = World::new(1);
    world.run(&["explain", "bucket-forbiden"]).fails(
        2,
        "explain-unknown",
        &["keyless explain bucket-forbidden"],
    );
    world.run(&["explain", "qqqqqqqqqqqq"]).fails(
        2,
        "explain-unknown",
        &["`keyless explain` lists all codes and settings"],
    );
    world.run(&["explain", ""]).fails(2, "explain-unknown", &[]);
    world.run(&["explain", "bucket-forbidden", "dns"]).ends(2);
}

/// docs/settings-reference.md as it has to be.
fn page_of_settings(settings: &[Value]) -> String {
    let mut page = "# Every setting\n\n\
        [settings.md](settings.md) shows them together. `keyless explain NAME` prints an entry; NAME is the path of the setting, its \
        variable, or a section.\n\n\
        This page is generated: do not edit it.\n\n\
        | setting | value | default | variable | meaning |\n|---|---|---|---|---|\n"
        .to_owned();
    for setting in settings {
        let text = |member: &str| match &setting[member] {
            Value::Null => String::new(),
            Value::String(text) => text.replace('|', "\\|"),
            other => other.to_string(),
        };
        let code =
            |member: &str| Some(text(member)).filter(|text| !text.is_empty()).map(|text| format!("`{text}`"));
        let [path, default, variable] =
            ["path", "default", "variable"].map(|it| code(it).unwrap_or_default());
        page += &format!("| {path} | {} | {default} | {variable} | {} |\n", text("value"), text("meaning"));
    }
    page
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whether the page is to be written")]
fn page_of_settings_is_current() {
    const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings-reference.md");
    let listed = World::new(1).run(&["explain", "-o", "json"]).ends(0).json();
    let page = page_of_settings(listed["settings"].as_array().unwrap());
    if std::env::var_os(UPDATE).is_some() {
        fs::write(PAGE, &page).unwrap();
    }
    let differs = fs::read_to_string(PAGE).unwrap_or_default() != page;
    assert!(
        !differs,
        "docs/settings-reference.md is out of date: {UPDATE}=1 cargo test --locked --test cli -- page_of_settings_is_current"
    );
}

#[test]
fn explain_shows_settings_and_checks() {
    let world = World::new(1);
    let ran = world.run(&["explain", "cluster.maxTokenSeconds"]).ends(0).snapshot("explain-setting");
    ran.says("Default: 2592000").says("KEYLESS_CLUSTER_MAX_TOKEN_SECONDS");
    let by_variable =
        world.run(&["explain", "KEYLESS_CLUSTER_MAX_TOKEN_SECONDS", "-o", "json"]).ends(0).json();
    assert_eq!(by_variable["settings"][0]["path"], "cluster.maxTokenSeconds");
    let section = world.run(&["explain", "store.rights", "-o", "json"]).ends(0).json();
    assert_eq!(section["settings"].as_array().unwrap().len(), 7, "{section}");
    assert_eq!(section["codes"].as_array().unwrap().len(), 0);
    world.run(&["explain", "cluster.maxTokenSecond"]).fails(
        2,
        "explain-unknown",
        &["keyless explain cluster.maxTokenSeconds"],
    );
    world.run(&["explain"]).ends(0).says("\nSettings\n").says("  cluster.maxTokenSeconds ");
}

#[test]
fn explain_reads_no_settings() {
    let world = World::new(1);
    fs::write(world.dir.path().join("keyless.yaml"), "nonsense: [").unwrap();
    world.run(&["explain", "dns"]).ends(0);
    assert!(world.cluster.server(0).faults().requests().is_empty());
}

#[test]
fn raised_code_is_explained() {
    let world = World::new(1);
    let ran = world.run(&["publish", "-o", "json"]).ends(2).json();
    let code = ran["error"]["code"].as_str().unwrap();
    world.run(&["explain", code]).ends(0).says(code).says("bucket.url");
}

#[test]
fn yaml_has_what_json_has() {
    let world = World::new(1);
    for arguments in
        [&["explain", "bucket-forbidden"][..], &["version"], &["config", "view", "--all"], &["keys"]]
    {
        let run = |format: &str| world.run(&[arguments, &["-o", format]].concat());
        let (json, yaml) = (run("json"), run("yaml"));
        assert!(yaml.out.starts_with("---\n"), "{arguments:?}: {}", yaml.out);
        assert_eq!(serde_saphyr::from_str::<Value>(&yaml.out).unwrap(), json.json(), "{arguments:?}");
    }
    world.run(&["explain", "bucket-forbidden", "-o", "yaml"]).ends(0).snapshot("explain-yaml");
}
