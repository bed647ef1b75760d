//! PURE. Device plugins, and whose resources they make.

use super::super::{
    Portable,
    places::{AWS, GOOGLE},
};

pub(super) struct Plugin {
    pub(super) title: &'static str,
    /// Whose resources it makes.
    pub(super) vendor: &'static str,
    pub(super) to: &'static str,
    pub(super) portable: Portable,
    pub(super) images: &'static [&'static str],
}

const fn own(title: &'static str, vendor: &'static str, images: &'static [&'static str]) -> Plugin {
    Plugin { title, vendor, to: vendor, portable: Portable::Yes, images }
}

const fn of_cloud(
    title: &'static str,
    vendor: &'static str,
    to: &'static str,
    images: &'static [&'static str],
) -> Plugin {
    Plugin { title, vendor, to, portable: Portable::No, images }
}

pub(super) const PLUGINS: &[Plugin] = &[
    // GoogleCloudPlatform/container-engine-accelerators: cmd/nvidia_gpu; kubernetes: cluster/addons/device-plugins/nvidia-gpu
    of_cloud("managed device plugin of GKE", "NVIDIA", GOOGLE, &["nvidia-gpu-device-plugin"]),
    of_cloud("managed TPU device plugin of GKE", "Google TPU", GOOGLE, &["tpu-device-plugin"]),
    // awsdocs-neuron.readthedocs-hosted.com, "Neuron device plugin"
    of_cloud("Neuron device plugin", "AWS Neuron", AWS, &["neuron/neuron-device-plugin"]),
    // NVIDIA/k8s-device-plugin: deployments/static, deployments/helm
    own("NVIDIA device plugin without the operator", "NVIDIA", &["nvidia/k8s-device-plugin"]),
    // NVIDIA/k8s-dra-driver-gpu
    own("NVIDIA DRA driver", "NVIDIA", &["nvidia/k8s-dra-driver-gpu"]),
    // Project-HAMi/HAMi: charts/hami
    own("HAMi device plugin", "NVIDIA", &["projecthami/hami"]),
    // ROCm/k8s-device-plugin: k8s-ds-amdgpu-dp.yaml
    own("AMD device plugin", "AMD", &["rocm/k8s-device-plugin"]),
    // intel/intel-device-plugins-for-kubernetes: deployments/gpu_plugin
    own("Intel GPU device plugin", "Intel", &["intel/intel-gpu-plugin"]),
];

/// Prefixes of extended resources: kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus and the projects above.
const RESOURCES: &[(&str, &str)] = &[
    ("nvidia.com/gpu", "NVIDIA"),
    ("nvidia.com/gpu.shared", "NVIDIA"),
    ("amd.com/gpu", "AMD"),
    ("gpu.intel.com/i915", "Intel"),
    ("gpu.intel.com/xe", "Intel"),
    ("habana.ai/gaudi", "Intel"),
    ("google.com/tpu", "Google TPU"),
    ("aws.amazon.com/neuron", "AWS Neuron"),
    ("aws.amazon.com/neuroncore", "AWS Neuron"),
    ("aws.amazon.com/neurondevice", "AWS Neuron"),
];

/// Whose accelerator this is; `None`: it is none.
pub(super) fn vendor_of(resource: &str) -> Option<&'static str> {
    let exact = RESOURCES.iter().find(|(name, _)| *name == resource).map(|(_, vendor)| *vendor);
    exact.or_else(|| resource.starts_with("nvidia.com/mig-").then_some("NVIDIA"))
}

/// Extended resources that are no accelerators, by the beginning of their names: of the kubelet, KubeVirt, EKS, GKE, and plugins for
/// networks, files and devices of a node.
const HARMLESS: &[&str] = &[
    "attachable-volumes-",
    "devices.kubevirt.io/",
    "hugepages-",
    "networking.gke.io.networks/",
    "rdma/",
    "smarter-devices/",
    "vpc.amazonaws.com/",
];

/// Whether a resource of a node is an accelerator, or one that is not known to be none.
pub(super) fn may_be_accelerator(resource: &str) -> bool {
    vendor_of(resource).is_some()
        || resource.contains('/') && !HARMLESS.iter().any(|start| resource.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookalike_resource_is_no_gpu() {
        for (name, vendor) in [
            ("nvidia.com/mig-1g.5gb", "NVIDIA"),
            ("nvidia.com/gpu", "NVIDIA"),
            ("google.com/tpu", "Google TPU"),
        ] {
            assert_eq!(vendor_of(name), Some(vendor));
        }
        for name in [
            "cpu",
            "nvidia.com/gpux",
            "xnvidia.com/gpu",
            "nvidia.com",
            "nvidia.com/hostdev",
            "example.com/gpu",
        ] {
            assert_eq!(vendor_of(name), None, "{name}");
            assert_eq!(may_be_accelerator(name), name.contains('/'), "{name}");
        }
        for name in
            ["memory", "hugepages-2Mi", "attachable-volumes-csi-x", "devices.kubevirt.io/kvm", "rdma/ib"]
        {
            assert!(!may_be_accelerator(name), "{name}");
        }
        for name in ["devices.kubevirt.io.example/gpu", "cambricon.com/mlu", "nvidia.com/GH100_H100"] {
            assert!(may_be_accelerator(name), "{name}");
        }
    }
}
