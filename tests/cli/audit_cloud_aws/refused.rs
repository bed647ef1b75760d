//! What is not zero although nothing was found at AWS: other accounts, planted names, other answers, missing rights.

use super::*;

/// A user of that name is in each account that has one.
#[test]
fn user_of_unnamed_account_is_incomplete() {
    let scene = Scene::zero();
    scene.estate.world.cluster.put_object(json!({"apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "reader", "namespace": "external-secrets"}}));
    scene.aws.user("eso", json!({"Statement": []}));
    for key in scene.aws.keys_of("eso") {
        scene.aws.delete_key(&key);
    }
    let cloud = || scene.cloud_as(&scene.administrator, &["--config", "keyless.yaml"]);
    scene.estate.settings("aws:\n  keyUser: eso");
    cloud().ends(3).says("INCOMPLETE").says("set aws.account");
    scene.estate.settings(&format!("aws:\n  keyUser: eso\n  account: '{}'", Aws::account()));
    cloud().ends(0).says("ZERO (cluster + consumption + cloud)");
}

/// What a tenant writes decides what is asked for, never where, nor with which credential.
#[test]
fn planted_names_are_not_zero() {
    let scene = Scene::zero();
    scene.account("arn:aws:iam::999988887777:role/eso");
    scene.cloud().ends(3).says("INCOMPLETE").says("it is of the account 999988887777");
    scene.account(&format!("arn:aws:iam::{}:role/x/../eso", Aws::account()));
    scene.cloud().ends(3).says("INCOMPLETE");
    scene.account("arn:aws:iam::evil.example:role/eso");
    scene.cloud().ends(3).says("is not the ARN of an IAM role");
    let arn = format!("arn:aws:iam::{}:role/eso", Aws::account());
    scene.account(&arn);
    scene.cloud().ends(0);
    for region in ["evil.example/", "cn-north-1", "us-iso-east-1", "eu-central-1.evil.example"] {
        scene.store(
            "planted",
            &json!({"region": region, "auth": {"jwt": {
            "serviceAccountRef": {"name": "reader", "namespace": "external-secrets"}}}}),
        );
        let ran = scene.cloud().ends(3);
        assert!(ran.out.contains("it is in no region of the partition aws"), "{region}: {}", ran.out);
    }
    scene.store("planted", &json!({"auth": {}}));
    scene.cloud().ends(3).says("the login of the operator's own pod");
    // The key of another account: it is counted where it lies, and nothing about it is known.
    let foreign = scene.aws.foreign_key("999988887777");
    scene.key("aws-key", &foreign, &"aB3/+".repeat(8));
    scene.store("planted", &by_key("aws-key"));
    let report = scene.report(1);
    assert_eq!((&report["complete"], &report["count"]), (&json!(false), &json!(1)), "{report}");
    assert!(report["notSeen"].to_string().contains("999988887777"), "{report}");
    // What has not the form of a key's ID is not asked for.
    scene.key("aws-key", "AKIA&Action=DeleteUser", &"aB3/+".repeat(8));
    let report = scene.report(1);
    assert_eq!(report["complete"], json!(false), "{report}");
    scene.asked_as("administrator");
    assert!(
        scene.aws.heard().iter().all(|call| !call.form.values().any(|value| value.contains("DeleteUser")))
    );
}

#[test]
fn other_answers_are_not_believed() {
    let (scene, key) = Scene::stored();
    for (from, to) in [
        ("<IsTruncated>false", "<IsTruncated>perhaps"),
        ("<IsTruncated>false", "<IsTruncated>true"),
        ("<Status>Active", "<Status>Expired"),
        ("<UserName>eso</UserName><AccessKeyId>", "<UserName>other</UserName><AccessKeyId>"),
        ("<UserName>eso</UserName><AccessKeyLastUsed>", "<AccessKeyLastUsed>"),
        ("<member>", "<entry>"),
        ("AccessKeyMetadata", "Users"),
    ] {
        scene.aws.change(|settings| settings.swapped = Some((from.to_owned(), to.to_owned())));
        let report = scene.report(1);
        assert_eq!(report["complete"], json!(false), "{from} → {to}: {report}");
    }
    // The list of another key than the one that it was asked for.
    let other = key.access_key_id.replace("AKIA", "AKIB");
    let (from, to) = (format!("<AccessKeyId>{}", key.access_key_id), format!("<AccessKeyId>{other}"));
    scene.aws.change(|settings| settings.swapped = Some((from, to)));
    assert_eq!(scene.report(1)["complete"], json!(false));
    scene
        .aws
        .change(|settings| settings.swapped = Some((":role/eso</Arn>".into(), ":role/other</Arn>".into())));
    scene.store("gcp", &by_token());
    scene.estate.world.cluster.remove_object("v1", "Secret", Some("external-secrets"), "aws-key");
    scene.cloud().ends(3).says("it is about another role");
}

#[test]
fn login_of_another_account_asks_nothing() {
    let scene = Scene::zero();
    scene.estate.settings("aws:\n  account: '999988887777'");
    let ran = scene.cloud_as(&scene.administrator, &["--config", "keyless.yaml"]).ends(3);
    assert!(ran.out.contains("aws.account is 999988887777"), "{}", ran.out);
    let asked: Vec<_> = scene.aws.heard().into_iter().map(|call| call.action).collect();
    assert!(asked.iter().all(|action| action == "sts:GetCallerIdentity"), "{asked:?}");
    // Without any login nothing is sent.
    let before = scene.aws.heard().len();
    let mut command = scene.estate.world.command(&["audit", "--cloud", "--ca-file", "ca.pem"]);
    let ran = Ran::of(command.env("AWS_EC2_METADATA_DISABLED", "true")).ends(3);
    assert!(ran.out.contains("aws sso login"), "{}", ran.out);
    assert_eq!(scene.aws.heard().len(), before);
    // A login that AWS does not know.
    let unknown = Credentials { secret_access_key: "x".repeat(40), ..scene.administrator.clone() };
    scene.cloud_as(&unknown, &[]).ends(3).says("INCOMPLETE");
}

#[test]
fn rendered_rights_suffice_missing_are_named() {
    let (scene, _) = Scene::stored();
    scene.store("keyless", &by_token());
    let rights = ["iam:GetAccessKeyLastUsed", "iam:GetRole", "iam:ListAccessKeys"];
    let rendered =
        scene.estate.world.run(&["render", "rbac", "--for", "audit", "--cloud", "aws"]).ends(0).out;
    let policy = &rendered[rendered.find('\'').unwrap() + 1..rendered.rfind('\'').unwrap()];
    let policy: Value = serde_json::from_str(policy).unwrap();
    for right in rights {
        assert!(policy["Statement"][0]["Action"].as_array().unwrap().contains(&json!(right)), "{rendered}");
    }
    let other = scene.aws.user("other", json!({"Statement": []}));
    let ran = scene.cloud_as(&other, &[]);
    let warning = ran.err.lines().find(|line| line.contains("the login at aws lacks: ")).unwrap_or_default();
    for right in ["iam:GetAccessKeyLastUsed", "iam:GetRole"] {
        assert!(warning.contains(right), "{}", ran.err);
    }
    let granted = scene.aws.user("granted", policy);
    let report = scene.cloud_as(&granted, &["-o", "json"]).ends(1).json();
    assert_eq!(report["complete"], json!(true), "{report}");
}

/// As docs/audit.md names them.
#[test]
fn documented_rights_are_enough_and_needed() {
    let (scene, _) = Scene::stored();
    scene.store("keyless", &by_token());
    let rights = ["iam:GetAccessKeyLastUsed", "iam:GetRole", "iam:ListAccessKeys"];
    let page = std::fs::read_to_string("docs/audit.md").unwrap();
    for right in rights {
        assert!(page.contains(&format!("`{right}`")), "docs/audit.md lacks {right}");
    }
    let auditor = scene
        .aws
        .user("auditor", json!({"Statement": {"Effect": "Allow", "Action": rights, "Resource": "*"}}));
    let report = scene.cloud_as(&auditor, &["-o", "json"]).ends(1).json();
    assert_eq!((&report["complete"], &report["count"]), (&json!(true), &json!(1)), "{report}");
    scene.asked_as("auditor");
    for missing in rights {
        let fewer: Vec<_> = rights.into_iter().filter(|right| *right != missing).collect();
        let user = format!("without-{}", &missing[4..]);
        let login = scene
            .aws
            .user(&user, json!({"Statement": {"Effect": "Allow", "Action": fewer, "Resource": "*"}}));
        let report = scene.cloud_as(&login, &["-o", "json"]).ends(1).json();
        assert_eq!(report["complete"], json!(false), "{missing}: {report}");
        assert!(report["notSeen"].to_string().contains(missing), "{missing}: {report}");
    }
}
