//! From a stored access key to none, and back.

use std::io::Write;

use lab::Aws;
use serde_json::json;

use super::{ACCOUNT, PROVIDER, RETIRE, SETUP, SUBJECT, Scene};
use crate::{terminal::Terminal, world::Ran};

#[test]
fn stored_access_key_becomes_none() {
    let scene = Scene::new();
    scene.run(&["audit"]).ends(1).says("1 LONG-LIVED credential");
    scene.run(&["setup", "--dry-run", "--to", "aws"]).ends(1).snapshot("plan-aws");
    assert_eq!(scene.writes(), Vec::<String>::new(), "a dry run writes nothing");
    scene.is_untouched("a dry run changes nothing");

    scene.ends_well();
    assert_eq!(
        scene.store()["spec"]["conditions"],
        scene.before["spec"]["conditions"],
        "who may use it stays"
    );
    let account =
        scene.world.cluster.object("v1", "ServiceAccount", Some("external-secrets"), ACCOUNT).unwrap();
    let role = scene.role().unwrap();
    assert_eq!(account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"], role["Arn"]);
    let trust = &role["AssumeRolePolicyDocument"]["Statement"][0]["Condition"];
    assert_eq!(
        trust,
        &json!({"StringEquals": {
            (format!("{PROVIDER}:aud")): "sts.amazonaws.com", (format!("{PROVIDER}:sub")): SUBJECT}})
    );
    assert_eq!(role["Tags"], json!({"keyless": scene.mark()}));
    // The application gets a value that was written after the key was disabled.
    scene.aws.put_secret("db", r#"{"password":"second"}"#);
    scene.until_password("second");
    scene.run(&["setup", "--dry-run", "--to", "aws"]).ends(0);
    let before = scene.writes();
    scene.run(&SETUP).ends(0);
    assert_eq!(scene.writes(), before, "the second run writes nothing");
    scene.run(&["verify"]).ends(0);

    scene.run(&["setup", "--dry-run", "--to", "aws", "--retire-key"]).ends(1).snapshot("plan-aws-retire-key");
    scene.run(&RETIRE).ends(0);
    assert_eq!((scene.aws.key_is_active(&scene.key_id), scene.secret_is_there()), (None, false));
    scene.run(&["setup", "--dry-run", "--to", "aws", "--retire-key"]).ends(0);
    scene.run(&["audit"]).ends(0).says("ZERO");
    scene.run(&["verify"]).ends(0).says(&scene.role_name());
    scene.aws.put_secret("db", r#"{"password":"third"}"#);
    scene.until_password("third");
}

/// The account that a person types counts for the old key in the same run.
#[test]
fn typed_account_proves_old_key() {
    let scene = Scene::new();
    let file = scene.world.dir.path().join("keyless.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let account = format!("  account: '{}'\n", Aws::account());
    assert!(text.contains(&account), "{text}");
    std::fs::write(&file, text.replace(&account, "")).unwrap();
    // No one is there to ask.
    scene.run(&SETUP).fails(2, "setting-missing", &["aws.account"]);
    scene.is_untouched("no account is named");
    let mut command =
        scene.command(&scene.administrator, &["setup", "--watch-for", "0s", "--to", "aws", "--retire-key"]);
    let mut terminal = Terminal::of(&mut command);
    write!(terminal, "{}\nyes\nyes\nyes\n", Aws::account()).unwrap();
    let ran = Ran::of(&mut command).ends(0);
    assert!(ran.err.contains("AWS account ID?"), "{}", ran.err);
    assert_eq!((scene.aws.key_is_active(&scene.key_id), scene.secret_is_there()), (None, false));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(Aws::account()), "{text}");
}

#[test]
fn teardown_leaves_nothing_at_aws() {
    let scene = Scene::new();
    scene.run(&RETIRE).ends(0);
    scene.run(&["teardown", "--dry-run"]).ends(1).snapshot("plan-aws-teardown");
    assert!(scene.role().is_some(), "a dry run removes nothing");
    scene.run(&["teardown", "--yes"]).ends(0);
    assert_eq!((scene.aws.roles(), scene.aws.providers()), (Vec::<String>::new(), Vec::new()));
    let account = scene.world.cluster.object("v1", "ServiceAccount", Some("external-secrets"), ACCOUNT);
    assert!(account.is_none(), "the identity that it made is gone");
    scene.run(&["teardown", "--dry-run"]).ends(0).says("nothing to remove");
}

/// Other roles of the account trust the issuer as well: it stays for them.
#[test]
fn provider_used_elsewhere_stays_after_teardown() {
    let scene = Scene::new();
    scene.ends_well();
    let trust = scene.role().unwrap()["AssumeRolePolicyDocument"].to_string();
    scene.create_role("of-somebody", &trust);
    scene.run(&["teardown", "--yes"]).ends(0).says("of-somebody");
    assert_eq!(scene.aws.roles(), ["of-somebody"]);
    assert_eq!(scene.aws.providers(), [PROVIDER]);
}

/// IAM lets roles lie in paths, and keyless makes none there; another cluster's issuer may begin as this one's.
#[test]
fn roles_of_others_hinder_no_teardown() {
    let scene = Scene::new();
    scene.run(&RETIRE).ends(0);
    let trust = scene.role().unwrap()["AssumeRolePolicyDocument"].to_string();
    let named =
        [("RoleName", "in-a-path"), ("AssumeRolePolicyDocument", trust.as_str()), ("Path", "/teams/a/")];
    scene.iam("CreateRole", &named);
    for arguments in [&["teardown", "--unused", "--yes"][..], &["teardown", "--unused", "--dry-run"]] {
        let ran = scene.run(arguments).ends(0).says("nothing to remove");
        assert!(!ran.err.contains("in-a-path"), "{}", ran.err);
    }
    // It logs in through the provider all the same, which stays for it.
    scene.run(&["teardown", "--yes"]).ends(0).says("in-a-path");
    assert_eq!((scene.aws.roles(), scene.aws.providers()), (vec!["in-a-path".into()], vec![PROVIDER.into()]));

    // Written in another form than keyless writes it.
    let scene = Scene::new();
    scene.run(&RETIRE).ends(0);
    let other = trust_of_two(&format!("{PROVIDER}-2"), &format!("{PROVIDER}/eu"));
    scene.create_role("of-prod-2", &other);
    let ran = scene.run(&["teardown", "--yes"]).ends(0);
    assert!(!format!("{}{}", ran.out, ran.err).contains("of-prod-2"), "{}{}", ran.out, ran.err);
    assert_eq!((scene.aws.roles(), scene.aws.providers()), (vec!["of-prod-2".into()], vec![]));
}

/// A trust policy of two statements, one for each issuer.
fn trust_of_two(one: &str, other: &str) -> String {
    let statement = |issuer: &str| {
        let arn = format!("arn:aws:iam::{}:oidc-provider/{issuer}", Aws::account());
        json!({"Effect": "Allow", "Principal": {"Federated": arn}, "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {format!("{issuer}:aud"): "sts.amazonaws.com"}}})
    };
    json!({"Version": "2012-10-17", "Statement": [statement(one), statement(other)]}).to_string()
}

/// The store logs in with another ServiceAccount by now: its old role goes, and nothing that keyless did not make.
#[test]
fn unused_role_goes_alone() {
    let scene = Scene::new();
    scene.run(&RETIRE).ends(0);
    let trust = scene.role().unwrap()["AssumeRolePolicyDocument"].to_string();
    scene.create_role("of-somebody", &trust);
    scene.run(&["teardown", "--unused", "--yes"]).ends(0).says("nothing to remove");
    let mut store = scene.store();
    store["spec"]["provider"]["aws"]["auth"]["jwt"]["serviceAccountRef"]["name"] = json!("of-somebody");
    scene.world.cluster.put_object(store);
    let ran = scene.run(&["teardown", "--unused", "--dry-run"]).ends(1);
    assert!(ran.out.contains(&format!("- delete  role {}", scene.role_name())), "{}", ran.out);
    // Roles that cannot be listed are no reason to say that nothing is left.
    scene.aws.deny("iam:ListRoles");
    let denied = scene.run(&["teardown", "--unused", "--yes"]).ends(3);
    assert!(denied.err.contains("iam:ListRoles") && scene.role().is_some(), "{}", denied.err);
    scene.aws.allow("iam:ListRoles");
    scene.run(&["teardown", "--unused", "--yes"]).ends(0);
    assert_eq!(
        (scene.aws.roles(), scene.aws.providers()),
        (vec!["of-somebody".to_owned()], vec![PROVIDER.to_owned()])
    );
    let account = scene.world.cluster.object("v1", "ServiceAccount", Some("external-secrets"), ACCOUNT);
    assert!(account.is_none(), "the identity that it made is gone");
}
