//! The publisher of documents in a bucket at AWS: its role, and what it can do by its token alone.

use std::{fs, time::UNIX_EPOCH};

use lab::{Aws, Flavour, S3, SigningKey};
use serde_json::{Value, json};

use super::{SETUP, Scene, call::now, steps::writes_what_it_shows};
use crate::world::Ran;

const ISSUER: &str = "https://acme-oidc.s3.eu-central-1.amazonaws.com/prod";
const HOSTS: [&str; 3] = [
    "s3.eu-central-1.amazonaws.com",
    "acme-oidc.s3.eu-central-1.amazonaws.com",
    "acme-oidc-2.s3.eu-central-1.amazonaws.com",
];
const SUBJECT: &str = "system:serviceaccount:keyless-system:keyless";

/// The same account with a bucket for the documents.
pub(super) fn with_bucket() -> (Scene, S3) {
    let scene = Scene::signing_as(ISSUER);
    let s3 = S3::start_tls(&scene.world.ca, &HOSTS, Flavour::Aws);
    s3.change(|settings| {
        settings.region = Aws::region().into();
        settings.domains = vec![HOSTS[0].into()];
    });
    s3.belongs_to(&scene.aws);
    for host in HOSTS {
        scene.world.internet.route(host, s3.addr());
        scene.aws.resolve(host, s3.addr());
    }
    let settings = format!(
        "apiVersion: keyless/v1\nbucket: {{url: s3://acme-oidc/prod, region: {}}}\naws: {{account: '{}', keyUser: eso}}\n",
        Aws::region(),
        Aws::account()
    );
    fs::write(scene.world.dir.path().join("keyless.yaml"), settings).unwrap();
    (scene, s3)
}

