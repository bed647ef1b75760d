//! The change, by value. The real kubeadm and kube-apiserver judge it in tests/real.

use serde_json::{Value, json};

use super::*;
use crate::error::Kind;

const NEW: &str = "https://oidc.lab.test/prod";
const JWKS: &str = "https://oidc.lab.test/prod/openid/v1/jwks";

fn wish(servers: usize) -> Wish {
    Wish {
        issuer: NEW.parse().unwrap(),
        accepted: Vec::new(),
        servers,
        cluster_configuration: None,
        minor: None,
    }
}

fn issuers(rollout: &Rollout) -> Vec<&str> {
    rollout.flags.iter().filter(|flag| flag.name == ISSUER_FLAG).map(|flag| flag.value.as_str()).collect()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

fn stages(guide: &Guide) -> Vec<Stage> {
    guide.rollouts.iter().map(|rollout| rollout.stage).collect()
}

#[test]
fn one_server_signs_at_once_and_keeps_the_old_issuer() {
    for distro in [Distro::K3s, Distro::Kubeadm] {
        let guide = guide(Some(distro), &wish(1)).unwrap();
        assert_eq!(stages(&guide), [Stage::Sign]);
        assert_eq!(issuers(&guide.rollouts[0]), [NEW, DEFAULT_ISSUER]);
        let last = guide.rollouts[0].flags.last().unwrap();
        assert_eq!((last.name, last.value.as_str()), (JWKS_FLAG, JWKS));
    }
}

#[test]
fn several_servers_accept_before_one_signs() {
    for distro in [Distro::K3s, Distro::Kubeadm] {
        let guide = guide(Some(distro), &wish(3)).unwrap();
        assert_eq!(stages(&guide), [Stage::Accept, Stage::Sign]);
        assert_eq!(issuers(&guide.rollouts[0]), [DEFAULT_ISSUER, NEW]);
        // The document of a server that signs as before must not name the new key set.
        assert!(guide.rollouts[0].flags.iter().all(|flag| flag.name == ISSUER_FLAG));
        assert_eq!(issuers(&guide.rollouts[1]), [NEW, DEFAULT_ISSUER]);
        assert_eq!(guide.rollout(None).unwrap().stage, Stage::Accept, "the first is the safe one");
        assert_eq!(guide.rollout(Some(Stage::Sign)).unwrap().stage, Stage::Sign);
    }
    assert!(guide(Some(Distro::K3s), &wish(1)).unwrap().rollout(Some(Stage::Accept)).is_none());
}

#[test]
fn of_any_other_distribution_the_flags_are_told() {
    let guide = guide(None, &wish(2)).unwrap();
    assert_eq!(stages(&guide), [Stage::Accept, Stage::Sign]);
    let text = guide.to_text();
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} is missing in\n{text}"));
    let (accept, sign) = (at("Rollout 1 of 2"), at("Rollout 2 of 2"));
    assert!(accept < at(&format!("--{ISSUER_FLAG}={DEFAULT_ISSUER}\n    --{ISSUER_FLAG}={NEW}")));
    assert!(
        sign < at(&format!(
            "--{ISSUER_FLAG}={NEW}\n    --{ISSUER_FLAG}={DEFAULT_ISSUER}\n    --{JWKS_FLAG}={JWKS}"
        ))
    );
}

