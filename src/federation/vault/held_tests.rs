use super::*;
use crate::federation::{RIGHT_KINDS, further, reads};

fn shown_of(policy: &str) -> Option<String> {
    held(policy).map(|held| shown(&held))
}

#[test]
fn what_is_given_is_read_back() {
    for kv in ["kv", "team/kv"] {
        for kind in RIGHT_KINDS {
            for on in ["", "db", "team/db", "a.b@c/data/x"] {
                let all: BTreeSet<_> = [Right::new(kind, on)].into();
                let Ok(given) = gives(&all, kv) else { continue };
                let text = PathRules::of(&all, kv).unwrap().to_text();
                assert_eq!(held(&text), Some(given), "{kind:?} {on} {text}");
            }
        }
    }
}

#[test]
fn only_rules_of_own_form_count() {
    let read = |path: &str| format!("path \"{path}\" {{ capabilities = [\"read\", \"sudo\", \"list\"] }}");
    for path in [
        "kv/data/*",
        "kv/data/team/*",
        "kv/+/db",
        "kv/data/+/db",
        "*",
        "sys/data/db",
        "auth/token/lookup-self",
        "sys/capabilities-self",
        "identity/data/db",
        "kv/data/{{identity.entity.id}}",
        "kv/data/../db",
        "kv/data/",
        "/data/db",
        "kv/db",
        "kv/metadata/te*am",
        "k*/metadata/*",
    ] {
        assert_eq!(shown_of(&read(path)), Some(String::new()), "{path}");
    }
    assert_eq!(shown_of(&read("kv/data/db")).unwrap(), "kv/data/db (read)");
    assert_eq!(shown_of(&read("kv/metadata/*")).unwrap(), "kv/metadata/* (list, read)");
    assert_eq!(shown_of(&read("kv/metadata/team/*")).unwrap(), "kv/metadata/team/* (list, read)");
    // A rule that says more is another user's.
    let more = "path \"kv/data/db\" { capabilities = [\"read\"] min_wrapping_ttl = \"1s\" }";
    assert_eq!(shown_of(more), Some(String::new()));
    let denied = "path \"kv/data/db\" { capabilities = [\"deny\"] }";
    assert_eq!(shown_of(denied), Some(String::new()));
}

#[test]
fn commented_rule_gives_nothing() {
    let rule = "path \"kv/data/db\" { capabilities = [\"read\"] }";
    let other = "path\"kv/data/api\"{capabilities=[\"read\",]}";
    for text in [
        format!("# {rule}\n{other}"),
        format!("// {rule}\n{other}"),
        format!("/* {rule}\n*/ {other} # {rule}"),
        format!("name \"x\" {{ {rule} }}\n{other}"),
    ] {
        assert_eq!(shown_of(&text).unwrap(), "kv/data/api (read)", "{text}");
    }
}

#[test]
fn malformed_policy_is_not_read() {
    for text in [
        "path \"kv/data/db\" {",
        "path \"kv/data/db\"",
        "path \"kv/data/db { capabilities = [] }",
        "/* open",
        "a = <<EOF\nEOF",
        "name = \"x\"",
        "{\"path\": {}}",
        "}",
        "path \"kv/data/\\u0061\" { capabilities = [\"read\"] }",
        "\u{fc}",
    ] {
        assert_eq!(held(text), None, "{text}");
    }
    for text in ["", "\n", "# managed by keyless", "# only\r\n# comments\n\n"] {
        assert_eq!(held(text), Some(BTreeSet::new()), "{text:?}");
    }
}

#[test]
fn other_engine_is_never_taken_back() {
    let has = gives(&reads(&["db", "api", "old"]), "kv").unwrap();
    let other = gives(&reads(&["db"]), "team").unwrap();
    let has: BTreeSet<_> = has.into_iter().chain(other.clone()).collect();
    let rules = |workload: &Workload| {
        let (rules, kept) = rules_of(workload, "kv", &has).unwrap();
        (rules.to_text().matches("path ").count(), shown(&kept))
    };
    let plain = further("shop/b", &["db"]);
    assert_eq!(rules(&plain), (4, "kv/data/api (read), kv/data/old (read), team/data/db (read)".to_owned()));
    let unused = plain.asking(reads(&["api"]), true);
    assert_eq!(rules(&unused), (3, "kv/data/api (read), team/data/db (read)".to_owned()));
}