pub(super) fn setup(more: &[&'static str]) -> Vec<&'static str> {
    [&SETUP[..], &["--publisher"], more].concat()
}

/// The publisher's role.
pub(super) fn role_name(scene: &Scene) -> String {
    format!("{}.keyless-system.keyless", scene.role_name())
}

/// `publish` with nothing but a token of this subject.
fn publish_as(scene: &Scene, subject: &str, more: &[&str]) -> Ran {
    publish_by(scene, &scene.world.key, subject, more)
}

/// The same, by a token that this key signed.
fn publish_by(scene: &Scene, key: &SigningKey, subject: &str, more: &[&str]) -> Ran {
    let dir = scene.world.dir.path();
    let issued = now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let token = key.jws(&json!({
        "iss": ISSUER, "sub": subject, "aud": ["sts.amazonaws.com"], "iat": issued, "nbf": issued, "exp": issued + 900,
    }));
    fs::write(dir.join("token"), token).unwrap();
    let arguments = [&["publish", "--config", "keyless.yaml", "--ca-file", "ca.pem"], more].concat();
    let mut command = scene.world.command(&arguments);
    command
        .env("AWS_ROLE_ARN", format!("arn:aws:iam::{}:role/{}", Aws::account(), role_name(scene)))
        .env("AWS_WEB_IDENTITY_TOKEN_FILE", dir.join("token"))
        .env("AWS_REGION", Aws::region())
        .env("AWS_EC2_METADATA_DISABLED", "true");
    Ran::of(&mut command)
}

#[test]
fn publisher_writes_by_its_token_alone() {
    let (scene, s3) = with_bucket();
    let arn = format!("login.aws.roleArn=arn:aws:iam::{}:role/{}", Aws::account(), role_name(&scene));
    scene.run(&setup(&[])).ends(0).says(&arn);
    let role = scene.aws.role(&role_name(&scene)).unwrap();
    let equals = &role["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["StringEquals"];
    let bare = ISSUER.trim_start_matches("https://");
    assert_eq!(equals[format!("{bare}:sub")], SUBJECT, "{role:#}");
    assert_eq!(equals[format!("{bare}:aud")], "sts.amazonaws.com", "{role:#}");
    let text = role.to_string();
    for named in ["s3:GetObject", "s3:PutObject", "arn:aws:s3:::acme-oidc/prod/openid/v1/jwks"] {
        assert!(text.contains(named), "{named} is not in {role:#}");
    }
    assert!(!text.contains("secretsmanager:") && !text.contains("s3:*"), "{role:#}");

    publish_as(&scene, SUBJECT, &[]).ends(0).says("unchanged: 1 key");
    let new = SigningKey::rsa(2048);
    scene.world.cluster.change_servers(|server| server.key_files.push((&new).into()));
    publish_as(&scene, SUBJECT, &[]).ends(0).says("published: 2 keys");
    let jwks = s3.object("acme-oidc", "prod/openid/v1/jwks").unwrap();
    assert!(String::from_utf8(jwks.body).unwrap().contains(&new.kid()));
    scene.run(&setup(&[])).ends(0);
}

#[test]
fn description_says_what_role_is_for() {
    let (scene, _s3) = with_bucket();
    scene.run(&setup(&[])).ends(0);
    let description = |role: &str| {
        let role = scene.aws.role(role).unwrap();
        role["Description"].as_str().unwrap().to_owned()
    };
    let publishers = description(&role_name(&scene));
    assert!(publishers.contains("write the two documents") && !publishers.contains("secret"), "{publishers}");
    let stores = description(&scene.role_name());
    assert!(stores.contains("read secrets"), "{stores}");
}

#[test]
fn replaced_publisher_loses_its_role() {
    let (scene, _s3) = with_bucket();
    scene.run(&setup(&[])).ends(0);
    let other = setup(&["shop/writer"]);
    let plan = scene.run(&[&other[..], &["--dry-run"]].concat()).ends(1);
    let told = "keyless-system/keyless is not the publisher any more";
    assert!(plan.out.contains(told), "{}", plan.out);
    assert!(scene.aws.role(&role_name(&scene)).is_some());
    scene.run(&other).ends(0).says(told);
    assert_eq!(scene.aws.role(&role_name(&scene)), None);
    let writer = format!("{}.shop.writer", scene.role_name());
    assert!(scene.aws.role(&writer).is_some());
    // The store's own stays.
    assert!(scene.aws.role(&scene.role_name()).is_some());
    scene.run(&other).ends(0).says("nothing to do");
    publish_as(&scene, SUBJECT, &[]).fails(3, "bucket-credentials", &[]);
}

#[test]
fn former_publishers_are_not_denied() {
    let (scene, _s3) = with_bucket();
    scene.run(&setup(&[])).ends(0);
    let other = setup(&["shop/writer"]);
    scene.aws.deny("iam:ListRoles");
    let ran = scene.run(&other).ends(3);
    for named in ["warning[trust-left]", "was not looked for", "iam:ListRoles"] {
        assert!(ran.err.contains(named), "{named} is not in {}", ran.err);
    }
    assert!(ran.out.contains("Not everything at the provider is known"), "{}", ran.out);
    assert!(scene.aws.role(&role_name(&scene)).is_some());
    // Also where nothing is left to do.
    let ran = scene.run(&other).ends(3).says("nothing to do");
    assert!(ran.err.contains("was not looked for"), "{}", ran.err);
    scene.aws.allow("iam:ListRoles");
    scene.run(&other).ends(0);
    assert_eq!(scene.aws.role(&role_name(&scene)), None);
}

#[test]
fn roles_that_may_publish_are_named() {
    let (scene, _s3) = with_bucket();
    scene.run(&setup(&[])).ends(0);
    // A person gave it more.
    let all = json!({"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}});
    scene.aws.attach(&role_name(&scene), "arn:aws:iam::aws:policy/AmazonS3FullAccess", all);
    let before = scene.aws.role(&role_name(&scene));
    let ran = scene.run(&setup(&["shop/writer"])).ends(3);
    for named in ["warning[trust-left]", &role_name(&scene), "AmazonS3FullAccess", "aws iam delete-role"] {
        assert!(ran.err.contains(named), "{named} is not in {}", ran.err);
    }
    assert_eq!(scene.aws.role(&role_name(&scene)), before);
}

/// IAM lets roles lie in paths; keyless makes none there. What may not be looked at is no reason to remove it.
#[test]
fn roles_of_others_are_not_named() {
    let (mut scene, _s3) = with_bucket();
    scene.run(&setup(&[])).ends(0);
    let trust = scene.aws.role(&role_name(&scene)).unwrap()["AssumeRolePolicyDocument"].to_string();
    let named = [("RoleName", "shop-reader"), ("AssumeRolePolicyDocument", trust.as_str())];
    scene.iam("CreateRole", &[&named[..], &[("Path", "/teams/")]].concat());
    let ran = scene.run(&setup(&[])).ends(0);
    assert!(!ran.err.contains("shop-reader"), "{}", ran.err);
    // Of another cluster, whose issuer begins as this one's.
    let bare = ISSUER.trim_start_matches("https://");
    let other = trust.replace(bare, &format!("{bare}-2"));
    scene.create_role("keyless-other", &other);
    let written = scene.aws.role(&role_name(&scene)).unwrap()["Policies"]["keyless"].to_string();
    let named = [("RoleName", "keyless-other"), ("PolicyName", "keyless")];
    scene.iam("PutRolePolicy", &[&named[..], &[("PolicyDocument", &written)]].concat());
    let ran = scene.run(&setup(&[])).ends(0);
    assert!(!ran.err.contains("keyless-other"), "{}", ran.err);
    // The same in another form, marked as this cluster's.
    let mut two: Value = serde_json::from_str(&other).unwrap();
    let mut twice = two["Statement"][0].clone();
    let equals = twice["Condition"].as_object_mut().unwrap().remove("StringEquals").unwrap();
    twice["Condition"]["StringLike"] = equals;
    two["Statement"].as_array_mut().unwrap().push(twice);
    scene.create_role("keyless-twice", &two.to_string());
    let mark = scene.aws.role(&role_name(&scene)).unwrap()["Tags"].clone();
    let mark = mark["keyless"].as_str().unwrap_or_else(|| panic!("{mark}")).to_owned();
    let tag =
        [("RoleName", "keyless-twice"), ("Tags.member.1.Key", "keyless"), ("Tags.member.1.Value", &mark)];
    scene.iam("TagRole", &tag);
    let named = [("RoleName", "keyless-twice"), ("PolicyName", "keyless")];
    scene.iam("PutRolePolicy", &[&named[..], &[("PolicyDocument", &written)]].concat());
    let ran = scene.run(&setup(&[])).ends(0);
    assert!(!ran.err.contains("keyless-twice"), "{}", ran.err);
    // It trusts this issuer, and may not be looked at.
    scene.create_role("shop-writer", &trust);
    let arn = format!("arn:aws:iam::{}:role/shop-writer", Aws::account());
    let all = json!({"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "iam:GetRole", "Resource": arn}]});
    scene.administrator = scene.aws.user("narrow", all);
    let ran = scene.run(&setup(&[])).ends(3);
    assert!(ran.err.contains("shop-writer") && ran.err.contains("iam:GetRole"), "{}", ran.err);
    assert!(!ran.err.contains("delete-role"), "{}", ran.err);
}

/// A careless rotation: the publisher's own token is signed with a key that it has not published yet.
#[test]
fn careless_rotation_locks_publisher_out() {
    let (scene, s3) = with_bucket();
    scene.run(&setup(&[])).ends(0);
    publish_as(&scene, SUBJECT, &[]).ends(0);
    let new = SigningKey::rsa(2048);
    scene.world.cluster.change_servers(|server| {
        server.key_files = vec![(&new).into()];
        server.signing_key = new.clone();
    });
    let before = s3.object("acme-oidc", "prod/openid/v1/jwks").unwrap().body;
    let remedy = "Run `keyless publish` once with a person's login";
    scene.aws.faults().forget();
    let ran = publish_by(&scene, &new, SUBJECT, &[]);
    ran.fails(3, "bucket-credentials", &[&new.kid(), "is not asked", "is not public", remedy]);
    // It is foreseen: the token was shown to no one. The stand-in of the operator, which asks by itself, names no program.
    let asked = scene.aws.faults().requests();
    assert!(asked.iter().all(|call| call.header("user-agent").is_none()), "{asked:?}");
    assert_eq!(s3.object("acme-oidc", "prod/openid/v1/jwks").unwrap().body, before);
    // The remedy: the former key stays, and the publisher is let in again.
    scene.run(&["publish"]).ends(0).says("published: 2 keys");
    let now = s3.object("acme-oidc", "prod/openid/v1/jwks").unwrap().body;
    let now = String::from_utf8(now).unwrap();
    assert!(now.contains(&new.kid()) && now.contains(&scene.world.key.kid()), "{now}");
    publish_by(&scene, &new, SUBJECT, &[]).ends(0).says("unchanged: 2 keys");
}

#[test]
fn publisher_reaches_two_objects_only() {
    let (scene, s3) = with_bucket();
    scene.run(&setup(&[])).ends(0);
    let before = s3.keys("acme-oidc");
    let other = "https://acme-oidc.s3.eu-central-1.amazonaws.com/other";
    let elsewhere = ["--bucket", "s3://acme-oidc/other", "--issuer", other];
    let ran = publish_as(&scene, SUBJECT, &elsewhere);
    assert!(ran.code != Some(0) && ran.err.contains("s3:"), "{}", ran.err);
    for subject in
        ["system:serviceaccount:keyless-system:keyless-probe", "system:serviceaccount:shop:keyless"]
    {
        publish_as(&scene, subject, &[]).fails(3, "bucket-credentials", &[]);
    }
    assert_eq!(s3.keys("acme-oidc"), before);
}

#[test]
fn publishers_role_is_what_is_shown() {
    let (scene, _s3) = with_bucket();
    writes_what_it_shows(&scene, &["setup", "--watch-for", "0s", "--to", "aws", "--publisher"]);
    assert!(scene.aws.role(&role_name(&scene)).is_some());
    writes_what_it_shows(&scene, &["teardown"]);
    assert_eq!(scene.aws.roles(), Vec::<String>::new());
}

#[test]
fn unused_logins_leave_the_publisher() {
    let (scene, _s3) = with_bucket();
    scene.run(&setup(&[])).ends(0);
    let unused = ["teardown", "--unused", "--yes", "--config", "keyless.yaml"];
    scene.run(&unused).ends(0);
    assert!(scene.aws.role(&role_name(&scene)).is_some());
    // A file that no flag names decides nothing.
    let mut command = scene.world.command(&[&unused[..3], &["--ca-file", "ca.pem"]].concat());
    command
        .env("AWS_ACCESS_KEY_ID", &scene.administrator.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", &*scene.administrator.secret_access_key);
    let ran = Ran::of(&mut command).ends(3);
    assert!(ran.err.contains("--config does not name that file"), "{}", ran.err);
    assert!(scene.aws.role(&role_name(&scene)).is_some());
    // Also where the settings do not name it.
    let path = scene.world.dir.path().join("keyless.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let without: Vec<_> = text.lines().filter(|line| !line.contains("publisher:")).collect();
    fs::write(&path, without.join("\n")).unwrap();
    let ran = scene.run(&unused).ends(3);
    let remedy = format!("aws iam delete-role --role-name {}", role_name(&scene));
    assert!(ran.err.contains("warning[trust-left]") && ran.err.contains(&remedy), "{}", ran.err);
    assert!(scene.aws.role(&role_name(&scene)).is_some());
}

#[test]
fn foreign_role_of_that_name_stays() {
    let (scene, _s3) = with_bucket();
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"AWS": format!("arn:aws:iam::{}:root", Aws::account())}, "Action": "sts:AssumeRole"}]});
    scene.create_role(&role_name(&scene), &trust.to_string());
    let before: Option<Value> = scene.aws.role(&role_name(&scene));
    let writes = scene.writes();
    let ran = scene.run(&setup(&[]));
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert!(ran.err.contains(&role_name(&scene)), "{}", ran.err);
    assert_eq!((scene.aws.role(&role_name(&scene)), scene.writes()), (before, writes));
    scene.is_untouched("a foreign role");
}

#[test]
fn each_missing_right_is_named_first() {
    for action in ["iam:GetRole", "iam:CreateRole", "iam:TagRole", "iam:PutRolePolicy"] {
        let (scene, _s3) = with_bucket();
        scene.aws.deny(action);
        scene.run(&setup(&[])).fails(3, "aws-forbidden", &[action]);
        assert!(scene.aws.role(&role_name(&scene)).is_none() || action == "iam:PutRolePolicy");
        scene.is_untouched(action);
    }
}
