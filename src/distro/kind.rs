//! kind: kubeadm in containers. An existing cluster keeps its flags in the manifest of the static pod, which the kubelet of the node
//! watches.
//!
//! Source: kind.sigs.k8s.io/docs/user/configuration `kubeadmConfigPatches`.

use super::{
    File, IssuerChange, Note, Rollout, Stage, check, flags,
    keys::{KeyChange, StagedKeys, action},
    old_issuer::Present,
    registry::{Accepts, Audiences, DefaultIssuer, Distribution, Guide, IssuerGuide},
    static_pods,
};
use crate::error::Result;

pub(super) const DISTRIBUTION: Distribution = Distribution {
    id: "kind",
    title: "kind",
    detect: |it| it.has_provider_of("kind://"),
    issuer: IssuerGuide::Files(Guide {
        default_issuer: DefaultIssuer::OfDomain,
        accepts: Accepts::Several,
        audiences: Audiences::Kept,
        present: |_| Ok(Present::default()),
        rollout: |change, _, _, stage| rollout(change, stage),
        notes: |_| {
            vec![Note::always(
                "kind: a cluster that is created again takes the flags from kubeadmConfigPatches of its configuration: apiServer.extraArgs \
                 of a ClusterConfiguration, in the form of the node image's kubeadm.",
            )]
        },
    }),
    keys: KeyChange::Staged(StagedKeys {
        files: "kind: the keys are /etc/kubernetes/pki/sa.pub and sa.key in each control plane node (docker exec); all steps: keyless \
                render rotation --distro kind",
        serve: || static_pods::serve("/etc/kubernetes/pki", IN_NODE, static_pods::READY),
        sign: || static_pods::sign("/etc/kubernetes/pki", IN_NODE, static_pods::READY),
        remove: || static_pods::remove("/etc/kubernetes/pki", IN_NODE, static_pods::READY),
    }),
};

const IN_NODE: &str = "In each control plane node, one after the other (`docker cp` the files, then `docker exec -it NODE bash`).";
const FILE: &str = "/etc/kubernetes/manifests/kube-apiserver.yaml";

fn rollout(change: &IssuerChange, stage: Stage) -> Result<Rollout> {
    let flags = flags(change, stage);
    let mut content = format!(
        "# {FILE} in the node: in place of the entries of these flags in spec.containers[0].command\n"
    );
    for flag in &flags {
        let value = serde_json::Value::from(format!("--{}={}", flag.name, flag.value));
        content.push_str(&format!("- {value}\n"));
    }
    let check = check(
        change,
        stage,
        "kubectl -n kube-system get pods -l component=kube-apiserver -o yaml | grep -e '- --service-account-issuer='",
    );
    let steps = vec![
        action(
            "In each control plane node, one after the other. The kubelet restarts the API server when the file changes.",
            &[
                &format!("docker cp NODE:{FILE} kube-apiserver.yaml"),
                "$EDITOR kube-apiserver.yaml",
                &format!("docker cp kube-apiserver.yaml NODE:{FILE}"),
                "until kubectl get --raw /readyz; do sleep 2; done",
            ],
        ),
        check,
    ];
    Ok(Rollout { stage, flags, files: vec![File { path: FILE.to_owned(), content }], steps })
}
