//! kOps: the cluster's specification. It can publish the documents itself.
//!
//! Source: kops.sigs.k8s.io/cluster_spec `serviceAccountIssuerDiscovery`, `kubeAPIServer`; kops.sigs.k8s.io/operations/rotate-secrets.

use serde_json::{Value, json};

use super::{
    File, ISSUER_FLAG, IssuerChange, JWKS_FLAG, Note, Rollout, Stage, check, flags,
    keys::{KeyChange, StagedKeys, action},
    old_issuer::Present,
    registry::{Accepts, Audiences, DefaultIssuer, Distribution, Guide, IssuerGuide},
    yaml,
};
use crate::error::Result;

pub(super) const DISTRIBUTION: Distribution = Distribution {
    id: "kops",
    title: "kOps",
    detect: |it| it.has_label_of("kops.k8s.io/"),
    issuer: IssuerGuide::Files(Guide {
        // The API's own address, or the URL of the discovery store.
        default_issuer: DefaultIssuer::Unknown,
        accepts: Accepts::Several,
        audiences: Audiences::Kept,
        present: |_| Ok(Present::default()),
        rollout: |change, _, _, stage| rollout(change, stage),
        notes: |_| {
            vec![
                Note::always(
                    "kOps: with spec.serviceAccountIssuerDiscovery it publishes the documents itself. Then make the \
                     provider's trust in that issuer with its own tools, or leave the setting out and let keyless publish.",
                ),
                Note::new("kOps: additionalServiceAccountIssuers is known since 1.28.5."),
            ]
        },
    }),
    keys: KeyChange::Staged(StagedKeys {
        files: "kOps: the keys are in its keyset `service-account`; all steps: keyless render rotation --distro kops",
        serve: || {
            vec![action(
                "kOps keeps the new key as a second one of its keyset.",
                &["kops create keypair service-account --key sa-new.key", UPDATE, ROLL],
            )]
        },
        sign: || {
            vec![action(
                "The new key becomes the primary one.",
                &["kops promote keypair service-account", UPDATE, ROLL],
            )]
        },
        remove: || {
            vec![action(
                "The former key is no longer trusted.",
                &["kops distrust keypair service-account", UPDATE, ROLL],
            )]
        },
    }),
};

const UPDATE: &str = "kops update cluster --yes";
const ROLL: &str = "kops rolling-update cluster --yes";
const FILE: &str = "kops edit cluster";

fn rollout(change: &IssuerChange, stage: Stage) -> Result<Rollout> {
    let flags = flags(change, stage);
    let issuers: Vec<&str> =
        flags.iter().filter(|it| it.name == ISSUER_FLAG).map(|it| it.value.as_str()).collect();
    let (signs, others) = issuers.split_first().map_or(("", &[][..]), |(first, rest)| (*first, rest));
    let mut server = json!({ "serviceAccountIssuer": signs, "additionalServiceAccountIssuers": others });
    if let Some(flag) = flags.iter().find(|it| it.name == JWKS_FLAG) {
        server["serviceAccountJWKSURI"] = Value::from(flag.value.as_str());
    }
    let part = json!({ "spec": { "kubeAPIServer": server } });
    let content = format!("# {FILE}: a part, everything else of it stays\n{}", yaml(&part)?);
    let check =
        check(change, stage, "kubectl -n kube-system get pods -o yaml | grep -e '--service-account-issuer='");
    let steps = vec![action("Write that, then roll the control plane.", &[FILE, UPDATE, ROLL]), check];
    Ok(Rollout { stage, flags, files: vec![File { path: FILE.to_owned(), content }], steps })
}
