//! The kinds that are read, and how the API has them.

use crate::cluster::objects::Resource;

const GROUP: &str = "external-secrets.io";
const GENERATORS: &str = "generators.external-secrets.io";

pub(crate) static CLUSTER_SECRET_STORES: Resource =
    Resource::new(GROUP, "v1", "clustersecretstores", "ClusterSecretStore", false);
pub(crate) static SECRET_STORES: Resource = Resource::new(GROUP, "v1", "secretstores", "SecretStore", true);
pub(crate) static EXTERNAL_SECRETS: Resource =
    Resource::new(GROUP, "v1", "externalsecrets", "ExternalSecret", true);
static CLUSTER_EXTERNAL_SECRETS: Resource =
    Resource::new(GROUP, "v1", "clusterexternalsecrets", "ClusterExternalSecret", false);
static PUSH_SECRETS: Resource = Resource::new(GROUP, "v1alpha1", "pushsecrets", "PushSecret", true);
static CLUSTER_PUSH_SECRETS: Resource =
    Resource::new(GROUP, "v1alpha1", "clusterpushsecrets", "ClusterPushSecret", false);
pub(crate) static SERVICE_ACCOUNTS: Resource =
    Resource::new("", "v1", "serviceaccounts", "ServiceAccount", true);
pub(crate) static SECRETS: Resource = Resource::new("", "v1", "secrets", "Secret", true);
pub(super) static CONFIG_MAPS: Resource = Resource::new("", "v1", "configmaps", "ConfigMap", true);
pub(super) static DEPLOYMENTS: Resource = Resource::new("apps", "v1", "deployments", "Deployment", true);
pub(super) static STATEFUL_SETS: Resource = Resource::new("apps", "v1", "statefulsets", "StatefulSet", true);
pub(super) static DAEMON_SETS: Resource = Resource::new("apps", "v1", "daemonsets", "DaemonSet", true);
pub(super) static REPLICA_SETS: Resource = Resource::new("apps", "v1", "replicasets", "ReplicaSet", true);
pub(super) static JOBS: Resource = Resource::new("batch", "v1", "jobs", "Job", true);
pub(super) static CRON_JOBS: Resource = Resource::new("batch", "v1", "cronjobs", "CronJob", true);
pub(super) static PODS: Resource = Resource::new("", "v1", "pods", "Pod", true);
pub(super) static LEASES: Resource = Resource::new("coordination.k8s.io", "v1", "leases", "Lease", true);
pub(super) static DEFINITIONS: Resource = Resource::new(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    false,
);
const RBAC: &str = "rbac.authorization.k8s.io";
pub(crate) static ROLES: Resource = Resource::new(RBAC, "v1", "roles", "Role", true);
pub(crate) static ROLE_BINDINGS: Resource = Resource::new(RBAC, "v1", "rolebindings", "RoleBinding", true);
pub(super) static CLUSTER_ROLES: Resource = Resource::new(RBAC, "v1", "clusterroles", "ClusterRole", false);
pub(super) static CLUSTER_ROLE_BINDINGS: Resource =
    Resource::new(RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", false);

/// Kinds of others that hold values of charts and applications, by group and plural: read if the API server has them.
pub(super) const OF_OTHERS: [(&str, &str); 4] = [
    ("argoproj.io", "applications"),
    ("argoproj.io", "applicationsets"),
    ("helm.cattle.io", "helmcharts"),
    ("helm.toolkit.fluxcd.io", "helmreleases"),
];

/// What the objects of a kind of External Secrets Operator are to this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// They log in, and secrets are read or written through them.
    Store,
    /// They name stores and generators.
    User,
    /// They log in, and make values.
    Generator,
    /// They hold what a generator made, and a copy of the generator.
    GeneratorState,
    /// They only make up values: nothing in them logs in anywhere.
    Local,
}

