use super::*;
use crate::cluster::snapshot::tests::{inventory, objects};

fn look(text: &str) -> CloudLook {
    let inventory = inventory(&objects(text));
    unknown(&Scope { inventory: &inventory, accounts: &BTreeMap::new(), issuer: None, now: 0 })
}

fn store(provider: &str) -> String {
    format!(
        "apiVersion: external-secrets.io/v1\nkind: ClusterSecretStore\nmetadata: {{name: it}}\nspec: {{provider: {{{provider}}}}}\n"
    )
}

/// As whom such a store logs in is decided by what uses it, and nothing does.
#[test]
fn unused_store_is_not_seen() {
    for (provider, count) in [
        ("aws: {auth: {jwt: {serviceAccountRef: {name: a}}}}", 1),
        (
            "aws: {auth: {secretRef: {accessKeyIDSecretRef: {name: s, key: i}, secretAccessKeySecretRef: {name: s, key: k}}}}",
            2,
        ),
        ("gcpsm: {auth: {workloadIdentity: {serviceAccountRef: {name: a}}}}", 1),
        ("gcpsm: {auth: {secretRef: {secretAccessKeySecretRef: {name: s, key: k}}}}", 1),
        ("azurekv: {authType: WorkloadIdentity, serviceAccountRef: {name: a}}", 1),
        ("vault: {server: \"https://v\", auth: {tokenSecretRef: {name: s, key: k}}}", 1),
    ] {
        let look = look(&store(provider));
        assert_eq!(look.unseen.len(), count, "{provider}: {:?}", look.unseen);
        assert!(look.unseen.iter().all(|it| it.why.contains("nothing does yet")), "{:?}", look.unseen);
    }
}

#[test]
fn login_in_one_namespace_is_seen() {
    for provider in [
        "aws: {auth: {jwt: {serviceAccountRef: {name: a, namespace: b}}}}",
        "gcpsm: {auth: {secretRef: {secretAccessKeySecretRef: {name: s, namespace: b, key: k}}}}",
    ] {
        let look = look(&store(provider));
        assert!(look.unseen.is_empty(), "{provider}: {:?}", look.unseen);
    }
    let used = format!(
        "{}---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {{name: e, namespace: shop}}\n\
         spec: {{secretStoreRef: {{name: it, kind: ClusterSecretStore}}, target: {{name: t}}}}\n",
        store("aws: {auth: {jwt: {serviceAccountRef: {name: a}}}}")
    );
    assert!(look(&used).unseen.is_empty());
}
