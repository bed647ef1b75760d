//! Every reason that stops it: named, with its remedy and the old path untouched; and once fixed, it ends well.

use lab::{Aws, Web};
use serde_json::{Value, json};

use super::{ACCOUNT, PROVIDER, RETIRE, SETUP, SUBJECT, Scene};
use crate::world::{ISSUER, Ran};

const DRY: [&str; 4] = ["setup", "--dry-run", "--to", "aws"];
const CLIENT: &str = "sts.amazonaws.com";

impl Scene {
    /// Setup does not come to its end, and nothing that reads today was changed.
    #[track_caller]
    fn refuses(&self, exit: i32, code: &str, names: &[&str]) -> Ran {
        let ran = self.run(&SETUP).fails(exit, code, names);
        self.is_untouched(code);
        ran
    }

    /// Documents that are public before IAM looks at them.
    fn publish(&self) {
        self.run(&["publish"]).ends(0);
    }

    fn create_provider(&self, client: &str, mark: Option<&str>) {
        let mut all = vec![("Url", ISSUER), ("ClientIDList.member.1", client)];
        let thumbprint = "0123456789abcdef0123456789abcdef01234567";
        all.push(("ThumbprintList.member.1", thumbprint));
        if let Some(mark) = mark {
            all.extend([("Tags.member.1.Key", "keyless"), ("Tags.member.1.Value", mark)]);
        }
        self.iam("CreateOpenIDConnectProvider", &all);
    }

    fn provider_arn(&self) -> String {
        format!("arn:aws:iam::{}:oidc-provider/{PROVIDER}", Aws::account())
    }

    /// As setup writes it, for this subject.
    fn trust(&self, subject: &str) -> Value {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Federated": self.provider_arn()},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": {
                (format!("{PROVIDER}:aud")): CLIENT, (format!("{PROVIDER}:sub")): subject}}}]})
    }

    fn change_condition(&self, condition: &Value) {
        let condition = condition.clone();
        self.aws.change_trust(&self.role_name(), |trust| trust["Statement"][0]["Condition"] = condition);
    }
}

#[test]
fn foreign_provider_without_client_is_refused() {
    let scene = Scene::new();
    scene.publish();
    scene.create_provider("other", None);
    let before = scene.writes();
    scene
        .refuses(3, "aws-provider-foreign", &[PROVIDER, "add-client-id-to-open-id-connect-provider"])
        .snapshot("error-aws-provider-foreign");
    assert_eq!(scene.writes(), before);
    // As the remedy says.
    let arn = scene.provider_arn();
    let added = [("OpenIDConnectProviderArn", arn.as_str()), ("ClientID", CLIENT)];
    scene.iam("AddClientIDToOpenIDConnectProvider", &added);
    scene.ends_well();
}

/// Another tool's provider that fits is used as it is, thumbprint and all, and is not ours to delete.
#[test]
fn foreign_provider_that_fits_is_used() {
    let scene = Scene::new();
    scene.publish();
    scene.create_provider(CLIENT, None);
    let before = scene.aws.provider(PROVIDER);
    scene.ends_well();
    assert_eq!(scene.aws.provider(PROVIDER), before);
    scene.run(&["teardown", "--yes"]).ends(0);
    assert_eq!((scene.aws.roles(), scene.aws.provider(PROVIDER)), (Vec::new(), before));
}

#[test]
fn own_provider_without_client_is_completed() {
    let scene = Scene::new();
    scene.publish();
    scene.create_provider("other", Some(&scene.mark()));
    let thumbprints = || scene.aws.provider(PROVIDER).unwrap()["ThumbprintList"].clone();
    let before = thumbprints();
    scene.run(&DRY).ends(1).says("clientIds: other → other, sts.amazonaws.com");
    scene.ends_well();
    assert_eq!(scene.aws.provider(PROVIDER).unwrap()["ClientIDList"], json!(["other", CLIENT]));
    assert_eq!(thumbprints(), before);
}

#[test]
fn provider_of_another_cluster_is_refused() {
    let scene = Scene::new();
    scene.publish();
    let other = "managed by keyless in cluster 0f8fad5b-d9cb-469f-a165-70867728950e for its ServiceAccounts";
    scene.create_provider(CLIENT, Some(other));
    scene
        .refuses(3, "aws-other-cluster", &["0f8fad5b-d9cb-469f-a165-70867728950e"])
        .snapshot("error-aws-other-cluster");
    scene.create_tag(&scene.mark());
    scene.ends_well();
}

