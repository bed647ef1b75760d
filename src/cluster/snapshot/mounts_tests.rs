use serde_json::{Value, json};

use super::{super::container::Container, *};

/// The container `eso` of a pod with these volumes and mounts, beside another container with `others`.
fn container(volumes: Value, mounts: Value, others: Value) -> Container {
    let pod = json!({
        "volumes": volumes,
        "containers": [{"name": "eso", "volumeMounts": mounts}],
        "initContainers": [{"name": "fill", "volumeMounts": others}],
    });
    Container::of("ns", &pod["containers"][0], &pod)
}

fn one(volume: Value, mount: Value) -> Container {
    let (mut volume, mut mount) = (volume, mount);
    volume["name"] = json!("v");
    mount["name"] = json!("v");
    container(json!([volume]), json!([mount]), json!([]))
}

fn secret(key: &str) -> Source {
    Source::Secret(SecretKey { namespace: "ns".into(), name: "s".into(), key: Some(key.into()) })
}

#[test]
fn token_file_needs_a_projected_source() {
    let token = json!({"serviceAccountToken": {"path": "token", "audience": "a", "expirationSeconds": 3600}});
    let projected = |sources: Value| json!({"projected": {"sources": sources, "defaultMode": 292}});
    let all = json!({"secret": {"name": "s"}});
    let at = json!({"mountPath": "/var/run/aws/"});
    for (volume, mount, file, wanted) in [
        (projected(json!([token])), at.clone(), "/var/run/aws/token", Some(Source::Token)),
        (projected(json!([token])), at.clone(), "/run/aws/../aws/./token", Some(Source::Token)),
        (
            projected(json!([token])),
            json!({"mountPath": "/t", "subPath": "token"}),
            "/t",
            Some(Source::Token),
        ),
        (projected(json!([all, token])), at.clone(), "/var/run/aws/token", Some(Source::Token)),
        (projected(json!([token, all])), at.clone(), "/var/run/aws/token", Some(secret("token"))),
        (
            projected(json!([token, {"secret": {"name": "s", "items": [{"key": "k", "path": "token"}]}}])),
            at.clone(),
            "/var/run/aws/token",
            Some(secret("k")),
        ),
        (projected(json!([token])), at.clone(), "/var/run/aws/other", None),
        (projected(json!([token])), at.clone(), "/var/run/aws", None),
        (projected(json!([token])), json!({"mountPath": "/t", "subPathExpr": "$(A)"}), "/t/token", None),
        (projected(json!([token, {"brandNew": {}}])), at.clone(), "/var/run/aws/token", None),
        (json!({"secret": {"secretName": "s"}}), at.clone(), "/var/run/aws/token", Some(secret("token"))),
        (
            json!({"secret": {"secretName": "s"}}),
            at.clone(),
            "/var/run/aws/..data/token",
            Some(secret("token")),
        ),
        (
            json!({"secret": {"secretName": "s"}}),
            json!({"mountPath": "/t/token", "subPath": "k"}),
            "/t/token",
            Some(secret("k")),
        ),
        (
            json!({"secret": {"secretName": "s", "items": [{"key": "k", "path": "a/token"}]}}),
            at.clone(),
            "/var/run/aws/a/token",
            Some(secret("k")),
        ),
        (
            json!({"secret": {"secretName": "s", "items": [{"key": "k", "path": "x"}]}}),
            at.clone(),
            "/var/run/aws/k",
            None,
        ),
        (json!({"secret": {"secretName": "s", "items": 3}}), at.clone(), "/var/run/aws/k", None),
        (json!({"emptyDir": {}}), at.clone(), "/var/run/aws/token", None),
        (json!({"hostPath": {"path": "/x"}}), at.clone(), "/var/run/aws/token", None),
        (json!({"csi": {"driver": "x"}}), at.clone(), "/var/run/aws/token", None),
        (
            json!({"secret": {"secretName": "s"}, "projected": {"sources": [token]}}),
            at.clone(),
            "/var/run/aws/token",
            None,
        ),
    ] {
        let found = one(volume.clone(), mount.clone()).file(file);
        match wanted {
            Some(wanted) => assert_eq!(found, wanted, "{volume} {mount} {file}"),
            None => assert!(matches!(found, Source::Elsewhere(_)), "{volume} {mount} {file}: {found:?}"),
        }
    }
}

