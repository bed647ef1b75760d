//! Kubespray: variables of the inventory. Its arguments for the API server are a dictionary, so the other issuers are added by a patch.
//!
//! Source: kubernetes-sigs/kubespray, `kube_kubeadm_apiserver_extra_args` and `kubeadm_patches` in the sample inventory.

use serde_json::{Value, json};

use super::{
    File, ISSUER_FLAG, IssuerChange, Note, Rollout, Stage, check, flags,
    keys::{KeyChange, StagedKeys, action},
    old_issuer::Present,
    registry::{Accepts, DefaultIssuer, Distribution, Guide, IssuerGuide},
    static_pods, yaml,
};
use crate::error::Result;

pub(super) const DISTRIBUTION: Distribution = Distribution {
    id: "kubespray",
    title: "Kubespray",
    // Its folder of certificates is another one than kubeadm's own.
    detect: |it| {
        it.cluster_configuration
            .as_ref()
            .is_some_and(|text| text.contains("certificatesDir: /etc/kubernetes/ssl"))
    },
    issuer: IssuerGuide::Files(Guide {
        default_issuer: DefaultIssuer::OfDomain,
        accepts: Accepts::Several,
        present: |_| Ok(Present::default()),
        rollout: |change, _, _, stage| rollout(change, stage),
        notes: |_| {
            vec![Note::new(
                "Kubespray: kubeadm_patches is a list since 2.27; before, it is a folder of patches.",
            )]
        },
    }),
    keys: KeyChange::Staged(StagedKeys {
        files: "Kubespray: the keys are /etc/kubernetes/ssl/sa.pub and sa.key, equal on all control plane nodes; all steps: keyless render \
                rotation --distro kubespray",
        serve: || static_pods::serve("/etc/kubernetes/ssl", ON_NODES),
        sign: || static_pods::sign("/etc/kubernetes/ssl", ON_NODES),
        remove: || static_pods::remove("/etc/kubernetes/ssl", ON_NODES),
    }),
};

const ON_NODES: &str = "On each control plane node, one after the other, as root.";
const FILE: &str = "inventory/CLUSTER/group_vars/k8s_cluster/k8s-cluster.yml";

fn rollout(change: &IssuerChange, stage: Stage) -> Result<Rollout> {
    let flags = flags(change, stage);
    let (mut args, mut patch) = (serde_json::Map::new(), Vec::new());
    for flag in &flags {
        if flag.name == ISSUER_FLAG && args.contains_key(ISSUER_FLAG) {
            let value = format!("--{}={}", flag.name, flag.value);
            patch.push(json!({ "op": "add", "path": "/spec/containers/0/command/-", "value": value }));
        } else {
            args.insert(flag.name.to_owned(), Value::from(flag.value.as_str()));
        }
    }
    let mut part = json!({ "kube_kubeadm_apiserver_extra_args": args });
    if !patch.is_empty() {
        part["kubeadm_patches"] = json!([{ "target": "kube-apiserver", "type": "json", "patch": patch }]);
    }
    let content = format!("# {FILE}: a part, other entries of these variables stay\n{}", yaml(&part)?);
    let check = check(
        change,
        stage,
        "kubectl -n kube-system get pods -l component=kube-apiserver -o yaml | grep -e '- --service-account-issuer='",
    );
    let steps = vec![
        action(
            "Run the playbook for the control plane.",
            &[
                "ansible-playbook -b -i inventory/CLUSTER/hosts.yaml upgrade-cluster.yml --limit kube_control_plane",
            ],
        ),
        check,
    ];
    Ok(Rollout { stage, flags, files: vec![File { path: FILE.to_owned(), content }], steps })
}
