//! PURE. GPUs: what makes the nodes' GPUs schedulable, and whether workloads that share one are isolated.

mod sharing;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use self::table::{PLUGINS, Plugin, vendor_of};
use super::{
    ClusterPolicy, Concern, Found, NONE, Portable, Seen, Tie, UNKNOWN, Workload, images, places::AZURE,
};

pub(super) const CONCERN: Concern = Concern { id: "gpu", title: "GPU stack", judge };

const NVIDIA: &str = "NVIDIA";

fn judge(seen: &Seen) -> Found {
    let mut found = Found::default();
    found.misses(&seen.nodes);
    found.misses(&seen.daemon_sets);
    found.misses(&seen.cluster_policies);
    found.misses(&seen.device_configs);
    // Whose GPUs have a plugin.
    let mut vendors = BTreeSet::new();
    for policy in &seen.cluster_policies.items {
        if policy.device_plugin {
            vendors.insert(NVIDIA);
        }
        found.ties.push(of_policy(seen, policy));
        found.resolves(match policy.driver {
            true => "GPU Operator: nodes with NVIDIA GPUs, and an operating system for which there is a driver container",
            false => "GPU Operator: nodes with NVIDIA GPUs that bring their driver along",
        });
    }
    for (workload, plugin) in plugins(seen) {
        vendors.insert(plugin.vendor);
        let is_managed_by_aks =
            workload.labels.get("kubernetes.azure.com/managedby").is_some_and(|by| by == "aks");
        let tie = match is_managed_by_aks {
            true => Tie::new(
                AZURE,
                format!("{}, managed by AKS", plugin.title),
                workload.describe(),
                Portable::No,
            ),
            false => Tie::new(plugin.to, plugin.title, workload.describe(), plugin.portable),
        };
        found.resolves(match tie.portable {
            Portable::No => format!(
                "{}: another device plugin, e.g. of the GPU Operator, and its labels in node selectors",
                plugin.title
            ),
            _ => format!("{}: nodes with GPUs of {}, and their driver", plugin.title, plugin.vendor),
        });
        found.ties.push(tie);
    }
    let mut groups: BTreeMap<(Vec<String>, sharing::Sharing), Vec<&str>> = BTreeMap::new();
    for node in &seen.nodes.items {
        let resources: Vec<_> =
            node.allocatable.iter().filter(|it| vendor_of(it).is_some()).cloned().collect();
        if !resources.is_empty() {
            groups.entry((resources, sharing::of(node))).or_default().push(&node.name);
        }
    }
    let has_gpus = !groups.is_empty();
    for ((resources, sharing), nodes) in groups {
        let of: BTreeSet<_> = resources.iter().filter_map(|it| vendor_of(it)).collect();
        let covered = of.iter().all(|vendor| vendors.contains(vendor));
        let evidence = match nodes.as_slice() {
            [only] => format!("Node {only}"),
            [first, rest @ ..] => format!("Node {first} and {} more", rest.len()),
            [] => continue,
        };
        let to = of.into_iter().collect::<Vec<_>>().join(", ");
        let through = format!("resources {}; {}", resources.join(", "), sharing.words());
        let tie = match (covered, sharing.cloud) {
            (_, Some(cloud)) => Tie::new(cloud, through, evidence, Portable::No),
            (true, None) if sharing.is_known() => Tie::new(&to, through, evidence, Portable::Yes),
            (true, None) => Tie::new(&to, through, evidence, Portable::Unknown),
            (false, None) => Tie::new(UNKNOWN, through, evidence, Portable::Unknown)
                .detail("no device plugin is seen: the nodes may bring one along, as images of clouds do"),
        };
        if !covered && tie.portable == Portable::Unknown {
            found.resolves("what makes the GPUs of these nodes schedulable");
        }
        if sharing.is_shared() {
            found.resolves(
                "workloads that share a GPU without isolation: whether they may share it there as well",
            );
        }
        found.ties.push(tie);
    }
    if found.ties.is_empty() && !has_gpus && found.unseen.is_empty() {
        found.ties.push(Tie::new(
            NONE,
            "no GPU stack",
            "no node with a GPU, no device plugin",
            Portable::Yes,
        ));
    }
    found
}

fn of_policy(seen: &Seen, policy: &ClusterPolicy) -> Tie {
    let plugin =
        if policy.device_plugin { "with its device plugin" } else { "its device plugin is disabled" };
    let through = format!("GPU Operator, {plugin}");
    let mut tie = Tie::new(NVIDIA, through, policy.describe(), Portable::Yes);
    if let Some(mig) = &policy.mig {
        tie = tie.detail(format!("MIG strategy {}", mig.escape_debug()));
    }
    let Some((name, default)) = policy.config.as_ref().filter(|_| policy.device_plugin) else { return tie };
    let object = policy.namespace.as_ref().map(|namespace| format!("ConfigMap {namespace}/{name}"));
    let parts: Vec<_> =
        seen.device_configs.items.iter().filter(|it| Some(&it.object) == object.as_ref()).collect();
    if parts.is_empty() {
        let why = if seen.device_configs.is_whole() {
            "it does not exist, or is empty"
        } else {
            "it could not be read"
        };
        tie.portable = Portable::Unknown;
        return tie.detail(format!("its configuration ConfigMap {name}: {why}"));
    }
    for part in parts {
        let is_default = default.as_deref() == Some(part.part.as_str());
        let by = if is_default { "by default" } else { "for nodes with its label" };
        let words = match &part.shares {
            None => {
                tie.portable = Portable::Unknown;
                "it cannot be read".to_owned()
            }
            Some(shares) if shares.is_empty() => "no sharing".to_owned(),
            Some(shares) => {
                let one = |(how, resource, replicas): &(&str, String, u64)| {
                    format!("{how} of {} into {replicas}, without isolation", resource.escape_debug())
                };
                shares.iter().map(one).collect::<Vec<_>>().join(", ")
            }
        };
        tie = tie.detail(format!("{} ({}, {by}): {words}", part.object, part.part.escape_debug()));
    }
    if let Some(default) = default.as_ref().filter(|it| !it.is_empty())
        && !seen.device_configs.items.iter().any(|it| it.part == **default)
    {
        tie.portable = Portable::Unknown;
        tie = tie.detail(format!("its default `{}` is no part of that ConfigMap", default.escape_debug()));
    }
    tie
}

/// Device plugins that no ClusterPolicy made.
fn plugins(seen: &Seen) -> impl Iterator<Item = (&Workload, &'static Plugin)> {
    let by_hand =
        seen.daemon_sets.items.iter().filter(|it| !it.owners.iter().any(|kind| kind == "ClusterPolicy"));
    by_hand.filter_map(|workload| {
        let runs = |repository: &&str| workload.images.iter().any(|image| images::is_of(image, repository));
        Some((workload, PLUGINS.iter().find(|plugin| plugin.images.iter().any(|it| runs(it)))?))
    })
}
