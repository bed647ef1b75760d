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
        &["`keyless explain` lists all codes"],
    );
    world.run(&["explain", ""]).fails(2, "explain-unknown", &[]);
    world.run(&["explain", "bucket-forbidden", "dns"]).ends(2);
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
