//! PURE. Volumes: whose cloud provisions them, whether several nodes can write to one, and what is in use.

mod table;

use std::collections::{BTreeMap, BTreeSet};

use self::table::{Row, Rwx, TABLE, Where};
use super::{Concern, Found, NONE, Portable, Seen, StorageClass, Tie, UNKNOWN, Volume, Workload};

pub(super) const CONCERN: Concern = Concern { id: "storage", title: "storage classes", judge };

/// Volumes that are named of each class; the others are counted.
const MOST_NAMES: usize = 5;

fn judge(seen: &Seen) -> Found {
    let mut found = Found::default();
    found.misses(&seen.storage_classes);
    found.misses(&seen.volumes);
    found.misses(&seen.deployments);
    let classes = &seen.storage_classes.items;
    let mut used: BTreeMap<(&str, &str), Vec<&Volume>> = BTreeMap::new();
    for volume in &seen.volumes.items {
        used.entry((&volume.class, driver_of(&volume.driver))).or_default().push(volume);
    }
    // How many volumes of each kind of storage there are.
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for class in classes {
        let driver = driver_of(&class.provisioner);
        let volumes = used.remove(&(class.name.as_str(), driver)).unwrap_or_default();
        let tie = tie(seen, &class.provisioner, format!("StorageClass {}", class.name));
        let tie = tie.fact("defaultClass", class.is_default);
        let tie = if class.is_default { tie.detail("default class") } else { tie };
        *kinds.entry(what_replaces(&class.provisioner)).or_default() += volumes.len();
        found.ties.push(match seen.volumes.is_whole() {
            true => used_by(tie, &volumes),
            false => tie.detail("volumes: unknown"),
        });
    }
    // Volumes of a class that is gone, that was made again with another provisioner, or of none.
    for ((class, driver), volumes) in used {
        let Some(first) = volumes.first() else { continue };
        let evidence = match class {
            "" => format!("PersistentVolume {} of no class", first.name),
            class => format!("PersistentVolume {} of the class {}", first.name, class.escape_debug()),
        };
        *kinds.entry(what_replaces(driver)).or_default() += volumes.len();
        found.ties.push(used_by(tie(seen, driver, evidence), &volumes));
    }
    for (replacement, volumes) in kinds {
        found.resolves(match volumes {
            0 => replacement,
            1 => format!("{replacement}; the data of 1 volume has to be copied"),
            more => format!("{replacement}; the data of {more} volumes has to be copied"),
        });
    }
    if found.ties.is_empty() {
        if found.unseen.is_empty() {
            let through = "no StorageClass and no PersistentVolume";
            found.ties.push(Tie::new(NONE, through, "the cluster", Portable::Yes));
        }
        return found;
    }
    let defaults = classes.iter().filter(|class| class.is_default).count();
    match defaults {
        1 => {}
        _ if !seen.storage_classes.is_whole() => {}
        0 => found.resolves("a default class: there is none"),
        several => found.resolves(format!("one default class: there are {several}")),
    }
    found.resolves(rwx_line(seen));
    found
}

