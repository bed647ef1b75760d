//! minikube: `--extra-config`, which takes one value for each flag.
//!
//! Source: minikube.sigs.k8s.io/docs/commands/start `--extra-config`.

use super::{
    ISSUER_FLAG, IssuerChange, Note, Rollout, Stage, check, flags,
    keys::{KeyChange, StagedKeys, action},
    old_issuer::Present,
    registry::{Accepts, Audiences, DefaultIssuer, Distribution, Guide, IssuerGuide},
    static_pods,
};
use crate::{error::Result, shell};

pub(super) const DISTRIBUTION: Distribution = Distribution {
    id: "minikube",
    title: "minikube",
    detect: |it| it.has_label_of("minikube.k8s.io/"),
    issuer: IssuerGuide::Files(Guide {
        default_issuer: DefaultIssuer::OfDomain,
        accepts: Accepts::One,
        audiences: Audiences::Kept,
        present: |_| Ok(Present::default()),
        rollout: |change, _, _, stage| rollout(change, stage),
        notes: |_| {
            vec![Note::always(
                "minikube: give these flags to every later `minikube start`, or they are lost.",
            )]
        },
    }),
    keys: KeyChange::Staged(StagedKeys {
        files: "minikube: the keys are /var/lib/minikube/certs/sa.pub and sa.key in the node; all steps: keyless render rotation --distro \
                minikube",
        serve: || static_pods::serve(CERTS, IN_NODE, READY),
        sign: || static_pods::sign(CERTS, IN_NODE, READY),
        remove: || static_pods::remove(CERTS, IN_NODE, READY),
    }),
};

const CERTS: &str = "/var/lib/minikube/certs";
const IN_NODE: &str = "In the node (`minikube ssh`, `sudo -i`); the last command is for this machine.";
const READY: &str = "until kubectl get --raw /readyz; do sleep 2; done";

fn rollout(change: &IssuerChange, stage: Stage) -> Result<Rollout> {
    let mut flags = flags(change, stage);
    let mut named = false;
    flags.retain(|flag| flag.name != ISSUER_FLAG || !std::mem::replace(&mut named, true));
    let config: Vec<_> = flags
        .iter()
        .map(|flag| {
            format!("--extra-config={}", shell::quote(&format!("apiserver.{}={}", flag.name, flag.value)))
        })
        .collect();
    let steps = vec![
        action(
            "Start the cluster again with these flags.",
            &["minikube stop", &format!("minikube start {}", config.join(" "))],
        ),
        check(change, stage, ""),
    ];
    Ok(Rollout { stage, flags, files: Vec::new(), steps })
}
