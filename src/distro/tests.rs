//! The change, by value. The real kubeadm and kube-apiserver judge it in tests/real.

use serde_json::{Value, json};

use super::{old_issuer::CHECK, *};
use crate::error::{Code, Kind};

const NEW: &str = "https://oidc.lab.test/prod";
const JWKS: &str = "https://oidc.lab.test/prod/openid/v1/jwks";
const DEFAULT_ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

fn change(servers: usize) -> IssuerChange {
    IssuerChange {
        issuer: NEW.parse().unwrap(),
        jwks_uri: Some(JWKS.to_owned()),
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

fn stages(told: &Instructions) -> Vec<Stage> {
    told.rollouts.iter().map(|rollout| rollout.stage).collect()
}

#[test]
fn single_server_signs_keeping_old_issuer() {
    for distro in [&k3s::K3S, &kubeadm::DISTRIBUTION] {
        let told = instructions(Some(distro), &change(1)).unwrap();
        assert_eq!(stages(&told), [Stage::Sign]);
        assert_eq!(issuers(&told.rollouts[0]), [NEW, DEFAULT_ISSUER]);
        let last = told.rollouts[0].flags.last().unwrap();
        assert_eq!((last.name, last.value.as_str()), (JWKS_FLAG, JWKS));
    }
}

#[test]
fn several_servers_accept_before_one_signs() {
    for distro in [&k3s::K3S, &kubeadm::DISTRIBUTION] {
        let told = instructions(Some(distro), &change(3)).unwrap();
        assert_eq!(stages(&told), [Stage::Accept, Stage::Sign]);
        assert_eq!(issuers(&told.rollouts[0]), [DEFAULT_ISSUER, NEW]);
        // The document of a server that signs as before must not name the new key set.
        assert!(told.rollouts[0].flags.iter().all(|flag| flag.name == ISSUER_FLAG));
        assert_eq!(issuers(&told.rollouts[1]), [NEW, DEFAULT_ISSUER]);
        assert_eq!(told.rollout(None).unwrap().stage, Stage::Accept, "the first is the safe one");
        assert_eq!(told.rollout(Some(Stage::Sign)).unwrap().stage, Stage::Sign);
    }
    assert!(instructions(Some(&k3s::K3S), &change(1)).unwrap().rollout(Some(Stage::Accept)).is_none());
}

#[test]
fn unknown_distribution_gets_plain_flags() {
    let told = instructions(None, &change(2)).unwrap();
    assert_eq!(stages(&told), [Stage::Accept, Stage::Sign]);
    let text = told.to_text();
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
fn k3s_gets_list_in_settings_file() {
    let told = instructions(Some(&k3s::K3S), &change(1)).unwrap();
    let file = &told.rollouts[0].files[0];
    assert_eq!(file.path, "/etc/rancher/k3s/config.yaml");
    assert_eq!(
        yaml(&file.content),
        json!({ "kube-apiserver-arg": [
            format!("service-account-issuer={NEW}"),
            format!("service-account-issuer={DEFAULT_ISSUER}"),
            format!("service-account-jwks-uri={JWKS}"),
        ]})
    );
    let text = told.to_text();
    let most = [
        "systemctl restart k3s",
        "kube-apiserver-arg+",
        "--api-audiences",
        "keyless render issuer --distro k3s",
    ];
    for part in most {
        assert!(text.contains(part), "{part} is missing in\n{text}");
    }
    let all = told.messages(Stage::Sign);
    for part in
        ["systemctl restart k3s", "service-account-issuer-=", "kube-apiserver-arg+", "keyless publish"]
    {
        assert!(all.contains(part), "{part} is missing in\n{all}");
    }
}

#[test]
fn kubeadm_form_follows_kubernetes_version() {
    let list = instructions(Some(&kubeadm::DISTRIBUTION), &change(1)).unwrap();
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
        let told =
            instructions(Some(&kubeadm::DISTRIBUTION), &IssuerChange { minor: Some(minor), ..change(1) })
                .unwrap();
        let config = yaml(&told.rollouts[0].files[0].content);
        assert_eq!(config["apiVersion"], format!("kubeadm.k8s.io/{version}"));
    }
    let map =
        instructions(Some(&kubeadm::DISTRIBUTION), &IssuerChange { minor: Some(30), ..change(2) }).unwrap();
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
    let changed = IssuerChange { cluster_configuration: Some(CONFIGURATION.into()), ..change(1) };
    let told = instructions(Some(&kubeadm::DISTRIBUTION), &changed).unwrap();
    assert_eq!(issuers(&told.rollouts[0]), [NEW, "https://old.example.com", "https://older.example.com"]);
    let (mut have, mut want) = (yaml(&told.rollouts[0].files[0].content), yaml(CONFIGURATION));
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
    assert!(!told.rollouts[0].files[0].content.contains("A part"));
}

#[test]
fn finished_change_is_not_reverted() {
    let changed = |text: &str, servers| IssuerChange {
        cluster_configuration: Some(text.to_owned()),
        ..change(servers)
    };
    let first = instructions(Some(&kubeadm::DISTRIBUTION), &changed(CONFIGURATION, 1)).unwrap();
    let again = instructions(Some(&kubeadm::DISTRIBUTION), &changed(first.rollouts[0].file(), 3)).unwrap();
    assert_eq!(stages(&again), [Stage::Sign], "no server goes back to signing with the old one");
    assert_eq!(yaml(again.rollouts[0].file()), yaml(first.rollouts[0].file()));
    // A configuration that is not rolled out yet: tokens of the old issuer are still made.
    let told = IssuerChange {
        accepted: vec!["https://old.example.com".parse().unwrap()],
        ..changed(first.rollouts[0].file(), 3)
    };
    assert_eq!(
        stages(&instructions(Some(&kubeadm::DISTRIBUTION), &told).unwrap()),
        [Stage::Accept, Stage::Sign]
    );
    // Between the two rollouts of several servers.
    let accept = instructions(Some(&kubeadm::DISTRIBUTION), &changed(CONFIGURATION, 3)).unwrap();
    let sign = instructions(Some(&kubeadm::DISTRIBUTION), &changed(accept.rollouts[0].file(), 3)).unwrap();
    assert_eq!(issuers(&sign.rollouts[1]), [NEW, "https://old.example.com", "https://older.example.com"]);
}

#[test]
fn old_issuer_comes_from_the_cluster() {
    let named = IssuerChange {
        accepted: vec!["https://b.example.com".parse().unwrap(), NEW.parse().unwrap()],
        ..change(1)
    };
    let told_named = instructions(Some(&k3s::K3S), &named).unwrap();
    assert_eq!(issuers(&told_named.rollouts[0]), [NEW, "https://b.example.com"], "each value once");
    let text = "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\nnetworking: {dnsDomain: corp.local}\n";
    let of_domain = IssuerChange { cluster_configuration: Some(text.into()), ..change(1) };
    let of_domain = instructions(Some(&kubeadm::DISTRIBUTION), &of_domain).unwrap();
    assert_eq!(issuers(&of_domain.rollouts[0]), [NEW, "https://kubernetes.default.svc.corp.local"]);
    assert_eq!(of_domain.rollouts[0].files.len(), 3, "a map, so there is a patch");
    // A map does not show what a patch accepts: the cluster's own issuer is not lost when it is done again.
    let again =
        IssuerChange { cluster_configuration: Some(of_domain.rollouts[0].file().into()), ..change(3) };
    let again = instructions(Some(&kubeadm::DISTRIBUTION), &again).unwrap();
    assert_eq!(
        again.rollouts,
        [Rollout { steps: again.rollouts[0].steps.clone(), ..of_domain.rollouts[0].clone() }]
    );
}

#[test]
fn what_cannot_be_meant() {
    for old in ["a,b", "", "https://a b", "https://a\"b", "https://ü"] {
        let error = old_issuer(old).unwrap_err();
        assert_eq!((error.code, error.kind), (Code::OldIssuer, Kind::Usage), "{old}");
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
        let changed = IssuerChange { cluster_configuration: Some(text.into()), ..change(1) };
        let error = instructions(Some(&kubeadm::DISTRIBUTION), &changed).unwrap_err();
        assert_eq!((error.code, error.kind), (Code::ClusterConfiguration, Kind::Usage), "{text}");
    }
    let error = instructions(Some(&k3s::K3S), &IssuerChange { minor: Some(21), ..change(1) }).unwrap_err();
    assert_eq!(error.code, Code::DistroTooOld);
}

fn codes(told: &Instructions) -> Vec<Code> {
    told.warnings.iter().map(|warning| warning.code).collect()
}

#[test]
fn assumed_old_issuer_is_marked() {
    for distro in [&k3s::K3S, &kubeadm::DISTRIBUTION] {
        for servers in [1, 3] {
            let told = instructions(Some(distro), &change(servers)).unwrap();
            assert_eq!(codes(&told), [Code::OldIssuerAssumed]);
            assert!(told.warnings[0].message.contains(DEFAULT_ISSUER), "{:?}", told.warnings);
            for rollout in &told.rollouts {
                let messages = told.messages(rollout.stage);
                for command in CHECK {
                    assert!(rollout.file().contains(&format!("#   {command}\n")), "{}", rollout.file());
                    assert!(messages.contains(&format!("$ {command}\n")), "{messages}");
                }
                assert!(rollout.file().contains("is ASSUMED"), "{}", rollout.file());
                // Run as it is shown, a command must not turn an assumption into a fact.
                assert!(!messages.contains(&format!("--old-issuer {DEFAULT_ISSUER}")), "{messages}");
            }
        }
        let told = IssuerChange { accepted: vec![DEFAULT_ISSUER.parse().unwrap()], ..change(1) };
        let told = instructions(Some(distro), &told).unwrap();
        assert_eq!((codes(&told).len(), &told.unproven), (0, &None), "it was told");
        assert!(!told.rollouts[0].file().contains("ASSUMED"));
        // The new issuer alone says nothing of the old one.
        let only_new = IssuerChange { accepted: vec![NEW.parse().unwrap()], ..change(1) };
        assert_eq!(codes(&instructions(Some(distro), &only_new).unwrap()), [Code::OldIssuerAssumed]);
    }
}

#[test]
fn old_issuer_of_configuration_is_marked() {
    let text = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n";
    for (text, issuer, code) in [
        (
            CONFIGURATION.replace("api-audiences", "audit-log-maxbackup"),
            "https://old.example.com",
            Code::OldIssuerUnproven,
        ),
        (
            format!("{text}networking: {{dnsDomain: corp.local}}\n"),
            "https://kubernetes.default.svc.corp.local",
            Code::OldIssuerUnproven,
        ),
        (format!("{text}networking: {{dnsDomain: \"\"}}\n"), DEFAULT_ISSUER, Code::OldIssuerAssumed),
        (text.to_owned(), DEFAULT_ISSUER, Code::OldIssuerAssumed),
    ] {
        let changed = IssuerChange { cluster_configuration: Some(text.clone()), ..change(2) };
        let told = instructions(Some(&kubeadm::DISTRIBUTION), &changed).unwrap();
        assert_eq!(codes(&told), [code], "{text}");
        assert_eq!(told.unproven.as_ref().unwrap().issuer, issuer);
        assert_eq!(issuers(&told.rollouts[0])[0], issuer);
        assert!(told.rollouts[0].file().contains(CHECK[0]));
        assert_eq!(yaml(told.rollouts[0].file())["kind"], "ClusterConfiguration", "comments do not harm");
    }
}

#[test]
fn pinned_audiences_are_warned_of() {
    let list = |value: &str| {
        format!(
            "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nnetworking: {{dnsDomain: cluster.local}}\n\
             apiServer: {{extraArgs: [{{name: api-audiences, value: \"{value}\"}}]}}\n"
        )
    };
    let map = "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\napiServer: {extraArgs: {api-audiences: \"x,y\"}}\n";
    for (text, audiences, missing) in [
        (list(&format!("{DEFAULT_ISSUER},k3s")), "k3s", false),
        (list(NEW), NEW, true),
        (list("x"), "x", true),
        (map.to_owned(), "x,y", true),
    ] {
        let changed = IssuerChange { cluster_configuration: Some(text.clone()), ..change(3) };
        let told = instructions(Some(&kubeadm::DISTRIBUTION), &changed).unwrap();
        let warning = told.warnings.iter().find(|it| it.code == Code::ApiAudiencesPinned).expect(&text);
        assert!(warning.message.contains(audiences), "{warning:?}");
        assert_eq!(warning.message.contains("is not among them"), missing, "{warning:?}");
        // Nor is `aud` what shows that both issuers are accepted.
        assert!(!told.rollouts[0].steps.iter().any(|step| step.commands.iter().any(|it| it.contains("aud"))));
    }
    let without = instructions(Some(&kubeadm::DISTRIBUTION), &change(3)).unwrap();
    assert!(!codes(&without).contains(&Code::ApiAudiencesPinned));
}

#[test]
fn unpublished_issuer_has_no_key_set() {
    let changed = IssuerChange {
        issuer: "https://10.5.0.2:6443/".parse().unwrap(),
        jwks_uri: None,
        accepted: vec!["https://10.5.0.3:6443".parse().unwrap(), "api".parse().unwrap()],
        ..change(2)
    };
    for distro in [Some(&k3s::K3S), Some(&kubeadm::DISTRIBUTION), None] {
        let told = instructions(distro, &changed).unwrap();
        assert_eq!(issuers(&told.rollouts[1]), ["https://10.5.0.2:6443/", "https://10.5.0.3:6443", "api"]);
        assert!(told.rollouts.iter().flat_map(|it| &it.flags).all(|flag| flag.name == ISSUER_FLAG));
        assert!(!told.to_text().contains("keyless publish"), "{}", told.to_text());
    }
}

#[test]
fn signed_issuer_is_kept_exactly() {
    let lines = include_str!("../../fixtures/issuers/signed.txt").lines();
    for line in lines.filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let old: String = serde_json::from_str(line).unwrap();
        let changed = IssuerChange { accepted: vec![old.parse().unwrap()], ..change(2) };
        let k3s = instructions(Some(&k3s::K3S), &changed).unwrap();
        let args = &yaml(k3s.rollouts[0].file())["kube-apiserver-arg"];
        assert_eq!(args[0], format!("service-account-issuer={old}"), "{line}");
        let kubeadm = instructions(Some(&kubeadm::DISTRIBUTION), &changed).unwrap();
        let args = &yaml(kubeadm.rollouts[0].file())["apiServer"]["extraArgs"];
        assert_eq!(args[0]["value"], old, "{line}");
        let flags = instructions(None, &changed).unwrap();
        let quoted = shell::quote(&format!("--{ISSUER_FLAG}={old}"));
        assert!(flags.rollouts[0].steps[0].what.contains(&quoted), "{line}");
    }
}
