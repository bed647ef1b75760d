//! `keyless coupling`: which cloud the cluster's secrets, GPUs, volumes and load balancers tie the platform to.

use std::collections::BTreeSet;

use super::Exit;
use crate::{
    cluster::{
        Cluster, is_subdomain,
        objects::{Collected, Items, Look, Object, Resource, Unseen, broken_item, name_of},
        snapshot::{CLUSTER_SECRET_STORES, SECRET_STORES, Store},
    },
    config::Settings,
    coupling::{
        ClusterPolicy, Coupling, DeviceConfig, IngressClass, List, LoadBalancer, Node, Seen, StorageClass,
        Volume, Workload, judge,
    },
    error::Result,
    report::Report,
    target,
};

static NODES: Resource = Resource::new("", "v1", "nodes", "Node", false);
static VOLUMES: Resource = Resource::new("", "v1", "persistentvolumes", "PersistentVolume", false);
static SERVICES: Resource = Resource::new("", "v1", "services", "Service", true);
static CONFIG_MAPS: Resource = Resource::new("", "v1", "configmaps", "ConfigMap", true);
static DAEMON_SETS: Resource = Resource::new("apps", "v1", "daemonsets", "DaemonSet", true);
static DEPLOYMENTS: Resource = Resource::new("apps", "v1", "deployments", "Deployment", true);
static STORAGE_CLASSES: Resource =
    Resource::new("storage.k8s.io", "v1", "storageclasses", "StorageClass", false);
static INGRESS_CLASSES: Resource =
    Resource::new("networking.k8s.io", "v1", "ingressclasses", "IngressClass", false);
static CLUSTER_POLICIES: Resource =
    Resource::new("nvidia.com", "v1", "clusterpolicies", "ClusterPolicy", false);

/// Runs the command.
pub(crate) async fn run(settings: &Settings, report: &mut Report<'_>) -> Result<Exit> {
    let cluster = target::require_look(settings, report).await?;
    let coupling = look(&cluster).await?;
    report.lines(coupling.lines());
    report.json("coupling", coupling.to_json());
    Ok(exit(&coupling))
}

/// How the command ends.
pub(super) fn exit(coupling: &Coupling) -> Exit {
    if coupling.is_complete() { Exit::Clean } else { Exit::Incomplete }
}

/// What ties this cluster to which cloud. What may not be read is part of it; only a cluster that does not answer at all is
/// an error.
pub(super) async fn look(cluster: &Cluster) -> Result<Coupling> {
    let (nodes, storage_classes, volumes, load_balancers, ingress_classes) = futures::try_join!(
        list(cluster, &NODES, Node::of),
        list(cluster, &STORAGE_CLASSES, StorageClass::of),
        list(cluster, &VOLUMES, Volume::of),
        some(cluster, &SERVICES, LoadBalancer::is_one, LoadBalancer::of),
        list(cluster, &INGRESS_CLASSES, IngressClass::of),
    )?;
    let (daemon_sets, deployments, stores, cluster_policies) = futures::try_join!(
        list(cluster, &DAEMON_SETS, Workload::of),
        list(cluster, &DEPLOYMENTS, Workload::of),
        stores(cluster),
        custom(cluster, &CLUSTER_POLICIES, ClusterPolicy::of),
    )?;
    let device_configs = device_configs(cluster, &cluster_policies.items).await?;
    Ok(judge(&Seen {
        nodes,
        stores,
        storage_classes,
        volumes,
        load_balancers,
        ingress_classes,
        daemon_sets,
        deployments,
        cluster_policies,
        device_configs,
    }))
}

/// What is kept of the objects of a kind that every cluster has.
async fn list<T: Send>(
    cluster: &Cluster,
    resource: &Resource,
    of: fn(&Object) -> Option<T>,
) -> Result<List<T>> {
    some(cluster, resource, |_| true, of).await
}

