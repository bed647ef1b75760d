//! Every field of a kubeconfig that holds a secret × every way to break it.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use lab::{EchoForm, Fault};

use super::{Canary, LOUD, keeps};
use crate::{google::at_once, world::World};

/// `CANARY` is where the secret is.
const USERS: [(&str, &str); 13] = [
    ("token", "    token: CANARY\n"),
    ("password", "    username: admin\n    password: CANARY\n"),
    ("key", "    client-certificate-data: Q0VSVA==\n    client-key-data: CANARY\n"),
    (
        "exec argument",
        "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      interactiveMode: IfAvailable\n      command: /bin/sh\n      args:\n      - -c\n      - 'echo \"$0: login failed for $1\" >&2; echo \"$1\"; exit 7'\n      - --client-secret=CANARY\n      - --password=CANARY\n",
    ),
    (
        "exec environment",
        "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      interactiveMode: Never\n      command: /bin/sh\n      args: ['-c', 'echo no: \"$IDP_TOKEN\" >&2; exit 1']\n      env:\n      - name: IDP_TOKEN\n        value: CANARY\n",
    ),
    (
        "exec that prints no JSON",
        "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      interactiveMode: Never\n      command: /bin/echo\n      args:\n      - '{token: CANARY'\n",
    ),
    (
        "exec that prints another kind",
        "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      interactiveMode: Never\n      command: /bin/echo\n      args:\n      - '{\"kind\": \"ExecCredential\", \"apiVersion\": \"client.authentication.k8s.io/v1\", \"status\": {\"token\": [\"CANARY\"]}}'\n",
    ),
    (
        "exec that prints a token",
        "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      interactiveMode: Never\n      command: /bin/echo\n      args:\n      - '{\"kind\": \"ExecCredential\", \"apiVersion\": \"client.authentication.k8s.io/v1\", \"status\": {\"token\": \"CANARY\"}}'\n",
    ),
    (
        "exec that is missing",
        "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      interactiveMode: Never\n      command: /nowhere/kube-login\n      args:\n      - CANARY\n",
    ),
    (
        "exec that needs a terminal",
        "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      interactiveMode: Always\n      command: /nowhere/kube-login\n      args:\n      - CANARY\n",
    ),
    (
        "OIDC",
        "    auth-provider:\n      name: oidc\n      config:\n        id-token: CANARY\n        client-secret: CANARY\n        refresh-token: CANARY\n",
    ),
    (
        "command of Google",
        "    auth-provider:\n      name: gcp\n      config:\n        cmd-path: /bin/sh\n        cmd-args: -c exit${IFS}1;CANARY\n",
    ),
    (
        "provider that is not known",
        "    auth-provider:\n      name: keystone\n      config:\n        password: CANARY\n",
    ),
];

/// Each turns the value of a member into something else.
const BREAKS: [&str; 21] = [
    "CANARY",
    "\tCANARY",
    "\"CANARY",
    "'CANARY",
    "[CANARY, CANARY]",
    "[CANARY",
    "{CANARY: CANARY}",
    "{CANARY",
    "|\n          CANARY\n        CANARY\n",
    "|\n          CANARY\n",
    ">-\n  CANARY",
    "!!binary CANARY",
    "!!int CANARY",
    "!CANARY CANARY",
    "*CANARY",
    "&CANARY",
    "@CANARY",
    "CANARY: CANARY",
    "\"\\CANARY\"",
    "\"CANARY\\n\\u001b[31m\\u202e\"",
    "CANARY\n\t\tCANARY: [",
];

fn kubeconfig(world: &World, user: &str) -> String {
    let ca = STANDARD.encode(world.ca.pem());
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: lab\n\
         clusters:\n- name: lab\n  cluster:\n    server: {}\n    certificate-authority-data: {ca}\n\
         contexts:\n- name: lab\n  context: {{cluster: lab, user: lab}}\n\
         users:\n- name: lab\n  user:\n{user}",
        world.cluster.server(0).url()
    )
}

