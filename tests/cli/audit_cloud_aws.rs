//! `keyless audit --cloud` from outside: the access keys and the roles that the cluster names at AWS.

mod refused;

use base64::{Engine, engine::general_purpose::STANDARD};
use lab::{Aws, Credentials, Fault};
use serde_json::{Value, json};

use crate::{
    estate::{DEFAULT_ISSUER, Estate},
    world::Ran,
};

/// The issuer of the lab's cluster, as AWS names it.
const PROVIDER: &str = "kubernetes.default.svc.cluster.local";
const SUBJECT: &str = "system:serviceaccount:external-secrets:reader";

/// A cluster whose one store is at AWS.
struct Scene {
    estate: Estate,
    aws: Aws,
    administrator: Credentials,
}

impl Scene {
    /// It logs in with its ServiceAccount's token, as a role that takes no other one.
    fn zero() -> Self {
        let estate = Estate::new();
        estate.world.cluster.remove_object("v1", "Secret", Some("external-secrets"), "gcp-key");
        let aws = Aws::start(&estate.world.ca);
        for name in Aws::names() {
            estate.world.internet.route(name, aws.addr());
        }
        let administrator = aws.administrator();
        let scene = Self { estate, aws, administrator };
        let arn = scene.aws.add_role(
            "eso",
            &trust(&json!({"StringEquals": {
            format!("{PROVIDER}:aud"): "sts.amazonaws.com", format!("{PROVIDER}:sub"): SUBJECT}})),
        );
        scene.account(&arn);
        scene.store("gcp", &by_token());
        scene
    }

    /// It logs in with an access key of the IAM user `eso`.
    fn stored() -> (Self, Credentials) {
        let scene = Self::zero();
        let key = scene.aws.user("eso", json!({"Statement": []}));
        scene.key("aws-key", &key.access_key_id, &key.secret_access_key);
        scene.store("gcp", &by_key("aws-key"));
        (scene, key)
    }

    /// The role that the ServiceAccount of the store becomes.
    fn account(&self, arn: &str) {
        self.estate.world.cluster.put_object(json!({"apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": {"name": "reader", "namespace": "external-secrets",
                "annotations": {"eks.amazonaws.com/role-arn": arn}}}));
    }

    fn key(&self, name: &str, id: &str, secret: &str) {
        self.estate.world.cluster.put_object(json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": name, "namespace": "external-secrets"},
            "data": {"id": STANDARD.encode(id), "key": STANDARD.encode(secret)}}));
    }

    fn store(&self, name: &str, more: &Value) {
        let mut settings = json!({"service": "SecretsManager", "region": Aws::region()});
        for (member, value) in more.as_object().unwrap() {
            settings[member] = value.clone();
        }
        self.estate.world.cluster.put_object(json!({"apiVersion": "external-secrets.io/v1",
            "kind": "ClusterSecretStore", "metadata": {"name": name}, "spec": {"provider": {"aws": settings}}}));
    }

    fn cloud_as(&self, login: &Credentials, more: &[&str]) -> Ran {
        let arguments = [&["audit", "--cloud", "--ca-file", "ca.pem"], more].concat();
        let mut command = self.estate.world.command(&arguments);
        command.env("AWS_ACCESS_KEY_ID", &login.access_key_id);
        let ran = Ran::of(command.env("AWS_SECRET_ACCESS_KEY", &login.secret_access_key));
        assert!(!ran.out.contains(&login.secret_access_key) && !ran.err.contains(&login.secret_access_key));
        ran
    }

    fn cloud(&self) -> Ran {
        self.cloud_as(&self.administrator, &[])
    }

    fn report(&self, code: i32) -> Value {
        self.cloud_as(&self.administrator, &["-o", "json"]).ends(code).json()
    }

    /// Every call was signed by the one who asks, and changes nothing.
    #[track_caller]
    fn asked_as(&self, user: &str) {
        for call in self.aws.heard() {
            let who = call.who.unwrap_or_default();
            assert!(who.ends_with(&format!(":user/{user}")), "{}: {who}", call.action);
            assert!(
                !["Update", "Delete", "Create", "Put", "Assume"].iter().any(|it| call.action.contains(it))
            );
        }
    }
}

fn by_key(secret: &str) -> Value {
    let half = |key: &str| json!({"name": secret, "namespace": "external-secrets", "key": key});
    json!({"auth": {"secretRef": {
        "accessKeyIDSecretRef": half("id"), "secretAccessKeySecretRef": half("key")}}})
}

/// By tokens of a ServiceAccount.
fn by_token() -> Value {
    json!({"auth": {"jwt": {"serviceAccountRef": {"name": "reader", "namespace": "external-secrets"}}}})
}

fn trust(condition: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"Federated": format!("arn:aws:iam::{}:oidc-provider/{PROVIDER}", Aws::account())},
        "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition}]})
}

fn state_of(report: &Value) -> &str {
    report["legs"][2]["state"].as_str().unwrap()
}