impl Scene {
    fn create_tag(&self, mark: &str) {
        let arn = self.provider_arn();
        let tag = [("Tags.member.1.Key", "keyless"), ("Tags.member.1.Value", mark)];
        let all = [&[("OpenIDConnectProviderArn", arn.as_str())][..], &tag].concat();
        self.iam("TagOpenIDConnectProvider", &all);
    }
}

#[test]
fn role_of_somebody_else_is_refused() {
    let other = "managed by keyless in cluster 0f8fad5b-d9cb-469f-a165-70867728950e for its ServiceAccounts";
    for (mark, code) in [
        (None, "aws-role-foreign"),
        (Some("terraform"), "aws-role-foreign"),
        (Some(other), "aws-other-cluster"),
        (Some("managed by keyless"), "aws-owner-unknown"),
    ] {
        let scene = Scene::new();
        let (name, trust) = (scene.role_name(), scene.trust(SUBJECT).to_string());
        let mut all = vec![("RoleName", name.as_str()), ("AssumeRolePolicyDocument", &trust)];
        if let Some(mark) = mark {
            all.extend([("Tags.member.1.Key", "keyless"), ("Tags.member.1.Value", mark)]);
        }
        scene.iam("CreateRole", &all);
        let (role, writes) = (scene.role(), scene.writes());
        let ran = scene.refuses(3, code, &[&name, "aws.role"]);
        if mark.is_none() {
            ran.snapshot("error-aws-role-foreign");
        }
        assert_eq!((scene.role(), scene.writes()), (role.clone(), writes), "{code}");
        // As the remedy says.
        scene.settings(&["keyUser: eso", "role: another-name"]);
        scene.ends_well();
        assert_eq!((scene.role(), scene.aws.roles().len()), (role, 2), "{code}");
    }
}

#[test]
fn trust_changed_by_hand_is_refused() {
    let (aud, sub) = (format!("{PROVIDER}:aud"), format!("{PROVIDER}:sub"));
    for condition in [
        json!({"StringEquals": {(&*aud): CLIENT}, "StringLike": {(&*sub): "system:serviceaccount:*"}}),
        json!({"StringEquals": {(&*aud): CLIENT}, "StringEqualsIgnoreCase": {(&*sub): SUBJECT}}),
        json!({"StringEquals": {(&*aud): CLIENT}}),
    ] {
        let scene = Scene::new();
        scene.ends_well();
        let ours = scene.role();
        scene.change_condition(&condition);
        let changed = scene.role();
        for arguments in [&DRY[..], &SETUP] {
            scene.run(arguments).fails(
                3,
                "aws-policy-unread",
                &["changed by hand", "update-assume-role-policy"],
            );
        }
        assert_eq!(scene.role(), changed, "{condition}");
        // As the remedy says.
        scene.change_condition(&json!({"StringEquals": {(&*aud): CLIENT, (&*sub): SUBJECT}}));
        assert_eq!(scene.role(), ours);
        scene.ends_well();
    }
}

#[test]
fn subject_in_other_case_is_another() {
    let scene = Scene::new();
    scene.ends_well();
    let upper = "system:serviceaccount:External-Secrets:keyless-aws";
    scene.aws.change_trust(&scene.role_name(), |trust| *trust = scene.trust(upper));
    scene.run(&["verify"]).ends(1).says("AWS does not tell which");
    let before = scene.role();
    let account = format!("external-secrets/{ACCOUNT}");
    scene.run(&SETUP).fails(3, "aws-role-foreign", &[&account, "aws.role"]);
    assert_eq!(scene.role(), before);
    scene.aws.change_trust(&scene.role_name(), |trust| *trust = scene.trust(SUBJECT));
    scene.run(&SETUP).ends(0);
}

