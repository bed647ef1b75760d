//! What is written for an administrator: stdout is a file, stderr is messages, and no question is asked.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use serde_json::{Value, json};

use crate::{
    estate::Estate,
    world::{ISSUER, Ran},
};

/// In an empty folder, and with no way to anywhere.
fn render(arguments: &[&str]) -> Ran {
    let dir = tempfile::TempDir::new().unwrap();
    fs::write(
        dir.path().join("now.yaml"),
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: v1.36.3\n",
    )
    .unwrap();
    fs::write(
        dir.path().join("domain.yaml"),
        "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nnetworking: {dnsDomain: corp.local}\n\
         apiServer: {extraArgs: [{name: api-audiences, value: 'https://kubernetes.default.svc.corp.local'}]}\n",
    )
    .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyless"));
    command.args(["render", "issuer"]).args(arguments).current_dir(dir.path()).env_clear();
    Ran::of(command.env("HTTPS_PROXY", "http://127.0.0.1:1"))
}

#[test]
fn the_file_alone_is_on_stdout() {
    let ran = render(&["--distro", "k3s", "--issuer", ISSUER]).snapshot("render-issuer-k3s");
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
fn several_servers_get_accept_rollout_first() {
    let arguments =
        ["--distro", "kubeadm", "--issuer", ISSUER, "--servers", "3", "--cluster-configuration", "now.yaml"];
    let accept = render(&arguments).snapshot("render-issuer-kubeadm-accept");
    let sign =
        render(&[&arguments[..], &["--stage", "sign"]].concat()).snapshot("render-issuer-kubeadm-sign");
    assert_eq!((accept.code, sign.code), (Some(0), Some(0)), "{accept:?} {sign:?}");
    assert!(accept.err.contains("rollout 1 of 2") && sign.err.contains("rollout 2 of 2"));
    let first = |ran: &Ran| ran.out.find(ISSUER) < ran.out.find("https://kubernetes.default.svc");
    assert!(!first(&accept) && first(&sign), "{accept:?} {sign:?}");
    assert!(sign.out.contains("kubernetesVersion: v1.36.3"), "the cluster's own settings stay: {sign:?}");
}

#[test]
fn unproven_old_issuer_is_marked() {
    for distro in ["k3s", "kubeadm"] {
        let ran = render(&["--distro", distro, "--issuer", ISSUER]).ends(0);
        for (stream, name) in [(&ran.out, "file"), (&ran.err, "messages")] {
            for told in [
                "ASSUMED",
                "kubectl get --raw /.well-known/openid-configuration",
                "kubectl create token default",
            ] {
                assert!(stream.contains(told), "{distro}: `{told}` is not in the {name}: {ran:?}");
            }
        }
        assert!(ran.err.contains("warning[old-issuer-assumed]"), "{ran:?}");
        let told = render(&["--distro", distro, "--issuer", ISSUER, "--old-issuer", "https://10.5.0.2:6443"])
            .ends(0);
        assert!(!format!("{}{}", told.out, told.err).contains("ASSUMED"), "{told:?}");
        assert!(
            told.out.contains("https://10.5.0.2:6443") && !told.out.contains("kubernetes.default"),
            "{told:?}"
        );
        let json = render(&["--distro", distro, "--issuer", ISSUER, "-o", "json"]).ends(0).json();
        assert_eq!(json["guide"]["unproven"]["basis"], "assumed");
        assert_eq!(json["warnings"][0]["code"], "old-issuer-assumed");
    }
    let ran = render(&["--distro", "kubeadm", "--issuer", ISSUER, "--cluster-configuration", "domain.yaml"])
        .ends(0);
    assert!(
        ran.err.contains("warning[old-issuer-unproven]") && ran.err.contains("warning[api-audiences-pinned]"),
        "{ran:?}"
    );
    assert!(ran.out.contains("https://kubernetes.default.svc.corp.local"), "{ran:?}");
}

/// The commands that are shown, run on tokens of every length: what `base64` says of the padding does not matter.
#[test]
fn check_command_reads_token_issuer() {
    let ran = render(&["--distro", "k3s", "--issuer", ISSUER]).ends(0);
    let command = ran.err.lines().find(|line| line.contains("kubectl create token")).unwrap();
    let command = command.trim().trim_start_matches("$ ");
    let dir = tempfile::TempDir::new().unwrap();
    let key = lab::SigningKey::ec(lab::Curve::P256);
    for issuer in
        ["https://kubernetes.default.svc.corp.local", "https://10.5.0.2:6443", "https://a.example/??>>~~"]
    {
        for length in 0..8 {
            let claims = json!({"aud": ["x"], "exp": 2, "iat": 1, "iss": issuer, "sub": "s".repeat(length)});
            let fake = dir.path().join("kubectl");
            fs::write(&fake, format!("#!/bin/sh\necho '{}'\n", key.jws(&claims))).unwrap();
            fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
            let path = format!("{}:/usr/bin:/bin", dir.path().display());
            let read: Ran =
                Command::new("sh").args(["-c", command]).env("PATH", path).output().unwrap().into();
            assert_eq!(read.out.trim(), format!("\"iss\":\"{issuer}\""), "{length}: {read:?}");
        }
    }
}

#[test]
fn rendered_guide_is_available_as_json() {
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

const STORE_FILE: &str = "clustersecretstore-gcp.yaml";
const AUDIENCE: &str = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/keyless-lab/providers/cluster";

/// The settings of a platform that has both providers. No server listens at this Vault's address: it must not be asked.
fn settings(estate: &Estate, project: &str) {
    let text = format!(
        "apiVersion: keyless/v1\nprovider: google\ngoogle: {{project: {project}, pool: keyless-lab}}\n\
         vault: {{address: \"https://127.0.0.1:1\", mode: static-keys}}\nstore: {{name: gcp}}\n"
    );
    fs::write(estate.world.dir.path().join("keyless.yaml"), text).unwrap();
    estate.names_settings();
}

/// Every file of a folder, as an object.
fn tree(folder: &Path) -> BTreeMap<String, Value> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let read = |path| serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    files.map(|file| (file.file_name().into_string().unwrap(), read(file.path()))).collect()
}

/// What was asked so far, at the cluster and at Google, that is not a mere reading.
fn written(estate: &Estate) -> Vec<String> {
    let cluster = estate.world.cluster.server(0).faults().requests();
    let google = estate.google.faults().requests();
    let other = cluster.iter().chain(&google).filter(|call| call.method != "GET" && call.method != "CONNECT");
    other.map(|call| format!("{} {}", call.method, call.path)).collect()
}

#[test]
fn provider_trees_differ_only_in_store() {
    let estate = Estate::new();
    settings(&estate, "acme-prod");
    for folder in ["google", "vault"] {
        estate.run(&["render", "store", "--to", folder, "--folder", folder]).ends(0);
    }
    let stream = estate.run(&["render", "store"]).ends(0);
    assert_eq!(written(&estate), Vec::<String>::new());

    let folder = |name: &str| tree(&estate.world.dir.path().join(name));
    let (google, vault) = (folder("google"), folder("vault"));
    let names: Vec<_> = google.keys().map(String::as_str).collect();
    let others = ["role-keyless-mint-keyless-gcp.yaml", "rolebinding-keyless-mint-keyless-gcp.yaml"];
    assert_eq!(names, [STORE_FILE, others[0], others[1], "serviceaccount-keyless-gcp.yaml"]);
    assert!(google.keys().eq(vault.keys()));
    let differ: Vec<_> = google.keys().filter(|name| google[*name] != vault[*name]).collect();
    assert_eq!(differ, [STORE_FILE]);
    let spec = |tree: &BTreeMap<String, Value>| tree[STORE_FILE]["spec"].clone();
    assert_eq!(
        spec(&google)["provider"]["gcpsm"]["auth"]["workloadIdentityFederation"]["audience"],
        AUDIENCE
    );
    assert_eq!(spec(&vault)["provider"]["vault"]["auth"]["jwt"]["role"], "external-secrets");
    for tree in [&google, &vault] {
        assert_eq!(spec(tree)["conditions"], estate.store()["spec"]["conditions"], "who may use it stays");
    }
    // The stream holds the same, in the order in which it can be applied.
    let objects: Vec<Value> = serde_saphyr::from_multiple(&stream.out).unwrap();
    assert_eq!(objects.len(), 4);
    assert_eq!(objects[0]["kind"], "ServiceAccount");
    assert_eq!(objects[3], google[STORE_FILE]);
    let result = estate.run(&["render", "store", "-o", "json"]).ends(0).json();
    assert_eq!(result["objects"], json!(objects));
}

#[test]
fn rendered_and_applied_objects_satisfy_setup() {
    let estate = Estate::new();
    settings(&estate, "acme-prod");
    estate.run(&["render", "store", "--folder", "tree"]).ends(0);
    let cluster = &estate.world.cluster;
    for object in tree(&estate.world.dir.path().join("tree")).into_values() {
        cluster.put_object(object);
    }
    let planned = estate.run(&["setup", "--dry-run", "-o", "json"]).ends(1).json();
    let steps = planned["plan"]["steps"].as_array().unwrap().iter();
    let objects: Vec<_> = steps.filter(|step| step["target"] == "cluster-object").collect();
    assert_eq!(objects.len(), 4);
    for object in objects {
        assert_eq!(object["action"], "no-op", "{object:#}");
    }
    // Nothing says which Secret the store used before: the administrator who applied the files names it.
    let retire = ["setup", "--yes", "--watch-for", "0s", "--retire-key"];
    let secret = "external-secrets/gcp-key/key.json";
    estate.run(&retire).ends(0).says("--replaced NAMESPACE/SECRET");
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (Some(false), true));
    estate.run(&[&retire[..], &["--replaced", secret]].concat()).ends(0);
    assert_eq!((estate.key_disabled(), estate.secret_is_there()), (None, false));
}

