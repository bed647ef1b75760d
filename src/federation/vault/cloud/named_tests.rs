use super::*;
use crate::cluster::snapshot::tests::{inventory, objects};

const AT: &str = "https://vault.example:8200";

fn look(auth: &str) -> Named {
    look_at(AT, auth)
}

fn look_at(server: &str, auth: &str) -> Named {
    look_at_all(&format!(
        "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata: {{name: s}}\n\
         spec: {{provider: {{vault: {{server: '{server}', namespace: team, auth: {auth}}}}}}}\n"
    ))
}

fn look_at_all(manifests: &str) -> Named {
    ask(AT, manifests, false)
}

fn ask(address: &str, manifests: &str, is_of_several: bool) -> Named {
    let inventory = inventory(&objects(manifests));
    named(
        address,
        &Scope {
            inventory: &inventory,
            accounts: &BTreeMap::new(),
            issuer: &crate::federation::OwnIssuer::unknown(),
            now: 0,
            is_of_several,
        },
    )
}

#[test]
fn store_names_its_logins() {
    let text = str::to_owned;
    for (auth, login) in [
        ("{tokenSecretRef: {name: t, key: k}}", Login::Token),
        ("{jwt: {path: k3s/, role: ESO}}", Login::JwtRole { mount: text("k3s"), role: text("eso") }),
        (
            "{kubernetes: {mountPath: kube, role: eso}}",
            Login::KubernetesRole { mount: text("kube"), role: text("eso") },
        ),
        ("{userPass: {username: eso}}", Login::User { mount: text("userpass"), name: text("eso") }),
        ("{appRole: {roleId: abc}}", Login::AppRole { mount: text("approle"), role_id: Some(text("abc")) }),
        (
            "{appRole: {roleId: ' abc '}}",
            Login::AppRole { mount: text("approle"), role_id: Some(text("abc")) },
        ),
        ("{appRole: {path: a, roleRef: {name: r}}}", Login::AppRole { mount: text("a"), role_id: None }),
    ] {
        let named = look(auth);
        let logins: Vec<_> = named.logins.into_keys().collect();
        assert_eq!(logins, [(Some(text("team")), login)], "{auth}");
        assert!(named.unseen.is_empty(), "{auth}: {:?}", named.unseen);
    }
}

#[test]
fn namespace_of_login_counts() {
    let named = look("{namespace: admin, jwt: {path: jwt, role: eso}}");
    assert_eq!(named.logins.keys().next().unwrap().0.as_deref(), Some("admin"));
}

#[test]
fn what_cannot_be_asked_is_unseen() {
    for auth in [
        "{}",
        "{ldap: {path: ldap, username: a}}",
        "{cert: {path: cert}}",
        "{jwt: {path: jwt}}",
        "{jwt: {path: '../sys', role: eso}}",
        "{jwt: {path: jwt, role: '../../sys/seal'}}",
        "{userPass: {username: 'a/../b'}}",
        "{namespace: 'a/../b', jwt: {path: jwt, role: eso}}",
        "{somethingNew: {}}",
        "{appRole: {roleId: '  '}}",
    ] {
        let named = look(auth);
        assert!(named.logins.is_empty() && !named.unseen.is_empty(), "{auth}: {named:?}");
    }
}

#[test]
fn other_server_is_unseen() {
    for server in ["https://evil.example", "https://vault.example", ""] {
        let named = look_at(server, "{jwt: {path: jwt, role: eso}}");
        assert!(named.logins.is_empty() && named.unseen.len() == 1, "{server}: {named:?}");
    }
    assert_eq!(look_at("https://vault.example:8200/", "{jwt: {path: jwt, role: eso}}").logins.len(), 1);
}

#[test]
fn header_that_names_namespace_is_unseen() {
    let spec = |header: &str| {
        format!("{{server: '{AT}', headers: {{{header}: other}}, auth: {{jwt: {{path: jwt, role: eso}}}}}}")
    };
    let of = |header: &str| {
        let spec = spec(header);
        look_at_all(&format!(
            "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata: {{name: s}}\n\
             spec: {{provider: {{vault: {spec}}}}}\n---\n\
             apiVersion: generators.external-secrets.io/v1alpha1\nkind: VaultDynamicSecret\n\
             metadata: {{name: g, namespace: a}}\nspec: {{path: db, provider: {spec}}}\n"
        ))
    };
    for header in ["X-Vault-Namespace", "x-vault-namespace", "X-VAULT-NAMESPACE"] {
        let named = of(header);
        // The store and the generator.
        assert!(named.logins.is_empty() && named.unseen.len() == 2, "{header}: {named:?}");
    }
    let named = of("X-Other");
    assert!(named.logins.len() == 1 && named.unseen.is_empty(), "{named:?}");
}

/// The same address is another Vault in each cluster.
#[test]
fn server_in_cluster_answers_for_none() {
    let at = |server: &str, is_of_several| {
        let manifests = format!(
            "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata: {{name: s}}\n\
             spec: {{provider: {{vault: {{server: '{server}', auth: {{tokenSecretRef: {{name: t, key: k}}}}}}}}}}\n"
        );
        ask(server, &manifests, is_of_several)
    };
    for server in ["https://vault.vault.svc:8200", "https://vault.vault", "https://10.0.0.1:8200"] {
        let named = at(server, true);
        assert!(named.logins.is_empty() && named.unseen.len() == 1, "{server}: {named:?}");
        assert!(named.unseen.iter().all(|it| it.why.contains("another server in each")), "{named:?}");
        assert_eq!(at(server, false).logins.len(), 1, "one cluster has one of it");
    }
    let named = at("https://vault.acme.com", true);
    assert!(named.unseen.is_empty() && named.logins.len() == 1, "{named:?}");
}
