//! k3d: k3s in containers. The arguments of its servers are fixed when the cluster is created (k3d.io/stable/usage/configfile).

use super::{
    Action, File, IssuerChange, Note, Rollout, Stage, flags,
    keys::KeyChange,
    old_issuer::Present,
    registry::{Accepts, Audiences, DefaultIssuer, Distribution, Guide, IssuerGuide},
};
use crate::error::Result;

pub(super) const DISTRIBUTION: Distribution = Distribution {
    id: "k3d",
    title: "k3d",
    // Its version is that of k3s.
    detect: |it| it.has_version("+k3s") && it.has_node_of("k3d-"),
    issuer: IssuerGuide::Files(Guide {
        default_issuer: DefaultIssuer::OfDomain,
        accepts: Accepts::Several,
        audiences: Audiences::Kept,
        present: |_| Ok(Present::default()),
        rollout: |change, _, _, stage| rollout(change, stage),
        notes: |_| {
            vec![Note::always(
                "k3d: a flag of the API server is wrapped as --kube-apiserver-arg=FLAG; without that, the server does not start.",
            )]
        },
    }),
    keys: KeyChange::Unknown(
        "k3d: the servers are containers of k3s. In the container of a server, the steps of k3s apply, and `docker restart` in place \
         of systemctl: keyless render rotation --distro k3s",
    ),
};

const FILE: &str = "k3d.yaml";

fn rollout(change: &IssuerChange, stage: Stage) -> Result<Rollout> {
    let flags = flags(change, stage);
    let mut content = format!(
        "# {FILE}, a part of the configuration of the cluster\napiVersion: k3d.io/v1alpha5\nkind: Simple\noptions:\n  k3s:\n    extraArgs:\n"
    );
    for flag in &flags {
        let arg = serde_json::Value::from(format!("--kube-apiserver-arg={}={}", flag.name, flag.value));
        content.push_str(&format!("    - arg: {arg}\n      nodeFilters: [\"server:*\"]\n"));
    }
    let steps = vec![Action {
        what: "k3d fixes the arguments of a cluster when it is created: create it again with that, and what ran in it.".to_owned(),
        commands: vec!["k3d cluster delete NAME".to_owned(), format!("k3d cluster create NAME --config {FILE}")],
    }];
    Ok(Rollout { stage, flags, files: vec![File { path: FILE.to_owned(), content }], steps })
}
