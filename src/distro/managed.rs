//! Clusters whose API servers belong to a provider: it signs as an issuer of its own, whose documents it publishes, and rotates
//! the key. There is nothing to publish.

use url::Url;

use super::{
    keys::KeyChange,
    registry::{Distribution, IssuerGuide, Managed},
};

/// Source: docs.aws.amazon.com/eks, "IAM roles for service accounts"; the key changes every seven days.
pub(super) const EKS: Distribution = Distribution {
    id: "eks",
    title: "EKS",
    // EKS Anywhere has the same versions, and its user runs the API servers: kubeadm made them.
    detect: |it| {
        (it.has_version("-eks-") || it.has_label_of("eks.amazonaws.com/")) && !it.is_made_by_kubeadm()
    },
    issuer: IssuerGuide::Managed(Managed {
        instead: "EKS publishes the documents of its own issuer, https://oidc.eks.REGION.amazonaws.com/id/ID, and changes its key every week. \
         At AWS, use its own IAM roles for service accounts: `eksctl utils associate-iam-oidc-provider`. For another provider, make the \
         trust in that issuer with the provider's own tools: keyless makes none in documents that others publish.",
        signs_as: |it| {
            let ends = |host: &str, ends: &[&str]| ends.iter().any(|end| host.ends_with(end));
            host(it).is_some_and(|host| {
                host.starts_with("oidc.eks.") && ends(&host, &[".amazonaws.com", ".amazonaws.com.cn"])
                    // Of both families of addresses.
                    || host.starts_with("oidc-eks.")
                        && ends(&host, &[".api.aws", ".api.amazonwebservices.com.cn", ".api.amazonwebservices.eu"])
            })
        },
    }),
    keys: KeyChange::Provider,
};

/// Source: cloud.google.com/kubernetes-engine, "Workload Identity Federation for GKE".
pub(super) const GKE: Distribution = Distribution {
    id: "gke",
    title: "GKE",
    // Google's product for other places has versions of the same form; its user rotates the keys.
    detect: |it| it.has_label_of("cloud.google.com/gke-nodepool"),
    issuer: IssuerGuide::Managed(Managed {
        instead: "GKE publishes the documents of its own issuer, https://container.googleapis.com/v1/projects/PROJECT/locations/LOCATION/clusters/NAME. \
         At Google, use Workload Identity Federation for GKE: no pool of your own is needed. For another provider, make the trust in that \
         issuer with the provider's own tools: keyless makes none in documents that others publish.",
        signs_as: |it| it.starts_with("https://container.googleapis.com/v1/projects/"),
    }),
    keys: KeyChange::Provider,
};

/// Source: learn.microsoft.com/azure/aks/use-oidc-issuer.
pub(super) const AKS: Distribution = Distribution {
    id: "aks",
    title: "AKS",
    // Other labels of this prefix belong to Azure's cloud provider, which any cluster may use.
    detect: |it| it.has_label_of("kubernetes.azure.com/cluster") && !it.is_made_by_kubeadm(),
    issuer: IssuerGuide::Managed(Managed {
        instead: "AKS publishes the documents of its own issuer once that is enabled: `az aks update --enable-oidc-issuer`. Its \
         issuer ends with a slash. At Azure, use Microsoft Entra Workload ID. For another provider, make the trust in that issuer with \
         the provider's own tools: keyless makes none in documents that others publish.",
        signs_as: |it| {
            host(it).is_some_and(|host| {
                host == "oidc.prod-aks.azure.com" || host.ends_with(".oic.prod-aks.azure.com")
            })
        },
    }),
    keys: KeyChange::Provider,
};

/// Source: docs.openshift.com, "Cloud Credential Operator": `ccoctl` publishes the documents.
pub(super) const OPENSHIFT: Distribution = Distribution {
    id: "openshift",
    title: "OpenShift",
    detect: |it| it.has_label_of("node.openshift.io/"),
    issuer: IssuerGuide::Managed(Managed {
        instead: "OpenShift's operators own the flags of the API servers: set spec.serviceAccountIssuer of the object Authentication `cluster`, \
         or install with `ccoctl`, which publishes the documents itself and makes the provider's trust.",
        // As every cluster by default; its labels tell.
        signs_as: |_| false,
    }),
    keys: KeyChange::Unknown(
        "OpenShift: its operators make the next key. Where `ccoctl` published the documents, its public half has to be published before \
         it signs: see \"Rotating the bound service account signer key\" in OpenShift's documentation.",
    ),
};

/// The host of an issuer.
fn host(issuer: &str) -> Option<String> {
    let url = Url::parse(issuer).ok().filter(|url| url.scheme() == "https")?;
    Some(url.host_str()?.to_owned())
}
