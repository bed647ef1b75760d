//! Credential plugins.

use super::{Case, Ground, V1, kubeconfig, kubectl, variable};
use crate::world::ISSUER;
use crate::world::Ran;
use lab::ClientKey;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::process::Stdio;
use tempfile::TempDir;

#[test]
fn plugins_are_run_like_kubectl() {
    if !kubectl() {
        return;
    }
    let ground = Ground::new();
    let jane = ground.cluster.token_of("jane");
    // What a plugin is told decides whose token it gives.
    let script = format!(
        "#!/bin/sh\n\
         case \"$1 $WHO $KUBERNETES_EXEC_INFO\" in\n\
         'a jane '*'\"interactive\":false'*) token={jane};;\n\
         *) token={};;\nesac\n\
         printf '{{\"kind\":\"ExecCredential\",\"apiVersion\":\"%s\",\"status\":{{\"token\":\"%s\"}}}}' \"${{V:-{V1}}}\" \"$token\"\n",
        ground.token()
    );
    let certificate = ground.ca.client("bob", ClientKey::P256);
    let shown = serde_json::json!({"kind": "ExecCredential", "apiVersion": V1, "status": {
        "clientCertificateData": certificate.cert_pem, "clientKeyData": certificate.key_pem}});
    let answer = |name: &str, text: &str| {
        let script = format!("#!/bin/sh\ncat <<'END'\n{text}\nEND\n");
        let exec = format!("exec: {{apiVersion: {V1}, command: ./answer, interactiveMode: Never}}");
        Case::new(name, ground.kubeconfig("", &exec)).file("answer", script)
    };
    let exec = |name: &str, members: &str| {
        Case::new(name, ground.kubeconfig("", &format!("exec: {{{members}}}")))
            .file("bin/plugin", script.clone())
    };
    let usual = format!("apiVersion: {V1}, interactiveMode: Never");
    let yaml = format!(
        "kind: ExecCredential\napiVersion: {V1}\nstatus:\n  token: {jane}\n  expirationTimestamp: '2096-10-02T07:06:40Z'"
    );
    ground.compare(vec![
        (true, exec("in PATH", &format!("command: plugin, {usual}"))),
        (true, exec("by relative path", &format!("command: bin/plugin, {usual}"))),
        (true, exec("beside the file", &format!("command: ./plugin, {usual}")).file("plugin", script.clone())),
        (false, exec("not in PATH", &format!("command: other, {usual}, installHint: please install it"))),
        (true, exec("arguments and environment", &format!("command: plugin, {usual}, args: [a, b], env: [{{name: WHO, value: jane}}]"))),
        (true, exec("v1beta1", "command: plugin, apiVersion: client.authentication.k8s.io/v1beta1").set("V", "client.authentication.k8s.io/v1beta1")),
        (false, exec("answer of another version", &format!("command: plugin, {usual}")).set("V", "client.authentication.k8s.io/v1beta1")),
        (false, exec("v1alpha1", "command: plugin, apiVersion: client.authentication.k8s.io/v1alpha1").set("V", "client.authentication.k8s.io/v1alpha1")),
        (false, exec("no version", "command: plugin, interactiveMode: Never")),
        (false, exec("no mode", &format!("command: plugin, apiVersion: {V1}"))),
        (true, exec("terminal if there is one", &format!("command: plugin, apiVersion: {V1}, interactiveMode: IfAvailable, args: [a], env: [{{name: WHO, value: jane}}]"))),
        (false, exec("terminal always", &format!("command: plugin, apiVersion: {V1}, interactiveMode: Always"))),
        (false, exec("other mode", &format!("command: plugin, apiVersion: {V1}, interactiveMode: Sometimes"))),
        (false, exec("no command", &usual)),
        (true, Case::new("token before plugin", ground.kubeconfig("", &format!("token: {jane}, exec: {{command: none, {usual}}}")))),
        (true, Case::new("password before plugin", ground.kubeconfig("", &format!("username: u, password: CANARY, exec: {{command: none, {usual}}}")))),
        (true, answer("YAML", &yaml)),
        (true, answer("certificate", &shown.to_string())),
        (false, answer("nothing", "")),
        (false, answer("no JSON", "{\"kind\": CANARY")),
        (false, answer("no status", &format!("{{kind: ExecCredential, apiVersion: {V1}}}"))),
        (false, answer("empty status", &format!("{{kind: ExecCredential, apiVersion: {V1}, status: {{}}}}"))),
        (false, answer("other kind", &format!("{{kind: Secret, apiVersion: {V1}, status: {{token: CANARY}}}}"))),
        (false, answer("key alone", &format!("{{kind: ExecCredential, apiVersion: {V1}, status: {{clientKeyData: CANARY}}}}"))),
        (false, answer("failure", "CANARY").file("answer", "#!/bin/sh\necho CANARY; exit 3\n")),
    ]);
}