#[test]
fn k3s_gets_a_list_in_its_settings_file() {
    let guide = guide(Some(Distro::K3s), &wish(1)).unwrap();
    let file = &guide.rollouts[0].files[0];
    assert_eq!(file.path, "/etc/rancher/k3s/config.yaml");
    assert_eq!(
        yaml(&file.content),
        json!({ "kube-apiserver-arg": [
            format!("service-account-issuer={NEW}"),
            format!("service-account-issuer={DEFAULT_ISSUER}"),
            format!("service-account-jwks-uri={JWKS}"),
        ]})
    );
    let text = guide.to_text();
    let most = [
        "systemctl restart k3s",
        "kube-apiserver-arg+",
        "--api-audiences",
        "keyless render issuer --distro k3s",
    ];
    for part in most {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let all = guide.talk(Stage::Sign);
    for part in
        ["systemctl restart k3s", "service-account-issuer-=", "kube-apiserver-arg+", "keyless publish"]
    {
        assert!(all.contains(part), "{part} is missing in\n{all}");
    }
}

#[test]
fn kubeadm_gets_a_list_since_1_31_and_a_map_with_a_patch_before() {
    let list = guide(Some(Distro::Kubeadm), &wish(1)).unwrap();
    let config = yaml(&list.rollouts[0].files[0].content);
    assert_eq!(config["apiVersion"], "kubeadm.k8s.io/v1beta4");
    assert_eq!(
        config["apiServer"]["extraArgs"],
        json!([
            { "name": ISSUER_FLAG, "value": NEW },
            { "name": ISSUER_FLAG, "value": DEFAULT_ISSUER },
            { "name": JWKS_FLAG, "value": JWKS },
        ])
    );
    for (minor, version) in [(30, "v1beta3"), (31, "v1beta4")] {
        let guide = guide(Some(Distro::Kubeadm), &Wish { minor: Some(minor), ..wish(1) }).unwrap();
        let config = yaml(&guide.rollouts[0].files[0].content);
        assert_eq!(config["apiVersion"], format!("kubeadm.k8s.io/{version}"));
    }
    let map = guide(Some(Distro::Kubeadm), &Wish { minor: Some(30), ..wish(2) }).unwrap();
    for (rollout, first, second) in [(0, DEFAULT_ISSUER, NEW), (1, NEW, DEFAULT_ISSUER)] {
        let files = &map.rollouts[rollout].files;
        assert_eq!(yaml(&files[0].content)["apiServer"]["extraArgs"][ISSUER_FLAG], first);
        assert_eq!(
            yaml(&files[1].content),
            json!([{
                "op": "add",
                "path": "/spec/containers/0/command/-",
                "value": format!("--service-account-issuer={second}"),
            }])
        );
        // kubeadm refuses --patches beside --config.
        let node = yaml(&files[2].content);
        assert_eq!(
            files[1].path,
            format!("{}/kube-apiserver0+json.yaml", node["patches"]["directory"].as_str().unwrap())
        );
    }
}

const CONFIGURATION: &str = r#"
apiServer:
  certSANs: [api.example.com]
  extraArgs:
  - {name: audit-log-maxage, value: "10"}
  - {name: service-account-issuer, value: "https://old.example.com"}
  - {name: service-account-issuer, value: "https://older.example.com"}
  - {name: api-audiences, value: "https://old.example.com"}
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
networking: {dnsDomain: corp.local, serviceSubnet: 10.97.0.0/12}
"#;

#[test]
fn everything_else_of_a_configuration_stays() {
    let wish = Wish { cluster_configuration: Some(CONFIGURATION.into()), ..wish(1) };
    let guide = guide(Some(Distro::Kubeadm), &wish).unwrap();
    assert_eq!(issuers(&guide.rollouts[0]), [NEW, "https://old.example.com", "https://older.example.com"]);
    let (mut have, mut want) = (yaml(&guide.rollouts[0].files[0].content), yaml(CONFIGURATION));
    let args = have["apiServer"]["extraArgs"].as_array().unwrap().clone();
    assert_eq!(args[0], json!({ "name": "audit-log-maxage", "value": "10" }));
    assert_eq!(
        args[1],
        json!({ "name": "api-audiences", "value": "https://old.example.com" }),
        "never touched"
    );
    assert_eq!(args.len(), 6);
    have["apiServer"]["extraArgs"] = Value::Null;
    want["apiServer"]["extraArgs"] = Value::Null;
    assert_eq!(have, want);
    assert!(!guide.rollouts[0].files[0].content.contains("A part"));
}

#[test]
fn a_change_that_was_made_stays_made() {
    let wish = |text: &str, servers| Wish { cluster_configuration: Some(text.to_owned()), ..wish(servers) };
    let first = guide(Some(Distro::Kubeadm), &wish(CONFIGURATION, 1)).unwrap();
    let again = guide(Some(Distro::Kubeadm), &wish(first.rollouts[0].file(), 3)).unwrap();
    assert_eq!(stages(&again), [Stage::Sign], "nobody goes back to signing with the old one");
    assert_eq!(yaml(again.rollouts[0].file()), yaml(first.rollouts[0].file()));
    // A configuration that nobody rolled out yet: tokens of the old issuer are still made.
    let told = Wish { accepted: vec!["https://old.example.com".into()], ..wish(first.rollouts[0].file(), 3) };
    assert_eq!(stages(&guide(Some(Distro::Kubeadm), &told).unwrap()), [Stage::Accept, Stage::Sign]);
    // Between the two rollouts of several servers.
    let accept = guide(Some(Distro::Kubeadm), &wish(CONFIGURATION, 3)).unwrap();
    let sign = guide(Some(Distro::Kubeadm), &wish(accept.rollouts[0].file(), 3)).unwrap();
    assert_eq!(issuers(&sign.rollouts[1]), [NEW, "https://old.example.com", "https://older.example.com"]);
}

#[test]
fn the_old_issuer_is_the_one_that_the_cluster_was_told() {
    let named = Wish { accepted: vec!["https://b.example.com".into(), NEW.into()], ..wish(1) };
    let guide_named = guide(Some(Distro::K3s), &named).unwrap();
    assert_eq!(issuers(&guide_named.rollouts[0]), [NEW, "https://b.example.com"], "each value once");
    let text = "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\nnetworking: {dnsDomain: corp.local}\n";
    let of_domain = Wish { cluster_configuration: Some(text.into()), ..wish(1) };
    let of_domain = guide(Some(Distro::Kubeadm), &of_domain).unwrap();
    assert_eq!(issuers(&of_domain.rollouts[0]), [NEW, "https://kubernetes.default.svc.corp.local"]);
    assert_eq!(of_domain.rollouts[0].files.len(), 3, "a map, so there is a patch");
    // A map does not show what a patch accepts: the cluster's own issuer is not lost when it is done again.
    let again = Wish { cluster_configuration: Some(of_domain.rollouts[0].file().into()), ..wish(3) };
    let again = guide(Some(Distro::Kubeadm), &again).unwrap();
    assert_eq!(
        again.rollouts,
        [Rollout { steps: again.rollouts[0].steps.clone(), ..of_domain.rollouts[0].clone() }]
    );
}

#[test]
fn what_cannot_be_meant() {
    for old in ["a,b", "", "https://a b", "https://a\"b", "https://ü"] {
        let error = guide(Some(Distro::K3s), &Wish { accepted: vec![old.into()], ..wish(1) }).unwrap_err();
        assert_eq!((error.code, error.kind), ("old-issuer", Kind::Usage), "{old}");
    }
    let configurations = [
        "",
        "[",
        "kind: InitConfiguration",
        "kind: ConfigMap\ndata: {ClusterConfiguration: x}",
        "kind: ClusterConfiguration",
        "kind: ClusterConfiguration\napiVersion: kubeadm.k8s.io/v1beta1",
        "kind: ClusterConfiguration\napiVersion: kubeadm.k8s.io/v1beta4\napiServer: 1",
    ];
    for text in configurations {
        let wish = Wish { cluster_configuration: Some(text.into()), ..wish(1) };
        let error = guide(Some(Distro::Kubeadm), &wish).unwrap_err();
        assert_eq!((error.code, error.kind), ("cluster-configuration", Kind::Usage), "{text}");
    }
    let error = guide(Some(Distro::K3s), &Wish { minor: Some(21), ..wish(1) }).unwrap_err();
    assert_eq!(error.code, "distro-too-old");
}

#[test]
fn distributions_are_told_apart() {
    let facts = |version: &str, labels: &[(&str, &str)], configuration: bool| Facts {
        kubelet_versions: vec![version.to_owned()],
        labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        cluster_configuration: configuration.then(|| CONFIGURATION.to_owned()),
    };
    let cases = [
        (facts("v1.36.1+k3s1", &[], false), Detected::Known(Distro::K3s)),
        (
            facts("v1.36.1", &[("node.kubernetes.io/instance-type", "k3s")], false),
            Detected::Known(Distro::K3s),
        ),
        (facts("v1.36.1", &[], true), Detected::Known(Distro::Kubeadm)),
        (facts("v1.36.1+rke2r1", &[], false), Detected::Other("RKE2")),
        (facts("v1.36.1+k0s", &[], false), Detected::Other("k0s")),
        (facts("v1.36.1-eks-abc", &[], false), Detected::Other("EKS")),
        (facts("v1.36.1-gke.100", &[], false), Detected::Other("GKE")),
        (facts("v1.36.1", &[("kubernetes.azure.com/cluster", "x")], false), Detected::Other("AKS")),
        (facts("v1.36.1", &[("minikube.k8s.io/name", "minikube")], true), Detected::Other("minikube")),
        (facts("v1.36.1", &[], false), Detected::Unknown),
        (Facts::default(), Detected::Unknown),
    ];
    for (facts, detected) in cases {
        assert_eq!(detect(&facts), detected, "{facts:?}");
    }
}