fn tie(seen: &Seen, provisioner: &str, evidence: String) -> Tie {
    let shown = provisioner.escape_debug();
    let Some(row) = find(provisioner) else {
        let through = format!("provisioner {shown}, which keyless does not know");
        return Tie::unknown(through, evidence)
            .detail("ReadWriteMany: unknown")
            .fact("readWriteMany", UNKNOWN);
    };
    let (to, portable) = match row.place {
        Where::Cloud(name) => (name, Portable::No),
        Where::Nodes => (NONE, Portable::Yes),
        Where::Elsewhere => (row.title, Portable::Unknown),
        // The servers of the storage run in this cluster: these Deployments are its disks, in the namespace that the name of the
        // driver begins with.
        Where::NodesIf(name, value) => {
            let namespace = provisioner.split('.').next();
            let is_disk = |it: &Workload| {
                Some(it.namespace.as_str()) == namespace
                    && it.labels.get(name).is_some_and(|found| found == value)
            };
            match seen.deployments.items.iter().any(is_disk) {
                true => (NONE, Portable::Yes),
                false => (row.title, Portable::Unknown),
            }
        }
    };
    let tie = Tie::new(to, format!("{}, provisioner {shown}", row.title), evidence, portable);
    let (rwx, only) = match row.rwx {
        Rwx::Yes => ("yes", String::new()),
        Rwx::No => ("no", String::new()),
        Rwx::If(what) => (UNKNOWN, format!(", only with {what}")),
    };
    let tie = tie.detail(format!("ReadWriteMany: {rwx}{only}")).fact("readWriteMany", rwx);
    match (row.place, portable) {
        (Where::Elsewhere, _) => tie.detail("where its servers run cannot be seen from the cluster"),
        (Where::NodesIf(name, value), Portable::Unknown) => tie.detail(format!(
            "no Deployment of its namespace has the label {name}={value}: its servers may run elsewhere"
        )),
        _ => tie,
    }
}

/// The same, with the volumes of it.
fn used_by(tie: Tie, volumes: &[&Volume]) -> Tie {
    let mut names: Vec<_> =
        volumes.iter().filter(|volume| volume.is_bound).map(|volume| volume.name.as_str()).collect();
    names.sort_unstable();
    let bound = names.len();
    let tie = tie.fact("volumes", volumes.len()).fact("inUse", bound);
    if volumes.is_empty() {
        return tie.detail("volumes: none");
    }
    names.truncate(MOST_NAMES);
    let names = match (bound, bound.saturating_sub(MOST_NAMES)) {
        (0, _) => String::new(),
        (_, 0) => format!(" ({})", names.join(", ")),
        (_, more) => format!(" ({} and {more} more)", names.join(", ")),
    };
    tie.detail(format!("volumes: {}, in use {bound}{names}", volumes.len()))
}

/// The CSI driver that a provisioner or a source of the time before CSI means: the API server translates them
/// (k8s.io/csi-translation-lib/plugins). The others are what they are called.
fn driver_of(name: &str) -> &str {
    const TRANSLATED: &[(&str, &str)] = &[
        ("awsElasticBlockStore", "ebs.csi.aws.com"),
        ("kubernetes.io/aws-ebs", "ebs.csi.aws.com"),
        ("azureDisk", "disk.csi.azure.com"),
        ("kubernetes.io/azure-disk", "disk.csi.azure.com"),
        ("azureFile", "file.csi.azure.com"),
        ("kubernetes.io/azure-file", "file.csi.azure.com"),
        ("cinder", "cinder.csi.openstack.org"),
        ("kubernetes.io/cinder", "cinder.csi.openstack.org"),
        ("gcePersistentDisk", "pd.csi.storage.gke.io"),
        ("kubernetes.io/gce-pd", "pd.csi.storage.gke.io"),
        ("portworxVolume", "pxd.portworx.com"),
        ("kubernetes.io/portworx-volume", "pxd.portworx.com"),
        ("vsphereVolume", "csi.vsphere.vmware.com"),
        ("kubernetes.io/vsphere-volume", "csi.vsphere.vmware.com"),
        // What the volumes of these provisioners are: a path on one node, in one of two forms, or a share.
        ("hostPath", "local"),
        ("rancher.io/local-path", "local"),
        ("openebs.io/local", "local"),
        ("kubernetes.io/no-provisioner", "local"),
        ("docker.io/hostpath", "local"),
        ("microk8s.io/hostpath", "local"),
        ("k8s.io/minikube-hostpath", "local"),
        ("k8s-sigs.io/nfs-subdir-external-provisioner", "nfs"),
    ];
    TRANSLATED.iter().find(|(from, _)| *from == name).map_or(name, |(_, to)| to)
}

