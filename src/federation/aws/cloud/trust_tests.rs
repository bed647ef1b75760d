//! `fixtures/audit-cloud/aws-trust`: what a file is called says whom its policy lets in.

use std::path::Path;

use serde_json::json;

use super::*;

#[test]
fn trust_policies_are_judged() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/audit-cloud/aws-trust");
    let mut seen = [0; 3];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let policy: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let found = admits(&policy, By::Token);
        let (at, fits) = match name.split('-').next().unwrap() {
            "named" => (0, found == Admits::Named),
            "more" => (1, matches!(found, Admits::More(_))),
            _ => (2, matches!(found, Admits::NotKnown(_))),
        };
        assert!(fits, "{name}: {found:?}");
        seen[at] += 1;
    }
    assert!(seen[0] >= 5 && seen[1] + seen[2] > 3 * seen[0], "{seen:?}");
}

#[test]
fn role_after_login_names_roles() {
    let of = |principal: &str| json!({"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": principal}}});
    for arn in
        ["arn:aws:iam::111122223333:role/first", "arn:aws:sts::111122223333:assumed-role/first/session"]
    {
        assert_eq!(admits(&of(arn), By::Login), Admits::Named, "{arn}");
        assert!(matches!(admits(&of(arn), By::Token), Admits::More(_)), "{arn}");
    }
    for arn in [
        "*",
        "111122223333",
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::111122223333:user/role/first",
        "arn:aws:iam::*:role/first",
        "arn:aws:s3::111122223333:role/first",
        "AIDAJQABLZS4A3QDU576Q",
    ] {
        assert!(matches!(admits(&of(arn), By::Login), Admits::More(_)), "{arn}");
    }
}

#[test]
fn what_a_policy_says_is_escaped() {
    let policy = json!({"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": "arn:\u{1b}[2J"}}});
    let Admits::More(who) = admits(&policy, By::Token) else { panic!() };
    assert!(!who.contains('\u{1b}'), "{who:?}");
}
