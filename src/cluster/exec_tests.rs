use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use tempfile::TempDir;

use super::*;
use crate::error::{Code, Kind};

const V1: &str = "client.authentication.k8s.io/v1";
const CANARY: &str = "CANARY-9f31";

/// A plugin that runs this shell script; its arguments and environment hold secrets.
fn plugin(folder: &TempDir, script: &str) -> Plugin {
    let path: PathBuf = folder.path().join("kube login");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let exec = Exec {
        api_version: Some(V1.into()),
        command: Some(path.display().to_string()),
        args: vec![format!("--secret={CANARY}")],
        env: vec![("KEYLESS_SECRET".into(), CANARY.into())],
        interactive_mode: Some("Never".into()),
        ..Exec::default()
    };
    Plugin::new(exec, Some(json!({"server": "https://a"})), Arc::default())
}

fn answer(status: &Value) -> String {
    let answer = json!({"kind": "ExecCredential", "apiVersion": V1, "status": status});
    format!("cat <<'END'\n{answer}\nEND")
}

async fn run(plugin: &Plugin) -> (Result<()>, Vec<String>) {
    let mut lines = Vec::new();
    let done = plugin.start(" (context a)", &mut |line: &str| lines.push(line.to_owned())).await;
    (done, lines)
}

#[tokio::test]
async fn plugin_is_told_what_kubectl_tells() {
    let folder = TempDir::new().unwrap();
    let script = format!(
        "printf '%s' \"$KUBERNETES_EXEC_INFO\" >'{0}/info'; printf '%s %s' \"$KEYLESS_SECRET\" \"$*\" >'{0}/told'\n{1}",
        folder.path().display(),
        answer(&json!({"token": "t0"}))
    );
    let plugin = plugin(&folder, &script);
    let (done, lines) = run(&plugin).await;
    done.unwrap();
    assert!(lines.is_empty(), "{lines:?}");
    assert_eq!(plugin.header().unwrap(), "Bearer t0");
    let info: Value = serde_json::from_str(&fs::read_to_string(folder.path().join("info")).unwrap()).unwrap();
    let wanted = json!({"kind": "ExecCredential", "apiVersion": V1,
        "spec": {"interactive": false, "cluster": {"server": "https://a"}}});
    assert_eq!(info, wanted);
    let told = fs::read_to_string(folder.path().join("told")).unwrap();
    assert_eq!(told, format!("{CANARY} --secret={CANARY}"));
}

#[tokio::test]
async fn failing_plugin_error_hides_its_secrets() {
    let folder = TempDir::new().unwrap();
    for (script, words) in [
        ("echo \"$KEYLESS_SECRET\"; echo please log in >&2; exit 3", "failed with exit code 3"),
        ("echo \"$KEYLESS_SECRET\"; kill -9 $$", "failed by a signal"),
        ("echo \"$KEYLESS_SECRET\"", "is not an ExecCredential"),
        ("echo '[\"CANARY-9f31\"'", "is neither JSON nor YAML"),
        (
            "echo \"{kind: ExecCredential, apiVersion: v9, status: {token: $KEYLESS_SECRET}}\"",
            "another apiVersion",
        ),
        ("", "is not an ExecCredential"),
    ] {
        let (done, lines) = run(&plugin(&folder, script)).await;
        let error = done.expect_err(script);
        assert_eq!((error.kind, error.code), (Kind::Failed, Code::CredentialPlugin), "{script}");
        let text = error.to_string();
        assert!(text.contains(words) && text.contains("kube login"), "{script}: {text}");
        assert!(!text.contains(CANARY) && !lines.concat().contains(CANARY), "{script}: {text}");
        assert_eq!(lines, if words.contains("code 3") { vec!["please log in"] } else { vec![] });
    }
    for status in [
        json!({}),
        json!({"token": ""}),
        json!({"token": 7}),
        json!({"token": "a\nb"}),
        json!({"clientCertificateData": "a"}),
        json!({"clientKeyData": "a", "token": "b"}),
        json!({"clientCertificateData": "a", "clientKeyData": CANARY}),
    ] {
        let error = run(&plugin(&folder, &answer(&status))).await.0.expect_err(&status.to_string());
        assert!(!error.to_string().contains(CANARY), "{error}");
    }
}

#[tokio::test]
async fn missing_plugin_gives_its_hint() {
    let folder = TempDir::new().unwrap();
    let mut plugin = plugin(&folder, "");
    plugin.exec.command = Some("no-such-plugin-of-keyless".into());
    let error = run(&plugin).await.0.unwrap_err();
    assert_eq!((error.kind, error.code), (Kind::Usage, Code::Kubeconfig));
    plugin.exec.install_hint = Some("install it so".into());
    assert_eq!(run(&plugin).await.0.unwrap_err().hints, ["install it so"]);
}

#[tokio::test]
async fn slow_plugin_is_announced_output_bounded() {
    let folder = TempDir::new().unwrap();
    let script = format!("sleep 2.4; seq 1 5000 >&2; {}", answer(&json!({"token": "t0"})));
    let (done, lines) = run(&plugin(&folder, &script)).await;
    done.unwrap();
    assert_eq!(lines[0], "Waiting for the credential plugin kube login (context a)…");
    assert_eq!(lines.len(), 1 + MAX_LINES);
    let error = run(&plugin(&folder, "yes CANARY-9f31 | head -c 2000000")).await.0.unwrap_err();
    assert_eq!(error.code, Code::CredentialPlugin, "{error}");
    assert!(error.message.contains("1 MiB") && !error.to_string().contains("CANARY"), "{error}");
}

#[tokio::test]
async fn refused_token_is_renewed_once() {
    let folder = TempDir::new().unwrap();
    let script = format!(
        "echo x >>'{0}/runs'; echo \"{{kind: ExecCredential, apiVersion: {V1}, status: {{token: t$(wc -l <'{0}/runs')}}}}\"",
        folder.path().display()
    );
    let plugin = plugin(&folder, &script);
    run(&plugin).await.0.unwrap();
    let first = plugin.generation();
    let (one, two) = futures::join!(plugin.renew(first), plugin.renew(first));
    one.and(two).unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("runs")).unwrap().lines().count(), 2);
    assert_eq!(plugin.header().unwrap(), "Bearer t2");
}