fn find(provisioner: &str) -> Option<&'static Row> {
    let exact = TABLE.iter().find(|row| row.provisioner == provisioner);
    let by = |name: &str| TABLE.iter().find(|row| row.provisioner == name);
    exact.or_else(|| by(driver_of(provisioner))).or_else(|| {
        // Rook puts the namespace of its operator before the name: one DNS label.
        let (namespace, rest) = provisioner.split_once('.')?;
        let is_rook =
            crate::cluster::is_label(namespace) && matches!(rest, "rbd.csi.ceph.com" | "cephfs.csi.ceph.com");
        is_rook.then(|| TABLE.iter().find(|row| row.provisioner.strip_prefix("ROOK.") == Some(rest)))?
    })
}

/// Whether any class offers ReadWriteMany.
fn rwx_line(seen: &Seen) -> String {
    let classes = &seen.storage_classes.items;
    let with = |wanted: fn(Option<&Row>) -> bool| -> BTreeSet<&str> {
        let these = classes.iter().filter(|class| wanted(find(&class.provisioner)));
        these.map(|class: &StorageClass| class.name.as_str()).collect()
    };
    let yes = with(|row| row.is_some_and(|row| matches!(row.rwx, Rwx::Yes)));
    let perhaps = with(|row| row.is_none_or(|row| matches!(row.rwx, Rwx::If(_))));
    let listed = |names: BTreeSet<&str>| names.into_iter().collect::<Vec<_>>().join(", ");
    match (yes.is_empty(), perhaps.is_empty(), seen.storage_classes.is_whole()) {
        (false, ..) => format!("ReadWriteMany, today by: {}", listed(yes)),
        (true, false, _) => format!("ReadWriteMany, today unknown: {}", listed(perhaps)),
        (true, true, true) => "ReadWriteMany, today by no class".to_owned(),
        (true, true, false) => "ReadWriteMany, today unknown".to_owned(),
    }
}

/// What a move has to solve again for the volumes of a provisioner.
fn what_replaces(provisioner: &str) -> String {
    match find(provisioner) {
        Some(row) => format!("{}: {}", row.title, row.replacement),
        None => format!("{}: unknown what replaces it", provisioner.escape_debug()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[test]
    fn rows_are_unique_and_complete() {
        let names: BTreeSet<_> = TABLE.iter().map(|row| row.provisioner).collect();
        assert_eq!(names.len(), TABLE.len());
        for row in TABLE {
            assert!(!row.title.is_empty() && !row.replacement.is_empty(), "{}", row.provisioner);
        }
    }

    #[test]
    fn lookalike_of_known_provisioner_is_unknown() {
        for row in TABLE.iter().filter(|row| !row.provisioner.starts_with("ROOK.")) {
            let name = row.provisioner;
            assert!(find(name).is_some(), "{name}");
            for near in [
                format!("{name}.example"),
                format!("x{name}"),
                format!("{name} "),
                name.to_uppercase(),
                format!("example.com/{name}"),
            ] {
                assert!(find(&near).is_none(), "{near}");
            }
        }
    }

    #[test]
    fn rook_is_known_by_any_namespace() {
        for name in ["rook-ceph.rbd.csi.ceph.com", "team-a.cephfs.csi.ceph.com"] {
            assert!(find(name).is_some_and(|row| matches!(row.place, Where::NodesIf(..))), "{name}");
        }
        for name in ["rbd.csi.ceph.com", "cephfs.csi.ceph.com"] {
            assert!(find(name).is_some_and(|row| matches!(row.place, Where::Elsewhere)), "{name}");
        }
        for name in
            ["a.b.rbd.csi.ceph.com", ".rbd.csi.ceph.com", "A.rbd.csi.ceph.com", "rook.rbd.csi.ceph.com.evil"]
        {
            assert!(find(name).is_none(), "{name}");
        }
    }
}
