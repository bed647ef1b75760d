//! k0s: `spec.api` of `/etc/k0s/k0s.yaml`. `extraArgs` is a map, whose values replace k0s' own; `rawArgs` are appended after them.
//! It pins `--api-audiences` itself.
//!
//! Source: docs.k0sproject.io/stable/configuration, `spec.api`; k0sproject/k0s pkg/component/controller/apiserver.go.

use serde_json::{Value, json};

use super::{
    Action, File, ISSUER_FLAG, IssuerChange, Note, Rollout, Stage, check, flags,
    keys::{KeyChange, StagedKeys, action},
    old_issuer::Present,
    registry::{Accepts, Audiences, DefaultIssuer, Distribution, Guide, IssuerGuide},
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
        audiences: Audiences::Kept,
        present: |_| Ok(Present::default()),
        rollout: |change, _, _, stage| rollout(change, stage),
        notes: |_| {
            vec![
                Note::always(
                    "k0s: spec.api is read from the file of each controller, also where the rest of the configuration is in the cluster.",
                ),
                Note::always(
                    "k0s: rawArgs is younger than extraArgs. `k0s config validate` refuses a member that this version does not know: then \
                     upgrade first, or the new issuer would be the only one.",
                ),
                Note::new("k0s: very old releases sign as `api` and refuse another issuer: upgrade first."),
            ]
        },
    }),
    keys: KeyChange::Staged(StagedKeys {
        files: "k0s: the keys are /var/lib/k0s/pki/sa.pub and sa.key, equal on all controllers; all steps: keyless render rotation --distro k0s",
        serve: || {
            let keep = [
                "umask 077",
                "cp -pn {pki}/sa.key {pki}/sa-former.key",
                "cp -pn {pki}/sa.pub {pki}/sa-former.pub",
            ];
            change_files(&[&keep[..], &["cat {pki}/sa-former.pub sa-new.pub > {pki}/sa.pub"]].concat())
        },
        sign: || change_files(&["cat sa-new.key > {pki}/sa.key"]),
        remove: || change_files(&["cat sa-new.pub > {pki}/sa.pub"]),
    }),
};

const READY: &str = "until k0s kubectl get --raw /readyz; do sleep 2; done";
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
            &["k0s config validate --config /etc/k0s/k0s.yaml", "systemctl restart k0scontroller", READY],
        ),
        check,
    ];
    Ok(Rollout { stage, flags, files: vec![File { path: FILE.to_owned(), content }], steps })
}

/// The files that a controller which joins is given. They are written in place: the API server's user owns them.
fn change_files(commands: &[&str]) -> Vec<Action> {
    let commands: Vec<_> = commands.iter().map(|it| it.replace("{pki}", "/var/lib/k0s/pki")).collect();
    let mut all: Vec<&str> = commands.iter().map(String::as_str).collect();
    all.extend(["systemctl restart k0scontroller", READY]);
    vec![action("On every controller, one after the other, as root.", &all)]
}