#[test]
fn bound_role_without_keys_is_zero() {
    let scene = Scene::zero();
    let ran = scene.cloud().ends(0);
    assert!(ran.out.starts_with("ZERO (cluster + consumption + cloud): "), "{}", ran.out);
    let asked: Vec<_> = scene.aws.heard().into_iter().map(|call| call.action).collect();
    assert!(asked.contains(&"iam:GetRole".to_owned()), "{asked:?}");
    scene.asked_as("administrator");
    let asked_as = &scene.report(0)["evidence"]["askedAs"][0];
    assert!(asked_as["identity"].as_str().unwrap().ends_with(":user/administrator"), "{asked_as}");
    // Without the question, it is not known that there is none.
    scene.estate.run(&["audit"]).ends(0).says("ZERO (cluster + consumption): ");
}

#[test]
fn stored_key_and_second_one_count() {
    let (scene, key) = Scene::stored();
    let report = scene.report(1);
    assert_eq!((&report["count"], &report["complete"]), (&json!(1), &json!(true)), "{report}");
    assert_eq!(state_of(&report), "found");
    let sister = scene.aws.user("eso", json!({"Statement": []}));
    let ran = scene.cloud().ends(1);
    for wanted in [
        &*sister.access_key_id,
        "[KL303 issued-aws-key]",
        "of the IAM user eso",
        "never expires",
        "--status Inactive",
    ] {
        assert!(ran.out.contains(wanted), "`{wanted}` is not in\n{}", ran.out);
    }
    for secret in [&key.secret_access_key, &sister.secret_access_key] {
        assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{}", ran.out);
    }
    // Lists are read to their ends.
    scene.aws.change(|settings| settings.longest_page = Some(1));
    let report = scene.report(1);
    assert_eq!((&report["count"], &report["complete"]), (&json!(2), &json!(true)), "{report}");
    scene.asked_as("administrator");
}

#[test]
fn inactive_key_is_finding() {
    let scene = Scene::zero();
    let key = scene.aws.user("eso", json!({"Statement": []}));
    scene.estate.settings("aws:\n  keyUser: eso");
    let cloud = || scene.cloud_as(&scene.administrator, &["--config", "keyless.yaml"]);
    cloud().ends(1).says("1 LONG-LIVED credential was issued").says(&key.access_key_id);
    scene.aws.activate_key(&key.access_key_id, false);
    let ran = cloud().ends(1);
    for wanted in
        ["[KL309 inactive-aws-key]", &*key.access_key_id, "one call makes it active", "delete-access-key"]
    {
        assert!(ran.out.contains(wanted), "`{wanted}` is not in\n{}", ran.out);
    }
    let report =
        scene.cloud_as(&scene.administrator, &["--config", "keyless.yaml", "-o", "json"]).ends(1).json();
    assert_eq!(report["credentials"], json!([]), "{report}");
    scene.aws.delete_key(&key.access_key_id);
    cloud().ends(0).says("ZERO (cluster + consumption + cloud)");
}

#[test]
fn each_refusal_makes_it_incomplete() {
    let scene = Scene::zero();
    scene.aws.user("eso", json!({"Statement": []}));
    scene.estate.settings("aws:\n  keyUser: eso");
    for user in scene.aws.keys_of("eso") {
        scene.aws.delete_key(&user);
    }
    let cloud =
        |more: &[&str]| scene.cloud_as(&scene.administrator, &[&["--config", "keyless.yaml"], more].concat());
    cloud(&[]).ends(0).says("ZERO (cluster + consumption + cloud)");
    for permission in ["iam:ListAccessKeys", "iam:GetRole"] {
        scene.aws.deny(permission);
        let ran = cloud(&[]).ends(3);
        assert!(ran.out.starts_with("INCOMPLETE: "), "{}", ran.out);
        assert!(ran.out.contains(&format!("it takes {permission} on ")), "{permission}: {}", ran.out);
        let report = cloud(&["-o", "json"]).ends(3).json();
        assert_eq!((state_of(&report), &report["count"]), ("incomplete", &Value::Null), "{report}");
        scene.aws.allow(permission);
    }
    // Busy for longer than it is waited for.
    scene.aws.refuse_next(99, "iam:GetRole", 400, "Throttling", "Rate exceeded");
    cloud(&[]).ends(3).says("INCOMPLETE: ").says("AWS is busy");
}

#[test]
fn key_without_its_user_is_incomplete() {
    let (scene, key) = Scene::stored();
    scene.aws.deny("iam:GetAccessKeyLastUsed");
    let report = scene.report(1);
    assert_eq!((&report["complete"], &report["count"]), (&json!(false), &json!(1)), "{report}");
    assert!(report["notSeen"].to_string().contains("iam:GetAccessKeyLastUsed"), "{report}");
    scene.aws.allow("iam:GetAccessKeyLastUsed");
    scene.report(1);
    // One that is gone is not told from one that may not be seen.
    scene.aws.delete_key(&key.access_key_id);
    let report = scene.report(1);
    assert_eq!(report["complete"], json!(false), "{report}");
}

