//! vcluster: a virtual cluster has an API server, an issuer and a key of its own. Pods that run in it hold its tokens, not those of
//! the cluster below.
//!
//! Source: vcluster.com/docs, `controlPlane.distro.k8s.apiServer.extraArgs`; loft-sh/vcluster pkg/k8s, issue 1310.

use super::{
    File, IssuerChange, Note, Rollout, Stage, check, flags,
    keys::{KeyChange, action},
    old_issuer::Present,
    registry::{Accepts, Audiences, DefaultIssuer, Distribution, Guide, IssuerGuide},
    yaml,
};
use crate::error::Result;

pub(super) const DISTRIBUTION: Distribution = Distribution {
    id: "vcluster",
    title: "vcluster",
    detect: |it| it.has_label_of("vcluster.loft.sh/"),
    issuer: IssuerGuide::Files(Guide {
        default_issuer: DefaultIssuer::OfDomain,
        accepts: Accepts::Several,
        audiences: Audiences::Kept,
        present: |_| Ok(Present::default()),
        rollout: |change, _, _, stage| rollout(change, stage),
        notes: |_| {
            vec![Note::always(
                "vcluster: publish the documents of the virtual cluster (its own kubeconfig context). What the cluster below is \
                 trusted for does not cover the pods of the virtual one.",
            )]
        },
    }),
    keys: KeyChange::Unknown(
        "vcluster: it makes the key itself, in the certificates folder of its control plane, and has no procedure that replaces it.",
    ),
};

const FILE: &str = "vcluster.yaml";

fn rollout(change: &IssuerChange, stage: Stage) -> Result<Rollout> {
    let flags = flags(change, stage);
    let args: Vec<_> = flags.iter().map(|flag| format!("--{}={}", flag.name, flag.value)).collect();
    let part = serde_json::json!({ "controlPlane": { "distro": { "k8s": { "apiServer": { "extraArgs": args } } } } });
    let content = format!("# {FILE}: a part, everything else of it stays\n{}", yaml(&part)?);
    let check = check(
        change,
        stage,
        "kubectl create token default | cut -d. -f2 | base64 -d 2>/dev/null | grep -o '\"aud\":[^]]*'",
    );
    let steps = vec![
        action(
            "Apply it in the cluster below, and wait until the control plane runs again.",
            &["vcluster create NAME --namespace NAMESPACE --upgrade --values vcluster.yaml"],
        ),
        check,
    ];
    Ok(Rollout { stage, flags, files: vec![File { path: FILE.to_owned(), content }], steps })
}
