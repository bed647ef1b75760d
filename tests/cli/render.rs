//! What is written for an administrator: stdout is a file, stderr is talk, and nobody is asked.

use std::process::Command;

use serde_json::Value;

use crate::world::Ran;

const ISSUER: &str = "https://oidc.lab.test/prod";

/// In an empty folder, and with no way to anywhere.
fn render(arguments: &[&str]) -> Ran {
    let dir = tempfile::TempDir::new().unwrap();
    std::fs::write(
        dir.path().join("now.yaml"),
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: v1.36.3\n",
    )
    .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyless"));
    command.args(["render", "issuer"]).args(arguments).current_dir(dir.path()).env_clear();
    command.env("HTTPS_PROXY", "http://127.0.0.1:1").output().unwrap().into()
}

#[test]
fn the_file_alone_is_on_stdout() {
    let ran = render(&["--distro", "k3s", "--issuer", ISSUER]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let lines: Vec<_> = ran.out.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        lines,
        [
            "kube-apiserver-arg:",
            "- \"service-account-issuer=https://oidc.lab.test/prod\"",
            "- \"service-account-issuer=https://kubernetes.default.svc.cluster.local\"",
            "- \"service-account-jwks-uri=https://oidc.lab.test/prod/openid/v1/jwks\"",
        ]
    );
    assert!(ran.err.contains("systemctl restart k3s"), "{ran:?}");
}

#[test]
fn several_servers_get_the_first_rollout_unless_told() {
    let arguments =
        ["--distro", "kubeadm", "--issuer", ISSUER, "--servers", "3", "--cluster-configuration", "now.yaml"];
    let accept = render(&arguments);
    let sign = render(&[&arguments[..], &["--stage", "sign"]].concat());
    assert_eq!((accept.code, sign.code), (Some(0), Some(0)), "{accept:?} {sign:?}");
    assert!(accept.err.contains("rollout 1 of 2") && sign.err.contains("rollout 2 of 2"));
    let first = |ran: &Ran| ran.out.find(ISSUER) < ran.out.find("https://kubernetes.default.svc");
    assert!(!first(&accept) && first(&sign), "{accept:?} {sign:?}");
    assert!(sign.out.contains("kubernetesVersion: v1.36.3"), "the cluster's own settings stay: {sign:?}");
}

#[test]
fn the_whole_of_it_is_json_for_scripts() {
    let ran = render(&[
        "--distro",
        "kubeadm",
        "--issuer",
        ISSUER,
        "--old-issuer",
        "https://old.lab.test",
        "-o",
        "json",
    ]);
    let result: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(result["command"], "render");
    let flags = &result["guide"]["rollouts"][0]["flags"];
    assert_eq!(flags[0]["value"], ISSUER);
    assert_eq!(flags[1]["value"], "https://old.lab.test");
}

#[test]
fn what_cannot_be_meant() {
    let cases: [(&str, &[&str]); 6] = [
        ("issuer-missing", &["--distro", "k3s"]),
        ("issuer-not-https", &["--distro", "k3s", "--issuer", "http://oidc.lab.test"]),
        ("old-issuer", &["--distro", "k3s", "--issuer", ISSUER, "--old-issuer", "a,b"]),
        ("stage", &["--distro", "k3s", "--issuer", ISSUER, "--stage", "accept"]),
        (
            "cluster-configuration",
            &["--distro", "kubeadm", "--issuer", ISSUER, "--cluster-configuration", "none"],
        ),
        ("--kubernetes-version", &["--distro", "k3s", "--issuer", ISSUER, "--kubernetes-version", "2.0"]),
    ];
    for (code, arguments) in cases {
        let ran = render(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
        assert!(ran.err.contains(code), "{code} is missing in {ran:?}");
    }
}
