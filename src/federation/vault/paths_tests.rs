//! Whatever a secret is called: a policy names it, and nothing else.

use super::*;
use crate::federation::RIGHT_KINDS;

#[test]
fn names_are_read_like_the_operator() {
    for (text, path) in [
        ("db", "db"),
        ("team/db", "team/db"),
        ("/db", "db"),
        ("kv/db", "db"),
        ("kv/data/db", "db"),
        ("kv/data", "data"),
        ("data/db", "data/db"),
        ("kvx/db", "kvx/db"),
    ] {
        assert_eq!(SecretPath::of(text, "kv").unwrap().as_str(), path, "{text}");
    }
    for (text, folder) in
        [("", ""), ("team", "team/"), ("team/a/", "team/a/"), ("kv/team", "team/"), ("/", "")]
    {
        assert_eq!(Folder::of(text, "kv").unwrap().as_str(), folder, "{text}");
    }
}

#[test]
fn each_right_takes_its_own_paths() {
    let text = |kind| PathRules::of([&Right::new(kind, "team/db")], "kv").unwrap().to_text();
    let data = |list: &str| format!("\npath \"kv/data/team/db\" {{\n  capabilities = [{list}]\n}}");
    let metadata = |list: &str| format!("\npath \"kv/metadata/team/db\" {{\n  capabilities = [{list}]\n}}");
    let below = |list: &str| format!("\npath \"kv/metadata/team/db/*\" {{\n  capabilities = [{list}]\n}}");
    let writes = r#""create", "read", "update""#;
    for (kind, expected) in [
        (RightKind::Read, data("\"read\"")),
        (RightKind::Metadata, metadata("\"read\"")),
        (RightKind::Versions, String::new()),
        (RightKind::Find, below("\"list\"")),
        (RightKind::FindByTags, below(r#""list", "read""#)),
        (RightKind::Push, data(writes) + &metadata(writes)),
        (RightKind::Update, metadata(writes)),
        (RightKind::Delete, data(r#""delete", "read", "update""#) + &metadata(r#""delete", "read""#)),
    ] {
        assert_eq!(text(kind), expected, "{kind:?}");
    }
    let both =
        [Right::read("db"), Right::new(RightKind::Push, "db"), Right::new(RightKind::Delete, "/kv/data/db")];
    assert!(PathRules::of(&both, "kv").is_ok_and(|rules| rules.to_text().matches("path \"").count() == 4));
}

/// Names of the characters that mean something in HCL, in a policy, or in a URL, and of some that do not.
fn names() -> Vec<String> {
    let alphabet: Vec<char> = "ab/.*+\"{}\\#?% \n\t\0'`$@:=~-_é\u{202e},;[]()&|<>^!".chars().collect();
    // A linear congruential generator (Knuth): the same names every time.
    let mut state: u64 = 42;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut names: Vec<String> =
        (0..20_000).map(|_| (0..=next(7)).map(|_| alphabet[next(alphabet.len())]).collect()).collect();
    names.extend(
        [
            "*",
            "+",
            "team/+/db",
            "team/*",
            "db\" { } path \"x",
            "{{identity.entity.id}}",
            "a//b",
            "../x",
            "..",
            ".",
            "",
            "a b",
            "a\nb",
        ]
        .map(str::to_owned),
    );
    names
}

/// What a policy says, read by other means than it is written: lines of one form, and nothing else.
fn reply(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut lines = text.lines().skip(1);
    while let Some(line) = lines.next() {
        let path = line.strip_prefix("path \"").and_then(|rest| rest.strip_suffix("\" {"));
        paths.push(path.unwrap_or_else(|| panic!("{line:?}")).to_owned());
        assert!(lines.next().is_some_and(|line| line.starts_with("  capabilities = [\"")), "{text:?}");
        assert_eq!(lines.next(), Some("}"), "{text:?}");
    }
    paths
}

#[test]
fn no_name_opens_more_than_itself() {
    let mut built = 0;
    for name in names() {
        for kind in RIGHT_KINDS {
            let right = Right::new(kind, name.clone());
            let Ok(rules) = PathRules::of([&right], "kv") else { continue };
            let text = rules.to_text();
            for path in reply(&text) {
                built += 1;
                let rest = path.strip_prefix("kv/data/").or_else(|| path.strip_prefix("kv/metadata/"));
                let rest = rest.unwrap_or_else(|| panic!("{path} for {name:?}"));
                // A search has its wildcard at the very end.
                let rest = if kind.is_search() { rest.strip_suffix('*').unwrap() } else { rest };
                assert!(!rest.contains(['*', '+', '{', '}', '"', '\\', '\n']), "{path:?} for {name:?}");
                assert!(!rest.split('/').any(|part| part == ".." || part == "."), "{path:?} for {name:?}");
                assert!(
                    rest.is_empty() && kind.is_search() || name.contains(rest.trim_end_matches('/')),
                    "{path:?} for {name:?}"
                );
            }
        }
    }
    assert!(built > 1000, "some of the names are good ones: {built}");
}
