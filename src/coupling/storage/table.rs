//! PURE. Provisioners and CSI drivers: whose they are.

use super::super::places::{
    ALIBABA, AWS, AZURE, DIGITALOCEAN, EXOSCALE, GOOGLE, HETZNER, IBM, LINODE, OPENSTACK, ORACLE, PROXMOX,
    SCALEWAY, VSPHERE, VULTR, YANDEX,
};

/// Where the data lies.
#[derive(Clone, Copy)]
pub(super) enum Where {
    /// In a service of this cloud or product.
    Cloud(&'static str),
    /// On the disks of the nodes.
    Nodes,
    /// On the disks of the nodes if a Deployment has this label.
    NodesIf(&'static str, &'static str),
    /// On servers that cannot be seen from the cluster.
    Elsewhere,
}

/// Whether several nodes can write to a file system at the same time.
#[derive(Clone, Copy)]
pub(super) enum Rwx {
    Yes,
    No,
    If(&'static str),
}

pub(super) struct Row {
    /// `ROOK.` is any namespace.
    pub(super) provisioner: &'static str,
    pub(super) title: &'static str,
    pub(super) place: Where,
    pub(super) rwx: Rwx,
    pub(super) replacement: &'static str,
}

/// Block storage of another cloud, or Longhorn, Rook or OpenEBS.
const BLOCK: &str = "a class of the new cloud, or replicated storage on the nodes (Longhorn, Rook, OpenEBS)";
const FILES: &str = "a class for shared files of the new cloud, or CephFS, Longhorn or NFS on the nodes";
const MOVES: &str = "the same manifests, with disks on the new nodes";
const LOCAL: &str = "the same manifests; data is on one node each and does not move by itself";
const SERVER: &str = "whether the new nodes reach its servers";

const fn block(provisioner: &'static str, cloud: &'static str, title: &'static str) -> Row {
    Row { provisioner, title, place: Where::Cloud(cloud), rwx: Rwx::No, replacement: BLOCK }
}

const fn files(provisioner: &'static str, cloud: &'static str, title: &'static str) -> Row {
    Row { provisioner, title, place: Where::Cloud(cloud), rwx: Rwx::Yes, replacement: FILES }
}

const fn nodes(provisioner: &'static str, title: &'static str, rwx: Rwx) -> Row {
    Row { provisioner, title, place: Where::Nodes, rwx, replacement: MOVES }
}

const fn local(provisioner: &'static str, title: &'static str) -> Row {
    Row { provisioner, title, place: Where::Nodes, rwx: Rwx::No, replacement: LOCAL }
}

const fn elsewhere(provisioner: &'static str, title: &'static str, rwx: Rwx) -> Row {
    Row { provisioner, title, place: Where::Elsewhere, rwx, replacement: SERVER }
}

/// Names as in kubernetes-csi.github.io/docs/drivers.html and in the `DriverName` of each project.
pub(super) const TABLE: &[Row] = &[
    // kubernetes-sigs/aws-ebs-csi-driver: pkg/util/constants.go; several nodes write to io2 block devices only.
    block("ebs.csi.aws.com", AWS, "Amazon EBS"),
    // EKS Auto Mode: docs.aws.amazon.com/eks/latest/userguide/create-storage-class.html
    block("ebs.csi.eks.amazonaws.com", AWS, "Amazon EBS of EKS Auto Mode"),
    // kubernetes-sigs/aws-efs-csi-driver: pkg/driver/driver.go
    files("efs.csi.aws.com", AWS, "Amazon EFS"),
    // kubernetes-sigs/aws-fsx-csi-driver, aws-fsx-openzfs-csi-driver, awslabs/mountpoint-s3-csi-driver
    files("fsx.csi.aws.com", AWS, "Amazon FSx for Lustre"),
    files("fsx.openzfs.csi.aws.com", AWS, "Amazon FSx for OpenZFS"),
    files("s3.csi.aws.com", AWS, "Amazon S3 as a file system"),
    // kubernetes-sigs/gcp-compute-persistent-disk-csi-driver: cmd/gce-pd-csi-driver/main.go
    block("pd.csi.storage.gke.io", GOOGLE, "Google Persistent Disk"),
    // kubernetes-sigs/gcp-filestore-csi-driver, GoogleCloudPlatform/gcs-fuse-csi-driver, lustre-csi-driver
    files("filestore.csi.storage.gke.io", GOOGLE, "Google Filestore"),
    files("gcsfuse.csi.storage.gke.io", GOOGLE, "Google Cloud Storage as a file system"),
    files("lustre.csi.storage.gke.io", GOOGLE, "Google Managed Lustre"),
    files("parallelstore.csi.storage.gke.io", GOOGLE, "Google Parallelstore"),
    // kubernetes-sigs/azuredisk-csi-driver: pkg/azureconstants; several nodes write to shared block devices only.
    block("disk.csi.azure.com", AZURE, "Azure Disk"),
    // kubernetes-sigs/azurefile-csi-driver, blob-csi-driver
    files("file.csi.azure.com", AZURE, "Azure Files"),
    files("blob.csi.azure.com", AZURE, "Azure Blob as a file system"),
    // hetznercloud/csi-driver: internal/driver/driver.go
    block("csi.hetzner.cloud", HETZNER, "Hetzner Cloud Volumes"),
    // digitalocean/csi-digitalocean: driver/driver.go
    block("dobs.csi.digitalocean.com", DIGITALOCEAN, "DigitalOcean Volumes"),
    // linode/linode-blockstorage-csi-driver
    block("linodebs.csi.linode.com", LINODE, "Linode Block Storage"),
    // vultr/vultr-csi: driver/driver.go
    block("block.csi.vultr.com", VULTR, "Vultr Block Storage"),
    // scaleway/scaleway-csi: pkg/driver
    block("csi.scaleway.com", SCALEWAY, "Scaleway Block Storage"),
    // exoscale/exoscale-csi-driver
    block("csi.exoscale.com", EXOSCALE, "Exoscale Block Storage"),
    // oracle/oci-cloud-controller-manager: pkg/csi/driver
    block("blockvolume.csi.oraclecloud.com", ORACLE, "Oracle Block Volume"),
    files("fss.csi.oraclecloud.com", ORACLE, "Oracle File Storage"),
    // kubernetes-sigs/ibm-vpc-block-csi-driver, IBM/ibm-vpc-file-csi-driver
    block("vpc.block.csi.ibm.io", IBM, "IBM VPC Block Storage"),
    files("vpc.file.csi.ibm.io", IBM, "IBM VPC File Storage"),
    // kubernetes-sigs/alibaba-cloud-csi-driver
    block("diskplugin.csi.alibabacloud.com", ALIBABA, "Alibaba Cloud Disk"),
    files("nasplugin.csi.alibabacloud.com", ALIBABA, "Alibaba Cloud NAS"),
    // Managed Kubernetes of Yandex: yandex.cloud/docs/managed-kubernetes, "Dynamic volume provisioning"
    block("disk-csi-driver.mks.ycloud.io", YANDEX, "Yandex Compute Disk"),
    // kubernetes/cloud-provider-openstack: pkg/csi/cinder/driver.go, pkg/csi/manila
    block("cinder.csi.openstack.org", OPENSTACK, "OpenStack Cinder"),
    files("nfs.manila.csi.openstack.org", OPENSTACK, "OpenStack Manila"),
    files("cephfs.manila.csi.openstack.org", OPENSTACK, "OpenStack Manila"),
    // kubernetes-sigs/vsphere-csi-driver: pkg/csi/types
    Row {
        provisioner: "csi.vsphere.vmware.com",
        title: "vSphere Cloud Native Storage",
        place: Where::Cloud(VSPHERE),
        rwx: Rwx::If("vSAN File Services"),
        replacement: BLOCK,
    },
    // sergelogvinov/proxmox-csi-plugin: pkg/csi/driver.go
    block("csi.proxmox.sinextra.dev", PROXMOX, "Proxmox disks"),
    // longhorn/longhorn-manager: types.go; shared volumes are served as NFS by a share manager.
    nodes("driver.longhorn.io", "Longhorn", Rwx::Yes),
    // rancher/local-path-provisioner: main.go
    local("rancher.io/local-path", "local paths"),
    // kubernetes.io/docs/concepts/storage/storage-classes, "Local"
    local("kubernetes.io/no-provisioner", "volumes made by hand"),
    // openebs/dynamic-localpv-provisioner, lvm-localpv, zfs-localpv, mayastor
    local("openebs.io/local", "OpenEBS local paths"),
    local("local.csi.openebs.io", "OpenEBS LVM"),
    local("zfs.csi.openebs.io", "OpenEBS ZFS"),
    nodes("io.openebs.csi-mayastor", "OpenEBS Mayastor", Rwx::No),
    nodes("cstor.csi.openebs.io", "OpenEBS cStor", Rwx::No),
    // topolvm/topolvm: constants.go; minio/directpv: pkg/consts
    local("topolvm.io", "TopoLVM"),
    local("directpv-min-io", "DirectPV"),
    // piraeusdatastore/linstor-csi: pkg/linstor
    nodes("linstor.csi.linbit.com", "LINSTOR", Rwx::If("its NFS export")),
    // rook/rook: pkg/operator/ceph/csi; the label is that of its disks (pkg/operator/ceph/cluster/osd).
    Row {
        provisioner: "ROOK.rbd.csi.ceph.com",
        title: "Ceph block devices by Rook",
        place: Where::NodesIf("app", "rook-ceph-osd"),
        rwx: Rwx::No,
        replacement: MOVES,
    },
    Row {
        provisioner: "ROOK.cephfs.csi.ceph.com",
        title: "CephFS by Rook",
        place: Where::NodesIf("app", "rook-ceph-osd"),
        rwx: Rwx::Yes,
        replacement: MOVES,
    },
    // ceph/ceph-csi: the cluster is one that others run.
    elsewhere("rbd.csi.ceph.com", "Ceph block devices", Rwx::No),
    elsewhere("cephfs.csi.ceph.com", "CephFS", Rwx::Yes),
    // kubernetes-csi/csi-driver-nfs, csi-driver-smb; kubernetes-sigs/nfs-subdir-external-provisioner
    elsewhere("nfs.csi.k8s.io", "NFS", Rwx::Yes),
    elsewhere("smb.csi.k8s.io", "SMB", Rwx::Yes),
    elsewhere("k8s-sigs.io/nfs-subdir-external-provisioner", "NFS", Rwx::Yes),
    // NetApp/trident: the storage may be hardware or a service of a cloud.
    elsewhere("csi.trident.netapp.io", "NetApp Trident", Rwx::If("a NAS backend")),
    // Portworx, on the disks of nodes or of a cloud: docs.portworx.com
    elsewhere("pxd.portworx.com", "Portworx", Rwx::If("sharedv4 volumes")),
    // juicedata/juicefs-csi-driver: on an object storage.
    elsewhere("csi.juicefs.com", "JuiceFS", Rwx::Yes),
    // kubevirt/csi-driver: on the cluster below.
    elsewhere("csi.kubevirt.io", "KubeVirt disks", Rwx::No),
    // kubernetes-csi/csi-driver-host-path, MicroK8s, minikube: one node.
    local("hostpath.csi.k8s.io", "host paths"),
    // Sources of volumes without a driver: k8s.io/api/core/v1 PersistentVolumeSource.
    local("local", "paths of one node"),
    elsewhere("nfs", "NFS", Rwx::Yes),
    elsewhere("iscsi", "iSCSI", Rwx::No),
    elsewhere("fc", "Fibre Channel", Rwx::No),
];
