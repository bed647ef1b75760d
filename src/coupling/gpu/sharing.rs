//! PURE. Whether workloads share the GPUs of a node, by what the node's own labels and resources say.

use std::collections::BTreeMap;

use super::super::{Node, places::GOOGLE};

/// What a node says of its GPUs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sharing {
    /// Instances with memory and units of their own.
    mig: bool,
    replicas: Replicas,
    /// Whose labels say so, where they are those of a cloud.
    pub(super) cloud: Option<&'static str>,
}

/// How many workloads get the same GPU, or the same MIG instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Replicas {
    One,
    TimeSlicing,
    Mps,
    /// Several, and it is not known how.
    Several,
    Unknown,
}

impl Sharing {
    /// In words.
    pub(super) fn words(&self) -> String {
        let mig = if self.mig { "MIG, isolated in hardware" } else { "" };
        let shared = match (self.replicas, self.mig) {
            (Replicas::One, true) => "",
            (Replicas::One, false) => "not shared",
            (Replicas::TimeSlicing, false) => "time-slicing, without isolation",
            (Replicas::TimeSlicing, true) => "time-slicing within an instance, without isolation",
            (Replicas::Mps, false) => "MPS, without isolation of faults",
            (Replicas::Mps, true) => "MPS within an instance, without isolation of faults",
            (Replicas::Several, _) => "shared, unknown how",
            (Replicas::Unknown, _) => "unknown whether it is shared",
        };
        let words: Vec<_> = [mig, shared].into_iter().filter(|words| !words.is_empty()).collect();
        words.join("; ")
    }

    /// In one word, for scripts.
    pub(super) fn word(&self) -> &'static str {
        match self.replicas {
            Replicas::One => "none",
            Replicas::TimeSlicing => "time-slicing",
            Replicas::Mps => "mps",
            Replicas::Several | Replicas::Unknown => "unknown",
        }
    }

    /// Whether each workload has a GPU, or an instance in hardware, of its own.
    pub(super) fn isolated(&self) -> &'static str {
        match self.replicas {
            Replicas::One => "yes",
            Replicas::TimeSlicing | Replicas::Mps | Replicas::Several => "no",
            Replicas::Unknown => "unknown",
        }
    }

    pub(super) fn is_known(&self) -> bool {
        !matches!(self.replicas, Replicas::Unknown | Replicas::Several)
    }

    /// Whether workloads get the same GPU, or instance.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.replicas, Replicas::TimeSlicing | Replicas::Mps | Replicas::Several)
    }
}

/// Labels of GPU feature discovery (NVIDIA/k8s-device-plugin, docs/gpu-feature-discovery) and of GKE
/// (cloud.google.com/kubernetes-engine/docs/concepts/timesharing-gpus).
pub(super) fn of(node: &Node) -> Sharing {
    let label = |name: &str| node.labels.get(name).map(String::as_str);
    let product = label("nvidia.com/gpu.product").unwrap_or_default();
    let has_instances = node.allocatable.iter().any(|name| name.starts_with("nvidia.com/mig-"));
    let partition = label("cloud.google.com/gke-gpu-partition-size").is_some();
    let of_google = node.labels.keys().any(|name| {
        name.starts_with("cloud.google.com/gke-gpu")
            || name.starts_with("cloud.google.com/gke-tpu")
            || name == "cloud.google.com/gke-accelerator"
    });
    let is_shared_resource = node.allocatable.contains("nvidia.com/gpu.shared")
        || node
            .allocatable
            .iter()
            .any(|name| name.starts_with("nvidia.com/mig-") && name.ends_with(".shared"))
        || product.ends_with("-SHARED")
        || more_than_one(&node.labels);
    let strategy = label("nvidia.com/gpu.sharing-strategy")
        .or_else(|| label("cloud.google.com/gke-gpu-sharing-strategy"));
    let replicas = match strategy {
        Some("time-slicing" | "time-sharing" | "TIME_SHARING") => Replicas::TimeSlicing,
        Some("mps" | "MPS") => Replicas::Mps,
        Some("none") if is_shared_resource => Replicas::Several,
        Some("none") => Replicas::One,
        Some(_) => Replicas::Unknown,
        None if is_shared_resource => Replicas::Several,
        // A GKE node without the label shares nothing; elsewhere, feature discovery may be missing.
        None if of_google => Replicas::One,
        // Discovery is there, and counts one replica.
        None if label("nvidia.com/gpu.replicas") == Some("1") => Replicas::One,
        None => Replicas::Unknown,
    };
    Sharing {
        mig: has_instances || partition || product.contains("-MIG-"),
        replicas,
        cloud: of_google.then_some(GOOGLE),
    }
}

fn more_than_one(labels: &BTreeMap<String, String>) -> bool {
    let is_count = |name: &str| name.starts_with("nvidia.com/") && name.ends_with(".replicas");
    let mut counts = labels.iter().filter(|(name, _)| is_count(name));
    counts.any(|(_, count)| count.parse::<u32>().is_ok_and(|count| count > 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(labels: &[(&str, &str)], resources: &[&str]) -> Node {
        Node {
            name: "a".into(),
            provider_id: String::new(),
            labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            allocatable: resources.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    #[test]
    fn shared_gpu_is_never_called_isolated() {
        let gpu = ["nvidia.com/gpu"];
        for (labels, resources, words) in [
            (
                &[("nvidia.com/gpu.sharing-strategy", "none"), ("nvidia.com/gpu.replicas", "1")][..],
                &gpu[..],
                "not shared",
            ),
            (&[("nvidia.com/gpu.sharing-strategy", "time-slicing")], &gpu, "time-slicing, without isolation"),
            (&[("nvidia.com/gpu.sharing-strategy", "mps")], &gpu, "MPS, without isolation of faults"),
            (&[("nvidia.com/gpu.replicas", "4")], &gpu, "shared, unknown how"),
            (
                &[("nvidia.com/gpu.sharing-strategy", "none"), ("nvidia.com/gpu.replicas", "4")],
                &gpu,
                "shared, unknown how",
            ),
            (&[("nvidia.com/gpu.product", "NVIDIA-A100-SHARED")], &gpu, "shared, unknown how"),
            (&[("nvidia.com/gpu.sharing-strategy", "new-way")], &gpu, "unknown whether it is shared"),
            (&[], &["nvidia.com/gpu.shared"], "shared, unknown how"),
            (&[], &gpu, "unknown whether it is shared"),
            (
                &[("nvidia.com/gpu.sharing-strategy", "time-slicing")],
                &["nvidia.com/mig-1g.5gb"],
                "MIG, isolated in hardware; time-slicing within an instance, without isolation",
            ),
            (
                &[("nvidia.com/gpu.sharing-strategy", "none")],
                &["nvidia.com/mig-1g.5gb"],
                "MIG, isolated in hardware",
            ),
            (&[], &["nvidia.com/mig-1g.5gb"], "MIG, isolated in hardware; unknown whether it is shared"),
            (&[("cloud.google.com/gke-accelerator", "nvidia-l4")], &gpu, "not shared"),
            (
                &[
                    ("cloud.google.com/gke-accelerator", "nvidia-l4"),
                    ("cloud.google.com/gke-gpu-sharing-strategy", "time-sharing"),
                ],
                &gpu,
                "time-slicing, without isolation",
            ),
        ] {
            let sharing = of(&node(labels, resources));
            assert_eq!(sharing.words(), words, "{labels:?} {resources:?}");
        }
    }
}
