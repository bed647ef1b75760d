//! What every distribution writes comes to the flags that it announces, in their order.

use serde_json::Value;

use super::{
    Accepts, Code, DefaultIssuer, Distribution, ISSUER_FLAG, IssuerChange, Rollout, Stage, instructions,
};

const NEW: &str = "https://oidc.lab.test/prod";
const OLD: &str = "https://old.lab.test";

fn change(servers: usize) -> IssuerChange {
    IssuerChange {
        issuer: NEW.parse().unwrap(),
        jwks_uri: Some(format!("{NEW}/openid/v1/jwks")),
        accepted: vec![OLD.parse().unwrap()],
        servers,
        cluster_configuration: None,
        minor: None,
    }
}

/// `NAME=VALUE` of each flag, as this distribution puts them in a row.
fn effective(distro: &Distribution, rollout: &Rollout) -> Vec<String> {
    let documents: Vec<Value> = rollout
        .files
        .iter()
        .flat_map(|file| file.content.split("---\n"))
        .map(|text| serde_saphyr::from_str(text).unwrap_or(Value::Null))
        .collect();
    let first = documents.first().cloned().unwrap_or_default();
    let list = |value: &Value| -> Vec<String> {
        value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(|it| it.trim_start_matches("--").to_owned())
            .collect()
    };
    let map = |value: &Value| -> Vec<String> {
        let members = value.as_object().into_iter().flatten();
        members
            .flat_map(|(name, value)| match value {
                Value::Array(values) => {
                    values.iter().map(|it| format!("{name}={}", it.as_str().unwrap())).collect()
                }
                other => vec![format!("{name}={}", other.as_str().unwrap())],
            })
            .collect()
    };
    match distro.id {
        "k3s" | "rke2" => list(&first["kube-apiserver-arg"]),
        "k3d" => first["options"]["k3s"]["extraArgs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["arg"].as_str().unwrap().strip_prefix("--kube-apiserver-arg=").unwrap().to_owned())
            .collect(),
        "k0s" => [map(&first["spec"]["api"]["extraArgs"]), list(&first["spec"]["api"]["rawArgs"])].concat(),
        "microk8s" => rollout.files[0]
            .content
            .lines()
            .filter_map(|line| line.strip_prefix("--"))
            .map(|line| line.replace('\'', ""))
            .collect(),
        "kops" => {
            let server = &first["spec"]["kubeAPIServer"];
            let mut flags =
                vec![format!("{ISSUER_FLAG}={}", server["serviceAccountIssuer"].as_str().unwrap())];
            flags.extend(
                list(&server["additionalServiceAccountIssuers"])
                    .iter()
                    .map(|it| format!("{ISSUER_FLAG}={it}")),
            );
            flags.extend(
                server["serviceAccountJWKSURI"].as_str().map(|it| format!("service-account-jwks-uri={it}")),
            );
            flags
        }
        "vcluster" => list(&first["controlPlane"]["distro"]["k8s"]["apiServer"]["extraArgs"]),
        "kind" => list(&first),
        "talos" => {
            let mut flags = vec![format!("{ISSUER_FLAG}={}", first["issuer"]["issuerURL"].as_str().unwrap())];
            let accepted = &first["accepted"];
            flags.extend(list(&accepted["issuers"]).iter().map(|it| format!("{ISSUER_FLAG}={it}")));
            flags.push(format!("api-audiences={}", list(&accepted["audiences"]).join(",")));
            flags.extend(documents[1..].iter().flat_map(|it| map(&it["extraArgs"])));
            flags
        }
        "talos-1.13" | "talos-1.12" => map(&first["cluster"]["apiServer"]["extraArgs"]),
        // The manifest is made again each time, with the issuer that kubeadm has.
        "kubespray" => patched(&first["kubeadm_patches"][0]["patch"], vec![format!("{ISSUER_FLAG}={OLD}")]),
        "cluster-api" => {
            let spec = &first["spec"]["kubeadmConfigSpec"];
            let flags = args(&spec["clusterConfiguration"]["apiServer"]["extraArgs"]);
            let mut names: Vec<_> = flags.iter().map(|flag| flag.split('=').next().unwrap()).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), flags.len(), "the custom resource takes each name once");
            let file = &spec["files"][0];
            for configuration in ["initConfiguration", "joinConfiguration"] {
                let folder = spec[configuration]["patches"]["directory"].as_str().unwrap();
                assert_eq!(file["path"], format!("{folder}/kube-apiserver0+json.yaml"));
            }
            patched(&serde_saphyr::from_str(file["content"].as_str().unwrap()).unwrap(), flags)
        }
        "kubeadm" => args(&first["apiServer"]["extraArgs"]),
        "minikube" => rollout.steps[0].commands[1]
            .split_whitespace()
            .filter_map(|word| word.strip_prefix("--extra-config="))
            .map(|word| word.replace('\'', "").strip_prefix("apiserver.").unwrap().to_owned())
            .collect(),
        other => panic!("{other} is not read here"),
    }
}

