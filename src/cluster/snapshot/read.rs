//! Reads the estate: lists first, all at the same time, then only what they name.

use std::collections::BTreeSet;

use futures::future::{join_all, try_join_all};
use serde_json::Value;

use super::{
    Controller, Estate, Lists, Minting, StoreSchema,
    wanted::{Name, Wanted},
};
use crate::{
    cluster::{
        Cluster,
        objects::{Look, Object, Resource, Unseen},
    },
    error::Result,
};

const GROUP: &str = "external-secrets.io";
pub(crate) static CLUSTER_SECRET_STORES: Resource =
    Resource::new(GROUP, "v1", "clustersecretstores", "ClusterSecretStore", false);
pub(crate) static SECRET_STORES: Resource = Resource::new(GROUP, "v1", "secretstores", "SecretStore", true);
pub(crate) static EXTERNAL_SECRETS: Resource =
    Resource::new(GROUP, "v1", "externalsecrets", "ExternalSecret", true);
pub(crate) static CLUSTER_EXTERNAL_SECRETS: Resource =
    Resource::new(GROUP, "v1", "clusterexternalsecrets", "ClusterExternalSecret", false);
static PUSH_SECRETS: Resource = Resource::new(GROUP, "v1alpha1", "pushsecrets", "PushSecret", true);
static CLUSTER_PUSH_SECRETS: Resource =
    Resource::new(GROUP, "v1alpha1", "clusterpushsecrets", "ClusterPushSecret", false);
pub(crate) static SERVICE_ACCOUNTS: Resource =
    Resource::new("", "v1", "serviceaccounts", "ServiceAccount", true);
