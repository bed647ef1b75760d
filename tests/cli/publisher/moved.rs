//! A publisher whose documents move to another bucket: its right on the former one goes, once it has the new one.

use serde_json::{Value, json};

use super::{ISSUER, SETUP, SUBJECT, WRITER, bindings, principal, with_bucket};
use crate::{
    estate::Estate,
    steps::{forget, recorded_writes, writes_what_it_shows},
    world::{ISSUER as DOMAIN, Ran},
};

const NEW: &str = "https://storage.googleapis.com/acme-oidc-2/prod";
const MOVED: [&str; 6] = ["--bucket", "gs://acme-oidc-2/prod", "--project", "acme-prod", "--issuer", NEW];

/// The publisher is set up for the first bucket, and the API servers sign as the issuer in the second one.
fn moving() -> Estate {
    let estate = with_bucket();
    estate.run(&SETUP).ends(0);
    estate.world.cluster.change_servers(|server| server.issuers = vec![NEW.to_owned(), ISSUER.to_owned()]);
    estate
}

fn setup(estate: &Estate) -> Ran {
    estate.run(&[&SETUP[..], &MOVED].concat())
}

/// The bindings by which anybody may write the second bucket.
fn new_bindings(estate: &Estate) -> Vec<Value> {
    let all = estate.google.storage().bindings("acme-oidc-2").unwrap_or_default();
    let writes = |binding: &&Value| binding["role"] == WRITER;
    all.as_array().into_iter().flatten().filter(writes).cloned().collect()
}

#[test]
fn right_on_former_bucket_goes() {
    let estate = moving();
    let principal = principal(&estate);
    setup(&estate).ends(0).says("the publisher writes to gs://acme-oidc-2 instead");
    assert_eq!(bindings(&estate), Vec::<Value>::new());
    let now = new_bindings(&estate);
    assert_eq!((now.len(), &now[0]["members"]), (1, &json!([principal])));
    forget(&estate);
    setup(&estate).ends(0).says("nothing to do");
    assert_eq!(new_bindings(&estate), now);
}

#[test]
fn move_writes_what_it_shows() {
    let estate = moving();
    let arguments = ["setup", "--watch-for", "0s", "--config", "keyless.yaml", "--publisher"];
    writes_what_it_shows(&estate, &[&arguments[..], &MOVED].concat());
    assert_eq!((bindings(&estate).len(), new_bindings(&estate).len()), (0, 1));
}

/// The former documents are read, and must be kept up to date, until then.
#[test]
fn former_right_waits_for_the_issuer() {
    let estate = moving();
    let before = bindings(&estate);
    estate.world.cluster.change_servers(|server| server.issuers = vec![ISSUER.to_owned()]);
    let ran = setup(&estate);
    assert!(matches!(ran.code, Some(1 | 3)), "{} {}", ran.out, ran.err);
    let later = ran.out.split_once("later, once every API server signs").unwrap().1;
    assert!(later.contains("bucket acme-oidc from"), "{}", ran.out);
    assert_eq!((bindings(&estate), new_bindings(&estate).len()), (before, 1));
}

/// Whatever the API servers sign as: a domain may lead to any bucket.
#[test]
fn former_right_behind_domain_stays() {
    let estate = moving();
    let before = bindings(&estate);
    estate.world.cluster.change_servers(|server| server.issuers = vec![DOMAIN.to_owned(), ISSUER.to_owned()]);
    estate.google.resolve("oidc.lab.test", estate.world.web.addr());
    // What the domain shows.
    estate.world.keyless("publish", &[]).ends(0);
    let bucket = ["--bucket", "gs://acme-oidc-2/prod", "--project", "acme-prod"];
    // A person says so; that does not prove it.
    let domain =
        [&SETUP[..], &bucket, &["--issuer", DOMAIN, "--public-url", "https://oidc.lab.test"]].concat();
    for _ in 0..2 {
        let ran = estate.run(&domain).ends(3);
        for named in [
            "warning[trust-left]",
            "may still lead to gs://acme-oidc;",
            DOMAIN,
            "gcloud storage buckets remove-iam-policy-binding gs://acme-oidc --role=",
        ] {
            assert!(ran.err.contains(named), "{named} is not in {}", ran.err);
        }
        assert_eq!((bindings(&estate), new_bindings(&estate).len()), (before.clone(), 1));
    }
    // The remedy.
    estate.google.storage().unbind("acme-oidc", WRITER, &principal(&estate));
    let ran = estate.run(&domain).ends(0);
    assert!(!ran.err.contains("trust-left"), "{}", ran.err);
}

/// What a server that does not answer signs as is not known.
#[test]
fn silent_server_keeps_former_right() {
    let estate = Estate::with_servers(2);
    estate.world.cluster.change_servers(|server| server.issuers = vec![ISSUER.to_owned()]);
    estate.unnamed_settings("bucket: {url: gs://acme-oidc/prod, project: acme-prod}");
    estate.run(&SETUP).ends(0);
    let before = bindings(&estate);
    estate.world.cluster.change_servers(|server| server.issuers = vec![NEW.to_owned(), ISSUER.to_owned()]);
    estate.world.cluster.server(1).faults().always("", "/", lab::Fault::CloseBeforeAnswer);
    let silent = estate.world.cluster.server(1).addr().to_string();
    setup(&estate).fails(3, "servers-unsound", &[&silent, "nothing was changed"]);
    assert_eq!(bindings(&estate), before);
    estate.world.cluster.server(1).faults().clear();
    setup(&estate).ends(0);
    assert_eq!(bindings(&estate), Vec::<Value>::new());
}

