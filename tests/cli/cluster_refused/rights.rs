//! Rights in the cluster that are missing.

use super::*;

pub(super) const GENERATORS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gcraccesstokens.generators.external-secrets.io}
spec:
  group: generators.external-secrets.io
  names: {kind: GCRAccessToken, listKind: GCRAccessTokenList, plural: gcraccesstokens, singular: gcraccesstoken}
  scope: Namespaced
  versions:
  - name: v1alpha1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

/// What else uses the credential is looked for in these: without one of them it stays, though the store moves.
const LOOKS: [&str; 10] = [
    "configmaps",
    "cronjobs.batch",
    "daemonsets.apps",
    "jobs.batch",
    "pods",
    "replicasets.apps",
    "replicationcontrollers",
    "secrets",
    "serviceaccounts",
    "statefulsets.apps",
];

/// Runs without this right; the error has to name it.
fn without_right(estate: &Estate, Asked { verb, resource, namespace }: &Asked) {
    let cluster = &estate.world.cluster;
    let paths = [("/openid/v1/jwks", Right::Jwks), ("/.well-known/openid-configuration", Right::Discovery)];
    let path = paths.iter().find(|(path, _)| path == resource);
    match path {
        Some((_, right)) => cluster.revoke("admin", *right),
        None if namespace.is_empty() => cluster.deny("admin", verb, resource),
        None => cluster.deny_in("admin", namespace, verb, resource),
    }
    let ran = estate.run(&RETIRE).ends(3);
    for named in [*verb, resource.as_str(), namespace.as_str()] {
        assert!(ran.err.contains(named), "{verb} {resource} {namespace}: `{named}` is not in\n{}", ran.err);
    }
    assert!(ran.err.contains("\n  hint: "), "{}", ran.err);
    match path {
        Some((_, right)) => cluster.grant("admin", *right),
        None => cluster.forgive("admin"),
    }
}

/// Each right that a whole setup makes use of is taken away in turn: the error names it, and nothing that works is
/// touched. With all of them back, setup ends well.
#[test]
fn missing_right_is_named_changing_nothing() {
    let asked = {
        let estate = Estate::new();
        estate.run(&RETIRE).ends(0);
        Asked::all(&estate.world.cluster.server(0).faults().requests())
    };
    assert!(asked.len() > 30, "{asked:?}");
    // What nothing hangs on: see below.
    let needed = asked.iter().filter(|asked| !asked.resource.starts_with("clusterrole"));
    let is_look = |asked: &&Asked| asked.verb == "list" && LOOKS.contains(&asked.resource.as_str());
    let (looks, needed): (Vec<_>, Vec<_>) = needed.partition(is_look);
    // ConfigMaps twice: everywhere, and what is noted of other stores in `keyless-system`.
    assert_eq!(looks.len(), LOOKS.len() + 1, "{looks:?}");
    let unseeing = Estate::new();
    for asked in looks {
        without_right(&unseeing, asked);
        assert_eq!((unseeing.key_disabled(), unseeing.secret_is_there()), (Some(false), true), "{asked:?}");
    }
    let estate = Estate::new();
    let before = estate.store()["spec"].clone();
    for asked in needed {
        without_right(&estate, asked);
        if asked.verb != "delete" {
            assert_eq!(estate.store()["spec"], before, "{asked:?}: the store is as it was");
            assert_eq!(estate.key_disabled(), Some(false), "{asked:?}");
        }
        // What is noted goes last, after the Secret.
        let is_last = asked.verb == "delete" && asked.resource == "configmaps";
        assert_eq!(estate.secret_is_there(), !is_last, "{asked:?}");
    }
    for estate in [estate, unseeing] {
        estate.run(&RETIRE).ends(0);
        assert!(estate.is_keyless());
        assert_eq!((estate.key_disabled(), estate.secret_is_there()), (None, false));
    }
}

#[test]
fn unknown_minting_right_does_not_block() {
    for (verb, resource) in [("list", "clusterrolebindings"), ("get", "clusterroles")] {
        let estate = Estate::new();
        estate.world.cluster.deny("admin", verb, &format!("{resource}.rbac.authorization.k8s.io"));
        // It may then mint for the one ServiceAccount twice over.
        estate.run(&SETUP).ends(0);
        assert!(!estate.world.cluster.objects("Role").is_empty() && estate.is_keyless());
    }
}
