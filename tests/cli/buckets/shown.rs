//! What a dry run shows is what is done.

use super::*;

/// The writes that the far side saw, by the names that a plan gives them.
pub(super) fn writes(calls: &[Call]) -> BTreeSet<String> {
    let name = |call: &Call| {
        let (path, query) = call.path.split_once('?').unwrap_or((&call.path, ""));
        let path = path.strip_prefix("/acme-oidc").unwrap_or(path).trim_matches('/');
        let on =
            |what: &str| query.split('&').any(|part| part == what || part.starts_with(&format!("{what}=")));
        match path {
            "" if on("policy") => "bucket policy of s3://acme-oidc".to_owned(),
            "" if on("publicAccessBlock") => "public access block of s3://acme-oidc".to_owned(),
            "" => "bucket s3://acme-oidc".to_owned(),
            object if on("acl") => format!("access list of s3://acme-oidc/{object}"),
            object => format!("s3://acme-oidc/{object}"),
        }
    };
    calls.iter().filter(|call| !matches!(call.method.as_str(), "GET" | "HEAD")).map(name).collect()
}

/// The steps of a dry run that change something.
pub(super) fn steps(dry_run: &Value) -> BTreeSet<String> {
    let steps = dry_run["plan"]["steps"].as_array().unwrap().iter();
    steps
        .filter(|step| step["action"] != "no-op")
        .map(|step| step["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn actions_match_the_shown_plan() {
    let missing = |_: &S3| {};
    let private = |s3: &S3| s3.own_bucket("acme-oidc");
    let leftover = |s3: &S3| {
        s3.own_bucket("acme-oidc");
        s3.put("acme-oidc", ".keyless-probe-0123456789abcdef", "text/plain", None, b"left");
    };
    for flavour in [Flavour::Compatible, Flavour::Rgw, Flavour::AclOnly] {
        for (state, prepare) in
            [("missing", &missing as &dyn Fn(&S3)), ("private", &private), ("leftover", &leftover)]
        {
            // Whether a store knows policies shows when there is a bucket.
            if flavour == Flavour::AclOnly && state == "missing" {
                continue;
            }
            let store = Store::new(1, flavour);
            prepare(&store.s3);
            let shown = store.keyless("publish", &["--create", "--dry-run", "-o", "json"]).ends(1).json();
            assert_eq!(writes(&store.s3.faults().requests()), BTreeSet::new(), "{flavour:?} {state}");
            store.s3.faults().forget();
            store.keyless("publish", &["--create"]).ends(0);
            let done = writes(&store.s3.faults().requests());
            assert_eq!(done, steps(&shown), "{flavour:?} {state}");
            assert!(
                done.iter().any(|name| name.contains("policy") || name.contains("access list")),
                "{done:?}"
            );
            let again = store.keyless("publish", &["--create", "--dry-run", "-o", "json"]).ends(0).json();
            assert_eq!(steps(&again), BTreeSet::new(), "{flavour:?} {state}");
        }
    }
}

/// A store without policies, of which that is not known before there is a bucket.
#[test]
fn policy_applied_as_acls_is_shown() {
    let store = Store::new(1, Flavour::AclOnly);
    let shown =
        store.keyless("publish", &["--create", "--dry-run"]).ends(1).snapshot("plan-bucket-made-public");
    assert!(
        shown.out.contains("bucket policy of s3://acme-oidc: everyone may read exactly"),
        "{}",
        shown.out
    );
    store.keyless("publish", &["--create"]).ends(0);
    store.keyless("verify", &["--public-only"]).ends(0);
}