#[test]
fn broken_kubeconfig_shows_no_secret() {
    let world = World::new(1);
    let mut cases = Vec::new();
    for (field, user) in USERS {
        let text = kubeconfig(&world, user);
        for broken in BREAKS {
            let at = text.find("CANARY").unwrap();
            let text = format!("{}{broken}{}", &text[..at], &text[at + "CANARY".len()..]);
            cases.push((format!("{field}: {broken:?}"), text));
        }
        let at = text.find("CANARY").unwrap();
        for end in [at + 3, at + "CANARY".len()] {
            cases.push((format!("{field}, cut off"), text[..end].to_owned()));
        }
        cases.push((format!("{field}, twice"), format!("{text}{user}")));
    }
    let numbered: Vec<_> = cases.iter().enumerate().collect();
    at_once(&numbered, |(number, (what, text))| {
        let (canary, key) = (Canary::new(), Canary::new());
        // What is a key has the form of one.
        let pem =
            STANDARD.encode(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", key.0));
        let content = match what.starts_with("key") && number % 2 == 0 {
            true => text.replace("CANARY", &pem),
            false => text.replace("CANARY", &canary.0),
        };
        let folder = world.dir.path().join(format!("case-{number}"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("config"), content).unwrap();
        let mode = &LOUD[number % 2..=number % 2];
        keeps(what, &[&canary, &key, &Canary(pem)], &folder, mode, |mode| {
            let mut command = world.command(&["audit"]);
            command.args(mode).current_dir(&folder).env("KUBECONFIG", folder.join("config"));
            command
        });
    });
}

/// What helps is there: the program, its exit code, what it wrote to its standard error.
#[test]
fn failing_plugin_shows_its_exit_code() {
    let world = World::new(1);
    let canary = Canary::odd();
    let script = "echo \"token $LOGIN_SECRET refused for $1\" >&2; printf '\\033[31mbye\\n' >&2; exit 7";
    let user = format!(
        "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      interactiveMode: Never\n      command: /bin/sh\n      args: ['-c', '{}', sh, '{}']\n      env: [{{name: LOGIN_SECRET, value: '{}'}}]\n",
        script.replace('\'', "''"),
        format_args!("--password={}", canary.0),
        canary.0
    );
    fs::write(&world.kubeconfig, kubeconfig(&world, &user)).unwrap();
    for ran in keeps("plugin", &[&canary], world.dir.path(), &super::MODES, |mode| {
        let mut command = world.command(&["audit"]);
        command.args(mode);
        command
    }) {
        for part in ["the credential plugin sh failed with exit code 7", "token … refused for", "bye"] {
            assert!(ran.err.contains(part), "{part}:\n{}", ran.err);
        }
        assert!(!ran.err.contains("printf") && !ran.err.contains("LOGIN_SECRET"), "{}", ran.err);
    }
}

#[test]
fn echoed_kubeconfig_credentials_are_not_shown() {
    let world = World::new(1);
    world.cluster.server(0).faults().always("", "", Fault::Echo(403, EchoForm::Kubernetes));
    let canary = Canary::odd();
    let token_file = world.dir.path().join("token");
    fs::write(&token_file, format!("{}\n", canary.0)).unwrap();
    let plugin = format!(
        "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      interactiveMode: Never\n      command: /bin/echo\n      args: ['{{\"kind\": \"ExecCredential\", \"apiVersion\": \"client.authentication.k8s.io/v1\", \"status\": {{\"token\": \"{}\"}}}}']\n",
        canary.0
    );
    for user in [
        format!("    token: {}\n", canary.0),
        format!("    tokenFile: {}\n", token_file.display()),
        format!("    username: admin\n    password: {}\n", canary.0),
        format!("    auth-provider: {{name: oidc, config: {{id-token: '{}'}}}}\n", canary.0),
        plugin,
    ] {
        fs::write(&world.kubeconfig, kubeconfig(&world, &user)).unwrap();
        for ran in keeps(&user, &[&canary], world.dir.path(), &LOUD, |mode| {
            let mut command =
                world.command(&["publish", "--bucket", "file:///nowhere", "--issuer", crate::world::ISSUER]);
            command.args(mode);
            command
        }) {
            assert!(ran.err.contains("You sent"), "{}", ran.err);
        }
    }
}

#[test]
fn server_and_proxy_passwords_are_hidden() {
    let world = World::new(1);
    let canary = Canary::odd();
    let short = Canary("pw1".into());
    let address = world.cluster.server(0).addr();
    for password in [&canary.0, "pw1", "%70w1"] {
        let encoded = password.replace('/', "%2F").replace('=', "%3D");
        for (server, proxy) in [
            (format!("https://admin:{encoded}@{address}"), String::new()),
            (format!("https://admin:{password}@{address}"), String::new()),
            (format!("https://admin:{encoded}@nowhere.lab.test"), String::new()),
            (format!("https://admin:{encoded}@[::1"), String::new()),
            (format!("https://{address}"), format!("http://admin:{encoded}@127.0.0.1:1")),
            (format!("https://{address}"), format!("http://admin:{password}@nowhere.lab.test:1")),
            (format!("https://{address}"), format!("socks4://admin:{encoded}@127.0.0.1:1")),
            (format!("https://{address}"), format!("http://admin:{encoded}@ 127")),
        ] {
            let text = kubeconfig(&world, "    token: x\n");
            let text = text.replace(&format!("server: https://{address}"), &format!("server: '{server}'"));
            let proxied = format!("cluster:\n    proxy-url: '{proxy}'\n    server");
            let text = if proxy.is_empty() { text } else { text.replace("cluster:\n    server", &proxied) };
            fs::write(&world.kubeconfig, text).unwrap();
            let what = format!("{server} {proxy}");
            keeps(&what, &[&canary, &short], world.dir.path(), &LOUD, |mode| {
                let mut command = world.command(&["audit"]);
                command.args(mode).env_remove("NO_PROXY");
                command
            });
        }
    }
}