#[test]
fn own_token_counts_unless_mounted_over() {
    let nothing = container(json!([]), json!([]), json!([]));
    assert_eq!(nothing.file(OWN_TOKEN), Source::Token);
    assert_eq!(nothing.file("/run/secrets/kubernetes.io/serviceaccount/token"), Source::Token);
    assert!(matches!(nothing.file("/etc/token"), Source::Elsewhere(_)));
    assert!(matches!(nothing.file("token"), Source::Elsewhere(_)));
    for path in
        ["/var/run/secrets/kubernetes.io/serviceaccount", "/run/secrets/kubernetes.io", "/var/run/secrets/"]
    {
        let legacy = one(json!({"hostPath": {"path": "/x"}}), json!({"mountPath": path}));
        assert!(matches!(legacy.file(OWN_TOKEN), Source::Elsewhere(_)), "{path}");
    }
    let legacy = one(
        json!({"secret": {"secretName": "s"}}),
        json!({"mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}),
    );
    assert_eq!(legacy.file(OWN_TOKEN), secret("token"));
}

#[test]
fn nearest_mount_holds_file() {
    let token = json!({"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}});
    let volumes = json!([token, {"name": "s", "secret": {"secretName": "s"}}]);
    for (mounts, wanted) in [
        (json!([{"name": "s", "mountPath": "/a"}, {"name": "t", "mountPath": "/a/b"}]), Source::Token),
        (
            json!([{"name": "t", "mountPath": "/a/b"}, {"name": "s", "mountPath": "/a/b/token", "subPath": "k"}]),
            secret("k"),
        ),
        (json!([{"name": "t", "mountPath": "/"}, {"name": "s", "mountPath": "/a/b"}]), secret("token")),
    ] {
        assert_eq!(
            container(volumes.clone(), mounts.clone(), json!([])).file("/a/b/token"),
            wanted,
            "{mounts}"
        );
    }
}

#[test]
fn libraries_own_places_are_found() {
    let items = |path: &str| json!({"secret": {"secretName": "s", "items": [{"key": "k", "path": path}]}});
    let all = json!({"secret": {"secretName": "s"}});
    let host = json!({"hostPath": {"path": "/x"}});
    for (volume, mount) in [
        (items(".aws/credentials"), json!({"mountPath": "/root"})),
        (items(".aws/credentials"), json!({"mountPath": "/srv/anywhere"})),
        (items("credentials"), json!({"mountPath": "/root/.aws"})),
        (all.clone(), json!({"mountPath": "/home/nonroot/.aws/"})),
        (all.clone(), json!({"mountPath": "/root/.aws/credentials", "subPath": "k"})),
        (items("a/.aws/credentials"), json!({"mountPath": "/root", "subPath": "a"})),
        (
            items("x"),
            json!({"mountPath": "/.config/gcloud/application_default_credentials.json", "subPath": "x"}),
        ),
        (host.clone(), json!({"mountPath": "/root"})),
        (host.clone(), json!({"mountPath": "/home/someone"})),
        (host.clone(), json!({"mountPath": "/"})),
        (host.clone(), json!({"mountPath": "/root/.config"})),
        (host.clone(), json!({"mountPath": "/root/.config/gcloud"})),
        (all.clone(), json!({"mountPath": "/root", "subPathExpr": "$(X)"})),
        (json!({"csi": {"driver": "x"}}), json!({"mountPath": "/.azure"})),
    ] {
        assert_eq!(one(volume.clone(), mount.clone()).well_known().len(), 1, "{volume} {mount}");
    }
    for (volume, mount) in [
        (json!({"emptyDir": {}}), json!({"mountPath": "/home/nonroot"})),
        (all.clone(), json!({"mountPath": "/etc/config"})),
        (all, json!({"mountPath": "/root"})),
        (items("ca.crt"), json!({"mountPath": "/root"})),
        (host, json!({"mountPath": "/etc/ssl/certs"})),
        (
            json!({"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}),
            json!({"mountPath": "/root/.aws"}),
        ),
    ] {
        assert_eq!(one(volume.clone(), mount.clone()).well_known(), [], "{volume} {mount}");
    }
    let filled = container(
        json!([{"name": "v", "emptyDir": {}}]),
        json!([{"name": "v", "mountPath": "/root"}]),
        json!([{"name": "v", "mountPath": "/out"}]),
    );
    assert_eq!(filled.well_known().len(), 1);
}
