//! A publisher whose token is signed with a key that is not public: it is foreseen, before the token is shown to anybody.

use lab::SigningKey;

use super::{SETUP, SUBJECT, publish_as, publish_by, with_bucket};
use crate::estate::Estate;

/// Whether a token was exchanged.
fn asked(estate: &Estate) -> bool {
    estate.google.faults().requests().iter().any(|call| call.path.starts_with("/v1/token"))
}

fn sign_with(estate: &Estate, key: &SigningKey) {
    estate.world.cluster.change_servers(|server| {
        server.key_files = vec![key.into()];
        server.signing_key = key.clone();
    });
}

#[test]
fn careless_rotation_is_foreseen() {
    let estate = with_bucket();
    estate.run(&SETUP).ends(0);
    publish_as(&estate, SUBJECT, &[]).ends(0);
    let new = SigningKey::rsa(2048);
    sign_with(&estate, &new);
    estate.google.faults().forget();
    let remedy = "Run `keyless publish` once with a person's login";
    let old = estate.world.key.kid();
    let named = [&new.kid(), "is not asked", "which is not public", &old, remedy];
    publish_by(&estate, &new, SUBJECT, &[]).fails(3, "bucket-credentials", &named);
    assert!(!asked(&estate), "the token was shown");
    let storage = estate.google.faults().requests();
    assert!(storage.iter().all(|call| !call.path.starts_with("/storage/")), "{storage:#?}");
    // The remedy.
    estate.run(&["publish", "--config", "keyless.yaml"]).ends(0).says("published: 2 keys");
    publish_by(&estate, &new, SUBJECT, &[]).ends(0).says("unchanged: 2 keys");
    assert!(asked(&estate));
}

/// A token of before the rotation still counts.
#[test]
fn former_keys_token_publishes_new_key() {
    let estate = with_bucket();
    estate.run(&SETUP).ends(0);
    publish_as(&estate, SUBJECT, &[]).ends(0);
    sign_with(&estate, &SigningKey::rsa(2048));
    publish_as(&estate, SUBJECT, &[]).ends(0).says("published: 2 keys");
}