#[test]
fn issuer_with_port_stops_before_plan() {
    let scene = Scene::new();
    let issuer = "https://oidc.lab.test:8443/prod";
    scene.world.cluster.change_servers(|server| server.issuers = vec![issuer.to_owned()]);
    let file = scene.world.dir.path().join("keyless.yaml");
    let text = std::fs::read_to_string(&file).unwrap().replace(ISSUER, issuer);
    std::fs::write(&file, text).unwrap();
    for arguments in [&DRY[..], &SETUP] {
        let ran = scene.run(arguments).fails(2, "issuer-port", &[issuer, "AWS refuses ports"]);
        assert!(!ran.out.contains("Plan: "), "{}", ran.out);
    }
    scene.is_untouched("the issuer cannot be trusted");
    assert_eq!((scene.writes(), scene.world.www.join("prod").exists()), (Vec::new(), false));
}

#[test]
fn unreachable_documents_stop_setup() {
    let scene = Scene::new();
    let nowhere = "127.0.0.1:9".parse().unwrap();
    scene.aws.resolve("oidc.lab.test", nowhere);
    scene
        .refuses(3, "aws-issuer-unreachable", &["IAM cannot reach the issuer", "keyless publish"])
        .snapshot("error-aws-issuer-unreachable");
    assert_eq!((scene.aws.providers(), scene.aws.roles()), (Vec::<String>::new(), Vec::new()));
    scene.aws.resolve("oidc.lab.test", scene.world.web.addr());
    scene.ends_well();
    // Once it is set up, STS reads the documents itself.
    scene.aws.resolve("oidc.lab.test", nowhere);
    scene.aws.forget_documents();
    scene.run(&["verify"]).ends(1).says("cannot get the key that signed the token");
    let others = Web::start(&scene.world.ca, &["oidc.lab.test"], &scene.world.www.join("none"));
    scene.aws.resolve("oidc.lab.test", others.addr());
    scene.run(&["verify"]).ends(1).says("keyless publish");
}

#[test]
fn exchange_refused_by_sts_stops_setup() {
    for (status, code, says) in [
        (403, "RegionDisabledException", "Security Token Service"),
        (400, "IDPCommunicationError", "STS cannot reach"),
        (400, "ExpiredTokenException", "NTP"),
    ] {
        let scene = Scene::new();
        scene.aws.refuse_next(100, "sts:AssumeRoleWithWebIdentity", status, code, "as it is");
        let ran = scene.run(&SETUP);
        assert!(ran.code.is_some_and(|code| code != 0), "{ran:?}");
        ran.says(says).says(code);
        scene.is_untouched(code);
    }
}

#[test]
fn refused_writes_are_not_claimed() {
    for (action, status, refusal, code) in [
        ("iam:CreateOpenIDConnectProvider", 409, "LimitExceeded", "aws-limit"),
        ("iam:CreateOpenIDConnectProvider", 409, "EntityAlreadyExists", "aws-changed"),
        ("iam:CreateRole", 409, "LimitExceeded", "aws-limit"),
        ("iam:CreateRole", 400, "MalformedPolicyDocument", "aws-refused"),
        ("iam:PutRolePolicy", 400, "MalformedPolicyDocument", "aws-refused"),
        ("iam:PutRolePolicy", 409, "LimitExceeded", "aws-limit"),
        ("iam:PutRolePolicy", 400, "InvalidInput", "aws-refused"),
        ("iam:CreateRole", 403, "ExpiredToken", "aws-credentials"),
    ] {
        let scene = Scene::new();
        scene.aws.refuse_next(1, action, status, refusal, "the reason of AWS");
        let ran = scene.refuses(3, code, &[refusal, "the reason of AWS"]);
        assert!(!ran.out.contains("ok "), "{}", ran.out);
        scene.ends_well();
    }
}

#[test]
fn hundred_providers_are_the_limit() {
    let scene = Scene::new();
    let url = |number: usize| format!("https://oidc-{number}.example");
    for number in 0..100 {
        let thumbprint = "0123456789abcdef0123456789abcdef01234567";
        let (url, client) = (url(number), ("ClientIDList.member.1", CLIENT));
        let all = [("Url", &*url), client, ("ThumbprintList.member.1", thumbprint)];
        scene.iam("CreateOpenIDConnectProvider", &all);
    }
    scene
        .refuses(3, "aws-limit", &["100 OIDC providers", "list-open-id-connect-providers"])
        .snapshot("error-aws-limit");
    assert_eq!(scene.aws.roles(), Vec::<String>::new());
    let arn = format!("arn:aws:iam::{}:oidc-provider/oidc-7.example", Aws::account());
    scene.iam("DeleteOpenIDConnectProvider", &[("OpenIDConnectProviderArn", &arn)]);
    scene.ends_well();
    assert_eq!(scene.aws.providers().len(), 100);
}

