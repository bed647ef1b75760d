//! `fixtures/audit-cloud/aws-trust`: what a file is called says whom its policy lets in.

use std::path::Path;

use serde_json::json;

use super::*;
use crate::federation::cloud::tests::{fixtures, sort_of};

const ISSUER: &str = "https://oidc.lab.test/prod";

fn role(name: &str) -> RoleArn {
    RoleArn {
        text: format!("arn:aws:iam::111122223333:role/path/{name}"),
        account: "111122223333".into(),
        name: name.into(),
    }
}

fn own<'a>(roles: &'a [&'a RoleArn]) -> Own<'a> {
    Own { issuer: Some(ISSUER), roles }
}

#[test]
fn trust_policies_are_judged() {
    let mut seen = [0; 3];
    for (name, policy) in fixtures("aws-trust") {
        let found = admits(&policy, By::Token, own(&[]));
        // Without the issuer, no ServiceAccount is known to be one of this cluster.
        let without = admits(&policy, By::Token, Own { issuer: None, roles: &[] });
        assert_eq!(without == Admits::Named, name == "named-nobody", "{name}");
        seen[sort_of(&name, &found)] += 1;
    }
    assert!(seen[0] >= 5 && seen[1] + seen[2] > 3 * seen[0], "{seen:?}");
}

#[test]
fn role_after_login_names_roles() {
    let of = |principal: &str| json!({"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": principal}}});
    let (first, other) = (role("first"), role("other"));
    let (named, others) = ([&other, &first], [&other]);
    for arn in
        ["arn:aws:iam::111122223333:role/path/first", "arn:aws:sts::111122223333:assumed-role/first/session"]
    {
        assert_eq!(admits(&of(arn), By::Login, own(&named)), Admits::Named, "{arn}");
        assert!(matches!(admits(&of(arn), By::Token, own(&named)), Admits::More(_)), "{arn}");
        // No store becomes it.
        for roles in [&others[..], &[]] {
            let Admits::More(who) = admits(&of(arn), By::Login, own(roles)) else { panic!("{arn}") };
            assert!(who.ends_with("which no store becomes"), "{who}");
        }
    }
    for arn in [
        "*",
        "111122223333",
        "arn:aws:iam::111122223333:role/first",
        "arn:aws:iam::999988887777:role/path/first",
        "arn:aws:sts::999988887777:assumed-role/first/session",
        "arn:aws:sts::111122223333:assumed-role/firsts/session",
        "arn:aws:sts::111122223333:assumed-role/first",
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::111122223333:user/role/first",
        "arn:aws:iam::*:role/first",
        "arn:aws:s3::111122223333:role/first",
        "AIDAJQABLZS4A3QDU576Q",
    ] {
        assert!(matches!(admits(&of(arn), By::Login, own(&named)), Admits::More(_)), "{arn}");
    }
}

/// AWS leaves out the scheme, and each other byte is compared.
#[test]
fn another_issuer_is_more() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/audit-cloud/aws-trust");
    let policy = std::fs::read(folder.join("named-one-account.json")).unwrap();
    let policy: Value = serde_json::from_slice(&policy).unwrap();
    let with = |issuer| admits(&policy, By::Token, Own { issuer, roles: &[] });
    assert_eq!(with(Some(ISSUER)), Admits::Named);
    assert!(matches!(with(None), Admits::NotKnown(_)));
    for issuer in
        ["https://oidc.lab.test/prod/", "https://oidc.lab.test/PROD", "https://oidc.lab.test", "", "https://"]
    {
        let Admits::More(who) = with(Some(issuer)) else { panic!("{issuer}") };
        assert!(who.starts_with("ServiceAccounts of another issuer"), "{who}");
    }
}

#[test]
fn what_a_policy_says_is_escaped() {
    let policy = json!({"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": "arn:\u{1b}[2J"}}});
    let Admits::More(who) = admits(&policy, By::Token, own(&[])) else { panic!() };
    assert!(!who.contains('\u{1b}'), "{who:?}");
}
