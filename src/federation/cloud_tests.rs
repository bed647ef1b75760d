use std::path::Path;

use super::*;
use crate::cluster::snapshot::tests::{inventory, objects};

/// ServiceAccounts as they were read.
pub(in crate::federation) fn seen(accounts: &str) -> BTreeMap<(String, String), Look<Object>> {
    let one = |object: Object| {
        let name = (object.namespace().to_owned(), object.name().to_owned());
        (name, Look::Seen(object))
    };
    objects(accounts).into_iter().map(one).collect()
}

/// The ServiceAccount b/a.
pub(in crate::federation) fn account(annotations: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: a, namespace: b, annotations: {{{annotations}}}}}\n"
    )
}

/// The files of a folder of `fixtures/audit-cloud`, by name.
pub(in crate::federation) fn fixtures(folder: &str) -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/audit-cloud").join(folder);
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |path: std::path::PathBuf| {
        let value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        (path.file_stem().unwrap().to_str().unwrap().to_owned(), value)
    };
    entries.map(read).collect()
}

/// Whether this is what a file is called after, and which of three sorts it is: named, more, not known.
pub(in crate::federation) fn sort_of(name: &str, found: &Admits) -> usize {
    let (at, fits) = match name.split('-').next().unwrap() {
        "named" => (0, *found == Admits::Named),
        "more" => (1, matches!(found, Admits::More(_))),
        _ => (2, matches!(found, Admits::NotKnown(_))),
    };
    assert!(fits, "{name}: {found:?}");
    at
}

fn look(text: &str) -> CloudLook {
    let inventory = inventory(&objects(text));
    unknown(&Scope {
        inventory: &inventory,
        accounts: &BTreeMap::new(),
        issuer: &OwnIssuer::unknown(),
        now: 0,
        is_of_several: false,
    })
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