#[test]
fn plugins_are_told_what_kubectl_tells() {
    if !kubectl() {
        return;
    }
    let ground = Ground::new();
    let folder = TempDir::new().unwrap();
    let heard = folder.path().join("heard");
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$KUBERNETES_EXEC_INFO\" >>'{}'\n\
         printf '{{\"kind\":\"ExecCredential\",\"apiVersion\":\"{V1}\",\"status\":{{\"token\":\"{}\"}}}}'\n",
        heard.display(),
        ground.token()
    );
    let exec = format!(
        "exec: {{apiVersion: {V1}, command: ./plugin, interactiveMode: Never, provideClusterInfo: true}}"
    );
    let extension = "extensions: [{name: other, extension: {a: 1}}, {name: client.authentication.k8s.io/exec, extension: {audience: a, list: [1, {b: null}]}}]";
    let proxy = format!("proxy-url: '{}'", ground.http.url());
    for cluster in [
        ground.authority(),
        format!("{}, tls-server-name: kubernetes, disable-compression: true", ground.authority()),
        format!("certificate-authority: ca.pem, {extension}"),
        format!("{}, {proxy}", ground.authority()),
        "insecure-skip-tls-verify: true".to_owned(),
    ] {
        let server = ground.cluster.server(0).url() + "/";
        let case = Case::new(&cluster, kubeconfig(&server, &cluster, &exec))
            .file("plugin", script.clone())
            .file("ca.pem", ground.ca.pem());
        drop(fs::remove_file(&heard));
        let (_, by_kubectl, by_keyless) = ground.run(&case);
        assert_eq!(by_kubectl, by_keyless, "{cluster}");
        let text = fs::read_to_string(&heard).unwrap();
        let told: Vec<serde_json::Value> = text
            .lines()
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!(told.len() >= 2, "{text}");
        for other in &told {
            assert_eq!(other, &told[0], "{cluster}");
        }
    }
}

#[test]
fn refused_plugin_token_is_renewed() {
    let ground = Ground::new();
    let folder = TempDir::new().unwrap();
    let runs = folder.path().join("runs");
    // Every second run gives a token that is still good.
    let script = format!(
        "#!/bin/sh\necho x >>'{0}'\nif [ $(($(wc -l <'{0}') % 2)) = 1 ]; then token=stale; else token={1}; fi\n\
         echo \"{{kind: ExecCredential, apiVersion: {V1}, status: {{token: $token}}}}\"\n",
        runs.display(),
        ground.token()
    );
    let exec = format!("exec: {{apiVersion: {V1}, command: ./plugin, interactiveMode: Never}}");
    let path = folder.path().join("plugin");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(folder.path().join("config"), ground.kubeconfig("disable-compression: false", &exec)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_keyless"));
    command
        .args(["publish", "--issuer", ISSUER, "--dry-run", "--bucket"])
        .arg(format!("file://{}", folder.path().display()));
    command.current_dir(folder.path()).env_clear().env("PATH", variable("PATH")).env("KUBECONFIG", "config");
    Ran::from(command.stdin(Stdio::null()).output().unwrap()).ends(1).says("Cluster prod (");
    assert_eq!(
        fs::read_to_string(&runs).unwrap().lines().count(),
        2,
        "once at the start, once when it was refused"
    );
}
