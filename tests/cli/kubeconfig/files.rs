//! Which files are read, and which context of them is meant.

use super::{Case, Ground, kubeconfig, kubectl};
use crate::world::Ran;
use std::fs;
use std::process::Command;
use std::process::Stdio;
use tempfile::TempDir;

#[test]
fn files_and_lists_resolve_like_kubectl() {
    if !kubectl() {
        return;
    }
    let ground = Ground::new();
    let good = ground.usual(&ground.cluster.server(0).url());
    let other = ground.usual(&ground.other.server(0).url());
    let renamed = other.replace("prod", "second").replace("admin", "root");
    let user_only =
        format!("users: [{{name: admin, user: {{token: {}}}}}]\n", ground.cluster.token_of("jane"));
    let case = |name: &str| Case::new(name, good.clone());
    let list = |name: &str, list: &str| {
        case(name)
            .file("other", other.clone())
            .file("renamed", renamed.clone())
            .file("empty", "")
            .set("KUBECONFIG", list)
    };
    let broken = |name: &str, text: String| (false, Case::new(name, text));
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(good.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    ground.compare(vec![
        (true, case("KUBECONFIG")),
        (true, case("default file").unset("KUBECONFIG").file("home/.kube/config", good.clone())),
        (true, case("empty KUBECONFIG").set("KUBECONFIG", "").file("home/.kube/config", other.clone())),
        (true, case("flag over KUBECONFIG").file("other", other.clone()).flag(&["--kubeconfig", "other"])),
        (false, case("flag that names nothing").flag(&["--kubeconfig", "missing"])),
        (true, list("missing member", "missing:config")),
        (true, list("empty members", ":config::")),
        (true, list("member twice", "config:config")),
        (true, list("first wins", "other:config")),
        (true, list("second wins nothing", "config:other")),
        (true, list("empty file first", "empty:config")),
        (true, list("context of the second", "config:renamed").flag(&["--context", "second"])),
        (false, list("context of none", "config:renamed").flag(&["--context", "third"])),
        (true, list("user of another file", "users:config").file("users", user_only)),
        (true, list("empty current-context first", "first:config").file("first", "current-context: ''\n")),
        (false, list("nothing readable", "missing:gone")),
        (false, list("only empty members", ":")),
        (false, list("folder in list", "home:config").file("home/x", "")),
        (false, list("broken member", "config:broken").file("broken", "users:\n- user:\n\ttoken: CANARY\n")),
        (true, list("tilde is a folder", "~/config").file("~/config", good.clone())),
        (false, list("tilde is not HOME", "~/config").file("home/config", good.clone())),
        (true, Case::new("byte order mark", [b"\xef\xbb\xbf", good.as_bytes()].concat())),
        (true, Case::new("UTF-16", utf16)),
        (true, Case::new("second document", format!("{good}---\n{other}"))),
        (true, Case::new("key twice", format!("current-context: none\n{good}"))),
        (true, Case::new("unknown members", good.replace("token:", "Token: x, bogus: [1], token:"))),
        (true, Case::new("no kind", good.replace("apiVersion: v1\nkind: Config\n", ""))),
        broken("other kind", good.replace("kind: Config", "kind: Pod")),
        broken("other version", good.replace("apiVersion: v1", "apiVersion: v9")),
        broken("current-context of none", good.replace("current-context: prod", "current-context: none")),
        broken("no current-context", good.replace("current-context: prod\n", "")),
        broken("cluster of none", good.replace("cluster: prod, user", "cluster: none, user")),
        broken("user of none", good.replace("user: admin}", "user: none}")),
        broken("name twice", good.replace("users: [", "users: [{name: admin, user: {token: CANARY}}, ")),
        broken("number as token", kubeconfig(&ground.at("127.0.0.1"), &ground.authority(), "token: 123456")),
        broken("no server", kubeconfig("", &ground.authority(), "token: CANARY")),
    ]);
}

/// A CronJob whose KUBECONFIG is broken must not take its own pod's cluster for the one that was meant.
#[test]
fn unreadable_kubeconfig_in_pod_is_refused() {
    let ground = Ground::new();
    let addr = ground.cluster.server(0).addr();
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("tab"), "users:\n- user:\n\ttoken: CANARY\n").unwrap();
    fs::write(folder.path().join("empty"), "").unwrap();
    for (variable, value) in [
        ("KUBECONFIG", "missing"),
        ("KUBECONFIG", "tab"),
        ("KUBECONFIG", "empty"),
        ("KUBECONFIG", ":"),
        ("HOME", "tab"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyless"));
        command.arg("audit").current_dir(folder.path()).env_clear().stdin(Stdio::null());
        command.env("KUBERNETES_SERVICE_HOST", addr.ip().to_string());
        command.env("KUBERNETES_SERVICE_PORT", addr.port().to_string());
        let ran: Ran = command.env(variable, value).output().unwrap().into();
        let ran = ran.fails(2, "kubeconfig", &[]);
        assert!(ran.out.is_empty() && !ran.err.contains("CANARY"), "{variable}={value}: {}", ran.err);
        assert!(ground.cluster.server(0).faults().requests().is_empty(), "{variable}={value}");
    }
}
