//! What README and the pages of `docs/` show must be true for the program.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Name and text of every page for users.
fn pages() -> Vec<(String, String)> {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|it| it == "md"));
    let mut paths: Vec<_> =
        docs.chain(["README.md", "CONTRIBUTING.md"].map(|page| root().join(page))).collect();
    paths.sort();
    paths.iter().map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn undocumented_flag_is_refused() {
    let run = Command::new(env!("CARGO_BIN_EXE_keyless"))
        .args(["setup", "--no-such-flag", "--help"])
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(2));
}

#[test]
fn documented_settings_are_accepted() {
    let page = fs::read_to_string(root().join("docs/settings.md")).unwrap();
    let blocks: Vec<_> = page.split("```yaml\n").skip(1).collect();
    let [block] = blocks.as_slice() else { panic!("{} blocks of settings", blocks.len()) };
    let text = block.split("```").next().unwrap();
    let dir = tempfile::tempdir().unwrap();
    for name in ["ca.pem", "bao-ca.pem"] {
        let ca = lab::Ca::new();
        fs::write(dir.path().join(name), ca.pem()).unwrap();
    }
    fs::write(dir.path().join("keyless.yaml"), text).unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_keyless"))
        .args(["render", "issuer", "--distro", "k3s", "--config", "keyless.yaml"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

/// Every name of a property in the schema, wherever it is.
fn properties(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get("properties") {
                names.extend(properties.keys().cloned());
            }
            members.values().for_each(|member| properties(member, names));
        }
        Value::Array(items) => items.iter().for_each(|item| properties(item, names)),
        _ => {}
    }
}

#[test]
fn every_setting_is_documented() {
    let run = Command::new(env!("CARGO_BIN_EXE_keyless")).args(["config", "schema"]).output().unwrap();
    let mut names = BTreeSet::new();
    properties(&serde_json::from_slice(&run.stdout).unwrap(), &mut names);
    assert!(names.len() > 30, "{names:?}");
    let page = fs::read_to_string(root().join("docs/settings.md")).unwrap();
    let missing: Vec<_> = names.iter().filter(|name| !page.contains(&format!("{name}:"))).collect();
    assert!(missing.is_empty(), "docs/settings.md does not show {missing:?}");
}

#[test]
fn every_command_is_documented() {
    let run = Command::new(env!("CARGO_BIN_EXE_keyless")).arg("--help").output().unwrap();
    let help = String::from_utf8(run.stdout).unwrap();
    let listed = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names: Vec<_> =
        listed.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    let names: Vec<_> = names.into_iter().filter(|name| !matches!(*name, "" | "help")).collect();
    assert!(names.len() >= 7, "{names:?}");
    let page = fs::read_to_string(root().join("docs/commands.md")).unwrap();
    let missing: Vec<_> = names.iter().filter(|name| !page.contains(&format!("| `keyless {name}"))).collect();
    assert!(missing.is_empty(), "docs/commands.md does not list {missing:?}");
}

/// The places of a page that a link can name, as forges and mdBook derive them from its headings.
fn places(page: &str) -> BTreeSet<String> {
    let mut is_code = false;
    let headings = page.lines().filter(|line| {
        is_code ^= line.trim_start().starts_with("```");
        !is_code && line.starts_with('#')
    });
    let kept = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    headings.map(|line| line.trim_start_matches('#').trim().chars().filter_map(kept).collect()).collect()
}

#[test]
fn links_between_pages_lead_to_places() {
    let mut count = 0;
    for (page, text) in pages() {
        let folder = PathBuf::from(&page).parent().unwrap().to_owned();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://")) {
            let (path, place) = link.split_once('#').unwrap_or((link, ""));
            let file = if path.is_empty() { PathBuf::from(&page) } else { folder.join(path) };
            assert!(file.is_file(), "{page}: {link}");
            let is_place = place.is_empty() || places(&fs::read_to_string(&file).unwrap()).contains(place);
            assert!(is_place, "{page}: no such place: {link}");
            count += 1;
        }
    }
    assert!(count > 150, "{count} links");
}

#[test]
fn every_page_is_in_the_site() {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let docs = root().join("docs").display().to_string() + "/";
    let names: Vec<_> =
        pages().iter().filter_map(|(page, _)| page.strip_prefix(&docs).map(str::to_owned)).collect();
    assert!(names.len() > 30, "{names:?}");
    for name in names.iter().filter(|name| *name != "SUMMARY.md") {
        assert!(summary.contains(&format!("]({name})")), "docs/SUMMARY.md lacks {name}");
    }
}

#[test]
fn readme_is_short() {
    let lines = fs::read_to_string(root().join("README.md")).unwrap().lines().count();
    assert!(lines <= 150, "{lines} lines: long matter goes to docs/");
}
