//! Cluster API: the KubeadmControlPlane of the management cluster, from which control plane machines are made.
//!
//! Source: cluster-api.sigs.k8s.io, KubeadmControlPlane; extraArgs is a list since v1beta2 (Cluster API 1.11), a map before.

use serde_json::json;

use super::{
    Action, File, IssuerChange, Note, Rollout, Stage, check, flags,
    keys::{KeyChange, StagedKeys, action},
    old_issuer::Present,
    registry::{Accepts, DefaultIssuer, Distribution, Guide, IssuerGuide},
    static_pods, yaml,
};
use crate::error::Result;

pub(super) const DISTRIBUTION: Distribution = Distribution {
    id: "cluster-api",
    title: "Cluster API",
    // Of a control plane that kubeadm makes.
    detect: |it| it.has_annotation("cluster.x-k8s.io/cluster-name") && it.cluster_configuration.is_some(),
    issuer: IssuerGuide::Files(Guide {
        default_issuer: DefaultIssuer::OfDomain,
        accepts: Accepts::Several,
        present: |_| Ok(Present::default()),
        rollout: |change, _, _, stage| rollout(change, stage),
        notes: |_| {
            vec![Note::always(
                "Cluster API: before v1beta2 extraArgs is a map, in which the last issuer would be the only one: name the first there, \
                 and add the others by a kubeadm patch in spec.kubeadmConfigSpec.files.",
            )]
        },
    }),
    keys: KeyChange::Staged(StagedKeys {
        files: "Cluster API: new control plane machines get the key from the Secret CLUSTER-sa of the management cluster; existing ones \
                have it in /etc/kubernetes/pki/sa.pub and sa.key; all steps: keyless render rotation --distro cluster-api",
        serve: || {
            with_secret(static_pods::serve(PKI, ON_MACHINES), "the key that signs, and both public keys")
        },
        sign: || with_secret(static_pods::sign(PKI, ON_MACHINES), "the new key, and both public keys"),
        remove: || with_secret(static_pods::remove(PKI, ON_MACHINES), "the new key, and its public half"),
    }),
};

const PKI: &str = "/etc/kubernetes/pki";
const ON_MACHINES: &str = "On each control plane machine, one after the other, as root.";
const FILE: &str = "kubectl edit kubeadmcontrolplane NAME";

/// The Secret first: a machine that is made meanwhile would sign with the former key alone.
fn with_secret(mut steps: Vec<Action>, holds: &str) -> Vec<Action> {
    let what = format!(
        "In the management cluster first: tls.key and tls.crt of the Secret CLUSTER-sa hold {holds}. Machines that are made from now \
         on get them. Let no machine be replaced before the part is complete."
    );
    steps.insert(0, action(&what, &["kubectl -n NAMESPACE edit secret CLUSTER-sa"]));
    steps
}

fn rollout(change: &IssuerChange, stage: Stage) -> Result<Rollout> {
    let flags = flags(change, stage);
    let args: Vec<_> = flags.iter().map(|flag| json!({ "name": flag.name, "value": flag.value })).collect();
    let part = json!({
        "apiVersion": "controlplane.cluster.x-k8s.io/v1beta2",
        "kind": "KubeadmControlPlane",
        "spec": { "kubeadmConfigSpec": { "clusterConfiguration": { "apiServer": { "extraArgs": args } } } },
    });
    let content = format!(
        "# {FILE}, in the management cluster: a part, everything else and the other entries of extraArgs stay\n{}",
        yaml(&part)?
    );
    let check = check(
        change,
        stage,
        "kubectl -n kube-system get pods -l component=kube-apiserver -o yaml | grep -e '- --service-account-issuer='",
    );
    let steps = vec![
        action(
            "Cluster API replaces the control plane machines one after the other. Wait until all are of the new form.",
            &[FILE, "kubectl get kubeadmcontrolplane NAME --watch"],
        ),
        check,
    ];
    Ok(Rollout { stage, flags, files: vec![File { path: FILE.to_owned(), content }], steps })
}
