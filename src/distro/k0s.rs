//! k0s: `spec.api` of `/etc/k0s/k0s.yaml`. `extraArgs` is a map, whose values replace k0s' own; `rawArgs` are appended after them.
//! It pins `--api-audiences` itself.
//!
//! Source: docs.k0sproject.io/stable/configuration, `spec.api`; k0sproject/k0s pkg/component/controller/apiserver.go.

use serde_json::{Value, json};

use super::{
    Action, File, ISSUER_FLAG, IssuerChange, Note, Rollout, Stage, check, flags,
    keys::{KeyChange, StagedKeys, action},
    old_issuer::Present,
    registry::{Accepts, DefaultIssuer, Distribution, Guide, IssuerGuide},
    yaml,
};
use crate::error::Result;

pub(super) const DISTRIBUTION: Distribution = Distribution {
    id: "k0s",
    title: "k0s",
    detect: |it| it.has_version("+k0s"),
    issuer: IssuerGuide::Files(Guide {
        default_issuer: DefaultIssuer::Fixed("https://kubernetes.default.svc"),
        accepts: Accepts::Several,
        present: |_| Ok(Present::default()),
        rollout: |change, _, _, stage| rollout(change, stage),
        notes: |_| {
            vec![
                Note::always(
                    "k0s: spec.api is read from the file of each controller, also where the rest of the configuration is in the cluster.",
                ),
                Note::new("k0s: very old releases sign as `api` and refuse another issuer: upgrade first."),
            ]
        },
    }),
    keys: KeyChange::Staged(StagedKeys {
        files: "k0s: the keys are /var/lib/k0s/pki/sa.pub and sa.key, equal on all controllers; name others in spec.api of \
                /etc/k0s/k0s.yaml; all steps: keyless render rotation --distro k0s",
        serve: || {
            vec![
                action(
                    "On every controller, as root.",
                    &[
                        "install -o kube-apiserver -m 600 sa-new.key /var/lib/k0s/pki/sa-new.key",
                        "install -m 644 sa-new.pub /var/lib/k0s/pki/sa-new.pub",
                    ],
                ),
                restart("spec.api.rawArgs gets `--service-account-key-file=/var/lib/k0s/pki/sa-new.pub`."),
            ]
        },
        sign: || {
            vec![restart(
                "spec.api.extraArgs gets `service-account-signing-key-file: /var/lib/k0s/pki/sa-new.key`, and \
                 spec.controllerManager.extraArgs gets `service-account-private-key-file: /var/lib/k0s/pki/sa-new.key`.",
            )]
        },
        remove: || {
            vec![restart(
                "spec.api.extraArgs gets `service-account-key-file: /var/lib/k0s/pki/sa-new.pub`, and spec.api.rawArgs no longer names \
                 that file: a file that is named twice serves its key twice.",
            )]
        },
    }),
};

const FILE: &str = "/etc/k0s/k0s.yaml";

/// The first issuer by `extraArgs`, the others by `rawArgs`: they come after it.
fn rollout(change: &IssuerChange, stage: Stage) -> Result<Rollout> {
    let flags = flags(change, stage);
    let (mut args, mut raw) = (serde_json::Map::new(), Vec::new());
    for flag in &flags {
        match flag.name == ISSUER_FLAG && args.contains_key(ISSUER_FLAG) {
            true => raw.push(format!("--{}={}", flag.name, flag.value)),
            false => drop(args.insert(flag.name.to_owned(), Value::from(flag.value.as_str()))),
        }
    }
    let part = json!({
        "apiVersion": "k0s.k0sproject.io/v1beta1",
        "kind": "ClusterConfig",
        "spec": { "api": { "extraArgs": args, "rawArgs": raw } },
    });
    let content =
        format!("# {FILE}, a part, on every controller: everything else of it stays.\n{}", yaml(&part)?);
    let check = check(
        change,
        stage,
        "tr '\\0' '\\n' < /proc/$(pgrep -x kube-apiserver)/cmdline | grep service-account-issuer",
    );
    let steps = vec![
        action(
            "Write that on every controller, then restart one after the other.",
            &["systemctl restart k0scontroller", "k0s kubectl get --raw /readyz"],
        ),
        check,
    ];
    Ok(Rollout { stage, flags, files: vec![File { path: FILE.to_owned(), content }], steps })
}

fn restart(what: &str) -> Action {
    action(
        &format!("On every controller, one after the other, in {FILE}: {what}"),
        &["systemctl restart k0scontroller", "k0s kubectl get --raw /readyz"],
    )
}