pub(crate) static SECRETS: Resource = Resource::new("", "v1", "secrets", "Secret", true);
static CONFIG_MAPS: Resource = Resource::new("", "v1", "configmaps", "ConfigMap", true);
static DEPLOYMENTS: Resource = Resource::new("apps", "v1", "deployments", "Deployment", true);
static DEFINITIONS: Resource = Resource::new(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    false,
);
const RBAC: &str = "rbac.authorization.k8s.io";
pub(crate) static ROLES: Resource = Resource::new(RBAC, "v1", "roles", "Role", true);
pub(crate) static ROLE_BINDINGS: Resource = Resource::new(RBAC, "v1", "rolebindings", "RoleBinding", true);
static CLUSTER_ROLES: Resource = Resource::new(RBAC, "v1", "clusterroles", "ClusterRole", false);
static CLUSTER_ROLE_BINDINGS: Resource =
    Resource::new(RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", false);

/// Kinds that hold credentials of their own, and how they are listed.
const GENERATORS: &str = "generators.external-secrets.io";
/// The generators that log in somewhere; the others only make up values.
const GENERATOR_KINDS: [(&str, &str); 12] = [
    ("acraccesstokens", "ACRAccessToken"),
    ("beyondtrustworkloadcredentialsdynamicsecrets", "BeyondtrustWorkloadCredentialsDynamicSecret"),
    ("cloudsmithaccesstokens", "CloudsmithAccessToken"),
    ("clustergenerators", "ClusterGenerator"),
    ("ecrauthorizationtokens", "ECRAuthorizationToken"),
    ("gcraccesstokens", "GCRAccessToken"),
    ("githubaccesstokens", "GithubAccessToken"),
    ("gitlabdeploytokens", "GitlabDeployToken"),
    ("grafanas", "Grafana"),
    ("quayaccesstokens", "QuayAccessToken"),
    ("stssessiontokens", "STSSessionToken"),
    ("vaultdynamicsecrets", "VaultDynamicSecret"),
];

impl Cluster {
    /// Everything of External Secrets Operator. What may not be read is in `unseen`; only a cluster that does
    /// not answer at all is an error.
    pub(crate) async fn estate(&self) -> Result<Estate> {
        let mut unseen = BTreeSet::new();
        let (cluster_schema, namespaced_schema) =
            futures::try_join!(self.schema_of(&CLUSTER_SECRET_STORES), self.schema_of(&SECRET_STORES))?;
        // A cluster that serves an old version only has its stores there.
        let version = [&cluster_schema, &namespaced_schema]
            .into_iter()
            .filter_map(Look::seen)
            .find(|schema| !schema.has_v1())
            .and_then(|schema| schema.served().first().cloned())
            .unwrap_or_else(|| "v1".to_owned());
        let kinds = [&CLUSTER_SECRET_STORES, &SECRET_STORES, &EXTERNAL_SECRETS, &CLUSTER_EXTERNAL_SECRETS];
        let mut resources: Vec<_> = kinds.iter().map(|resource| resource.at_version(&version)).collect();
        resources.extend([&PUSH_SECRETS, &CLUSTER_PUSH_SECRETS, &DEPLOYMENTS].map(Clone::clone));
        resources.extend(GENERATOR_KINDS.iter().map(|(plural, kind)| {
            Resource::new(GENERATORS, "v1alpha1", plural, kind, *kind != "ClusterGenerator")
        }));
        let answers = try_join_all(resources.iter().map(|resource| self.look_for(resource, None))).await?;
        let mut lists = Lists::default();
        let absent = [answers.first(), answers.get(1)].map(|answer| answer == Some(&Look::Absent));
        for (index, answer) in answers.into_iter().enumerate() {
            let list = match index {
                0 | 1 => &mut lists.stores,
                2 | 3 => &mut lists.external_secrets,
                4 | 5 => &mut lists.push_secrets,
                6 => &mut lists.deployments,
                _ => &mut lists.generators,
            };
            match answer {
                Look::Seen(objects) => list.extend(objects),
                Look::Absent => {}
                Look::Unseen(refused) => drop(unseen.insert(refused)),
            }
        }
        // No such kind in v1 means that there is none only if it is known that v1 is what there is.
        for (schema, absent) in [&cluster_schema, &namespaced_schema].into_iter().zip(absent) {
            if let Look::Unseen(refused) = schema
                && absent
            {
                unseen.insert(refused.clone());
            }
        }
        let mut estate = Estate::new(cluster_schema, namespaced_schema, lists, unseen);
        let Wanted { secrets, config_maps, accounts } = estate.wanted();
        let look = |resource: &'static Resource, (namespace, name): Name| async move {
            let seen = self.look_at(resource, Some(&namespace), &name).await?;
            Result::Ok(((namespace, name), seen))
        };
        let (seen_secrets, seen_config_maps, seen_accounts, minting) = futures::try_join!(
            try_join_all(secrets.keys().map(|name| look(&SECRETS, name.clone()))),
            try_join_all(config_maps.keys().map(|name| look(&CONFIG_MAPS, name.clone()))),
            try_join_all(accounts.into_iter().map(|name| look(&SERVICE_ACCOUNTS, name))),
            self.minting(&estate.controllers),
        )?;
        for (keys, (_, secret)) in secrets.values().zip(seen_secrets) {
            estate.take_secret(keys, &secret);
        }
        for (keys, (_, config_map)) in config_maps.values().zip(seen_config_maps) {
            estate.take_config_map(keys, &config_map);
        }
        for (name, account) in seen_accounts {
            estate.take_account(name, account);
        }
        for (controller, minting) in estate.controllers.iter_mut().zip(minting) {
            controller.minting = minting;
        }
        Ok(estate)
    }

    async fn schema_of(&self, stores: &Resource) -> Result<Look<StoreSchema>> {
        let definition = self.look_at(&DEFINITIONS, None, &stores.name()).await?;
        Ok(definition.map(|definition| StoreSchema::of(&definition)))
    }

    /// Whose tokens each controller may mint, from the ClusterRoles that it is bound to.
    async fn minting(&self, controllers: &[Controller]) -> Result<Vec<Look<Minting>>> {
        if controllers.is_empty() {
            return Ok(Vec::new());
        }
        let bindings = match self.look_for(&CLUSTER_ROLE_BINDINGS, None).await? {
            Look::Seen(bindings) => bindings,
            Look::Absent => Vec::new(),
            Look::Unseen(unseen) => return Ok(vec![Look::Unseen(unseen); controllers.len()]),
        };
        let of_one = controllers.iter().map(async |controller| -> Result<Look<Minting>> {
            let bound = bindings.iter().filter(|binding| binds(binding, controller));
            let roles: BTreeSet<_> = bound.map(|binding| binding.text("/roleRef/name")).collect();
            let mut refused: Option<Unseen> = None;
            for role in join_all(roles.into_iter().map(|role| self.look_at(&CLUSTER_ROLES, None, role))).await
            {
                match role? {
                    Look::Seen(role) if Controller::mints_every(&role) => {
                        return Ok(Look::Seen(Minting::Every));
                    }
                    Look::Unseen(unseen) => refused = Some(unseen),
                    Look::Seen(_) | Look::Absent => {}
                }
            }
            Ok(refused.map_or(Look::Seen(Minting::Named), Look::Unseen))
        });
        try_join_all(of_one).await
    }
}

fn binds(binding: &Object, controller: &Controller) -> bool {
    let account = &controller.service_account;
    let subjects = binding.0.get("subjects").and_then(Value::as_array);
    subjects.into_iter().flatten().any(|subject| match subject["kind"].as_str() {
        Some("ServiceAccount") => {
            subject["name"] == account.name.as_str() && subject["namespace"] == account.namespace.as_str()
        }
        Some("Group") => {
            subject["name"] == "system:serviceaccounts"
                || subject["name"] == format!("system:serviceaccounts:{}", account.namespace).as_str()
        }
        _ => false,
    })
}
