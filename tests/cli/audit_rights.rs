//! The ClusterRoles of `keyless audit`, one for each mode: with exactly these rights everything goes, and each is needed.

use serde_json::{Value, json};

use crate::{
    estate::{Estate, store},
    least_rights::{Given, USER, rights, user},
    world::{Ran, World},
};

const GENERATORS: &str = include_str!("../lab/fixtures/crds/eso-generators-min.yaml");

/// Every kind of thing that an audit looks at: keys in a Secret, a file in a ConfigMap, a ServiceAccount, the
/// operator's pod and its rights.
fn estate() -> Estate {
    let estate = Estate::new();
    estate.world.cluster.load_crds(GENERATORS);
    for (group, plural, kind) in [
        ("argoproj.io", "applications", "Application"),
        ("argoproj.io", "applicationsets", "ApplicationSet"),
        ("helm.cattle.io", "helmcharts", "HelmChart"),
        ("helm.toolkit.fluxcd.io", "helmreleases", "HelmRelease"),
    ] {
        estate.world.cluster.load_crds(&format!(
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: {plural}.{group}}}\n\
             spec:\n  group: {group}\n  scope: Namespaced\n  names: {{kind: {kind}, listKind: {kind}List, plural: {plural}, \
             singular: {}}}\n  versions:\n  - {{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: \
             {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}}}\n",
            kind.to_lowercase()
        ));
    }
    let put = |object: Value| estate.world.cluster.put_object(object);
    // A second operator that only its lease tells.
    put(
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "second-x2x4k", "namespace": "second"},
        "spec": {"containers": [{"name": "it", "image": "mirror.lab.test/it@sha256:00"}]}}),
    );
    put(json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "external-secrets-controller", "namespace": "second"},
        "spec": {"holderIdentity": "second-x2x4k_2f9c"}}));
    let named = |name: &str| json!({"name": name, "namespace": "external-secrets", "key": "account.json"});
    for (name, provider) in [
        (
            "file",
            json!({"gcpsm": {"projectID": "acme-prod", "auth": {"workloadIdentityFederation": {"credConfig": named("account")}}}}),
        ),
        (
            "vault",
            json!({"vault": {"server": "https://vault.lab.test", "auth": {"kubernetes": {"mountPath": "k", "role": "r",
            "serviceAccountRef": {"name": "eso", "namespace": "external-secrets"}}}}}),
        ),
    ] {
        let mut object = store(name, "unused");
        object["spec"]["provider"] = provider;
        put(object);
    }
    put(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "account", "namespace": "external-secrets"},
        "data": {"account.json": r#"{"type": "external_account", "credential_source": {"url": "http://169.254.169.254/token"}}"#}}),
    );
    put(
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "eso", "namespace": "external-secrets"}}),
    );
    let rbac = "rbac.authorization.k8s.io";
    put(json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRole", "metadata": {"name": "eso"},
        "rules": [{"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]}]}));
    put(
        json!({"apiVersion": format!("{rbac}/v1"), "kind": "ClusterRoleBinding", "metadata": {"name": "eso"},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "eso"},
        "subjects": [{"kind": "ServiceAccount", "name": "external-secrets", "namespace": "external-secrets"}]}),
    );
    estate
}

fn audit(world: &World, mode: &str) -> Ran {
    let mut command = world.command(&["audit", "--mode", mode]);
    command.env("KUBECONFIG", world.dir.path().join(format!("{USER}.kubeconfig")));
    command.output().unwrap().into()
}

#[test]
fn audit_needs_exactly_its_rights() {
    needs_exactly_its_rights("deep", "auditor");
}

#[test]
fn metadata_audit_needs_exactly_its_rights() {
    needs_exactly_its_rights("metadata", "auditor-metadata");
}

#[test]
fn refs_audit_needs_exactly_its_rights() {
    needs_exactly_its_rights("refs", "auditor-refs");
}

/// Of a Secret nothing is granted that the mode does not look at.
#[test]
fn roles_differ_in_secrets_alone() {
    let all = |folder: &str| -> Vec<String> {
        rights(folder).iter().map(|given| format!("{} {}", given.verb, given.resource)).collect()
    };
    let without = |kept: &[&str]| -> Vec<String> {
        let mut all = all("auditor");
        all.retain(|right| !right.ends_with(" secrets") || kept.contains(&right.as_str()));
        all.sort();
        all
    };
    for (folder, kept) in [("auditor-refs", &[][..]), ("auditor-metadata", &["list secrets"])] {
        let mut given = all(folder);
        given.sort();
        assert_eq!(given, without(kept), "{folder}");
    }
}

fn needs_exactly_its_rights(mode: &str, folder: &str) {
    let rights = rights(folder);
    let audit = |world: &World| audit(world, mode);
    assert!(
        rights.iter().all(|given| given.verb == "get" || given.verb == "list"),
        "it only looks: {rights:?}"
    );
    let estate = estate();
    user(&estate.world, &[folder]);
    let whole = audit(&estate.world).ends(1);
    let headline = whole.out.lines().next().unwrap();
    assert!(headline.starts_with("1 LONG-LIVED credential opens the secret stores"), "{}", whole.out);
    assert_eq!(headline.contains("INCOMPLETE"), mode != "deep", "{}", whole.out);
    assert!(!whole.err.contains("of the audit"), "{}", whole.err);
    assert!(whole.out.contains("may mint a token for every ServiceAccount"), "{}", whole.out);
    for without in ["not judged", "could not be read:", "is not known"] {
        assert!(mode != "deep" || !whole.out.contains(without), "{}", whole.out);
    }
    let (_, unseen) = whole.out.split_once("could not be read:\n").unwrap_or(("", "\n"));
    let unseen = unseen.lines().take_while(|line| !line.is_empty()).count();
    assert_eq!(unseen, usize::from(mode != "deep"), "{}", whole.out);
    let absent = World::new(1);
    user(&absent, &[folder]);
    audit(&absent).ends(3).says(if mode == "deep" { "NOTHING TO JUDGE" } else { "INCOMPLETE" });
    for Given { verb, resource, namespace } in &rights {
        if resource == "namespaces" {
            // The verdict is whole without it, but does not say of which cluster.
            estate.world.cluster.deny(USER, verb, resource);
            let ran = audit(&estate.world).ends(1);
            assert!(
                ran.err.contains("warning[cluster-uid-unknown]") && ran.err.contains("get namespaces"),
                "{}",
                ran.err
            );
            estate.world.cluster.forgive(USER);
            continue;
        }
        // Where there are stores, they are there in some version: only where there are none the schema matters.
        let world = if resource.starts_with("customresourcedefinitions") { &absent } else { &estate.world };
        world.cluster.deny(USER, verb, resource);
        let ran = audit(world);
        let named = match resource.strip_prefix('/') {
            Some(path) => format!("get the non-resource URL `/{}", path.trim_end_matches('*')),
            None => format!("{verb} {resource}"),
        };
        assert!(ran.out.contains(&named), "{verb} {resource} in {namespace:?} is not named\n{}", ran.out);
        let headline = ran.out.lines().next().unwrap();
        // Whose tokens the operator may mint is a note.
        let is_note = resource.starts_with("clusterrole");
        assert_eq!(
            headline.contains("INCOMPLETE"),
            !is_note || mode != "deep",
            "{verb} {resource}: {headline}"
        );
        assert!(!is_note || ran.out.contains("is not known"), "{}", ran.out);
        // One message names it before the lists do, unless it is about paths and definitions.
        let is_reviewed = !resource.starts_with('/') && !resource.starts_with("customresourcedefinitions");
        let grant = format!("keyless render rbac --for audit --mode {mode}");
        assert_eq!(ran.err.contains(&grant) && ran.err.contains(&named), is_reviewed, "{named}: {}", ran.err);
        world.cluster.forgive(USER);
    }
}
