//! PURE. Names of clouds, and what nodes say of the machines that they are.

use std::collections::BTreeMap;

use super::{List, Node, Substrate};

pub(super) const ALIBABA: &str = "Alibaba Cloud";
pub(super) const AWS: &str = "AWS";
pub(super) const AZURE: &str = "Microsoft Azure";
pub(super) const DIGITALOCEAN: &str = "DigitalOcean";
pub(super) const EXOSCALE: &str = "Exoscale";
pub(super) const GOOGLE: &str = "Google Cloud";
pub(super) const HETZNER: &str = "Hetzner Cloud";
pub(super) const IBM: &str = "IBM Cloud";
pub(super) const LINODE: &str = "Akamai Cloud (Linode)";
pub(super) const NEBIUS: &str = "Nebius";
pub(super) const OPENSTACK: &str = "OpenStack";
pub(super) const ORACLE: &str = "Oracle Cloud";
pub(super) const OVH: &str = "OVHcloud";
pub(super) const PROXMOX: &str = "Proxmox VE";
pub(super) const SCALEWAY: &str = "Scaleway";
pub(super) const VSPHERE: &str = "VMware vSphere";
pub(super) const VULTR: &str = "Vultr";
pub(super) const YANDEX: &str = "Yandex Cloud";

/// Schemes of `spec.providerID`, as each cloud's controller manager writes them (`ProviderName` in its source).
const SCHEMES: &[(&str, &str)] = &[
    ("aws", AWS),
    ("azure", AZURE),
    ("digitalocean", DIGITALOCEAN),
    ("exoscale", EXOSCALE),
    ("gce", GOOGLE),
    ("hcloud", HETZNER),
    ("ibm", IBM),
    ("k3s", "machines without a cloud, by k3s"),
    ("kind", "containers of kind"),
    ("linode", LINODE),
    ("metal3", "machines of Metal3"),
    ("oci", ORACLE),
    ("openstack", OPENSTACK),
    ("proxmox", PROXMOX),
    ("rke2", "machines without a cloud, by RKE2"),
    ("scaleway", SCALEWAY),
    ("vsphere", VSPHERE),
    ("vultr", VULTR),
];

/// What the nodes say, by how many of them.
pub(super) fn substrate(nodes: &List<Node>) -> Substrate {
    let mut machines: BTreeMap<String, usize> = BTreeMap::new();
    for node in &nodes.items {
        *machines.entry(machine(&node.provider_id)).or_default() += 1;
    }
    Substrate { count: nodes.items.len(), machines: machines.into_iter().collect(), seen: nodes.is_whole() }
}

fn machine(provider_id: &str) -> String {
    // Oracle's IDs have no scheme.
    let scheme = match provider_id.split_once("://") {
        Some((scheme, _)) => scheme,
        None if provider_id.starts_with("ocid1.instance.") => "oci",
        None if provider_id.is_empty() => return "no providerID".to_owned(),
        None => return "a providerID without a scheme".to_owned(),
    };
    match SCHEMES.iter().find(|(known, _)| *known == scheme) {
        Some((_, name)) => format!("{name} ({scheme}://)"),
        None => format!("{UNKNOWN_SCHEME} ({}://)", scheme.escape_debug()),
    }
}

const UNKNOWN_SCHEME: &str = "a scheme that keyless does not know";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machine_is_named_by_scheme() {
        for (id, wanted) in [
            ("hcloud://123", "Hetzner Cloud (hcloud://)"),
            ("gce://project/europe-west1-b/a", "Google Cloud (gce://)"),
            ("aws:///eu-central-1a/i-0", "AWS (aws://)"),
            ("ocid1.instance.oc1.iad.a", "Oracle Cloud (oci://)"),
            ("", "no providerID"),
        ] {
            assert_eq!(machine(id), wanted);
        }
        for id in ["hcloud", "xhcloud://1", "HCLOUD://1", "hcloud:1", "://", "gce.evil://x"] {
            let machine = machine(id);
            assert!(machine.starts_with("a "), "{id}: {machine}");
        }
    }
}
