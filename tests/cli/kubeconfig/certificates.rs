//! Whom a server is trusted by, and which certificate a client shows.

use super::{Case, Ground, kubeconfig, kubectl};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lab::Ca;
use lab::ClientKey;

#[test]
fn certificates_are_judged_like_kubectl() {
    if !kubectl() {
        return;
    }
    let ground = Ground::new();
    let server = ground.cluster.server(0).url();
    let token = format!("token: {}", ground.token());
    let base64 = |text: &str| STANDARD.encode(text);
    let leaf = ground.cluster.server(0).certificate_pem();
    let trusting = |name: &str, cluster: &str| Case::new(name, kubeconfig(&server, cluster, &token));
    let data =
        |name: &str, pem: &str| trusting(name, &format!("certificate-authority-data: {}", base64(pem)));
    let bundle = format!("{}{}", Ca::new().pem(), ground.ca.pem());
    let lines = base64(ground.ca.pem())
        .as_bytes()
        .chunks(76)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect::<Vec<_>>();
    let block = |sign: &str| {
        format!(
            "current-context: prod\nclusters:\n- name: prod\n  cluster:\n    server: {server}\n    certificate-authority-data: {sign}\n      {}\n\
             users: [{{name: admin, user: {{{token}}}}}]\ncontexts: [{{name: prod, context: {{cluster: prod, user: admin}}}}]\n",
            lines.join("\n      ")
        )
    };
    let mut cases = vec![
        (
            true,
            trusting("authority by file", "certificate-authority: pki/ca.pem")
                .file("pki/ca.pem", ground.ca.pem()),
        ),
        (true, trusting("bundle by file", "certificate-authority: ca.pem").file("ca.pem", bundle.clone())),
        (true, data("bundle", &bundle)),
        (true, data("authority beside its key", &format!("{leaf}{}", ground.ca.pem()))),
        (true, data("the server's own certificate", &leaf)),
        (false, data("another authority", Ca::new().pem())),
        (false, data("no certificate", "CANARY")),
        (false, trusting("file that is missing", "certificate-authority: none.pem")),
        (
            false,
            trusting("file without a certificate", "certificate-authority: ca.pem").file("ca.pem", "CANARY"),
        ),
        (
            false,
            trusting("both", &format!("certificate-authority: ca.pem, {}", ground.authority()))
                .file("ca.pem", ground.ca.pem()),
        ),
        (true, Case::new("lines of base64", block("|"))),
        (false, Case::new("folded lines of base64", block(">"))),
        (false, trusting("authority of the system, which is none", "certificate-authority-data: ''")),
        (
            true,
            trusting("authority of the system", "insecure-skip-tls-verify: false")
                .set("SSL_CERT_FILE", "ca.pem")
                .file("ca.pem", ground.ca.pem()),
        ),
        (true, trusting("nothing verified", "insecure-skip-tls-verify: true")),
        (
            false,
            trusting(
                "nothing verified, but an authority",
                &format!("insecure-skip-tls-verify: true, {}", ground.authority()),
            ),
        ),
    ];
    let user = |name: &str, members: &str| Case::new(name, ground.kubeconfig("", members));
    for kind in [ClientKey::P256, ClientKey::P384, ClientKey::Ed25519, ClientKey::Rsa] {
        let shown = ground.ca.client("jane", kind);
        let data = format!(
            "client-certificate-data: {}, client-key-data: {}",
            base64(&shown.cert_pem),
            base64(&shown.key_pem)
        );
        cases.push((true, user(&format!("{kind:?} as PKCS#8"), &data)));
        if kind != ClientKey::Ed25519 {
            let files =
                user(&format!("{kind:?} in its older form"), "client-certificate: c.pem, client-key: k.pem");
            cases.push((
                true,
                files.file("c.pem", shown.cert_pem.clone()).file("k.pem", shown.traditional_key_pem()),
            ));
        }
    }
    let (first, second) =
        (ground.ca.client("jane", ClientKey::P256), ground.ca.client("jane", ClientKey::P256));
    let old = ground.ca.client_v1("bob");
    let pair = |name: &str, certificate: &str, key: &str, more: &str| {
        user(name, &format!("client-certificate: c.pem, client-key: k.pem{more}"))
            .file("c.pem", certificate)
            .file("k.pem", key)
    };
    let both = format!("{}{}", first.key_pem, first.cert_pem);
    cases.extend([
        (true, pair("X.509 version 1", &old.cert_pem, &old.key_pem, "")),
        (true, pair("certificate and token", &first.cert_pem, &first.key_pem, &format!(", {token}"))),
        (true, pair("one file for both", &both, &both, "")),
        (
            true,
            pair(
                "certificate with its chain",
                &format!("{}{}", first.cert_pem, ground.ca.pem()),
                &first.key_pem,
                "",
            ),
        ),
        (true, user("key without certificate", &format!("client-key: none, {token}"))),
        (false, pair("key of another pair", &first.cert_pem, &second.key_pem, "")),
        (false, pair("no key", &first.cert_pem, "CANARY", "")),
        (false, pair("no certificate", "CANARY", &first.key_pem, "")),
        (
            false,
            user("certificate without key", "client-certificate: c.pem")
                .file("c.pem", first.cert_pem.clone()),
        ),
        (false, user("files that are missing", "client-certificate: c.pem, client-key: k.pem")),
        (
            false,
            pair(
                "certificate of another authority",
                &Ca::new().client("jane", ClientKey::P256).cert_pem,
                &first.key_pem,
                "",
            ),
        ),
    ]);
    ground.compare(cases);
    // A server that vouches for itself, as `openssl req -x509` makes it, and k3s before it has an authority.
    for says_so in [true, false] {
        let own = Ca::self_signed(&["127.0.0.1"], says_so);
        ground.cluster.server(0).serve_with(&own);
        ground.compare(vec![
            (true, data("self-signed", &own.cert_pem)),
            (false, data("self-signed by another", &Ca::self_signed(&["127.0.0.1"], says_so).cert_pem)),
            (
                false,
                Case::new(
                    "self-signed under another name",
                    kubeconfig(
                        &ground.at("0.0.0.0"),
                        &format!("certificate-authority-data: {}", base64(&own.cert_pem)),
                        &token,
                    ),
                ),
            ),
        ]);
    }
    ground.cluster.server(0).serve_with(&ground.ca.expired_certificate(&["127.0.0.1"]));
    ground.compare(vec![(false, user("expired", &token))]);
}
