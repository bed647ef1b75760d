//! What uses a login, by the stores and generators that are there.

use super::*;
use crate::{
    cluster::snapshot::tests::{estate, objects},
    federation::vault::VaultLogin,
};

const ACCOUNT: &str = "external-secrets/keyless-gcp";

fn login(role: &str) -> VaultLogin {
    VaultLogin {
        server: "https://vault.acme.example".into(),
        namespace: None,
        kv: "kv".into(),
        mount: "keyless".into(),
        role: role.into(),
        audience: "vault".into(),
        ca_pem: None,
    }
}

/// A store that logs in with the account. `auth`: the path of the auth method, and the role.
fn store(name: &str, server: &str, [path, role]: [&str; 2]) -> String {
    format!(
        "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata: {{name: {name}}}\nspec: {{provider: {{vault: \
         {{server: '{server}', auth: {{jwt: {{path: {path}, role: {role}, kubernetesServiceAccountToken: \
         {{serviceAccountRef: {{name: keyless-gcp, namespace: external-secrets}}}}}}}}}}}}}}\n---\n"
    )
}

const HERE: &str = "https://vault.acme.example";

fn users(text: &str, own: Option<&str>) -> Users {
    users_in(&estate(text), own)
}

fn users_in(estate: &Estate, own: Option<&str>) -> Users {
    let own = own.map(login);
    let own = own.as_ref().map(|own| own as &dyn StoreLogin);
    users_of(estate, &ACCOUNT.parse().unwrap(), own, &login("external-secrets"))
}

#[test]
fn account_of_no_store_is_unused() {
    assert_eq!(users("", Some("second")), Users::None);
    let of_others = store("a", HERE, ["keyless", "first"]).replace("name: keyless-gcp", "name: other");
    assert_eq!(users(&of_others, Some("second")), Users::None);
    assert_eq!(users(&of_others, None), Users::None);
}

/// The second login of an account is one only where each store is known to log in by another.
#[test]
fn second_login_takes_known_stores() {
    let first = store("a", HERE, ["keyless", "first"]);
    assert_eq!(users(&first, Some("second")), Users::OfAnotherLogin);
    assert_eq!(users(&first, Some("first")), Users::OfAccount);
    // Without names of its own, an account has one login.
    assert_eq!(users(&first, None), Users::OfAccount);
    for other in [
        store("b", HERE, ["keyless", "second"]),
        store("b", HERE, ["keyless", "SECOND"]),
        // By another trust: how it logs in is not known here.
        store("b", HERE, ["jwt", "third"]),
        store("b", "https://other.acme.example", ["keyless", "third"]),
        first.replace("vault:", "other:").replace("name: a", "name: b"),
    ] {
        assert_eq!(users(&format!("{first}{other}"), Some("second")), Users::OfAccount, "{other}");
    }
    let both = format!("{first}{}", store("b", HERE, ["keyless", "third"]));
    assert_eq!(users(&both, Some("second")), Users::OfAnotherLogin);
}

/// Which role a generator logs in by is not looked at.
#[test]
fn generator_uses_every_login() {
    let generator = "apiVersion: generators.external-secrets.io/v1alpha1\nkind: VaultDynamicSecret\nmetadata: {name: \
                     db, namespace: external-secrets}\nspec: {provider: {server: 'https://vault.acme.example', auth: {jwt: \
                     {path: keyless, role: first, kubernetesServiceAccountToken: {serviceAccountRef: {name: \
                     keyless-gcp}}}}}}\n";
    assert_eq!(users(generator, Some("second")), Users::OfAccount);
    let both = format!("{}{generator}", store("a", HERE, ["keyless", "first"]));
    assert_eq!(users(&both, Some("second")), Users::OfAccount);
}

#[test]
fn unseen_objects_leave_users_unknown() {
    for text in ["", &store("a", HERE, ["keyless", "first"])] {
        let mut seen = estate(text);
        seen.inventory_mut().stores_unseen = true;
        assert_eq!(users_in(&seen, Some("second")), Users::Unknown);
        let mut seen = estate(text);
        seen.inventory_mut().generators_unseen = true;
        assert_eq!(users_in(&seen, Some("second")), Users::Unknown);
    }
    let new =
        "apiVersion: generators.external-secrets.io/v9\nkind: NewToken\nmetadata: {name: a, namespace: b}\n";
    let mut seen = estate("");
    seen.inventory_mut().unknown_kinds = objects(new);
    assert_eq!(users_in(&seen, Some("second")), Users::Unknown);
}