/// The same of those that matter.
async fn some<T: Send>(
    cluster: &Cluster,
    resource: &Resource,
    matters: fn(&Object) -> bool,
    of: fn(&Object) -> Option<T>,
) -> Result<List<T>> {
    let mut kept = Kept { resource, matters, of, items: Vec::new(), broken: BTreeSet::new() };
    let look = cluster.look_for_each(resource, None, "", &mut kept).await?;
    let Kept { items, broken, .. } = kept;
    Ok(whole(resource, look, items, &broken))
}

/// The same of a kind that not every cluster has: that there is none has to be proved.
async fn custom<T: Send>(
    cluster: &Cluster,
    resource: &Resource,
    of: fn(&Object) -> Option<T>,
) -> Result<List<T>> {
    match cluster.served_version(resource).await? {
        Look::Seen(served) => list(cluster, &served, of).await,
        Look::Absent => Ok(List::default()),
        Look::Unseen(unseen) => Ok(List { items: Vec::new(), unseen: vec![unseen] }),
    }
}

/// Stores are read whole: how one logs in is judged by every member that it has.
async fn stores(cluster: &Cluster) -> Result<List<Store>> {
    let mut stores = List::default();
    for resource in [&CLUSTER_SECRET_STORES, &SECRET_STORES] {
        match cluster.served_version(resource).await? {
            Look::Seen(served) => {
                let mut collected = Collected::new(&served);
                let look = cluster.look_for_each(&served, None, "", &mut collected).await?;
                let Collected { objects, broken, .. } = collected;
                let these = whole(&served, look, objects.into_iter().map(Store).collect(), &broken);
                stores.items.extend(these.items);
                stores.unseen.extend(these.unseen);
            }
            Look::Absent => {}
            Look::Unseen(unseen) => stores.unseen.push(unseen),
        }
    }
    Ok(stores)
}

/// The ConfigMaps that ClusterPolicies name for the device plugin, and no other.
async fn device_configs(cluster: &Cluster, policies: &[ClusterPolicy]) -> Result<List<DeviceConfig>> {
    let mut configs = List::default();
    for policy in policies.iter().filter(|policy| policy.device_plugin) {
        let Some((name, _)) = &policy.config else { continue };
        let Some(namespace) = &policy.namespace else {
            configs.unseen.push(Unseen {
                what: format!("ConfigMap {name}"),
                right: CONFIG_MAPS.right("get", None, Some(name)),
                why: format!("ClusterPolicy {} does not report the namespace of its operator", policy.name),
            });
            continue;
        };
        // Nothing can be there under another name.
        if !crate::cluster::is_label(namespace) || !is_subdomain(name) {
            continue;
        }
        match cluster.look_at(&CONFIG_MAPS, Some(namespace), name).await? {
            Look::Seen(object) => configs.items.extend(DeviceConfig::all_of(&object)),
            Look::Absent => {}
            Look::Unseen(unseen) => configs.unseen.push(unseen),
        }
    }
    Ok(configs)
}

fn whole<T>(
    resource: &Resource,
    look: Look<()>,
    items: Vec<T>,
    broken: &BTreeSet<Option<String>>,
) -> List<T> {
    let mut unseen: Vec<_> = broken.iter().map(|name| broken_item(resource, name.as_deref())).collect();
    if let Look::Unseen(list) = look {
        unseen.push(list);
    }
    List { items, unseen }
}

/// Of each object only what matters is kept while the list arrives.
struct Kept<'a, T> {
    resource: &'a Resource,
    matters: fn(&Object) -> bool,
    of: fn(&Object) -> Option<T>,
    items: Vec<T>,
    /// Items that were no objects of the kind: their names, if they have one.
    broken: BTreeSet<Option<String>>,
}

impl<T: Send> Items for Kept<'_, T> {
    fn begin(&mut self) {
        self.items.clear();
        self.broken.clear();
    }

    fn take(&mut self, json: &[u8]) {
        let Some(object) = Object::listed(self.resource, json) else {
            self.broken.insert(name_of(json));
            return;
        };
        if !(self.matters)(&object) {
            return;
        }
        match (self.of)(&object) {
            Some(item) => self.items.push(item),
            None => drop(self.broken.insert(name_of(json))),
        }
    }
}