/// Every kind of External Secrets Operator that is known here.
pub(super) fn known() -> Vec<(Resource, Part)> {
    let of_group = [
        (&CLUSTER_SECRET_STORES, Part::Store),
        (&SECRET_STORES, Part::Store),
        (&EXTERNAL_SECRETS, Part::User),
        (&CLUSTER_EXTERNAL_SECRETS, Part::User),
        (&PUSH_SECRETS, Part::User),
        (&CLUSTER_PUSH_SECRETS, Part::User),
    ];
    let generators = GENERATOR_KINDS.iter().map(|(plural, kind, part)| {
        (Resource::new(GENERATORS, "v1alpha1", plural, kind, *kind != "ClusterGenerator"), *part)
    });
    of_group.into_iter().map(|(resource, part)| (resource.clone(), part)).chain(generators).collect()
}

const GENERATOR_KINDS: [(&str, &str, Part); 19] = [
    ("acraccesstokens", "ACRAccessToken", Part::Generator),
    (
        "beyondtrustworkloadcredentialsdynamicsecrets",
        "BeyondtrustWorkloadCredentialsDynamicSecret",
        Part::Generator,
    ),
    ("cloudsmithaccesstokens", "CloudsmithAccessToken", Part::Generator),
    ("clustergenerators", "ClusterGenerator", Part::Generator),
    ("ecrauthorizationtokens", "ECRAuthorizationToken", Part::Generator),
    ("fakes", "Fake", Part::Generator),
    ("gcraccesstokens", "GCRAccessToken", Part::Generator),
    ("generatorstates", "GeneratorState", Part::GeneratorState),
    ("githubaccesstokens", "GithubAccessToken", Part::Generator),
    ("gitlabdeploytokens", "GitlabDeployToken", Part::Generator),
    ("grafanas", "Grafana", Part::Generator),
    ("mfas", "MFA", Part::Generator),
    ("passwords", "Password", Part::Local),
    ("quayaccesstokens", "QuayAccessToken", Part::Generator),
    ("sshkeys", "SSHKey", Part::Local),
    ("stssessiontokens", "STSSessionToken", Part::Generator),
    ("uuids", "UUID", Part::Local),
    ("vaultdynamicsecrets", "VaultDynamicSecret", Part::Generator),
    ("webhooks", "Webhook", Part::Generator),
];

/// The kind that this ClusterGenerator member holds: `ecrAuthorizationTokenSpec` is an ECRAuthorizationToken.
pub(super) fn kind_of_member(member: &str) -> Option<&'static str> {
    let kind = member.strip_suffix("Spec")?;
    let known = GENERATOR_KINDS.iter().map(|(_, known, _)| *known);
    known.into_iter().find(|known| known.eq_ignore_ascii_case(kind))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// What is asked for is what the auditor's role grants.
    #[test]
    fn auditor_may_read_every_known_kind() {
        let role = include_str!("../../../deploy/auditor/rbac.yaml");
        let objects: Vec<Value> = serde_saphyr::from_multiple(role).unwrap();
        let rules = objects[0]["rules"].as_array().unwrap();
        let texts = |value: &Value| -> BTreeSet<String> {
            value.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let of_kinds =
            rules.iter().filter(|rule| texts(&rule["resources"]).contains("customresourcedefinitions"));
        let names = of_kinds.flat_map(|rule| texts(&rule["resourceNames"])).collect::<BTreeSet<_>>();
        let listed = rules.iter().flat_map(|rule| {
            let group = rule["apiGroups"][0].as_str().unwrap_or_default().to_owned();
            texts(&rule["resources"]).into_iter().map(move |resource| format!("{resource}.{group}"))
        });
        let listed: BTreeSet<_> = listed.filter(|name| name.ends_with("external-secrets.io")).collect();
        let known: BTreeSet<_> =
            known().iter().filter(|(_, part)| *part != Part::Local).map(|(it, _)| it.name()).collect();
        assert_eq!(names, known);
        assert_eq!(listed, known);
    }
}
