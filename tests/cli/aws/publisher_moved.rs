//! A publisher whose documents move to another bucket at AWS: the former ones are kept up to date until the API servers sign as the new issuer.

use lab::S3;

use super::{
    Scene,
    publisher::{role_name, setup, with_bucket},
    steps::writes_what_it_shows,
};
use crate::world::{ISSUER as DOMAIN, Ran};

const OLD: &str = "https://acme-oidc.s3.eu-central-1.amazonaws.com/prod";
const NEW: &str = "https://acme-oidc-2.s3.eu-central-1.amazonaws.com/prod";
const MOVED: [&str; 4] = ["--bucket", "s3://acme-oidc-2/prod", "--issuer", NEW];

/// The buckets with documents that the publisher may write, and nothing else.
fn written(scene: &Scene) -> Vec<&'static str> {
    let role = scene.aws.role(&role_name(scene)).unwrap();
    let policy = role["Policies"]["keyless"].to_string();
    let may = |bucket: &&str| policy.contains(&format!("arn:aws:s3:::{bucket}/prod/openid/v1/jwks"));
    ["acme-oidc", "acme-oidc-2"].into_iter().filter(may).collect()
}

fn sign_as(scene: &Scene, issuers: &[&str]) {
    let issuers: Vec<_> = issuers.iter().map(|&issuer| issuer.to_owned()).collect();
    scene.world.cluster.change_servers(|server| server.issuers = issuers.clone());
}

/// The publisher is set up for the first bucket.
fn moving() -> (Scene, S3) {
    let (scene, s3) = with_bucket();
    scene.run(&setup(&[])).ends(0);
    assert_eq!(written(&scene), ["acme-oidc"]);
    (scene, s3)
}

fn moved(scene: &Scene) -> Ran {
    scene.run(&setup(&MOVED))
}

#[test]
fn former_documents_are_written_until_switch() {
    let (scene, _s3) = moving();
    let ran = moved(&scene).ends(1);
    let later = ran.out.split_once("later, once every API server signs").unwrap().1;
    for named in ["former documents", "the publisher writes to s3://acme-oidc-2 instead", "iam:PutRolePolicy"]
    {
        assert!(later.contains(named), "{named} is not in {}", ran.out);
    }
    assert_eq!(written(&scene), ["acme-oidc", "acme-oidc-2"]);
    // Nothing more to do before the switch.
    let writes = scene.writes();
    moved(&scene).ends(1);
    assert_eq!((written(&scene).len(), scene.writes()), (2, writes));
    sign_as(&scene, &[NEW, OLD]);
    moved(&scene);
    assert_eq!(written(&scene), ["acme-oidc-2"]);
}

/// One step grants, the next one takes back.
#[test]
fn move_writes_what_it_shows() {
    let (scene, _s3) = moving();
    sign_as(&scene, &[NEW, OLD]);
    let arguments = ["setup", "--watch-for", "0s", "--to", "aws", "--publisher"];
    writes_what_it_shows(&scene, &[&arguments[..], &MOVED].concat());
    assert_eq!(written(&scene), ["acme-oidc-2"]);
}

/// A domain may lead to any bucket, whatever the API servers sign as.
#[test]
fn former_documents_behind_domain_stay() {
    let (scene, _s3) = moving();
    sign_as(&scene, &[DOMAIN, OLD]);
    // What the domain shows.
    scene.world.keyless("publish", &[]).ends(0);
    // A person says so; that does not prove it.
    let root = "https://oidc.lab.test";
    let domain = setup(&["--bucket", "s3://acme-oidc-2/prod", "--issuer", DOMAIN, "--public-url", root]);
    let ran = scene.run(&domain).ends(3);
    let role = role_name(&scene);
    let remedy = format!("aws iam delete-role-policy --role-name {role} --policy-name keyless");
    for named in ["warning[trust-left]", "may still lead to", "arn:aws:s3:::acme-oidc/prod/", DOMAIN, &remedy]
    {
        assert!(ran.err.contains(named), "{named} is not in {}", ran.err);
    }
    assert_eq!(written(&scene), ["acme-oidc", "acme-oidc-2"]);
    // The remedy.
    scene.iam("DeleteRolePolicy", &[("RoleName", &*role), ("PolicyName", "keyless")]);
    let ran = scene.run(&[&domain[..], &["--dry-run"]].concat()).ends(1);
    assert!(!ran.err.contains("trust-left"), "{}", ran.err);
    let plan = ran.out.split_once("+ create  policy keyless of the role").unwrap().1;
    assert!(plan.contains("acme-oidc-2/prod/") && !plan.contains(":::acme-oidc/"), "{}", ran.out);
}
