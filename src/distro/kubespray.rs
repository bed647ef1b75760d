//! Kubespray: `kubeadm_patches` of the inventory. Its arguments for the API server are a dictionary, which holds one issuer.
//!
//! Source: kubernetes-sigs/kubespray, `kubeadm_patches` in the sample inventory; issue 12852 (order of the upload).

use serde_json::json;

use super::{
    File, ISSUER_FLAG, IssuerChange, JWKS_FLAG, Note, Rollout, Stage, check, flags,
    keys::{KeyChange, StagedKeys, action},
    old_issuer::Present,
    registry::{Accepts, Audiences, DefaultIssuer, Distribution, Guide, IssuerGuide},
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
        audiences: Audiences::Kept,
        present: |_| Ok(Present::default()),
        rollout: |change, _, _, stage| rollout(change, stage),
        notes: |_| {
            vec![
                Note::always(
                    "Kubespray: leave service-account-issuer out of kube_kubeadm_apiserver_extra_args: an issuer that is named twice keeps \
                     the API server from starting.",
                ),
                Note::new(
                    "Kubespray: kubeadm_patches is a list since 2.27; before, it is a folder of patches.",
                ),
            ]
        },
    }),
    keys: KeyChange::Staged(StagedKeys {
        files: "Kubespray: the keys are /etc/kubernetes/ssl/sa.pub and sa.key, equal on all control plane nodes; all steps: keyless render \
                rotation --distro kubespray",
        serve: || static_pods::serve("/etc/kubernetes/ssl", ON_NODES, static_pods::READY),
        sign: || static_pods::sign("/etc/kubernetes/ssl", ON_NODES, static_pods::READY),
        remove: || static_pods::remove("/etc/kubernetes/ssl", ON_NODES, static_pods::READY),
    }),
};

const ON_NODES: &str = "On each control plane node, one after the other, as root.";
const FILE: &str = "inventory/CLUSTER/group_vars/k8s_cluster/k8s-cluster.yml";

fn rollout(change: &IssuerChange, stage: Stage) -> Result<Rollout> {
    let flags = flags(change, stage);
    // kubeadm reads its configuration from the cluster, and Kubespray writes that only after the manifests: what extra_args say
    // comes one run too late. Patches are taken at once. The flag of the present issuer stays where it is.
    let add = |index: &str, name: &str, value: &str| json!({ "op": "add", "path": format!("/spec/containers/0/command/{index}"), "value": format!("--{name}={value}") });
    let mut patch = vec![match stage {
        Stage::Accept => add("-", ISSUER_FLAG, change.issuer.as_str()),
        // Before every other flag: the first issuer signs.
        Stage::Sign => add("1", ISSUER_FLAG, change.issuer.as_str()),
    }];
    patch.extend(flags.iter().filter(|it| it.name == JWKS_FLAG).map(|it| add("-", it.name, &it.value)));
    let part = json!({ "kubeadm_patches": [{ "target": "kube-apiserver", "type": "json", "patch": patch }] });
    let content = format!(
        "# {FILE}: a part, other patches stay; this one replaces that of the rollout before\n{}",
        yaml(&part)?
    );
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
