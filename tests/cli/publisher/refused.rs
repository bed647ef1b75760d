//! What cannot be a publisher, or its bucket, is refused before anything is changed.

use super::{SETUP, with_bucket};
use crate::{
    estate::Estate,
    google::untouched,
    steps::{forget, recorded_writes},
    world::Ran,
};

#[test]
fn access_lists_of_objects_are_refused() {
    let estate = with_bucket();
    estate.google.storage().own_bucket("acme-oidc");
    estate.google.storage().access_per_object("acme-oidc", true);
    forget(&estate);
    estate.run(&SETUP).fails(3, "bucket-access-per-object", &["--uniform-bucket-level-access"]);
    assert_eq!(recorded_writes(&estate), Vec::<String>::new());
    untouched(&estate, "access per object");
}

#[test]
fn buckets_without_federation_are_refused_first() {
    let issuer = "https://oidc.lab.test/prod";
    for (bucket, code, named) in [
        (
            "{url: s3://acme/prod, endpoint: 'http://127.0.0.1:9', publicUrl: 'https://oidc.lab.test'}",
            "publisher-stored-key",
            &["gs://NAME", "google.mode: uploaded", "keyless audit"][..],
        ),
        (
            "{url: s3://acme/prod, region: eu-central-1, publicUrl: 'https://oidc.lab.test'}",
            "publisher-provider",
            &["aws", "google", "--config FILE"],
        ),
        (
            "{url: gs://acme/prod, endpoint: 'http://127.0.0.1:9', publicUrl: 'https://oidc.lab.test'}",
            "publisher-by-hand",
            &["bucket.endpoint"],
        ),
        (
            "{url: az://acme/keys/prod, endpoint: 'http://127.0.0.1:9', publicUrl: 'https://oidc.lab.test'}",
            "publisher-by-hand",
            &["Storage Blob Data"],
        ),
        ("{url: file:///srv/www, publicUrl: 'https://oidc.lab.test'}", "publisher-by-hand", &["folder"]),
    ] {
        let estate = Estate::new();
        estate.world.cluster.change_servers(|server| server.issuers = vec![issuer.to_owned()]);
        estate.settings(&format!("issuer: {issuer}\nbucket: {bucket}"));
        forget(&estate);
        let mut command = estate.command(&SETUP);
        command
            .env("AWS_ACCESS_KEY_ID", "a")
            .env("AWS_SECRET_ACCESS_KEY", "b")
            .env("AZURE_STORAGE_ACCESS_TOKEN", "c");
        Ran::of(&mut command).fails(2, code, named);
        assert_eq!(recorded_writes(&estate), Vec::<String>::new(), "{bucket}");
        untouched(&estate, bucket);
    }
}

#[test]
fn accounts_of_others_are_no_publishers() {
    let estate = with_bucket();
    for account in ["keyless-system/keyless-probe", "shop/default", "external-secrets/keyless-gcp"] {
        forget(&estate);
        estate.run(&[&SETUP[..], &[account]].concat()).fails(2, "publisher-account", &[account]);
        assert_eq!(recorded_writes(&estate), Vec::<String>::new(), "{account}");
    }
    estate.run(&[&SETUP[..], &["a'b/c"]].concat()).ends(2);
    untouched(&estate, "refused");
}

#[test]
fn odd_names_of_documents_are_refused() {
    let estate = Estate::new();
    let issuer = "https://storage.googleapis.com/acme-oidc/prod*";
    estate.world.cluster.change_servers(|server| server.issuers = vec![issuer.to_owned()]);
    estate.settings("bucket: {url: 'gs://acme-oidc/prod*', project: acme-prod}");
    forget(&estate);
    estate.run(&SETUP).fails(2, "issuer-character", &["prod*"]);
    assert_eq!(recorded_writes(&estate), Vec::<String>::new());
    untouched(&estate, "an odd prefix");
    // A bucket cannot have such a name.
    estate.settings("bucket: {url: 'gs://acme*/prod', project: acme-prod}");
    estate.run(&SETUP).fails(2, "bucket-name", &["acme*"]);
}