#[test]
fn known_values_need_no_google_request() {
    let estate = Estate::new();
    settings(&estate, "acme-prod");
    estate.run(&["setup", "--yes", "--watch-for", "0s"]).ends(0);
    let asked = estate.google.faults().requests().len();
    let by_name = estate.run(&["render", "store"]).ends(0).out;
    settings(&estate, "\"123456789012\"");
    assert_eq!(estate.run(&["render", "store"]).ends(0).out, by_name, "the number says the same");
    estate.run(&["render", "credentials"]).ends(0);
    assert_eq!(estate.google.faults().requests().len(), asked);
    // And so Google may be out of reach.
    let mut offline = estate.world.command(&["render", "store"]);
    let offline: Ran = offline.env("GOOGLE_OAUTH_ACCESS_TOKEN", "x").output().unwrap().into();
    assert_eq!(offline.ends(0).out, by_name);
}

#[test]
fn render_warns_of_unportable_objects() {
    let estate = Estate::new();
    settings(&estate, "acme-prod");
    estate.world.cluster.put_object(json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": "raw", "namespace": "shop"},
        "spec": {"secretStoreRef": {"name": "gcp", "kind": "ClusterSecretStore"}, "target": {"name": "raw"},
            "data": [{"secretKey": "raw", "remoteRef": {"key": "db"}}]}}));
    let ran = estate.run(&["render", "store", "--to", "vault"]).ends(0).snapshot("render-store-vault");
    assert!(ran.err.contains("warning[not-portable]: ExternalSecret shop/raw"), "{}", ran.err);
    let ran = estate.run(&["render", "store", "--to", "google"]).ends(0).snapshot("render-store-google");
    assert!(!ran.err.contains("not-portable"), "{}", ran.err);
}