#[test]
fn wide_trust_is_finding() {
    let scene = Scene::zero();
    let (aud, sub) = (format!("{PROVIDER}:aud"), format!("{PROVIDER}:sub"));
    for (condition, who) in [
        (
            json!({"StringEquals": {&aud: "sts.amazonaws.com"}}),
            "every subject of kubernetes.default.svc.cluster.local",
        ),
        (json!({"StringEquals": {&sub: SUBJECT}}), "tokens for every audience"),
        (
            json!({"StringEquals": {&aud: "sts.amazonaws.com"}, "StringLike": {&sub: "system:serviceaccount:*"}}),
            "every subject like system:serviceaccount:*",
        ),
    ] {
        scene.aws.add_role("eso", &trust(&condition));
        let ran = scene.cloud().ends(1);
        assert!(ran.out.contains("[KL404 wide-role-trust]") && ran.out.contains(who), "{}", ran.out);
        assert_eq!(state_of(&scene.report(1)), "found");
    }
    let mut policy = trust(&json!({"StringEquals": {&aud: "sts.amazonaws.com", &sub: SUBJECT}}));
    let user = json!({"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": format!("arn:aws:iam::{}:user/eso", Aws::account())}});
    policy["Statement"].as_array_mut().unwrap().push(user);
    scene.aws.add_role("eso", &policy);
    scene.cloud().ends(1).says(":user/eso, with whatever keys it has");
    scene.aws.add_role(
        "eso",
        &trust(&json!({"ForAnyValue:StringEquals": {&aud: "sts.amazonaws.com", &sub: SUBJECT}})),
    );
    scene.cloud().ends(3).says("INCOMPLETE").says("was not judged");
    // There is no such role: it cannot be assumed.
    scene.account(&format!("arn:aws:iam::{}:role/gone", Aws::account()));
    scene.cloud().ends(0).says("there is no such role");
}

/// A role may trust the ServiceAccounts of another cluster, by the same names.
#[test]
fn trust_of_another_issuer_is_finding() {
    let scene = Scene::zero();
    assert_eq!(DEFAULT_ISSUER, format!("https://{PROVIDER}"));
    scene.estate.settings("issuer: https://oidc.lab.test/prod");
    let ran = scene.cloud_as(&scene.administrator, &["--config", "keyless.yaml"]).ends(1);
    ran.says("[KL404 wide-role-trust]").says("ServiceAccounts of another issuer");
}

/// A file that no flag names may be another person's: it would make a role of that person's cluster look like one's own.
#[test]
fn unnamed_settings_do_not_decide_issuer() {
    const OTHER: &str = "oidc.lab.test/other";
    let trusting = |provider: &str| {
        trust(&json!({"StringEquals": {format!("{provider}:aud"): "sts.amazonaws.com",
            format!("{provider}:sub"): SUBJECT}}))
        .to_string()
        .replace(PROVIDER, provider)
    };
    let scene = Scene::zero();
    scene.estate.settings(&format!("issuer: https://{OTHER}"));
    // The role is this cluster's, and the file says something else.
    let ran = scene.cloud().ends(3).says("INCOMPLETE").says(OTHER).says(PROVIDER);
    assert!(!ran.out.contains("KL404"), "{}", ran.out);
    let arn = scene.aws.add_role("other", &serde_json::from_str(&trusting(OTHER)).unwrap());
    scene.account(&arn);
    scene.cloud().ends(1).says("KL404").says("ServiceAccounts of another issuer");
    // The API server does not tell, so that only the file is left.
    scene.estate.world.cluster.server(0).faults().always("GET", "/.well-known/", Fault::status(403));
    let ran = scene.cloud().ends(3).says("INCOMPLETE").says("--config names");
    assert!(!ran.out.contains("KL404"), "{}", ran.out);
    scene.cloud_as(&scene.administrator, &["--config", "keyless.yaml"]).ends(0).says("ZERO (cluster");
    // What the user says is compared as well.
    let scene = Scene::zero();
    scene.estate.settings(&format!("issuer: https://{PROVIDER}"));
    for named in [&[][..], &["--config", "keyless.yaml"]] {
        scene.cloud_as(&scene.administrator, named).ends(0).says("ZERO (cluster");
    }
}

#[test]
fn issuer_is_asked_when_needed() {
    let asked = |scene: &Scene| {
        let requests = scene.estate.world.cluster.server(0).faults().requests();
        requests.iter().filter(|call| call.path == "/.well-known/openid-configuration").count()
    };
    let scene = Scene::zero();
    scene.cloud().ends(0);
    assert_eq!(asked(&scene), 1);
    let (scene, _) = Scene::stored();
    scene.cloud().ends(1);
    assert_eq!(asked(&scene), 0);
}