/// The flags of a static pod, after this patch of its command.
fn patched(patch: &Value, flags: Vec<String>) -> Vec<String> {
    let mut command = vec!["kube-apiserver".to_owned()];
    command.extend(flags);
    for operation in patch.as_array().unwrap() {
        assert_eq!(operation["op"], "add");
        let value = operation["value"].as_str().unwrap().trim_start_matches("--").to_owned();
        match operation["path"].as_str().unwrap().strip_prefix("/spec/containers/0/command/").unwrap() {
            "-" => command.push(value),
            index => command.insert(index.parse().unwrap(), value),
        }
    }
    command.split_off(1)
}

fn args(value: &Value) -> Vec<String> {
    let entries = value.as_array().unwrap().iter();
    entries.map(|it| format!("{}={}", it["name"].as_str().unwrap(), it["value"].as_str().unwrap())).collect()
}

#[test]
fn written_files_give_announced_flags() {
    for distro in Distribution::all().iter().filter(|it| it.guide().is_some()) {
        for servers in [1, 3] {
            let told = instructions(Some(distro), &change(servers)).unwrap();
            for rollout in &told.rollouts {
                let (mut have, mut want) = (effective(distro, rollout), Vec::new());
                want.extend(rollout.flags.iter().map(|flag| format!("{}={}", flag.name, flag.value)));
                let issuers = |flags: &[String]| -> Vec<String> {
                    flags.iter().filter(|it| it.starts_with(ISSUER_FLAG)).cloned().collect()
                };
                // The order of issuers is meaning, that of other flags is not.
                assert_eq!(issuers(&have), issuers(&want), "{distro:?} {:?}", rollout.stage);
                have.sort();
                want.sort();
                assert_eq!(have, want, "{distro:?} {:?}", rollout.stage);
            }
        }
    }
}

#[test]
fn several_issuers_are_rolled_out_twice() {
    for distro in Distribution::all() {
        let Some(guide) = distro.guide() else { continue };
        let stages: Vec<_> = instructions(Some(distro), &change(3))
            .unwrap()
            .rollouts
            .iter()
            .map(|rollout| rollout.stage)
            .collect();
        match guide.accepts {
            Accepts::Several => assert_eq!(stages, [Stage::Accept, Stage::Sign], "{distro:?}"),
            Accepts::One => assert_eq!(stages, [Stage::Sign], "{distro:?}"),
        }
    }
}

#[test]
fn one_issuer_is_warned_of() {
    for distro in Distribution::all() {
        let Some(guide) = distro.guide() else { continue };
        let told = instructions(Some(distro), &change(1)).unwrap();
        let warned = told.warnings.iter().any(|warning| warning.code == Code::OneIssuerOnly);
        assert_eq!(warned, guide.accepts == Accepts::One, "{distro:?}");
    }
}

#[test]
fn unknown_default_issuer_is_asked_for() {
    for distro in Distribution::all() {
        let Some(guide) = distro.guide() else { continue };
        let told = instructions(Some(distro), &IssuerChange { accepted: Vec::new(), ..change(1) });
        match guide.default_issuer {
            DefaultIssuer::Unknown => assert_eq!(told.unwrap_err().code, Code::OldIssuer, "{distro:?}"),
            DefaultIssuer::Fixed(issuer) => assert_eq!(told.unwrap().unproven.unwrap().issuer, issuer),
            DefaultIssuer::OfDomain => {
                assert_eq!(
                    told.unwrap().unproven.unwrap().issuer,
                    "https://kubernetes.default.svc.cluster.local"
                );
            }
        }
    }
}

#[test]
fn managed_cluster_is_not_told_flags() {
    for distro in Distribution::all().iter().filter(|it| it.guide().is_none()) {
        let error = instructions(Some(distro), &change(3)).unwrap_err();
        assert_eq!(error.code, Code::DistroManaged);
        assert_eq!(error.hints, [distro.instead().unwrap()]);
    }
}