#[test]
fn credential_file_is_rendered_offline() {
    let estate = Estate::new();
    settings(&estate, "\"123456789012\"");
    let arguments = ["render", "credentials", "--no-cluster", "--token-file", "/var/run/lab/token"];
    let file = Ran::of(&mut estate.world.command(&arguments)).ends(0).snapshot("render-credentials");
    assert_eq!(
        file.json(),
        json!({
            "universe_domain": "googleapis.com",
            "type": "external_account",
            "audience": AUDIENCE,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": {"file": "/var/run/lab/token", "format": {"type": "text"}},
            "token_info_url": "https://sts.googleapis.com/v1/introspect",
        })
    );
    for told in [
        &format!("audience: https:{AUDIENCE}"),
        "expirationSeconds: 3600",
        "mountPath: /var/run/lab",
        "path: token",
        "gcloud auth login --cred-file",
    ] {
        assert!(file.err.contains(told), "{told} is not in\n{}", file.err);
    }
    assert!(estate.google.faults().requests().is_empty());
    assert!(estate.world.cluster.server(0).faults().requests().is_empty());
}

#[test]
fn credential_file_defaults_follow_the_cluster() {
    let estate = Estate::new();
    let file = estate.run(&["render", "credentials"]).ends(0).json();
    let audience = file["audience"].as_str().unwrap();
    assert!(audience.starts_with("//iam.googleapis.com/projects/123456789012/"), "{audience}");
    assert!(audience.contains("workloadIdentityPools/keyless-"), "{audience}");
    assert_eq!(file["credential_source"]["file"], "/var/run/service-account/token");
    assert_eq!(written(&estate), Vec::<String>::new());
    let nothing: Ran =
        estate.world.command(&["render", "credentials", "--no-cluster"]).output().unwrap().into();
    nothing.fails(2, "setting-missing", &["google.project", "google.pool"]);
    estate.run(&["render", "store", "--no-cluster"]).ends(2).says("has no use for --no-cluster");
    estate.settings("cluster: {enabled: false}");
    estate.run(&["render", "store"]).fails(2, "cluster-needed", &["cluster.enabled"]);
}
