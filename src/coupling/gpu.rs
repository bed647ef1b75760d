//! PURE. GPUs: what makes the nodes' GPUs schedulable, and whether workloads that share one are isolated.

mod sharing;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use self::table::{PLUGINS, Plugin, may_be_accelerator, vendor_of};
use super::{
    ClusterPolicy, Concern, Found, NONE, Portable, Seen, Tie, UNKNOWN, Workload, images, places::AZURE,
};

pub(super) const CONCERN: Concern = Concern { id: "gpu", title: "GPU stack", judge };

const NVIDIA: &str = "NVIDIA";

/// Whose resources have a plugin, and whether that is portable.
type Covered = BTreeMap<&'static str, Portable>;

fn judge(seen: &Seen) -> Found {
    let mut found = Found::default();
    found.misses(&seen.nodes);
    found.misses(&seen.daemon_sets);
    found.misses(&seen.cluster_policies);
    found.misses(&seen.device_configs);
    let mut covered = Covered::new();
    for policy in &seen.cluster_policies.items {
        if policy.device_plugin {
            covered.insert(NVIDIA, Portable::Yes);
        }
        found.ties.push(of_policy(seen, policy));
        found.resolves(match policy.driver {
            true => "GPU Operator: nodes with NVIDIA GPUs, and an operating system for which there is a driver container",
            false => "GPU Operator: nodes with NVIDIA GPUs that bring their driver along",
        });
    }
    for (workload, plugin) in plugins(seen) {
        let tie = of_plugin(workload, plugin);
        let portable = covered.entry(plugin.vendor).or_insert(tie.portable);
        *portable = tie.portable.min(*portable);
        found.resolves(match tie.portable {
            Portable::No => format!(
                "{}: another device plugin, e.g. of the GPU Operator, and its labels in node selectors",
                plugin.title
            ),
            _ => format!("{}: nodes with GPUs of {}, and their driver", plugin.title, plugin.vendor),
        });
        found.ties.push(tie);
    }
    of_nodes(&mut found, seen, &covered);
    if found.ties.is_empty() && found.unseen.is_empty() {
        found.ties.push(Tie::new(NONE, "no node with a GPU, no device plugin", "the cluster", Portable::Yes));
    }
    found
}

/// Nodes that say the same of their accelerators, together.
fn of_nodes(found: &mut Found, seen: &Seen, covered: &Covered) {
    let mut groups: BTreeMap<(Vec<&str>, sharing::Sharing), Vec<&str>> = BTreeMap::new();
    for node in &seen.nodes.items {
        let resources: Vec<_> =
            node.allocatable.iter().map(String::as_str).filter(|it| may_be_accelerator(it)).collect();
        if !resources.is_empty() {
            groups.entry((resources, sharing::of(node))).or_default().push(&node.name);
        }
    }
    for ((resources, sharing), nodes) in groups {
        let evidence = match nodes.as_slice() {
            [first, rest @ ..] if !rest.is_empty() => format!("Node {first} and {} more", rest.len()),
            nodes => format!("Node {}", nodes.concat()),
        };
        let vendors: BTreeSet<_> = resources.iter().map(|it| vendor_of(it)).collect();
        let shown: Vec<_> = resources.iter().map(|it| it.escape_debug().to_string()).collect();
        let through = format!("resources {}; {}", shown.join(", "), sharing.words());
        let to = vendors.iter().map(|it| it.unwrap_or(UNKNOWN)).collect::<Vec<_>>().join(", ");
        // The worst of their plugins; `None`: one has none.
        let plugins: Option<Vec<_>> = vendors.iter().map(|it| covered.get((*it)?).copied()).collect();
        let plugin = plugins.map(|all| all.into_iter().max().unwrap_or(Portable::Unknown));
        let tie = match (plugin, sharing.cloud) {
            (Some(_), Some(cloud)) => Tie::new(cloud, through, evidence, Portable::No),
            (Some(Portable::Yes), None) if !sharing.is_known() => {
                Tie::new(&to, through, evidence, Portable::Unknown)
            }
            (Some(portable), None) => Tie::new(&to, through, evidence, portable),
            (None, _) if vendors.contains(&None) => {
                found.resolves("what these resources of nodes are, and what makes them schedulable");
                Tie::unknown(through, evidence).detail("a resource that keyless does not know")
            }
            (None, _) => {
                found.resolves("what makes the GPUs of these nodes schedulable");
                Tie::unknown(through, evidence)
                    .detail("no device plugin is seen: the nodes may bring one along, as images of clouds do")
            }
        };
        if sharing.is_shared() {
            found.resolves(
                "workloads that share a GPU without isolation: whether they may share it there as well",
            );
        }
        found.ties.push(tie.fact("sharing", sharing.word()).fact("isolated", sharing.isolated()));
    }
}

fn of_plugin(workload: &Workload, plugin: &Plugin) -> Tie {
    // learn.microsoft.com/azure/aks/faq: what AKS manages in a cluster has this label.
    match workload.labels.get("kubernetes.azure.com/managedby").is_some_and(|by| by == "aks") {
        true => {
            let through = format!("{}, managed by AKS", plugin.title);
            Tie::new(AZURE, through, workload.describe(), Portable::No)
        }
        false => Tie::new(plugin.to, plugin.title, workload.describe(), plugin.portable),
    }
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
    let names: Vec<_> = parts.iter().map(|part| part.part.as_str()).collect();
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
        && !names.contains(&default.as_str())
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
        Some((workload, PLUGINS.iter().find(|plugin| plugin.images.iter().any(&runs))?))
    })
}