/// Each settings file names a bucket that is the other one's former. The one that the API servers sign as keeps its right.
#[test]
fn signed_bucket_keeps_its_right() {
    let estate = moving();
    let first =
        [&SETUP[..], &["--bucket", "gs://acme-oidc/prod", "--project", "acme-prod", "--issuer", ISSUER]]
            .concat();
    setup(&estate).ends(0);
    let now = new_bindings(&estate);
    let ran = estate.run(&first);
    assert!(matches!(ran.code, Some(1 | 3)), "{} {}", ran.out, ran.err);
    assert!(ran.out.contains("later, once every API server signs"), "{}", ran.out);
    assert_eq!((bindings(&estate).len(), new_bindings(&estate)), (1, now));
}

/// Other documents in the same bucket: the former ones as well are read until the API servers sign otherwise.
#[test]
fn former_prefix_waits_for_the_issuer() {
    let estate = with_bucket();
    estate.run(&SETUP).ends(0);
    let before = bindings(&estate);
    let issuer = "https://acme-oidc.storage.googleapis.com/next";
    let moved = ["--bucket", "gs://acme-oidc/next", "--project", "acme-prod", "--issuer", issuer];
    let moved = [&SETUP[..], &moved].concat();
    let ran = estate.run(&moved);
    assert!(matches!(ran.code, Some(1 | 3)), "{} {}", ran.out, ran.err);
    let later = ran.out.split_once("later, once every API server signs").unwrap().1;
    assert!(later.contains("for other documents"), "{}", ran.out);
    let both = bindings(&estate);
    assert_eq!((both.len(), &both[0]), (2, &before[0]));
    estate.world.cluster.change_servers(|server| server.issuers = vec![issuer.to_owned(), ISSUER.to_owned()]);
    estate.run(&moved).ends(0).says("next/openid/v1/jwks");
    assert_eq!(bindings(&estate), [both[1].clone()]);
}

#[test]
fn former_right_stays_without_new_one() {
    let estate = moving();
    let before = bindings(&estate);
    estate.google.storage().own_bucket("acme-oidc-2");
    let fault = lab::Fault::answer(500, "application/json", "{}");
    estate.google.faults().always("PUT", "/storage/v1/b/acme-oidc-2/iam", fault);
    let ran = setup(&estate);
    assert_eq!(ran.code, Some(3), "{} {}", ran.out, ran.err);
    assert_eq!(bindings(&estate), before);
}

#[test]
fn former_buckets_not_seen_are_named() {
    let estate = moving();
    let before = bindings(&estate);
    for (permission, named) in [
        ("storage.buckets.list", "was not looked for"),
        ("storage.buckets.getIamPolicy", "can still write to the buckets acme-oidc is not known"),
    ] {
        let denied = lab::Fault::answer(
            403,
            "application/json",
            r#"{"error": {"code": 403, "message": "no", "errors": [{"reason": "forbidden"}]}}"#,
        );
        estate.google.faults().clear();
        let path =
            if permission.ends_with("list") { "/storage/v1/b?" } else { "/storage/v1/b/acme-oidc/iam" };
        estate.google.faults().always("GET", path, denied);
        let ran = setup(&estate).ends(3);
        for named in ["warning[trust-left]", named, permission] {
            assert!(ran.err.contains(named), "{named} is not in {}", ran.err);
        }
        assert!(!ran.err.contains("remove-iam-policy-binding"), "{}", ran.err);
        assert_eq!(bindings(&estate), before);
    }
    estate.google.faults().clear();
    setup(&estate).ends(0);
    assert_eq!(bindings(&estate), Vec::<Value>::new());
}

#[test]
fn doubtful_rights_on_buckets_stay() {
    let estate = moving();
    let storage = estate.google.storage();
    storage.own_bucket("acme-doubt");
    let mut wide = bindings(&estate).remove(0);
    wide["condition"]["expression"] = json!("true");
    let mut other = bindings(&estate).remove(0);
    other["members"] = json!([principal(&estate).replace(SUBJECT, "system:serviceaccount:shop:writer")]);
    storage.bind("acme-doubt", wide);
    storage.bind("acme-doubt", other);
    let mut by_hand = bindings(&estate).remove(0);
    by_hand["condition"]["description"] = json!("by hand");
    storage.own_bucket("acme-hand");
    storage.bind("acme-hand", by_hand);
    let before = ["acme-doubt", "acme-hand"].map(|bucket| storage.bindings(bucket).unwrap());
    let ran = setup(&estate).ends(3);
    for named in [
        "warning[trust-left]",
        "its condition is not as keyless writes it",
        "not of the publisher that this run is about",
        "gcloud storage buckets remove-iam-policy-binding gs://acme-doubt",
    ] {
        assert!(ran.err.contains(named), "{named} is not in {}", ran.err);
    }
    assert!(!ran.err.contains("acme-hand"), "{}", ran.err);
    assert_eq!(["acme-doubt", "acme-hand"].map(|bucket| storage.bindings(bucket).unwrap()), before);
    // What is known goes all the same.
    assert_eq!(bindings(&estate), Vec::<Value>::new());
    forget(&estate);
    setup(&estate).ends(3);
    assert_eq!(recorded_writes(&estate), Vec::<String>::new());
}
