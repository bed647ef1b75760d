//! Tokens, passwords, and whom to act as.

use super::{Case, Ground, kubeconfig, kubectl};
use crate::world::ISSUER;
use crate::world::Ran;
use base64::Engine;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;
use tempfile::TempDir;

#[test]
fn credentials_are_sent_like_kubectl() {
    if !kubectl() {
        return;
    }
    let ground = Ground::new();
    let (admin, jane) = (ground.token(), ground.cluster.token_of("jane"));
    let case = |name: &str, user: String| Case::new(name, ground.kubeconfig("", &user));
    let token_file = |name: &str, content: &str, more: &str| {
        case(name, format!("tokenFile: token{more}")).file("token", content)
    };
    let act = |name: &str, members: &str| case(name, format!("token: {admin}, {members}"));
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    drop(plain);
    ground.compare(vec![
        (true, case("token", format!("token: {admin}"))),
        (true, token_file("token file with line end", &format!("{jane}\n"), "")),
        (true, token_file("token file with blanks", &format!("  {jane} \r\n\n"), "")),
        (true, token_file("token file over token", &jane, &format!(", token: {admin}"))),
        (true, case("token beside a file that is missing", format!("tokenFile: none, token: {admin}"))),
        (false, case("token file that is missing", "tokenFile: none".into())),
        (true, case("user and password", "username: u, password: CANARY".into())),
        (true, case("unknown token", "token: CANARY-unknown".into())),
        (false, case("token and password", format!("token: {admin}, username: u, password: CANARY"))),
        (false, case("token with line break", "token: \"CANARY\\n\"".into())),
        (false, case("nothing", String::new())),
        (false, case("empty token", "token: ''".into())),
        (false, case("only whom to act as", "as: jane".into())),
        (true, act("as a user", "as: jane")),
        (true, act("as a user of groups", "as: jane, as-groups: [dev, 'system:masters'], as-uid: '7'")),
        (true, act("as a user with more", "as: jane, as-user-extra: {scopes: [a, b], Some/Key: [c]}")),
        (false, act("as groups without a user", "as-groups: [dev]")),
        (false, act("as an uid without a user", "as-uid: '7'")),
        (false, case("provider gcp", "auth-provider: {name: gcp}".into())),
        (false, case("provider azure", "auth-provider: {name: azure}".into())),
        (false, case("provider of none", "auth-provider: {name: none}".into())),
        (true, case("provider oidc", format!("auth-provider: {{name: oidc, config: {{id-token: {}, client-id: a, idp-issuer-url: 'https://a.test'}}}}", id_token()))),
        (false, case("provider oidc without a token", "auth-provider: {name: oidc, config: {client-id: a, idp-issuer-url: 'https://a.test'}}".into())),
    ]);
}

/// An unsigned token that lives until 2096.
fn id_token() -> String {
    let part = |json: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json);
    format!("{}.{}.c2ln", part(r#"{"alg":"RS256"}"#), part(r#"{"exp":4000000000}"#))
}

/// What kubectl does not do, because it knows one address only.
#[test]
fn unverified_servers_are_not_asked_singly() {
    let ground = Ground::new();
    let other_server = ground.other.server(0).addr();
    ground.cluster.change(|cluster| cluster.advertised = Some(vec![other_server]));
    let token = format!("token: {}", ground.token());
    let folder = TempDir::new().unwrap();
    let publish = |kubeconfig: &str, folder: &Path| -> Ran {
        fs::write(folder.join("config"), kubeconfig).unwrap();
        let bucket = format!("file://{}", folder.display());
        let mut command = Command::new(env!("CARGO_BIN_EXE_keyless"));
        command.args(["publish", "--bucket", &bucket, "--issuer", ISSUER, "--dry-run"]).current_dir(folder);
        command.env_clear().env("KUBECONFIG", "config").stdin(Stdio::null()).output().unwrap().into()
    };
    let server = ground.cluster.server(0).url();
    let ran = publish(&kubeconfig(&server, "insecure-skip-tls-verify: true", &token), folder.path()).ends(1);
    assert!(
        ran.err.contains("warning[server-unverified]") && ran.err.contains("insecure-skip-tls-verify"),
        "{}",
        ran.err
    );
    assert!(ground.other.server(0).faults().requests().is_empty(), "the other server was asked");
    // The other server of this test has a certificate of the cluster's authority: with verification it is one of its servers.
    publish(&ground.usual(&server), folder.path());
    assert!(!ground.other.server(0).faults().requests().is_empty());
}
