//! PURE. Controllers of load balancers and of Ingresses: whose they are, and what they leave on what they serve.

use super::super::{
    NONE, Portable,
    places::{
        ALIBABA, AWS, AZURE, DIGITALOCEAN, EXOSCALE, GOOGLE, HETZNER, LINODE, OPENSTACK, ORACLE, SCALEWAY,
        VSPHERE, VULTR,
    },
};

pub(super) struct Row {
    pub(super) title: &'static str,
    pub(super) to: &'static str,
    pub(super) portable: Portable,
    /// A cloud controller manager with the service controller of k8s.io/cloud-provider.
    pub(super) is_cloud: bool,
    /// Values of `spec.loadBalancerClass` that it serves.
    pub(super) classes: &'static [&'static str],
    pub(super) images: &'static [&'static str],
    /// What it alone writes on a Service.
    pub(super) finalizers: &'static [&'static str],
    pub(super) annotations: &'static [&'static str],
    pub(super) conditions: &'static [&'static str],
    /// Host names of its load balancers: a part of the name, and its end.
    pub(super) hosts: &'static [(&'static str, &'static str)],
    pub(super) replacement: &'static str,
}

const CLOUD: &str = "a controller of the new cloud, or MetalLB, kube-vip or Cilium on one's own network; addresses, DNS \
     records and annotations change";
const OWN: &str =
    "the same manifests, with addresses of the new network; on a cloud, its network has to route them";

const BARE: Row = Row {
    title: "",
    to: NONE,
    portable: Portable::Yes,
    is_cloud: false,
    classes: &[],
    images: &[],
    finalizers: &[],
    annotations: &[],
    conditions: &[],
    hosts: &[],
    replacement: OWN,
};

const CLOUD_ROW: Row = Row { portable: Portable::No, is_cloud: true, replacement: CLOUD, ..BARE };

pub(super) const SERVICELB: &str = "ServiceLB of K3s";
/// k3s-io/k3s: pkg/cloudprovider/servicelb.go
pub(super) const SERVICELB_NAME: &str = "svccontroller.k3s.cattle.io/svcname";
pub(super) const SERVICELB_NAMESPACE: &str = "svccontroller.k3s.cattle.io/svcnamespace";

