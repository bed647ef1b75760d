//! No store shares the account of the publisher; a replaced publisher loses its right; what the command tells about it.

use serde_json::{Value, json};

use super::{SETUP, SUBJECT, TEARDOWN, UNNAMED, bindings, principal, publish_as, with_bucket};
use crate::{
    estate::{DEFAULT_ISSUER, Estate},
    google::untouched,
    several_stores::{BOTH, two},
    steps::{forget, recorded_writes},
    world::Ran,
};

#[test]
fn undecided_publisher_shares_no_account() {
    let estate = with_bucket();
    let store = "external-secrets/keyless-gcp";
    estate.settings(&format!(
        "bucket: {{url: gs://acme-oidc/prod, project: acme-prod}}\ncluster:\n  publisher: {store}"
    ));
    forget(&estate);
    for arguments in [&UNNAMED[..4], &SETUP] {
        estate.run(arguments).fails(2, "publisher-account", &[store, "ClusterSecretStore gcp"]);
        assert_eq!(recorded_writes(&estate), Vec::<String>::new());
    }
    untouched(&estate, "the account of a store");
}

/// Nor does such a file choose where a publisher may replace the keys.
#[test]
fn unnamed_account_grants_no_keys() {
    let estate = Estate::new();
    estate.unnamed_settings("google: {project: acme-prod}");
    forget(&estate);
    let named = ["alone says the account of google", "--config keyless.yaml"];
    estate.run(&UNNAMED).fails(2, "publisher-undecided", &named);
    assert_eq!(recorded_writes(&estate), Vec::<String>::new());
    untouched(&estate, "an undecided account");
    // A variable decides, and so does the remedy.
    let mut command = estate.command(&UNNAMED);
    command.env("KEYLESS_GOOGLE_PROJECT", "acme-prod");
    Ran::of(&mut command).ends(0).says("iam.workloadIdentityPoolProviders.update");
    estate.run(&SETUP).ends(0);
}

#[test]
fn account_of_second_store_is_refused() {
    let estate = two();
    let accounts = ["external-secrets/keyless-gcp", "external-secrets/keyless-other"];
    for account in accounts {
        forget(&estate);
        let ran = estate.run(&[&UNNAMED[..], &[account], &BOTH].concat());
        ran.fails(2, "publisher-account", &[account, "ClusterSecretStore"]);
        assert_eq!(recorded_writes(&estate), Vec::<String>::new(), "{account}");
    }
}

#[test]
fn replaced_publisher_loses_its_right() {
    let estate = with_bucket();
    estate.run(&SETUP).ends(0);
    let former = principal(&estate);
    let other = [&SETUP[..], &["shop/writer"]].concat();
    estate.run(&other).ends(0).says("it is not the publisher any more");
    let now = bindings(&estate);
    assert_eq!(now.len(), 1, "{now:?}");
    let subject = "system:serviceaccount:shop:writer";
    assert_eq!(now[0]["members"], json!([former.replace(SUBJECT, subject)]));
    publish_as(&estate, SUBJECT, &[]).ends(3);
    publish_as(&estate, subject, &[]).ends(0);
    forget(&estate);
    estate.run(&other).ends(0).says("nothing to do");
    assert_eq!(bindings(&estate), now);
    estate.run(&TEARDOWN).ends(0);
    assert_eq!(bindings(&estate), Vec::<Value>::new());
}

#[test]
fn teardown_keeps_undecided_publisher() {
    let estate = with_bucket();
    estate.run(&SETUP).ends(0);
    let before = bindings(&estate);
    let ran = estate.run(&["teardown", "--yes"]).ends(3);
    let told = "The publisher keyless-system/keyless is not looked at, and keeps what it was given: --config does not name";
    assert!(ran.err.contains(told), "{}", ran.err);
    assert_eq!(bindings(&estate), before);
}

#[test]
fn other_name_than_charts_is_told() {
    let estate = with_bucket();
    estate.run(&SETUP).ends(0);
    let told = "change serviceAccountName to writer in what it renders, or give --publisher shop/keyless";
    assert!(!estate.run(&SETUP).ends(0).out.contains("serviceAccountName"));
    estate.run(&[&SETUP[..], &["shop/writer"]].concat()).ends(0).says(told);
}

#[test]
fn publisher_waits_for_the_issuer() {
    let estate = with_bucket();
    assert!(!estate.run(&SETUP).ends(0).out.contains("once the issuer is switched"));
    let estate = with_bucket();
    estate.world.cluster.change_servers(|server| server.issuers = vec![DEFAULT_ISSUER.to_owned()]);
    let ran = estate.run(&SETUP);
    assert!(
        ran.out.contains("logs in without a stored key once the issuer is switched"),
        "{} {}",
        ran.out,
        ran.err
    );
}