#[test]
fn wrong_settings_are_named() {
    let scene = Scene::new();
    for (lines, names) in [
        (&["region: europe"][..], "aws.region"),
        (&["role: 'a b'"], "aws.role"),
        (&["kmsKey: alias/x"], "aws.kmsKey"),
        (&["endpoints: {sts: 'http://sts.example'}"], "aws.endpoints.sts"),
    ] {
        scene.settings(lines);
        let ran = scene.run(&SETUP).ends(2);
        assert!(ran.err.contains(names) && ran.err.contains("hint: "), "{}", ran.err);
        scene.is_untouched(names);
    }
    assert!(scene.aws.heard().iter().all(|call| call.action != "iam:GetRole"));
}

/// `./keyless.yaml` may be another person's: the user has to name it, or to set the variable.
#[test]
fn unnamed_settings_retire_no_key() {
    let scene = Scene::new();
    let run = |variable: Option<&str>| {
        let mut command = scene.world.command(&RETIRE);
        command.args(["--ca-file", "ca.pem"]);
        command.env("AWS_ACCESS_KEY_ID", &scene.administrator.access_key_id);
        command.env("AWS_SECRET_ACCESS_KEY", &scene.administrator.secret_access_key);
        command.env("KEYLESS_AWS_ACCOUNT", Aws::account());
        if let Some(user) = variable {
            command.env("KEYLESS_AWS_KEY_USER", user);
        }
        Ran::of(&mut command)
    };
    let ran = run(None);
    assert!(ran.code.is_some_and(|code| code != 0), "{ran:?}");
    ran.says("set by a file that --config names, or by KEYLESS_AWS_KEY_USER");
    assert_eq!(scene.aws.key_is_active(&scene.key_id), Some(true));
    run(Some("eso")).ends(0);
    assert_eq!(scene.aws.key_is_active(&scene.key_id), None);
}

#[test]
fn key_of_other_user_stays() {
    let scene = Scene::new();
    for lines in [&[][..], &["keyUser: another-user"]] {
        scene.settings(lines);
        let ran = scene.run(&RETIRE);
        assert!(ran.code.is_some_and(|code| code != 0), "{ran:?}");
        ran.says("it belongs to the IAM user eso").says("set aws.keyUser to that name");
        let key = (scene.aws.key_is_active(&scene.key_id), scene.secret_is_there());
        assert_eq!(key, (Some(true), true), "{lines:?}");
    }
    // Two keys of one user: which one the store had is not known.
    let second = scene.aws.user("eso", json!({"Statement": []}));
    scene.settings(&["keyUser: eso"]);
    scene.run(&RETIRE).says("the IAM user eso has 2 keys");
    assert_eq!(scene.aws.key_is_active(&scene.key_id), Some(true));
    assert_eq!(scene.aws.key_is_active(&second.access_key_id), Some(true));
}

#[test]
fn other_account_is_refused_first() {
    let scene = Scene::new();
    let file = scene.world.dir.path().join("keyless.yaml");
    let text = std::fs::read_to_string(&file).unwrap().replace(Aws::account(), "999988887777");
    std::fs::write(&file, text).unwrap();
    scene.refuses(3, "aws-other-account", &["999988887777", Aws::account()]);
    assert_eq!(scene.writes(), Vec::<String>::new());
}

/// With `audiences` in the store, the operator asks for a token with two of them, and STS refuses it.
#[test]
fn second_audience_of_store_goes() {
    let scene = Scene::new();
    scene.ends_well();
    let ours = scene.store()["spec"].clone();
    let mut store = scene.store();
    let account = &mut store["spec"]["provider"]["aws"]["auth"]["jwt"]["serviceAccountRef"];
    account["audiences"] = json!(["https://other.example"]);
    scene.world.cluster.put_object(store);
    // No token of the operator's gets in; what is tried here asks for one audience.
    scene.run(&["verify"]).ends(1).says("shop/db");
    scene.run(&DRY).ends(1).says("audiences");
    scene.run(&SETUP).ends(0);
    assert_eq!(scene.store()["spec"], ours);
    // What was not ready before setup is not waited for.
    scene.until_read();
    scene.run(&["verify"]).ends(0);
}