pub(super) const CONTROLLERS: &[Row] = &[
    // hetznercloud/hcloud-cloud-controller-manager: internal/annotation/load_balancer.go; it is read-only for users.
    Row {
        title: "hcloud cloud controller manager",
        to: HETZNER,
        images: &["hetznercloud/hcloud-cloud-controller-manager", "syself/hetzner-cloud-controller-manager"],
        annotations: &["load-balancer.hetzner.cloud/id"],
        ..CLOUD_ROW
    },
    // kubernetes/cloud-provider-aws
    Row {
        title: "AWS cloud controller manager",
        to: AWS,
        images: &["provider-aws/cloud-controller-manager"],
        ..CLOUD_ROW
    },
    // Elastic Load Balancing, whichever controller: docs.aws.amazon.com/general/latest/gr/elb.html. The finalizer and class are
    // of kubernetes-sigs/aws-load-balancer-controller: pkg/service, and of EKS Auto Mode.
    Row {
        title: "AWS Elastic Load Balancing",
        to: AWS,
        is_cloud: false,
        classes: &["service.k8s.aws/nlb", "eks.amazonaws.com/nlb"],
        images: &["eks/aws-load-balancer-controller", "amazon/aws-load-balancer-controller"],
        finalizers: &["service.k8s.aws/resources", "service.eks.amazonaws.com/resources"],
        hosts: &[("elb", ".amazonaws.com"), ("elb", ".amazonaws.com.cn")],
        ..CLOUD_ROW
    },
    // kubernetes/ingress-gce: pkg/utils/common/finalizer.go, pkg/annotations/service.go; kubernetes/cloud-provider-gcp
    Row {
        title: "Google Cloud load balancers",
        to: GOOGLE,
        classes: &[
            "networking.gke.io/l4-regional-external",
            "networking.gke.io/l4-regional-internal",
            "networking.gke.io/l4-regional-external-legacy",
            "networking.gke.io/l4-regional-internal-legacy",
        ],
        images: &["cloud-provider-gcp/cloud-controller-manager"],
        finalizers: &[
            "gke.networking.io/l4-ilb-v1",
            "gke.networking.io/l4-ilb-v2",
            "gke.networking.io/l4-netlb-v1",
            "gke.networking.io/l4-netlb-v2",
            "gke.networking.io/l4-netlb-v3",
        ],
        ..CLOUD_ROW
    },
    // kubernetes-sigs/cloud-provider-azure; the node manager runs on the nodes of AKS, whose controller manager is not seen.
    Row {
        title: "Azure cloud provider",
        to: AZURE,
        images: &["kubernetes/azure-cloud-controller-manager", "kubernetes/azure-cloud-node-manager"],
        ..CLOUD_ROW
    },
    // kubernetes/cloud-provider-openstack: Octavia
    Row {
        title: "OpenStack cloud controller manager",
        to: OPENSTACK,
        images: &[
            "provider-os/openstack-cloud-controller-manager",
            "k8scloudprovider/openstack-cloud-controller-manager",
        ],
        annotations: &["loadbalancer.openstack.org/load-balancer-id"],
        ..CLOUD_ROW
    },
    // digitalocean/digitalocean-cloud-controller-manager: cloud-controller-manager/do/lb_annotations.go
    Row {
        title: "DigitalOcean cloud controller manager",
        to: DIGITALOCEAN,
        images: &["digitalocean/digitalocean-cloud-controller-manager"],
        annotations: &["kubernetes.digitalocean.com/load-balancer-id"],
        ..CLOUD_ROW
    },
    // linode/linode-cloud-controller-manager
    Row {
        title: "Linode cloud controller manager",
        to: LINODE,
        images: &["linode/linode-cloud-controller-manager"],
        ..CLOUD_ROW
    },
    // vultr/vultr-cloud-controller-manager
    Row {
        title: "Vultr cloud controller manager",
        to: VULTR,
        images: &["vultr/vultr-cloud-controller-manager"],
        ..CLOUD_ROW
    },
    // scaleway/scaleway-cloud-controller-manager: scaleway/loadbalancers_annotations.go
    Row {
        title: "Scaleway cloud controller manager",
        to: SCALEWAY,
        images: &["scaleway/scaleway-cloud-controller-manager"],
        ..CLOUD_ROW
    },
    // exoscale/exoscale-cloud-controller-manager: exoscale/loadbalancer_annotations.go
    Row {
        title: "Exoscale cloud controller manager",
        to: EXOSCALE,
        images: &["exoscale/cloud-controller-manager"],
        ..CLOUD_ROW
    },
    // oracle/oci-cloud-controller-manager
    Row {
        title: "OCI cloud controller manager",
        to: ORACLE,
        images: &["oracle/cloud-provider-oci"],
        ..CLOUD_ROW
    },
    // kubernetes/cloud-provider-alibaba-cloud
    Row {
        title: "Alibaba cloud controller manager",
        to: ALIBABA,
        images: &["acs/cloud-controller-manager-amd64"],
        ..CLOUD_ROW
    },
    // kubernetes/cloud-provider-vsphere: load balancers by NSX or Tanzu
    Row {
        title: "vSphere cloud provider",
        to: VSPHERE,
        images: &["cloud-pv-vsphere/cloud-provider-vsphere"],
        ..CLOUD_ROW
    },
    // metallb/metallb: internal/k8s/k8s.go and controller/service.go; both names of the annotation are in use.
    Row {
        title: "MetalLB",
        images: &["metallb/controller", "metallb/speaker"],
        annotations: &["metallb.io/ip-allocated-from-pool", "metallb.universe.tf/ip-allocated-from-pool"],
        ..BARE
    },
    // kube-vip/kube-vip: pkg/kubevip/annotations.go, pkg/manager; as a static pod it is no workload.
    Row {
        title: "kube-vip",
        classes: &["kube-vip.io/kube-vip-class"],
        images: &["kube-vip/kube-vip", "kube-vip/kube-vip-cloud-provider"],
        annotations: &["kube-vip.io/vipHost"],
        ..BARE
    },
    // cilium/cilium: operator/pkg/lbipam, pkg/loadbalancer classes
    Row {
        title: "Cilium LB-IPAM",
        classes: &["io.cilium/l2-announcer", "io.cilium/bgp-control-plane", "io.cilium/node"],
        conditions: &["cilium.io/IPAMRequestSatisfied"],
        ..BARE
    },
    // k3s-io/klipper-lb: the image of the DaemonSets; they are told by their labels.
    Row { title: SERVICELB, images: &["rancher/klipper-lb"], ..BARE },
    // loxilb-io/kube-loxilb: pkg/manager/loadbalancer
    Row { title: "loxilb", classes: &["loxilb.io/loxilb"], images: &["loxilb-io/kube-loxilb"], ..BARE },
    // purelb/purelb: internal/lbnodeagent, pkg/apis
    Row {
        title: "PureLB",
        classes: &["purelb.io/purelb"],
        images: &["purelb/allocator"],
        annotations: &["purelb.io/allocated-by"],
        ..BARE
    },
    // tailscale/tailscale: cmd/k8s-operator
    Row {
        title: "Tailscale operator",
        to: "Tailscale",
        classes: &["tailscale"],
        images: &["tailscale/k8s-operator"],
        finalizers: &["tailscale.com/finalizer"],
        replacement: "the same manifests: its network reaches the new cluster as well",
        ..BARE
    },
];

pub(super) struct Ingress {
    /// `spec.controller` of an IngressClass.
    pub(super) controller: &'static str,
    pub(super) title: &'static str,
    pub(super) to: &'static str,
    pub(super) portable: Portable,
}

const fn own(controller: &'static str, title: &'static str) -> Ingress {
    Ingress { controller, title, to: NONE, portable: Portable::Yes }
}

const fn of_cloud(controller: &'static str, title: &'static str, to: &'static str) -> Ingress {
    Ingress { controller, title, to, portable: Portable::No }
}

/// The value that each project documents for its IngressClass.
pub(super) const INGRESS: &[Ingress] = &[
    // kubernetes-sigs/aws-load-balancer-controller: pkg/ingress; EKS Auto Mode
    of_cloud("ingress.k8s.aws/alb", "AWS Application Load Balancer", AWS),
    of_cloud("eks.amazonaws.com/alb", "AWS Application Load Balancer of EKS Auto Mode", AWS),
    // Azure/application-gateway-kubernetes-ingress, Azure/aks-app-routing-operator
    of_cloud("azure/application-gateway", "Azure Application Gateway", AZURE),
    of_cloud("webapprouting.kubernetes.azure.com/nginx", "application routing of AKS", AZURE),
    // kubernetes/ingress-gce, where it has a class
    of_cloud("k8s.io/ingress-gce", "Google Cloud load balancers", GOOGLE),
    own("k8s.io/ingress-nginx", "ingress-nginx"),
    own("nginx.org/ingress-controller", "NGINX Ingress Controller"),
    own("traefik.io/ingress-controller", "Traefik"),
    own("haproxy.org/ingress-controller/haproxy", "HAProxy"),
    own("haproxy-ingress.github.io/controller", "HAProxy Ingress"),
    own("ingress-controllers.konghq.com/kong", "Kong"),
    own("cilium.io/ingress-controller", "Cilium"),
    own("istio.io/ingress-controller", "Istio"),
    own("projectcontour.io/ingress-controller", "Contour"),
    own("openshift.io/ingress-to-route", "routers of OpenShift"),
];
